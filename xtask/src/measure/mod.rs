//! `cargo xtask measure`: runs the commands that print K1's figures and writes `docs/measurements.md`, so that no
//! figure there is typed by hand.
//!
//! `measurements/commands.toml` lists the commands and where their output contains each figure.
//! `measurements/values.toml` holds the figures printed last, with the day. `measurements/page.md` is the page with
//! placeholders.

mod page;
mod source;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::root;
use page::Values;
use source::Source;

const COMMANDS: &str = "measurements/commands.toml";
const VALUES: &str = "measurements/values.toml";
const TEMPLATE: &str = "measurements/page.md";
const PAGE: &str = "docs/measurements.md";

/// Runs the named commands, or all of them (`all`), and writes the page. A command that fails or does not print a
/// figure leaves its old figures; the others still run.
pub fn measure(names: &[&str]) -> Result<(), String> {
    let sources: BTreeMap<String, Source> = read_toml(COMMANDS)?;
    if let Some(unknown) = names.iter().find(|n| **n != "all" && !sources.contains_key(**n)) {
        let known: Vec<&str> = sources.keys().map(String::as_str).collect();
        return Err(format!("there is no measurement named {unknown}; there are: all, {}", known.join(", ")));
    }
    let template = read(TEMPLATE)?;
    if let Some(figure) = page::without_place(&template, &sources)?.first() {
        return Err(format!("{figure} is measured but not shown: {TEMPLATE} has no placeholder for it"));
    }
    let wanted = sources.iter().filter(|(name, _)| names.iter().any(|n| *n == "all" || n == name));
    let wanted: Vec<_> = wanted.collect();
    if wanted.iter().any(|(_, source)| source.runs_k1()) {
        let built = crate::cargo().args(["build", "--release", "--package", "k1"]).status();
        if !built.map_err(|e| format!("cargo build: {e}"))?.success() {
            return Err("k1 could not be built; see the errors above".into());
        }
    }
    let mut failed = Vec::new();
    for (name, source) in wanted {
        println!("== {name}: {}", source.shown());
        match source.measure() {
            Ok(measured) => {
                // Read again, because another run may have written in the meantime: some take hours.
                let mut values: Values = read_toml(VALUES)?;
                values.insert(name.clone(), measured);
                let text = toml::to_string(&values).map_err(|e| format!("{VALUES}: {e}"))?;
                std::fs::write(root().join(VALUES), text).map_err(|e| format!("{VALUES}: {e}"))?;
            }
            Err(e) => failed.push(format!("{name}: {e}")),
        }
    }
    let text = page::filled(&template, &sources, &read_toml(VALUES)?)?;
    std::fs::write(root().join(PAGE), text).map_err(|e| format!("{PAGE}: {e}"))?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n       ")) }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|e| format!("{path}: {e}"))
}

fn read_toml<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    toml::from_str(&read(path)?).map_err(|e| format!("{path}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_figure_and_each_figure_is_used() {
        let sources: BTreeMap<String, Source> = read_toml(COMMANDS).unwrap();
        let values: Values = read_toml(VALUES).unwrap();
        let template = read(TEMPLATE).unwrap();
        let page = page::filled(&template, &sources, &values).unwrap();
        assert!(
            page == read(PAGE).unwrap(),
            "{PAGE} is not what {TEMPLATE} and {VALUES} make: run `cargo xtask measure`"
        );
        assert_eq!(page::without_place(&template, &sources).unwrap(), [""; 0]);
        for (name, measured) in &values {
            let source =
                sources.get(name).unwrap_or_else(|| panic!("{VALUES} knows {name}, which nothing prints"));
            let printed = source.figures().unwrap();
            for figure in measured.figures.keys() {
                assert!(printed.contains(figure), "{VALUES} knows {name}.{figure}, which nothing prints");
            }
        }
    }
}
