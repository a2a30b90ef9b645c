//! The minimum that a board provides: a microphone and a strip. `cargo run -p k1-lamp --example board`
//!
//! A real board implements both with its chip's drivers; see `firmware/boards/esp/src/{microphone,strip}.rs`.

use embassy_time::Duration;
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};
use k1_lamp::board::{Microphone, MicrophoneFault, Strip, StripFault};

/// A microphone in a room with a tone of 440 Hz.
struct Tone {
    samples: u64,
}

impl Microphone for Tone {
    async fn read(&mut self, hop: &mut [f32; HOP], _bound: Duration) -> Result<u64, MicrophoneFault> {
        for sample in hop {
            let turns = self.samples as f32 * 440.0 / SAMPLE_RATE as f32;
            *sample = 0.1 * k1_engine::math::cos_turns(turns);
            self.samples += 1;
        }
        // Capture time of the last sample, in µs.
        Ok(self.samples / HOP as u64 * HOP_US)
    }

    fn take_overruns(&mut self) -> u32 {
        0
    }
}

/// A strip that keeps its last frame.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
}

impl Strip for Kept {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), StripFault> {
        self.bytes = bytes.to_vec();
        Ok(())
    }
}

fn main() {
    let (mut microphone, mut strip) = (Tone { samples: 0 }, Kept::default());
    embassy_futures::block_on(async {
        let mut hop = [0.0; HOP];
        let at = microphone.read(&mut hop, Duration::from_millis(100)).await.expect("a tone");
        strip.send(&[255, 0, 0]).await.expect("a strip");
        println!("a hop that ends at {at} µs, and a strip that shows {:?}", strip.bytes);
    });
}
