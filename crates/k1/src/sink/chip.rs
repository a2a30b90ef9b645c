//! Strips at an SPI interface: which chips they have, and how fast the interface is.

use k1_wire::spi::Expansion;

use super::query::Query;
use super::settings::Order;

/// Clock of an APA102 by default, in Hz.
const CLOCK_HZ: u32 = 4_000_000;

/// The chips of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// WS2812, SK6812 and relatives: a data line alone.
    Ws2812(Expansion),
    /// APA102 or SK9822: a data line and a clock.
    Apa102 {
        /// Clock in Hz.
        speed_hz: u32,
    },
}

impl Chip {
    /// Takes the chips from a query.
    ///
    /// # Errors
    ///
    /// A sentence with the valid values.
    pub fn take(query: &mut Query) -> Result<Self, String> {
        let chip = query.text("chip").unwrap_or("ws2812");
        let bits = query.number("bits", 3..=4)?;
        let speed_hz = query.number("speed", 100_000..=32_000_000)?;
        match chip {
            "ws2812" => match (speed_hz, bits) {
                (Some(_), _) => Err("a WS2812 has a fixed speed; leave out speed".into()),
                (None, Some(4)) => Ok(Self::Ws2812(Expansion::Four)),
                (None, _) => Ok(Self::Ws2812(Expansion::Three)),
            },
            "apa102" | "sk9822" => match bits {
                Some(_) => Err("bits is for ws2812; leave it out".into()),
                None => Ok(Self::Apa102 { speed_hz: speed_hz.unwrap_or(CLOCK_HZ) }),
            },
            other => Err(format!("chip is one of ws2812, apa102, sk9822, not “{other}”")),
        }
    }

    /// Order of the colours of most such strips.
    pub fn order(self) -> Order {
        match self {
            Self::Ws2812(_) => Order::GRB,
            Self::Apa102 { .. } => Order::BGR,
        }
    }

    /// The settings that differ from their defaults, as a query.
    pub fn query(self) -> String {
        match self {
            Self::Ws2812(Expansion::Three) => String::new(),
            Self::Ws2812(Expansion::Four) => "?bits=4".into(),
            Self::Apa102 { speed_hz: CLOCK_HZ } => "?chip=apa102".into(),
            Self::Apa102 { speed_hz } => format!("?chip=apa102&speed={speed_hz}"),
        }
    }
}
