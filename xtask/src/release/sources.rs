//! The sources of a release: which commit they are, and a copy of them elsewhere.

use std::path::Path;
use std::process::Command;

use crate::{root, said};

/// The commit of the sources.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The commit's first digits, with `+changes` if there are changes that are in no commit.
    pub commit: String,
    /// Its day: 2026-11-30.
    pub date: String,
    /// Its time, in seconds since 1970: the time of every file of the release.
    pub time: u64,
}

impl Sources {
    /// The sources of this checkout.
    ///
    /// # Errors
    ///
    /// A sentence: there is no repository.
    pub fn here() -> Result<Self, String> {
        let git = |args: &[&str]| said(Command::new("git").args(args).current_dir(root()));
        let told = git(&["log", "-1", "--abbrev=12", "--format=%h %cs %ct"])
            .map_err(|e| format!("a release is made from a checkout, so that it names its commit: {e}"))?;
        let [commit, date, time] = told.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(format!("git says of the commit: {told}"));
        };
        let is_changed = !git(&["status", "--porcelain"])?.trim().is_empty();
        Ok(Self {
            commit: format!("{commit}{}", if is_changed { "+changes" } else { "" }),
            date: date.into(),
            time: time.parse().map_err(|_| format!("git says of the commit: {told}"))?,
        })
    }

    /// True if there are changes that are in no commit.
    pub fn are_changed(&self) -> bool {
        self.commit.ends_with("+changes")
    }
}

/// Copies all files that git knows to another folder.
///
/// # Errors
///
/// A sentence, if one cannot be copied.
pub fn copy(to: &Path) -> Result<(), String> {
    let from = root();
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = said(Command::new("git").args(args).current_dir(&from))?;
    for name in listed.split('\0').filter(|name| !name.is_empty() && from.join(name).exists()) {
        let place = to.join(name);
        let copied = std::fs::create_dir_all(place.parent().unwrap_or(to))
            .and_then(|()| std::fs::copy(from.join(name), &place));
        copied.map_err(|e| format!("{}: {e}", place.display()))?;
    }
    Ok(())
}
