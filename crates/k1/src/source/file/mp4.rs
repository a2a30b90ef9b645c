//! Facts that Symphonia's MP4 reader does not report: edit lists, the encoder's stated delay, and the end of the file.

use std::io::Result;

use super::bytes::Bytes;
use super::flow::Edit;
use super::{chain, marks};

/// Largest number of boxes that are read in a file.
const BOXES: usize = 100_000;

/// One entry of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Length in ticks of the movie.
    duration: u64,
    /// Beginning in ticks of the media; `None` is a pause.
    media: Option<u64>,
}

/// A track.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Track number.
    pub id: u32,
    /// Ticks of the track per second.
    scale: u64,
    entries: Vec<Entry>,
}

/// The facts.
#[derive(Debug, Default)]
pub struct Scan {
    /// End of the file, or the beginning of a joined one.
    pub end: u64,
    /// True if there is an index.
    pub index: bool,
    /// True if the stated sound reaches beyond the end of the file.
    pub cut: bool,
    /// Ticks of the movie per second.
    scale: u64,
    /// Tracks with their edits.
    tracks: Vec<Track>,
    /// Delay, padding and length in frames, as stated by Apple's encoder.
    smpb: Option<(u64, u64, u64)>,
    /// The name of the program that wrote the file.
    tool: String,
    fragmented: bool,
    /// The codecs' four-letter codes.
    codecs: Vec<[u8; 4]>,
    /// Parameters for an ALAC decoder, wherever they are in a sound's description.
    pub alac: Option<Vec<u8>>,
    /// Offsets of the names of boxes that hold tags and pictures.
    pub tags: Vec<u64>,
}

impl Scan {
    /// Reads the boxes from here on, without moving.
    pub fn new(bytes: &mut Bytes) -> Result<Self> {
        let mut scan = Self::default();
        let from = bytes.pos();
        let Some(left) = bytes.left() else {
            (scan.end, scan.index) = (u64::MAX, true);
            return Ok(scan);
        };
        scan.end = from + left;
        let mut seen = 0;
        scan.boxes(bytes, from, from + left, true, &mut seen)?;
        Ok(scan)
    }

    /// Walks the boxes between two offsets.
    fn boxes(&mut self, bytes: &mut Bytes, from: u64, to: u64, top: bool, seen: &mut usize) -> Result<()> {
        let mut at = from;
        while at + 8 <= to && *seen < BOXES {
            *seen += 1;
            let Some(head) = bytes.look(at, 16)? else { return Ok(()) };
            if head.len() < 8 {
                return Ok(());
            }
            let (mut size, kind) = (u64::from(be32(&head, 0)), [head[4], head[5], head[6], head[7]]);
            let mut start = at + 8;
            if size == 1 && head.len() == 16 {
                size = u64::from(be32(&head, 8)) << 32 | u64::from(be32(&head, 12));
                start = at + 16;
            } else if size == 0 {
                size = to - at;
            }
            if top && at > from && kind != *b"ftyp" && another(bytes, at, &kind)? {
                self.end = at;
                return Ok(());
            }
            if size < start - at {
                return Ok(());
            }
            let promised = at.saturating_add(size);
            let end = promised.min(to);
            if top && kind == *b"ftyp" && at > from {
                self.end = at;
                return Ok(());
            }
            if matches!(&kind, b"udta" | b"meta") && self.tags.len() < 100 {
                self.tags.push(at + 4);
            }
            match &kind {
                b"moov" => {
                    self.index = promised <= to;
                    self.boxes(bytes, start, end, false, seen)?;
                }
                b"mdat" | b"moof" if top => self.cut |= promised > to,
                b"mvex" => self.fragmented = true,
                b"trak" => {
                    self.tracks.push(Track::default());
                    self.boxes(bytes, start, end, false, seen)?;
                }
                b"edts" | b"mdia" | b"minf" | b"stbl" | b"udta" | b"ilst" | b"----" | b"\xa9too" => {
                    self.boxes(bytes, start, end, false, seen)?;
                }
                // A full box in MP4, a plain one in QuickTime.
                b"meta" => {
                    let plain = bytes.look(start, 8)?.is_some_and(|b| b.get(4..8) == Some(b"hdlr"));
                    self.boxes(bytes, if plain { start } else { start + 4 }, end, false, seen)?;
                }
                b"mvhd" | b"mdhd" | b"tkhd" | b"elst" | b"stsd" | b"data" => {
                    let most = (end - start).min(match &kind {
                        b"elst" => 1 << 16,
                        b"stsd" => 1024,
                        _ => 256,
                    });
                    if let Some(content) = bytes.look(start, most as usize)? {
                        self.content(&kind, &content);
                    }
                }
                _ => {}
            }
            at = end;
        }
        Ok(())
    }

    fn content(&mut self, kind: &[u8; 4], b: &[u8]) {
        let long = b.first() == Some(&1);
        match (kind, self.tracks.last_mut()) {
            (b"mvhd", _) => self.scale = u64::from(be32(b, if long { 20 } else { 12 })),
            (b"mdhd", Some(track)) => track.scale = u64::from(be32(b, if long { 20 } else { 12 })),
            (b"tkhd", Some(track)) => track.id = be32(b, if long { 20 } else { 12 }),
            (b"elst", Some(track)) => {
                let size = if long { 20 } else { 12 };
                for e in b.get(8..).unwrap_or_default().chunks_exact(size).take(be32(b, 4) as usize) {
                    let (duration, media) = if long {
                        let eight = |at| u64::from(be32(e, at)) << 32 | u64::from(be32(e, at + 4));
                        (eight(0), eight(8) as i64)
                    } else {
                        (u64::from(be32(e, 0)), i64::from(be32(e, 4) as i32))
                    };
                    track.entries.push(Entry { duration, media: u64::try_from(media).ok() });
                }
            }
            (b"stsd", _) => {
                self.codecs.extend(b.get(12..16).and_then(|id| <[u8; 4]>::try_from(id).ok()));
                // QuickTime keeps it a level deeper than MP4.
                let at = b.windows(8).position(|w| w == b"\0\0\0\x24alac");
                let cookie = at.and_then(|at| b.get(at + 12..at + 36)).map(<[u8]>::to_vec);
                self.alac = self.alac.take().or(cookie);
            }
            (b"data", _) => {
                let text = String::from_utf8_lossy(b.get(8..).unwrap_or_default());
                let numbers: Vec<u64> =
                    text.split_whitespace().map_while(|t| u64::from_str_radix(t, 16).ok()).collect();
                if let [0, delay, padding, length, _, _, ..] = numbers[..] {
                    self.smpb = Some((delay, padding, length));
                } else if !text.is_empty() && text.len() < 100 {
                    self.tool += &text;
                }
            }
            _ => {}
        }
    }

    /// The name of a codec in the file that K1 cannot decode, or its four-letter code.
    pub fn rare(&self) -> Option<String> {
        let name = |id: &[u8; 4]| {
            Some(match id {
                b"ima4" | b"ms\0\x11" => "IMA ADPCM",
                b"ms\0\x02" => "Microsoft ADPCM",
                b"alac" => "ALAC without its description",
                b"ac-3" => "Dolby Digital (AC-3)",
                b"ec-3" => "Dolby Digital Plus (E-AC-3)",
                b"ac-4" => "Dolby AC-4",
                b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" => "DTS",
                b"mha1" | b"mhm1" => "MPEG-H",
                b"samr" | b"sawb" => "AMR",
                b"QDM2" | b"QDMC" => "QDesign Music",
                b"MAC3" | b"MAC6" => "MACE",
                b"agsm" => "GSM 6.10",
                _ => return None,
            })
        };
        let known = self.codecs.iter().find_map(|id| name(id).map(str::to_owned));
        let letters = |id: &[u8; 4]| id.iter().all(|c| (0x20..0x7f).contains(c));
        known.or_else(|| {
            let id = self.codecs.iter().find(|id| letters(id))?;
            Some(format!("sound in a rare codec ({})", String::from_utf8_lossy(id).trim()))
        })
    }

    /// The ranges of a track to be heard, for sound with `rate` frames per second. `aac` if its packets are AAC.
    pub fn edits(&self, id: u32, rate: u32, aac: bool) -> Vec<Edit> {
        let all = Edit { pause: 0, from: 0, to: u64::MAX };
        let track = self.tracks.iter().find(|t| t.id == id);
        let convert = |ticks: u64, scale: u64| {
            u64::try_from(u128::from(ticks) * u128::from(rate) / u128::from(scale.max(1))).unwrap_or(u64::MAX)
        };
        let mut edits: Vec<Edit> = Vec::new();
        if let Some(track) = track {
            let mut pause = 0;
            for entry in &track.entries {
                let length = convert(entry.duration, self.scale);
                match entry.media {
                    None => pause += length,
                    Some(media) => {
                        let from = convert(media, track.scale);
                        // A length of 0 means everything, as does the length of a movie that is still being written.
                        let to = if length == 0 || self.fragmented {
                            u64::MAX
                        } else {
                            from.saturating_add(length)
                        };
                        // Ignore jumps backwards in time.
                        if edits.last().is_some_and(|last| from < last.to) {
                            continue;
                        }
                        edits.push(Edit { pause: std::mem::take(&mut pause), from, to });
                    }
                }
            }
            if edits.is_empty() && pause > 0 {
                edits.push(Edit { pause, ..all });
            }
        }
        // Apple's own numbers are exact if there is no edit list or if it begins at 0.
        if let Some((delay, _, length)) = self.smpb.filter(|_| edits.len() <= 1 && aac) {
            let first = edits.first().copied().unwrap_or(all);
            if first.from == 0 {
                let to = if length > 0 { delay.saturating_add(length) } else { u64::MAX };
                return vec![Edit { pause: first.pause, from: delay, to }];
            }
        }
        if edits.is_empty() {
            let apple =
                ["iTunes", "QuickTime", "qaac", "CoreAudio", "Apple"].iter().any(|a| self.tool.contains(a));
            let from = if !aac {
                0
            } else if apple {
                2112
            } else {
                super::adts::PRIMING
            };
            return vec![Edit { from, ..all }];
        }
        edits
    }
}

/// True if the sound comes before the index, as far as the look-ahead reaches.
pub fn index_is_behind(bytes: &mut Bytes) -> Result<bool> {
    let head = bytes.peek(64 * 1024)?;
    let mut at = 0;
    while let Some(kind) = head.get(at + 4..at + 8) {
        match kind {
            b"mdat" => return Ok(true),
            b"moov" | b"moof" => return Ok(false),
            _ => at += (be32(head, at) as usize).max(8),
        }
    }
    Ok(false)
}

/// True if the bytes after a box are not a box but sound of another kind, or a tag before it.
fn another(bytes: &mut Bytes, at: u64, kind: &[u8; 4]) -> Result<bool> {
    const BOXES: [&[u8; 4]; 16] = [
        b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"sidx", b"styp",
        b"mfra", b"emsg", b"prft", b"pnot", b"pdin",
    ];
    if BOXES.contains(&kind) {
        return Ok(false);
    }
    let Some(head) = bytes.look(at, 32 * 1024)? else { return Ok(false) };
    Ok(marks::mark(&head).is_some()
        || marks::tag_length(&head).is_some()
        || chain::chained_in(&head, 3).is_some())
}

fn be32(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}
