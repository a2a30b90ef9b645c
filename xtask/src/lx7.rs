//! The engine on the ESP32-S3's processor: a core in an emulator runs it, and its output must be the same, bit for bit, as on
//! the computer that runs this.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use k1_emulated::proof::{self as engine, Part, Show, Watch};
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_engine::patterns::PATTERNS;
use k1_engine::{HOP, SAMPLE_RATE};

use crate::proof::{self, Question};
use crate::{root, xtensa};

/// The core of the ESP32-S3 as the emulator has it: without the high half of a product.
pub const MACHINE: xtensa::Machine = xtensa::Machine { attributes: "-mul32high", ..xtensa::ESP32S3 };
/// Addresses of the question and of the music in that machine.
pub const AT: [usize; 2] = [0x01f0_0000, 0x0200_0000];

/// Builds the program, runs it, and compares its output with this computer's and its costs with the budget. If this
/// machine cannot build it, the engine does not run, and the gate's last lines say so.
///
/// # Errors
/// A sentence, if a byte differs, or if something is over budget.
pub fn prove() -> Result<(), String> {
    let budget = crate::read_budgets()?.lamp;
    let workspace = root().join("firmware");
    let program = workspace.join("target/lx7-proof.elf");
    let built = xtensa::build(&xtensa::Program {
        folder: &workspace,
        package: "k1-virt-xtensa",
        bin: "proof",
        features: &[],
        cargo: &[],
        machine: MACHINE,
        link: &[],
        out: &program,
    });
    match built {
        Ok(built) => println!("lx7: {}", built.versions),
        Err(xtensa::Error::Program(why)) => return Err(format!("lx7: {why}")),
        Err(xtensa::Error::Toolchain(why)) => {
            let told = format!("lx7: the engine was NOT RUN on the ESP32-S3's processor: {why}");
            println!("{told}");
            return crate::gate::not_proven(&told);
        }
    }
    let folder = root().join("target/lx7");
    let ask = |number, music: &[f32]| {
        Question { number, music, pattern: 0, at: AT }.ask(&mut emulator(&program), &folder)
    };
    let mut costs = ask(3, &proof::simple_music())?;
    let music = music();
    costs.extend(ask(4, &music)?);
    let there =
        std::fs::read(folder.join("bits")).map_err(|e| format!("the program wrote no output: {e}"))?;
    let here = Output::of(&music);
    let same = here.compare(&there);
    println!("{}", here.shape());
    println!("{}", same.as_ref().unwrap_or_else(|e| e));
    let held = proof::hold(&costs, &budget.lx7, budget.tolerance_percent);
    same.and(held)
}

/// The machine: in it an instruction takes 1,024 ns, so that its counter of cycles tells each from the next.
fn emulator(program: &Path) -> Command {
    let mut emulator = Command::new("qemu-system-xtensa");
    emulator
        .args(["-M", "kc705", "-cpu", "de233_fpu", "-icount", "shift=10", "-semihosting"])
        .args(["-serial", "none", "-net", "none", "-kernel"])
        .arg(program);
    emulator
}

/// 60 seconds of music, two of noise at full scale, and one of samples that no microphone gives.
fn music() -> Vec<f32> {
    let second = SAMPLE_RATE as usize;
    let mut music = Vec::new();
    for name in ["rock", "tempo step", "microphone"] {
        let (_, play) = k1_sim::music::PIECES.iter().find(|(n, _)| *n == name).expect("a piece of this name");
        music.extend(&play().samples[..20 * second]);
    }
    let noise = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) as i32 as f32) / 2_147_483_648.0;
    music.extend((0..2 * second).map(noise));
    let odd = [f32::NAN, f32::INFINITY, -1e30, 1e-40, -0.0, 3.0, f32::NEG_INFINITY, 0.5];
    music.extend((0..second).map(|i| if i % 50 < 2 { odd[i / 50 % odd.len()] } else { 0.1 * noise(i) }));
    music
}

/// The engine's output on this computer.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    /// The parts, with the place of the first byte of each.
    parts: Vec<(Part, usize)>,
}

impl Watch for Output {
    fn work(&mut self, _: Part, work: impl FnOnce()) {
        work();
    }

    fn bytes(&mut self, part: Part, bytes: &[u8]) {
        if self.parts.last().is_none_or(|(last, _)| *last != part) {
            self.parts.push((part, self.bytes.len()));
        }
        self.bytes.extend(bytes);
    }
}

impl Output {
    /// Plays music.
    fn of(music: &[f32]) -> Self {
        let mut output = Self::default();
        engine::edges(&mut |word| output.bytes(Part::Edges, &word.to_le_bytes()));
        let mut ear = Box::new(Ear::new());
        let mut show = Box::new(Show::new(engine::LEDS, OutputSettings::default()));
        let hop = |k: u32| {
            let at = k as usize * HOP;
            core::array::from_fn(|i| music.get(at + i).copied().unwrap_or(0.0))
        };
        engine::bits(&mut ear, &mut show, music.len().div_ceil(HOP) as u32, hop, &mut output);
        output
    }

    /// A sentence with the number of bytes of each kind.
    fn shape(&self) -> String {
        let ends = self.parts.iter().skip(1).map(|(_, at)| *at).chain([self.bytes.len()]);
        let [mut edges, mut hops, mut frames] = [(0, 0); 3];
        let mut patterns = BTreeSet::new();
        for ((part, from), to) in self.parts.iter().zip(ends) {
            let kind = match part {
                Part::Edges => &mut edges,
                Part::Hop(_) => &mut hops,
                Part::Frame { pattern, .. } => {
                    patterns.insert(*pattern);
                    &mut frames
                }
            };
            *kind = (kind.0 + 1, kind.1 + to - from);
        }
        format!(
            "{} hops ({} B of snapshots), {} frames of {} patterns on {} LEDs ({} B), {} B of arithmetic at its edges",
            hops.0,
            hops.1,
            frames.0,
            patterns.len(),
            engine::LEDS,
            frames.1,
            edges.1
        )
    }

    /// Compares this with the output of another processor.
    ///
    /// # Errors
    /// A sentence with the number of differences and the place of the first.
    fn compare(&self, other: &[u8]) -> Result<String, String> {
        if self.bytes.len() != other.len() {
            return Err(format!("the LX7 gave {} bytes, this computer {}", other.len(), self.bytes.len()));
        }
        let different = self.bytes.iter().zip(other).filter(|(a, b)| a != b).count();
        let Some(first) = self.bytes.iter().zip(other).position(|(a, b)| a != b) else {
            return Ok(format!("{} bytes were compared, 0 different", other.len()));
        };
        let (part, from) = self.parts[self.parts.partition_point(|(_, at)| *at <= first) - 1];
        let what = match part {
            Part::Edges => "arithmetic at its edges".to_owned(),
            Part::Hop(k) => format!("the snapshot of hop {k}"),
            Part::Frame { number, pattern, .. } => format!("frame {number} ({})", PATTERNS[pattern].id),
        };
        let word = first & !3;
        Err(format!(
            "{} bytes were compared, {different} different; the first in {what}, byte {}: {:02x?} here, {:02x?} on the LX7",
            other.len(),
            first - from,
            &self.bytes[word..][..4],
            &other[word..][..4]
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_and_named() {
        let here = Output::of(&vec![0.1; 30 * HOP]);
        assert_eq!(
            here.compare(&here.bytes),
            Ok(format!("{} bytes were compared, 0 different", here.bytes.len()))
        );
        let (of_frame, at) = here.parts.iter().rev().find(|(p, _)| matches!(p, Part::Frame { .. })).unwrap();
        let Part::Frame { number, .. } = of_frame else { unreachable!() };
        let mut there = here.bytes.clone();
        there[at + 7] ^= 1;
        let said = here.compare(&there).unwrap_err();
        assert!(said.contains("1 different") && said.contains(&format!("frame {number} ")), "{said}");
        assert!(said.contains("byte 7"), "{said}");
        assert!(here.compare(&there[1..]).unwrap_err().contains("bytes, this computer"));
    }

    #[test]
    fn the_music_has_every_pattern_and_is_long_enough() {
        assert_eq!(music().len(), 63 * SAMPLE_RATE as usize);
        assert!(music()[..60 * SAMPLE_RATE as usize].iter().all(|x| x.abs() <= 1.0));
    }
}
