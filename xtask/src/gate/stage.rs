//! The table of stages in `.ci/stages.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::timed;

/// A condition that must hold before a change lands, and the commands that check it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The stage's name, which selects it on the command line.
    pub name: String,
    /// The condition, as a sentence.
    pub says: String,
    /// Programs that it needs; if one is missing, the stage fails.
    pub needs: Vec<String>,
    /// Time limit in minutes, 1 to 60. After it the stage is killed and has failed.
    pub minutes: u64,
    /// True if it runs in the second lane, in time that the other stages leave idle. It must not use their build
    /// folder.
    #[serde(default)]
    pub beside: bool,
    /// Environment variables for its commands.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Shell command lines, each of which must succeed.
    pub run: Vec<String>,
}

/// The content of `.ci/stages.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Maximum number of tests in a run that may fail and then pass (see `second_attempt`).
    pub second_attempts: usize,
    /// All stages in the order in which they run.
    pub stage: Vec<Stage>,
}

impl Stage {
    /// The stage's time limit.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(60 * self.minutes)
    }

    /// A sentence that names the missing programs; `None` if all are there.
    pub fn missing(&self) -> Option<String> {
        let missing: Vec<_> =
            self.needs.iter().filter(|name| timed::find(name).is_none()).map(String::as_str).collect();
        (!missing.is_empty()).then(|| format!("it cannot run without {}", missing.join(", ")))
    }
}

impl Table {
    /// Reads the project's own table.
    ///
    /// # Errors
    /// A sentence, if it cannot be read or is not valid.
    pub fn read() -> Result<Self, String> {
        let path = crate::root().join(".ci/stages.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text)
    }

    /// Reads a table from TOML.
    ///
    /// # Errors
    /// A sentence, if it cannot be read, or if a stage's name, command or limit is not valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: Self = toml::from_str(text).map_err(|e| format!(".ci/stages.toml: {e}"))?;
        for (i, stage) in table.stage.iter().enumerate() {
            let wrong = |what: &str| Err(format!(".ci/stages.toml: {} {what}", stage.name));
            if table.stage[..i].iter().any(|other| other.name == stage.name) {
                return wrong("is defined twice");
            }
            if stage.name.is_empty()
                || !stage.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            {
                return wrong("must be a name of small letters, digits and hyphens");
            }
            if stage.run.is_empty() {
                return wrong("has no command");
            }
            if !(1..=60).contains(&stage.minutes) {
                return wrong("must have a limit of 1 to 60 minutes");
            }
        }
        Ok(table)
    }

    /// The named stages in the order of the table; all stages if `names` is empty.
    ///
    /// # Errors
    /// A sentence that lists the names, if one is unknown.
    pub fn choose(&self, names: &[&str]) -> Result<Vec<&Stage>, String> {
        if let Some(unknown) = names.iter().find(|name| !self.stage.iter().any(|s| s.name == **name)) {
            let all: Vec<_> = self.stage.iter().map(|s| s.name.as_str()).collect();
            return Err(format!("there is no stage {unknown}; there are: {}", all.join(", ")));
        }
        let chosen = |s: &&Stage| names.is_empty() || names.contains(&s.name.as_str());
        Ok(self.stage.iter().filter(chosen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stages: &[(&str, &str, u64)]) -> String {
        let one = |(name, needs, minutes): &(&str, &str, u64)| {
            format!(
                "[[stage]]\nname = {name:?}\nsays = \"\"\nneeds = [{needs:?}]\nminutes = {minutes}\nrun = [\"true\"]\n"
            )
        };
        format!("second_attempts = 2\n{}", stages.iter().map(one).collect::<String>())
    }

    #[test]
    fn every_stage_has_a_name_of_its_own_a_limit_and_programs() {
        let table = Table::read().unwrap();
        assert!(table.stage.len() > 15, "{}", table.stage.len());
        for stage in &table.stage {
            assert!(!stage.needs.is_empty() && stage.says.len() > 12, "{stage:?}");
            // Otherwise the lanes would share a build folder, and one would wait for the other.
            let elsewhere = ["--target-dir", "CARGO_TARGET_DIR", "xtask", "firmware"];
            let builds = |line: &&String| line.contains("cargo") && !line.contains("fmt");
            for line in stage.run.iter().filter(builds).filter(|_| stage.beside) {
                assert!(elsewhere.iter().any(|word| line.contains(word)), "{}: {line}", stage.name);
            }
        }
    }

    #[test]
    fn what_is_not_a_table_of_stages_is_refused() {
        let refused = |stages: &[(&str, &str, u64)]| Table::parse(&text(stages)).unwrap_err();
        assert!(refused(&[("a", "sh", 1), ("a", "sh", 1)]).contains("twice"));
        assert!(refused(&[("a", "sh", 0)]).contains("limit"));
        assert!(refused(&[("a", "sh", 61)]).contains("limit"));
        assert!(refused(&[("A b", "sh", 1)]).contains("small letters"));
        assert!(Table::parse("second_attempts = 2\n[[stage]]\nname = \"a\"").is_err());
    }

    #[test]
    fn one_is_run_by_its_name_and_an_unknown_name_tells_the_known_ones() {
        let table = Table::parse(&text(&[("a", "sh", 1), ("b", "sh", 1), ("c", "sh", 1)])).unwrap();
        let names = |chosen: Vec<&Stage>| chosen.iter().map(|s| s.name.clone()).collect::<String>();
        assert_eq!(names(table.choose(&[]).unwrap()), "abc");
        assert_eq!(names(table.choose(&["c", "a"]).unwrap()), "ac");
        assert!(table.choose(&["d"]).unwrap_err().contains("a, b, c"));
    }

    #[test]
    fn a_stage_whose_program_is_missing_says_so() {
        let table = Table::parse(&text(&[("a", "k1-no-such-program", 1), ("b", "sh", 1)])).unwrap();
        assert!(table.stage[0].missing().unwrap().contains("k1-no-such-program"));
        assert_eq!(table.stage[1].missing(), None);
    }
}
