//! Playlists: several files, folders and M3U files play one after the other without a gap.

mod support;
#[path = "support/wav.rs"]
mod wav;

use std::path::Path;

use serde_json::Value;
use support::{fixture, folder, k1, run, start};

/// Clicks at 120 BPM with a tone, as 16-bit samples.
fn music(rate: u32, seconds: u32) -> Vec<f32> {
    let samples = rate * seconds;
    (0..samples)
        .map(|i| {
            let t = f64::from(i) / f64::from(rate);
            let since = t % 0.5;
            let click = (-60.0 * since).exp() * (std::f64::consts::TAU * 180.0 * since).sin();
            (0.7 * click + 0.1 * (std::f64::consts::TAU * 440.0 * t).sin()) as f32
        })
        .collect()
}

fn events(input: &Path) -> Vec<Value> {
    let said = run(["analyze", "--json", input.to_str().unwrap()]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let events = said.json_lines();
    events.into_iter().filter(|line| line.get("at").is_some()).collect()
}

#[test]
fn two_halves_of_a_sound_give_the_events_of_the_whole() {
    let dir = folder();
    let rate = 44_100;
    let samples = music(rate, 7);
    let whole = dir.path().join("whole.wav");
    std::fs::write(&whole, wav::wav(&samples, rate, 2)).unwrap();
    let halves = dir.path().join("halves");
    std::fs::create_dir_all(&halves).unwrap();
    // In the middle of a click.
    let cut = (rate * 4 + rate / 100) as usize;
    std::fs::write(halves.join("1.wav"), wav::wav(&samples[..cut], rate, 2)).unwrap();
    std::fs::write(halves.join("2.wav"), wav::wav(&samples[cut..], rate, 2)).unwrap();
    let list = dir.path().join("list.m3u");
    std::fs::write(&list, "#EXTM3U\nhalves/1.wav\nhalves/2.wav\n").unwrap();
    let expected = events(&whole);
    assert!(expected.len() > 10, "{expected:?}");
    assert_eq!(events(&list), expected);
}

#[test]
fn what_plays_is_told_in_a_line_and_by_the_api_and_what_cannot_is_skipped() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (name, seconds) in [("first.wav", 3), ("last.wav", 20)] {
        std::fs::write(at(name), wav::wav(&music(16_000, seconds), 16_000, 1)).unwrap();
    }
    std::fs::write(at("broken.flac"), "fLaC but not really").unwrap();
    let inputs = ["first.wav", "gone.wav", "broken.flac", "last.wav"].map(at);
    let mut k1 = start(k1(["run", "--listen", "127.0.0.1:0"]).args(inputs));
    k1.prints("hearing first.wav");
    let page = k1.page();
    let source = || {
        let mut answer = ureq::get(format!("{page}api/v1/status")).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    k1.prints("[PLAYING] last.wav");
    assert!(source().contains("last.wav"), "{}", source());
    let said = k1.said();
    assert!(said.contains("gone.wav does not exist; K1 skips it"), "{said}");
    assert!(said.contains("broken.flac is not audio") && said.lines().count() == 2, "{said}");
    k1.interrupt();
    assert_eq!(k1.end().code(), Some(0));
}

#[test]
fn a_list_without_anything_to_play_is_a_clear_error() {
    let dir = folder();
    let list = dir.path().join("list.m3u8");
    std::fs::write(&list, "#EXTM3U\n").unwrap();
    run(["run", dir.path().to_str().unwrap(), "--headless"]).failed_saying(&["has no sound files"]);
    run(["run", list.to_str().unwrap(), "--headless"]).failed_saying(&["names no files"]);
    std::fs::write(&list, "gone.mp3\n").unwrap();
    let said = run(["run", list.to_str().unwrap(), "--headless"]);
    assert_eq!((said.code(), said.err.lines().count()), (Some(1), 2), "{said:?}");
    assert!(
        said.err.contains("gone.mp3 does not exist") && said.err.contains("cannot be played"),
        "{said:?}"
    );
    let said = run(["run", "mic", list.to_str().unwrap(), "--headless"]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    said.is_one_sentence();
}

#[test]
fn nothing_is_written_over_a_file_of_a_list() {
    let dir = folder();
    let song = dir.path().join("song.flac");
    std::fs::copy(fixture("demo.flac"), &song).unwrap();
    let before = std::fs::read(&song).unwrap();
    let list = dir.path().join("list.m3u");
    std::fs::write(&list, "song.flac\n").unwrap();
    let onto = format!("file:{}", song.display());
    let said = run(["run", list.to_str().unwrap(), "--headless", "--to", &onto]);
    said.failed_saying(&["song.flac"]);
    assert_eq!(std::fs::read(&song).unwrap(), before);
}

#[test]
fn a_show_file_may_name_a_folder_beside_it() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("songs")).unwrap();
    for name in ["a.wav", "b.wav"] {
        std::fs::write(dir.path().join("songs").join(name), wav::wav(&music(16_000, 1), 16_000, 1)).unwrap();
    }
    let show = dir.path().join("k1.toml");
    let text = "version = 1\ninput = \"songs\"\n\n[[light]]\nname = \"A\"\nto = \"ddp://127.0.0.1:9\"\nleds = 6\n\n[[zone]]\nname = \"Z\"\npieces = [{ light = \"A\" }]\n";
    std::fs::write(&show, text).unwrap();
    let said = run(["run", "--headless", "--show", show.to_str().unwrap(), "--duration", "5"]);
    assert!(said.out.contains("hearing a.wav") && said.out.contains("[PLAYING] b.wav"), "{said:?}");
    assert!(said.out.contains("[PLAYING] a.wav"), "it begins anew: {said:?}");
}
