//! Every name that a module imports is exported by the module that it names.

use k1_page::{FILES, file};

/// The modules and their texts.
fn modules() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES
        .iter()
        .filter(|(name, _)| name.ends_with(".js"))
        .map(|(name, bytes)| (*name, std::str::from_utf8(bytes).unwrap()))
}

/// The name of the file that a module means by a relative path.
fn resolved(module: &str, path: &str) -> String {
    let mut folders: Vec<_> = module.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(folders.pop().expect("a path stays in the page")),
            part => folders.push(part),
        }
    }
    folders.join("/")
}

/// The names that a module exports where they are declared.
fn exports(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export "))
        .filter_map(|line| {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let line =
                ["const ", "let ", "function ", "class "].iter().find_map(|word| line.strip_prefix(word))?;
            line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).next()
        })
        .collect()
}

/// The imports of a module: names and path.
fn imports(text: &str) -> impl Iterator<Item = (Vec<&str>, &str)> {
    text.lines().filter_map(|line| {
        let line = line.strip_prefix("import ")?.strip_suffix(';')?;
        let (names, path) = line.rsplit_once(" from ").unwrap_or(("", line));
        let names = names.trim_matches(|c| matches!(c, '{' | '}' | ' ')).split(',').map(str::trim);
        Some((names.filter(|name| !name.is_empty()).collect(), path.trim_matches('\'')))
    })
}

#[test]
fn every_import_has_its_export() {
    let mut seen = 0;
    for (module, text) in modules() {
        for (names, path) in imports(text) {
            let target = resolved(module, path);
            let bytes =
                file(&target).unwrap_or_else(|| panic!("{module} imports {path}, which is not there"));
            let exported = exports(std::str::from_utf8(bytes).unwrap());
            for name in names {
                assert!(
                    exported.contains(&name),
                    "{module} imports {name} from {target}, which exports {exported:?}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} imports were found");
}

#[test]
fn every_module_that_is_loaded_later_is_there() {
    let mut seen = 0;
    for (module, text) in modules() {
        for rest in text.split("import('").skip(1) {
            let path = rest.split('\'').next().unwrap();
            assert!(file(&resolved(module, path)).is_some(), "{module} loads {path}, which is not there");
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} such modules were found");
}
