//! Recognises the content at a place in a file: known sound, a foreign format with a name, or neither.

use std::io::Result;

use super::bytes::{Bytes, FAR};
use super::marks::{Known, mark, tag_length};
use super::{chain, elementary, mpeg, tags};

/// Recognised content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Sound in a known container.
    Known(Known),
    /// Sound in a format that K1 cannot decode, with its name.
    Foreign(&'static str),
    /// A format that is not sound, with its name.
    Other(&'static str),
    /// Unknown content.
    Nothing,
}

/// The name of a format that K1 cannot decode.
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
    // A transport stream has a sync byte every 188 bytes, or every 192 bytes with a time before it.
    let every = |first: usize, step: usize| (0..4).all(|n| head.get(first + n * step) == Some(&0x47));
    let list = has(0, b"#EXTM3U") || has(0, b"[playlist]") || has(0, b"<?xml") || has(0, b"<!doctype");
    named
        .or_else(|| (every(0, 188) || every(4, 192)).then_some("an MPEG transport stream"))
        .or_else(|| (has(0, b"RIFF") && has(8, b"AVI ")).then_some("AVI video"))
        .or_else(|| (has(0, b"RIFF") && has(8, b"RMID")).then_some("MIDI: notes, not sound"))
        .or_else(|| (has(0, b"FORM") && has(8, b"8SVX")).then_some("8SVX"))
        .or_else(|| list.then_some("text"))
}

/// First words of names of formats that are not sound.
const OTHERS: [&str; 9] =
    ["MIDI", "a picture", "a document", "a ZIP", "a gzip", "a RAR", "a program", "text", "a tracker"];

/// Smallest number of zero bytes at the start of a file that means it was overwritten.
const OVERWRITTEN: usize = 64;
/// Longest rest of a frame whose beginning was overwritten, in bytes.
const REST: u64 = 8192;

/// Number of zeros at the start of a file, if there are enough to mean that it was overwritten; otherwise 0.
pub fn zeros(bytes: &mut Bytes) -> Result<u64> {
    if bytes.peek(OVERWRITTEN)?.iter().any(|b| *b != 0) {
        return Ok(0);
    }
    let head = bytes.peek(FAR)?;
    let n = head.iter().take_while(|b| **b == 0).count();
    Ok(if (OVERWRITTEN..head.len()).contains(&n) { n as u64 } else { 0 })
}

/// Number of bytes of sound that the `zeros` at the start have overwritten, if the first whole frame begins here. Without the
/// rest of a frame in between, sound simply begins after the zeros, and the number is 0.
pub fn overwritten(bytes: &mut Bytes, zeros: u64) -> Result<u64> {
    let rest = bytes.pos().saturating_sub(zeros);
    let tagged = bytes.look(zeros, 32)?.is_none_or(|b| tag_length(&b).is_some());
    Ok(if (1..REST).contains(&rest) && !tagged { bytes.pos() } else { 0 })
}

/// Largest amount of junk before sound, in bytes.
const JUNK: u64 = 64 << 20;

/// Finds the next sound and moves there.
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
        // Accept short signatures only at a place where content is expected; elsewhere they are accidents.
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
        // Skip one byte first, because there is nothing at this place.
        bytes.skip(1)?;
        elementary::search(bytes, JUNK)?;
        tags::skip(bytes)?;
        if bytes.pos() - start > JUNK {
            return Ok(Found::Nothing);
        }
    }
}
