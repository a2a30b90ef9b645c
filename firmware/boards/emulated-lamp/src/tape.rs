//! Music that the host gives to the machine at its start: a tape that repeats at the pace of the lamp's own clock.
//!
//! Sound from the network comes at the pace of its sender, which does not suit a lamp whose clock counts instructions.
//! The host writes the tape after the lamp's memory ([`k1_device::tape`]).

use embassy_time::{Duration, Instant, Timer};
use k1_device::tape::{END, HEAD, MARK, MEMORY, PLACE};
use k1_engine::{HOP, HOP_US};
use k1_wire::rtp;

/// Longest delay of a reader; a later reader loses the samples in between. It is the length of a microphone's buffer.
const BEHIND: Duration = Duration::from_millis(128);

/// A tape, and the current position on it.
pub struct Tape {
    samples: &'static [i16],
    next: usize,
    /// Time at which the next hop is complete.
    due: Instant,
    lost: u32,
}

impl Tape {
    /// The tape in the machine's memory, which begins at `memory`, if there is one.
    pub fn find(memory: usize) -> Option<Self> {
        let place = memory + (PLACE - MEMORY) as usize;
        // SAFETY: memory of this machine that the image does not reach and that is not written after the start.
        let head = unsafe { (place as *const [u32; 2]).read_volatile() };
        let n = head[1] as usize;
        let fits = (HOP..=((END - PLACE) as usize - HEAD) / 2).contains(&n);
        if head[0] != u32::from_le_bytes(MARK) || !fits {
            return None;
        }
        // SAFETY: as above, and the check shows that the samples end before the loader's stack.
        let samples = unsafe { core::slice::from_raw_parts((place + HEAD) as *const i16, n) };
        Some(Self { samples, next: 0, due: Instant::MIN, lost: 0 })
    }

    /// Waits until the next hop is complete and reads it. Returns the time of its last sample in µs.
    pub async fn read(&mut self, hop: &mut [f32; HOP]) -> u64 {
        const PACE: Duration = Duration::from_micros(HOP_US);
        let now = Instant::now();
        if self.due == Instant::MIN {
            self.due = now + PACE;
        }
        while now > self.due + BEHIND {
            self.due += PACE;
            self.next += HOP;
            self.lost += 1;
        }
        Timer::at(self.due).await;
        let at_us = self.due.as_micros();
        self.due += PACE;
        for sample in hop {
            self.next %= self.samples.len();
            *sample = rtp::to_float(self.samples[self.next]);
            self.next += 1;
        }
        at_us
    }

    /// Number of hops that were lost since the last call.
    pub fn take_lost(&mut self) -> u32 {
        core::mem::take(&mut self.lost)
    }
}
