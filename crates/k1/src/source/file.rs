//! Sound from a file, through Symphonia.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Decode;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::resample::Resampler;
use super::{Error, Source};

/// Damaged packets in a row after which a file is given up.
const HOPELESS: u32 = 100;

/// An audio file: decoded, mixed to mono and resampled as it is read.
pub struct FileSource {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    seconds: Option<f64>,
    resampler: Option<Resampler>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    ready: Vec<f32>,
    taken: usize,
    ended: bool,
    skipped: u64,
}

impl FileSource {
    /// Opens a file and finds its first audio track.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let not_audio = |why: String| Error::NotAudio(path.to_owned(), why);
        let file = File::open(path).map_err(|e| Error::Open(path.to_owned(), e))?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(not_audio("it is a folder".into()));
        }
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| not_audio(e.to_string()))?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| not_audio("it has no sound in it".into()))?;
        let id = track.id;
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|c| c.audio())
            .ok_or_else(|| not_audio("its sound has no known codec".into()))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(codec, &AudioDecoderOptions::default())
            .map_err(|e| not_audio(e.to_string()))?;
        let seconds = match (track.num_frames, codec.sample_rate) {
            (Some(frames), Some(rate)) if rate > 0 => Some(frames as f64 / f64::from(rate)),
            _ => None,
        };
        let resampler = codec.sample_rate.map(Resampler::new).transpose()?;
        let mut source = Self {
            path: path.to_owned(),
            track: id,
            format,
            decoder,
            seconds,
            resampler,
            interleaved: Vec::new(),
            mono: Vec::new(),
            ready: Vec::new(),
            taken: 0,
            ended: false,
            skipped: 0,
        };
        // A damaged file should say so now and not after the light has started.
        source.fill()?;
        if source.ready.is_empty() {
            return Err(not_audio("not one sample could be decoded".into()));
        }
        Ok(source)
    }

    /// Decodes until some samples are ready or the file ends.
    fn fill(&mut self) -> Result<(), Error> {
        self.ready.clear();
        self.taken = 0;
        let mut failures = 0;
        while self.ready.is_empty() && !self.ended {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => {}
                Ok(Some(packet)) => match self.decoder.decode(&packet) {
                    Ok(audio) => {
                        failures = 0;
                        let channels = audio.spec().channels().count().max(1);
                        let rate = audio.spec().rate();
                        self.interleaved.resize(audio.samples_interleaved(), 0.0);
                        audio.copy_to_slice_interleaved(&mut self.interleaved);
                        self.mono.clear();
                        let share = 1.0 / channels as f32;
                        self.mono.extend(
                            self.interleaved.chunks_exact(channels).map(|f| f.iter().sum::<f32>() * share),
                        );
                        if self.resampler.is_none() {
                            self.resampler = Some(Resampler::new(rate)?);
                        }
                        if let Some(r) = &mut self.resampler {
                            r.push(&self.mono, &mut self.ready);
                        }
                    }
                    Err(Decode::DecodeError(_)) => {
                        self.skipped += 1;
                        failures += 1;
                        self.ended = failures > HOPELESS;
                    }
                    Err(Decode::IoError(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
                        return Err(Error::Read(e));
                    }
                    Err(_) => self.ended = true,
                },
                Ok(None) => self.ended = true,
                // A file that stops in the middle of a packet has ended, whatever its header promised.
                Err(Decode::IoError(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Read(e));
                }
                Err(Decode::DecodeError(_)) => {
                    self.skipped += 1;
                    failures += 1;
                    self.ended = failures > HOPELESS;
                }
                Err(_) => self.ended = true,
            }
            if self.ended && let Some(r) = &mut self.resampler {
                r.finish(&mut self.ready);
            }
        }
        Ok(())
    }
}

impl Source for FileSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        if self.taken == self.ready.len() {
            if self.ended {
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
        self.path.file_name().map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
    }

    fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
