//! The list of open outputs, so that no file is opened twice and a signal leaves no half-written file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::identity::Identity;

struct Pending {
    number: u64,
    named: PathBuf,
    identity: Identity,
    /// The file to delete if the command ends early.
    temporary: Option<PathBuf>,
}

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
/// Held while a file is made or renamed, so that a signal finds it missing, unfinished or complete.
static MOVING: Mutex<()> = Mutex::new(());

fn all() -> MutexGuard<'static, Vec<Pending>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps signals from deleting unfinished files while it is held.
pub(super) fn hold() -> MutexGuard<'static, ()> {
    MOVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open output's claim to its file.
#[derive(Debug)]
pub(super) struct Claim(u64);

/// Claims a file; the error is the name of another output with the same file.
pub(super) fn claim(named: &Path, identity: Identity) -> Result<Claim, PathBuf> {
    let mut all = all();
    if let Some(other) = all.iter().find(|p| p.identity.is(&identity)) {
        return Err(other.named.clone());
    }
    let number = NEXT.fetch_add(1, Relaxed);
    all.push(Pending { number, named: named.to_owned(), identity, temporary: None });
    Ok(Claim(number))
}

impl Claim {
    /// Records the unfinished file.
    pub(super) fn has_begun(&self, temporary: &Path) {
        if let Some(pending) = all().iter_mut().find(|p| p.number == self.0) {
            pending.temporary = Some(temporary.to_owned());
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        all().retain(|p| p.number != self.0);
    }
}

/// Deletes unfinished files before the process ends abruptly, and returns the names of the outputs. No output can be
/// completed afterwards.
pub fn abandon_all() -> Vec<PathBuf> {
    // Never released: the process is about to end.
    std::mem::forget(hold());
    let mut names = Vec::new();
    for pending in all().drain(..) {
        if let Some(temporary) = pending.temporary {
            let _ = std::fs::remove_file(temporary);
            names.push(pending.named);
        }
    }
    names
}

/// Deletes unfinished files on Ctrl-C and other signals, for commands that do not handle signals themselves.
pub fn tidy_on_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A command that handles signals itself calls `abandon_all` there.
        let _ = crate::signals::on_end(|| {
            let names: Vec<_> = abandon_all().iter().map(|n| n.display().to_string()).collect();
            match names.as_slice() {
                [] => crate::say("k1: interrupted"),
                names => crate::say(format_args!(
                    "k1: interrupted; {} was not written, and an older file is unchanged",
                    names.join(" and ")
                )),
            }
            std::process::exit(1);
        });
    });
}
