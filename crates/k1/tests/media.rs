//! Sound files as users have them: with tags of any size, joined, cut, with wrong counts, damaged. The tests make each
//! of them from the fixtures, byte by byte, without an encoder.

#[path = "support/music.rs"]
mod music;
#[path = "media/repaired.rs"]
mod repaired;
mod support;
#[path = "support/wav.rs"]
mod wav;

use std::path::{Path, PathBuf};

use k1::source::{Damage, Harm, Input, open};
use music::{at_rate, piece};
use support::{Dice, fixture, folder, run};
use wav::{header, wav};

/// Samples per second.
const SECOND: usize = k1_engine::SAMPLE_RATE as usize;

struct Heard {
    samples: Vec<f32>,
    damage: Vec<Damage>,
}

impl Heard {
    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / SECOND as f64
    }

    fn ends_early(&self) -> bool {
        self.damage.iter().any(|d| d.harm == Harm::EndsEarly)
    }

    /// The place in seconds, nearest to a time, at which the piece begins, and its similarity there.
    fn piece_at(&self, seconds: f64, reach: i64) -> (f64, f32) {
        let all = piece();
        // Compare the second half second, because the first is partly silent.
        let (from, length) = (SECOND / 2, SECOND / 4);
        let wanted = &all[from..from + length];
        let centre = (seconds * SECOND as f64) as i64 + from as i64;
        let power = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
        let (lag, alike) = (-reach..=reach)
            .filter_map(|lag| {
                let at = usize::try_from(centre + lag).ok()?;
                let other = self.samples.get(at..at + length)?;
                let dot: f32 = wanted.iter().zip(other).map(|(x, y)| x * y).sum();
                Some((lag, dot / (power(wanted) * power(other)).sqrt().max(1e-9)))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((i64::MAX, 0.0));
        (lag as f64 / SECOND as f64, alike)
    }

    /// Asserts that the piece begins at these times, within 3 ms.
    fn has_pieces(&self, what: &str, at: &[f64]) {
        for at in at {
            let (late, alike) = self.piece_at(*at, 80);
            assert!(
                alike > 0.9,
                "{what}: at {at} s: correlation {alike}; {:.3} s, {:?}",
                self.seconds(),
                self.damage
            );
            assert!(late.abs() <= 0.003, "{what}: {:.1} ms late at {at} s", 1e3 * late);
        }
    }
}

fn hear(path: &Path) -> Result<Heard, String> {
    let mut source = open(&Input::File(path.to_owned()), 0).map_err(|e| e.to_string())?;
    let (mut samples, mut block) = (Vec::new(), [0.0; 1000]);
    while let n @ 1.. = source.read(&mut block).map_err(|e| e.to_string())? {
        samples.extend_from_slice(&block[..n]);
    }
    Ok(Heard { samples, damage: source.damage().to_vec() })
}

/// A folder for the files of a test.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(folder())
    }

    fn write(&self, name: &str, parts: &[&[u8]]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, parts.concat()).unwrap();
        path
    }

    fn hear(&self, name: &str, parts: &[&[u8]]) -> Heard {
        hear(&self.write(name, parts)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Asserts that a file is heard without damage, with this length in seconds and the piece at these times.
    fn whole(&self, name: &str, parts: &[&[u8]], seconds: f64, at: &[f64]) -> Heard {
        let heard = self.hear(name, parts);
        assert!(
            (heard.seconds() - seconds).abs() < 0.1,
            "{name}: {:.3} s, {:?}",
            heard.seconds(),
            heard.damage
        );
        assert_eq!(heard.damage, [], "{name}");
        heard.has_pieces(name, at);
        heard
    }

    fn refuses(&self, name: &str, parts: &[&[u8]], words: &[&str]) {
        let said = hear(&self.write(name, parts)).err().unwrap_or_else(|| panic!("{name} is heard"));
        for word in words.iter().chain([&name]) {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
        assert!(!said.contains("reader found"), "{said}");
    }
}

fn form(ending: &str) -> Vec<u8> {
    std::fs::read(fixture(&format!("demo.{ending}"))).unwrap()
}

fn syncsafe(n: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (n >> shift) as u8 & 0x7f)
}

/// Pseudorandom bytes, which include sync words of MPEG audio.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut out: Vec<u8> = (0..n).map(|_| dice.below(256) as u8).collect();
    for at in (0..n.saturating_sub(4)).step_by(977) {
        out[at..at + 4].copy_from_slice(&[0xff, 0xf3, 0x14, 0xc4]);
    }
    out
}

/// An ID3v2 tag with a picture.
fn id3(version: u8, flags: u8, picture: &[u8]) -> Vec<u8> {
    let body = [b"\0image/png\0\x03\0", picture].concat();
    let size = if version == 4 { syncsafe(body.len()) } else { (body.len() as u32).to_be_bytes() };
    let frame = [&b"APIC"[..], &size, &[0, 0], &body].concat();
    let mut tag = [&[b'I', b'D', b'3', version, 0, flags][..], &syncsafe(frame.len()), &frame].concat();
    if flags & 0x10 != 0 {
        tag.extend([&b"3DI"[..], &[version, 0, flags], &syncsafe(frame.len())].concat());
    }
    tag
}

fn ape(header: bool) -> Vec<u8> {
    let items = [&40_u32.to_le_bytes()[..], &[0; 4], b"Cover\0", &[7; 40]].concat();
    let part = |is_header: bool| {
        let flags = u32::from(header) << 31 | u32::from(is_header) << 29;
        let words = [2000, items.len() as u32 + 32, 1, flags].map(u32::to_le_bytes).concat();
        [&b"APETAGEX"[..], &words, &[0; 8]].concat()
    };
    let front = if header { part(true) } else { Vec::new() };
    [front, items.clone(), part(false)].concat()
}

fn id3v1() -> Vec<u8> {
    [&b"TAG"[..], &[b' '; 125]].concat()
}

#[test]
fn tags_of_any_size_and_number_are_stepped_over() {
    let bench = Bench::new();
    for ending in ["mp3", "flac", "aac", "ogg", "m4a"] {
        let sound = form(ending);
        for (name, tag) in [
            ("small", id3(3, 0, &noise(2_000, 1))),
            ("large", id3(4, 0, &noise(3_000_000, 2))),
            ("footer", id3(4, 0x10, &noise(70_000, 3))),
            ("unsync", id3(3, 0x80, &noise(70_000, 4))),
            ("two", [id3(3, 0, &noise(70_000, 5)), id3(4, 0, &noise(9_000, 6))].concat()),
            ("filled", [id3(3, 0, &noise(5_000, 7)), vec![0; 3_000]].concat()),
            ("ape", ape(true)),
        ] {
            bench.whole(&format!("{name}.{ending}"), &[&tag, &sound], 2.0, &[0.0]);
        }
    }
    for ending in ["mp3", "aac", "flac"] {
        let sound = form(ending);
        for (name, tag) in [
            ("v1", id3v1()),
            ("ape", ape(false)),
            ("ape2", ape(true)),
            ("both", [ape(true), id3v1()].concat()),
            ("back", id3(4, 0x10, &noise(70_000, 8))),
        ] {
            bench.whole(&format!("{name}-behind.{ending}"), &[&sound, &tag], 2.0, &[0.0]);
        }
        // A tag between two joined files.
        let tags = [id3v1(), id3(3, 0, &noise(70_000, 9))].concat();
        // AAC in ADTS does not state its padding.
        let at: &[f64] = if ending == "aac" { &[0.0] } else { &[0.0, 2.0] };
        bench.whole(&format!("between.{ending}"), &[&sound, &tags, &sound], 4.0, at);
    }
    let wav = wav(&piece(), 16_000, 1);
    bench.whole("tagged.wav", &[&id3(3, 0, &noise(2_000_000, 10)), &wav], 2.0, &[0.0]);
}

#[test]
fn a_tag_that_lies_about_its_size_and_junk_in_front_hide_nothing() {
    let bench = Bench::new();
    let tag = id3(4, 0, &noise(60_000, 1));
    for ending in ["mp3", "aac", "flac", "ogg"] {
        let sound = form(ending);
        let short = [&tag[..6], &syncsafe(2_000), &tag[10..]].concat();
        bench.whole(&format!("short.{ending}"), &[&short, &sound], 2.0, &[0.0]);
        let long = [&tag[..6], &syncsafe(200_000_000), &tag[10..]].concat();
        bench.whole(&format!("long.{ending}"), &[&long, &sound], 2.0, &[0.0]);
        // A tag whose stated size covers some of the sound.
        if ending != "ogg" {
            let size = tag.len() - 10 + sound.len() / 2;
            let greedy = [&tag[..6], &syncsafe(size), &tag[10..]].concat();
            bench.whole(&format!("greedy.{ending}"), &[&greedy, &sound], 2.0, &[0.0]);
        }
        let http = b"HTTP/1.0 200 OK\r\nicy-name: a station\r\n\r\n";
        bench.whole(&format!("http.{ending}"), &[http, &sound], 2.0, &[0.0]);
        bench.whole(&format!("noise.{ending}"), &[&noise(33_333, 2), &sound], 2.0, &[0.0]);
        bench.whole(&format!("zeros.{ending}"), &[&[0; 4_097], &sound], 2.0, &[0.0]);
    }
}

#[test]
fn joined_and_chained_files_are_heard_to_their_end_each_at_its_own_speed() {
    let bench = Bench::new();
    for ending in ["mp3", "aac", "flac", "ogg", "m4a"] {
        let sound = form(ending);
        if ending == "aac" {
            // ADTS does not state the padding of its last block: up to 46 ms for each file, and 23 ms of priming at
            // each join.
            let heard = bench.hear("thrice.aac", &[&sound, &sound, &sound]);
            assert!((heard.seconds() - 6.0).abs() < 0.2 && heard.damage.is_empty(), "{} s", heard.seconds());
            continue;
        }
        bench.whole(&format!("twice.{ending}"), &[&sound, &sound], 4.0, &[0.0, 2.0]);
        bench.whole(&format!("thrice.{ending}"), &[&sound, &sound, &sound], 6.0, &[0.0, 2.0, 4.0]);
    }
    // Different rates and channels, and different containers.
    let (a, b) = (wav(&at_rate(&piece(), 44_100), 44_100, 2), wav(&piece(), 16_000, 1));
    bench.whole("rates.wav", &[&a, &b, &a], 6.0, &[0.0, 2.0, 4.0]);
    let (mp3, ogg, flac, aac) = (form("mp3"), form("ogg"), form("flac"), form("aac"));
    bench.whole("mixed.mp3", &[&mp3, &flac, &aac], 6.0, &[0.0, 2.0, 4.0]);
    bench.whole("mixed.ogg", &[&ogg, &mp3], 4.0, &[0.0, 2.0]);
    bench.whole("mixed.wav", &[&b, &ogg], 4.0, &[0.0, 2.0]);
    let opus = std::fs::read(fixture("second.opus")).unwrap();
    bench.whole("chain.ogg", &[&ogg, &opus, &ogg], 5.0, &[0.0, 3.0]);
}

#[test]
fn opus_is_heard_in_ogg_and_in_webm() {
    for name in ["second.opus", "second.webm"] {
        let heard = hear(&fixture(name)).unwrap();
        assert_eq!(heard.damage, []);
        assert!((heard.samples.len() as i64 - SECOND as i64).abs() < 20, "{name}: {}", heard.samples.len());
        heard.has_pieces(name, &[0.0]);
    }
}

#[test]
fn a_wavs_sizes_are_only_hints() {
    let bench = Bench::new();
    let data: Vec<u8> = piece().iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()).collect();
    let n = data.len() as u32;
    let fmt = header(1, 1, 16_000, 16, n)[12..36].to_vec();
    let riff = |id: &[u8; 4], size: u32| [&id[..], &size.to_le_bytes(), b"WAVE"].concat();
    let chunk = |id: &[u8; 4], size: u32, content: &[u8]| [&id[..], &size.to_le_bytes(), content].concat();
    let list = chunk(b"LIST", 26, b"INFOISFT\x0e\0\0\0Lavf60.16.100\0");
    for (name, riff_size, data_size) in [
        ("zero", 0, 0),
        ("crashed", 36, 0),
        ("minus", u32::MAX, u32::MAX),
        ("arecord", 0x8000_0024, 0x8000_0000),
        ("sox", 0x7fff_ffff, 0x7fff_f000),
        ("riff short", 100, n),
        ("old", 1_000, 964),
        ("odd", n + 36, 15_999),
        ("riff long", 1 << 30, n),
    ] {
        let sound = chunk(b"data", data_size, &data);
        bench.whole(&format!("{name}.wav"), &[&riff(b"RIFF", riff_size), &fmt, &sound], 2.0, &[0.0]);
    }
    let sound = chunk(b"data", n, &data);
    // Chunks before and after the samples, with and without padding; the description after the samples.
    let odd = chunk(b"LIST", 15, b"INFOIART\x03\0\0\0ab\0");
    let big = chunk(b"bext", 60_003, &vec![b'x'; 60_004]);
    for (name, parts) in [
        ("list", vec![&fmt, &list, &sound]),
        ("behind", vec![&fmt, &sound, &list]),
        ("odd-bare", vec![&odd, &fmt, &sound]),
        ("bext", vec![&big, &fmt, &sound]),
        ("late", vec![&sound, &fmt]),
    ] {
        let body: Vec<u8> = parts.into_iter().flatten().copied().collect();
        bench.whole(&format!("{name}.wav"), &[&riff(b"RIFF", body.len() as u32 + 4), &body], 2.0, &[0.0]);
    }
    for id in [b"RF64", b"BW64"] {
        let long = [&(u64::from(n) + 72).to_le_bytes()[..], &u64::from(n).to_le_bytes(), &[0; 12]].concat();
        let ds64 = chunk(b"ds64", 28, &long);
        let sound = chunk(b"data", u32::MAX, &data);
        bench.whole("long.wav", &[&riff(id, u32::MAX), &ds64, &fmt, &sound, &list], 2.0, &[0.0]);
        bench.whole(
            "unset.wav",
            &[&riff(id, u32::MAX), &chunk(b"ds64", 28, &[0; 28]), &fmt, &sound],
            2.0,
            &[0.0],
        );
    }
    // Two chunks of samples in a row.
    let (half, rest) = data.split_at(30_000);
    let two = [chunk(b"data", half.len() as u32, half), chunk(b"data", rest.len() as u32, rest)].concat();
    bench.whole("two.wav", &[&riff(b"RIFF", n + 44), &fmt, &two], 2.0, &[0.0]);
    // A truncated file is heard and reported.
    let whole = [riff(b"RIFF", n + 36), fmt, sound].concat();
    let heard = bench.hear("cut.wav", &[&whole[..40_000]]);
    assert!(heard.ends_early() && (heard.seconds() - 1.25).abs() < 0.01, "{:?}", heard.damage);
}

#[test]
fn an_aiffs_and_an_aus_sizes_are_only_hints() {
    let bench = Bench::new();
    let data: Vec<u8> = piece().iter().flat_map(|x| ((x * 32_767.0) as i16).to_be_bytes()).collect();
    let n = data.len() as u32;
    // 16,000 as a float of 80 bits.
    let rate = [0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let comm = [&b"COMM\0\0\0\x12\0\x01"[..], &(n / 2).to_be_bytes(), &[0, 16], &rate].concat();
    for (name, form_size, size) in [
        ("right", n + 46, n + 8),
        ("zero", 0, 0),
        ("minus", u32::MAX, u32::MAX),
        ("old", 46, 8),
        ("less", n, 999),
    ] {
        let head = [&b"FORM"[..], &form_size.to_be_bytes(), b"AIFF"].concat();
        let ssnd = [&b"SSND"[..], &size.to_be_bytes(), &[0; 8], &data].concat();
        bench.whole(&format!("{name}.aiff"), &[&head, &comm, &ssnd], 2.0, &[0.0]);
        bench.whole(
            &format!("{name}-late.aiff"),
            &[&head, &comm, b"NAME\0\0\0\x03abc\0", &ssnd],
            2.0,
            &[0.0],
        );
    }
    for size in [n, 0, 17, u32::MAX] {
        let words = [28, size, 3, 16_000, 1].map(u32::to_be_bytes).concat();
        bench.whole("x.au", &[b".snd", &words, b"song", &data], 2.0, &[0.0]);
    }
}

#[test]
fn counts_in_the_heads_of_mp3_and_flac_are_only_hints() {
    let bench = Bench::new();
    let mp3 = form("mp3");
    let at = mp3.windows(4).position(|w| w == b"Xing" || w == b"Info").expect("a header frame");
    for count in [0_u32, 1, 10, 0x7fff_ffff, u32::MAX] {
        let mut lying = mp3.clone();
        lying[at + 8..at + 12].copy_from_slice(&count.to_be_bytes());
        bench.whole("frames.mp3", &[&lying], 2.0, &[0.0]);
        lying[at + 12..at + 16].copy_from_slice(&count.to_be_bytes());
        bench.whole("bytes.mp3", &[&lying], 2.0, &[0.0]);
    }
    let flac = form("flac");
    for (low, rest) in [(0, [0; 4]), (0, [0, 0, 0, 9])] {
        let mut lying = flac.clone();
        lying[21] = lying[21] & 0xf0 | low;
        lying[22..26].copy_from_slice(&rest);
        bench.whole("total.flac", &[&lying], 2.0, &[0.0]);
        // Sizes of blocks and frames, and the checksum of all samples.
        lying[8..18].fill(0);
        lying[26..42].fill(0xaa);
        bench.whole("info.flac", &[&lying], 2.0, &[0.0]);
    }
}

#[test]
fn what_is_cut_off_is_heard_as_far_as_it_goes_and_that_is_said() {
    let bench = Bench::new();
    for ending in ["mp3", "flac", "ogg", "aac"] {
        let sound = form(ending);
        let heard = bench.hear(&format!("cut.{ending}"), &[&sound[..sound.len() * 3 / 4 + 7]]);
        assert!((1.0..1.9).contains(&heard.seconds()), "{ending}: {} s", heard.seconds());
        assert!(heard.ends_early(), "{ending}: {:?}", heard.damage);
        heard.has_pieces(ending, &[0.0]);
    }
    let opus = std::fs::read(fixture("second.opus")).unwrap();
    assert!(bench.hear("cut.opus", &[&opus[..opus.len() - 100]]).ends_early());
}

#[test]
fn what_is_damaged_in_the_middle_is_silent_for_as_long_as_it_was_and_is_said_with_its_time() {
    let bench = Bench::new();
    for ending in ["mp3", "flac", "ogg", "aac"] {
        let sound = form(ending);
        // Two joined files with damage in the first, so that the second shows whether the time after the damage is
        // right.
        for (name, from, to) in [("flips", 0.72, 0.73), ("zeros", 0.65, 0.75)] {
            let mut first = sound.clone();
            let (from, to) = ((first.len() as f64 * from) as usize, (first.len() as f64 * to) as usize);
            match name {
                "flips" => first[from..to].iter_mut().step_by(5).for_each(|b| *b ^= 0x55),
                _ => first[from..to].fill(0),
            }
            let heard = bench.hear(&format!("{name}.{ending}"), &[&first, &sound]);
            let what = format!("{name}.{ending}");
            assert!(
                (heard.seconds() - 4.0).abs() < 0.08,
                "{what}: {} s, {:?}",
                heard.seconds(),
                heard.damage
            );
            let (late, alike) = heard.piece_at(2.0, 960);
            assert!(alike > 0.9 && late.abs() < 0.06, "{what}: {late} s late, {alike}; {:?}", heard.damage);
            // A wrong bit inside a frame of AAC or MP3 may become a click that the decoder does not notice.
            if name == "zeros" || ["flac", "ogg"].contains(&ending) {
                let first = heard.damage.first().unwrap_or_else(|| panic!("{what} is said"));
                assert!((0.7..1.9).contains(&first.at), "{what}: {first}");
            }
        }
    }
    // Whole missing pages.
    let ogg = form("ogg");
    let pages: Vec<usize> =
        ogg.windows(5).enumerate().filter(|(_, w)| *w == b"OggS\0").map(|(i, _)| i).collect();
    let (a, b) = (pages[pages.len() - 3], pages[pages.len() - 2]);
    let heard = bench.hear("missing.ogg", &[&ogg[..a], &ogg[b..]]);
    assert!((heard.seconds() - 2.0).abs() < 0.05, "{} s, {:?}", heard.seconds(), heard.damage);
    assert!(heard.damage.iter().any(|d| d.seconds.is_some_and(|s| s > 0.02)), "{:?}", heard.damage);
}

#[test]
fn a_stream_that_begins_in_the_middle_of_a_frame_is_heard() {
    let bench = Bench::new();
    for ending in ["mp3", "aac"] {
        let sound = form(ending);
        let heard = bench.hear(&format!("mid.{ending}"), &[&sound[sound.len() / 3 + 11..], &sound]);
        assert!((3.2..3.5).contains(&heard.seconds()), "{ending}: {} s", heard.seconds());
    }
    let ogg = form("ogg");
    bench.refuses("mid.ogg", &[&ogg[ogg.len() / 2..]], &["without its beginning"]);
    // A whole file that follows is heard.
    let heard = bench.hear("mid-joined.ogg", &[&ogg[ogg.len() / 2..], &ogg]);
    heard.has_pieces("mid-joined.ogg", &[0.0]);
}

#[test]
fn channels_that_cancel_are_heard_in_a_file() {
    let bench = Bench::new();
    let sound = piece();
    let pair = |right: f32| -> Vec<u8> {
        let data: Vec<u8> = sound
            .iter()
            .flat_map(|x| [*x, *x * right])
            .flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes())
            .collect();
        [header(1, 2, 16_000, 16, data.len() as u32), data].concat()
    };
    for (name, right) in [("against.wav", -1.0), ("nearly.wav", -0.8), ("left.wav", 0.0), ("same.wav", 1.0)] {
        let heard = bench.whole(name, &[&pair(right)], 2.0, &[0.0]);
        let power = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
        let share = power(&heard.samples) / power(&sound);
        assert!(share > 0.2, "{name}: {share}");
    }
}

#[test]
fn what_cannot_be_decoded_says_what_it_is_and_what_to_do() {
    let bench = Bench::new();
    let filled = |mark: &[u8]| [mark, &[0; 4_000]].concat();
    for (name, bytes, word) in [
        ("x.wv", filled(b"wvpk"), "WavPack"),
        ("x.wma", filled(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), "WMA"),
        ("x.ac3", filled(b"\x0b\x77"), "AC-3"),
        ("x.tta", filled(b"TTA1"), "True Audio"),
        ("x.ape", filled(b"MAC "), "Monkey"),
        ("x.mpc", filled(b"MPCK"), "Musepack"),
        ("x.amr", filled(b"#!AMR\n"), "AMR"),
        ("x.dsf", filled(b"DSD "), "DSD"),
        ("gsm.wav", [header(0x31, 1, 8_000, 0, 4_000), vec![0; 4_000]].concat(), "GSM"),
    ] {
        bench.refuses(name, &[&bytes], &[word, "cannot decode", "ffmpeg -i"]);
    }
    bench.refuses("x.png", &[&filled(b"\x89PNG\r\n\x1a\n")], &["a picture"]);
    bench.refuses("x.mid", &[&filled(b"MThd\0\0\0\x06")], &["MIDI"]);
    bench.refuses(
        "none.wav",
        &[&[header(1, 0, 16_000, 16, 4_000), vec![0; 4_000]].concat()],
        &["0 channels"],
    );
    bench.refuses("rate.wav", &[&[header(1, 1, 0, 16, 4_000), vec![0; 4_000]].concat()], &["not 0 Hz"]);
    let m4a = form("m4a");
    bench.refuses("cut.m4a", &[&m4a[..m4a.len() / 2]], &["moov"]);
}

#[test]
#[cfg(unix)]
fn a_name_that_is_no_text_is_heard_by_every_command() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let bench = Bench::new();
    for name in [&b"caf\xe9.wav"[..], b"\xff\xfe", b"\xf0\x28\x8c\x28.mp3"] {
        let path = bench.0.path().join(OsString::from_vec(name.to_vec()));
        if std::fs::write(&path, wav(&piece(), 16_000, 1)).is_err() {
            println!("this file system takes UTF-8 names only");
            return;
        }
        let out = bench.0.path().join("x.npy");
        let said = run(["analyze".as_ref(), path.as_os_str()]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        let said =
            run(["render".as_ref(), path.as_os_str(), "-o".as_ref(), out.as_os_str(), "--json".as_ref()]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        let said = run([
            "run".as_ref(),
            path.as_os_str(),
            "--headless".as_ref(),
            "--duration".as_ref(),
            "1".as_ref(),
        ]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        let missing = bench.0.path().join(OsString::from_vec([name, b"x"].concat()));
        run(["analyze".as_ref(), missing.as_os_str()]).failed_saying(&["there is no file"]);
    }
}

#[test]
fn damage_is_printed_a_line_each_with_a_limit() {
    let bench = Bench::new();
    let sound = form("flac");
    let path = bench.write("cut.flac", &[&sound[..sound.len() / 2]]);
    let said = run(["analyze".as_ref(), path.as_os_str()]);
    assert!(said.out.contains("damage      ends early at "), "{said:?}");
    let mut ogg = form("ogg");
    let last = ogg.len() - 4_000;
    ogg[last] ^= 1;
    let path = bench.write("flip.ogg", &[&ogg]);
    let said = run(["analyze".as_ref(), path.as_os_str()]);
    assert!(said.out.contains("damage      damaged at "), "{said:?}");
}

/// Any file that a stranger may send: heads of every kind with random bytes after them, and whole files with changes.
#[test]
fn anything_at_all_ends_soon_and_takes_little_memory() {
    let bench = Bench::new();
    let heads: [&[u8]; 14] = [
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0",
        b"RF64\xff\xff\xff\xffWAVEds64",
        b"FORM\0\0\0\0AIFFCOMM",
        b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0",
        b"fLaC\0\0\0\x22",
        b"OggS\0\x02",
        b"\x1a\x45\xdf\xa3",
        b"\0\0\0\x18ftypM4A ",
        b"caff\0\x01\0\0",
        b".snd\0\0\0\x18",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
        b"\xff\xfb\x90\x64",
        b"\xff\xf1\x50\x80",
        b"",
    ];
    for seed in 0..140_u64 {
        let mut dice = Dice::new(seed);
        let tail: Vec<u8> = (0..dice.below(40_000)).map(|_| dice.below(256) as u8).collect();
        let bytes = match seed % 2 {
            0 => [heads[seed as usize / 2 % heads.len()], &tail].concat(),
            _ => {
                let ending = ["mp3", "aac", "flac", "ogg", "m4a"][seed as usize / 2 % 5];
                let mut bytes = form(ending);
                for _ in 0..1 + dice.below(30) {
                    let at = dice.below(bytes.len());
                    bytes[at] = dice.below(256) as u8;
                }
                bytes
            }
        };
        if let Ok(heard) = hear(&bench.write("any", &[&bytes])) {
            assert!(heard.samples.iter().all(|x| x.is_finite()), "{seed}");
            // Two seconds' bytes become minutes of sound only if a header states such a time.
            assert!(heard.seconds() < 1300.0, "{seed}: {} s", heard.seconds());
        }
    }
}
