//! The cost of a hop and of a frame, in time and in instructions.
//!
//! `cargo bench -p k1-engine` measures time with Criterion and then, where valgrind is installed, instructions with
//! callgrind. The program runs itself for few and for many rounds; the difference is the cost of a round without
//! start-up. `--instructions` counts instructions only and prints one line of JSON per case.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use k1_engine::HOP;
use k1_engine::audio::{Ear, Snapshot};
use k1_engine::light::OutputSettings;
use k1_engine::patterns::PATTERNS;
use k1_engine::show::Show;

const LEDS: usize = 180;
const MANY_LEDS: usize = 4_096;
const FRAME_US: u64 = 8_333;

/// Two seconds of simple music: a beat at 120 BPM over a chord.
fn music() -> Vec<f32> {
    (0..32_000_u32)
        .map(|i| {
            let t = i as f32 / 16_000.0;
            let beat = (t * 2.0).fract() / 2.0;
            let x = i.wrapping_mul(2_654_435_761);
            let noise = (x ^ (x >> 15)) as f32 / 2_147_483_648.0 - 1.0;
            0.5 * (t * 345.0).sin() * (-beat * 20.0).exp()
                + 0.2 * noise * (-beat * 40.0).exp()
                + 0.1 * ((t * 1382.0).sin() + (t * 1742.0).sin() + (t * 2073.0).sin())
        })
        .collect()
}

fn warm_ear(music: &[f32]) -> Box<Ear> {
    let mut ear = Box::new(Ear::new());
    ear.push(music);
    ear
}

fn snapshot(music: &[f32]) -> Snapshot {
    let mut ear = Ear::new();
    *ear.push(music).expect("two seconds are many hops")
}

/// A case: its name and what one round does.
fn cases() -> Vec<(String, Box<dyn FnMut()>)> {
    let music = music();
    let heard = snapshot(&music);
    let mut all: Vec<(String, Box<dyn FnMut()>)> = Vec::new();
    let mut ear = warm_ear(&music);
    let hops: Vec<[f32; HOP]> = music.chunks_exact(HOP).map(|h| h.try_into().expect("a whole hop")).collect();
    let mut at = 0;
    all.push((
        "hop".into(),
        Box::new(move || {
            at = (at + 1) % hops.len();
            black_box(ear.push(&hops[at]));
        }),
    ));
    for (index, pattern) in PATTERNS.iter().enumerate() {
        all.push((format!("frame/{}", pattern.id), frame::<LEDS>(index, heard)));
    }
    all.push(("path/4096_leds".into(), frame::<MANY_LEDS>(k1_engine::patterns::FIRST_PATTERN, heard)));
    all
}

/// A whole frame: pattern, output stage, and the bytes of the wire.
fn frame<const N: usize>(index: usize, heard: Snapshot) -> Box<dyn FnMut()> {
    let mut show = Box::new(Show::<N>::new(N, OutputSettings::default()));
    show.cut_to(index);
    let mut wire = vec![[0; 3]; N];
    let mut now = heard.captured_us;
    let mut sound = heard;
    Box::new(move || {
        now += FRAME_US;
        sound.captured_us = now;
        sound.sequence += 1;
        // A beat every half second, so that patterns that respond to beats have work to do.
        sound.beat_phase = (now % 500_000) as f32 / 500_000.0;
        sound.beats = (now / 500_000) as u32;
        show.render(now, &sound);
        show.output.wire(true, &mut wire);
        black_box(&wire);
    })
}

fn main() {
    if let Ok(run) = std::env::var("K1_BENCH_ROUNDS") {
        let (name, rounds) = run.split_once('=').expect("NAME=ROUNDS");
        let (_, mut case) = cases().into_iter().find(|(n, _)| n == name).expect("a case of that name");
        (0..rounds.parse().expect("a number of rounds")).for_each(|_| case());
        return;
    }
    let only_instructions = std::env::args().any(|a| a == "--instructions");
    if !only_instructions {
        let mut c = Criterion::default()
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_millis(1_200))
            .sample_size(20)
            .without_plots()
            .configure_from_args();
        for (name, mut case) in cases() {
            let mut group = c.benchmark_group("engine");
            let leds = if name == "hop" {
                0
            } else if name.starts_with("path") {
                MANY_LEDS
            } else {
                LEDS
            };
            if leds > 0 {
                group.throughput(Throughput::Elements(leds as u64));
            }
            group.bench_function(name, |b| b.iter(&mut case));
        }
        c.final_summary();
    }
    // `cargo test --benches` and filtered runs should not wait for valgrind.
    if only_instructions || std::env::args().any(|a| a == "--bench") {
        instructions(only_instructions);
    }
}

fn instructions(json: bool) {
    for (name, _) in cases() {
        let rounds = if name.starts_with("path") { (4, 24) } else { (16, 144) };
        let (Some(few), Some(many)) = (count(&name, rounds.0), count(&name, rounds.1)) else {
            println!("instructions: valgrind is not installed, so none were counted");
            return;
        };
        let each = (many - few) / (rounds.1 - rounds.0);
        if json {
            println!("{{\"case\":\"{name}\",\"instructions\":{each}}}");
        } else {
            println!("instructions  {name:<24} {each:>10}");
        }
    }
}

/// Instructions of the whole process for `rounds` rounds.
fn count(case: &str, rounds: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .env("K1_BENCH_ROUNDS", format!("{case}={rounds}"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().find_map(|l| l.split("Collected : ").nth(1)?.trim().parse().ok())
}
