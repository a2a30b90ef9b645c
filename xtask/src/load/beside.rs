//! Ten zones beside LedFx with ten virtuals: the same sound, the same lights, the same time.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::jitter::{COLUMNS, Jitter, jitter, median, middle};
use super::ledfx;
use super::program::{Running, await_light, play};
use super::receive::Receivers;
use super::room::{self, FPS, Place};
use super::sound::{SINK, Sound};
use super::usage::{Counters, Memory, Usage};

const LIGHTS: usize = 10;
const LEDS: usize = 300;
/// Number of stretches of which the median counts.
const TURNS: u32 = 5;

/// What one program used and how its frames arrived, in each stretch.
#[derive(Default)]
struct Side {
    usage: Vec<Usage>,
    memory: Vec<Memory>,
    jitter: Vec<Jitter>,
    packets: Vec<f64>,
}

/// Measures both programs for a time.
///
/// # Errors
///
/// A sentence if a program is missing or does not send.
pub fn beside(k1: &Path, peer: &Path, time: Duration) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let home = folder.path();
    let sound = Sound::start(home, time + Duration::from_secs(180))?;
    let lights = [Receivers::open("127.0.0.1", LIGHTS)?, Receivers::open("127.0.0.1", LIGHTS)?];
    let places: Vec<Place> = lights[0].addresses().iter().enumerate().map(place).collect();
    let show = room::write(home, &room::show(&format!("monitor:{SINK}"), &places, LEDS, LIGHTS))?;
    let mut programs = [
        play(k1, &show, home, Some(&sound.server))?,
        ledfx::start(peer, home, &lights[1].addresses(), LEDS, &sound.server)?,
    ];
    for ((program, lights), name) in programs.iter_mut().zip(&lights).zip(["k1", "LedFx"]) {
        await_light(lights, name, program)?;
    }
    let mut sides = [Side::default(), Side::default()];
    for _ in 0..TURNS {
        turn(&programs, &lights, time / TURNS, &mut sides)?;
    }
    for (program, name) in programs.iter_mut().zip(["k1", "LedFx"]) {
        program.runs(name)?;
    }
    tell(&sides);
    Ok(())
}

fn place((n, address): (usize, &SocketAddr)) -> Place {
    ((n + 1).to_string(), format!("ddp://{address}"))
}

fn turn(
    programs: &[Running; 2],
    lights: &[Receivers; 2],
    time: Duration,
    sides: &mut [Side; 2],
) -> Result<(), String> {
    let began = Instant::now();
    let mut before = Vec::new();
    for (program, lights) in programs.iter().zip(lights) {
        before.push(Counters::read(program.id())?);
        lights.take();
    }
    std::thread::sleep(time);
    for (((program, lights), before), side) in programs.iter().zip(lights).zip(&before).zip(sides) {
        side.usage.push(Counters::read(program.id())?.since(before));
        side.memory.push(Memory::read(program.id())?);
        let (arrived, over) = (lights.take(), began.elapsed());
        let all: Vec<Jitter> = arrived.iter().map(|light| jitter(&light.frames, over)).collect();
        side.jitter.push(middle(&all));
        let packets: u64 = arrived.iter().map(|light| light.packets).sum();
        side.packets.push(packets as f64 / over.as_secs_f64());
    }
    Ok(())
}

fn tell([ours, theirs]: &[Side; 2]) {
    println!(
        "{LIGHTS} zones of {LEDS} LEDs, each with its own look, to {LIGHTS} lights by DDP at {FPS} FPS; both programs hear the same music"
    );
    println!("at the same time; medians of {TURNS} stretches; jitter in ms, median of the lights\n");
    println!(
        "         % of a core  in the kernel  waits/s  resident MB  own MB  threads  packets/s  {COLUMNS}"
    );
    for (name, side) in [("K1", ours), ("LedFx", theirs)] {
        println!(
            "{name:6}  {:11.2}  {:13.2}  {:7.0}  {:11.1}  {:6.1}  {:7.0}  {:9.1}  {}",
            median(&side.usage, |u| u.cpu),
            median(&side.usage, |u| u.kernel),
            median(&side.usage, |u| u.waits),
            median(&side.memory, |m| m.resident as f64 / 1000.0),
            median(&side.memory, |m| m.own as f64 / 1000.0),
            median(&side.memory, |m| m.threads as f64),
            median(&side.packets, |p| *p),
            middle(&side.jitter),
        );
    }
    let shares: Vec<f64> = ours.usage.iter().zip(&theirs.usage).map(|(a, b)| a.cpu / b.cpu).collect();
    let memory: Vec<f64> =
        ours.memory.iter().zip(&theirs.memory).map(|(a, b)| a.resident as f64 / b.resident as f64).collect();
    println!(
        "\nK1 to LedFx: {:.3} of the processor time (goal 0.25), {:.3} of the memory (goal 0.1)",
        median(&shares, |x| *x),
        median(&memory, |x| *x)
    );
}
