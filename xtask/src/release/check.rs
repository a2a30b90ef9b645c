//! Whether the programs of a release do the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use k1_fleet::bundle::sha256;

use super::program::System;
use crate::said;

/// What each program must do.
const MUSIC: [&str; 9] = ["render", "demo", "--start", "40", "--duration", "4", "--leds", "60", "-o"];

/// Renders the same music with each program that this machine can run, also by emulation, and compares the bytes. Prints
/// what was compared, and which program cannot be run here.
///
/// # Errors
///
/// A sentence, if a program does not run, or if two give different light.
pub fn same_light(programs: &[(System, PathBuf)]) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|e| format!("a scratch folder: {e}"))?;
    let mut rendered: Option<(String, String)> = None;
    for (system, program) in programs {
        let Some(mut command) = command(*system, program) else {
            println!(
                "{}: not run, because this machine has no emulator for it (qemu-user-static)",
                system.triple
            );
            continue;
        };
        let file = scratch.path().join(system.triple).with_extension("npy");
        said(command.args(MUSIC).arg(&file))?;
        let bytes = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let sum = sha256(&bytes);
        println!("{}: renders 4 s of music to {} B, SHA-256 {sum}", system.triple, bytes.len());
        match &rendered {
            Some((other, first)) if *first != sum => {
                return Err(format!("{} and {other} render different light", system.triple));
            }
            Some(_) => {}
            None => rendered = Some((system.triple.into(), sum)),
        }
    }
    rendered.map(drop).ok_or_else(|| "this machine can run none of the programs".into())
}

/// How a program is run here; `None` if it cannot be.
fn command(system: System, program: &Path) -> Option<Command> {
    if system.is_here() {
        return Some(Command::new(program));
    }
    let names = [format!("qemu-{}-static", system.processor), format!("qemu-{}", system.processor)];
    let emulator = names.iter().find_map(|name| crate::gate::find(name))?;
    let mut command = Command::new(emulator);
    command.arg(program);
    Some(command)
}
