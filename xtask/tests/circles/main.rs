//! Files of a crate do not depend on each other in circles: no chain of files that name each other's definitions is
//! closed.

mod modules;
mod names;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A sentence for each circle of a crate.
fn told(crate_: &Path) -> String {
    let mut text = String::new();
    for root in roots(crate_) {
        let graph = names::graph(&modules::read(&root));
        for circle in names::circles(&graph) {
            let short = |file: &Path| file.strip_prefix(crate_).unwrap_or(file).display().to_string();
            writeln!(text, "{}: a circle of {} files", crate_.display(), circle.len()).unwrap();
            for file in &circle {
                for (from, names) in graph[file].iter().filter(|(from, _)| circle.contains(*from)) {
                    let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    writeln!(text, "  {} takes from {}: {names}", short(file), short(from)).unwrap();
                }
            }
        }
    }
    text
}

/// The root files of a crate's modules.
fn roots(crate_: &Path) -> Vec<PathBuf> {
    let source = crate_.join("src");
    let mut roots = vec![source.join("lib.rs"), source.join("main.rs")];
    for folder in [source.join("bin"), crate_.to_owned()] {
        let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        roots.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "rs")));
    }
    roots.retain(|root| root.exists());
    roots.sort();
    roots
}

/// Every crate of the project: all folders with a manifest inside these.
fn crates() -> Vec<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut crates = vec![project.join("xtask")];
    for folder in ["crates", "firmware", "firmware/boards"] {
        let inside = std::fs::read_dir(project.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        crates.extend(inside.filter(|path| path.join("src").exists()));
    }
    crates.sort();
    crates
}

#[test]
fn no_crate_has_circles_of_modules() {
    let crates = crates();
    assert!(crates.len() >= 10, "{crates:?}");
    let text: String = crates.iter().map(|path| told(path)).collect();
    assert!(text.is_empty(), "files that name each other's definitions:\n{text}");
}

/// A test crate with these files.
fn made_up(name: &str, files: &[(&str, &str)]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("circles").join(name);
    for (file, text) in files {
        let file = folder.join("src").join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    told(&folder)
}

#[test]
fn circles_of_files_are_found_whatever_ties_them() {
    let lib = ("lib.rs", "mod a;\nmod b;\npub mod c;\n");
    let fine = ("c.rs", "pub struct C;\n");
    let a = |text| ("a.rs", text);
    let b = |text| ("b.rs", text);
    for (name, a, b) in [
        (
            "import",
            a("use crate::b::B; pub struct A(B);"),
            b("use crate::a::A; pub struct B(Option<Box<A>>);"),
        ),
        (
            "tree",
            a("use crate::{b::{self, B}, c::C}; pub struct A(B, C);"),
            b("pub struct B; fn f(_: super::a::A) {}"),
        ),
        ("inline", a("pub fn a() { crate::b::b() }"), b("pub fn b() { super::a::a() }")),
        ("module", a("use super::b; pub fn a() { b::b() }"), b("use crate::a; pub fn b() { a::a() }")),
        (
            "renamed",
            a("use crate::b::B as Other; pub struct A(Other);"),
            b("pub struct B; type T = crate::a::A;"),
        ),
        (
            "glob",
            a("use super::b::*; pub struct A(B);"),
            b("pub struct B; use super::a::*; fn f() -> A { todo!() }"),
        ),
        (
            "macro",
            a("pub fn a() { println!(\"{}\", crate::b::B) }"),
            b("pub const B: u8 = crate::a::a as u8;"),
        ),
        (
            "attribute",
            a("#[x(with = \"crate::b::read\")] pub struct A;"),
            b("fn read() -> crate::a::A { panic!() }"),
        ),
        ("trait", a("use crate::b::B as _; pub struct A;"), b("pub trait B {} impl B for super::a::A {}")),
        (
            "made by a macro",
            a("pub struct A; fn f() { crate::b::Made }"),
            b("make!(Made); use crate::a::A; fn g(_: A) {}"),
        ),
        (
            "not in the test",
            a("use crate::b::B; #[cfg(not(test))] struct A(B);"),
            b("#[cfg(not(test))] fn f() { crate::a::A } pub struct B;"),
        ),
    ] {
        let text = made_up(name, &[lib, a, b, fine]);
        assert!(text.contains("a circle of 2 files"), "{name}: {text:?}");
        assert!(
            text.contains("src/a.rs takes from src/b.rs: ")
                && text.contains("src/b.rs takes from src/a.rs: "),
            "{text}"
        );
    }
}

#[test]
fn circles_through_others_and_through_names_passed_on_are_found() {
    let three = made_up(
        "three",
        &[
            ("main.rs", "mod a;\nmod b;\nmod c;\nfn main() { a::a() }\n"),
            ("a.rs", "pub fn a() { crate::b::b() }"),
            ("b.rs", "use crate::c::c;\npub fn b() { c() }"),
            ("c.rs", "pub fn c() { crate::a::a() }"),
        ],
    );
    assert!(three.contains("a circle of 3 files"), "{three:?}");
    let passed_on = made_up(
        "passed on",
        &[
            ("lib.rs", "mod a;\nmod b;\npub use b::B;\npub use a::*;"),
            ("a.rs", "use crate::B;\npub struct A(B);"),
            ("b.rs", "pub struct B; fn f() -> crate::A { panic!() }"),
        ],
    );
    assert!(passed_on.contains("src/a.rs takes from src/b.rs: B"), "{passed_on:?}");
}

#[test]
fn circles_are_not_what_only_looks_like_one() {
    for (name, lib, a, b) in [
        ("one way", "mod a; mod b;", "pub struct A;", "use crate::a::A; pub struct B(A);"),
        (
            "passing on",
            "mod a; mod b; pub use a::A; pub use b::B; pub struct L;",
            "use crate::L; pub struct A(L);",
            "pub struct B(crate::A);",
        ),
        (
            "comment",
            "mod a; mod b;",
            "// crate::b::B\n/// [`crate::b::B`] \npub struct A; const T: &str = \"crate::b::B\";",
            "pub struct B(crate::a::A);",
        ),
        (
            "tests",
            "mod a; mod b;",
            "pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(all(test, x))] use crate::b::C;",
            "pub struct B(crate::a::A);",
        ),
        (
            "another crate",
            "mod a; mod b;",
            "pub struct A(::b::B, other::b::B); fn f(a: A) { a.b::<u8>() }",
            "pub struct B(crate::a::A);",
        ),
        (
            "parts",
            "mod a; mod b; pub struct L(a::A); impl L { fn l() { b::b() } }",
            "pub struct A(Option<Box<super::L>>);",
            "use crate::L; pub fn b() -> L { panic!() }",
        ),
        (
            "module names",
            "mod a; mod b; pub fn l() { a::a(); b::b() }",
            "pub fn a() {}",
            "use crate::a; pub fn b() { a::a() }",
        ),
    ] {
        let text = made_up(name, &[("lib.rs", lib), ("a.rs", a), ("b.rs", b)]);
        assert!(text.is_empty(), "{name}: {text}");
    }
}
