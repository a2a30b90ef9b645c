//! The drivers of a board that does as it is told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embassy_time::{Duration, Instant, Timer};
use k1_device::microphone::Slots;
use k1_engine::{HOP, HOP_US};
use k1_lamp::board::{Microphone, MicrophoneFault, Strip, StripFault};
use k1_lamp::show::Wire;
use k1_sim::clock;

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A tone.
    Tone,
    /// Sound without any.
    Silence,
    /// A tone in the slot that is not heard.
    OtherSlot,
    /// Nothing comes within the bound.
    Timeout,
    /// The bus reports an error.
    Bus,
    /// The driver does not come back.
    Stuck,
}

/// What becomes of a frame on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glow {
    /// It arrives.
    Whole,
    /// It is torn, and takes its time.
    Torn,
    /// It is refused at once.
    Refused,
    /// The driver does not come back.
    Stuck,
}

/// A microphone that does as it is told.
pub struct Ears {
    /// What it gives.
    pub state: Rc<Cell<Sound>>,
    due: Instant,
    number: u64,
    slots: Slots,
}

impl Ears {
    /// One that gives what is in `state`.
    pub fn new(state: Rc<Cell<Sound>>) -> Self {
        Self { state, due: Instant::MIN, number: 0, slots: Slots::default() }
    }
}

impl Microphone for Ears {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        let sound = self.state.get();
        match sound {
            Sound::Stuck => std::future::pending().await,
            Sound::Timeout => {
                Timer::after(bound).await;
                return Err(MicrophoneFault::Timeout);
            }
            Sound::Bus => {
                Timer::after_millis(1).await;
                return Err(MicrophoneFault::Bus);
            }
            _ => {}
        }
        let now = Instant::now();
        if self.due < now {
            self.due = now;
        }
        self.due += Duration::from_micros(HOP_US);
        Timer::at(self.due).await;
        for sample in hop {
            self.number += 1;
            let tone = 0.3 * (self.number as f32 * 0.17).sin();
            let (heard, other) = match sound {
                Sound::Tone => (tone, 0.0),
                Sound::OtherSlot => (0.0, tone),
                _ => (0.0, 0.0),
            };
            let steps = |level: f32| (level * 131_072.0) as i32;
            self.slots.frame(steps(heard), steps(other));
            *sample = heard;
        }
        Ok(clock::now_us())
    }

    fn take_overruns(&mut self) -> u32 {
        0
    }

    fn speaks_elsewhere(&self) -> bool {
        self.slots.is_other()
    }
}

/// A strip that does as it is told.
pub struct Light {
    /// What becomes of its frames.
    pub state: Rc<Cell<Glow>>,
    /// The newest that it has got.
    pub frames: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Its wire.
    pub wire: Wire,
    /// How much longer a frame takes.
    pub pause: Duration,
}

impl Strip for Light {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), StripFault> {
        match self.state.get() {
            Glow::Refused => return Err(StripFault),
            Glow::Stuck => std::future::pending().await,
            _ => self.wire.take().await,
        }
        Timer::after(self.pause).await;
        if self.state.get() == Glow::Torn {
            return Err(StripFault);
        }
        let mut frames = self.frames.borrow_mut();
        if frames.len() == 16 {
            frames.remove(0);
        }
        frames.push(bytes.to_vec());
        Ok(())
    }
}
