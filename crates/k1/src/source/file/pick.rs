//! Opens a container and chooses its track: the default one, unless it is silent and another is not.

use std::io::Result;

use super::boxed::Boxed;
use super::bytes::Bytes;
use super::chunks::Chunks;
use super::decode::Decoder;
use super::elementary::Frames;
use super::flac::Flac;
use super::flow::{Demux, Event, Refusal};
use super::marks::Known;
use super::ogg::Ogg;
use crate::source::guard::guarded;

/// Time for which a track is checked, in seconds.
const LISTEN: f64 = 20.0;
/// Level below which sound counts as silence: -66 dB of full scale.
const SILENT: f32 = 0.000_5;
/// Largest number of events that are checked in a track.
const EVENTS: usize = 20_000;
/// Largest number of tracks that are checked.
const TRACKS: usize = 16;

/// Opens the container at this place; `Err` says what K1 cannot decode.
pub fn open(bytes: &mut Bytes, known: Known) -> Result<std::result::Result<Box<dyn Demux>, Refusal>> {
    Ok(Ok(match known {
        Known::Frames => Box::new(Frames::default()),
        Known::Flac => Box::new(Flac::default()),
        Known::Riff | Known::Wave64 | Known::Aiff | Known::Au => Box::new(Chunks::new(known)),
        Known::Ogg => {
            let n = if bytes.left().is_some() { streams(&mut bytes.fork(None)?)? } else { 1 };
            let wanted =
                choose(bytes, n, |bytes, wanted| Ok(Some((Box::new(Ogg::new(wanted)), bytes.fork(None)?))))?;
            Box::new(Ogg::new(wanted))
        }
        Known::Mp4 | Known::Matroska | Known::Caf => {
            let opened = guarded(|| Boxed::open(bytes, known, 0));
            let (first, n) = match opened {
                Some(Ok(Ok(opened))) => opened,
                Some(Ok(Err(what))) => return Ok(Err(what)),
                Some(Err(e)) => return Err(e),
                None => return Ok(Err(Refusal::broken("it is too damaged to be read"))),
            };
            let wanted = choose(bytes, n, |bytes, wanted| {
                let boxed = guarded(|| Boxed::open(bytes, known, wanted)).transpose()?;
                Ok(match boxed {
                    Some(Ok((boxed, _))) => Some((Box::new(boxed), bytes.fork(None)?)),
                    _ => None,
                })
            })?;
            if wanted == 0 {
                return Ok(Ok(Box::new(first)));
            }
            match Boxed::open(bytes, known, wanted)? {
                Ok((boxed, _)) => Box::new(boxed),
                Err(what) => return Ok(Err(what)),
            }
        }
    }))
}

/// Number of parallel sound streams of an Ogg file.
fn streams(bytes: &mut Bytes) -> Result<usize> {
    let mut ogg = Ogg::default();
    for _ in 0..EVENTS {
        if let Event::Stream(_) | Event::End | Event::Foreign(_) = ogg.next(bytes)? {
            break;
        }
    }
    Ok(ogg.seen)
}

type Opened = Option<(Box<dyn Demux>, Bytes)>;

/// The first track that is not silent, or the first of all.
fn choose(
    bytes: &mut Bytes,
    tracks: usize,
    mut make: impl FnMut(&mut Bytes, usize) -> Result<Opened>,
) -> Result<usize> {
    if tracks < 2 || bytes.left().is_none() {
        return Ok(0);
    }
    for wanted in 0..tracks.min(TRACKS) {
        if let Some((mut demux, mut bytes)) = make(bytes, wanted)?
            && guarded(|| sounds(&mut *demux, &mut bytes)).transpose()?.unwrap_or(false)
        {
            return Ok(wanted);
        }
    }
    Ok(0)
}

/// True if sound begins soon.
fn sounds(demux: &mut dyn Demux, bytes: &mut Bytes) -> Result<bool> {
    let (mut decoder, mut heard) = (None, 0.0);
    for _ in 0..EVENTS {
        match demux.next(bytes)? {
            Event::Stream(stream) => decoder = Decoder::new(&stream).ok(),
            Event::Packet(packet) => {
                if let Some(sound) = decoder.as_mut().and_then(|d: &mut Decoder| d.decode(&packet)) {
                    if sound.interleaved.iter().any(|x| x.abs() > SILENT) {
                        return Ok(true);
                    }
                    let frames = sound.interleaved.len() / sound.channels.count().max(1);
                    heard += frames as f64 / f64::from(sound.rate.max(1));
                }
                if heard > LISTEN {
                    return Ok(false);
                }
            }
            Event::End => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}
