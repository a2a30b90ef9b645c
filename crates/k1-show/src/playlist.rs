//! The playlist: which scenes follow each other, and when.

use std::fmt;
use std::str::FromStr;

/// Scenes that follow each other by themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Playlist {
    /// Names of the scenes, in order; empty: all scenes, in the order of the file.
    pub scenes: Vec<String>,
    /// When the next scene comes.
    pub every: Every,
    /// True for a random order.
    pub shuffle: bool,
    /// True while it runs.
    pub on: bool,
}

impl Default for Playlist {
    fn default() -> Self {
        Self { scenes: Vec::new(), every: Every::Bars(8), shuffle: false, on: false }
    }
}

/// The period of a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// A number of bars.
    Bars(u32),
    /// A number of beats.
    Beats(u32),
    /// A number of seconds.
    Seconds(u32),
    /// When the music changes.
    Section,
}

/// What a period may be.
pub const EVERY_EXPECTED: &str =
    "\"8 bars\", \"16 beats\", \"90 s\", \"5 min\" or \"section\", with whole numbers from 1 on";
/// Longest period in bars or beats.
const MOST_BEATS: u32 = 9_999;
/// Longest period in seconds: a day.
const MOST_SECONDS: u32 = 86_400;

impl FromStr for Every {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if text == "section" {
            return Ok(Self::Section);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(())?;
        let n: u32 = text[..end].parse().map_err(drop)?;
        let within = |n: u32, most| (1..=most).contains(&n).then_some(n).ok_or(());
        match text[end..].trim() {
            "bar" | "bars" => within(n, MOST_BEATS).map(Self::Bars),
            "beat" | "beats" => within(n, MOST_BEATS).map(Self::Beats),
            "s" => within(n, MOST_SECONDS).map(Self::Seconds),
            "min" => within(n.saturating_mul(60), MOST_SECONDS).map(Self::Seconds),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Bars(n) => write!(f, "{}", number_of(*n, "bar")),
            Self::Beats(n) => write!(f, "{}", number_of(*n, "beat")),
            Self::Seconds(n) if n % 60 == 0 => write!(f, "{} min", n / 60),
            Self::Seconds(n) => write!(f, "{n} s"),
            Self::Section => f.write_str("section"),
        }
    }
}

/// A number of things: “1 bar”, “2 bars”.
pub fn number_of(n: u32, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_as_it_is_written() {
        for (text, every) in [
            ("8 bars", Every::Bars(8)),
            ("1 bar", Every::Bars(1)),
            ("16 beats", Every::Beats(16)),
            ("90 s", Every::Seconds(90)),
            ("5 min", Every::Seconds(300)),
            ("section", Every::Section),
        ] {
            assert_eq!((text.parse(), every.to_string()), (Ok(every), text.to_owned()));
        }
        assert_eq!(" 4bars ".parse(), Ok(Every::Bars(4)));
        for wrong in
            ["", "8", "0 bars", "-1 bars", "1.5 min", "8 bares", "bars", "99999999999 s", "2000 min", "0 s"]
        {
            assert_eq!(wrong.parse::<Every>(), Err(()), "{wrong}");
        }
    }
}
