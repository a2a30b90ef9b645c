//! The input of the ear's network, for training it.

use std::path::Path;

use k1_engine::HOP;
use k1_engine::audio::Ear;

use super::excerpt::ids;
use super::parallel::parallel_map;
use super::wav;

/// Hops of a step.
const STEP_HOPS: usize = 4;

/// Writes `OUT/ID.inputs` for each `audio16/ID.wav` of a corpus that has none yet: the inputs of each step, as
/// little-endian 16-bit words.
pub fn run(corpus: &Path, out: &Path) -> Result<(), String> {
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    parallel_map(&ids(corpus)?, |id| one(corpus, id, out)).into_iter().collect()
}

fn one(corpus: &Path, id: &str, out: &Path) -> Result<(), String> {
    let to = out.join(format!("{id}.inputs"));
    if to.exists() {
        return Ok(());
    }
    let samples = wav::read(&corpus.join("audio16").join(format!("{id}.wav")))?;
    let mut ear = Box::new(Ear::new());
    let mut bytes = Vec::new();
    for (hop, samples) in samples.chunks_exact(HOP).enumerate() {
        ear.push(samples);
        if hop % STEP_HOPS == STEP_HOPS - 1 {
            bytes.extend(ear.network_inputs().into_iter().flat_map(i16::to_le_bytes));
        }
    }
    std::fs::write(&to, bytes).map_err(|e| format!("{}: {e}", to.display()))
}
