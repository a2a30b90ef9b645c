//! Tells the linker where things go.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for (program, script) in [("lamp", "link.x"), ("proof", "link.x"), ("loader", "loader.x")] {
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bin={program}=-T{here}/{script}");
    }
}
