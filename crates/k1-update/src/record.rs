//! The records in flash: activation, confirmation, and the way back.
//!
//! A record is written body first and its number last, in one word: before that word it does not count, and with it all
//! of it does. So no cut can leave an image that runs without a trial, and none can leave no image that runs.

use embedded_storage_async::nor_flash::NorFlash;

use crate::layout::{Layout, SECTOR, Slot};
use crate::otadata::{ENTRY, Entry, Note, Pace, Records, State};
use crate::refusal::Refusal;
use crate::slot::Whole;

/// Reads both records.
///
/// # Errors
///
/// [`Refusal::Flash`].
pub async fn read<F: NorFlash>(flash: &mut F, layout: &Layout) -> Result<Records, Refusal> {
    let mut records = Records([None; 2]);
    for (which, record) in records.0.iter_mut().enumerate() {
        let mut bytes = [0; ENTRY];
        flash.read(layout.record(which), &mut bytes).await.map_err(|_| Refusal::Flash)?;
        *record = Entry::read(&bytes);
    }
    Ok(records)
}

/// Takes a record away.
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

/// How the running image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On trial, and what was left for this start. `armed` = the bootloader has put it there, and will take it back.
    Trial {
        /// What the start before has left.
        note: Note,
        /// True if the bootloader knows of trials.
        armed: bool,
    },
    /// Confirmed, and what was left.
    Sure(Note),
    /// No record says so; it runs because a bootloader has found nothing else, or nothing yet.
    Unrecorded,
}

/// How the image in `running` stands.
pub fn standing(records: &Records, running: Slot) -> Standing {
    match records.of(running) {
        Some((_, Entry { state: State::New, note, .. })) => Standing::Trial { note, armed: false },
        Some((_, Entry { state: State::Pending, note, .. })) => Standing::Trial { note, armed: true },
        Some((_, entry)) if entry.may_boot() => Standing::Sure(entry.note),
        _ => Standing::Unrecorded,
    }
}

/// Makes sure that the running image is the one that comes back whatever happens next; answers with its record.
///
/// # Errors
///
/// [`Refusal::OnTrial`]: then the other image is the one that comes back. [`Refusal::Flash`], [`Refusal::ReadBack`].
pub async fn settle<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<usize, Refusal> {
    let records = read(flash, layout).await?;
    let own = match (standing(&records, running), records.of(running)) {
        (Standing::Trial { .. }, _) => return Err(Refusal::OnTrial),
        (Standing::Sure(_), Some((own, _))) => own,
        _ => {
            // Where nothing is lost: what counts least.
            let weight = |which: &usize| records.0[*which].map_or(0, |e| 1 + u64::from(e.sequence));
            let bootable = |which: &usize| records.0[*which].is_some_and(|e| e.may_boot());
            let own = usize::from((bootable(&1), weight(&1)) < (bootable(&0), weight(&0)));
            let sequence = records.next(running).ok_or(Refusal::Flash)?;
            write(flash, layout, own, Entry { sequence, state: State::Valid, note: Note::default() }).await?;
            own
        }
    };
    // Something was activated and not started yet, or names an image that a bootloader could not start.
    if read(flash, layout).await?.chosen() != Some(own) {
        erase(flash, layout, 1 - own).await?;
    }
    Ok(own)
}

/// Lets the other slot's image be tried at the next start, and tells it what it is measured by: whether there is a
/// network, and how well the running image does.
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

/// The running image was found good: it stays.
///
/// A cut in the middle of this brings the image before back; the new one is still there to be activated again.
///
/// # Errors
///
/// [`Refusal::Flash`], [`Refusal::ReadBack`].
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

/// The running image was found bad: the next start is the other's. An armed bootloader does this by itself.
///
/// # Errors
///
/// [`Refusal::Flash`], [`Refusal::ReadBack`].
pub async fn give_up<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<(), Refusal> {
    let records = read(flash, layout).await?;
    let Some((own, entry)) = records.of(running).filter(|(_, e)| e.is_on_trial()) else { return Ok(()) };
    write(flash, layout, own, Entry { state: State::Aborted, ..entry }).await
}

/// Asks the bootloader for a proof that it knows of trials: puts the running image on trial at the next start.
///
/// # Errors
///
/// Those of [`settle`].
pub async fn drill<F: NorFlash>(flash: &mut F, layout: &Layout, running: Slot) -> Result<(), Refusal> {
    let own = settle(flash, layout, running).await?;
    let sequence = read(flash, layout).await?.next(running).ok_or(Refusal::Flash)?;
    write(flash, layout, 1 - own, Entry { sequence, state: State::New, note: Note::default() }).await
}
