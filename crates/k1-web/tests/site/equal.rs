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
const FPS: u64 = 60;

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
          const at = Math.floor(frame * 1e6 / 60);
          if (at >= captured(i) + 8000) break;
          const message = player.frame(at);
          each(frame, player.wire(), message);
        }
      });
    };
    const fnv = (hash, bytes) => { for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193); return hash; };
    const hash = (heard, pattern) => {
      let sum = 0x811c9dc5 | 0, frames = 0;
      play(heard, pattern, (n, wire, message) => { sum = fnv(fnv(sum, wire), new Uint8Array(message.buffer)); frames++; });
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

/// Number of frames, and FNV-1a (32 bits) of the bytes for LEDs and of the live messages.
fn here(samples: &[f32], pattern: usize) -> (u64, u32) {
    let (mut ear, mut player) = (Ear::new(), Player::new(LEDS, pattern).unwrap());
    let add = |sum: u32, bytes: &[u8]| {
        bytes.iter().fold(sum, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    };
    let (mut frame, mut sum) = (0, 0x811c_9dc5);
    for hop in samples.as_chunks::<HOP>().0 {
        let sound = *ear.push(hop).unwrap();
        player.hear(&sound.to_words(), 0);
        for at in due(&mut frame, &sound) {
            let message = player.frame(at, false);
            sum = add(add(sum, player.wire()), &message);
        }
    }
    (frame, sum)
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
        let bytes = page.eval(&format!("equal.then((e) => e.bytes(heard, {i}, 480, 840))"));
        let mut file = header(360);
        file.extend(base64(bytes.as_str().unwrap()));
        assert_eq!(file.len(), 128 + 360 * LEDS * 3);
        let (_, want) = golden.iter().find(|(id, _)| id == pattern.id).unwrap();
        assert_eq!(&format!("{:016x}", fnv(&file)), want, "{}", pattern.id);
    }
    println!("site: {} patterns are, byte for byte, what `k1 render` writes", golden.len());
}

/// Two minutes of the built-in music, made in the browser, and of a recording with noise, which it is given.
pub fn minutes_are_the_same(page: &mut Browser, rough: &[f32]) {
    let seconds = 120;
    assert_eq!(page.eval(IN_BROWSER), true);
    page.eval(&format!("equal.then((e) => {{ window.heard = e.hear(null, {seconds} * 125); }})"));
    page.eval(
        "equal.then(async (e) => { const file = await (await fetch('rough.f32')).arrayBuffer(); \
         window.rough = e.hear(new Float32Array(file), Math.floor(file.byteLength / 512)); })",
    );
    let music = sound::demo(seconds);
    for pattern in 0..PATTERNS.len() {
        // All of it with every third pattern, so that the test takes no minutes.
        let (name, samples) = if pattern % 3 == 0 { ("heard", &*music) } else { ("rough", rough) };
        let found = page.eval(&format!("equal.then((e) => e.hash({name}, {pattern}))"));
        let (frames, sum) = here(samples, pattern);
        assert_eq!(found, Value::from(vec![frames, u64::from(sum)]), "{} on {name}", PATTERNS[pattern].id);
    }
    let rough = rough.len() / SAMPLE_RATE as usize;
    println!(
        "site: {seconds} s of music and {rough} s of a bad recording give the same bits as the native engine"
    );
}
