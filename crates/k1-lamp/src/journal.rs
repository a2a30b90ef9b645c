//! The result of the last update. It is written at each step of a trial, so that the image that runs next can report
//! it.

use k1_device::firmware::{Image, Journal, Outcome, Short, Standing};
use k1_update::manifest::Manifest;

use crate::Lamp;
use crate::board::Print;

/// The last words of an image that gives way after crashes. The next image does not count those crashes as its own.
pub const GAVE_WAY: &str = "it fell over again and again";

/// An image as answers name it.
pub(crate) fn image(m: &Manifest) -> Image {
    // The text is long enough for every version.
    let version = heapless::String::try_from(m.version.as_str()).unwrap_or_default();
    Image { version, hash: Short(m.short_hash()), counter: m.counter }
}

/// Writes a step of a trial to the journal.
pub(crate) fn write(lamp: &'static Lamp, own: Option<&Manifest>, outcome: Outcome, reason: &str) {
    let journal = own.map(|m| Journal {
        hash: m.short_hash(),
        version: image(m).version,
        outcome,
        // Text that does not fit is left out; every reason of the lamp fits.
        reason: heapless::String::try_from(reason).unwrap_or_default(),
    });
    lamp.note(|s| s.memory.journal = journal);
    lamp.changed.signal(());
}

/// Closes the journal of another image that just gave way to this one, with the reason. True if there was one.
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

/// Records the failure of a trial that began but whose image does not run. The last words of that image are the reason.
pub(crate) fn tell_of_the_last(lamp: &'static Lamp, own: Option<&Manifest>, print: Print) {
    let told = lamp.note(|s| {
        let words = s.facts.last_panic.clone();
        let journal = s.memory.journal.as_mut()?;
        if journal.outcome != Outcome::OnTrial {
            return None;
        }
        if own.is_some_and(|m| m.short_hash() == journal.hash) && s.firmware.standing == Standing::Confirmed {
            // The image was confirmed, but the power failed before the journal was written.
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
