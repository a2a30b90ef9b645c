//! Settings in flash: each group is a checksummed record of a power-fail-safe map.
//!
//! A group that is missing, damaged or in a newer format takes its defaults; the others stay. Loading never fails: a
//! lamp with broken storage still shines, and reports what is wrong.

use core::fmt::Write;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use k1_engine::light::{Shape, White};
use k1_engine::params::{Param, Params};
use k1_engine::patterns::{FIRST_PATTERN, PATTERNS, pattern_by_id};
use k1_engine::show;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use serde::{Deserialize, Serialize};

use super::{Group, Hardware, Memory, Power, Scene, StripSettings};
use crate::exchange::Settings;

/// Parameters, pattern and gain as flash stores them. The pattern is stored by its id, because an index changes when
/// patterns are added.
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

/// The rest of the strip as flash stores it. The shape is text, as requests have it.
#[derive(Serialize, Deserialize)]
struct Strip {
    shape: String<LONGEST_SHAPE>,
    /// Index of the use of its white LEDs in [`White::NAMES`].
    white: Option<u8>,
}

/// Bytes of the longest text of a shape.
const LONGEST_SHAPE: usize = "matrix:4096x4096,serpentine,columns,flip,rotate=270".len();

impl From<&StripSettings> for Strip {
    fn from(s: &StripSettings) -> Self {
        let mut shape = String::new();
        // Every shape of a lamp fits.
        let _ = write!(shape, "{}", s.shape);
        Self { shape, white: s.white.map(|white| white as u8) }
    }
}

impl From<Strip> for StripSettings {
    fn from(s: Strip) -> Self {
        let white =
            |index: u8| White::NAMES.get(usize::from(index)).map_or(White::Accurate, |(_, white)| *white);
        Self { shape: s.shape.parse().unwrap_or(Shape::Mirrored), white: s.white.map(white) }
    }
}

/// A scene as flash stores it.
#[derive(Serialize, Deserialize)]
struct StoredScene {
    name: String<64>,
    fade_s: f32,
    brightness: Option<f32>,
    look: Option<StoredLook>,
}

/// The look of a scene; see [`Look`].
#[derive(Serialize, Deserialize)]
struct StoredLook {
    values: [f32; Param::ALL.len()],
    pattern: String<16>,
}

impl From<&Scene> for StoredScene {
    fn from(scene: &Scene) -> Self {
        let look = scene.look.map(|look| StoredLook {
            values: *look.params.values(),
            pattern: String::try_from(PATTERNS[look.pattern].id).unwrap_or_default(),
        });
        // Every name that the API takes fits.
        let name = String::try_from(&*scene.name).unwrap_or_default();
        Self { name, fade_s: scene.fade_s, brightness: scene.brightness, look }
    }
}

impl From<StoredScene> for Scene {
    fn from(s: StoredScene) -> Self {
        let look = s.look.map(|look| show::Look {
            pattern: pattern_by_id(&look.pattern).unwrap_or(FIRST_PATTERN),
            params: Params::from_values(look.values),
        });
        let within = |seconds: &f32| (0.0..=show::LONGEST_FADE_S).contains(seconds);
        let fade_s = Some(s.fade_s).filter(within).unwrap_or(show::FADE_S);
        let brightness = s.brightness.filter(|brightness| (0.0..=1.0).contains(brightness));
        Self { name: s.name.as_str().into(), fade_s, brightness, look }
    }
}

/// The key of a group in the map: one for each group and format. A changed format gets a new key, and the old key is read
/// once more.
const fn key(group: Group) -> u8 {
    match group {
        Group::Look => 1,
        Group::Hardware => 2,
        Group::Wifi => 3,
        Group::Trust => 4,
        Group::Journal => 5,
        Group::Strip => 6,
        Group::Power => 7,
        Group::Scene(slot) => 64 + slot,
    }
}

/// Takes a group from its record; false if the record is damaged.
// A function of its own, as the next one: within those that wait for the flash they would be compiled several times.
#[inline(never)]
fn decode(memory: &mut Memory, group: Group, record: &[u8]) -> bool {
    fn read<'a, T: Deserialize<'a>>(record: &'a [u8], take: impl FnOnce(T)) -> bool {
        postcard::from_bytes(record).map(take).is_ok()
    }
    match group {
        Group::Look => read::<Look>(record, |look| memory.look = look.into()),
        Group::Hardware => read::<Hardware>(record, |hardware| memory.hardware = hardware.mended()),
        Group::Strip => read::<Strip>(record, |strip| memory.strip = strip.into()),
        Group::Power => read::<Power>(record, |power| memory.power = power.mended()),
        // An empty slot that was full once has a record, too.
        Group::Scene(slot) => {
            read::<Option<StoredScene>>(record, |scene| memory.scenes.put(slot, scene.map(Scene::from)))
        }
        Group::Wifi => read(record, |wifi| memory.wifi = wifi),
        Group::Trust => read(record, |trust| memory.trust = trust),
        Group::Journal => read(record, |journal| memory.journal = Some(journal)),
    }
}

/// Writes a group into `record`. `None` if it does not fit; every group fits, because its texts have limited lengths.
#[inline(never)]
fn encode<'r>(memory: &Memory, group: Group, record: &'r mut [u8]) -> Option<&'r [u8]> {
    let bytes = match group {
        Group::Look => postcard::to_slice(&Look::from(&memory.look), record),
        Group::Hardware => postcard::to_slice(&memory.hardware, record),
        Group::Strip => postcard::to_slice(&Strip::from(&memory.strip), record),
        Group::Power => postcard::to_slice(&memory.power, record),
        Group::Scene(slot) => postcard::to_slice(&memory.scenes.at(slot).map(StoredScene::from), record),
        Group::Wifi => postcard::to_slice(&memory.wifi, record),
        Group::Trust => postcard::to_slice(&memory.trust, record),
        Group::Journal => postcard::to_slice(memory.journal.as_ref()?, record),
    };
    bytes.ok().map(|bytes| &*bytes)
}

/// Result of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Number of groups that were present and valid.
    pub groups: u8,
    /// Number of groups that were present but could not be read.
    pub damaged: u8,
    /// True if nothing could be read at all and the area was erased.
    pub erased: bool,
}

/// Length of the longest record in bytes.
const RECORD: usize = 256;

/// Settings in flash, with one owner.
pub struct Store<F: NorFlash> {
    map: MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>,
    buffer: [u8; RECORD],
    /// Records written since the start.
    pub writes: u32,
    /// Operations that failed since the start.
    pub errors: u32,
}

impl<F: NorFlash> Store<F> {
    /// Settings in this range of a flash. `None` unless the range has whole sectors, at least two.
    pub fn new(flash: F, range: Range<u32>) -> Option<Self> {
        let map = MapStorage::new(flash, MapConfig::try_new(range).ok()?, Cache::new_uncached());
        Some(Self { map, buffer: [0; RECORD], writes: 0, errors: 0 })
    }

    /// Returns the flash.
    pub fn into_flash(self) -> F {
        self.map.destroy().0
    }

    /// Loads everything that can be read; the rest takes its defaults.
    pub async fn load(&mut self) -> (Memory, Loaded) {
        let (mut memory, mut loaded) = (Memory::default(), Loaded::default());
        let result = self.load_into(&mut memory, &mut loaded).await;
        if result.is_err() {
            self.errors += 1;
            // The map repairs damage from power cuts. Data that it cannot repair was not written by it.
            loaded.erased = self.map.erase_all().await.is_ok();
        }
        (memory, loaded)
    }

    async fn load_into(&mut self, memory: &mut Memory, loaded: &mut Loaded) -> Result<(), Error<F::Error>> {
        for group in Group::ALL {
            let Some(record) = self.map.fetch_item::<&[u8]>(&mut self.buffer, &key(group)).await? else {
                continue;
            };
            match decode(memory, group, record) {
                true => loaded.groups += 1,
                false => loaded.damaged += 1,
            }
        }
        Ok(())
    }

    /// Writes one group of `memory`; false if the flash failed.
    ///
    /// If the area is damaged in a way that loading did not notice (bits that are not erased where nothing was
    /// written), the area is erased and all groups are written again.
    pub async fn save(&mut self, memory: &Memory, group: Group) -> bool {
        if self.put(memory, group).await {
            return true;
        }
        if self.map.erase_all().await.is_err() {
            return false;
        }
        let mut done = true;
        for group in Group::ALL {
            // A slot without a scene needs no record when there is no old one.
            let is_empty = matches!(group, Group::Scene(slot) if memory.scenes.at(slot).is_none());
            done &= is_empty || self.put(memory, group).await;
        }
        done
    }

    async fn put(&mut self, memory: &Memory, group: Group) -> bool {
        let mut record = [0; RECORD - 8];
        if group == Group::Journal && memory.journal.is_none() {
            // A trial that never took place needs no record.
            return true;
        }
        let Some(bytes) = encode(memory, group, &mut record) else { return false };
        let done = self.map.store_item(&mut self.buffer, &key(group), &bytes).await.is_ok();
        self.writes += u32::from(done);
        self.errors += u32::from(!done);
        done
    }
}
