//! Tells the linker where things go.

fn main() {
    println!("cargo:rerun-if-changed=link.x");
    // Relative to the workspace, in which the linker runs: an absolute path would be cached for other checkouts.
    println!("cargo:rustc-link-arg-bins=-Tboards/virt-xtensa/link.x");
}
