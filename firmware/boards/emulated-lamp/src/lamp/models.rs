//! A strip and a microphone that take the time of real ones.

use embassy_time::Duration;
use k1_device::microphone::Slots;
use k1_engine::HOP;
use k1_lamp::board::{Microphone, MicrophoneFault, Strip, StripFault};
use k1_lamp::rtp::RtpMicrophone;
use k1_lamp::show::Wire;

use crate::faults::{self, Fault};
use crate::tape::Tape;

/// A strip that only takes the time of a real one, because this lamp sends its light only over the network.
pub struct ModelledStrip(pub Wire);

impl Strip for ModelledStrip {
    async fn send(&mut self, _: &[u8]) -> Result<(), StripFault> {
        self.0.take().await;
        if faults::wished() == Fault::Slow {
            embassy_time::Timer::after_millis(12).await;
        }
        Ok(())
    }
}

/// The source of sound.
pub enum Sound {
    /// From a sender in the network.
    Network(RtpMicrophone),
    /// From the host, at the start.
    Tape(Tape),
}

/// A microphone that sends the sound in the right one of two slots.
pub struct ModelledMicrophone(pub Sound, pub Slots);

impl Microphone for ModelledMicrophone {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        let at = match &mut self.0 {
            Sound::Network(microphone) => microphone.read(hop, bound).await?,
            Sound::Tape(tape) => tape.read(hop).await,
        };
        for sample in hop {
            let (mut heard, mut other) = (*sample, 0.0);
            if faults::wished() == Fault::Side {
                core::mem::swap(&mut heard, &mut other);
            }
            let steps = |level: f32| (level * 131_072.0) as i32;
            self.1.frame(steps(heard), steps(other));
            *sample = heard;
        }
        Ok(at)
    }

    fn take_overruns(&mut self) -> u32 {
        match &mut self.0 {
            Sound::Network(microphone) => microphone.take_overruns(),
            Sound::Tape(tape) => tape.take_lost(),
        }
    }

    fn speaks_elsewhere(&self) -> bool {
        self.1.is_other()
    }
}
