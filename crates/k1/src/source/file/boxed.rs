//! Containers with an index, read by Symphonia: MP4, Matroska, CAF.

use std::collections::VecDeque;
use std::io::{ErrorKind, Result};

use symphonia::core::codecs::audio::CODEC_ID_NULL_AUDIO;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS,
};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackFlags, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Timestamp;

use super::bytes::Bytes;
use super::decode::Decoder;
use super::flow::{Demux, Edit, Event, Packet, Refusal, Stream};
use super::marks::Known;
use super::{matroska, mp4, opus};

/// Number of consecutive errors after which K1 gives a container up.
const HOPELESS: u32 = 1000;
/// Longest credible delay of the sound after other tracks, in seconds.
const LATE: f64 = 600.0;

/// Facts found before opening.
enum Scan {
    Mp4(mp4::Scan),
    Matroska(matroska::Scan),
    Other,
}

/// Parser of such a container.
pub struct Boxed {
    format: Box<dyn FormatReader>,
    scan: Scan,
    track: u32,
    rate: u32,
    /// Length of a tick of the track in seconds.
    tick: f64,
    /// Time of the first packet of any track in seconds, and of the first packet of this track in ticks.
    earliest: Option<f64>,
    first: Option<i64>,
    faults: u32,
    ready: VecDeque<Event>,
    end: u64,
    over: bool,
}

impl Boxed {
    /// Opens the container at this place. `wanted` is the index of its sound track, where 0 is the default track. Also returns
    /// the number of sound tracks.
    pub fn open(
        bytes: &mut Bytes,
        known: Known,
        wanted: usize,
    ) -> Result<std::result::Result<(Self, usize), Refusal>> {
        let (scan, end) = match known {
            Known::Mp4 => {
                if bytes.left().is_none() && mp4::index_is_behind(bytes)? {
                    let why = "its index (moov) comes after its sound, so it cannot be read from a pipe; give the file itself";
                    return Ok(Err(Refusal::broken(why)));
                }
                let scan = mp4::Scan::new(bytes)?;
                if !scan.index {
                    let why = "its index (moov) is missing or cut off: the recording was not finished, or the file is incomplete";
                    return Ok(Err(Refusal::broken(why)));
                }
                let end = scan.end;
                (Scan::Mp4(scan), end)
            }
            Known::Matroska => {
                let scan = matroska::Scan::new(bytes)?;
                let end = scan.end;
                (Scan::Matroska(scan), end)
            }
            _ => (Scan::Other, u64::MAX),
        };
        let mut source = bytes.fork(Some(end))?;
        if let Scan::Mp4(scan) = &scan {
            // Pictures are not needed: show their boxes to the parser as free space, which it skips.
            source.patches = scan.tags.iter().map(|at| (*at, *b"free")).collect();
        }
        let stream = MediaSourceStream::new(Box::new(source), Default::default());
        let probe = symphonia::default::get_probe();
        let (hint, options) = (Hint::new(), FormatOptions::default());
        let format = match probe.probe(&hint, stream, options, MetadataOptions::default()) {
            Ok(format) => format,
            Err(Fault::IoError(e)) if e.raw_os_error().is_some() => return Err(e),
            Err(e) => {
                return Ok(Err(Refusal::broken(format!("it is {} that cannot be read: {e}", name(known)))));
            }
        };
        let mut tracks: Vec<&Track> =
            format.tracks().iter().filter(|t| t.track_type() == Some(TrackType::Audio)).collect();
        if tracks.is_empty() {
            let unknown = format.tracks().iter().any(|t| t.codec_params.is_none());
            return Ok(Err(if unknown {
                let codec = match &scan {
                    Scan::Mp4(scan) => scan.rare(),
                    _ => None,
                };
                let codec = codec.unwrap_or_else(|| "sound in a rare codec".to_owned());
                Refusal::codec(format!("{} with {codec}", name(known)))
            } else {
                Refusal::broken("it contains no sound")
            }));
        }
        // The default track first, and decodable tracks before others.
        let can = |t: &Track| stream_of(t, &scan).is_ok_and(|s| Decoder::new(&s).is_ok());
        tracks.sort_by_key(|t| (!can(t), !t.flags.contains(TrackFlags::DEFAULT)));
        let able = tracks.iter().filter(|t| can(t)).count();
        let track = tracks[wanted.min(tracks.len() - 1)];
        let stream = match stream_of(track, &scan) {
            Ok(stream) => stream,
            Err(why) => return Ok(Err(why)),
        };
        let rate = stream.codec.sample_rate.unwrap_or(0);
        let tick = track.time_base.map_or(0.0, |tb| f64::from(tb.numer.get()) / f64::from(tb.denom.get()));
        let id = track.id;
        let length = track.num_frames;
        let mut this = Self {
            format,
            scan,
            track: id,
            rate,
            tick,
            earliest: None,
            first: None,
            faults: 0,
            ready: VecDeque::new(),
            end,
            over: false,
        };
        let stream = this.trimmed(stream, length);
        this.ready.push_back(Event::Stream(Box::new(stream)));
        Ok(Ok((this, able.max(1))))
    }

    /// The stream, with known trimming of its ends.
    fn trimmed(&self, mut stream: Stream, length: Option<u64>) -> Stream {
        let aac = stream.codec.codec == CODEC_ID_AAC;
        let is_opus = stream.codec.codec == CODEC_ID_OPUS;
        let all = Edit { pause: 0, from: 0, to: u64::MAX };
        stream.length = length;
        match &self.scan {
            Scan::Mp4(scan) => {
                stream.edits = scan.edits(self.track, self.rate, aac);
                if let [Edit { pause, from, to }] = stream.edits[..]
                    && let Some(length) = &mut stream.length
                {
                    *length = pause + (*length).min(to).saturating_sub(from);
                }
            }
            Scan::Matroska(scan) => {
                // The codec's own header gives it in frames, the container in nanoseconds.
                let own = stream.edits.first().filter(|_| is_opus).map(|e| e.from);
                let usual = match stream.codec.codec {
                    CODEC_ID_AAC => super::adts::PRIMING,
                    CODEC_ID_MP3 => super::mpeg::DELAY,
                    CODEC_ID_MP2 => super::mpeg::POLYPHASE,
                    _ => 0,
                };
                let delay = own.or_else(|| scan.delay(self.track, self.rate)).unwrap_or(usual);
                stream.edits = vec![Edit { from: delay, ..all }];
                stream.tail = scan.tail(self.track, self.rate);
            }
            Scan::Other => {}
        }
        stream
    }

    /// A packet of our track.
    fn packet(&mut self, packet: symphonia::core::packet::Packet) -> Event {
        let ticks = packet.pts.get();
        let first = *self.first.get_or_insert(ticks);
        let at = (ticks.saturating_sub(first)) as f64 * self.tick * f64::from(self.rate);
        let frames = packet.dur.get() as f64 * self.tick * f64::from(self.rate);
        Event::Packet(Packet {
            data: packet.data.into_vec(),
            frames: frames.round() as u64,
            at: (at >= 0.0 && self.tick > 0.0 && !matches!(self.scan, Scan::Other))
                .then_some(at.round() as u64),
            cut: packet.trim_end.get(),
        })
    }

    fn finish(&mut self, bytes: &mut Bytes, short: bool) -> Result<Event> {
        let cut = match &self.scan {
            Scan::Mp4(scan) => scan.cut,
            Scan::Matroska(scan) => scan.cut,
            Scan::Other => false,
        };
        if !std::mem::replace(&mut self.over, true) {
            let here = bytes.pos();
            bytes.skip(self.end.saturating_sub(here))?;
            if short || cut {
                return Ok(Event::Short);
            }
        }
        Ok(Event::End)
    }
}

impl Demux for Boxed {
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event> {
        if let Some(event) = self.ready.pop_front() {
            return Ok(event);
        }
        loop {
            if self.over {
                return self.finish(bytes, false);
            }
            match self.format.next_packet() {
                Ok(Some(packet)) => {
                    self.faults = 0;
                    if self.first.is_none() && matches!(self.scan, Scan::Matroska(_)) {
                        let time = |id: u32, ts: Timestamp| {
                            let base = self.format.tracks().iter().find(|t| t.id == id)?.time_base?;
                            Some(ts.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
                        };
                        if let Some(t) = time(packet.track_id, packet.pts) {
                            self.earliest = Some(self.earliest.map_or(t, |e| e.min(t)));
                        }
                        if packet.track_id == self.track
                            && let Some(late) = time(self.track, packet.pts).zip(self.earliest)
                            && (0.002..LATE).contains(&(late.0 - late.1.max(0.0)))
                        {
                            let frames = ((late.0 - late.1.max(0.0)) * f64::from(self.rate)).round() as u64;
                            let packet = self.packet(packet);
                            self.ready.push_back(packet);
                            return Ok(Event::Later { frames });
                        }
                    }
                    if packet.track_id == self.track {
                        return Ok(self.packet(packet));
                    }
                }
                Ok(None) => return self.finish(bytes, false),
                Err(Fault::ResetRequired) => {
                    let found =
                        self.format.tracks().iter().find(|t| t.track_type() == Some(TrackType::Audio));
                    let Some((id, stream, length)) =
                        found.map(|t| (t.id, stream_of(t, &self.scan), t.num_frames))
                    else {
                        return self.finish(bytes, false);
                    };
                    self.track = id;
                    return Ok(match stream {
                        Ok(stream) => {
                            self.rate = stream.codec.sample_rate.unwrap_or(0);
                            Event::Stream(Box::new(self.trimmed(stream, length)))
                        }
                        Err(why) => Event::Foreign(why),
                    });
                }
                Err(Fault::IoError(e)) if e.raw_os_error().is_some() => return Err(e),
                // Parsers return errors of this kind for content that they cannot read.
                Err(Fault::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    return self.finish(bytes, true);
                }
                Err(Fault::IoError(_) | Fault::DecodeError(_)) => {
                    self.faults += 1;
                    if self.faults > HOPELESS {
                        return self.finish(bytes, true);
                    }
                    return Ok(Event::Lost { frames: 0, why: "the container is damaged" });
                }
                Err(_) => return self.finish(bytes, true),
            }
        }
    }
}

/// A container's name, for people.
fn name(known: Known) -> &'static str {
    match known {
        Known::Mp4 => "MP4",
        Known::Matroska => "Matroska",
        _ => "CAF",
    }
}

/// The stream of a track; an error names a format that K1 cannot decode.
fn stream_of(track: &Track, scan: &Scan) -> std::result::Result<Stream, Refusal> {
    let codec = track
        .codec_params
        .as_ref()
        .and_then(|c| c.audio())
        .ok_or_else(|| Refusal::codec("sound in a rare codec"))?;
    if codec.codec == CODEC_ID_OPUS {
        // The header is the same in every container; a track without one is plain stereo.
        let head = codec.extra_data.as_deref().unwrap_or(b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0");
        return opus::stream(head, true).ok_or_else(|| Refusal::codec("Opus with a rare channel mapping"));
    }
    let mut codec = codec.clone();
    if let Scan::Mp4(mp4) = scan
        && codec.codec == CODEC_ID_NULL_AUDIO
    {
        let Some(cookie) = &mp4.alac else {
            let rare = mp4.rare().unwrap_or_else(|| "sound in a rare codec".to_owned());
            return Err(Refusal::codec(format!("MP4 with {rare}")));
        };
        let rate = u32::from_be_bytes([cookie[20], cookie[21], cookie[22], cookie[23]]);
        codec.for_codec(CODEC_ID_ALAC).with_sample_rate(rate);
        codec.with_extra_data(cookie.clone().into_boxed_slice());
    }
    let mut name = super::names::of(codec.codec);
    if codec.codec == CODEC_ID_AAC
        && let Some(core) = codec.extra_data.as_deref().and_then(super::adts::core)
    {
        // K1 decodes only the core, which is the same sound without high frequencies.
        codec.sample_rate = Some(core.0);
        codec.channels = Some(core.1);
        codec.extra_data = None;
        name = "HE-AAC";
    }
    Ok(Stream::new(codec, name))
}
