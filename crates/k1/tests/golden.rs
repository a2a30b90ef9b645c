//! Golden frames: every pattern, rendered from the same music, must match exactly.
//!
//! The test compares hashes of the wire's frames with `tests/golden/frames.txt`, and the pictures with
//! `docs/patterns/`, pixel by pixel. The engine's arithmetic is the same everywhere, so there is no tolerance. After an
//! intended change of the look, run `cargo xtask pictures` and check the results. It also renders the README's
//! animation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use k1_engine::patterns::PATTERNS;
use k1_http::etag::fnv;

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

/// The README's command for its animation, without `k1` and the output file.
fn animation_command() -> Vec<String> {
    let readme = std::fs::read_to_string(here("../../README.md")).unwrap();
    let line = readme.lines().find(|l| l.starts_with("k1 render") && l.ends_with("-o docs/k1.gif"));
    let line = line.expect("README shows the command that renders docs/k1.gif");
    let words = line.strip_suffix("-o docs/k1.gif").unwrap().split_whitespace().skip(1);
    words.map(str::to_owned).collect()
}

/// Width, height, number of frames and duration in seconds.
fn animation(path: &Path) -> (u16, u16, usize, f64) {
    let mut reader = gif::DecodeOptions::new().read_info(std::fs::File::open(path).unwrap()).unwrap();
    let (mut frames, mut hundredths) = (0, 0);
    while let Some(frame) = reader.next_frame_info().unwrap() {
        frames += 1;
        hundredths += u32::from(frame.delay);
    }
    (reader.width(), reader.height(), frames, f64::from(hundredths) / 100.0)
}

#[test]
fn readme_s_animation_is_small_and_its_command_works() {
    let mut args = animation_command();
    let shown = here("../../docs/k1.gif");
    if std::env::var_os("K1_BLESS").is_some() {
        let done = Command::new(env!("CARGO_BIN_EXE_k1")).args(&args).arg("-o").arg(&shown).status().unwrap();
        assert!(done.success());
        return;
    }
    let value = |args: &[String], option: &str| args.iter().position(|a| a == option).map(|i| i + 1).unwrap();
    let duration: f64 = args[value(&args, "--duration")].parse().unwrap();
    let (width, height, frames, seconds) = animation(&shown);
    assert!((seconds - duration).abs() < 0.1 && frames > 50, "{frames} frames in {seconds} s");
    assert!(std::fs::metadata(&shown).unwrap().len() < 1_500_000, "README loads slowly");
    // Make its patterns change within a second, so that the test need not hear the whole song.
    let (start, length) = (value(&args, "--start"), value(&args, "--duration"));
    args[start] = "2".into();
    args[length] = "1".into();
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("k1.gif");
    let done = Command::new(env!("CARGO_BIN_EXE_k1")).args(&args).arg("-o").arg(&fresh).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (w, h, n, s) = animation(&fresh);
    assert_eq!((w, h, n), (width, height, (frames as f64 / seconds).round() as usize));
    assert!((s - 1.0).abs() < 0.05, "{s} s");
    // Without `--then` the end looks different, but the beginning is the same.
    let plain: Vec<_> = args.iter().take_while(|a| *a != "--then").collect();
    let first = dir.path().join("first.gif");
    let done = Command::new(env!("CARGO_BIN_EXE_k1")).args(plain).arg("-o").arg(&first).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (a, b) = (std::fs::read(fresh).unwrap(), std::fs::read(first).unwrap());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    assert!((a.len() / 10..a.len() / 2).contains(&same), "{same} of {} bytes are the same", a.len());
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
