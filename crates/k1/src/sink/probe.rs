//! Pictures that show which light is which, where its first LED is, and the order of its colours.

use k1_engine::light::Rgb;

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

/// Linear light of one channel, so that a long strip does not overload its supply.
const DIM: f32 = 48.0 / 255.0;

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
    pub fn colour(self, led: usize, at_us: u64) -> Rgb {
        match self {
            Self::Blink if (at_us / 250_000).is_multiple_of(2) => Rgb::WHITE * DIM,
            Self::First if led == 0 => Rgb::WHITE * (4.0 * DIM),
            Self::Red => Rgb::new(2.0 * DIM, 0.0, 0.0),
            Self::Green => Rgb::new(0.0, 2.0 * DIM, 0.0),
            Self::Blue => Rgb::new(0.0, 0.0, 2.0 * DIM),
            Self::Blink | Self::First => Rgb::BLACK,
        }
    }
}
