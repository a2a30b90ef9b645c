//! What was measured of a lamp.

use k1_device::answers::{BootLog, Device, SelfTest};
use serde::Serialize;

use super::light::Answer;
use super::presence::HostSecond;
use crate::lamps::figures::Reading;

/// What the lamp said in one second.
#[derive(Clone, Debug, Serialize)]
pub struct Second {
    /// Seconds since the beginning of the measurement.
    pub t: f64,
    /// Seconds that the lamp runs.
    pub uptime_s: f64,
    /// Frames since its start.
    pub frames: u64,
    /// Its figures.
    pub reading: Reading,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Seconds that were measured.
    pub length_s: f64,
    /// The first lines of the console, and the errors.
    pub boot_log: BootLog,
    /// The hardware at the end.
    pub device: Device<'static>,
    /// The self-tests, shortest first.
    pub reads: Vec<SelfTest>,
    /// Light under music and in silence.
    pub light: Result<Vec<Answer>, String>,
    /// Seconds that the lamp had run when it was first asked.
    pub first_uptime_s: f64,
    /// What this machine did in each second; only of a lamp that it emulates.
    pub host: Option<Vec<HostSecond>>,
    /// Every second that was answered.
    pub seconds: Vec<Second>,
    /// Looks that were not answered, and the last reason.
    pub unanswered: (usize, Option<String>),
}
