//! Both halves of a lamp on two LX7 cores of an emulator, which runs them at the same time.

mod lamp;

use std::path::{Path, PathBuf};
use std::process::Command;

use k1_emulated::proof::{LEDS, Show};
use k1_engine::audio::{Ear, Snapshot};
use k1_engine::light::OutputSettings;
use k1_engine::params::Param;
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};
use serde_json::Value;

use crate::proof::{FPS, Question};
use crate::{lx7, root, xtensa};

/// The pattern that is shown.
const PATTERN: usize = 3;
/// Arguments of the emulator: two cores, each in a thread of its own.
const EMULATOR: &[&str] = &["-M", "kc705", "-cpu", "de233_fpu", "-smp", "2", "-accel", "tcg,thread=multi"];
/// Time after which the emulator is ended, in seconds.
const PATIENCE: &str = "300";

/// Builds the programs, runs them, and prints and judges what they say.
///
/// # Errors
/// A sentence, if a read is torn, a byte of light differs, a critical section fails, or a broken hand-off is not noticed.
pub fn prove() -> Result<(), String> {
    let Some(program) = build("halves", "halves", &[])? else { return Ok(()) };
    let folder = root().join("target/cores");
    let answers = ask(&program, &folder, 2, &[])?;
    for answer in &answers {
        println!("{answer}");
        if answer["torn"] != 0 || answer["backwards"] != 0 {
            return Err("reads were torn or went backwards".into());
        }
    }
    let [_, million] = &answers[..] else { return Err("the program did not read twice".into()) };
    if million["reads"] != 1_000_000 || million["writes"].as_u64() < Some(10_000) {
        return Err("the second core did not write at the same time".into());
    }
    let broken = ["--config", "build.rustflags=['--cfg', 'k1_broken_ring']"];
    if let Some(program) = build("halves", "halves-broken", &broken)? {
        let answers = ask(&program, &folder, 2, &[])?;
        let torn: u64 = answers.iter().filter_map(|a| a["torn"].as_u64()).sum();
        println!("with a broken hand-off: {torn} torn");
        if torn == 0 {
            return Err("a broken hand-off was not noticed".into());
        }
    }
    for answer in ask(&program, &folder, 5, &[])? {
        println!("{answer}");
        if answer["counted"] != answer["sections"] || answer["wrong"] != 0 {
            return Err("a critical section or a register window failed".into());
        }
    }
    light(&program, &folder)?;
    build_lamp()?.map_or(Ok(()), |program| lamp::prove(&program))
}

/// Builds the lamp; `None` if there are no tools for it.
///
/// # Errors
/// A sentence, if it cannot be built.
pub fn build_lamp() -> Result<Option<PathBuf>, String> {
    build("lamp", "lamp", &[])
}

/// Compares the light of 20 seconds of music.
fn light(program: &Path, folder: &Path) -> Result<(), String> {
    let (_, play) = k1_sim::music::PIECES.iter().find(|(name, _)| *name == "rock").ok_or("no such piece")?;
    let music = play().samples[..20 * SAMPLE_RATE as usize].to_vec();
    for answer in ask(program, folder, 1, &music)? {
        println!("{answer}");
    }
    let there =
        std::fs::read(folder.join("frames")).map_err(|e| format!("the program wrote no light: {e}"))?;
    let here = frames(&music);
    let different = here.iter().zip(&there).filter(|(a, b)| a != b).count();
    println!("{} bytes of light on two cores, {different} different", there.len());
    if here.len() == there.len() && different == 0 && here.iter().any(|b| *b > 30) {
        return Ok(());
    }
    Err(format!("the light differs: this computer gave {} bytes", here.len()))
}

/// The light of music on this computer.
fn frames(music: &[f32]) -> Vec<u8> {
    let mut ear = Box::new(Ear::new());
    let mut show = Box::new(Show::new(LEDS, OutputSettings::default()));
    show.cut_to(PATTERN);
    let mut snapshot = Snapshot::EMPTY;
    let mut wire = [[0; 3]; LEDS];
    let mut light = Vec::new();
    let mut frame = 0;
    for samples in music.chunks(HOP) {
        let mut hop = [0.0; HOP];
        hop[..samples.len()].copy_from_slice(samples);
        if let Some(s) = ear.push(&hop) {
            snapshot = *s;
        }
        loop {
            let at = frame * 1_000_000 / u64::from(FPS);
            if at >= snapshot.captured_us + HOP_US {
                break;
            }
            show.render(at, &snapshot);
            show.output.wire(show.params().get(Param::Dithering) >= 0.5, &mut wire);
            light.extend(wire.as_flattened());
            frame += 1;
        }
    }
    light
}

/// Builds a program, whose feature has its name, into a file; `None` if there are no tools for it, which the gate then
/// says.
fn build(bin: &str, file: &str, cargo: &[&str]) -> Result<Option<PathBuf>, String> {
    let program = root().join("firmware/target").join(format!("xtensa-{file}.elf"));
    let built = xtensa::build(&xtensa::Program {
        folder: &root().join("firmware"),
        package: "k1-virt-xtensa",
        bin,
        features: &[bin],
        cargo,
        machine: lx7::MACHINE,
        link: &[],
        out: &program,
    });
    match built {
        Ok(built) => Ok(Some(built.elf)),
        Err(xtensa::Error::Program(why)) => Err(format!("virt-xtensa: {why}")),
        Err(xtensa::Error::Toolchain(why)) => {
            let told = format!("virt-xtensa: the lamp did NOT RUN on two LX7 cores: {why}");
            println!("{told}");
            crate::gate::not_proven(&told)?;
            Ok(None)
        }
    }
}

/// Runs the program with a question and music; returns the lines of its answer.
fn ask(program: &Path, folder: &Path, number: u32, music: &[f32]) -> Result<Vec<Value>, String> {
    let question = Question { number, music, pattern: PATTERN as u32, at: lx7::AT };
    let mut emulator = Command::new("timeout");
    emulator.args([PATIENCE, "qemu-system-xtensa"]).args(EMULATOR);
    emulator.args(["-semihosting", "-serial", "none", "-net", "none", "-kernel"]).arg(program);
    question.ask(&mut emulator, folder)
}
