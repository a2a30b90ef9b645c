//! Generates the ear's tables as `static`s, so that they are part of the program and of a lamp's flash.

#![allow(dead_code, reason = "the engine uses the rest")]

#[path = "src/audio/tables.rs"]
mod tables;

#[path = "src/rate.rs"]
mod rate;

use std::fmt::{Debug, Write};
use std::path::PathBuf;

/// Appends a `static`. `{:?}` prints enough digits of a float to restore it exactly.
fn put(code: &mut String, name: &str, kind: &str, help: &str, value: &impl Debug) {
    // Writing to a string does not fail.
    let _ = writeln!(code, "/// {help}\npub static {name}: {kind} = {value:?};");
}

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/audio/tables.rs");
    println!("cargo:rerun-if-changed=src/rate.rs");
    let bank = tables::bank();
    let mut code = String::new();
    let kernels = "[[[[f32; 4]; 2]; HISTORY / 4]; PER_OCTAVE]";
    put(
        &mut code,
        "KERNELS",
        kernels,
        "Real and imaginary part of the filter bank's kernels in groups of four, newest sample last, zero-padded at the front.",
        &bank.kernels,
    );
    put(&mut code, "LENGTHS", "[usize; PER_OCTAVE]", "Their lengths in samples.", &bank.lengths);
    let help = "Factor from tone amplitude to the noise-flat scale, per bin.";
    put(&mut code, "FLATTEN", "[f32; BINS]", help, &bank.flatten);
    put(&mut code, "HALF_WINDOW", "[f32; FFT]", "Half the window of the FFT.", &tables::half_window());
    put(
        &mut code,
        "RADIX2_TWIDDLES",
        "[f32; FFT / 2]",
        "Twiddle factors of the radix-2 step.",
        &tables::radix2_twiddles(),
    );
    put(
        &mut code,
        "RADIX4_TWIDDLES",
        "[f32; RADIX4_TWIDDLE_COUNT]",
        "Twiddle factors of the radix-4 steps.",
        &tables::radix4_twiddles(),
    );
    let help = "Twiddle factors that separate the spectra of even and odd samples.";
    put(&mut code, "REAL_TWIDDLES", "[[[f32; 4]; 2]; FFT / 16]", help, &tables::real_twiddles());
    let help = "For each FFT bin, the share that counts for the upper of its two bands.";
    put(&mut code, "UPPER_SHARE", "[f32; FFT / 2]", help, &tables::upper_share());
    let help = "The first bin of each band but the highest, and the end of the last.";
    put(&mut code, "BAND_START", "[u16; BANDS]", help, &tables::band_start());
    put(&mut code, "PRIOR", "[f32; TEMPI]", "Prior probability of each tempo.", &tables::prior());
    let help = "For each tempo, the probabilities of the transitions that lead to it.";
    put(&mut code, "TRANSITIONS", "[[f32; 2 * REACH + 1]; TEMPI]", help, &tables::transitions());
    let help = "Value of the logistic function at the beginning of each segment of −8 … 8, in 1/65536, and its rise to the end.";
    put(&mut code, "LOGISTIC", "[[u16; 2]; 256]", help, &tables::logistic());
    std::fs::write(PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("tables.rs"), code)
}
