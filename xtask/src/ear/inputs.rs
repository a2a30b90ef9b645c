//! The input of the ear's network, for training it.

use std::path::Path;

use k1_engine::HOP;
use k1_engine::audio::Ear;

use super::parallel::parallel_map;
use super::wav;

/// Hops of a step.
const STEP_HOPS: usize = 4;

/// Writes `OUT/ID.inputs` for each `audio16/ID.wav` of a corpus that has none yet: the inputs of each step, as
/// little-endian 16-bit words.
pub fn run(corpus: &Path, out: &Path) -> Result<(), String> {
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let folder = corpus.join("audio16");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "wav"));
    files.sort();
    parallel_map(&files, |file| one(file, out)).into_iter().collect()
}

fn one(file: &Path, out: &Path) -> Result<(), String> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let to = out.join(format!("{name}.inputs"));
    if to.exists() {
        return Ok(());
    }
    let samples = wav::read(file)?;
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
