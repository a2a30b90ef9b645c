//! Where a bundle comes from: commit, compilers, and how far it is proven.

use std::process::Command;

use k1_fleet::bundle::Origin;

use super::build::compilers;
use crate::{root, said};

/// The origin of firmware that this checkout builds.
///
/// # Errors
///
/// A sentence if a compiler does not name itself.
pub fn origin() -> Result<Origin, String> {
    let git = |args: &[&str]| said(Command::new("git").args(args).current_dir(root())).ok();
    // A copy of the sources may have no repository.
    let commit = git(&["rev-parse", "HEAD"]).map(|commit| commit.trim().to_owned()).unwrap_or_default();
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.trim().is_empty());
    Ok(Origin {
        commit,
        changed,
        compilers: compilers()?,
        proven: "compiled and linked; never run on a board".into(),
    })
}
