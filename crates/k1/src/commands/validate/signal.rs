//! The known signal: a kick at 120 BPM over a chord, or silence, in real time until it is dropped.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

use crate::lamps::voice::Voice;

const SILENCE: u8 = 0;
const MUSIC: u8 = 1;
const END: u8 = 2;

/// A signal that plays.
pub struct Signal {
    state: Arc<AtomicU8>,
    player: Option<JoinHandle<Result<(), String>>>,
}

/// A sample of the music.
fn music(i: u64) -> f32 {
    let t = i as f64 / f64::from(SAMPLE_RATE);
    let since_kick = (t * 2.0).fract() as f32 / 2.0;
    let wave = |hz: f64| ((t * hz).fract() as f32 * TAU).sin();
    let kick = 0.6 * (TAU * 55.0 * since_kick).sin() * (-since_kick * 18.0).exp();
    // A chord that changes every second, so that notes have something to do.
    let root = [220.0, 261.63, 329.63, 196.0][t as usize % 4];
    kick + 0.07 * (wave(root) + wave(root * 1.25) + wave(root * 1.5) + wave(root * 4.0))
}

impl Signal {
    /// Begins with silence.
    pub fn start(mut voice: Voice) -> std::io::Result<Self> {
        let state = Arc::new(AtomicU8::new(SILENCE));
        let wanted = state.clone();
        let play = move || {
            let began = Instant::now();
            let mut played = 0_u64;
            loop {
                let loud = match wanted.load(Relaxed) {
                    END => return Ok(()),
                    state => state == MUSIC,
                };
                while u128::from(played) * u128::from(HOP_US) < began.elapsed().as_micros() {
                    let first = played * HOP as u64;
                    let hop = std::array::from_fn(|i| if loud { music(first + i as u64) } else { 0.0 });
                    voice.say(&hop)?;
                    played += 1;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let player = std::thread::Builder::new().name("k1-signal".into()).spawn(play)?;
        Ok(Self { state, player: Some(player) })
    }

    /// Music, or silence.
    pub fn play(&self, is_loud: bool) {
        self.state.store(if is_loud { MUSIC } else { SILENCE }, Relaxed);
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// A sentence if it could not be played.
    pub fn end(mut self) -> Result<(), String> {
        self.state.store(END, Relaxed);
        match self.player.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err("the player of the signal has failed; report this".into()),
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.state.store(END, Relaxed);
        if let Some(player) = self.player.take() {
            let _ = player.join();
        }
    }
}
