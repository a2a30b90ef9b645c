use proptest::prelude::*;

use super::super::network_golden::{INPUTS, Judge, OUTPUTS, RESULTS, STEPS, WEIGHTS};
use super::*;

/// The inputs of a step in eights.
fn eights<const N: usize>(row: &[i16]) -> Eights<i16, N> {
    let mut eights = [[0; 8]; N];
    eights.as_flattened_mut()[..row.len()].copy_from_slice(row);
    eights
}

#[test]
fn the_script_computes_the_same() {
    let mut network = Judge::BLANK;
    network.start(&WEIGHTS);
    for (step, result) in STEPS.iter().zip(&RESULTS) {
        assert_eq!(network.hop(&WEIGHTS, Some(&eights::<2>(&step[..INPUTS]))), None);
        assert_eq!([0; 2].map(|_| network.hop(&WEIGHTS, None)), [None; 2]);
        let out = network.hop(&WEIGHTS, None).unwrap();
        assert_eq!(out.as_flattened()[..OUTPUTS], *result);
    }
}
