//! Modules of a crate depend on each other without circles, and so do the crates.
//!
//! The test reads the sources: which paths a file names, and in which module each of them lies. A re-export (`pub use`) is
//! not a dependency of the module it stands in; whoever uses it depends on the module that it comes from. A module and
//! those inside it are one: between them anything goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module, as its path in the crate: `["web", "live"]`; the crate's root is empty.
type Module = Vec<String>;

/// The code of a file without comments, texts and tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = text.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'/'") {
            3
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

/// Words, `::` and everything else, one by one.
fn tokens(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = code.trim_start();
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let n = match c {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        all.push(rest[..n].to_owned());
        rest = rest[n..].trim_start();
    }
    all
}

/// The paths of a `use` tree that begins at `at`, each with the name that it gets here; the place behind the tree.
fn tree(all: &[String], mut at: usize, before: &[String], paths: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = before.to_vec();
    loop {
        match all.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while all.get(at).is_some_and(|t| t != "}") {
                    at = tree(all, at, &path, paths);
                    at += usize::from(all.get(at).is_some_and(|t| t == ","));
                }
                return at + 1;
            }
            Some("::") => at += 1,
            Some("as") => {
                paths.push((path, all[at + 1].clone()));
                return at + 2;
            }
            Some(word) if word == "*" || word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
            }
            _ => {
                let name = path.last().cloned().unwrap_or_default();
                paths.push((path, name));
                return at;
            }
        }
    }
}

/// What a file says of other modules.
#[derive(Default)]
struct File {
    /// Paths that it names.
    paths: Vec<Vec<String>>,
    /// Names that `use` brings in, private ones and re-exports, with what they stand for.
    names: BTreeMap<String, Vec<String>>,
    /// The re-exports among them; `*` for all of a module.
    exports: Vec<(String, Vec<String>)>,
}

fn read(text: &str) -> File {
    let all = tokens(&code(text));
    let mut file = File::default();
    let mut at = 0;
    while at < all.len() {
        let is_path = all.get(at + 1).is_some_and(|t| t == "::") && (at == 0 || all[at - 1] != "::");
        if all[at] == "use" {
            let is_public = at > 0 && (all[at - 1] == "pub" || all[at - 1] == ")");
            let mut paths = Vec::new();
            at = tree(&all, at + 1, &[], &mut paths);
            for (path, name) in paths {
                if is_public {
                    file.exports.push((name.clone(), path.clone()));
                } else {
                    file.paths.push(path.clone());
                }
                file.names.insert(name, path);
            }
        } else if is_path && all[at].starts_with(|c: char| c.is_alphabetic()) {
            let mut path = vec![all[at].clone()];
            while all.get(at + 1).is_some_and(|t| t == "::")
                && all.get(at + 2).is_some_and(|t| t.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            {
                path.push(all[at + 2].clone());
                at += 2;
            }
            file.paths.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    file
}

struct Crate(BTreeMap<Module, File>);

impl Crate {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("main.rs") {
                    let inside = path.strip_prefix(src).unwrap().with_extension("");
                    let mut module: Module =
                        inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                    let last = module.last().unwrap();
                    if last.ends_with("tests") {
                        continue;
                    }
                    if last == "mod" || *last == "lib" {
                        module.pop();
                    }
                    files.insert(module, read(&std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        Self(files)
    }

    /// The module in which a path leads from `here`; nothing if that is another crate's, or none.
    fn leads(&self, here: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let file = self.0.get(here)?;
        let (mut module, mut rest) = match first.as_str() {
            "crate" => (Module::new(), rest),
            "self" => (here.clone(), rest),
            "super" => (here[..here.len().checked_sub(1)?].to_vec(), rest),
            name => {
                let child = [here.as_slice(), &[name.to_owned()]].concat();
                if self.0.contains_key(&child) {
                    (here.clone(), path)
                } else {
                    let meant = file.names.get(name).filter(|meant| meant[0] != *name && depth < 8)?;
                    return self.leads(here, &[meant.as_slice(), rest].concat(), depth + 1);
                }
            }
        };
        while let Some((next, more)) = rest.split_first() {
            if next == "super" {
                module.pop()?;
            } else {
                let child = [module.as_slice(), std::slice::from_ref(next)].concat();
                if !self.0.contains_key(&child) {
                    break;
                }
                module = child;
            }
            rest = more;
        }
        // What a module passes on lies in another.
        let exports = &self.0[&module].exports;
        let passed = rest.first().and_then(|name| exports.iter().find(|(export, _)| export == name));
        match passed {
            Some((_, meant)) if depth < 8 => self.leads(&module, meant, depth + 1).or(Some(module)),
            _ => Some(module),
        }
    }

    /// Which modules each module uses.
    fn uses(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let used = |(here, file): (&Module, &File)| {
            let all = file.paths.iter().filter_map(|path| self.leads(here, path, 0));
            let is_other = |there: &Module| !there.starts_with(here) && !here.starts_with(there);
            (here.clone(), all.filter(is_other).collect())
        };
        self.0.iter().map(used).collect()
    }
}

/// Groups of more than one, in which each reaches each.
fn circles<T: Ord + Clone>(uses: &BTreeMap<T, BTreeSet<T>>) -> Vec<Vec<T>> {
    let reach = |from: &T| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(one) = next.pop() {
            next.extend(
                uses.get(&one).into_iter().flatten().filter(|to| seen.insert((*to).clone())).cloned(),
            );
        }
        seen
    };
    let reached: BTreeMap<_, _> = uses.keys().map(|from| (from.clone(), reach(from))).collect();
    let mut found = BTreeSet::new();
    for (from, to) in &reached {
        if to.contains(from) {
            found.insert(
                to.iter()
                    .filter(|t| reached.get(*t).is_some_and(|back| back.contains(from)))
                    .cloned()
                    .collect(),
            );
        }
    }
    found.into_iter().collect()
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Crates whose modules are looked at.
const ROOMS: [&str; 9] =
    ["k1", "k1-device", "k1-engine", "k1-fleet", "k1-handoff", "k1-host", "k1-sim", "k1-update", "k1-wire"];

#[test]
fn no_module_depends_on_itself_through_others() {
    let (mut found, mut seen) = (Vec::new(), 0);
    for room in ROOMS {
        let uses = Crate::read(&crates().join(room).join("src")).uses();
        seen += uses.values().map(BTreeSet::len).sum::<usize>();
        for circle in circles(&uses) {
            let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
            let edges = circle.iter().flat_map(|from| {
                uses[from]
                    .iter()
                    .filter(|to| circle.contains(to))
                    .map(|to| format!("\n  {} uses {}", from.join("::"), to.join("::")))
            });
            found.push(format!("{room}: {}{}", names.join(", "), edges.collect::<String>()));
        }
    }
    assert!(seen > 200, "only {seen} uses were seen");
    assert!(found.is_empty(), "modules in circles:\n{}", found.join("\n"));
}

#[test]
fn the_player_stands_on_the_fleet_and_both_on_the_host() {
    let needs = |room: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(crates().join(room).join("Cargo.toml")).unwrap();
        let all = text.split("[dev-dependencies]").next().unwrap();
        let names = all.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        names.filter(|name| name.starts_with("k1")).map(str::to_owned).collect()
    };
    assert!(needs("k1").contains("k1-fleet") && needs("k1").contains("k1-host"));
    assert!(needs("k1-fleet").contains("k1-host") && !needs("k1-fleet").contains("k1"));
    assert!(!needs("k1-host").contains("k1") && !needs("k1-host").contains("k1-fleet"));
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    let of = |texts: &[(&str, &str)]| {
        let module = |path: &str| path.split("::").filter(|p| !p.is_empty()).map(str::to_owned).collect();
        circles(&Crate(texts.iter().map(|(path, text)| (module(path), read(text))).collect()).uses())
    };
    for (a, b) in [
        ("use crate::b::X;", "use crate::a::Y;"),
        ("use super::{b::X};", "fn f() { crate::a::g() }"),
        ("use super::b;\nfn f() { b::g() }", "type T = super::a::Y;"),
        ("use std::{io, fmt};\nuse crate::{b::{self as other}};", "use super::a::*;"),
    ] {
        let found = of(&[("", "pub mod a;\npub mod b;"), ("a", a), ("b", b)]);
        assert_eq!(found.len(), 1, "{a} – {b}");
        let straight = of(&[
            ("", "pub mod a;\npub mod b;"),
            ("a", a),
            ("b", "// crate::a::Y\nconst T: &str = \"crate::a\";"),
        ]);
        assert!(straight.is_empty(), "{a}: {straight:?}");
    }
    // Through a module that only passes things on.
    let passing =
        [("", ""), ("a", "mod c;\npub use c::X;"), ("a::c", "use crate::b::Y;"), ("b", "use crate::a::X;")];
    assert_eq!(of(&passing).len(), 1);
    let apart = [
        ("", ""),
        ("a", "mod c;\npub use c::X;\npub struct Z;"),
        ("a::c", "use crate::b::Y;"),
        ("b", "use crate::a::Z;"),
    ];
    assert!(of(&apart).is_empty());
}
