//! What stands at a place in a file: sound that is known, something foreign that has a name, or nothing.

use std::io::Result;

use super::bytes::{Bytes, FAR};
use super::marks::{Known, mark, tag_length};
use super::{chain, elementary, mpeg, tags};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Sound that is known.
    Known(Known),
    /// Sound that has a name and is not decoded here.
    Foreign(&'static str),
    /// Something that has a name and is no sound.
    Other(&'static str),
    /// Nothing that sounds.
    Nothing,
}

/// The name of what is not decoded here.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let has = |at: usize, text: &[u8]| head.get(at..at + text.len()) == Some(text);
    let all: [(usize, &[u8], &str); 40] = [
        (0, b"wvpk", "WavPack"),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA, ASF)"),
        (0, b"\x0b\x77", "Dolby Digital (AC-3)"),
        (0, b"TTA1", "True Audio (TTA)"),
        (0, b"TTA2", "True Audio (TTA)"),
        (0, b"MAC ", "Monkey's Audio (APE)"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"OFR ", "OptimFROG"),
        (0, b"LA04", "Lossless Audio (LA)"),
        (0, b"TAK", "TAK"),
        (0, b"ajkg", "Shorten"),
        (0, b"#!AMR", "AMR"),
        (0, b"#!SILK", "SILK"),
        (0, b"DSD ", "DSD (DSF)"),
        (0, b"FRM8", "DSD (DSDIFF)"),
        (0, b"\x7f\xfe\x80\x01", "DTS"),
        (0, b"\x1f\xff\xe8\x00", "DTS"),
        (0, b"\xfe\x7f\x01\x80", "DTS"),
        (0, b"ADIF", "AAC in ADIF"),
        (0, b"\x56\xe0", "AAC in LATM"),
        (0, b".RMF", "RealMedia"),
        (0, b".ra\xfd", "RealAudio"),
        (0, b"FLV\x01", "Flash video"),
        (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
        (0, b"NUTT", "NUT"),
        (0, b"nut/multimedia", "NUT"),
        (0, b"Creative Voice File", "a Creative voice file (VOC)"),
        (0, b"MThd", "MIDI: notes, not sound"),
        (0, b"Extended Module", "a tracker module"),
        (0, b"IMPM", "a tracker module"),
        (0, b"2BIT", "AVR"),
        (0, b"\x89PNG", "a picture (PNG)"),
        (0, b"\xff\xd8\xff", "a picture (JPEG)"),
        (0, b"GIF8", "a picture (GIF)"),
        (0, b"%PDF", "a document (PDF)"),
        (0, b"PK\x03\x04", "a ZIP archive"),
        (0, b"\x1f\x8b\x08", "a gzip archive"),
        (0, b"Rar!", "a RAR archive"),
        (0, b"\x7fELF", "a program"),
    ];
    let named = all.iter().find(|(at, text, _)| has(*at, text)).map(|(_, _, name)| *name);
    // A transport stream has its mark every 188 bytes, or every 192 with a time before it.
    let every = |first: usize, step: usize| (0..4).all(|n| head.get(first + n * step) == Some(&0x47));
    let list = has(0, b"#EXTM3U") || has(0, b"[playlist]") || has(0, b"<?xml") || has(0, b"<!doctype");
    named
        .or_else(|| (every(0, 188) || every(4, 192)).then_some("an MPEG transport stream"))
        .or_else(|| (has(0, b"RIFF") && has(8, b"AVI ")).then_some("AVI video"))
        .or_else(|| (has(0, b"RIFF") && has(8, b"RMID")).then_some("MIDI: notes, not sound"))
        .or_else(|| (has(0, b"FORM") && has(8, b"8SVX")).then_some("8SVX"))
        .or_else(|| list.then_some("text"))
}

/// Beginnings of the names of what is no sound.
const OTHERS: [&str; 9] =
    ["MIDI", "a picture", "a document", "a ZIP", "a gzip", "a RAR", "a program", "text", "a tracker"];

/// Zeros at the front of a file that are no accident, in bytes.
const OVERWRITTEN: usize = 64;
/// The longest rest of a frame whose beginning was overwritten, in bytes.
const REST: u64 = 8192;

/// How many zeros stand at the front of a file, if there are enough of them to mean something; 0 otherwise.
pub fn zeros(bytes: &mut Bytes) -> Result<u64> {
    if bytes.peek(OVERWRITTEN)?.iter().any(|b| *b != 0) {
        return Ok(0);
    }
    let head = bytes.peek(FAR)?;
    let n = head.iter().take_while(|b| **b == 0).count();
    Ok(if (OVERWRITTEN..head.len()).contains(&n) { n as u64 } else { 0 })
}

/// Bytes of a file's sound that were overwritten by the `zeros` at its front, where the first frame that is whole stands
/// here: 0 if sound simply begins behind the zeros, for then there is no rest of a frame between them.
pub fn overwritten(bytes: &mut Bytes, zeros: u64) -> Result<u64> {
    let rest = bytes.pos().saturating_sub(zeros);
    let tagged = bytes.look(zeros, 32)?.is_none_or(|b| tag_length(&b).is_some());
    Ok(if (1..REST).contains(&rest) && !tagged { bytes.pos() } else { 0 })
}

/// Bytes of junk in front of which sound is still found.
const JUNK: u64 = 64 << 20;

/// Finds the next sound from here on, and moves there.
pub fn find(bytes: &mut Bytes) -> Result<Found> {
    tags::skip(bytes)?;
    let start = bytes.pos();
    loop {
        let head = bytes.peek(4096)?;
        if head.is_empty() {
            return Ok(Found::Nothing);
        }
        if let Some(known) = mark(head) {
            return Ok(Found::Known(known));
        }
        // Only at a place that something led to: in the middle of anything such short marks are accidents.
        if bytes.pos() == start
            && let Some(name) = foreign(bytes.peek(4096)?)
        {
            let other = OTHERS.iter().any(|o| name.starts_with(o));
            return Ok(if other { Found::Other(name) } else { Found::Foreign(name) });
        }
        if chain::chained(bytes, 3)?.is_some() {
            return Ok(Found::Known(Known::Frames));
        }
        if bytes.pos() == start && mpeg::is_free(bytes.peek(16_384)?) {
            return Ok(Found::Foreign("MP3 of a free bit rate"));
        }
        // One step first: what stands here is nothing.
        bytes.skip(1)?;
        elementary::search(bytes, JUNK)?;
        tags::skip(bytes)?;
        if bytes.pos() - start > JUNK {
            return Ok(Found::Nothing);
        }
    }
}
