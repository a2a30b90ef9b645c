//! Everything that was measured of a lamp.

use k1_device::answers::{BootLog, Device, SelfTest};
use serde::Serialize;

use super::light::Answer;
use super::presence::HostSecond;
use crate::lamps::figures::Reading;

/// The lamp's answers in one second.
#[derive(Clone, Debug, Serialize)]
pub struct Second {
    /// Seconds since the beginning of the measurement.
    pub t: f64,
    /// Uptime of the lamp in seconds.
    pub uptime_s: f64,
    /// Frames shown since the lamp started.
    pub frames: u64,
    /// Figures of the lamp.
    pub reading: Reading,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Duration of the measurement in seconds.
    pub length_s: f64,
    /// The first lines of the console, and its errors.
    pub boot_log: BootLog,
    /// State of the hardware at the end.
    pub device: Device<'static>,
    /// The self-tests, shortest first.
    pub reads: Vec<SelfTest>,
    /// Light with music and in silence; or the reason why it was not measured.
    pub light: Result<Vec<Answer>, String>,
    /// The lamp's uptime at the first request, in seconds.
    pub first_uptime_s: f64,
    /// What this machine did in each second; only for a lamp that it emulates.
    pub host: Option<Vec<HostSecond>>,
    /// Every second with an answer.
    pub seconds: Vec<Second>,
    /// Number of looks without an answer, and the last reason.
    pub unanswered: (usize, Option<String>),
}
