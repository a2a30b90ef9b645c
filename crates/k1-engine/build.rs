//! Writes the ear's tables, so that they are part of the program and of a lamp's flash.

#![allow(dead_code, reason = "the engine uses the rest")]

#[path = "src/audio/tables.rs"]
mod tables;

#[path = "src/audio/places.rs"]
mod places;

#[path = "src/rate.rs"]
mod rate;

use std::fmt::{Debug, Write};
use std::path::PathBuf;

/// A `static`; `{:?}` writes as many digits of a number as make it the same again.
fn put(code: &mut String, name: &str, kind: &str, help: &str, value: &impl Debug) {
    // Writing to a string does not fail.
    let _ = writeln!(code, "/// {help}\npub static {name}: {kind} = {value:?};");
}

/// All splits of the trees, by the look that they ask for and within it from the lowest limit up: the limit, the tree, and
/// the leaves that are left when the look exceeds it; with them where those of each look begin, and where the last end.
///
/// The leaf that a tree comes to is then the lowest that no exceeded split has struck out, and of each look only those need
/// be asked that it exceeds, and one more (Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive
/// ensembles of regression trees", SIGIR 2015).
fn splits(trees: &[places::Tree]) -> (Vec<(i16, u16, u8)>, Vec<u16>) {
    let mut all = Vec::new();
    for (number, (splits, _)) in trees.iter().enumerate() {
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let (look, most, below, above) = splits[at as usize];
            all.push((look, most, number as u16, !leaves(splits, below)));
            open.extend([below, above].into_iter().filter(|child| *child >= 0));
        }
    }
    all.sort_unstable();
    let from = (0..=tables::LOOKS)
        .map(|look| all.partition_point(|(l, ..)| usize::from(*l) < look) as u16)
        .collect();
    (all.into_iter().map(|(_, most, tree, left)| (most, tree, left)).collect(), from)
}

/// The leaves that a child leads to, a bit each.
fn leaves(splits: &[(u8, i16, i8, i8)], child: i8) -> u8 {
    if child < 0 {
        return 1 << !child;
    }
    let (_, _, below, above) = splits[child as usize];
    leaves(splits, below) | leaves(splits, above)
}

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/audio/tables.rs");
    println!("cargo:rerun-if-changed=src/audio/places.rs");
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
    put(&mut code, "APART", "[[[f32; 4]; 2]; FFT / 16]", help, &tables::apart());
    let help = "For each bin of the transform the share of the upper of its two bands.";
    put(&mut code, "UPPER", "[f32; FFT / 2]", help, &tables::upper());
    let help = "The first bin of each band but the highest, and where the last of them ends.";
    put(&mut code, "BAND_FROM", "[u16; BANDS]", help, &tables::band_from());
    put(&mut code, "PRIOR", "[f32; TEMPI]", "How likely each tempo is at first.", &tables::prior());
    let help = "From which tempi a tempo is reached, and how often.";
    put(&mut code, "TRANSITIONS", "[[f32; 2 * REACH + 1]; TEMPI]", help, &tables::transitions());
    let trees = places::TREES.as_flattened();
    let (splits, from) = splits(trees);
    let kind = format!("[(i16, u16, u8); {}]", splits.len());
    let help = "Splits of the trees by the look that they ask for, and of each look by the most that goes below: that most, \
                the tree, and the leaves that are left when the look is more.";
    put(&mut code, "SPLITS", &kind, help, &splits);
    let help = "Where the splits of each look begin, and where the last end.";
    put(&mut code, "SPLITS_FROM", &format!("[u16; {}]", from.len()), help, &from);
    let leaves: Vec<_> = trees.iter().map(|(_, leaves)| *leaves).collect();
    let kind = format!("[[i16; 8]; {}]", leaves.len());
    put(&mut code, "LEAVES", &kind, "Leaves of each tree, from below to above.", &leaves);
    std::fs::write(PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("tables.rs"), code)
}
