//! Pieces of a sound that could not be heard.

use std::borrow::Cow;
use std::fmt;

use super::Source;

/// Number of pieces that are kept; further ones are only counted.
const KEPT: usize = 1000;
/// Damage of the same kind within this time belongs to the piece before it, in seconds.
const NEAR: f64 = 0.3;

/// What happened to a piece of a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Harm {
    /// It is damaged or missing, and silence takes its place. Holds the reason.
    Lost(&'static str),
    /// The sound stops before it should.
    EndsEarly,
    /// It is sound that K1 cannot decode. Holds its format.
    Foreign(String),
}

/// A piece of a sound that could not be heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// Its time, in seconds from the beginning.
    pub at: f64,
    /// Its length in seconds, if known.
    pub seconds: Option<f64>,
    /// What happened.
    pub harm: Harm,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let at = self.at;
        match &self.harm {
            Harm::Lost(why) => {
                let long: Cow<str> = match self.seconds {
                    Some(s) if s >= 0.005 => format!("{s:.2} s").into(),
                    _ => "a moment".into(),
                };
                write!(f, "damaged at {at:.1} s: {long} could not be decoded ({why})")
            }
            Harm::EndsEarly => write!(f, "ends early at {at:.1} s: the rest of the file is missing"),
            Harm::Foreign(what) => write!(f, "not heard from {at:.1} s on: {what}"),
        }
    }
}

/// Prints damage on the console: the first pieces one by one, then the number of further ones.
#[derive(Debug, Default)]
pub struct Teller {
    told: usize,
}

impl Teller {
    /// Largest number of lines for one sound.
    pub const LINES: usize = 10;

    /// Prints new pieces that are complete.
    pub fn tell(&mut self, source: &dyn Source) {
        let list = source.damage();
        self.lines(source, list.len().saturating_sub(1));
    }

    /// Prints the rest at the end of the sound.
    pub fn end(&mut self, source: &dyn Source) {
        let list = source.damage();
        self.lines(source, list.len());
        if list.len() > Self::LINES {
            let more = list.len() - Self::LINES;
            let rest = if list.len() < KEPT { "" } else { " or more" };
            k1_host::say(format_args!("k1: {}: {more}{rest} more pieces are damaged", source.title()));
        }
        self.told = usize::MAX;
    }

    fn lines(&mut self, source: &dyn Source, to: usize) {
        let new = source.damage().get(self.told..to.min(Self::LINES)).unwrap_or_default();
        for piece in new {
            k1_host::say(format_args!("k1: {}: {piece}", source.title()));
        }
        self.told = self.told.max(to);
    }
}

/// All damage of one sound so far.
#[derive(Debug, Default)]
pub struct Damages {
    list: Vec<Damage>,
    count: u64,
}

impl Damages {
    /// Adds a piece, or extends the last one if it is of the same kind and near.
    pub fn add(&mut self, at: f64, seconds: Option<f64>, harm: Harm) {
        self.count += 1;
        if let Some(last) = self.list.last_mut()
            && last.harm == harm
            && at - (last.at + last.seconds.unwrap_or(0.0)) < NEAR
        {
            let end = at + seconds.unwrap_or(0.0);
            last.seconds = Some(end - last.at).filter(|s| *s > 0.0);
            return;
        }
        if self.list.len() < KEPT {
            self.list.push(Damage { at, seconds, harm });
        }
    }

    /// Adds to the length of the last piece, in seconds, if it becomes known only later.
    pub fn took(&mut self, seconds: f64) {
        if let Some(last) = self.list.last_mut() {
            last.seconds = Some(last.seconds.unwrap_or(0.0) + seconds);
        }
    }

    /// The kept pieces.
    pub fn list(&self) -> &[Damage] {
        &self.list
    }

    /// Number of all pieces.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_that_is_near_is_one_and_a_great_many_is_only_counted() {
        let mut all = Damages::default();
        all.add(1.0, Some(0.2), Harm::Lost("a checksum is wrong"));
        all.add(1.3, Some(0.1), Harm::Lost("a checksum is wrong"));
        all.add(1.4, None, Harm::EndsEarly);
        assert_eq!(all.list().len(), 2);
        assert_eq!(
            all.list()[0].to_string(),
            "damaged at 1.0 s: 0.40 s could not be decoded (a checksum is wrong)"
        );
        for i in 0..10_000 {
            all.add(f64::from(i), None, Harm::Lost("bytes that are not sound"));
        }
        assert_eq!((all.list().len(), all.count()), (KEPT, 10_003));
    }
}
