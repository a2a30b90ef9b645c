//! Timers: what K1 does by itself at a time of day.

use std::fmt;
use std::str::FromStr;

/// Something that is done at a time of day.
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    /// Local time of day.
    pub at: TimeOfDay,
    /// The days of the week.
    pub days: Days,
    /// What is done.
    pub task: Task,
    /// Duration of the fade in seconds, if it differs from the usual one.
    pub fade_s: Option<f32>,
}

/// A local time of day, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// What a time of day may be.
pub const TIME_EXPECTED: &str = "a time of day from \"00:00\" to \"23:59\"";

impl FromStr for TimeOfDay {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (hour, minute) = text.trim().split_once(':').ok_or(())?;
        let number = |text: &str, most: u8| {
            let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|n: &u8| is_number && *n <= most).ok_or(())
        };
        if minute.len() != 2 {
            return Err(());
        }
        Ok(Self { hour: number(hour, 23)?, minute: number(minute, 59)? })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// Names of the days of the week, in order.
pub const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// What the name of a day may be.
pub const DAYS_EXPECTED: &str = "a list of days: mon, tue, wed, thu, fri, sat, sun";

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);
    /// No day.
    pub const NONE: Self = Self(0);

    /// The day with a number, 0 for Monday, is added.
    pub fn with(self, day: usize) -> Self {
        Self(self.0 | 1 << (day % 7))
    }

    /// The day with a name is added; `None` if no day has this name.
    pub fn with_name(self, name: &str) -> Option<Self> {
        DAY_NAMES.iter().position(|day| name.eq_ignore_ascii_case(day)).map(|day| self.with(day))
    }

    /// True if the day with a number, 0 for Monday, is among them.
    pub fn has(self, day: usize) -> bool {
        self.0 >> (day % 7) & 1 != 0
    }

    /// Names of the days, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        DAY_NAMES.iter().enumerate().filter(move |(day, _)| self.has(*day)).map(|(_, name)| *name)
    }
}

/// What a timer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Turns the light on.
    On,
    /// Turns the light off.
    Off,
    /// Turns the light on and recalls the scene of this name.
    Scene(String),
    /// Turns the light on and starts the playlist.
    Playlist,
    /// Stops the playlist.
    StopPlaylist,
}

/// What a task may be.
pub const TASK_EXPECTED: &str = "\"on\", \"off\", \"scene NAME\", \"playlist\" or \"stop playlist\"";

impl FromStr for Task {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.trim() {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            "playlist" => Ok(Self::Playlist),
            "stop playlist" => Ok(Self::StopPlaylist),
            other => match other.strip_prefix("scene ").map(str::trim) {
                Some(name) if !name.is_empty() => Ok(Self::Scene(name.to_owned())),
                _ => Err(()),
            },
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::On => f.write_str("on"),
            Self::Off => f.write_str("off"),
            Self::Scene(name) => write!(f, "scene {name}"),
            Self::Playlist => f.write_str("playlist"),
            Self::StopPlaylist => f.write_str("stop playlist"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_days_and_tasks_are_read_as_they_are_written() {
        assert_eq!("18:30".parse(), Ok(TimeOfDay { hour: 18, minute: 30 }));
        assert_eq!("7:05".parse::<TimeOfDay>().unwrap().to_string(), "07:05");
        for wrong in
            ["25:00", "24:00", "12:60", "12", "12:5", "-1:00", "+1:00", "012:00", "noon", "1:2:3", ""]
        {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(()), "{wrong}");
        }
        let days = Days::NONE.with_name("Sun").unwrap().with_name("mon").unwrap();
        assert_eq!(days.names().collect::<Vec<_>>(), ["mon", "sun"]);
        assert!(days.has(0) && days.has(6) && !days.has(3));
        assert_eq!(Days::ALL.names().count(), 7);
        assert_eq!(days.with_name("monday"), None);
        for text in ["on", "off", "scene Late dinner", "playlist", "stop playlist"] {
            assert_eq!(text.parse::<Task>().unwrap().to_string(), text);
        }
        for wrong in ["", "scene", "scene ", "dim", "On"] {
            assert_eq!(wrong.parse::<Task>(), Err(()), "{wrong}");
        }
    }
}
