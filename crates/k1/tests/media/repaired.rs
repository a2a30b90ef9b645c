//! Files whose parts are out of order or joined, or that have other bytes before or after the sound.

use super::*;

/// The pages of an Ogg file.
fn pages(ogg: &[u8]) -> Vec<&[u8]> {
    let mut at: Vec<usize> =
        ogg.windows(5).enumerate().filter(|(_, w)| *w == b"OggS\0").map(|(i, _)| i).collect();
    at.push(ogg.len());
    at.windows(2).map(|pair| &ogg[pair[0]..pair[1]]).collect()
}

/// Writes the checksum of an Ogg page into it.
fn seal(page: &mut [u8]) {
    page[22..26].fill(0);
    let crc = page.iter().fold(0_u32, |crc, b| {
        (0..8)
            .fold(crc ^ u32::from(*b) << 24, |c, _| if c >> 31 != 0 { c << 1 ^ 0x04c1_1db7 } else { c << 1 })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
}

/// The same Ogg with each page cut into up to eight, so that there are many pages to shuffle. A page that does not end
/// with the end of a packet has no time.
fn finer(ogg: &[u8], headers: usize) -> Vec<Vec<u8>> {
    let all = pages(ogg);
    let mut out: Vec<Vec<u8>> = all[..headers].iter().map(|p| p.to_vec()).collect();
    for page in &all[headers..] {
        let count = usize::from(page[26]);
        let (lacing, body) = (&page[27..27 + count], &page[27 + count..]);
        let parts = lacing.chunks(lacing.len().div_ceil(8).max(1));
        let last = parts.len() - 1;
        let (mut at, mut open) = (0, page[5] & 1 != 0);
        for (i, part) in parts.enumerate() {
            let length: usize = part.iter().map(|n| usize::from(*n)).sum();
            let mut head = page[..27].to_vec();
            head[5] = u8::from(open) | if i == last { page[5] & 4 } else { 0 };
            if i < last {
                head[6..14].fill(0xff);
            }
            head[18..22].copy_from_slice(&(out.len() as u32).to_le_bytes());
            head[26] = part.len() as u8;
            let mut new = [&head[..], part, &body[at..at + length]].concat();
            seal(&mut new);
            out.push(new);
            at += length;
            open = part.last() == Some(&255);
        }
    }
    out
}

#[test]
fn ogg_pages_that_are_there_twice_or_in_another_order_cost_nothing() {
    let bench = Bench::new();
    let opus = std::fs::read(fixture("second.opus")).unwrap();
    for (name, ogg, headers, seconds) in [("vorbis.ogg", form("ogg"), 2, 2.0), ("second.opus", opus, 2, 1.0)]
    {
        let all = finer(&ogg, headers);
        let from = headers + 1;
        assert!(all.len() > from + 3, "{name} has {} pages", all.len());
        let reach = 6.min(all.len() - from);
        let whole = |what: &str, order: &[usize]| {
            let parts: Vec<&[u8]> = order.iter().map(|i| &all[*i][..]).collect();
            bench.whole(&format!("{what}-{name}"), &parts, seconds, &[0.0]);
        };
        let order: Vec<usize> = (0..all.len()).collect();
        whole("same", &order);
        let mut other = order.clone();
        other.swap(from, from + 1);
        whole("swapped", &other);
        other = order.clone();
        other[from..from + reach].reverse();
        whole("reversed", &other);
        other = order.clone();
        other[from..from + reach].rotate_left(reach / 2);
        whole("rotated", &other);
        for again in [from, from + 1, all.len() - 2] {
            other = order.clone();
            other.insert(again, again);
            whole("twice", &other);
            other = order.clone();
            other.insert(again + 2, again);
            whole("later", &other);
        }
        // If a page is also missing, K1 reports it with its length, and loses no other page.
        other = order.clone();
        other.remove(from + 2);
        other.insert(from, from - 1);
        let parts: Vec<&[u8]> = other.iter().map(|i| &all[*i][..]).collect();
        let heard = bench.hear(&format!("missing-{name}"), &parts);
        // In the short file, only the last page has a time, so the length of the lost sound is unknown.
        let least = if seconds > 1.5 { seconds - 0.1 } else { seconds - 0.3 };
        assert!((least..seconds + 0.1).contains(&heard.seconds()), "{name}: {} s", heard.seconds());
        assert_eq!(heard.damage.len(), 1, "{name}: {:?}", heard.damage);
    }
}

#[test]
fn a_time_of_a_page_that_runs_backwards_adds_none() {
    let bench = Bench::new();
    let mut all = finer(&form("ogg"), 2);
    let timed: Vec<usize> = (2..all.len()).filter(|i| all[*i][6..14] != [0xff; 8]).collect();
    let (first, second) = (timed[0], timed[1]);
    if second + 1 < all.len() {
        let early = all[first][6..14].to_vec();
        let back = (i64::from_le_bytes(early.try_into().unwrap()) / 2).to_le_bytes();
        all[second][6..14].copy_from_slice(&back);
        seal(&mut all[second]);
    }
    let parts: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    bench.whole("back.ogg", &parts, 2.0, &[0.0]);
}

#[test]
fn an_ape_footer_that_lies_about_its_size_takes_no_sound() {
    let bench = Bench::new();
    for ending in ["mp3", "flac", "aac"] {
        let sound = form(ending);
        for header in [false, true] {
            for size in [0, 31, 33, 5_000, 12_345, sound.len() as u32 - 7, 1 << 30, u32::MAX] {
                let mut tag = ape(header);
                let at = tag.len() - 20;
                tag[at..at + 4].copy_from_slice(&size.to_le_bytes());
                bench.whole(&format!("ape-{size}.{ending}"), &[&sound, &tag], 2.0, &[0.0]);
            }
        }
    }
}

#[test]
fn other_sound_behind_mp4_is_heard() {
    let bench = Bench::new();
    let (m4a, flac, mp3, ogg) = (form("m4a"), form("flac"), form("mp3"), form("ogg"));
    bench.whole("two.m4a", &[&m4a, &flac], 4.0, &[0.0, 2.0]);
    bench.whole("three.m4a", &[&m4a, &m4a, &mp3], 6.0, &[0.0, 2.0, 4.0]);
    bench.whole("tag.m4a", &[&m4a, &id3(3, 0, &noise(9_000, 1)), &mp3], 4.0, &[0.0, 2.0]);
    bench.whole("four.m4a", &[&m4a, &ogg, &m4a, &wav(&piece(), 16_000, 1)], 8.0, &[0.0, 2.0, 4.0, 6.0]);
}

#[test]
fn zeros_behind_a_wav_whose_sizes_agree_are_no_sound() {
    let bench = Bench::new();
    let sound = wav(&piece(), 16_000, 1);
    for zeros in [1, 4_096, 400_001] {
        let heard = bench.whole("ahead.wav", &[&sound, &vec![0; zeros]], 2.0, &[0.0]);
        assert_eq!(heard.samples.len(), piece().len(), "{zeros} zeros");
    }
    // Sizes that do not agree come from a recorder that crashed: its silence counts.
    let mut crashed = sound.clone();
    crashed[4..8].fill(0);
    assert!(bench.hear("crashed.wav", &[&crashed, &[0; 32_000]]).seconds() > 2.9);
}

#[test]
fn junk_behind_the_counted_end_is_no_damage_and_no_time() {
    let bench = Bench::new();
    let mut dice = Dice::new(11);
    let junk: Vec<u8> = (0..40_000).map(|_| dice.below(256) as u8).collect();
    let (flac, mp3) = (form("flac"), form("mp3"));
    for n in [100, 5_000, 40_000] {
        let heard = bench.whole("junk.flac", &[&flac, &junk[..n]], 2.0, &[0.0]);
        assert_eq!(heard.samples.len(), hear(&fixture("demo.flac")).unwrap().samples.len());
        let heard = bench.whole("junk.mp3", &[&mp3, &junk[..n]], 2.0, &[0.0]);
        assert_eq!(heard.samples.len(), hear(&fixture("demo.mp3")).unwrap().samples.len());
    }
    // K1 reports only the damage in the middle.
    let mut broken = flac;
    let middle = broken.len() / 2;
    broken[middle..middle + 300].fill(0);
    let heard = bench.hear("middle.flac", &[&broken, &junk]);
    assert!(!heard.ends_early() && heard.damage.len() == 1, "{:?}", heard.damage);
    assert_eq!(heard.samples.len(), piece().len());
}

#[test]
fn a_front_that_was_overwritten_with_zeros_keeps_its_time_and_is_told() {
    let bench = Bench::new();
    for ending in ["mp3", "aac", "flac"] {
        let mut sound = form(ending);
        let heard = hear(&fixture(&format!("demo.{ending}"))).unwrap().seconds();
        // For FLAC, more than the padding of its head.
        let lost = if ending == "flac" { 16_384 } else { 4_096 };
        sound[..lost].fill(0);
        let name = format!("front.{ending}");
        let zeroed = bench.hear(&name, &[&sound]);
        assert!((zeroed.seconds() - heard).abs() < 0.08, "{name}: {} s", zeroed.seconds());
        let (late, alike) = zeroed.piece_at(0.0, 1_280);
        assert!(alike > 0.9 && late.abs() < 0.08, "{name}: {late} s late, {alike}");
        let said = zeroed.damage.first().unwrap_or_else(|| panic!("{name} is told"));
        assert!(said.at == 0.0 && said.seconds.is_some_and(|s| s > 0.05), "{name}: {said}");
    }
    // FLAC frames in Ogg pages are not a FLAC file.
    let flac = form("flac");
    let page = [&b"OggS\0"[..], &[7; 40]].concat();
    bench.refuses("front.oga", &[&[0; 4_096], &flac[9_000..30_000], &page, &flac[30_000..]], &["not audio"]);
}

#[test]
fn a_rare_codec_in_mp4_is_named() {
    let bench = Bench::new();
    let m4a = form("m4a");
    let at = m4a.windows(4).rposition(|w| w == b"mp4a").expect("a description of the sound");
    for (letters, name) in
        [(b"ima4", "IMA ADPCM"), (b"ac-3", "AC-3"), (b"QDM2", "QDesign"), (b"zzzz", "zzzz")]
    {
        let mut rare = m4a.clone();
        rare[at..at + 4].copy_from_slice(letters);
        // The same with its own description.
        let inside = at + rare[at..].windows(4).position(|w| w == b"esds").unwrap();
        rare[inside..inside + 4].copy_from_slice(b"zzzz");
        bench.refuses("rare.m4a", &[&rare], &[name]);
    }
}
