//! The live sources that this machine has besides the present one, and how loud they are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::source::{self, Device, Levels};

/// Time for which a list of devices counts, so that a page that asks all the time does not burden the sound server.
const FRESH: Duration = Duration::from_secs(2);

/// The other sources that this machine has.
#[derive(Default)]
pub struct Others {
    pub levels: Levels,
    devices: Mutex<Option<Listed>>,
}

/// The live sources, or why there are none, and when they were listed.
type Listed = (Instant, Result<Vec<Device>, String>);

impl Others {
    /// The live sources, or why there are none.
    pub fn devices(&self) -> Result<Vec<Device>, String> {
        let mut listed = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            // A sound server may take seconds to answer.
            let found = tokio::task::block_in_place(source::devices).map_err(|e| e.to_string());
            *listed = Some((Instant::now(), found));
        }
        listed.as_ref().map_or_else(|| Ok(Vec::new()), |(_, found)| found.clone())
    }
}
