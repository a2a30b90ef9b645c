//! The outputs that are open: none is opened twice, and a signal leaves none half written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::identity::Identity;

struct Pending {
    number: u64,
    named: PathBuf,
    identity: Identity,
    /// What is to be taken away if the command ends before its time.
    temporary: Option<PathBuf>,
}

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
/// Held while a file moves to its place, so that a signal finds it on one side or the other.
static MOVING: Mutex<()> = Mutex::new(());

fn all() -> MutexGuard<'static, Vec<Pending>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing is tidied away while this is held.
pub(super) fn hold() -> MutexGuard<'static, ()> {
    MOVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open output's claim to its file.
#[derive(Debug)]
pub(super) struct Claim(u64);

/// Claims a file; the error is the name by which another output has it.
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
    /// Notes the file beside.
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

/// Takes away what is unfinished, before the process ends without tidying up; the names of what was to be written.
/// No output moves to its place after this.
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

/// Makes Ctrl-C and a request to end take away what is unfinished; for commands that do not handle signals themselves.
pub fn tidy_on_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A command that handles signals itself calls `abandon_all` there.
        let _ = crate::signals::on_end(|| {
            let names: Vec<_> = abandon_all().iter().map(|n| n.display().to_string()).collect();
            match names.as_slice() {
                [] => crate::say("k1: interrupted"),
                names => crate::say(format_args!(
                    "k1: interrupted; {} was not written, and what was there before is as it was",
                    names.join(" and ")
                )),
            }
            std::process::exit(1);
        });
    });
}
