//! Facts that Symphonia's Matroska reader does not report: codec delay, padding at the end, and the end of the file.

use std::io::Result;

use super::bytes::Bytes;

/// Largest number of elements that are read in a file.
const ELEMENTS: usize = 200_000;

/// The facts.
#[derive(Debug, Default)]
pub struct Scan {
    /// End of the file, or the beginning of a joined one.
    pub end: u64,
    /// True if the stated sound reaches beyond the end of the file.
    pub cut: bool,
    /// Delay of each track in nanoseconds, by its number.
    delays: Vec<(u64, u64)>,
    /// Padding at the end of each track in nanoseconds.
    padding: Vec<(u64, u64)>,
}

/// An element: its name, the offset of its content, and the content's length if it is stated.
struct Element {
    id: u32,
    start: u64,
    size: Option<u64>,
}

fn element(bytes: &mut Bytes, at: u64) -> Result<Option<Element>> {
    let Some(b) = bytes.look(at, 12)? else { return Ok(None) };
    let Some(first) = b.first() else { return Ok(None) };
    let n = first.leading_zeros() as usize + 1;
    let (Some(id), Some(size)) = (b.get(..n).filter(|_| n <= 4), b.get(n)) else { return Ok(None) };
    let m = size.leading_zeros() as usize + 1;
    let Some(rest) = b.get(n..n + m).filter(|_| m <= 8) else { return Ok(None) };
    let value = rest.iter().fold(0_u64, |v, x| v << 8 | u64::from(*x)) & ((1 << (7 * m)) - 1);
    Ok(Some(Element {
        id: id.iter().fold(0, |v, x| v << 8 | u32::from(*x)),
        start: at + (n + m) as u64,
        // All ones means unknown.
        size: (value != (1 << (7 * m)) - 1).then_some(value),
    }))
}

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TRACKS: u32 = 0x1654_ae6b;
const ENTRY: u32 = 0xae;
const NUMBER: u32 = 0xd7;
const DELAY: u32 = 0x56aa;
const GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const PADDING: u32 = 0x75a2;

impl Scan {
    /// Reads the elements from here on, without moving.
    pub fn new(bytes: &mut Bytes) -> Result<Self> {
        let mut scan = Self::default();
        let Some(left) = bytes.left() else {
            scan.end = u64::MAX;
            return Ok(scan);
        };
        let file = bytes.pos() + left;
        scan.end = file;
        let Some(head) = element(bytes, bytes.pos())? else { return Ok(scan) };
        let mut at = head.start + head.size.unwrap_or(0);
        let Some(segment) = element(bytes, at)?.filter(|e| e.id == SEGMENT) else { return Ok(scan) };
        let known = segment.size.map(|size| segment.start.saturating_add(size));
        scan.cut = known.is_some_and(|end| end > file);
        let end = known.unwrap_or(file).min(file);
        at = segment.start;
        let mut last = None;
        for _ in 0..ELEMENTS {
            let Some(e) = element(bytes, at)?.filter(|_| at < end) else { break };
            match e.id {
                EBML => {
                    scan.end = at;
                    break;
                }
                TRACKS => scan.tracks(bytes, e.start, e.start + e.size.unwrap_or(0))?,
                CLUSTER => last = Some((e.start, e.size.map_or(end, |n| (e.start + n).min(end)))),
                _ => {}
            }
            // The parts of a cluster without a size come next.
            at = match e.size {
                Some(size) => e.start.saturating_add(size),
                None => e.start,
            };
        }
        if let Some(known) = known.filter(|k| *k < scan.end) {
            scan.end = known;
        }
        if let Some((from, to)) = last {
            scan.paddings(bytes, from, to)?;
        }
        Ok(scan)
    }

    fn tracks(&mut self, bytes: &mut Bytes, from: u64, to: u64) -> Result<()> {
        let mut at = from;
        while let Some(e) = element(bytes, at)?.filter(|_| at < to) {
            let Some(size) = e.size else { break };
            if e.id == ENTRY {
                let number = number(bytes, &e, NUMBER)?.unwrap_or(0);
                let delay = number_of(bytes, &e, DELAY)?;
                if let Some(delay) = delay {
                    self.delays.push((number, delay as u64));
                }
            }
            at = e.start.saturating_add(size);
        }
        Ok(())
    }

    fn paddings(&mut self, bytes: &mut Bytes, from: u64, to: u64) -> Result<()> {
        let mut at = from;
        for _ in 0..ELEMENTS {
            let Some(e) = element(bytes, at)?.filter(|_| at < to) else { break };
            let Some(size) = e.size else { break };
            if e.id == GROUP {
                let track = child(bytes, &e, BLOCK)?.map(|b| bytes.look(b.start, 1)).transpose()?.flatten();
                let track = track.and_then(|b| b.first().map(|b| u64::from(b & 0x7f)));
                if let (Some(track), Some(padding)) = (track, number_of(bytes, &e, PADDING)?)
                    && padding > 0
                {
                    self.padding.push((track, padding as u64));
                }
            }
            at = e.start.saturating_add(size);
        }
        Ok(())
    }

    /// Delay of a track in frames, if the file states it.
    pub fn delay(&self, track: u32, rate: u32) -> Option<u64> {
        find(&self.delays, track, rate)
    }

    /// Padding at the end of a track in frames.
    pub fn tail(&self, track: u32, rate: u32) -> u64 {
        find(&self.padding, track, rate).unwrap_or(0)
    }
}

fn find(list: &[(u64, u64)], track: u32, rate: u32) -> Option<u64> {
    let (_, nanoseconds) = list.iter().find(|(n, _)| *n == u64::from(track))?;
    let frames = u128::from(*nanoseconds) * u128::from(rate) + 500_000_000;
    u64::try_from(frames / 1_000_000_000).ok()
}

/// The first child with a name.
fn child(bytes: &mut Bytes, parent: &Element, id: u32) -> Result<Option<Element>> {
    let end = parent.start.saturating_add(parent.size.unwrap_or(0));
    let mut at = parent.start;
    for _ in 0..1000 {
        let Some(e) = element(bytes, at)?.filter(|_| at < end) else { break };
        if e.id == id {
            return Ok(Some(e));
        }
        let Some(size) = e.size else { break };
        at = e.start.saturating_add(size);
    }
    Ok(None)
}

fn number_of(bytes: &mut Bytes, parent: &Element, id: u32) -> Result<Option<i64>> {
    let Some(e) = child(bytes, parent, id)? else { return Ok(None) };
    let Some(size @ 1..=8) = e.size else { return Ok(None) };
    let Some(b) = bytes.look(e.start, size as usize)? else { return Ok(None) };
    let negative = b.first().is_some_and(|b| b & 0x80 != 0);
    let value = b.iter().fold(if negative { -1_i64 } else { 0 }, |v, x| v << 8 | i64::from(*x));
    Ok(Some(value))
}

fn number(bytes: &mut Bytes, parent: &Element, id: u32) -> Result<Option<u64>> {
    Ok(number_of(bytes, parent, id)?.and_then(|n| u64::try_from(n).ok()))
}
