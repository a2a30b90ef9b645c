//! Inputs as they are written on the command line and in a show file.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use k1_host::output::Spared;

use super::playlist;
use super::stream::is_address;

/// An input, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The built-in music.
    Demo,
    /// An audio file, a folder or a playlist.
    File(PathBuf),
    /// Several of these, one after the other.
    Files(Vec<PathBuf>),
    /// A stream over HTTP, with its address.
    Stream(String),
    /// A microphone: the default one or the one whose name contains the text.
    Mic(Option<String>),
    /// What the computer plays: the default output or the one whose name contains the text.
    Monitor(Option<String>),
    /// Raw f32 little-endian mono samples on standard input.
    Stdin,
}

impl Input {
    /// All inputs of a command line as one; `None` if there are none.
    ///
    /// # Errors
    ///
    /// A sentence if one of several inputs is not a file, a folder or a playlist.
    pub fn of(mut inputs: Vec<Self>) -> Result<Option<Self>, String> {
        if inputs.len() < 2 {
            return Ok(inputs.pop());
        }
        let path = |input| match input {
            Self::File(path) => Ok(path),
            other => Err(format!(
                "{other} cannot be one of several inputs; only files, folders and playlists can play one after the other"
            )),
        };
        inputs.into_iter().map(path).collect::<Result<_, _>>().map(|paths| Some(Self::Files(paths)))
    }

    /// The input of a show file, whose files are beside it.
    #[must_use]
    pub fn beside(self, show_file: &Path) -> Self {
        match (self, show_file.parent()) {
            (Self::File(path), Some(folder)) => Self::File(folder.join(path)),
            (other, _) => other,
        }
    }

    /// True for sound that comes from elsewhere in real time and never ends.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Mic(_) | Self::Monitor(_) | Self::Stream(_))
    }

    /// True for sound that can be played again from its beginning.
    pub fn is_repeatable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Files(_))
    }

    /// The files that hold this sound, which nothing may be written over.
    pub fn spared(&self) -> Spared {
        const WHAT: &str = "the sound";
        let paths = match self {
            Self::File(path) => std::slice::from_ref(path),
            Self::Files(paths) => paths,
            Self::Stdin => return Spared::default().and_stdin(WHAT),
            Self::Demo | Self::Stream(_) | Self::Mic(_) | Self::Monitor(_) => return Spared::default(),
        };
        let inside = playlist::files(paths).unwrap_or_default();
        paths.iter().chain(&inside).fold(Spared::default(), |spared, path| spared.and(path, WHAT))
    }
}

impl std::str::FromStr for Input {
    type Err = std::convert::Infallible;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let named = |rest: &str| Some(rest.to_owned()).filter(|n| !n.is_empty());
        Ok(match s {
            "demo" => Self::Demo,
            "-" => Self::Stdin,
            "mic" => Self::Mic(None),
            "monitor" => Self::Monitor(None),
            _ if is_address(s) => Self::Stream(s.to_owned()),
            _ => match s.split_once(':') {
                Some(("mic", name)) => Self::Mic(named(name)),
                Some(("monitor", name)) => Self::Monitor(named(name)),
                _ => Self::File(s.into()),
            },
        })
    }
}

/// From a command-line argument, because a file name need not be UTF-8.
impl From<OsString> for Input {
    fn from(s: OsString) -> Self {
        match s.to_str().map(str::parse) {
            Some(Ok(input)) => input,
            _ => Self::File(s.into()),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Demo => write!(f, "demo"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Files(paths) => {
                let first = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
                write!(f, "{first} and {} more", paths.len().saturating_sub(1))
            }
            Self::Stream(address) => write!(f, "{address}"),
            Self::Mic(None) => write!(f, "mic"),
            Self::Mic(Some(name)) => write!(f, "mic:{name}"),
            Self::Monitor(None) => write!(f, "monitor"),
            Self::Monitor(Some(name)) => write!(f, "monitor:{name}"),
            Self::Stdin => write!(f, "-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_written_as_they_are_read() {
        for text in
            ["demo", "-", "mic", "monitor", "mic:USB", "monitor:HDMI 2", "song.mp3", "a:b.wav", "http://a/b"]
        {
            let input: Input = text.parse().unwrap();
            assert_eq!(input.to_string(), text);
        }
        assert_eq!("mic:".parse::<Input>().unwrap(), Input::Mic(None));
    }

    #[test]
    fn only_files_can_be_several() {
        let of = |texts: &[&str]| Input::of(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["mic"]), Ok(Some(Input::Mic(None))));
        assert_eq!(of(&["a.wav", "b"]), Ok(Some(Input::Files(vec!["a.wav".into(), "b".into()]))));
        assert!(of(&["a.wav", "mic:USB"]).unwrap_err().starts_with("mic:USB cannot be one of several"));
    }

    #[test]
    fn files_of_a_show_are_beside_it() {
        let beside = |text: &str| text.parse::<Input>().unwrap().beside(Path::new("/etc/k1/k1.toml"));
        assert_eq!(beside("songs"), Input::File("/etc/k1/songs".into()));
        assert_eq!(beside("/music"), Input::File("/music".into()));
        assert_eq!(beside("monitor"), Input::Monitor(None));
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_is_no_text_is_a_file() {
        use std::os::unix::ffi::OsStringExt;
        for bytes in [&b"caf\xe9.wav"[..], b"mic:\xff", b"\xf0\x28\x8c\x28", b"-\x80"] {
            let name = OsString::from_vec(bytes.to_vec());
            assert_eq!(Input::from(name.clone()), Input::File(name.into()));
        }
        assert_eq!(Input::from(OsString::from("mic:USB")), Input::Mic(Some("USB".into())));
    }
}
