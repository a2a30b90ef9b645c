//! What a lamp remembers: groups of settings, their storage in flash, and when they are written.

mod debounce;
mod scenes;
mod store;

use core::net::{Ipv4Addr, SocketAddrV4};

use heapless::String;
use k1_engine::light::{Shape, White};
use k1_update::trust::Trust;
use serde::{Deserialize, Serialize};

pub use self::debounce::Debounce;
pub use self::scenes::{MOST_SCENES, Power, Scene, Scenes};
pub use self::store::{Loaded, Store};
use crate::exchange::Settings;
use crate::firmware::Journal;

/// Most LEDs of a lamp.
pub const MOST_LEDS: usize = 300;
/// Most bytes of an LED on the wire: red, green, blue and white.
pub const MOST_CHANNELS: usize = 4;
/// Shortest and longest pause between two frames on the wire, in µs. Some WS2812B need 280; more than 1,000 is never
/// needed.
pub const RESET_US: core::ops::RangeInclusive<u16> = 50..=1_000;
/// Largest current limit, in mA.
pub const MOST_MA: u16 = 20_000;

/// Order of the colours on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColorOrder {
    /// Red, green, blue.
    RGB,
    /// Red, blue, green.
    RBG,
    /// Green, red, blue: WS2812.
    #[default]
    GRB,
    /// Green, blue, red.
    GBR,
    /// Blue, red, green.
    BRG,
    /// Blue, green, red.
    BGR,
}

impl ColorOrder {
    /// Every order with its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("RGB", Self::RGB),
        ("RBG", Self::RBG),
        ("GRB", Self::GRB),
        ("GBR", Self::GBR),
        ("BRG", Self::BRG),
        ("BGR", Self::BGR),
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The bytes of a colour as they go onto the wire.
    pub const fn place(self, [r, g, b]: [u8; 3]) -> [u8; 3] {
        match self {
            Self::RGB => [r, g, b],
            Self::RBG => [r, b, g],
            Self::GRB => [g, r, b],
            Self::GBR => [g, b, r],
            Self::BRG => [b, r, g],
            Self::BGR => [b, g, r],
        }
    }
}

/// Setup of the hardware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hardware {
    /// Number of LEDs, 1 … [`MOST_LEDS`].
    pub leds: u16,
    /// Order of the colours on the wire.
    pub order: ColorOrder,
    /// Pause between two frames on the wire, in µs.
    pub reset_us: u16,
    /// Current limit in mA; 0 = none.
    pub limit_ma: u16,
    /// Fixed noise floor in dBFS; `None` = learned.
    pub floor_db: Option<f32>,
    /// Name of the lamp; empty = made from its hardware address.
    pub name: String<32>,
    /// Address and port of a network light that shows the same frames, by DDP.
    pub mirror: Option<(Ipv4Addr, u16)>,
    /// Token that requests must show; empty = the lamp makes a new one.
    pub token: String<32>,
}

impl Default for Hardware {
    fn default() -> Self {
        Self::new()
    }
}

impl Hardware {
    /// Factory setup: 180 WS2812B and 5 A.
    pub const fn new() -> Self {
        Self {
            leds: 180,
            order: ColorOrder::GRB,
            reset_us: 300,
            limit_ma: 5_000,
            floor_db: None,
            name: String::new(),
            mirror: None,
            token: String::new(),
        }
    }

    /// Address of the network light that shows the same frames.
    pub fn mirror(&self) -> Option<SocketAddrV4> {
        self.mirror.map(|(ip, port)| SocketAddrV4::new(ip, port))
    }

    /// The setup with every value from flash brought into its range.
    fn mended(mut self) -> Self {
        self.leds = self.leds.clamp(1, MOST_LEDS as u16);
        self.reset_us = self.reset_us.clamp(*RESET_US.start(), *RESET_US.end());
        self.limit_ma = self.limit_ma.min(MOST_MA);
        self.floor_db = self.floor_db.filter(|db| (-100.0..=-20.0).contains(db));
        self
    }
}

/// The strip, besides what [`Hardware`] says of it. It has a record of its own in flash, so that firmware that does not
/// know it still reads the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StripSettings {
    /// How the LEDs are arranged.
    pub shape: Shape<'static>,
    /// How its white LEDs are used; `None` if it has none. White comes last on the wire.
    pub white: Option<White>,
}

impl StripSettings {
    /// A line that is drawn from its centre to both ends, without white LEDs.
    pub const fn new() -> Self {
        Self { shape: Shape::Mirrored, white: None }
    }

    /// Number of bytes of an LED on the wire.
    pub const fn channels(&self) -> usize {
        if self.white.is_some() { MOST_CHANNELS } else { 3 }
    }
}

/// Access to a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wifi {
    /// Name of the network; empty = no network is known.
    pub ssid: String<32>,
    /// Password of the network; never shown.
    pub password: String<64>,
    /// 802.11b/g only.
    pub bg_only: bool,
    /// 20 MHz channels only.
    pub ht20: bool,
}

impl Default for Wifi {
    fn default() -> Self {
        Self::new()
    }
}

impl Wifi {
    /// No network. The work-arounds are on by default, as in the lamps in the field.
    pub const fn new() -> Self {
        Self { ssid: String::new(), password: String::new(), bg_only: true, ht20: true }
    }
}

/// Everything that a lamp remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Parameters, pattern and gain.
    pub look: Settings,
    /// Setup of the hardware.
    pub hardware: Hardware,
    /// The rest of the strip.
    pub strip: StripSettings,
    /// On, off and brightness.
    pub power: Power,
    /// The scenes.
    pub scenes: Scenes,
    /// Access to the network.
    pub wifi: Wifi,
    /// Keys whose signatures count.
    pub trust: Trust,
    /// The last trial of new firmware.
    pub journal: Option<Journal>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// The memory of a new lamp.
    pub const fn new() -> Self {
        Self {
            look: Settings::new(),
            hardware: Hardware::new(),
            strip: StripSettings::new(),
            power: Power::new(),
            scenes: Scenes::new(),
            wifi: Wifi::new(),
            trust: Trust::NOBODY,
            journal: None,
        }
    }
}

/// A group of settings that is written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Parameters, pattern and gain.
    Look,
    /// Setup of the hardware.
    Hardware,
    /// The rest of the strip.
    Strip,
    /// On, off and brightness.
    Power,
    /// The scene in a slot, below [`MOST_SCENES`].
    Scene(u8),
    /// Access to the network.
    Wifi,
    /// Keys whose signatures count.
    Trust,
    /// The last trial of new firmware.
    Journal,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 7 + MOST_SCENES] = {
        let mut all = [Self::Look; 7 + MOST_SCENES];
        [all[1], all[2], all[3]] = [Self::Hardware, Self::Strip, Self::Wifi];
        [all[4], all[5], all[6]] = [Self::Trust, Self::Journal, Self::Power];
        let mut slot = 0;
        while slot < MOST_SCENES {
            all[7 + slot] = Self::Scene(slot as u8);
            slot += 1;
        }
        all
    };

    /// True if two memories differ in this group.
    pub fn differs(self, one: &Memory, other: &Memory) -> bool {
        match self {
            Self::Look => one.look != other.look,
            Self::Hardware => one.hardware != other.hardware,
            Self::Strip => one.strip != other.strip,
            Self::Power => one.power != other.power,
            Self::Scene(slot) => one.scenes.at(slot) != other.scenes.at(slot),
            Self::Wifi => one.wifi != other.wifi,
            Self::Trust => one.trust != other.trust,
            Self::Journal => one.journal != other.journal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_where_the_wire_wants_them() {
        for (name, order) in ColorOrder::ALL {
            assert_eq!(order.name(), name);
            let placed = order.place(*b"RGB");
            assert_eq!(core::str::from_utf8(&placed), Ok(name));
        }
    }
}
