//! Statements about time that a machine could not judge. If a statement does not hold and a core of the machine was
//! away in the meantime, the test writes the statement's name to the file that `K1_EXCUSED` names, and the gate runs
//! the test once more. A statement that could not be judged twice is excused. A run excuses at most five, all of which
//! must be in `.ci/timing.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use super::list::List;

/// The excused statements.
pub const LIST: List = List("excused");
/// Maximum number of excused statements in a run.
const MOST: usize = 5;

/// A sentence for each rule that the excuses break.
pub fn too_many(excused: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    if excused.len() > MOST {
        wrong.push(format!("{} statements about time were excused; at most {MOST} may be", excused.len()));
    }
    wrong
}

/// The statements that tests have written to a file.
pub fn candidates(path: &Path) -> Vec<Candidate> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(Candidate::parse).collect()
}

/// A statement that did not hold while the machine was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name of the statement.
    pub name: String,
    /// The name of the test that makes it.
    pub test: String,
    /// The measured value, in words.
    pub what: String,
}

impl Candidate {
    fn parse(line: &str) -> Self {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { name: next(), test: next(), what: next() }
    }
}

/// The statements that may be excused, by name, with their text.
///
/// # Errors
/// A sentence, if `.ci/timing.toml` cannot be read.
pub fn named() -> Result<BTreeMap<String, String>, String> {
    let text = std::fs::read_to_string(crate::root().join(".ci/timing.toml"))
        .map_err(|e| format!(".ci/timing.toml: {e}"))?;
    toml::from_str(&text).map_err(|e| format!(".ci/timing.toml: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_excused_and_six_are_not() {
        let excuses: Vec<_> = (0..6).map(|n| format!("statement-{n}")).collect();
        assert!(too_many(&excuses[..5]).is_empty());
        assert_eq!(too_many(&excuses).len(), 1);
    }

    #[test]
    fn what_a_test_writes_is_read() {
        let path = crate::gate::scratch("excused").join("one");
        std::fs::write(&path, "page-rate\tthe_page_lives\t31 frames a second\nother\ttest\t\n").unwrap();
        let all = candidates(&path);
        assert_eq!((all[0].name.as_str(), all[0].test.as_str()), ("page-rate", "the_page_lives"));
        assert_eq!((all[0].what.as_str(), all.len()), ("31 frames a second", 2));
        assert!(candidates(&path.with_extension("absent")).is_empty());
    }

    #[test]
    fn every_statement_that_a_test_makes_is_named_and_every_name_is_used() {
        let mut used: Vec<String> = Vec::new();
        let call = regex::Regex::new(r#"\basserts\(\s*"([^"]*)""#).unwrap();
        for file in crate::files::ending_in(&[".rs"]).unwrap() {
            let text = if file.starts_with("crates") { crate::files::text(&file).unwrap() } else { continue };
            used.extend(call.captures_iter(&text).map(|c| c[1].to_owned()));
        }
        used.sort();
        used.dedup();
        let named: Vec<_> = named().unwrap().into_keys().collect();
        assert_eq!(used, named);
    }
}
