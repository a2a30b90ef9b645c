//! Writes the ear's tables, so that they are part of the program and of a lamp's flash.

#![allow(dead_code, reason = "the engine uses the rest")]

#[path = "src/audio/tables.rs"]
mod tables;

#[path = "src/rate.rs"]
mod rate;

use std::fmt::{Debug, Write};
use std::path::PathBuf;

/// A `static`; `{:?}` writes as many digits of a number as make it the same again.
fn put(code: &mut String, name: &str, kind: &str, help: &str, value: &impl Debug) {
    // Writing to a string does not fail.
    let _ = writeln!(code, "/// {help}\npub static {name}: {kind} = {value:?};");
}

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/audio/tables.rs");
    println!("cargo:rerun-if-changed=src/rate.rs");
    let bank = tables::bank();
    let mut code = String::new();
    let kernels = "[[[f32; HISTORY]; 2]; PER_OCTAVE]";
    put(
        &mut code,
        "KERNELS",
        kernels,
        "Real and imaginary part of the filter bank's kernels, newest sample last, zero-padded at the front.",
        &bank.kernels,
    );
    put(&mut code, "LENGTHS", "[usize; PER_OCTAVE]", "Their lengths in samples.", &bank.lengths);
    let help = "Factor from tone amplitude to the noise-flat scale, per bin.";
    put(&mut code, "FLATTEN", "[f32; BINS]", help, &bank.flatten);
    put(&mut code, "WINDOW", "[f32; FFT]", "The transform's window.", &tables::window());
    put(&mut code, "TWOS", "[f32; FFT / 2]", "Twists of the transform's step by two.", &tables::twos());
    put(&mut code, "FOURS", "[f32; FOURS_COUNT]", "Twists of its steps by four.", &tables::fours());
    let help = "Twists that take the spectra of even and odd samples apart.";
    put(&mut code, "APART", "[[f32; 2]; FFT / 4 + 1]", help, &tables::apart());
    let help = "For each bin of the transform the share of the upper of its two bands.";
    put(&mut code, "UPPER", "[f32; FFT / 2]", help, &tables::upper());
    let help = "The first bin of each band but the highest, and where the last of them ends.";
    put(&mut code, "BAND_FROM", "[u16; BANDS]", help, &tables::band_from());
    put(&mut code, "PRIOR", "[f32; TEMPI]", "How likely each tempo is at first.", &tables::prior());
    let help = "From which tempi a tempo is reached, and how often.";
    put(&mut code, "TRANSITIONS", "[[f32; 2 * REACH + 1]; TEMPI]", help, &tables::transitions());
    std::fs::write(PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("tables.rs"), code)
}
