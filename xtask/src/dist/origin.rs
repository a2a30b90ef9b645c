//! Where a bundle comes from: commit, compilers, and how far it is proven.

use std::process::Command;

use k1_fleet::bundle::Origin;

use crate::{root, said};

/// The origin of firmware that these compilers made in this checkout.
pub fn origin(compilers: Vec<String>) -> Origin {
    let git = |args: &[&str]| said(Command::new("git").args(args).current_dir(root())).ok();
    // A copy of the sources may have no repository.
    let commit = git(&["rev-parse", "HEAD"]).map(|commit| commit.trim().to_owned()).unwrap_or_default();
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.trim().is_empty());
    Origin { commit, changed, compilers, proven: "compiled and linked; never run on a board".into() }
}
