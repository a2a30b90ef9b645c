//! What a bootloader does with the records: the contract of ESP-IDF's bootloader with rollback, for the virtual lamp's
//! loader and for tests.
//!
//! An image that starts a second time during its trial has failed, and its record is marked as aborted. A new image is
//! put on trial before it runs. A damaged image is not started (`bootloader_utility_get_selected_boot_partition`,
//! ESP-IDF).

use embedded_storage_async::nor_flash::NorFlash;

use crate::layout::{Layout, Slot};
use crate::otadata::State;
use crate::record;
use crate::refusal::Refusal;
use crate::slot::{self, Whole};

/// The image to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The image and its slot.
    pub whole: Whole,
    /// True if its record now says that it is on trial.
    pub on_trial: bool,
}

/// Updates the records and chooses the image to start; `None` if no slot holds a whole image.
///
/// # Errors
///
/// [`Refusal::Flash`] if the flash cannot be read. If a record cannot be written, an image still starts, but not a new
/// one, because it could not be rolled back.
pub async fn start<F: NorFlash>(flash: &mut F, layout: &Layout) -> Result<Option<Start>, Refusal> {
    let mut records = record::read(flash, layout).await?;
    for which in 0..2 {
        if let Some(entry) = &mut records.0[which]
            && entry.state == State::Pending
        {
            entry.state = State::Aborted;
            let _ = record::write(flash, layout, which, *entry).await;
        }
    }
    let mut first = Slot::App0;
    let mut on_trial = false;
    if let Some(which) = records.chosen()
        && let Some(mut entry) = records.0[which]
    {
        first = entry.slot();
        if entry.state == State::New {
            entry.state = State::Pending;
            on_trial = record::write(flash, layout, which, entry).await.is_ok();
            if !on_trial {
                first = first.other();
            }
        }
    }
    for slot in [first, first.other()] {
        if let Some(whole) = slot::find(flash, layout, slot).await? {
            return Ok(Some(Start { whole, on_trial: on_trial && slot == first }));
        }
    }
    Ok(None)
}
