//! Inputs for sound. All of them deliver mono samples at the engine's rate.

mod damage;
mod demo;
mod entries;
mod file;
mod guard;
#[cfg(any(unix, feature = "native-audio"))]
mod inlet;
mod input;
mod levels;
mod list;
#[cfg(any(unix, feature = "native-audio"))]
mod live;
#[cfg(feature = "native-audio")]
mod native;
mod pipe;
mod playlist;
mod presence;
#[cfg(all(unix, not(feature = "native-audio")))]
mod pulse;
mod resample;
mod stdin;
mod stream;

use std::fmt;
use std::path::PathBuf;

pub use damage::{Damage, Harm, Teller};
pub use input::Input;
pub use k1_demo::{Demo, SONG_SECONDS};
pub use levels::{Level, Levels};
pub use presence::Presence;
pub use resample::RATES;

/// The formats of sound files that K1 reads, for people. docs/formats.md has all of them.
pub const FORMATS: &str = "WAV, FLAC, MP3, AAC, Ogg Vorbis, Opus and more";

/// Why there is no sound. Each error is displayed as a sentence that says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened.
    Open(PathBuf, std::io::Error),
    /// The file is not audio that the decoders know, or is damaged before its first sample.
    NotAudio(PathBuf, String),
    /// The file is sound in a format that K1 cannot decode, with its name.
    Foreign(PathBuf, String),
    /// The sample rate is out of range.
    Rate(u32),
    /// A stream cannot be opened; holds its address and the reason.
    Stream(String, String),
    /// A folder without sound files, or a playlist without entries.
    Empty(PathBuf),
    /// Not one of several files can be played; holds their number.
    NothingPlays(usize),
    /// Reading standard input failed in the middle.
    Read(std::io::Error),
    /// Reading a file failed in the middle.
    ReadFile(PathBuf, std::io::Error),
    /// No sound server answers.
    NoServer(String),
    /// A live source has gone away.
    Gone(String),
    /// The sound server is there but does not answer.
    Hangs,
    /// Standard input is a terminal instead of raw samples.
    Terminal,
    /// There is no source of that name.
    NoDevice {
        /// The requested source.
        wanted: String,
        /// The available sources.
        available: Vec<String>,
    },
    /// This build does not support the input.
    Unsupported(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Open(path, e) if e.kind() == std::io::ErrorKind::NotFound => {
                write!(
                    f,
                    "there is no file {}; check the name, or use `demo` for the built-in music",
                    path.display()
                )
            }
            Self::Open(path, e) => write!(f, "{} cannot be opened: {e}", path.display()),
            Self::NotAudio(path, why) => write!(
                f,
                "{} is not audio that K1 can read ({why}); it can read {FORMATS} (docs/formats.md)",
                path.display()
            ),
            Self::Foreign(path, what) => write!(
                f,
                "{} is {what}, which K1 cannot decode; convert it: ffmpeg -i FILE FILE.flac",
                path.display()
            ),
            Self::Stream(address, why) => write!(f, "{address}: {why}"),
            Self::Empty(path) if path.is_dir() => {
                write!(f, "the folder {} has no sound files; K1 can read {FORMATS}", path.display())
            }
            Self::Empty(path) => {
                write!(f, "the playlist {} names no files; write one file on each line", path.display())
            }
            Self::NothingPlays(1) => {
                write!(f, "the only file of the list cannot be played; see the reason above")
            }
            Self::NothingPlays(n) => write!(f, "none of the {n} files can be played; see the reasons above"),
            Self::Rate(rate) => write!(f, "the sample rate must be 4,000 … 768,000 Hz, not {rate} Hz"),
            // K1's own sentence.
            Self::Read(e) if e.kind() == std::io::ErrorKind::InvalidData => write!(f, "{e}"),
            Self::Read(e) => write!(f, "reading standard input failed: {e}"),
            Self::ReadFile(path, e) => write!(f, "reading {} failed: {e}", path.display()),
            Self::NoServer(why) => write!(
                f,
                "no sound server answers ({why}); start PulseAudio or PipeWire, or play a file: k1 run FILE"
            ),
            Self::Gone(what) => write!(f, "{what} has gone away"),
            Self::Hangs => write!(f, "the sound server does not answer"),
            Self::Terminal => write!(
                f,
                "standard input is a terminal; pipe raw f32 samples into it, as in: \
                 ffmpeg -i SONG -f f32le -ac 1 -ar 16000 - | k1 run -"
            ),
            Self::NoDevice { wanted, available } if available.is_empty() => {
                write!(f, "there is no {wanted}, and the sound server has no other source")
            }
            Self::NoDevice { wanted, available } => {
                write!(f, "there is no {wanted}; `k1 sources` lists the others: {}", available.join(", "))
            }
            Self::Unsupported(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for Error {}

/// A stream of mono samples at [`k1_engine::SAMPLE_RATE`].
pub trait Source: Send {
    /// Fills `out` from its start and returns how many samples were written; 0 is the end. May wait for live sound.
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error>;

    /// Name of the sound, for people.
    fn title(&self) -> String;

    /// Length in seconds, if it is known.
    fn seconds(&self) -> Option<f64> {
        None
    }

    /// Number of times that the title has changed so far.
    fn turn(&self) -> u32 {
        0
    }

    /// True if sound arrives by itself in real time; false if the reader must set the pace.
    fn is_live(&self) -> bool {
        false
    }

    /// Number of damaged pieces that were skipped so far.
    fn skipped(&self) -> u64 {
        0
    }

    /// Number of times that sound was skipped because it was too old.
    fn overruns(&self) -> u32 {
        0
    }

    /// True if the last samples read were silence in place of missing live sound.
    fn is_away(&self) -> bool {
        false
    }

    /// Number of samples that the ear should get ahead of their time, if the reader sets the pace.
    fn ahead(&self) -> usize {
        AHEAD
    }

    /// Whether sound arrives; `None` for sources that do not wait.
    fn presence(&self) -> Option<Presence> {
        None
    }

    /// Pieces that could not be heard so far, in order; at most the first thousand.
    fn damage(&self) -> &[Damage] {
        &[]
    }
}

/// Default of [`Source::ahead`]: 128 ms.
pub const AHEAD: usize = 16 * k1_engine::HOP;

/// Opens an input so that every sample is heard, however fast it is read. `rate` is the sample rate of standard input.
pub fn open(input: &Input, rate: u32) -> Result<Box<dyn Source>, Error> {
    Ok(match input {
        Input::Demo => Box::new(Demo::default()),
        Input::File(path) if !playlist::is_list(path) => Box::new(file::FileSource::open(path)?),
        Input::File(path) => match playlist::stream(path) {
            Some(address) => Box::new(stream::StreamSource::start(&address)?),
            None => Box::new(list::ListSource::open(std::slice::from_ref(path))?),
        },
        Input::Files(paths) => Box::new(list::ListSource::open(paths)?),
        Input::Stream(address) => Box::new(stream::StreamSource::start(address)?),
        Input::Stdin if stdin_was_closed() => {
            let why = "standard input is closed; pipe raw f32 samples into it, or name a file";
            return Err(Error::Read(std::io::Error::new(std::io::ErrorKind::InvalidData, why)));
        }
        Input::Stdin => Box::new(stdin::StdinSource::new(not_a_terminal()?, rate)?),
        Input::Mic(name) => open_live(Kind::Mic, name.as_deref())?,
        Input::Monitor(name) => open_live(Kind::Monitor, name.as_deref())?,
    })
}

/// Opens an input to be read in real time: of live sound in a pipe, old samples are skipped.
pub fn open_in_time(input: &Input, rate: u32) -> Result<Box<dyn Source>, Error> {
    match input {
        Input::Stdin if !stdin_is_file() => Ok(Box::new(pipe::PipeSource::new(not_a_terminal()?, rate)?)),
        _ => open(input, rate),
    }
}

fn not_a_terminal() -> Result<std::io::Stdin, Error> {
    use std::io::IsTerminal;
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Error::Terminal);
    }
    // The library takes an unreadable standard input for its end. Reading zero bytes tells the two apart.
    #[cfg(unix)]
    {
        use std::io::Read;
        use std::os::fd::AsFd;
        let own = stdin.as_fd().try_clone_to_owned().map(std::fs::File::from);
        own.and_then(|mut file| file.read(&mut [])).map_err(Error::Read)?;
    }
    Ok(stdin)
}

/// True for a regular file, which is available completely at any time.
fn stdin_is_file() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let own = std::io::stdin().as_fd().try_clone_to_owned();
        own.map(std::fs::File::from).and_then(|f| f.metadata()).is_ok_and(|m| m.is_file())
    }
    #[cfg(not(unix))]
    false
}

/// True if the program was started without standard input. The runtime then opens the null device for reading and writing,
/// whereas `</dev/null` opens it for reading only.
fn stdin_was_closed() -> bool {
    #[cfg(unix)]
    {
        use std::io::Write;
        use std::os::fd::AsFd;
        use std::os::unix::fs::MetadataExt;
        let own = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
        let null = std::fs::metadata("/dev/null").map(|m| m.rdev());
        own.is_ok_and(|mut file| {
            let device = file.metadata().map(|m| m.rdev());
            matches!((device, null), (Ok(a), Ok(b)) if a == b && a != 0) && file.write(&[]).is_ok()
        })
    }
    #[cfg(not(unix))]
    false
}

/// The two kinds of live sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A microphone.
    Mic,
    /// The sound that the computer plays.
    Monitor,
}

/// A live source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Kind of source.
    pub kind: Kind,
    /// Name for `mic:NAME` or `monitor:NAME`.
    pub name: String,
    /// Name for people.
    pub description: String,
    /// True for the source that K1 uses if no name is given.
    pub default: bool,
}

impl From<&Device> for Input {
    fn from(device: &Device) -> Self {
        let name = Some(device.name.clone());
        match device.kind {
            Kind::Mic => Self::Mic(name),
            Kind::Monitor => Self::Monitor(name),
        }
    }
}

impl Device {
    /// Name for people, followed by the technical name if several devices share it.
    #[cfg(any(unix, feature = "native-audio"))]
    fn title(&self, all: &[Self]) -> String {
        match all.iter().filter(|d| d.description == self.description).count() {
            0 | 1 => self.description.clone(),
            _ => format!("{} ({})", self.description, self.name),
        }
    }
}

/// Lists live sources.
pub fn devices() -> Result<Vec<Device>, Error> {
    #[cfg(feature = "native-audio")]
    return native::devices();
    #[cfg(all(unix, not(feature = "native-audio")))]
    return pulse::devices();
    #[cfg(not(any(unix, feature = "native-audio")))]
    return Err(NO_LIVE);
}

/// A connection to live sound, for the thread that makes it.
#[cfg(any(unix, feature = "native-audio"))]
fn line(kind: Kind, name: &str) -> Result<Box<dyn live::Line>, Error> {
    #[cfg(feature = "native-audio")]
    return native::line(kind, Some(name));
    #[cfg(all(unix, not(feature = "native-audio")))]
    return pulse::line(kind, Some(name));
}

fn open_live(kind: Kind, name: Option<&str>) -> Result<Box<dyn Source>, Error> {
    #[cfg(feature = "native-audio")]
    return Ok(Box::new(native::open(kind, name)?));
    #[cfg(all(unix, not(feature = "native-audio")))]
    return Ok(Box::new(pulse::open(kind, name)?));
    #[cfg(not(any(unix, feature = "native-audio")))]
    {
        let _ = (kind, name);
        Err(NO_LIVE)
    }
}

#[cfg(not(any(unix, feature = "native-audio")))]
const NO_LIVE: Error =
    Error::Unsupported("this build hears only files; build with `--features native-audio` for live sound");

/// The device that an input means; `None` if it is not live sound, or if no device matches.
pub fn meant<'a>(devices: &'a [Device], input: &Input) -> Option<&'a Device> {
    match input {
        Input::Mic(name) => choose(devices, Kind::Mic, name.as_deref()).ok(),
        Input::Monitor(name) => choose(devices, Kind::Monitor, name.as_deref()).ok(),
        _ => None,
    }
}

/// Finds a device by name: an exact match, or else one that contains the name. Without a name, the default device.
fn choose<'a>(devices: &'a [Device], kind: Kind, name: Option<&str>) -> Result<&'a Device, Error> {
    let of_kind = || devices.iter().filter(move |d| d.kind == kind);
    let found = match name {
        None => of_kind().find(|d| d.default).or_else(|| of_kind().next()),
        Some(n) => {
            let lower = n.to_lowercase();
            let has = |d: &&Device| {
                d.name.to_lowercase().contains(&lower) || d.description.to_lowercase().contains(&lower)
            };
            of_kind().find(|d| d.name == n).or_else(|| of_kind().find(has))
        }
    };
    found.ok_or_else(|| Error::NoDevice {
        wanted: wanted(kind, name),
        available: devices.iter().map(|d| d.name.clone()).collect(),
    })
}

/// The requested source in words.
fn wanted(kind: Kind, name: Option<&str>) -> String {
    let what = match kind {
        Kind::Mic => "microphone",
        Kind::Monitor => "monitor of an output",
    };
    name.map_or(what.to_owned(), |n| format!("{what} called “{n}”"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_chosen_by_name_part_or_default_and_its_absence_is_explained() {
        let device = |kind, name: &str, default| Device {
            kind,
            name: name.into(),
            description: format!("The {name}"),
            default,
        };
        let all = [
            device(Kind::Monitor, "hdmi.monitor", false),
            device(Kind::Monitor, "analog.monitor", true),
            device(Kind::Mic, "usb", false),
        ];
        assert_eq!(choose(&all, Kind::Monitor, None).unwrap().name, "analog.monitor");
        assert_eq!(choose(&all, Kind::Mic, None).unwrap().name, "usb");
        assert_eq!(choose(&all, Kind::Monitor, Some("HDMI")).unwrap().name, "hdmi.monitor");
        let error = choose(&all, Kind::Mic, Some("studio")).unwrap_err().to_string();
        assert!(error.contains("studio") && error.contains("usb"), "{error}");
    }
}
