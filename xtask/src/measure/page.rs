//! Fills the page with the figures.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::source::{Measured, Source};

/// The figures printed last, by command.
pub type Values = BTreeMap<String, Measured>;

/// Fills `template`: `{{name}}` becomes the command of that name, `{{name.figure}}` its figure, and `{{days}}` a
/// table of all commands with the days of their last run.
///
/// # Errors
///
/// Fails if a placeholder has no command or no recorded figure.
pub fn filled(template: &str, sources: &BTreeMap<String, Source>, values: &Values) -> Result<String, String> {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (place, after) = after.split_once("}}").ok_or("a place has no end")?;
        page.push_str(before);
        match place.split_once('.') {
            None if place == "days" => page.push_str(&days(sources, values)),
            None => {
                let source =
                    sources.get(place).ok_or_else(|| format!("there is no command named {place}"))?;
                page.push_str(&source.shown());
            }
            Some((name, figure)) => {
                let value = values.get(name).and_then(|measured| measured.figures.get(figure));
                page.push_str(value.ok_or_else(|| {
                    format!("{place} was never measured: `cargo xtask measure {name}`, if that prints it")
                })?);
            }
        }
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// The figures for which the template has no placeholder.
///
/// # Errors
///
/// Fails if an expression of a command is invalid.
pub fn without_place(template: &str, sources: &BTreeMap<String, Source>) -> Result<Vec<String>, String> {
    let mut missing = Vec::new();
    for (name, source) in sources {
        let figures = source.figures().map_err(|e| format!("{name}: {e}"))?;
        let names = figures.iter().map(|figure| format!("{name}.{figure}"));
        missing.extend(names.filter(|name| !template.contains(&format!("{{{{{name}}}}}"))));
    }
    Ok(missing)
}

fn days(sources: &BTreeMap<String, Source>, values: &Values) -> String {
    let mut table = String::from("| Name | Ran on | Command |\n|---|---|---|");
    for (name, source) in sources {
        let when = values.get(name).map_or("-", |measured| &measured.when);
        let _ = write!(table, "\n| {name} | {when} | {} |", source.shown());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(template: &str) -> Result<String, String> {
        let sources = toml::from_str("[hop]\nrun = 'cargo xtask budgets'\nprints = []").unwrap();
        let values = toml::from_str("[hop]\nwhen = '2026-11-28'\nworst = '456,526'").unwrap();
        filled(template, &sources, &values)
    }

    #[test]
    fn each_place_is_filled() {
        assert_eq!(page("a {{hop.worst}} by {{hop}}.").unwrap(), "a 456,526 by `cargo xtask budgets`.");
        assert!(page("{{days}}").unwrap().ends_with("| hop | 2026-11-28 | `cargo xtask budgets` |"));
        assert_eq!(page("no place").unwrap(), "no place");
    }

    #[test]
    fn a_figure_without_a_placeholder_is_named() {
        let sources =
            toml::from_str("[hop]\nrun = 'true'\nprints = ['(?<mean>\\d+) (?<worst>\\d+)']").unwrap();
        assert_eq!(without_place("{{hop.worst}}", &sources).unwrap(), ["hop.mean"]);
        assert_eq!(without_place("{{hop.worst}} {{hop.mean}}", &sources).unwrap(), [""; 0]);
        let broken = toml::from_str("[hop]\nrun = 'true'\nprints = ['(']").unwrap();
        assert!(without_place("", &broken).unwrap_err().contains("hop"));
    }

    #[test]
    fn a_placeholder_without_a_figure_is_an_error() {
        for (template, why) in [
            ("{{hop.mean}}", "never measured"),
            ("{{frame.worst}}", "never measured"),
            ("{{frame}}", "there is no command named frame"),
            ("{{hop", "no end"),
        ] {
            assert!(page(template).unwrap_err().contains(why), "{template}");
        }
    }
}
