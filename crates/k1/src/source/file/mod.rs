//! Sound from a file. K1 recognises the content, splits it into packets, decodes, mixes to mono and resamples it as it reads.
//! After the end of a stream it examines what follows, so that joined files are heard to their end. Damage becomes silence of
//! the same length and is reported with its time.
//!
//! | Room | What it does |
//! |---|---|
//! | `bytes` | reads the file piece by piece |
//! | `marks`, `sniff`, `tags` | signatures; recognises content; skips tags |
//! | `frame`, `mpeg`, `adts` | headers of frames |
//! | `chain`, `elementary` | frames without a container |
//! | `flac`, `ogg`, `vorbis`, `opus` | these containers and codecs |
//! | `chunks`, `format` | WAV, AIFF, AU |
//! | `boxed`, `mp4`, `matroska`, `names` | containers with an index |
//! | `flow` | the events that all of them produce |
//! | `voice`, `decode`, `mix`, `timeline` | the stream that plays: decoding, mixing to mono, timing |
//! | `pick` | choice of one of several tracks |

mod adts;
mod boxed;
mod bytes;
mod chain;
mod chunks;
mod decode;
mod elementary;
mod flac;
mod flow;
mod format;
mod frame;
mod marks;
mod matroska;
mod mix;
mod mp4;
mod mpeg;
mod names;
mod ogg;
mod opus;
mod pick;
mod sniff;
mod tags;
mod timeline;
mod voice;
mod vorbis;

use std::io::Read;
use std::path::{Path, PathBuf};

use super::damage::{Damage, Damages, Harm};
use super::guard::guarded;
use super::resample::{RATES, Resampler};
use super::{Error, Source};
use bytes::Bytes;
use decode::Decoder;
use elementary::Frames;
use flow::{Demux, Event, Packet, Refusal, Stream};
use marks::Known;
use mix::Mix;
use sniff::Found;
use timeline::{Piece, Timeline};
use voice::{Voice, for_rate};

/// Length of a piece of silence in frames.
const STILL: u64 = 4096;

/// An audio file.
pub struct FileSource {
    path: PathBuf,
    bytes: Bytes,
    /// The parser of the current part.
    demux: Option<Box<dyn Demux>>,
    voice: Option<Voice>,
    /// Resampler for the rate of the decoded sound: containers may state another rate, and streams may change it.
    resampler: Option<(u32, Resampler)>,
    /// The sound that was decoded at opening, with its rates; `None` once reading has begun.
    first: Option<Vec<(u32, Vec<f32>)>>,
    /// True if the end of the sound waits in the resampler for what follows.
    is_followed: bool,
    mono: Vec<f32>,
    ready: Vec<f32>,
    taken: usize,
    ended: bool,
    /// True if the current part ended too early.
    short: bool,
    /// Time of the sound that the resampler has received, in seconds.
    clock: f64,
    seconds: Option<f64>,
    damage: Damages,
    /// Beginning of the current part.
    begun: Option<u64>,
    /// A loss whose length a later page will reveal.
    open_loss: bool,
    /// Content that was found but cannot be decoded.
    foreign: Option<Refusal>,
}

impl FileSource {
    /// Opens a file and decodes its first sound.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let not_audio = |why: &str| Error::NotAudio(path.to_owned(), why.to_owned());
        if std::fs::metadata(path).is_ok_and(|m| m.is_dir()) {
            return Err(not_audio("it is a folder"));
        }
        Self::begun(path, Bytes::open(path).map_err(|e| Error::Open(path.to_owned(), e))?)
    }

    /// Decodes the first sound of a connection, whose errors have `name` in place of a path.
    pub fn of_stream(name: &Path, flow: Box<dyn Read + Send + Sync>) -> Result<Self, Error> {
        Self::begun(name, Bytes::of_flow(flow))
    }

    fn begun(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        let not_audio = |why: &str| Error::NotAudio(path.to_owned(), why.to_owned());
        let mut source = Self {
            path: path.to_owned(),
            bytes,
            demux: None,
            voice: None,
            resampler: None,
            first: Some(Vec::new()),
            is_followed: false,
            mono: Vec::new(),
            ready: Vec::new(),
            taken: 0,
            ended: false,
            short: false,
            clock: 0.0,
            seconds: None,
            damage: Damages::default(),
            begun: None,
            open_loss: false,
            foreign: None,
        };
        let empty = source.bytes.peek(1).map_err(|e| Error::ReadFile(path.to_owned(), e))?.is_empty();
        if empty {
            return Err(not_audio("it is empty"));
        }
        tags::cut(&mut source.bytes).map_err(|e| Error::ReadFile(path.to_owned(), e))?;
        // Report a damaged file now rather than after the light has started.
        while !source.ended && source.first.as_ref().is_some_and(Vec::is_empty) {
            source.advance()?;
        }
        if source.first.as_ref().is_none_or(Vec::is_empty) {
            return Err(match source.foreign.take() {
                Some(Refusal::Codec(what)) => Error::Foreign(path.to_owned(), what),
                Some(Refusal::Broken(why)) => not_audio(&why),
                None if source.voice.is_some() || source.damage.count() > 0 => {
                    not_audio("not one sample could be decoded")
                }
                None => not_audio("no sound was found in it"),
            });
        }
        Ok(source)
    }

    /// Lets the end of the sound wait in the resampler for [`follow`](Self::follow) or [`finish`](Self::finish).
    pub fn expect_more(&mut self) {
        self.is_followed = true;
    }

    /// Continues where `before` has ended, so that both are resampled as one sound. Call it before the first read.
    pub fn follow(&mut self, before: Self) {
        self.resampler = before.resampler;
    }

    /// Ends the sound here: the rest from inside the resampler can be read.
    pub fn finish(&mut self) {
        self.is_followed = false;
        self.ended = true;
    }

    /// Decodes until some samples are ready or the file ends.
    fn fill(&mut self) -> Result<(), Error> {
        self.ready.clear();
        self.taken = 0;
        for (rate, sound) in self.first.take().into_iter().flatten() {
            self.resample(rate, &sound)?;
        }
        while self.ready.is_empty() && !self.ended {
            self.advance()?;
        }
        if self.ended
            && !self.is_followed
            && let Some((_, mut last)) = self.resampler.take()
        {
            last.finish(&mut self.ready);
        }
        Ok(())
    }

    /// Hears the next piece of decoded sound, or reads on in the file.
    fn advance(&mut self) -> Result<(), Error> {
        let piece = self.voice.as_mut().and_then(|v| v.time.as_mut()).and_then(|(rate, time)| {
            let piece = time.ready.pop_front()?;
            if let Piece::Silence(n @ STILL..) = piece {
                time.ready.push_front(Piece::Silence(n - STILL));
                return Some((*rate, Piece::Silence(STILL)));
            }
            Some((*rate, piece))
        });
        match piece {
            Some((rate, Piece::Sound(sound))) => self.hear(rate, &sound),
            Some((rate, Piece::Silence(n))) => self.hear(rate, &vec![0.0; n as usize]),
            None => self.step().map_err(|e| Error::ReadFile(self.path.clone(), e)),
        }
    }

    /// Passes sound to the resampler, or keeps it for the first read.
    fn hear(&mut self, rate: u32, sound: &[f32]) -> Result<(), Error> {
        self.clock += sound.len() as f64 / f64::from(rate);
        match &mut self.first {
            Some(_) if !RATES.contains(&rate) => Err(self.wrong_rate(Error::Rate(rate))),
            Some(first) => {
                if !sound.is_empty() {
                    first.push((rate, sound.to_vec()));
                }
                Ok(())
            }
            None => self.resample(rate, sound),
        }
    }

    fn resample(&mut self, rate: u32, sound: &[f32]) -> Result<(), Error> {
        if self.resampler.as_ref().is_none_or(|(now, _)| *now != rate) {
            let new = Resampler::new(rate).map_err(|e| self.wrong_rate(e))?;
            if let Some((_, mut old)) = self.resampler.replace((rate, new)) {
                old.finish(&mut self.ready);
            }
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.push(sound, &mut self.ready);
        }
        Ok(())
    }

    fn wrong_rate(&self, e: Error) -> Error {
        Error::NotAudio(self.path.clone(), e.to_string())
    }

    /// Time of the next decoded sound, in seconds from the beginning.
    fn now(&self) -> f64 {
        let waiting = self.voice.as_ref().and_then(|v| v.time.as_ref());
        self.clock + waiting.map_or(0.0, |(rate, time)| time.waiting() as f64 / f64::from(*rate))
    }

    /// Handles the next event of the file.
    fn step(&mut self) -> std::io::Result<()> {
        let Some(demux) = &mut self.demux else { return self.find() };
        let bytes = &mut self.bytes;
        let event = guarded(|| demux.next(bytes)).unwrap_or_else(|| {
            // After a panic the parser's state is unknown, so examine the following bytes anew.
            self.damage.add(self.clock, None, Harm::Lost("the file is too damaged to be read further"));
            Ok(Event::End)
        })?;
        match event {
            Event::Stream(stream) => self.begin(*stream),
            Event::Packet(packet) => self.packet(&packet),
            Event::Until { frame, last } => {
                if let Some((rate, time)) = self.voice.as_mut().and_then(|v| v.time.as_mut()) {
                    let missing = time.until(frame, last);
                    if std::mem::take(&mut self.open_loss) && missing > 0 {
                        self.damage.took(missing as f64 / f64::from(*rate));
                    }
                }
            }
            Event::Lost { frames, why } => self.lost(frames, why),
            Event::Front { frames } => {
                let at = self.now();
                if let Some(voice) = &mut self.voice {
                    voice.before += frames;
                    let rate = f64::from(voice.stream.codec.sample_rate.unwrap_or(1).max(1));
                    let why = "the front of the file was overwritten with zeros";
                    self.damage.add(at, Some(frames as f64 / rate), Harm::Lost(why));
                }
            }
            Event::Later { frames } => {
                if let Some(voice) = &mut self.voice {
                    voice.before += frames;
                }
            }
            Event::Short if !self.short => {
                self.short = true;
                self.damage.add(self.now(), None, Harm::EndsEarly);
            }
            Event::Foreign(what) => self.refuse(what),
            Event::Short | Event::End => {
                if let Some((_, time)) = self.voice.as_mut().and_then(|v| v.time.as_mut()) {
                    time.end(!self.short);
                }
                self.demux = None;
            }
        }
        Ok(())
    }

    /// Searches for the next sound in the file, from the end of the last one.
    fn find(&mut self) -> std::io::Result<()> {
        self.short = false;
        // Do not examine a place again that yielded and consumed nothing.
        if self.begun == Some(self.bytes.pos()) {
            self.bytes.skip(1)?;
        }
        let from = self.bytes.pos();
        let zeros = if from == 0 { sniff::zeros(&mut self.bytes)? } else { 0 };
        if zeros > 0
            && let Some(flac) = flac::Flac::headless(&mut self.bytes, zeros)?
        {
            self.demux = Some(Box::new(flac));
            return Ok(());
        }
        match sniff::find(&mut self.bytes)? {
            Found::Known(known) => {
                self.begun = Some(self.bytes.pos());
                if zeros > 0 && known == Known::Frames {
                    let lost = sniff::overwritten(&mut self.bytes, zeros)?;
                    self.demux = Some(Box::new(Frames::behind(lost)));
                    return Ok(());
                }
                match pick::open(&mut self.bytes, known)? {
                    Ok(demux) => self.demux = Some(demux),
                    Err(what) => {
                        self.refuse(what);
                        self.ended = true;
                    }
                }
            }
            Found::Foreign(what) if from == 0 || self.voice.is_none() => {
                self.refuse(Refusal::codec(what));
                self.ended = true;
            }
            Found::Other(what) if self.voice.is_none() => {
                self.refuse(Refusal::broken(format!("it is {what}")));
                self.ended = true;
            }
            Found::Foreign(_) | Found::Other(_) | Found::Nothing => self.ended = true,
        }
        Ok(())
    }

    /// Begins a stream.
    fn begin(&mut self, stream: Stream) {
        if let Some((_, time)) = self.voice.as_mut().and_then(|v| v.time.as_mut()) {
            time.end(true);
        }
        self.finish_voice();
        if self.seconds.is_none()
            && let (Some(length), Some(rate @ 1..)) = (stream.length, stream.codec.sample_rate)
        {
            self.seconds = Some(length as f64 / f64::from(rate));
        }
        match Decoder::new(&stream) {
            Ok(decoder) => {
                self.voice = Some(Voice { stream, decoder, mix: None, time: None, before: 0 });
            }
            Err(what) => self.refuse(what),
        }
    }

    /// Flushes the ending stream, so that another can begin.
    fn finish_voice(&mut self) {
        let Some((rate, time)) = self.voice.take().and_then(|v| v.time) else { return };
        for piece in time.ready {
            // Long pauses are pushed piece by piece, so this stays small.
            let done = match piece {
                Piece::Sound(sound) => self.hear(rate, &sound),
                Piece::Silence(n) => (0..n.div_ceil(STILL))
                    .try_for_each(|i| self.hear(rate, &vec![0.0; STILL.min(n - i * STILL) as usize])),
            };
            if done.is_err() {
                break;
            }
        }
    }

    /// Remembers what cannot be decoded.
    fn refuse(&mut self, what: Refusal) {
        if self.clock > 0.0 || self.voice.is_some() {
            let (Refusal::Codec(text) | Refusal::Broken(text)) = &what;
            self.damage.add(self.now(), None, Harm::Foreign(text.clone()));
        }
        self.finish_voice();
        self.foreign = Some(what);
    }

    /// Records a loss at this place.
    fn lost(&mut self, frames: u64, why: &'static str) {
        let at = self.now();
        let Some(voice) = &mut self.voice else { return };
        voice.decoder.reset();
        let Some((rate, time)) = &mut voice.time else {
            // Before the first sound, nothing counts as missing.
            return;
        };
        self.open_loss = voice.stream.paged;
        let missing = time.pause(frames);
        let seconds = (missing > 0).then(|| missing as f64 / f64::from(*rate));
        self.damage.add(at, seconds, Harm::Lost(why));
    }

    /// Decodes a packet.
    fn packet(&mut self, packet: &Packet) {
        let at = self.now();
        let Some(voice) = &mut self.voice else { return };
        let Some(sound) = voice.decoder.decode(packet) else {
            let why = "it could not be decoded";
            if let Some((rate, time)) = &mut voice.time {
                self.open_loss = voice.stream.paged;
                let missing = if voice.stream.paged { 0 } else { time.pause(packet.frames) };
                let seconds = (missing > 0).then(|| missing as f64 / f64::from(*rate));
                self.damage.add(at, seconds, Harm::Lost(why));
            } else {
                voice.before += packet.frames;
                self.damage.add(at, None, Harm::Lost(why));
            }
            return;
        };
        let rate = sound.rate;
        if voice.mix.as_ref().is_none_or(|m| !m.fits(sound.channels)) {
            voice.mix = Some(Mix::new(sound.channels, rate));
        }
        self.mono.clear();
        if let Some(mix) = &mut voice.mix {
            mix.add(sound.interleaved, &mut self.mono);
        }
        self.mono.truncate(self.mono.len().saturating_sub(packet.cut as usize));
        let time = match &mut voice.time {
            Some((now, time)) if *now == rate => time,
            _ => {
                let stream = for_rate(&voice.stream, rate, std::mem::take(&mut voice.before));
                &mut voice.time.insert((rate, Timeline::new(&stream, rate))).1
            }
        };
        let missing = time.sound(&self.mono, packet.at);
        if missing > 0 {
            let seconds = Some(missing as f64 / f64::from(rate.max(1)));
            self.damage.add(at, seconds, Harm::Lost("a part of the file is missing"));
        }
    }
}

impl Source for FileSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        while self.taken == self.ready.len() {
            let is_all_heard = self.ended && self.first.is_none();
            if is_all_heard && (self.is_followed || self.resampler.is_none()) {
                return Ok(0);
            }
            self.fill()?;
        }
        let n = out.len().min(self.ready.len() - self.taken);
        out[..n].copy_from_slice(&self.ready[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn title(&self) -> String {
        self.path
            .file_name()
            .map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
    }

    fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    fn skipped(&self) -> u64 {
        self.damage.count()
    }

    fn damage(&self) -> &[Damage] {
        self.damage.list()
    }
}
