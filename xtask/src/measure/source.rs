//! A command and the figures it prints.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{root, said};

/// A command, and the expressions that find its figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The command line, run in the repository's root.
    run: String,
    /// A program that must run at the same time.
    companion: Option<Companion>,
    /// Whether the figures count even if the command exits with 1, because its verdict is negative.
    #[serde(default)]
    judges: bool,
    /// Regular expressions; each named group is a figure of that name. The first match in the whole output counts.
    prints: Vec<String>,
}

/// The figures that one command printed last.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// The day in UTC, such as 2026-11-28.
    pub when: String,
    /// Each figure as printed on the page.
    #[serde(flatten)]
    pub figures: BTreeMap<String, String>,
}

/// A program that runs while another one measures it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Companion {
    run: String,
    /// Part of the line that it prints when it is ready.
    ready: String,
}

impl Source {
    /// The command for readers.
    pub fn shown(&self) -> String {
        match &self.companion {
            Some(companion) => format!("`{}`, then `{}`", companion.run, self.run),
            None => format!("`{}`", self.run),
        }
    }

    /// Whether it runs the built program.
    pub fn runs_k1(&self) -> bool {
        self.run.starts_with("k1 ") || self.companion.as_ref().is_some_and(|b| b.run.starts_with("k1 "))
    }

    /// Names of its figures.
    ///
    /// # Errors
    ///
    /// Fails if an expression is invalid.
    pub fn figures(&self) -> Result<Vec<String>, String> {
        let expressions = self.expressions()?;
        let names = expressions.iter().flat_map(|e| e.capture_names().flatten().map(str::to_owned));
        Ok(names.collect())
    }

    /// Runs it and reads its figures.
    ///
    /// # Errors
    ///
    /// Fails if the command fails or does not print a figure.
    pub fn measure(&self) -> Result<Measured, String> {
        let expressions = self.expressions()?;
        let _companion = self.companion.as_ref().map(Running::start).transpose()?;
        let mut child = spawn(&self.run)?;
        let mut output = String::new();
        let lines = BufReader::new(child.stdout.take().ok_or("its output is nowhere")?);
        for line in lines.split(b'\n') {
            let line = line.map_err(|e| e.to_string())?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            output.push_str(&line);
            output.push('\n');
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        let has_spoken = status.success() || (self.judges && status.code() == Some(1));
        if !has_spoken {
            return Err(format!("{status}"));
        }
        let when = said(Command::new("date").args(["-u", "+%F"]))?.trim().to_owned();
        Ok(Measured { when, figures: read(&expressions, &output)? })
    }

    fn expressions(&self) -> Result<Vec<Regex>, String> {
        self.prints.iter().map(|e| Regex::new(e).map_err(|e| e.to_string())).collect()
    }
}

/// The figures in a command's output.
fn read(expressions: &[Regex], output: &str) -> Result<BTreeMap<String, String>, String> {
    let mut figures = BTreeMap::new();
    for expression in expressions {
        let found = expression.captures(output).ok_or_else(|| format!("it does not print {expression}"))?;
        for name in expression.capture_names().flatten() {
            let figure = found.name(name).ok_or_else(|| format!("it does not print {name}"))?;
            figures.insert(name.to_owned(), grouped(figure.as_str()));
        }
    }
    Ok(figures)
}

/// Groups the thousands of whole numbers in a line. A table stays unchanged, because its columns would shift.
fn grouped(figure: &str) -> String {
    if figure.contains('\n') {
        return figure.to_owned();
    }
    figure.split(' ').map(thousands).collect::<Vec<_>>().join(" ")
}

fn thousands(word: &str) -> String {
    if !word.bytes().all(|b| b.is_ascii_digit()) {
        return word.to_owned();
    }
    let mut apart = String::new();
    for (i, digit) in word.chars().enumerate() {
        if i > 0 && (word.len() - i).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// A running program; dropping it ends it.
struct Running(Child);

impl Running {
    fn start(companion: &Companion) -> Result<Self, String> {
        let mut running = Self(spawn(&companion.run)?);
        let mut output = BufReader::new(running.0.stdout.take().ok_or("its output is nowhere")?);
        let mut line = String::new();
        while output.read_line(&mut line).map_err(|e| e.to_string())? > 0 {
            if line.contains(&companion.ready) {
                // Drain its output, so that it never blocks on a full pipe.
                std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
                return Ok(running);
            }
            line.clear();
        }
        Err(format!("`{}` ended before it was ready", companion.run))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The whole process group: see `spawn`.
        let _ = Command::new("kill").args(["--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

/// Starts a command line in the repository's root, as a process group of its own, with its errors in its output.
fn spawn(line: &str) -> Result<Child, String> {
    let built = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut path = built.join("release").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &format!("exec 2>&1; {line}")]).current_dir(root()).env("PATH", path);
    shell.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
    shell.spawn().map_err(|e| format!("sh: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn figures_are_read_where_the_expressions_say() {
        let source = source(
            r"
            run = 'SIZE=1966080; echo hop $SIZE; echo 12.5 of 100'
            prints = ['hop (?<hop>\d+)', '(?<share>[0-9.]+) of (?<all>\d+)']",
        );
        assert_eq!(source.figures().unwrap(), ["hop", "share", "all"]);
        let measured = source.measure().unwrap();
        let figures: Vec<_> = measured.figures.into_iter().collect();
        let is = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(figures, [is("all", "100"), is("hop", "1,966,080"), is("share", "12.5")]);
        assert_eq!(measured.when.len(), "2026-11-28".len());
    }

    #[test]
    fn a_command_that_fails_or_prints_something_else_measures_nothing() {
        let failed = source("run = 'false'\nprints = []").measure().err().unwrap();
        assert!(failed.contains("exit status: 1"), "{failed}");
        let verdict =
            source("run = 'echo 7 of 9; exit 1'\njudges = true\nprints = ['(?<n>\\d) of']").measure();
        assert_eq!(verdict.unwrap().figures["n"], "7");
        let fell_over = source("run = 'exit 101'\njudges = true\nprints = []").measure().err().unwrap();
        assert!(fell_over.contains("101"), "{fell_over}");
        let silent = source("run = 'echo 7'\nprints = ['(?<n>\\d\\d)']").measure().err().unwrap();
        assert!(silent.contains("does not print"), "{silent}");
        let unset = source("run = 'echo $K1_NOT_SET_ANYWHERE'\nprints = []").measure().err().unwrap();
        assert!(unset.contains("exit status"), "{unset}");
    }

    #[test]
    fn a_companion_runs_until_the_end() {
        let source = source(
            "run = 'true'\nprints = []\n[companion]\nrun = 'echo warm; echo ready now; sleep 600'\nready = 'ready'",
        );
        assert!(source.shown().contains("`, then `true`"));
        source.measure().unwrap();
        let gone = self::source("run = 'true'\nprints = []\n[companion]\nrun = 'true'\nready = 'ready'");
        assert!(gone.measure().err().unwrap().contains("ended before"));
    }

    #[test]
    fn thousands_stand_apart() {
        for (printed, shown) in [
            ("999", "999"),
            ("1234567", "1,234,567"),
            ("1000 of 1000", "1,000 of 1,000"),
            ("0.9251", "0.9251"),
            ("1000\n2000", "1000\n2000"),
            ("", ""),
        ] {
            assert_eq!(grouped(printed), shown);
        }
    }
}
