//! Sound from a file, through Symphonia.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Decode;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::guard::guarded;
use super::resample::Resampler;
use super::{Error, Source};

/// Damaged packets in a row after which a file is given up.
const HOPELESS: u32 = 100;

/// An audio file: decoded, mixed to mono and resampled as it is read.
pub struct FileSource {
    path: PathBuf,
    reader: Reader,
    seconds: Option<f64>,
    /// For the rate of the sound as it is decoded: containers may name another, and streams may change it.
    resampler: Option<(u32, Resampler)>,
    mono: Vec<f32>,
    ready: Vec<f32>,
    taken: usize,
    ended: bool,
    skipped: u64,
}

/// The decoders' part.
struct Reader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    interleaved: Vec<f32>,
}

/// What one step of decoding gave.
enum Step {
    /// So many samples per second were appended.
    Sound(u32),
    /// Nothing of ours.
    Other,
    /// A damaged piece.
    Damaged,
    End,
}

impl FileSource {
    /// Opens a file and finds its first audio track.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let not_audio = |why: String| Error::NotAudio(path.to_owned(), why);
        let file = File::open(path).map_err(|e| Error::Open(path.to_owned(), e))?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(not_audio("it is a folder".into()));
        }
        let opened = guarded(|| Reader::open(file, path)).unwrap_or_else(|| Err(CONFUSED.into()));
        let (reader, seconds) = opened.map_err(not_audio)?;
        let mut source = Self {
            path: path.to_owned(),
            reader,
            seconds,
            resampler: None,
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
            self.mono.clear();
            let step = guarded(|| self.reader.step(&mut self.mono)).unwrap_or_else(|| {
                // The decoder is in no known state: what came before it is all there is.
                self.skipped += 1;
                Ok(Step::End)
            });
            match step.map_err(|e| Error::ReadFile(self.path.clone(), e))? {
                Step::Sound(rate) => {
                    failures = 0;
                    self.resample(rate)?;
                }
                Step::Other => {}
                Step::Damaged => {
                    self.skipped += 1;
                    failures += 1;
                    self.ended = failures > HOPELESS;
                }
                Step::End => self.ended = true,
            }
            if self.ended
                && let Some((_, r)) = &mut self.resampler
            {
                r.finish(&mut self.ready);
            }
        }
        Ok(())
    }

    fn resample(&mut self, rate: u32) -> Result<(), Error> {
        if self.resampler.as_ref().is_none_or(|(now, _)| *now != rate) {
            let new = Resampler::new(rate).map_err(|e| Error::NotAudio(self.path.clone(), e.to_string()))?;
            if let Some((_, mut old)) = self.resampler.replace((rate, new)) {
                old.finish(&mut self.ready);
            }
        }
        if let Some((_, r)) = &mut self.resampler {
            r.push(&self.mono, &mut self.ready);
        }
        Ok(())
    }
}

/// Said of a file that a decoder could not cope with at all.
const CONFUSED: &str = "it is damaged beyond what the decoder can follow";

impl Reader {
    /// Finds the first audio track, and its length in seconds where the file says it.
    fn open(file: File, path: &Path) -> Result<(Self, Option<f64>), String> {
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| e.to_string())?;
        let track = format.default_track(TrackType::Audio).ok_or("it has no sound in it")?;
        let id = track.id;
        let codec =
            track.codec_params.as_ref().and_then(|c| c.audio()).ok_or("its sound has no known codec")?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(codec, &AudioDecoderOptions::default())
            .map_err(|e| e.to_string())?;
        let seconds = match (track.num_frames, codec.sample_rate) {
            (Some(frames), Some(rate)) if rate > 0 => Some(frames as f64 / f64::from(rate)),
            _ => None,
        };
        Ok((Self { format, decoder, track: id, interleaved: Vec::new() }, seconds))
    }

    /// Decodes one packet and appends its sound, mixed to one channel. An error is one of the disk.
    fn step(&mut self, mono: &mut Vec<f32>) -> std::io::Result<Step> {
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) if packet.track_id != self.track => return Ok(Step::Other),
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Step::End),
            Err(e) => return damage(e),
        };
        let audio = match self.decoder.decode(&packet) {
            Ok(audio) => audio,
            // A packet is in memory: whatever is wrong with it is no fault of the disk.
            Err(Decode::IoError(_)) => return Ok(Step::Damaged),
            Err(e) => return damage(e),
        };
        let channels = audio.spec().channels().count().max(1);
        self.interleaved.resize(audio.samples_interleaved(), 0.0);
        audio.copy_to_slice_interleaved(&mut self.interleaved);
        let share = 1.0 / channels as f32;
        mono.extend(self.interleaved.chunks_exact(channels).map(|f| f.iter().sum::<f32>() * share));
        Ok(Step::Sound(audio.spec().rate()))
    }
}

fn damage(e: Decode) -> std::io::Result<Step> {
    match e {
        // Only the system's errors have its number; parsers make errors of the same type for what they cannot read.
        Decode::IoError(e) if e.raw_os_error().is_some() => Err(e),
        // A file that stops in the middle of a packet has ended, whatever its header promised.
        Decode::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Step::End),
        Decode::IoError(_) | Decode::DecodeError(_) => Ok(Step::Damaged),
        _ => Ok(Step::End),
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
        self.path
            .file_name()
            .map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
    }

    fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
