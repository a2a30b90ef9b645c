//! The engine alone: samples in, light out.
//!
//! `cargo run -p k1-engine --example engine` hears eight seconds of a drum at 120 BPM and prints the strip as it goes.
//! `ffmpeg -i song.mp3 -f f32le -ac 1 -ar 16000 - | cargo run -p k1-engine --example engine -- -` hears a song.
//! `-- --plain` prints numbers instead of colours.

use std::io::{self, BufReader, Read, Write};

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::light::OutputSettings;
use k1_engine::show::Show;
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};

const LEDS: usize = 60;
/// Hops between two frames on the screen.
const HOPS_PER_ROW: u64 = 6;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut sound: Box<dyn Read> =
        if given("-") { Box::new(BufReader::new(io::stdin())) } else { Box::new(io::Cursor::new(drum(8))) };

    // Both ends are plain values: no thread, no clock, no allocation after this.
    let mut ear = Box::new(Ear::new());
    let mut show = Box::new(Show::<LEDS>::new(LEDS, OutputSettings::default()));

    let mut bytes = [0; 4 * HOP];
    let (mut hops, mut beats) = (0, 0);
    let mut out = io::stdout().lock();
    while sound.read_exact(&mut bytes).is_ok() {
        let mut samples = [0.0; HOP];
        for (sample, four) in samples.iter_mut().zip(bytes.as_chunks().0) {
            *sample = f32::from_le_bytes(*four);
        }
        // Hear: one hop in, one snapshot out.
        let Some(heard) = ear.push(&samples) else { continue };
        hops += 1;
        // Show: time is an argument, so that the same sound gives the same light.
        show.render(hops * HOP_US, heard);
        beats = heard.beats;
        if hops % HOPS_PER_ROW == 0 {
            let mut light = [[0; 3]; LEDS];
            show.output.screen(&mut light);
            print(&mut out, heard, &light, given("--plain"))?;
        }
    }
    writeln!(out, "{:.1} s heard, {beats} beats", hops as f32 * HOP as f32 / SAMPLE_RATE as f32)
}

/// A frame as a line: the tempo, if it is believed, and the strip.
fn print(out: &mut impl Write, heard: &Snapshot, light: &[[u8; 3]], plain: bool) -> io::Result<()> {
    match heard.tempo() {
        Some(bpm) => write!(out, "{bpm:5.1} BPM ")?,
        None => write!(out, "    - BPM ")?,
    }
    if plain {
        let sum: u32 = light.as_flattened().iter().map(|x| u32::from(*x)).sum();
        return writeln!(out, "mean {:3}", sum / light.as_flattened().len() as u32);
    }
    for [red, green, blue] in light {
        write!(out, "\x1b[48;2;{red};{green};{blue}m ")?;
    }
    writeln!(out, "\x1b[0m")
}

/// A drum twice a second, as bytes of f32.
fn drum(seconds: u32) -> Vec<u8> {
    let rate = SAMPLE_RATE;
    let sample = |i: u32| {
        let t = (i % (rate / 2)) as f32 / rate as f32;
        let noise = (i.wrapping_mul(0x9e37_79b9) >> 16) as f32 / 32_768.0 - 1.0;
        0.6 * (-t * 18.0).exp() * (t * 55.0 * std::f32::consts::TAU).sin() + 0.2 * (-t * 60.0).exp() * noise
    };
    (0..seconds * rate).flat_map(|i| sample(i).to_le_bytes()).collect()
}
