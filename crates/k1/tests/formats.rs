//! Compares every container and codec with the same sound as WAV: its beginning, its length, its similarity. The table
//! in `docs/formats.md` contains the results of this test.
//!
//! The test encodes the sounds with `ffmpeg`, `lame`, `oggenc`, `opusenc` and `flac`. If one of them is missing, the
//! test prints that it was skipped and passes; with `encoders` in `K1_REQUIRE` it fails instead. `K1_WRITE=formats`
//! rewrites the table; `--nocapture` shows the figures.

mod support;
#[path = "support/wav.rs"]
mod wav;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use k1::source::{Damage, Input, open};
use support::folder;

/// Sample rate of the encoded sound, in Hz.
const RATE: u32 = 44_100;
/// Length of the encoded sound in seconds.
const SECONDS: f64 = 3.0;

/// Container, codec, the command that makes it from `in.wav`, and the resulting file.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("WAV", "PCM, 8 bits", "ffmpeg -i in.wav -c:a pcm_u8 out", "u8.wav"),
    ("WAV", "PCM, 16 bits", "ffmpeg -i in.wav out", "s16.wav"),
    ("WAV", "PCM, 24 bits", "ffmpeg -i in.wav -c:a pcm_s24le out", "s24.wav"),
    ("WAV", "PCM, 32 bits", "ffmpeg -i in.wav -c:a pcm_s32le out", "s32.wav"),
    ("WAV", "PCM, 32 bits, float", "ffmpeg -i in.wav -c:a pcm_f32le out", "f32.wav"),
    ("WAV", "PCM, 64 bits, float", "ffmpeg -i in.wav -c:a pcm_f64le out", "f64.wav"),
    ("WAV", "A-law", "ffmpeg -i in.wav -c:a pcm_alaw out", "alaw.wav"),
    ("WAV", "µ-law", "ffmpeg -i in.wav -c:a pcm_mulaw out", "mulaw.wav"),
    ("WAV", "IMA ADPCM", "ffmpeg -i in.wav -c:a adpcm_ima_wav out", "ima.wav"),
    ("WAV", "Microsoft ADPCM", "ffmpeg -i in.wav -c:a adpcm_ms out", "ms.wav"),
    ("WAV", "MP3", "ffmpeg -i in.wav -c:a libmp3lame out", "mp3.wav"),
    ("WAV from a pipe", "PCM, 16 bits", "ffmpeg -i in.wav -f wav - | cat > out", "pipe.wav"),
    ("RF64", "PCM, 16 bits", "ffmpeg -i in.wav -rf64 always out", "rf64.wav"),
    ("Wave64", "PCM, 16 bits", "ffmpeg -i in.wav out", "x.w64"),
    ("AIFF", "PCM, 16 bits", "ffmpeg -i in.wav out", "x.aiff"),
    ("AIFF", "PCM, 24 bits", "ffmpeg -i in.wav -c:a pcm_s24be out", "s24.aiff"),
    ("AIFF-C", "PCM, 16 bits, little endian", "ffmpeg -i in.wav -c:a pcm_s16le -f aiff out", "sowt.aifc"),
    ("AU", "PCM, 16 bits", "ffmpeg -i in.wav -c:a pcm_s16be out", "x.au"),
    ("AU", "µ-law", "ffmpeg -i in.wav -c:a pcm_mulaw out", "mulaw.au"),
    ("CAF", "PCM, 16 bits", "ffmpeg -i in.wav -c:a pcm_s16be out", "x.caf"),
    ("CAF", "ALAC", "ffmpeg -i in.wav -c:a alac out", "alac.caf"),
    ("FLAC", "FLAC", "flac -s -f in.wav -o out", "x.flac"),
    ("FLAC", "FLAC, by ffmpeg", "ffmpeg -i in.wav out", "ff.flac"),
    ("none", "MP3, VBR, by LAME", "lame --quiet -V2 in.wav out", "vbr.mp3"),
    ("none", "MP3, CBR, by LAME", "lame --quiet -b 128 in.wav out", "cbr.mp3"),
    ("none", "MP3 without a header frame", "lame --quiet -t -b 128 in.wav out", "bare.mp3"),
    ("none", "MP3, by ffmpeg", "ffmpeg -i in.wav -c:a libmp3lame out", "ff.mp3"),
    ("none", "MP3, 22,050 Hz", "lame --quiet -b 64 --resample 22.05 in.wav out", "low.mp3"),
    ("none", "MP3, 8,000 Hz", "lame --quiet -b 16 --resample 8 in.wav out", "least.mp3"),
    ("none", "MP3 of a free bit rate", "lame --quiet --freeformat -b 400 in.wav out", "free.mp3"),
    ("none", "MP2", "ffmpeg -i in.wav -c:a mp2 -b:a 256k out", "x.mp2"),
    ("ADTS", "AAC", "ffmpeg -i in.wav -c:a aac -b:a 128k -f adts out", "x.aac"),
    ("MP4", "AAC", "ffmpeg -i in.wav -c:a aac -b:a 128k out", "x.m4a"),
    ("MP4", "AAC, index in front", "ffmpeg -i in.wav -c:a aac -movflags +faststart out", "fast.m4a"),
    (
        "MP4",
        "AAC, in fragments",
        "ffmpeg -i in.wav -c:a aac -movflags frag_keyframe+empty_moov+default_base_moof out",
        "frag.m4a",
    ),
    ("MP4", "ALAC", "ffmpeg -i in.wav -c:a alac out", "alac.m4a"),
    ("MP4", "FLAC", "ffmpeg -i in.wav -c:a flac -strict -2 out", "flac.mp4"),
    ("MP4", "MP3", "ffmpeg -i in.wav -c:a libmp3lame out", "mp3.mp4"),
    ("MP4", "Opus", "ffmpeg -i in.wav -c:a libopus -strict -2 out", "opus.mp4"),
    ("MP4", "AAC, 6 channels", "ffmpeg -i in.wav -ac 6 -c:a aac out", "six.m4a"),
    ("QuickTime", "PCM, 16 bits", "ffmpeg -i in.wav -c:a pcm_s16le out", "x.mov"),
    ("QuickTime", "ALAC", "ffmpeg -i in.wav -c:a alac out", "alac.mov"),
    ("QuickTime", "IMA ADPCM", "ffmpeg -i in.wav -c:a adpcm_ima_qt out", "ima.mov"),
    ("Ogg", "Vorbis", "oggenc -Q -q4 in.wav -o out", "x.ogg"),
    ("Ogg", "Vorbis, by ffmpeg", "ffmpeg -i in.wav -c:a libvorbis out", "ff.ogg"),
    ("Ogg", "Opus", "opusenc --quiet in.wav out", "x.opus"),
    ("Ogg", "Opus, speech", "opusenc --quiet --speech --bitrate 24 in.wav out", "speech.opus"),
    ("Ogg", "Opus, by ffmpeg", "ffmpeg -i in.wav -c:a libopus out", "ff.opus"),
    ("Ogg", "Opus, 6 channels", "ffmpeg -i in.wav -ac 6 -c:a libopus out", "six.opus"),
    ("Ogg", "FLAC", "ffmpeg -i in.wav -c:a flac -f ogg out", "flac.oga"),
    ("Ogg", "Speex", "ffmpeg -i in.wav -c:a libspeex -ar 32000 out", "x.spx"),
    ("WebM", "Opus", "ffmpeg -i in.wav -c:a libopus out", "opus.webm"),
    ("WebM", "Vorbis", "ffmpeg -i in.wav -c:a libvorbis out", "vorbis.webm"),
    ("Matroska", "AAC", "ffmpeg -i in.wav -c:a aac out", "aac.mka"),
    ("Matroska", "MP3", "ffmpeg -i in.wav -c:a libmp3lame out", "mp3.mka"),
    ("Matroska", "FLAC", "ffmpeg -i in.wav -c:a flac out", "flac.mka"),
    ("Matroska", "PCM, 16 bits", "ffmpeg -i in.wav -c:a pcm_s16le out", "pcm.mka"),
    ("Matroska", "Dolby Digital (AC-3)", "ffmpeg -i in.wav -c:a ac3 out", "ac3.mka"),
    ("none", "Dolby Digital (AC-3)", "ffmpeg -i in.wav -c:a ac3 out", "x.ac3"),
    ("WavPack", "WavPack", "ffmpeg -i in.wav -c:a wavpack out", "x.wv"),
    ("TTA", "True Audio", "ffmpeg -i in.wav -c:a tta out", "x.tta"),
    ("ASF", "Windows Media (WMA)", "ffmpeg -i in.wav -c:a wmav2 out", "x.wma"),
    ("MPEG-TS", "AAC", "ffmpeg -i in.wav -c:a aac out", "x.ts"),
    ("AVI", "MP3", "ffmpeg -i in.wav -c:a libmp3lame out", "x.avi"),
];

/// Notes at irregular times, so that only one shift fits.
fn sound() -> Vec<f32> {
    let mut out = vec![0.0; (SECONDS * f64::from(RATE)) as usize];
    let mut at = 0.11;
    let mut n = 0_u32;
    while at < SECONDS - 0.2 {
        let start = (at * f64::from(RATE)) as usize;
        for (i, x) in out[start..].iter_mut().take(6_000).enumerate() {
            let t = i as f32 / RATE as f32;
            let hz = 300.0 + 170.0 * (n % 7) as f32;
            *x += 0.5 * (-t * 30.0).exp() * (t * hz * std::f32::consts::TAU).sin();
        }
        n += 1;
        at += 0.13 + 0.017 * f64::from(n * n % 11);
    }
    out
}

/// All samples of a file, and its damage; an error if K1 cannot hear it.
fn heard(path: &Path) -> Result<(Vec<f32>, Vec<Damage>), String> {
    let mut source = open(&Input::File(path.to_owned()), 0).map_err(|e| e.to_string())?;
    let (mut samples, mut block) = (Vec::new(), [0.0; 1000]);
    while let n @ 1.. = source.read(&mut block).map_err(|e| e.to_string())? {
        samples.extend_from_slice(&block[..n]);
    }
    Ok((samples, source.damage().to_vec()))
}

/// The delay of `b` in samples, and the similarity of both at this delay.
fn late(a: &[f32], b: &[f32]) -> (i64, f32) {
    const REACH: i64 = 700;
    let piece = &a[14_000..18_000];
    let power = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
    (-REACH..REACH)
        .filter_map(|lag| {
            let from = 14_000 + lag;
            let other = b.get(from as usize..(from + 4_000) as usize)?;
            let dot: f32 = piece.iter().zip(other).map(|(x, y)| x * y).sum();
            Some((lag, dot / (power(piece) * power(other)).sqrt().max(1e-9)))
        })
        .max_by(|x, y| x.1.total_cmp(&y.1))
        .unwrap_or((0, 0.0))
}

fn grade(reference: &[f32], path: &Path) -> (&'static str, String) {
    let (samples, damage) = match heard(path) {
        Ok(heard) => heard,
        Err(why) => return ("not heard", why),
    };
    let (lag, alike) = late(reference, &samples);
    let longer = samples.len() as i64 - reference.len() as i64;
    let differs = reference.iter().zip(&samples).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let figures = format!(
        "{:+.2} ms, {} samples ({longer:+}), correlation {alike:.4}, differs by {differs:.5}, {} damaged",
        lag as f64 / 16.0,
        samples.len(),
        damage.len()
    );
    let grade = if alike < 0.9 || !damage.is_empty() {
        "wrong"
    } else if lag == 0 && longer == 0 && differs < 1e-4 {
        "exact"
    } else if lag.abs() <= 48 && longer.abs() <= 48 {
        "within 3 ms"
    } else if lag.abs() <= 48 && (-160..=480).contains(&longer) {
        "within 3 ms, end within 30 ms"
    } else {
        "heard, untrimmed"
    };
    (grade, figures)
}

fn has_encoders() -> bool {
    for tool in ["ffmpeg", "lame", "oggenc", "opusenc", "flac"] {
        let found = Command::new(tool).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !found {
            support::need::missing("encoders", tool);
            return false;
        }
    }
    true
}

#[test]
fn the_table_of_formats_is_what_they_are() {
    if !has_encoders() {
        return;
    }
    let dir = folder();
    std::fs::write(dir.path().join("in.wav"), wav::wav(&sound(), RATE, 2)).unwrap();
    let (reference, _) = heard(&dir.path().join("in.wav")).unwrap();
    assert_eq!(reference.len(), (SECONDS * 16_000.0) as usize);
    let mut table = String::from("| Container | Codec | Grade |\n|---|---|---|\n");
    let (mut wrong, mut heard_kinds, mut refused) = (Vec::new(), 0, 0);
    for (container, codec, command, file) in KINDS {
        let command = command.replace("ffmpeg", "ffmpeg -nostdin -loglevel error -y").replace("out", file);
        let made = Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
        let path = dir.path().join(file);
        if !made.status.success() || !path.exists() {
            println!(
                "{container:16} {codec:30} cannot be made here: {}",
                String::from_utf8_lossy(&made.stderr)
            );
            writeln!(table, "| {container} | {codec} | not made here |").unwrap();
            continue;
        }
        let (grade, figures) = grade(&reference, &path);
        println!("{container:16} {codec:30} {grade:18} {figures}");
        writeln!(table, "| {container} | {codec} | {grade} |").unwrap();
        *(if grade.starts_with("not") { &mut refused } else { &mut heard_kinds }) += 1;
        if grade == "wrong" || grade == "heard, untrimmed" {
            wrong.push(format!("{container} {codec}: {grade}: {figures}"));
        }
    }
    println!(
        "{heard_kinds} kinds are heard within 3 ms of the same sound as WAV, {refused} are refused by name"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let page = support::here("../../docs/formats.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- table -->\n").expect("a place for the table");
    let (old, after) = rest.split_once("<!-- end of table -->").expect("the end of that place");
    if std::env::var("K1_WRITE").is_ok_and(|w| w.split(',').any(|w| w == "formats")) {
        let new = format!("{before}<!-- table -->\n{table}<!-- end of table -->{after}");
        std::fs::write(&page, new).unwrap();
        return;
    }
    // A format that the installed encoders cannot make does not count as a difference.
    for (old, new) in old.lines().zip(table.lines()) {
        assert!(old == new || new.contains("not made here"), "docs/formats.md says {old}, and it is {new}");
    }
    assert_eq!(old.lines().count(), table.lines().count());
}
