//! Writes the records in flash: activation, confirmation and rollback.
//!
//! The body of a record is written first, and its sequence number last, as one word. The record counts only once this
//! word is written, and then all of it counts. So wherever power is lost, some image starts, and no image starts
//! without a trial.

use embedded_storage_async::nor_flash::NorFlash;

use crate::layout::{Layout, SECTOR, Slot};
use crate::otadata::{ENTRY, Entry, Note, Pace, Records, State};
use crate::refusal::Refusal;
use crate::slot::Whole;

/// Reads both records.
///
/// # Errors
///
/// [`Refusal::Flash`] if the flash cannot be read.
pub async fn read<F: NorFlash>(flash: &mut F, layout: &Layout) -> Result<Records, Refusal> {
    let mut records = Records([None; 2]);
    for (which, record) in records.0.iter_mut().enumerate() {
        let mut bytes = [0; ENTRY];
        flash.read(layout.record(which), &mut bytes).await.map_err(|_| Refusal::Flash)?;
        *record = Entry::read(&bytes);
    }
    Ok(records)
}

/// Erases a record.
pub(crate) async fn erase<F: NorFlash>(flash: &mut F, layout: &Layout, which: usize) -> Result<(), Refusal> {
    let at = layout.record(which);
    flash.erase(at, at + SECTOR).await.map_err(|_| Refusal::Flash)
}

/// Replaces a record.
pub(crate) async fn write<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    which: usize,
    entry: Entry,
) -> Result<(), Refusal> {
    const { assert!(F::WRITE_SIZE <= 4) };
    erase(flash, layout, which).await?;
    let (at, bytes) = (layout.record(which), entry.bytes());
    flash.write(at + 4, &bytes[4..]).await.map_err(|_| Refusal::Flash)?;
    let mut there = [0; ENTRY];
    flash.read(at, &mut there).await.map_err(|_| Refusal::Flash)?;
    if there[4..] != bytes[4..] {
        return Err(Refusal::ReadBack);
    }
    flash.write(at, &bytes[..4]).await.map_err(|_| Refusal::Flash)
}

/// State of the running image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On trial. `armed` means that the bootloader has started the trial and will end it.
    Trial {
        /// Left by the previous start.
        note: Note,
        /// True if the bootloader supports trials.
        armed: bool,
    },
    /// Confirmed, with the note of its record.
    Sure(Note),
    /// No record names it: the bootloader found no other image, or no image was ever activated.
    Unrecorded,
}

/// State of the image in `running`.
pub fn standing(records: &Records, running: Slot) -> Standing {
    match records.of(running) {
        Some((_, Entry { state: State::New, note, .. })) => Standing::Trial { note, armed: false },
        Some((_, Entry { state: State::Pending, note, .. })) => Standing::Trial { note, armed: true },
        Some((_, entry)) if entry.may_boot() => Standing::Sure(entry.note),
        _ => Standing::Unrecorded,
    }
}

/// Makes the running image the one that starts next, whatever happens; returns the index of its record.
///
/// # Errors
///
/// [`Refusal::OnTrial`], because the other image would start next then. [`Refusal::Flash`], [`Refusal::ReadBack`].
pub async fn settle<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<usize, Refusal> {
    let records = read(flash, layout).await?;
    let own = match (standing(&records, running), records.of(running)) {
        (Standing::Trial { .. }, _) => return Err(Refusal::OnTrial),
        (Standing::Sure(_), Some((own, _))) => own,
        _ => {
            // Use the record that matters least, so that nothing is lost.
            let weight = |which: &usize| records.0[*which].map_or(0, |e| 1 + u64::from(e.sequence));
            let bootable = |which: &usize| records.0[*which].is_some_and(|e| e.may_boot());
            let own = usize::from((bootable(&1), weight(&1)) < (bootable(&0), weight(&0)));
            let sequence = records.next(running).ok_or(Refusal::Flash)?;
            write(flash, layout, own, Entry { sequence, state: State::Valid, note: Note::default() }).await?;
            own
        }
    };
    // The other record was activated but not started yet, or names an image that a bootloader cannot start.
    if read(flash, layout).await?.chosen() != Some(own) {
        erase(flash, layout, 1 - own).await?;
    }
    Ok(own)
}

/// Activates the image in the other slot for a trial at the next start. The note tells the new image how it will be
/// judged: by whether there is a network (`had_network`) and by the pace of the running image (`before`).
///
/// # Errors
///
/// Those of [`settle`].
pub async fn activate<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
    whole: &Whole,
    had_network: bool,
    before: Pace,
) -> Result<(), Refusal> {
    if whole.slot() == running {
        return Err(Refusal::NothingThere);
    }
    let own = settle(flash, layout, running).await?;
    let sequence = read(flash, layout).await?.next(whole.slot()).ok_or(Refusal::Flash)?;
    let note = Note { had_network, before, ..Note::default() };
    write(flash, layout, 1 - own, Entry { sequence, state: State::New, note }).await
}

/// Confirms the running image, which was found good.
///
/// If power is lost in between, the previous image starts, and the new one can be activated again.
///
/// # Errors
///
/// [`Refusal::Flash`] or [`Refusal::ReadBack`] if the record cannot be written.
pub async fn confirm<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<(), Refusal> {
    let records = read(flash, layout).await?;
    let Some((own, entry)) = records.of(running).filter(|(_, e)| e.is_on_trial()) else { return Ok(()) };
    let note = Note {
        had_network: false,
        is_armed: entry.state == State::Pending,
        was_asked: true,
        before: Pace::default(),
    };
    write(flash, layout, own, Entry { state: State::Valid, note, ..entry }).await
}

/// Rejects the running image, which was found bad, so that the other one starts next. An armed bootloader does the same
/// by itself.
///
/// # Errors
///
/// [`Refusal::Flash`] or [`Refusal::ReadBack`] if the record cannot be written.
pub async fn give_up<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<(), Refusal> {
    let records = read(flash, layout).await?;
    let Some((own, entry)) = records.of(running).filter(|(_, e)| e.is_on_trial()) else { return Ok(()) };
    write(flash, layout, own, Entry { state: State::Aborted, ..entry }).await
}

/// Tests whether the bootloader supports trials: puts the running image on trial at the next start.
///
/// # Errors
///
/// Those of [`settle`].
pub async fn drill<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<(), Refusal> {
    let own = settle(flash, layout, running).await?;
    let sequence = read(flash, layout).await?.next(running).ok_or(Refusal::Flash)?;
    write(flash, layout, 1 - own, Entry { sequence, state: State::New, note: Note::default() }).await
}
