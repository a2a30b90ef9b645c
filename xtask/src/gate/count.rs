//! Counts tests from the output of the stages.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Sums the results in the logs: `N passed, N failed, N skipped`. A test that printed that it was skipped counts as
/// skipped, although its program reports it as passed.
///
/// # Errors
/// A sentence, if a line of results cannot be read.
pub fn of(logs: impl Iterator<Item = PathBuf>) -> Result<String, String> {
    let (mut passed, mut failed, mut skipped, mut again) = (0, 0, 0, 0);
    for log in logs {
        let bytes = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let [p, f, s] = in_text(&text)?;
        passed += p;
        failed += f;
        skipped += s;
        again += run_again(&text);
    }
    skipped -= again.min(skipped);
    Ok(format!("{passed} passed, {failed} failed, {skipped} skipped"))
}

fn in_text(text: &str) -> Result<[usize; 3], String> {
    let mut sums = [0; 3];
    for line in text.lines() {
        let Some((_, result)) = line.split_once("test result: ") else { continue };
        for (sum, word) in sums.iter_mut().zip([" passed", " failed", " ignored"]) {
            let number = result.split(word).next().and_then(|before| before.rsplit([' ', '.']).next());
            let unread = || format!("this is not the result of tests: {line}");
            *sum += number.and_then(|n| n.parse::<usize>().ok()).ok_or_else(unread)?;
        }
    }
    let by_itself = skipped(text).len().min(sums[0]);
    Ok([sums[0] - by_itself, sums[1], sums[2] + by_itself])
}

/// Number of tests in this text that another text counts as skipped.
fn run_again(text: &str) -> usize {
    let number = |line: &str| -> Option<usize> {
        line.split_once(" counted as skipped before")?.0.rsplit(' ').next()?.parse().ok()
    };
    text.lines().filter(|l| l.contains("test result: ")).filter_map(number).sum()
}

/// The tests that printed that they were skipped, each once: the heading above that line, and the test's name.
pub fn skipped(text: &str) -> BTreeSet<(String, String)> {
    let (mut heading, mut all) = (String::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(running) = line.trim_start().strip_prefix("Running ") {
            running.clone_into(&mut heading);
        }
        if let Some((_, rest)) = line.split_once("skipped: ")
            && let Some((test, _)) = rest.split_once(" needs ")
        {
            all.insert((heading.clone(), test.to_owned()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_says_that_it_was_skipped_has_not_passed() {
        let text = "     Running tests/a.rs (target/debug/deps/a-1)\nskipped: x needs Q; q is missing\n\
                    skipped: x needs R; r is missing\ntest result: ok. 5 passed; 0 failed; 2 ignored; 0 measured\n\
                    test result: FAILED. 7 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out\n";
        assert_eq!(in_text(text), Ok([11, 1, 3]));
        let again = "test result: ok. 1 passed; 0 failed; 0 ignored; 1 counted as skipped before\n";
        let folder = crate::gate::scratch("count");
        let logs = [("bare", text), ("required", again)].map(|(name, text)| {
            std::fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        });
        assert_eq!(of(logs.into_iter()).unwrap(), "12 passed, 1 failed, 2 skipped");
        let all = skipped(text);
        assert_eq!(all.len(), 1);
        assert!(all.iter().all(|(heading, test)| heading.starts_with("tests/a.rs") && test == "x"));
    }

    #[test]
    fn a_result_that_cannot_be_read_is_an_error() {
        assert!(in_text("test result: ok. many passed").is_err());
        assert_eq!(in_text("nothing ran"), Ok([0, 0, 0]));
    }
}
