//! Recognises the first bytes of containers and tags.

/// Known containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// MPEG audio or AAC frames without a container.
    Frames,
    /// FLAC without another container.
    Flac,
    /// Ogg with Vorbis, Opus or FLAC.
    Ogg,
    /// WAV in RIFF, RIFX, RF64, BW64.
    Riff,
    /// WAV in Sony's Wave64.
    Wave64,
    /// AIFF and AIFF-C.
    Aiff,
    /// Sun's and NeXT's AU.
    Au,
    /// MP4, M4A, MOV and their relatives.
    Mp4,
    /// Matroska and WebM.
    Matroska,
    /// Apple's Core Audio Format.
    Caf,
}

/// The first bytes of a Wave64 file: an identifier of 16 bytes.
pub const W64: &[u8; 16] = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// The container whose signature is at the start of `head`. Frames have no signature.
pub fn mark(head: &[u8]) -> Option<Known> {
    let has = |at: usize, text: &[u8]| head.get(at..at + text.len()) == Some(text);
    let riff = has(8, b"WAVE") && [b"RIFF", b"RIFX", b"RF64", b"BW64"].iter().any(|id| has(0, *id));
    match head {
        _ if riff => Some(Known::Riff),
        [b'O', b'g', b'g', b'S', 0, ..] => Some(Known::Ogg),
        [b'f', b'L', b'a', b'C', kind, ..] if kind & 0x7f == 0 => Some(Known::Flac),
        _ if has(0, b"FORM") && (has(8, b"AIFF") || has(8, b"AIFC")) => Some(Known::Aiff),
        _ if has(0, W64) => Some(Known::Wave64),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Known::Matroska),
        [b'c', b'a', b'f', b'f', 0, 1, ..] => Some(Known::Caf),
        [b'.', b's', b'n', b'd', 0, 0, ..] => Some(Known::Au),
        _ if [&b"ftyp"[..], b"moov", b"mdat", b"styp", b"moof", b"wide", b"skip"]
            .iter()
            .any(|id| has(4, id))
            && head[0] < 2 =>
        {
            Some(Known::Mp4)
        }
        _ => None,
    }
}

/// True if `head` begins with a signature that is too long to appear by accident among other bytes.
pub fn marked(head: &[u8]) -> bool {
    matches!(head.first(), Some(b'O' | b'f' | b'F' | b'R' | b'B' | b'r' | 0x1a))
        && matches!(
            mark(head),
            Some(Known::Riff | Known::Ogg | Known::Flac | Known::Aiff | Known::Wave64 | Known::Matroska)
        )
        || head.get(4..8) == Some(b"ftyp") && mark(head).is_some()
}

/// Length in bytes of a tag that begins at the start of `head`, including its header.
pub fn tag_length(head: &[u8]) -> Option<u64> {
    match head {
        // Version, revision, flags, and a size of four times seven bits, without header and footer.
        [b'I', b'D', b'3', version, revision, flags, a, b, c, d, ..]
            if *version < 0xff && *revision < 0xff && (a | b | c | d) & 0x80 == 0 =>
        {
            let size = [a, b, c, d].into_iter().fold(0_u64, |n, x| n << 7 | u64::from(*x));
            Some(10 + size + if flags & 0x10 != 0 { 10 } else { 0 })
        }
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', rest @ ..] if rest.len() >= 16 => {
            let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            // The size covers the items and the footer. A footer without a header has its items before it.
            let header = word(12) & (1 << 29) != 0;
            Some(if header { 32 + u64::from(word(4)) } else { 32 })
        }
        [b'T', b'A', b'G', b'+', ..] => Some(227),
        [b'T', b'A', b'G', ..] => Some(128),
        [b'L', b'Y', b'R', b'I', b'C', b'S', b'B', b'E', b'G', b'I', b'N', ..] => Some(11),
        [b'3', b'D', b'I', b'3', ..] => Some(10),
        _ => None,
    }
}
