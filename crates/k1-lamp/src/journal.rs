//! What became of the last update: written at each step of a trial, so that whichever image runs next can tell.

use k1_device::firmware::{Image, Journal, Outcome, Short, Standing};
use k1_update::manifest::Manifest;

use crate::Lamp;
use crate::board::Print;

/// The last words of an image that gives way; its crashes are not those of the one that comes.
pub const GAVE_WAY: &str = "it fell over again and again";

/// An image as answers name it.
pub(crate) fn image(m: &Manifest) -> Image {
    // A version has at most so many characters.
    let version = heapless::String::try_from(m.version.as_str()).unwrap_or_default();
    Image { version, hash: Short(m.short_hash()), counter: m.counter }
}

/// Remembers a step of a trial.
pub(crate) fn write(lamp: &'static Lamp, own: Option<&Manifest>, outcome: Outcome, reason: &str) {
    let journal = own.map(|m| Journal {
        hash: m.short_hash(),
        version: image(m).version,
        outcome,
        // What does not fit is left out; nothing of ours is so long.
        reason: heapless::String::try_from(reason).unwrap_or_default(),
    });
    lamp.note(|s| s.memory.journal = journal);
    lamp.changed.signal(());
}

/// If another image gave way to this one just now, its journal is closed with the reason; true if so.
pub(crate) fn tell_who_gave_way(lamp: &'static Lamp) -> bool {
    let told = lamp.note(|s| {
        if s.facts.last_panic.as_deref() != Some(GAVE_WAY) {
            return false;
        }
        if let Some(journal) = &mut s.memory.journal {
            journal.outcome = Outcome::RolledBack;
            journal.reason = heapless::String::try_from(GAVE_WAY).unwrap_or_default();
        }
        true
    });
    if told {
        lamp.changed.signal(());
    }
    told
}

/// A trial that was begun and whose image does not run has failed: the words of its last moment say why.
pub(crate) fn tell_of_the_last(lamp: &'static Lamp, own: Option<&Manifest>, print: Print) {
    let told = lamp.note(|s| {
        let words = s.facts.last_panic.clone();
        let journal = s.memory.journal.as_mut()?;
        if journal.outcome != Outcome::OnTrial {
            return None;
        }
        if own.is_some_and(|m| m.short_hash() == journal.hash) && s.firmware.standing == Standing::Confirmed {
            // It was confirmed, and the power went before that was written here.
            journal.outcome = Outcome::Confirmed;
            return Some(None);
        }
        journal.outcome = Outcome::RolledBack;
        journal.reason.clear();
        let said = words.as_deref().unwrap_or("it fell silent: it hung, or the power went");
        for c in said.chars() {
            if journal.reason.push(c).is_err() {
                break;
            }
        }
        Some(Some(journal.clone()))
    });
    if told.is_some() {
        lamp.changed.signal(());
    }
    if let Some(Some(j)) = told {
        print(format_args!("[UPDATE] {} was taken back: {}", j.version, j.reason));
    }
}
