//! Plays the known signal or silence in real time, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US};

use crate::lamps::playback::Playback;
use crate::lamps::test_signal::music;

const SILENCE: u8 = 0;
const MUSIC: u8 = 1;
const END: u8 = 2;

/// A signal that is being played.
pub struct Signal {
    state: Arc<AtomicU8>,
    /// `None` for a lamp that plays a recording to itself.
    player: Option<JoinHandle<Result<(), String>>>,
}

impl Signal {
    /// Begins with silence. Plays nothing without a playback, because the lamp then plays a recording to itself.
    pub fn start(playback: Option<Playback>) -> std::io::Result<Self> {
        let state = Arc::new(AtomicU8::new(SILENCE));
        let Some(mut playback) = playback else { return Ok(Self { state, player: None }) };
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
                    playback.play(&hop)?;
                    played += 1;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let player = std::thread::Builder::new().name("k1-signal".into()).spawn(play)?;
        Ok(Self { state, player: Some(player) })
    }

    /// True if the lamp plays music and silence in turn from a recording, so that nobody has to switch between them.
    pub fn is_recorded(&self) -> bool {
        self.player.is_none()
    }

    /// Switches to music (`is_loud`) or silence.
    pub fn play(&self, is_loud: bool) {
        self.state.store(if is_loud { MUSIC } else { SILENCE }, Relaxed);
    }

    /// Stops the signal.
    ///
    /// # Errors
    ///
    /// A sentence if the signal could not be played.
    pub fn end(mut self) -> Result<(), String> {
        self.state.store(END, Relaxed);
        match self.player.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err("the player of the signal has failed; report this".into()),
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
