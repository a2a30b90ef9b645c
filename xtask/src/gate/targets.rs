//! All test targets and where each one runs, as listed in `.ci/tests.toml`. A target that is not in the file is an
//! error, and so is a name in the file without a target.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::{cargo, said};

/// A single test.
#[derive(Debug, Clone)]
pub struct Case {
    /// The target that contains it.
    pub target: Target,
    /// The built program of that target.
    pub binary: PathBuf,
    /// The folder in which it runs.
    pub dir: PathBuf,
    /// Its name within the target.
    pub name: String,
    /// Its time limit.
    pub limit: Duration,
}

impl Case {
    /// The names of package, target and test, with spaces between them.
    pub fn full_name(&self) -> String {
        format!("{} {} {}", self.target.package, self.target.name, self.name)
    }
}

/// The content of `.ci/tests.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Time limit of a test in `cargo xtask quick`, in seconds.
    pub quick_seconds: u64,
    /// Time limit of any other test, in seconds.
    pub required_seconds: u64,
    /// Slow tests in quick targets: beginnings of `package target test`.
    pub slow: Vec<String>,
    /// Tests that measure time and therefore run alone: beginnings of `package target test`.
    pub alone: Vec<String>,
    /// Exceptions from `alone`: tests that do not measure time.
    pub together: Vec<String>,
    /// For each package: its test targets, each with `quick` or the stage that runs it.
    pub targets: BTreeMap<String, BTreeMap<String, String>>,
}

/// A test target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The name of its package.
    pub package: String,
    /// `lib`, `bin`, or the name of a file of tests.
    pub name: String,
}

/// The file's word for targets that `cargo xtask quick` runs.
const QUICK: &str = "quick";

impl Table {
    /// Reads the file.
    ///
    /// # Errors
    /// A sentence, if it cannot be read.
    pub fn read() -> Result<Self, String> {
        let text = std::fs::read_to_string(crate::root().join(".ci/tests.toml"))
            .map_err(|e| format!(".ci/tests.toml: {e}"))?;
        toml::from_str(&text).map_err(|e| format!(".ci/tests.toml: {e}"))
    }

    /// Checks that every target in `there` is assigned to `quick` or a known stage, and that every name has a target.
    ///
    /// # Errors
    /// A sentence that lists what is missing or unknown.
    pub fn check(&self, there: &[Target], stages: &[&str]) -> Result<(), String> {
        let mut wrong = Vec::new();
        for Target { package, name } in there {
            match self.targets.get(package).and_then(|t| t.get(name)).map(String::as_str) {
                Some(home) if home == QUICK || stages.contains(&home) => {}
                Some(home) => wrong.push(format!("{package} {name} is assigned to {home}, which is not a stage")),
                None => wrong.push(format!(
                    "it does not say where the tests of {package} {name} run: add `{name} = \"quick\"`, or a stage, to [targets.{package}]"
                )),
            }
        }
        for (package, names) in &self.targets {
            for name in names.keys() {
                if !there.iter().any(|t| t.package == *package && t.name == *name) {
                    wrong.push(format!("there is no test target {package} {name}"));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!(".ci/tests.toml: {}", wrong.join("; "))) }
    }

    /// True if a target's tests are quick.
    pub fn is_quick(&self, target: &Target) -> bool {
        self.targets.get(&target.package).and_then(|t| t.get(&target.name)).is_some_and(|home| home == QUICK)
    }

    /// True if a test of a quick target is slow.
    pub fn is_slow(&self, case: &Case) -> bool {
        begins(&self.slow, case)
    }

    /// True if a test must run alone.
    pub fn is_alone(&self, case: &Case) -> bool {
        begins(&self.alone, case) && !begins(&self.together, case)
    }

    /// Checks that every beginning in the file matches a test.
    ///
    /// # Errors
    /// A sentence that lists the beginnings that match none.
    pub fn check_beginnings(&self, cases: &[Case]) -> Result<(), String> {
        let all = self.slow.iter().chain(&self.alone).chain(&self.together);
        let lost: Vec<_> =
            all.filter(|b| !cases.iter().any(|c| c.full_name().starts_with(b.as_str()))).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!(".ci/tests.toml: no test begins with {lost:?}")) }
    }
}

fn begins(patterns: &[String], case: &Case) -> bool {
    let full = case.full_name();
    patterns.iter().any(|pattern| full.starts_with(pattern.as_str()))
}

/// All test targets of the workspace.
///
/// # Errors
/// A sentence, if cargo cannot list them.
pub fn all() -> Result<Vec<Target>, String> {
    let text = said(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let mut all = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["test"] == true {
                all.push(named(package["name"].as_str().unwrap_or_default(), target));
            }
        }
    }
    all.sort();
    Ok(all)
}

fn named(package: &str, target: &Value) -> Target {
    let name = match target["kind"][0].as_str().unwrap_or_default() {
        "test" => target["name"].as_str().unwrap_or_default().to_owned(),
        kind => kind.to_owned(),
    };
    Target { package: package.to_owned(), name }
}

/// Builds some targets and lists their tests, without ignored ones.
///
/// # Errors
/// A sentence, if something does not compile.
pub fn build(targets: &[Target], limit: Duration) -> Result<Vec<Case>, String> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    // Build all libraries and programs, but only the wanted files of tests.
    command.args(["--lib", "--bins"]);
    for target in targets.iter().filter(|t| t.name != "lib" && t.name != "bin") {
        command.args(["--test", &target.name]);
    }
    command.stderr(std::process::Stdio::inherit());
    let out = command.output().map_err(|e| format!("cargo test: {e}"))?;
    if !out.status.success() {
        return Err("the tests do not compile".into());
    }
    let mut cases = Vec::new();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let Some(binary) = message["executable"].as_str().filter(|_| message["profile"]["test"] == true)
        else {
            continue;
        };
        let manifest = PathBuf::from(message["manifest_path"].as_str().unwrap_or_default());
        let dir = manifest.parent().unwrap_or(&manifest).to_owned();
        let target = named(&package_of(&manifest)?, &message["target"]);
        if targets.contains(&target) {
            cases.extend(list(&target, &PathBuf::from(binary), &dir, limit)?);
        }
    }
    Ok(cases)
}

/// The package's name in a manifest.
fn package_of(manifest: &std::path::Path) -> Result<String, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", manifest.display());
    let text = std::fs::read_to_string(manifest).map_err(|e| wrong(&e))?;
    let value: toml::Value = toml::from_str(&text).map_err(|e| wrong(&e))?;
    let name = value.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
    name.map(str::to_owned).ok_or_else(|| wrong(&"it has no name"))
}

fn list(
    target: &Target,
    binary: &std::path::Path,
    dir: &std::path::Path,
    limit: Duration,
) -> Result<Vec<Case>, String> {
    let names = |more: &[&str]| -> Result<Vec<String>, String> {
        let mut command = std::process::Command::new(binary);
        let text = said(command.args(["--list", "--format", "terse"]).args(more).current_dir(dir))?;
        Ok(text.lines().filter_map(|l| l.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let ignored = names(&["--ignored"])?;
    let case = |name| Case { target: target.clone(), binary: binary.into(), dir: dir.into(), name, limit };
    Ok(names(&[])?.into_iter().filter(|name| !ignored.contains(name)).map(case).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(package: &str, name: &str) -> Target {
        Target { package: package.into(), name: name.into() }
    }

    fn table(targets: &str) -> Table {
        let text = format!(
            "quick_seconds = 1\nrequired_seconds = 1\nslow = [\"a t1 minutes::\"]\nalone = [\"a t1 timed\"]\ntogether = [\"a t1 timed_by_itself\"]\n[targets.a]\n{targets}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn every_test_target_has_a_home_and_every_name_a_target() {
        let stages = super::super::stage::Table::read().unwrap();
        let names: Vec<_> = stages.stage.iter().map(|s| s.name.as_str()).collect();
        Table::read().unwrap().check(&all().unwrap(), &names).unwrap();
    }

    #[test]
    fn a_target_without_a_home_a_home_without_a_target_and_an_unknown_home_are_errors() {
        let there = [target("a", "lib"), target("a", "t1")];
        let checked = |targets: &str| table(targets).check(&there, &["required"]);
        assert_eq!(checked("lib = \"quick\"\nt1 = \"required\""), Ok(()));
        assert!(checked("lib = \"quick\"").unwrap_err().contains("a t1 run"));
        assert!(checked("lib = \"quick\"\nt1 = \"later\"").unwrap_err().contains("not a stage"));
        assert!(checked("lib = \"quick\"\nt1 = \"quick\"\nt2 = \"quick\"").unwrap_err().contains("a t2"));
    }

    #[test]
    fn slow_tests_are_named_by_their_beginning() {
        let table = table("t1 = \"quick\"");
        let case = |name: &str| Case {
            target: target("a", "t1"),
            binary: PathBuf::new(),
            dir: PathBuf::new(),
            name: name.into(),
            limit: Duration::ZERO,
        };
        assert!(table.is_slow(&case("minutes::of_audio")) && !table.is_slow(&case("seconds")));
        assert!(table.is_alone(&case("timed")) && !table.is_alone(&case("timed_by_itself")));
        let all = [case("minutes::of_audio"), case("timed"), case("timed_by_itself")];
        assert_eq!(table.check_beginnings(&all), Ok(()));
        assert!(table.check_beginnings(&all[1..]).unwrap_err().contains("a t1 minutes::"));
        assert!(table.is_quick(&target("a", "t1")) && !table.is_quick(&target("a", "lib")));
    }
}
