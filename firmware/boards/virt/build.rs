//! Tells the linker where things go.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=link.x");
    println!("cargo:rustc-link-arg=-T{here}/link.x");
}
