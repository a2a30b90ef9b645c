//! Tells the linker where things go.

fn main() {
    // As the linker sees it, which runs where the workspace is: a path of this checkout would be kept for the next.
    let here = "boards/virt";
    for (program, script) in [("lamp", "link.x"), ("proof", "link.x"), ("loader", "loader.x")] {
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bin={program}=-T{here}/{script}");
    }
}
