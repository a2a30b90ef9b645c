//! Finds which files name other files' definitions, and which of them do so in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::modules::Module;

/// For each file, the files whose definitions it names, and the names.
pub type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The target of a path.
enum Found {
    Module(usize),
    /// A definition in that module.
    Item(usize),
}

/// The files of a crate, and the definitions that each takes from the others. For a definition that is passed on
/// (`pub use`), only two files count: the one that defines it and the one that names it.
///
/// Definitions that a module takes from the modules that it is part of are left out: a trait and the list of its
/// implementations may be above them.
pub fn graph(modules: &[Module]) -> Graph {
    let mut graph = Graph::new();
    for (at, module) in modules.iter().enumerate() {
        let mut take = |from: usize, name: &str| {
            if modules[from].file != module.file && !is_part(modules, at, from) {
                let names = graph
                    .entry(module.file.clone())
                    .or_default()
                    .entry(modules[from].file.clone())
                    .or_default();
                names.insert(name.to_owned());
            }
        };
        for import in &module.imports {
            let Some(found) = resolve(modules, at, &import.path, 0) else { continue };
            match found {
                Found::Item(from) if import.bound != "*" => {
                    if !import.passed_on || module.names.contains(&import.bound) {
                        take(from, &import.path[import.path.len() - 1]);
                    }
                }
                Found::Module(all) if import.bound == "*" => {
                    for name in module.names.iter().filter(|name| !module.items.contains(*name)) {
                        if let Some(Found::Item(from)) = lookup(modules, all, name, 0) {
                            take(from, name);
                        }
                    }
                }
                // For the variants of an enum or for a module, the names taken from it are paths of their own.
                Found::Item(from) => take(from, &import.path[import.path.len() - 1]),
                Found::Module(_) => {}
            }
        }
        for path in &module.paths {
            if let Some(Found::Item(from)) = resolve(modules, at, path, 0) {
                take(from, &path[1..].join("::"));
            }
        }
    }
    graph
}

/// True if a module is part of another.
fn is_part(modules: &[Module], of: usize, whole: usize) -> bool {
    std::iter::successors(modules[of].parent, |&at| modules[at].parent).any(|at| at == whole)
}

/// Longest chain of names that are passed on. (Two modules may pass on each other's names.)
const DEEPEST: usize = 16;

fn resolve(modules: &[Module], from: usize, path: &[String], depth: usize) -> Option<Found> {
    let mut at = from;
    let mut rest = path;
    let mut anchored = false;
    while let [first, after @ ..] = rest {
        at = match first.as_str() {
            "crate" => 0,
            "self" => at,
            "super" => modules[at].parent?,
            _ => break,
        };
        anchored = true;
        rest = after;
    }
    for (i, name) in rest.iter().enumerate() {
        match lookup(modules, at, name, depth) {
            Some(Found::Module(next)) => at = next,
            Some(item) => return Some(item),
            // A macro of that module may have defined it; otherwise it belongs to another crate.
            None if (anchored || i > 0) && !is_foreign(modules, at, name) => return Some(Found::Item(at)),
            None => return None,
        }
    }
    Some(Found::Module(at))
}

fn lookup(modules: &[Module], at: usize, name: &str, depth: usize) -> Option<Found> {
    if depth > DEEPEST {
        return None;
    }
    let module = &modules[at];
    if let Some(&child) = module.children.iter().find(|&&child| modules[child].name == name) {
        return Some(Found::Module(child));
    }
    if module.items.contains(name) {
        return Some(Found::Item(at));
    }
    // `use name::…;` starts with another crate, not with what it binds.
    let named = module.imports.iter().filter(|import| import.bound == name && import.path[0] != name);
    let found = named.filter_map(|import| resolve(modules, at, &import.path, depth + 1)).next();
    found.or_else(|| {
        let globs = module.imports.iter().filter(|import| import.bound == "*");
        globs
            .filter_map(|glob| match resolve(modules, at, &glob.path, depth + 1)? {
                Found::Module(all) if all != at => lookup(modules, all, name, depth + 1),
                _ => None,
            })
            .next()
    })
}

/// True if a module imports this name from another crate.
fn is_foreign(modules: &[Module], at: usize, name: &str) -> bool {
    modules[at].imports.iter().any(|import| import.bound == name)
}

/// The groups of files in which every file can be reached from every other.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<PathBuf>> {
    let reach: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        graph.keys().map(|file| (file, reached(graph, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, seen) in &reach {
        if seen.contains(file) {
            let back = seen.iter().filter(|other| reach.get(*other).is_some_and(|from| from.contains(file)));
            circles.insert(back.map(|other| (*other).clone()).collect::<BTreeSet<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reached<'a>(graph: &'a Graph, start: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&PathBuf> = graph[start].keys().collect();
    while let Some(file) = open.pop() {
        if seen.insert(file) {
            open.extend(graph.get(file).into_iter().flat_map(BTreeMap::keys));
        }
    }
    seen
}
