//! Thirty-two lights of which three fail.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::jitter::{COLUMNS, Jitter, jitter, middle, worst};
use super::program::{await_light, play};
use super::receive::Receivers;
use super::room::{self, FPS, Place};
use super::space;
use super::usage::{Counters, Memory, Usage};

const LIGHTS: usize = 32;
const LEDS: usize = 1_000;
const ZONES: usize = 8;
/// Lights that fail, each in a zone of its own: packets to it vanish; its port closes and opens again; it takes a frame
/// only every fifth of a second and blocks its writer meanwhile.
const HOLE: usize = 0;
const FLAPS: usize = 8;
const SLOW: usize = 16;
const FAILING: [(usize, &str); 3] = [(HOLE, "vanished"), (FLAPS, "flapping"), (SLOW, "5 FPS")];
/// Time between two changes of the port that flaps.
const FLAP: Duration = Duration::from_secs(1);

/// Measures the room as long as all lights work, and as long again while three of them fail.
///
/// # Errors
///
/// A sentence if the program does not send, or if the system refuses something.
pub fn fail(k1: &Path, time: Duration) -> Result<(), String> {
    space::prepare()?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let hole = Receivers::open(space::HOLE, 1)?;
    let lights = Receivers::open("127.0.0.1", LIGHTS)?;
    let slow = Slow::start(folder.path())?;
    let mut places: Vec<Place> = (1..).map(|n| n.to_string()).zip(lights.addresses()).map(to).collect();
    places[HOLE].1 = format!("ddp://{}", hole.addresses()[0]);
    places[SLOW].1 = format!("file:{}", slow.path);
    // The ports in whose place other lights stand stay without frames.
    let show = room::write(folder.path(), &room::show("demo", &places, LEDS, ZONES))?;
    let mut program = play(k1, &show, folder.path(), None)?;
    await_light(&hole, "k1", &mut program)?;
    lights.take();

    let before = measure(program.id(), &lights, &hole, time, |_| Ok(()))?;
    space::vanish()?;
    slow.is_slow.store(true, Relaxed);
    let mut is_open = true;
    let mut turn_at = Instant::now();
    let after = measure(program.id(), &lights, &hole, time, |now| {
        if now >= turn_at {
            is_open = !is_open;
            turn_at = now + FLAP;
            lights.set_open(FLAPS, is_open)?;
        }
        Ok(())
    })?;
    program.runs("k1")?;
    tell(&before, &after);
    Ok(())
}

fn to((name, address): (String, std::net::SocketAddr)) -> Place {
    (name, format!("ddp://{address}"))
}

/// What was measured in one stretch of time.
struct Measured {
    usage: Usage,
    memory: Memory,
    lights: Vec<Jitter>,
    packets: f64,
}

fn measure(
    process: u32,
    lights: &Receivers,
    hole: &Receivers,
    time: Duration,
    mut turn: impl FnMut(Instant) -> Result<(), String>,
) -> Result<Measured, String> {
    let (began, before) = (Instant::now(), Counters::read(process)?);
    lights.take();
    hole.take();
    while began.elapsed() < time {
        turn(Instant::now())?;
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut arrived = lights.take();
    arrived[HOLE] = hole.take().swap_remove(0);
    let (usage, over) = (Counters::read(process)?.since(&before), began.elapsed());
    let packets: u64 = arrived.iter().map(|light| light.packets).sum();
    Ok(Measured {
        usage,
        memory: Memory::read(process)?,
        lights: arrived.iter().map(|light| jitter(&light.frames, over)).collect(),
        packets: packets as f64 / over.as_secs_f64(),
    })
}

fn tell(before: &Measured, after: &Measured) {
    println!(
        "{LIGHTS} lights of {LEDS} LEDs in {ZONES} zones at {FPS} FPS, by DDP on this machine; jitter in ms\n"
    );
    println!(
        "           all lights work                            three lights fail\n light   {COLUMNS}   {COLUMNS}"
    );
    let is_well = |light: &usize| FAILING.iter().all(|(failing, _)| failing != light);
    for light in 0..LIGHTS {
        let [then, now] = [before, after].map(|measured| measured.lights[light]);
        let how = FAILING.iter().find(|(failing, _)| *failing == light).map_or("", |(_, how)| how);
        let row = format!("{:6}   {then}   {now}   {how}", light + 1);
        // The light that is a pipe has no packets.
        let row = if light == SLOW { format!("{:6}   (a pipe){:>34}   {how}", light + 1, "") } else { row };
        println!("{}", row.replace("NaN", "  –").trim_end());
    }
    let well = |measured: &Measured| -> Vec<Jitter> {
        (0..LIGHTS).filter(is_well).map(|light| measured.lights[light]).collect()
    };
    for (name, of) in [("median", middle as fn(&[Jitter]) -> Jitter), ("worst", worst)] {
        println!(
            "{name:>6}   {}   {}   of the {} that work",
            of(&well(before)),
            of(&well(after)),
            LIGHTS - FAILING.len()
        );
    }
    println!();
    for (name, Measured { usage, memory, packets, .. }) in [("all work", before), ("three fail", after)] {
        println!(
            "{name:>10}: {:.1} % of a core ({:.1} % in the kernel), {:.0} waits and {:.0} interruptions a second, \
             {:.1} MB resident ({:.1} MB its own), {} threads, {packets:.0} packets a second arrived",
            usage.cpu,
            usage.kernel,
            usage.waits,
            usage.interrupted,
            memory.resident as f64 / 1000.0,
            memory.own as f64 / 1000.0,
            memory.threads,
        );
    }
}

/// A light that is a pipe.
struct Slow {
    path: String,
    is_slow: Arc<AtomicBool>,
}

impl Slow {
    fn start(folder: &Path) -> Result<Self, String> {
        let path = folder.join("slow").display().to_string();
        crate::said(Command::new("mkfifo").arg(&path))?;
        // Opened for both, so that it neither waits for the other side nor ends with it.
        let pipe = OpenOptions::new().read(true).write(true).open(&path);
        let mut pipe = pipe.map_err(|e| format!("{path}: {e}"))?;
        let is_slow = Arc::new(AtomicBool::new(false));
        let slow = is_slow.clone();
        std::thread::spawn(move || {
            let mut frame = vec![0; LEDS * 3];
            while pipe.read_exact(&mut frame).is_ok() {
                if slow.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        });
        Ok(Self { path, is_slow })
    }
}
