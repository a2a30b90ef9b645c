//! Generates the ear's tables as `static`s, so that they are part of the program and of a lamp's flash.

#![allow(dead_code, reason = "the engine uses the rest")]

#[path = "src/audio/tables.rs"]
mod tables;

#[path = "src/audio/observation_trees.rs"]
mod observation_trees;

#[path = "src/rate.rs"]
mod rate;

use std::fmt::{Debug, Write};
use std::path::PathBuf;

/// Appends a `static`. `{:?}` prints enough digits of a float to restore it exactly.
fn put(code: &mut String, name: &str, kind: &str, help: &str, value: &impl Debug) {
    // Writing to a string does not fail.
    let _ = writeln!(code, "/// {help}\npub static {name}: {kind} = {value:?};");
}

/// Splits of all trees, sorted by feature and limit, and the index of each feature's first split (and of the end).
///
/// A split is its limit, its tree, and a mask of the leaves that remain when the feature exceeds the limit. The leaf
/// of a tree is the lowest that no exceeded split has masked out, so only the exceeded splits of a feature are
/// visited, and one more (Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles
/// of regression trees", SIGIR 2015).
fn splits(trees: &[observation_trees::Tree]) -> (Vec<(i16, u16, u8)>, Vec<u16>) {
    let mut all = Vec::new();
    for (number, (splits, _)) in trees.iter().enumerate() {
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let (feature, most, below, above) = splits[at as usize];
            all.push((feature, most, number as u16, !leaves(splits, below)));
            open.extend([below, above].into_iter().filter(|child| *child >= 0));
        }
    }
    all.sort_unstable();
    let from = (0..=tables::FEATURES)
        .map(|feature| all.partition_point(|(l, ..)| usize::from(*l) < feature) as u16)
        .collect();
    (all.into_iter().map(|(_, most, tree, left)| (most, tree, left)).collect(), from)
}

/// Mask of the leaves below a child.
fn leaves(splits: &[(u8, i16, i8, i8)], child: i8) -> u8 {
    if child < 0 {
        return 1 << !child;
    }
    let (_, _, below, above) = splits[child as usize];
    leaves(splits, below) | leaves(splits, above)
}

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/audio/tables.rs");
    println!("cargo:rerun-if-changed=src/audio/observation_trees.rs");
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
    let trees = observation_trees::TREES.as_flattened();
    let (splits, from) = splits(trees);
    let kind = format!("[(i16, u16, u8); {}]", splits.len());
    let help = "Splits of all trees, sorted by feature and limit: the limit, the tree, and the mask of the leaves that remain \
                when the feature exceeds the limit.";
    put(&mut code, "SPLITS", &kind, help, &splits);
    let help = "Index of the first split of each feature, and the end of the last.";
    put(&mut code, "SPLITS_FROM", &format!("[u16; {}]", from.len()), help, &from);
    let leaves: Vec<_> = trees.iter().map(|(_, leaves)| *leaves).collect();
    let kind = format!("[[i16; 8]; {}]", leaves.len());
    put(&mut code, "LEAVES", &kind, "Leaves of each tree, in order.", &leaves);
    std::fs::write(PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("tables.rs"), code)
}
