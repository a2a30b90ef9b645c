//! Pictures that show which light is which, where its first LED is, and the order of its colours.

/// A picture for the test of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Probe {
    /// All LEDs blink white, twice a second.
    Blink = 1,
    /// Only the first LED shines.
    First,
    /// All LEDs are red.
    Red,
    /// All LEDs are green.
    Green,
    /// All LEDs are blue.
    Blue,
}

/// Brightness of one channel, so that a long strip does not overload its supply.
const DIM: u8 = 48;

impl Probe {
    /// The pictures in the order of a test, each with its name and what the light does.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Blink, "blink", "blinks white"),
        (Self::First, "first", "only its first LED shines"),
        (Self::Red, "red", "is red"),
        (Self::Green, "green", "is green"),
        (Self::Blue, "blue", "is blue"),
    ];

    /// The picture with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(probe, ..)| *probe)
    }

    /// Colour of an LED at a time in µs.
    pub fn colour(self, led: usize, at_us: u64) -> [u8; 3] {
        match self {
            Self::Blink if (at_us / 250_000).is_multiple_of(2) => [DIM; 3],
            Self::First if led == 0 => [4 * DIM; 3],
            Self::Red => [2 * DIM, 0, 0],
            Self::Green => [0, 2 * DIM, 0],
            Self::Blue => [0, 0, 2 * DIM],
            Self::Blink | Self::First => [0; 3],
        }
    }
}
