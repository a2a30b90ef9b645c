//! What may be asked, as types that hold valid values only.

use core::fmt;

use heapless::String;
use k1_engine::audio::GAIN_RANGE;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_update::sheet::{SHEET, Sheet};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::Refusal;
use crate::settings::{ColorOrder, Hardware, MOST_LEDS, MOST_MA, RESET_US, Wifi};

/// A value that may be of any kind, without a heap: a wrong kind is a refusal of that field and not of the whole body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loose {
    Number(f64),
    Flag(bool),
    Text(Word),
    Other,
}

/// A short text. Of a longer one only its length is kept: it is text, but none that means anything here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Word {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Word {
    const MOST: usize = 64;

    fn new(text: &str) -> Self {
        let mut word = Self { bytes: [0; Self::MOST], len: text.len() };
        if let Some(place) = word.bytes.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
        word
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// The pattern that a text names.
fn named_pattern(id: Loose, field: &'static str) -> Result<usize, Refusal> {
    match id {
        Loose::Text(word) => pattern_by_id(word.as_str()).ok_or(Refusal::PatternNotFound),
        _ => Err(Refusal::InvalidValue { field, expected: "the id of a pattern" }),
    }
}

fn flag(value: Option<Loose>, field: &'static str) -> Result<Option<bool>, Refusal> {
    match value {
        None => Ok(None),
        Some(Loose::Flag(f)) => Ok(Some(f)),
        Some(_) => Err(Refusal::InvalidValue { field, expected: "true or false" }),
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_f64<E>(self, v: f64) -> Result<Loose, E> {
                Ok(Loose::Number(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Loose, E> {
                Ok(Loose::Number(v as f64))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Loose, E> {
                Ok(Loose::Number(v as f64))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Loose, E> {
                Ok(Loose::Flag(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Loose, E> {
                Ok(Loose::Text(Word::new(v)))
            }
            fn visit_unit<E>(self) -> Result<Loose, E> {
                Ok(Loose::Other)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut a: A) -> Result<Loose, A::Error> {
                while a.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Loose, A::Error> {
                while a.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
        }
        d.deserialize_any(Any)
    }
}

/// Some parameters to change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ParamsPatch {
    values: [Option<f32>; Param::ALL.len()],
    clamped: u32,
    wrong: Option<Param>,
    /// Fields that are no parameters; they are ignored, as lamps in the field do.
    pub unknown: u32,
}

impl ParamsPatch {
    /// The changes, each at its nearest valid value; refused as a whole if a value is no number.
    pub fn changes(&self) -> Result<impl Iterator<Item = (Param, f32)> + '_, Refusal> {
        match self.wrong {
            Some(param) => Err(Refusal::NotANumber(param)),
            None => Ok(Param::ALL.iter().filter_map(|p| self.values[*p as usize].map(|v| (*p, v)))),
        }
    }

    /// True if the value of this parameter was brought into its range.
    pub fn was_clamped(&self, param: Param) -> bool {
        self.clamped >> param as u32 & 1 != 0
    }

    /// Applies the changes to a set.
    pub fn apply(&self, params: &mut Params) {
        for (param, value) in Param::ALL.iter().zip(self.values) {
            if let Some(value) = value {
                params.set(*param, value);
            }
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ParamsPatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParametersToChange".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "properties": crate::answers::param_properties() })
    }
}

impl<'de> Deserialize<'de> for ParamsPatch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = ParamsPatch;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of parameters")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ParamsPatch, A::Error> {
                let mut patch = ParamsPatch::default();
                while let Some(Key(param)) = map.next_key()? {
                    let Some(param) = param else {
                        map.next_value::<IgnoredAny>()?;
                        patch.unknown += 1;
                        continue;
                    };
                    match map.next_value()? {
                        Loose::Number(value) => {
                            let value = value as f32;
                            let nearest = param.nearest(value);
                            patch.values[param as usize] = Some(nearest);
                            if nearest != value {
                                patch.clamped |= 1 << param as u32;
                            }
                        }
                        _ => patch.wrong = Some(param),
                    }
                }
                Ok(patch)
            }
        }
        d.deserialize_map(Fields)
    }
}

/// The name of a field: a parameter's, or another.
struct Key(Option<Param>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, v: &str) -> Result<Key, E> {
                Ok(Key(Param::from_id(v)))
            }
        }
        d.deserialize_str(Name)
    }
}

/// A pattern by index or id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Select {
    /// Index; checked before it is narrowed, so that 256 is not 0.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    index: Option<Loose>,
    /// Identifier.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    id: Option<Loose>,
}

impl Select {
    /// Index of the pattern; `id` decides if both are given.
    pub fn pattern(&self) -> Result<usize, Refusal> {
        match (self.id, self.index) {
            (Some(id), _) => named_pattern(id, "id"),
            (None, Some(Loose::Number(n))) => {
                let whole = n as usize;
                let exists = n >= 0.0 && whole as f64 == n && whole < PATTERNS.len();
                if exists { Ok(whole) } else { Err(Refusal::PatternNotFound) }
            }
            (None, Some(_)) => Err(Refusal::InvalidValue { field: "index", expected: "a whole number" }),
            (None, None) => Err(Refusal::MissingField("index or id")),
        }
    }
}

/// Most reads of one self-test.
pub const MOST_READS: u32 = 1_000_000;

/// How many reads a self-test does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelfTest {
    /// Reads, 1 … 1,000,000.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    reads: Option<Loose>,
}

impl SelfTest {
    /// Number of reads.
    pub fn reads(&self) -> Result<u32, Refusal> {
        match self.reads {
            Some(Loose::Number(n)) if n >= 1.0 && n <= f64::from(MOST_READS) => Ok(n as u32),
            Some(_) => Err(Refusal::InvalidValue { field: "reads", expected: "a number from 1 to 1000000" }),
            None => Err(Refusal::MissingField("reads")),
        }
    }
}

/// The microphone gain.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AudioConfig {
    /// Factor, 0.5 … 2.
    #[cfg_attr(feature = "schema", schemars(with = "f32"))]
    microphone_gain: Option<Loose>,
}

impl AudioConfig {
    /// The gain; outside its range it is refused and not clamped, as in the lamps in the field.
    pub fn gain(&self) -> Result<f32, Refusal> {
        match self.microphone_gain {
            None => Err(Refusal::MissingField("microphone_gain")),
            Some(Loose::Number(g)) if GAIN_RANGE.contains(&(g as f32)) => Ok(g as f32),
            Some(_) => {
                Err(Refusal::InvalidValue { field: "microphone_gain", expected: "a number from 0.5 to 2.0" })
            }
        }
    }
}

/// A backup to restore.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restore<'a> {
    /// Version of the form, "1.0".
    #[serde(borrow)]
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    version: Option<&'a str>,
    /// Parameters; missing ones take their defaults.
    #[cfg_attr(feature = "schema", schemars(with = "ParamsPatch"))]
    parameters: Option<ParamsPatch>,
    /// Index of the pattern.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    current_pattern: Option<Loose>,
    /// Microphone gain.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f32>"))]
    microphone_gain: Option<Loose>,
}

/// A backup that was understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Restored {
    /// The whole set of parameters.
    pub params: Params,
    /// True if no value had to be brought into its range.
    pub exact: bool,
    /// The pattern, if the backup names one that exists.
    pub pattern: Option<usize>,
    /// True if the backup names a pattern that does not exist here.
    pub pattern_unknown: bool,
    /// The gain, if the backup has a valid one.
    pub gain: Option<f32>,
}

impl Restore<'_> {
    /// Checks the backup before anything is changed.
    pub fn check(&self) -> Result<Restored, Refusal> {
        let (Some("1.0"), Some(patch)) = (self.version, self.parameters) else {
            return Err(Refusal::InvalidBackup);
        };
        let exact = patch.changes()?.all(|(p, _)| !patch.was_clamped(p));
        let mut params = Params::default();
        patch.apply(&mut params);
        let select = Select { index: self.current_pattern, id: None };
        let pattern = self.current_pattern.and_then(|_| select.pattern().ok());
        let gain = self.microphone_gain.and_then(|g| AudioConfig { microphone_gain: Some(g) }.gain().ok());
        Ok(Restored {
            params,
            exact,
            pattern,
            pattern_unknown: self.current_pattern.is_some() && pattern.is_none(),
            gain,
        })
    }
}

/// Either Wi-Fi work-around.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkOptions {
    /// Use 802.11b/g only.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    force_bg_only: Option<Loose>,
    /// Use 20 MHz channels only.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    force_ht20: Option<Loose>,
}

impl LinkOptions {
    /// What is to be changed, 802.11b/g and 20 MHz; at least one.
    pub fn changes(&self) -> Result<(Option<bool>, Option<bool>), Refusal> {
        match (flag(self.force_bg_only, "force_bg_only")?, flag(self.force_ht20, "force_ht20")?) {
            (None, None) => Err(Refusal::MissingField("force_bg_only or force_ht20")),
            changes => Ok(changes),
        }
    }
}

/// How the hardware is set up; any of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetupPatch {
    /// Number of LEDs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>"))]
    leds: Option<Loose>,
    /// Order of the colours on the wire: RGB, RBG, GRB, GBR, BRG or BGR.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<ColorOrder>"))]
    color_order: Option<Loose>,
    /// Pause between two frames on the wire, in µs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>"))]
    reset_us: Option<Loose>,
    /// Current limit in mA; 0 = none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>"))]
    current_limit_ma: Option<Loose>,
    /// Noise floor in dBFS, −100 … −20; false = learned.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f32>"))]
    noise_floor_db: Option<Loose>,
    /// Name of the lamp, at most 32 bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    name: Option<Loose>,
    /// Network light that shows the same frames by DDP, ADDRESS:PORT; empty = none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    mirror: Option<Loose>,
    /// Name of the Wi-Fi network, at most 32 bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    wifi_ssid: Option<Loose>,
    /// Its password, at most 63 bytes; it can be set and never read.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    wifi_password: Option<Loose>,
}

/// A whole number of a range.
fn whole(
    value: Option<Loose>,
    range: core::ops::RangeInclusive<u16>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<u16>, Refusal> {
    match value {
        None => Ok(None),
        Some(Loose::Number(n)) if n >= 0.0 && f64::from(n as u16) == n && range.contains(&(n as u16)) => {
            Ok(Some(n as u16))
        }
        Some(_) => Err(Refusal::InvalidValue { field, expected }),
    }
}

/// A text of at most `N` bytes.
fn words<const N: usize>(
    value: Option<Loose>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<String<N>>, Refusal> {
    match value {
        None => Ok(None),
        Some(Loose::Text(w)) if w.len <= N && !w.as_str().chars().any(char::is_control) => {
            Ok(Some(String::try_from(w.as_str()).unwrap_or_default()))
        }
        Some(_) => Err(Refusal::InvalidValue { field, expected }),
    }
}

impl SetupPatch {
    /// Everything it says is right, and it says something.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        if *self == Self::default() {
            return Err(Refusal::MissingField("leds, color_order, name or another of the setup"));
        }
        self.apply(&mut Hardware::default())?;
        self.apply_wifi(&mut Wifi::default()).map(|_| ())
    }

    /// Changes what it names of the hardware, or nothing if a field is wrong; true if anything is another than before.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn apply(&self, hardware: &mut Hardware) -> Result<bool, Refusal> {
        let mut new = hardware.clone();
        let most = MOST_LEDS as u16;
        if let Some(leds) = whole(self.leds, 1..=most, "leds", "a whole number from 1 to 300")? {
            new.leds = leds;
        }
        if let Some(us) = whole(self.reset_us, RESET_US, "reset_us", "a whole number from 50 to 1000")? {
            new.reset_us = us;
        }
        let expected = "a whole number from 0 to 20000";
        if let Some(ma) = whole(self.current_limit_ma, 0..=MOST_MA, "current_limit_ma", expected)? {
            new.limit_ma = ma;
        }
        let expected = "RGB, RBG, GRB, GBR, BRG or BGR";
        if let Some(name) = words::<3>(self.color_order, "color_order", expected)? {
            let order = ColorOrder::ALL.iter().find(|(n, _)| *n == name);
            new.order = order.ok_or(Refusal::InvalidValue { field: "color_order", expected })?.1;
        }
        let expected = "a number from -100 to -20, or false";
        match self.noise_floor_db {
            None => {}
            Some(Loose::Flag(false)) => new.floor_db = None,
            Some(Loose::Number(db)) if (-100.0..=-20.0).contains(&db) => new.floor_db = Some(db as f32),
            Some(_) => return Err(Refusal::InvalidValue { field: "noise_floor_db", expected }),
        }
        if let Some(name) = words(self.name, "name", "a text of at most 32 bytes")? {
            new.name = name;
        }
        let expected = "ADDRESS:PORT, or empty";
        if let Some(to) = words::<21>(self.mirror, "mirror", expected)? {
            new.mirror = match to.is_empty() {
                true => None,
                false => {
                    let to: core::net::SocketAddrV4 =
                        to.parse().map_err(|_| Refusal::InvalidValue { field: "mirror", expected })?;
                    Some((*to.ip(), to.port()))
                }
            };
        }
        let changed = new != *hardware;
        *hardware = new;
        Ok(changed)
    }

    /// The same for the network.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn apply_wifi(&self, wifi: &mut Wifi) -> Result<bool, Refusal> {
        let mut new = wifi.clone();
        if let Some(ssid) = words(self.wifi_ssid, "wifi_ssid", "a text of at most 32 bytes")? {
            new.ssid = ssid;
        }
        if let Some(password) =
            words::<63>(self.wifi_password, "wifi_password", "a text of at most 63 bytes")?
        {
            new.password = String::try_from(password.as_str()).unwrap_or_default();
        }
        let changed = new != *wifi;
        *wifi = new;
        Ok(changed)
    }
}

/// What a page says on the live WebSocket: any of these, at once.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Command {
    /// Parameters to change.
    #[serde(default)]
    pub params: Option<ParamsPatch>,
    /// Pattern to select, by id.
    #[serde(default)]
    pattern: Option<Loose>,
    /// Microphone gain.
    #[serde(default)]
    gain: Option<Loose>,
    /// Send the sound too.
    #[serde(default)]
    audio: Option<Loose>,
    /// Send small moving pictures of every pattern.
    #[serde(default)]
    thumbnails: Option<Loose>,
    /// Frames per second that the page can show, 1 … 120.
    #[serde(default)]
    fps: Option<Loose>,
    /// Echoed, so that the page can measure the way and set its clock.
    #[serde(default)]
    pub ping: Option<f64>,
}

impl Command {
    /// Index of the pattern to select, if any.
    pub fn pattern(&self) -> Result<Option<usize>, Refusal> {
        self.pattern.map(|id| named_pattern(id, "pattern")).transpose()
    }

    /// Whether to send the sound too, if it says so.
    pub fn audio(&self) -> Result<Option<bool>, Refusal> {
        flag(self.audio, "audio")
    }

    /// Whether to send small moving pictures, if it says so.
    pub fn thumbnails(&self) -> Result<Option<bool>, Refusal> {
        flag(self.thumbnails, "thumbnails")
    }

    /// Frames per second that the page can show, brought to 1 … 120, if it says so.
    pub fn fps(&self) -> Result<Option<f64>, Refusal> {
        match self.fps {
            None => Ok(None),
            Some(Loose::Number(fps)) => Ok(Some(fps.clamp(1.0, 120.0))),
            Some(_) => Err(Refusal::InvalidValue { field: "fps", expected: "a number from 1 to 120" }),
        }
    }

    /// The gain to set, if any.
    pub fn gain(&self) -> Result<Option<f32>, Refusal> {
        match self.gain {
            None => Ok(None),
            some => AudioConfig { microphone_gain: some }.gain().map(Some),
        }
    }
}

/// `POST /api/v1/keys`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetKeys<'a> {
    /// The statement, 192 bytes in base64, as `k1 keys` makes it.
    #[serde(borrow)]
    statement: Option<&'a str>,
}

impl SetKeys<'_> {
    /// The statement; nothing in it is believed yet.
    ///
    /// # Errors
    ///
    /// [`Refusal::MissingField`], [`Refusal::InvalidValue`].
    pub fn sheet(&self) -> Result<Sheet, Refusal> {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let text = self.statement.ok_or(Refusal::MissingField("statement"))?;
        let mut sheet = [0; SHEET];
        match BASE64_STANDARD.decode_slice(text, &mut sheet) {
            Ok(SHEET) => Ok(Sheet(sheet)),
            _ => Err(Refusal::InvalidValue { field: "statement", expected: "192 bytes in base64" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(json: &str) -> Result<ParamsPatch, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn out_of_range_is_clamped_unknown_is_ignored_and_text_is_refused() {
        let p =
            patch(r#"{"brightness":0.4,"speed":7,"palette_id":99,"sparkle":{"a":[1]},"custom_param_2":0}"#)
                .unwrap();
        let changes: Vec<_> = p.changes().unwrap().collect();
        assert_eq!(
            changes,
            [(Param::Brightness, 0.4), (Param::Speed, 1.0), (Param::PaletteId, 32.0), (Param::Custom2, 0.0)]
        );
        assert!(p.was_clamped(Param::Speed) && !p.was_clamped(Param::Brightness));
        assert_eq!(p.unknown, 1);
        let wrong = patch(r#"{"brightness":0.4,"warmth":"hot"}"#).unwrap();
        assert_eq!(wrong.changes().err(), Some(Refusal::NotANumber(Param::Warmth)));
        for no in ["[]", "3", "", "{", "\"x\"", "null"] {
            assert!(patch(no).is_err(), "{no}");
        }
        assert_eq!(patch("{}").unwrap().changes().unwrap().count(), 0);
    }

    #[test]
    fn pattern_256_is_not_pattern_0() {
        let select = |json: &str| serde_json::from_str::<Select>(json).unwrap().pattern();
        assert_eq!(select(r#"{"index":3}"#), Ok(3));
        assert_eq!(select(r#"{"id":"hype"}"#), Ok(13));
        for no in ["256", "14", "-1", "0.5", "1e300"] {
            assert_eq!(select(&format!(r#"{{"index":{no}}}"#)), Err(Refusal::PatternNotFound), "{no}");
        }
        assert_eq!(select(r#"{"id":"nope"}"#), Err(Refusal::PatternNotFound));
        assert_eq!(select("{}"), Err(Refusal::MissingField("index or id")));
        assert_eq!(select(r#"{"index":"3"}"#).unwrap_err().code(), "invalid_value");
        assert_eq!(select(r#"{"id":3}"#).unwrap_err().code(), "invalid_value");
    }

    #[test]
    fn a_text_is_what_it_means_however_it_is_written() {
        let select = |json: &str| serde_json::from_str::<Select>(json).unwrap().pattern();
        assert_eq!(select(r#"{"id":"hyp\u0065"}"#), Ok(13));
        assert_eq!(select(r#"{"id":"gr\u00fcn"}"#), Err(Refusal::PatternNotFound));
        let long = "x".repeat(1000);
        assert_eq!(select(&format!(r#"{{"id":"{long}"}}"#)), Err(Refusal::PatternNotFound));
        assert!(PATTERNS.iter().all(|p| Word::new(p.id).as_str() == p.id));
    }

    #[test]
    fn wishes_of_the_wrong_kind_are_named() {
        let command = |json: &str| serde_json::from_str::<Command>(json).unwrap();
        let c = command(r#"{"pattern":"hype","audio":true,"thumbnails":false,"fps":300}"#);
        assert_eq!((c.pattern(), c.audio(), c.thumbnails()), (Ok(Some(13)), Ok(Some(true)), Ok(Some(false))));
        assert_eq!(c.fps(), Ok(Some(120.0)));
        let c = command(r#"{"pattern":1,"audio":1,"thumbnails":"yes","fps":[]}"#);
        let refusals = [
            c.pattern().unwrap_err(),
            c.audio().unwrap_err(),
            c.thumbnails().unwrap_err(),
            c.fps().unwrap_err(),
        ];
        assert!(refusals.iter().all(|r| r.code() == "invalid_value"));
        let link = |json: &str| serde_json::from_str::<LinkOptions>(json).unwrap().changes();
        assert_eq!(link(r#"{"force_ht20":true}"#), Ok((None, Some(true))));
        assert_eq!(link("{}").unwrap_err().code(), "missing_field");
        assert_eq!(link(r#"{"force_ht20":1}"#).unwrap_err().code(), "invalid_value");
    }

    #[test]
    fn gain_outside_its_range_is_refused() {
        let gain = |json: &str| serde_json::from_str::<AudioConfig>(json).unwrap().gain();
        assert_eq!(gain(r#"{"microphone_gain":1.5}"#), Ok(1.5));
        for no in ["0.49", "2.01", "\"1\"", "1e99"] {
            assert_eq!(gain(&format!(r#"{{"microphone_gain":{no}}}"#)).unwrap_err().code(), "invalid_value");
        }
        assert_eq!(gain("{}"), Err(Refusal::MissingField("microphone_gain")));
    }

    #[test]
    fn a_backup_is_checked_as_a_whole() {
        let check = |json: &str| serde_json::from_str::<Restore>(json).unwrap().check();
        let r = check(r#"{"version":"1.0","parameters":{"dithering":0,"speed":2},"current_pattern":5,"microphone_gain":2}"#)
            .unwrap();
        assert_eq!((r.exact, r.pattern, r.gain), (false, Some(5), Some(2.0)));
        assert_eq!(r.params.get(Param::Dithering), 0.0);
        assert_eq!(r.params.get(Param::Softness), 0.25, "missing values take their defaults");
        assert_eq!(check(r#"{"version":"1.0"}"#), Err(Refusal::InvalidBackup));
        assert_eq!(check(r#"{"parameters":{}}"#), Err(Refusal::InvalidBackup));
        assert!(check(r#"{"version":"1.0","parameters":{},"current_pattern":99}"#).unwrap().pattern_unknown);
    }
}
