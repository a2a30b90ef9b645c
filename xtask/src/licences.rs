//! Compares the licences, sources and versions of all crates in the lock file with `deny.toml`.
//!
//! The file has cargo-deny's form, and cargo-deny reads it, too. This module reads only the rules that K1 needs,
//! because building cargo-deny takes too long.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{cargo, root, said};

/// The rules in `deny.toml`.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    /// Crates that may be present in several versions, each with the reason.
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    registries: Vec<String>,
}

/// A crate of the lock file.
#[derive(Default)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    /// The crate's source; empty for the project's own crates.
    source: String,
    /// The crates that use it, sorted.
    users: Vec<String>,
}

/// The command `cargo xtask licences [--record]`.
///
/// # Errors
/// A line for each broken rule.
pub fn licences(record: bool) -> Result<(), String> {
    let path = root().join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("deny.toml: {e}"))?;
    let crates = crates()?;
    if record {
        std::fs::write(&path, recorded(&text, &crates)?).map_err(|e| format!("deny.toml: {e}"))?;
        return licences(false);
    }
    let rules: Rules = toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))?;
    println!("{} crates, {} of them in more than one version", crates.len(), duplicates(&crates).len());
    let wrong = judge(&crates, &rules);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// All crates of the workspace, for any platform.
fn crates() -> Result<Vec<Crate>, String> {
    let text = said(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all: BTreeMap<String, Crate> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let [name, version, licence, source] =
            ["name", "version", "license", "source"].map(|key| word(&package, key));
        all.insert(word(&package, "id"), Crate { name, version, licence, source, users: Vec::new() });
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let user = all.get(&word(&node, "id")).map(|c| c.name.clone()).unwrap_or_default();
        for used in list(&node["dependencies"]) {
            if let Some(used) = used.as_str().and_then(|id| all.get_mut(id)) {
                used.users.push(user.clone());
            }
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.iter_mut().for_each(|c| c.users.sort());
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(all)
}

/// `deny.toml` with a line for each crate that is present in more than one version, with the user of each version.
fn recorded(text: &str, crates: &[Crate]) -> Result<String, String> {
    let (head, rest) = text.split_once("skip = [\n").ok_or("deny.toml has no `skip = [`")?;
    let (_, tail) = rest.split_once("]\n").ok_or("`skip` of deny.toml has no end")?;
    let mut lines = String::new();
    for name in duplicates(crates).into_keys() {
        let of = crates.iter().filter(|c| c.name == name);
        let uses: Vec<_> =
            of.map(|c| format!("{} for {}", c.version, c.users.first().map_or("", |u| u))).collect();
        lines += &format!("    {{ crate = \"{name}\", reason = \"{}\" }},\n", uses.join(", "));
    }
    Ok(format!("{head}skip = [\n{lines}]\n{tail}"))
}

/// The crates that are present in more than one version.
fn duplicates(crates: &[Crate]) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in crates {
        all.entry(&one.name).or_default().push(&one.version);
    }
    all.retain(|_, versions| versions.len() > 1);
    all
}

/// A sentence for each rule that a crate breaks.
fn judge(crates: &[Crate], rules: &Rules) -> Vec<String> {
    let mut wrong = Vec::new();
    for Crate { name, version, licence, source, .. } in crates {
        if !allows(licence, &rules.licenses.allow) {
            wrong.push(format!("{name} {version} is under “{licence}”, which deny.toml does not allow"));
        }
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        if !source.is_empty() && !rules.sources.registries.iter().any(|r| r == registry) {
            wrong.push(format!("{name} {version} comes from {source}, which deny.toml does not allow"));
        }
    }
    let duplicates = duplicates(crates);
    let skips = |name: &str| rules.bans.skip.iter().any(|s| s.name == name);
    for (name, versions) in duplicates.iter().filter(|(name, _)| !skips(name)) {
        wrong.push(format!(
            "{name} is present in versions {}; remove one, or allow both with cargo xtask licences --record",
            versions.join(" and ")
        ));
    }
    for skip in rules.bans.skip.iter().filter(|s| !duplicates.contains_key(s.name.as_str())) {
        wrong.push(format!(
            "deny.toml allows two versions of {}, but there is only one: run cargo xtask licences --record",
            skip.name
        ));
    }
    wrong
}

/// True if `deny.toml` allows a licence, which is an SPDX expression.
///
/// # Errors
/// A sentence if `deny.toml` cannot be read.
pub fn are_allowed(expression: &str) -> Result<bool, String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).map_err(|e| format!("deny.toml: {e}"))?;
    let rules: Rules = toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))?;
    Ok(allows(expression, &rules.licenses.allow))
}

/// True if the allowed licences satisfy an SPDX expression. `OR` binds less tightly than `AND`.
fn allows(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && either(&words, &mut at, allowed) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed);
    }
    met
}

fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = single(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= single(words, at, allowed);
    }
    met
}

fn single(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = either(words, at, allowed);
        *at += 1;
        return met;
    }
    // Skip an exception, because it only allows more.
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    allowed.iter().any(|a| a == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(skip: &str) -> Rules {
        let text = format!(
            "[licenses]\nallow = [\"MIT\", \"Zlib\"]\n[bans]\nskip = [{skip}]\n[sources]\nallow-registry = [\"https://r\"]"
        );
        toml::from_str(&text).unwrap()
    }

    fn one(name: &str, version: &str, licence: &str, source: &str) -> Crate {
        let [name, version, licence, source] = [name, version, licence, source].map(str::to_owned);
        Crate { name, version, licence, source, ..Crate::default() }
    }

    #[test]
    fn expressions_are_met_or_not() {
        let allowed = &rules("").licenses.allow;
        for met in
            ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Zlib", "MIT WITH LLVM-exception"]
        {
            assert!(allows(met, allowed), "{met}");
        }
        for unmet in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT AND GPL-3.0) OR Apache-2.0", "MIT Zlib"] {
            assert!(!allows(unmet, allowed), "{unmet}");
        }
    }

    #[test]
    fn a_foreign_licence_a_foreign_source_and_a_second_version_are_told() {
        let ours = one("k1", "0.1.0", "MIT", "");
        let good = |name: &str, version: &str| one(name, version, "MIT", "registry+https://r");
        let count = |crates: &[Crate], skip: &str| judge(crates, &rules(skip)).len();
        assert_eq!(count(&[ours, good("a", "1.0.0")], ""), 0);
        assert_eq!(count(&[one("a", "1.0.0", "GPL-3.0", "registry+https://r")], ""), 1);
        assert_eq!(count(&[one("a", "1.0.0", "MIT", "git+https://g")], ""), 1);
        let two = [good("a", "1.0.0"), good("a", "2.0.0")];
        assert_eq!(count(&two, ""), 1);
        assert_eq!(count(&two, "{ crate = \"a\" }"), 0);
        assert_eq!(count(&two[..1], "{ crate = \"a\" }"), 1, "a rule that is not needed any more");
        let text = recorded("[bans]\nskip = [\n    { crate = \"old\" },\n]\n[end]\n", &two).unwrap();
        assert_eq!(
            text,
            "[bans]\nskip = [\n    { crate = \"a\", reason = \"1.0.0 for , 2.0.0 for \" },\n]\n[end]\n"
        );
    }
}
