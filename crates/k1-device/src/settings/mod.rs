//! What a lamp remembers: settings in flash, each group a checksummed record of a power-fail-safe map.
//!
//! A group that is missing, damaged or of a later form takes its defaults; the others stay. Loading never fails: a lamp
//! whose storage is broken still shines, and says what is wrong.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::{FIRST_PATTERN, PATTERNS, pattern_by_id};
use k1_update::trust::Trust;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use serde::{Deserialize, Serialize};

use crate::exchange::Settings;
use crate::firmware::Journal;

/// Most LEDs of a lamp.
pub const MOST_LEDS: usize = 300;
/// Shortest and longest pause between two frames on the wire, in µs: some WS2812B want 280, none more than 1,000.
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ColorOrder {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColorOrder".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": "Order of the colours on the wire." })
    }
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

/// How the hardware is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hardware {
    /// Number of LEDs, 1 … [`MOST_LEDS`].
    pub leds: u16,
    /// Order of the colours.
    pub order: ColorOrder,
    /// Pause between two frames, in µs.
    pub reset_us: u16,
    /// Current limit in mA; 0 = none.
    pub limit_ma: u16,
    /// Fixed noise floor in dBFS; `None` = learned.
    pub floor_db: Option<f32>,
    /// Name of the lamp; empty = made of its hardware address.
    pub name: String<32>,
    /// Network light that shows the same frames, by DDP.
    pub mirror: Option<(Ipv4Addr, u16)>,
    /// Token that requests must show; empty = a new one is made.
    pub token: String<32>,
}

impl Default for Hardware {
    fn default() -> Self {
        Self::new()
    }
}

impl Hardware {
    /// A K1 as it leaves the factory: 180 WS2812B and 5 A.
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

    /// Where frames are mirrored to.
    pub fn mirror(&self) -> Option<SocketAddrV4> {
        self.mirror.map(|(ip, port)| SocketAddrV4::new(ip, port))
    }

    /// Brought into range, whatever stood in flash.
    fn mended(mut self) -> Self {
        self.leds = self.leds.clamp(1, MOST_LEDS as u16);
        self.reset_us = self.reset_us.clamp(*RESET_US.start(), *RESET_US.end());
        self.limit_ma = self.limit_ma.min(MOST_MA);
        self.floor_db = self.floor_db.filter(|db| (-100.0..=-20.0).contains(db));
        self
    }
}

/// Access to a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wifi {
    /// Name of the network; empty = none is known.
    pub ssid: String<32>,
    /// Its password; never shown.
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
    /// No network; the work-arounds start switched on, as in the lamps in the field.
    pub const fn new() -> Self {
        Self { ssid: String::new(), password: String::new(), bg_only: true, ht20: true }
    }
}

/// Everything that a lamp remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Parameters, pattern and gain.
    pub look: Settings,
    /// Hardware.
    pub hardware: Hardware,
    /// Network.
    pub wifi: Wifi,
    /// Whose firmware is let in.
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
    /// A lamp on its first day.
    pub const fn new() -> Self {
        Self {
            look: Settings::new(),
            hardware: Hardware::new(),
            wifi: Wifi::new(),
            trust: Trust::NOBODY,
            journal: None,
        }
    }
}

/// Parameters, pattern and gain as they stand in flash: the pattern by its id, so that a new one does not move it.
#[derive(Serialize, Deserialize)]
struct Look {
    values: [f32; Param::ALL.len()],
    pattern: String<16>,
    gain: f32,
}

impl From<&Settings> for Look {
    fn from(s: &Settings) -> Self {
        let pattern = String::try_from(PATTERNS[s.pattern].id).unwrap_or_default();
        Self { values: *s.params.values(), pattern, gain: s.gain }
    }
}

impl From<Look> for Settings {
    fn from(l: Look) -> Self {
        let gain = if k1_engine::audio::GAIN_RANGE.contains(&l.gain) { l.gain } else { 1.0 };
        let pattern = pattern_by_id(&l.pattern).unwrap_or(FIRST_PATTERN);
        Self { params: Params::from_values(l.values), pattern, gain }
    }
}

/// Keys of the map: one per group and form. A form that changes gets a new key, and the old one is read once more.
mod key {
    pub const LOOK: u8 = 1;
    pub const HARDWARE: u8 = 2;
    pub const WIFI: u8 = 3;
    pub const TRUST: u8 = 4;
    pub const JOURNAL: u8 = 5;
}

/// What became of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Groups that were there and right.
    pub groups: u8,
    /// Groups that were there and could not be understood.
    pub damaged: u8,
    /// True if nothing could be read at all and the area was erased.
    pub erased: bool,
}

/// Longest record.
const RECORD: usize = 256;

/// Settings in flash. One owner.
pub struct Store<F: NorFlash> {
    map: MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>,
    buffer: [u8; RECORD],
    /// Records written since the start.
    pub writes: u32,
    /// Operations that failed since the start.
    pub errors: u32,
}

impl<F: NorFlash> Store<F> {
    /// Settings in this range of a flash: whole sectors, at least two. `None` if it is not that.
    pub fn new(flash: F, range: Range<u32>) -> Option<Self> {
        let map = MapStorage::new(flash, MapConfig::try_new(range).ok()?, Cache::new_uncached());
        Some(Self { map, buffer: [0; RECORD], writes: 0, errors: 0 })
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.map.destroy().0
    }

    /// Everything that can be read; what cannot is as on the first day.
    pub async fn load(&mut self) -> (Memory, Loaded) {
        let (mut memory, mut loaded) = (Memory::default(), Loaded::default());
        let result = self.load_into(&mut memory, &mut loaded).await;
        if result.is_err() {
            self.errors += 1;
            // The map repairs what a power cut can do. What it cannot repair is foreign to it.
            loaded.erased = self.map.erase_all().await.is_ok();
        }
        (memory, loaded)
    }

    async fn load_into(&mut self, memory: &mut Memory, loaded: &mut Loaded) -> Result<(), Error<F::Error>> {
        if let Some(look) = self.fetch::<Look>(key::LOOK, loaded).await? {
            memory.look = look.into();
        }
        if let Some(hardware) = self.fetch::<Hardware>(key::HARDWARE, loaded).await? {
            memory.hardware = hardware.mended();
        }
        if let Some(wifi) = self.fetch(key::WIFI, loaded).await? {
            memory.wifi = wifi;
        }
        if let Some(trust) = self.fetch(key::TRUST, loaded).await? {
            memory.trust = trust;
        }
        memory.journal = self.fetch(key::JOURNAL, loaded).await?;
        Ok(())
    }

    async fn fetch<T: for<'a> Deserialize<'a>>(
        &mut self,
        key: u8,
        loaded: &mut Loaded,
    ) -> Result<Option<T>, Error<F::Error>> {
        let Some(bytes) = self.map.fetch_item::<&[u8]>(&mut self.buffer, &key).await? else {
            return Ok(None);
        };
        match postcard::from_bytes(bytes) {
            Ok(value) => {
                loaded.groups += 1;
                Ok(Some(value))
            }
            Err(_) => {
                loaded.damaged += 1;
                Ok(None)
            }
        }
    }

    /// Remembers one group of `memory`; false if the flash refused.
    ///
    /// If the area is broken in a way that loading did not notice (bits that are not erased where nothing was
    /// written), it is erased and all groups are written anew.
    pub async fn save(&mut self, memory: &Memory, group: Group) -> bool {
        if self.put(memory, group).await {
            return true;
        }
        if self.map.erase_all().await.is_err() {
            return false;
        }
        let mut done = true;
        for group in Group::ALL {
            done &= self.put(memory, group).await;
        }
        done
    }

    async fn put(&mut self, memory: &Memory, group: Group) -> bool {
        let mut record = [0; RECORD - 8];
        let (key, bytes) = match group {
            Group::Look => (key::LOOK, postcard::to_slice(&Look::from(&memory.look), &mut record)),
            Group::Hardware => (key::HARDWARE, postcard::to_slice(&memory.hardware, &mut record)),
            Group::Wifi => (key::WIFI, postcard::to_slice(&memory.wifi, &mut record)),
            Group::Trust => (key::TRUST, postcard::to_slice(&memory.trust, &mut record)),
            Group::Journal => match &memory.journal {
                Some(journal) => (key::JOURNAL, postcard::to_slice(journal, &mut record)),
                // What never was needs no record.
                None => return true,
            },
        };
        // Every group fits a record: its texts are bounded.
        let Ok(bytes) = bytes else { return false };
        let bytes: &[u8] = bytes;
        let done = self.map.store_item(&mut self.buffer, &key, &bytes).await.is_ok();
        self.writes += u32::from(done);
        self.errors += u32::from(!done);
        done
    }
}

/// What is written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Parameters, pattern and gain.
    Look,
    /// Hardware.
    Hardware,
    /// Network.
    Wifi,
    /// Whose firmware is let in.
    Trust,
    /// The last trial of new firmware.
    Journal,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 5] = [Self::Look, Self::Hardware, Self::Wifi, Self::Trust, Self::Journal];
}

/// Waits until a user has let go of a slider before flash is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Debounce {
    first_us: Option<u64>,
    last_us: u64,
}

/// Pause after the last change.
const QUIET_US: u64 = 2_000_000;
/// Whatever happens, a change is written after this.
const LATEST_US: u64 = 15_000_000;

impl Debounce {
    /// Something has changed.
    pub fn touch(&mut self, now_us: u64) {
        self.first_us.get_or_insert(now_us);
        self.last_us = now_us;
    }

    /// True while a change waits.
    pub fn is_waiting(&self) -> bool {
        self.first_us.is_some()
    }

    /// True once when it is time to write.
    pub fn is_due(&mut self, now_us: u64) -> bool {
        let due = self.first_us.is_some_and(|first| {
            now_us.saturating_sub(self.last_us) >= QUIET_US || now_us.saturating_sub(first) >= LATEST_US
        });
        if due {
            self.first_us = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slider_is_written_once_and_a_restless_one_now_and_then() {
        let mut d = Debounce::default();
        assert!(!d.is_due(9_000_000), "nothing has changed");
        for t in 0..10 {
            d.touch(t * 100_000);
            assert!(!d.is_due(t * 100_000));
        }
        assert!(!d.is_due(2_800_000));
        assert!(d.is_due(2_900_000));
        assert!(!d.is_due(9_000_000), "once");
        let writes = (0..600).filter(|t| {
            let now = 10_000_000 + t * 100_000;
            d.touch(now);
            d.is_due(now)
        });
        assert_eq!(writes.count(), 3, "a minute without a pause");
    }

    #[test]
    fn colours_go_where_the_wire_wants_them() {
        for (name, order) in ColorOrder::ALL {
            let placed = order.place(*b"RGB");
            assert_eq!(core::str::from_utf8(&placed), Ok(name));
        }
    }
}
