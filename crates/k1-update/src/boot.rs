//! What a bootloader does with the records: the contract of ESP-IDF's with rollback, for the virtual lamp's loader and
//! for tests.
//!
//! An image that starts for the second time in its trial has failed and is called so. A new one is put on trial before
//! it runs. What is not whole is not started (`bootloader_utility_get_selected_boot_partition`, ESP-IDF).

use embedded_storage_async::nor_flash::NorFlash;

use crate::layout::{Layout, Slot};
use crate::otadata::State;
use crate::record;
use crate::refusal::Refusal;
use crate::slot::{self, Whole};

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The image.
    pub whole: Whole,
    /// True if its record says that it is on trial now.
    pub on_trial: bool,
}

/// Keeps the records and says what to start; `None` if no slot holds a whole image.
///
/// # Errors
///
/// [`Refusal::Flash`] if nothing can be read. A record that cannot be written is no reason not to start, but none to
/// start an image that could then not be taken back either.
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
