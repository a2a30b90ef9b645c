//! Tells the linker where things go.

fn main() {
    // Relative to the workspace, in which the linker runs: an absolute path would be cached for other checkouts.
    let here = "boards/virt";
    for (program, script) in [("lamp", "link.x"), ("proof", "link.x"), ("loader", "loader.x")] {
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bin={program}=-T{here}/{script}");
    }
}
