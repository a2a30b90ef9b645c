//! The sections of a piece of music.

/// What a stretch of music does with its energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// The ear is unsure.
    #[default]
    Unknown,
    /// The energy stays as it is.
    Steady,
    /// The energy rises towards something new.
    Build,
    /// The full energy has come, at once.
    Drop,
    /// The drums or the bass pause.
    Break,
}

impl Section {
    /// Every section, in the order of the codes.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Steady, Self::Build, Self::Drop, Self::Break];

    /// The section as a number, for a wire or a word of a snapshot.
    pub const fn code(self) -> u32 {
        match self {
            Self::Unknown => 0,
            Self::Steady => 1,
            Self::Build => 2,
            Self::Drop => 3,
            Self::Break => 4,
        }
    }

    /// The inverse of [`code`](Self::code); unknown numbers become [`Unknown`](Self::Unknown).
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Steady,
            2 => Self::Build,
            3 => Self::Drop,
            4 => Self::Break,
            _ => Self::Unknown,
        }
    }

    /// The section as one lower-case word, for interfaces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Steady => "steady",
            Self::Build => "build",
            Self::Drop => "drop",
            Self::Break => "break",
        }
    }
}
