//! Golden frames: every pattern from the same music, to the last bit.
//!
//! The frames of the wire are compared by hash with `tests/golden/frames.txt`, the pictures with `docs/patterns/`, pixel
//! by pixel. The engine's arithmetic is the same everywhere, so nothing is tolerated. When a change of the look is
//! meant: `cargo xtask pictures`, and look at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use k1_device::page::fnv;
use k1_engine::patterns::PATTERNS;

const START: &str = "8";
const SECONDS: &str = "6";

fn here(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap()
}

fn render(id: &str, out: &Path) {
    let done = Command::new(env!("CARGO_BIN_EXE_k1"))
        .args(["render", "demo", "--pattern", id, "--start", START, "--duration", SECONDS, "-o"])
        .arg(out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn pixels(path: &Path) -> (u32, u32, Vec<u8>) {
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    (info.width, info.height, bytes)
}

#[test]
fn every_pattern_looks_as_it_did() {
    let bless = std::env::var_os("K1_BLESS").is_some();
    let dir = tempfile::tempdir().unwrap();
    let golden = here("tests/golden/frames.txt");
    let recorded: BTreeMap<String, String> = std::fs::read_to_string(&golden)
        .unwrap_or_default()
        .lines()
        .filter_map(|l| l.split_once(' ').map(|(id, h)| (id.to_owned(), h.to_owned())))
        .collect();
    let mut now = String::new();
    let mut changed = Vec::new();
    for pattern in &PATTERNS {
        let frames = dir.path().join("frames.npy");
        render(pattern.id, &frames);
        let h = format!("{:016x}", fnv(&std::fs::read(&frames).unwrap()));
        now.push_str(&format!("{} {h}\n", pattern.id));
        let picture = here("../../docs/patterns").join(format!("{}.png", pattern.id));
        if bless {
            render(pattern.id, &picture);
            continue;
        }
        let fresh = dir.path().join("picture.png");
        render(pattern.id, &fresh);
        if recorded.get(pattern.id) != Some(&h) || pixels(&fresh) != pixels(&picture) {
            changed.push(pattern.id);
        }
    }
    if bless {
        std::fs::write(golden, now).unwrap();
    } else {
        assert!(
            changed.is_empty(),
            "these look different: {changed:?}; if that is meant: cargo xtask pictures"
        );
        assert_eq!(recorded.len(), PATTERNS.len());
    }
}
