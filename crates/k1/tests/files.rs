//! Sound files: the same music in every format, and files of every other kind.

#[path = "support/music.rs"]
mod music;
mod support;
#[path = "support/wav.rs"]
mod wav;

use std::path::{Path, PathBuf};

use k1::source::{Input, open};
use music::{SECONDS, at_rate, piece};
use support::{Dice, Said, fixture, folder, run};
use wav::header;

/// The piece in every format; files that are not fixtures are written to `dir`.
fn every_form(dir: &Path) -> Vec<PathBuf> {
    let piece = piece();
    let mut all: Vec<PathBuf> =
        ["flac", "mp3", "ogg", "m4a", "aac"].map(|e| fixture(&format!("demo.{e}"))).into();
    for (rate, channels) in [(44_100, 2), (8_000, 1), (96_000, 1)] {
        let path = dir.join(format!("demo-{rate}-{channels}.wav"));
        std::fs::write(&path, wav::wav(&at_rate(&piece, rate), rate, channels)).unwrap();
        all.push(path);
    }
    all
}

fn decoded(path: &Path) -> Vec<f32> {
    let mut source = open(&Input::File(path.to_owned()), 0).unwrap_or_else(|e| panic!("{e}"));
    let mut samples = Vec::new();
    let mut block = [0.0; 1000];
    while let n @ 1.. = source.read(&mut block).unwrap() {
        samples.extend_from_slice(&block[..n]);
    }
    assert_eq!(source.skipped(), 0, "{}", path.display());
    samples
}

/// Correlation of `b` with `a`, where `b` begins `lag` samples late.
fn alike(a: &[f32], b: &[f32], lag: usize) -> f32 {
    let b = &b[lag.min(b.len())..];
    let n = a.len().min(b.len());
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(&a[..n], &b[..n]) / (dot(&a[..n], &a[..n]) * dot(&b[..n], &b[..n])).sqrt()
}

#[test]
fn every_form_decodes_to_the_same_music() {
    let dir = folder();
    let original = piece();
    for path in every_form(dir.path()) {
        let samples = decoded(&path);
        let seconds = samples.len() as f64 / f64::from(k1_engine::SAMPLE_RATE);
        let name = path.display();
        // Some encoders add up to 50 ms of silence at the start without stating it.
        assert!((SECONDS - 0.01..SECONDS + 0.1).contains(&seconds), "{name}: {seconds} s");
        let best = (0..1600).map(|lag| alike(&original, &samples, lag)).fold(0.0, f32::max);
        assert!(best > 0.97, "{name}: correlation {best}");
    }
}

#[test]
fn events_of_a_file_are_json_lines_with_times_that_make_sense() {
    let dir = folder();
    for path in every_form(dir.path()) {
        let said = run(["analyze".as_ref(), path.as_os_str(), "--json".as_ref()]);
        assert_eq!((said.code(), said.err.as_str()), (Some(0), ""), "{said:?}");
        let mut events = said.json_lines();
        let summary = events.pop().unwrap();
        assert_eq!(summary["kind"], "summary", "{summary}");
        let mut before = 0.0;
        for e in &events {
            let number = |field: &str| e[field].as_f64().unwrap_or_else(|| panic!("{field} in {e}"));
            let (t, at) = (number("t"), number("at"));
            assert!(at >= before && at < SECONDS + 0.1, "reports come in order: {e}");
            before = at;
            match e["kind"].as_str() {
                // A beat may be announced shortly before its time; other events only after they were heard.
                Some("beat") => assert!((t - at).abs() < 0.1 && number("bpm") > 0.0, "{e}"),
                Some("onset") => assert!(t <= at && at - t < 0.1 && number("strength") > 0.0, "{e}"),
                Some("downbeat") => assert!((t - at).abs() < 0.1 && number("beats_per_bar") > 1.0, "{e}"),
                Some("section") => assert!(t <= at && e["section"].is_string(), "{e}"),
                Some("tempo") => assert!(t <= at && (0.0..=1.0).contains(&number("confidence")), "{e}"),
                _ => panic!("an event of no known kind: {e}"),
            }
        }
        let onsets = events.iter().filter(|e| e["kind"] == "onset").count();
        assert!((4..=16).contains(&onsets), "{}: {onsets} onsets", path.display());
    }
}

#[test]
fn a_file_renders_to_the_same_bytes_every_time() {
    let dir = folder();
    for path in every_form(dir.path()) {
        let render = |name: &str| {
            let out = dir.path().join(name);
            let said =
                run(["render".as_ref(), path.as_os_str(), "-o".as_ref(), out.as_os_str(), "--json".as_ref()]);
            assert_eq!(said.code(), Some(0), "{said:?}");
            (said.json(), std::fs::read(out).unwrap())
        };
        let ((report, first), (_, second)) = (render("a.npy"), render("b.npy"));
        let heard = report["heard_s"].as_f64().unwrap();
        assert!((SECONDS - 0.01..SECONDS + 0.1).contains(&heard), "{report}");
        assert_eq!(report["skipped_pieces"], 0);
        assert_eq!(first.len() as u64, 128 + report["frames"].as_u64().unwrap() * 180 * 3);
        assert!(first == second, "{}: two runs differ", path.display());
        assert!(first[128..].iter().any(|b| *b > 100), "{}: it shines", path.display());
    }
}

/// Hears a file with any content: K1 must end with status 0, or with 1 and a sentence that names the file.
fn survives(path: &Path) -> Said {
    let said = run(["analyze".as_ref(), path.as_os_str(), "--json".as_ref()]);
    match said.code() {
        Some(0) => drop(said.json_lines()),
        Some(1) => {
            said.is_one_sentence();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(said.err.contains(&*name), "{name} is not in: {}", said.err);
        }
        _ => panic!("{}: {said:?}", path.display()),
    }
    said
}

#[test]
fn what_is_no_sound_is_refused_in_a_sentence_that_names_it() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(path(name), bytes).unwrap();
        path(name)
    };
    survives(&path("missing.wav")).failed_saying(&["there is no file", "missing.wav"]);
    std::fs::create_dir(path("folder.wav")).unwrap();
    survives(&path("folder.wav")).failed_saying(&["the folder", "has no sound files"]);
    for (name, bytes) in [
        ("empty.wav", &b""[..]),
        ("empty", b""),
        ("letter.txt", b"Dear light, please shine.\n"),
        ("letter.mp3", b"Dear light, please shine.\n"),
        ("letter.flac", b"fLaC"),
        ("zeros.ogg", &[0; 70_000]),
        ("page.m4a", b"<!doctype html><title>404</title>"),
        ("only-header.wav", &header(1, 2, 44_100, 16, 0)),
    ] {
        survives(&write(name, bytes)).failed_saying(&[name, "is not audio that K1 can read", "FLAC"]);
    }
    // All commands that hear a file refuse it in the same words.
    let letter = path("letter.txt");
    let npy = path("x.npy");
    let render = run(["render".as_ref(), letter.as_os_str(), "-o".as_ref(), npy.as_os_str()]);
    render.failed_saying(&["letter.txt", "is not audio"]);
    assert!(!npy.exists(), "nothing is left behind");
    run(["run".as_ref(), letter.as_os_str(), "--headless".as_ref()])
        .failed_saying(&["letter.txt", "is not audio"]);
}

#[test]
fn a_wav_header_may_claim_anything() {
    let dir = folder();
    let piece = piece();
    let body: Vec<u8> = piece.iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()).collect();
    let mut n = 0;
    let mut claim = |format, channels, rate, bits, bytes| {
        n += 1;
        let path = dir.path().join(format!("claim-{n}.wav"));
        std::fs::write(&path, [header(format, channels, rate, bits, bytes), body.clone()].concat()).unwrap();
        survives(&path)
    };
    // Stated lengths: 0, half a sample, more than the file has, the largest 32-bit number.
    for bytes in [0, 1, 63_999, 64_001, 1 << 31, u32::MAX - 36, u32::MAX] {
        claim(1, 1, 16_000, 16, bytes);
    }
    // K1 hears the samples that exist, whatever the header states.
    let heard = claim(1, 1, 16_000, 16, u32::MAX - 36);
    assert!(heard.code() == Some(0) && heard.out.contains("onset"), "{heard:?}");
    for rate in [0, 1, 3_999, 768_001, u32::MAX] {
        let said = claim(1, 1, rate, 16, 64_000);
        assert_eq!(said.code(), Some(1), "{rate} Hz: {said:?}");
    }
    // Rates without a common factor with the engine's.
    for rate in [4_001, 44_101, 191_999, 767_999] {
        assert_eq!(claim(1, 1, rate, 16, 64_000).code(), Some(0), "{rate} Hz");
    }
    for channels in [0, 3, 8, 27, 255, u16::MAX] {
        claim(1, channels, 16_000, 16, 64_000);
    }
    for bits in [0, 1, 4, 8, 12, 17, 24, 32, 64, u16::MAX] {
        claim(1, 1, 16_000, bits, 64_000);
        claim(3, 1, 16_000, bits, 64_000);
    }
    for format in [0, 2, 6, 7, 17, 0xfffe, 0xffff] {
        claim(format, 1, 16_000, 16, 64_000);
    }
}

/// A float file may contain NaN, which must not silence the samples after it.
#[test]
fn samples_that_are_no_numbers_do_not_silence_the_rest() {
    let dir = folder();
    let path = dir.path().join("nan.wav");
    let mut sound = at_rate(&piece(), 44_100);
    for (i, x) in
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -f32::MAX, 1e30].into_iter().enumerate()
    {
        sound[1000 + 100 * i] = x;
    }
    let data: Vec<u8> = sound.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(&path, [header(3, 1, 44_100, 32, data.len() as u32), data].concat()).unwrap();
    let samples = decoded(&path);
    assert!(samples.iter().all(|x| x.is_finite()));
    let best = (0..16).map(|lag| alike(&piece()[8_000..], &samples[8_000..], lag)).fold(0.0, f32::max);
    assert!(best > 0.97, "what comes after is as it was: {best}");
}

#[test]
fn a_file_that_was_cut_off_is_heard_as_far_as_it_goes() {
    let dir = folder();
    for form in every_form(dir.path()) {
        let bytes = std::fs::read(&form).unwrap();
        let ending = form.extension().unwrap().to_string_lossy().into_owned();
        for percent in [1, 10, 50, 90, 99] {
            let path = dir.path().join(format!("cut-{percent}.{ending}"));
            std::fs::write(&path, &bytes[..bytes.len() * percent / 100]).unwrap();
            let said = survives(&path);
            // The index of an .m4a is at its end, and decoding needs it.
            if percent >= 50 && ending != "m4a" {
                assert!(
                    said.code() == Some(0) && said.out.contains("onset"),
                    "{percent} % of {ending}: {said:?}"
                );
            }
        }
    }
}

#[test]
fn damaged_files_are_survived() {
    let dir = folder();
    let forms: Vec<_> =
        every_form(dir.path()).into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    let mut heard = 0;
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let (form, bytes) = &forms[seed as usize % forms.len()];
        let damaged = damage(bytes.clone(), &mut dice);
        let path = dir.path().join(format!("damaged-{seed}.{}", form.extension().unwrap().to_string_lossy()));
        std::fs::write(&path, damaged).unwrap();
        heard += u32::from(survives(&path).code() == Some(0));
        std::fs::remove_file(&path).unwrap();
    }
    assert!(heard > 50, "most damage is survived with sound: {heard} of 200");
}

/// Damages bytes as bad disks, bad cables and attackers do.
fn damage(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    // Half of the damage is near the start, where the headers are.
    let reach = if dice.below(2) == 0 { 600 } else { usize::MAX };
    for _ in 0..1 + dice.below(12) {
        let at = dice.below(bytes.len().min(reach));
        let to = (at + 1 + dice.below(300)).min(bytes.len());
        match dice.below(8) {
            0..=2 => bytes[at] ^= 1 << dice.below(8),
            3 => bytes[at] = dice.below(256) as u8,
            4 => bytes[at..to.min(at + 8)].fill([0, 0x7f, 0x80, 0xff][dice.below(4)]),
            5 => drop(bytes.drain(at..to)),
            6 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes[at..to].iter_mut().for_each(|b| *b = dice.below(256) as u8),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
