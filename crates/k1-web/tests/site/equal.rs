//! The engine in a browser gives the bits of the program.

use std::path::Path;

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::patterns::PATTERNS;
use k1_engine::{HOP, HOP_US, SAMPLE_RATE};
use k1_http::etag::fnv;
use k1_web::player::Player;
use serde_json::Value;

use super::chromium::{Browser, base64};
use super::sound;

const LEDS: usize = 180;
/// As `k1 render` has it by default.
const FPS: u64 = 120;

/// Ear and renderer in step, as `k1 render` runs them, in JavaScript.
const IN_BROWSER: &str = r"
  window.equal = (async () => {
    const { Listener, Player, compiled } = await import('./engine.js');
    const module = await compiled();
    /** Hears samples, or that much of the built-in music. */
    const hear = (samples, hops) => {
      const ear = new Listener(module, 16000);
      return Array.from({ length: hops }, (_, i) => (samples ? ear.push(samples.subarray(128 * i, 128 * (i + 1))) : ear.demo(128))[0]);
    };
    const captured = (i) => 8000 * (i + 1);
    /** Renders the snapshots with a pattern; `each` gets number, bytes for LEDs and live message of each frame. */
    const play = (heard, pattern, each) => {
      const player = new Player(module, 180, pattern);
      let frame = 0;
      heard.forEach((words, i) => {
        player.hear(words, 0);
        for (; ; frame++) {
          const at = Math.floor(frame * 1e6 / 120);
          if (at >= captured(i) + 8000) break;
          const message = player.frame(at);
          each(frame, player.wire(), message, player);
        }
      });
    };
    const fnv = (hash, bytes) => {
      for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
      return hash;
    };
    /** Number of frames, and hash of all they are, while the pattern changes to the next of `ids` after `each` frames. */
    const hash = (heard, ids, each) => {
      let sum = 0x811c9dc5 | 0, frames = 0;
      play(heard, 0, (n, wire, message, player) => {
        sum = fnv(fnv(sum, wire), new Uint8Array(message.buffer));
        frames++;
        if (frames % each === 0) player.obey({ pattern: ids[frames / each % ids.length] });
      });
      return [frames, sum >>> 0];
    };
    /** Frames from `start` to `end` as base64. */
    const bytes = (heard, pattern, start, end) => {
      const parts = [];
      play(heard, pattern, (n, wire) => { if (n >= start && n < end) parts.push(String.fromCharCode(...wire)); });
      return btoa(parts.join(''));
    };
    return { hear, hash, bytes };
  })();
  window.equal.then(() => true)";

/// The numbers of frames that fall before the end of the hop after `sound`.
fn due(frame: &mut u64, sound: &Snapshot) -> impl Iterator<Item = u64> {
    let (from, until) = (*frame, sound.captured_us + HOP_US);
    let frames = (from..).take_while(move |n| n * 1_000_000 / FPS < until);
    *frame = frames.clone().last().map_or(from, |last| last + 1);
    frames.map(|n| n * 1_000_000 / FPS)
}

/// Number of frames, and FNV-1a (32 bits) of the bytes for LEDs and of the live messages, while the pattern changes after
/// `each` frames.
fn here(samples: &[f32], each: u64) -> (u64, u32) {
    let (mut ear, mut player) = (Ear::new(), Player::new(LEDS, 0).unwrap());
    let add = |sum: u32, bytes: &[u8]| {
        bytes.iter().fold(sum, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    };
    let (mut frame, mut frames, mut sum) = (0, 0, 0x811c_9dc5);
    for hop in samples.as_chunks::<HOP>().0 {
        let sound = *ear.push(hop).unwrap();
        player.hear(&sound.to_words(), 0);
        for at in due(&mut frame, &sound) {
            let message = player.frame(at, false);
            sum = add(add(sum, player.wire()), &message);
            frames += 1;
            if frames % each == 0 {
                let next = PATTERNS[(frames / each) as usize % PATTERNS.len()].id;
                assert!(player.obey(at, format!(r#"{{"pattern":"{next}"}}"#).as_bytes()).is_empty());
            }
        }
    }
    (frames, sum)
}

/// The header of the file that `k1 render` writes (NEP 1).
fn header(frames: usize) -> Vec<u8> {
    let dict = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({frames}, {LEDS}, 3), }}");
    let mut header = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    header.extend(dict.as_bytes());
    header.resize(127, b' ');
    header.push(b'\n');
    header
}

/// The golden frames: hashes of what `k1 render demo --pattern ID --start 8 --duration 6 -o frames.npy` writes.
fn golden() -> Vec<(String, String)> {
    let file = std::path::absolute(Path::new("../k1/tests/golden/frames.txt")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().filter_map(|line| line.split_once(' ')).map(|(id, hash)| (id.into(), hash.into())).collect()
}

/// The frames of `k1 render`, by the hashes with which its own test compares them.
pub fn renders_as_k1_render(page: &mut Browser) {
    assert_eq!(page.eval(IN_BROWSER), true);
    page.eval("equal.then((e) => { window.heard = e.hear(null, 14 * 125); })");
    let golden = golden();
    assert_eq!(golden.len(), PATTERNS.len());
    for (i, pattern) in PATTERNS.iter().enumerate() {
        let bytes = page.eval(&format!("equal.then((e) => e.bytes(heard, {i}, 960, 1680))"));
        let mut file = header(720);
        file.extend(base64(bytes.as_str().unwrap()));
        assert_eq!(file.len(), 128 + 720 * LEDS * 3);
        let (_, want) = golden.iter().find(|(id, _)| id == pattern.id).unwrap();
        assert_eq!(&format!("{:016x}", fnv(&file)), want, "{}", pattern.id);
    }
    println!("site: {} patterns are, byte for byte, what `k1 render` writes", golden.len());
}

/// Two minutes of the built-in music, made in the browser, and of a recording with noise, which it is given.
pub fn minutes_are_the_same(page: &mut Browser, rough: &[f32]) {
    let seconds = 120;
    assert_eq!(page.eval(IN_BROWSER), true);
    page.eval(
        "equal.then(async (e) => { const file = await (await fetch('rough.f32')).arrayBuffer(); \
         window.rough = e.hear(new Float32Array(file), Math.floor(file.byteLength / 512)); })",
    );
    page.eval(&format!("equal.then((e) => {{ window.music = e.hear(null, {seconds} * 125); }})"));
    let ids: Vec<_> = PATTERNS.iter().map(|pattern| pattern.id).collect();
    let music = sound::demo(seconds);
    for (name, samples) in [("rough", rough), ("music", &*music)] {
        // Each pattern gets its time, with cross-fades between them.
        let length = samples.len() as u64 * FPS / u64::from(SAMPLE_RATE) / PATTERNS.len() as u64;
        let found =
            page.eval(&format!("equal.then((e) => e.hash({name}, {}, {length}))", serde_json::json!(ids)));
        let (frames, sum) = here(samples, length);
        assert_eq!(found, Value::from(vec![frames, u64::from(sum)]), "{name}");
        let (seconds, all) = (samples.len() / SAMPLE_RATE as usize, ids.len());
        println!(
            "site: {seconds} s of {name}, {frames} frames of {all} patterns, are the native engine's, bit for bit"
        );
    }
}
