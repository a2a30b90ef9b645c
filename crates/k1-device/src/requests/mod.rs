//! Types of the requests. Their methods return only valid values.

mod inputs;
mod lights;
mod loose;
mod params;
mod plan;
mod scenes;
mod setup;
mod timers;
mod zones;

use k1_engine::audio::GAIN_RANGE;
use k1_engine::params::Params;
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_update::envelope::{ENVELOPE, Envelope};
use serde::Deserialize;

use self::loose::{Loose, flag};
use crate::error::Refusal;

pub use self::inputs::{Listen, NewInput};
pub use self::lights::{LightChange, LightTest, NewLight};
pub use self::params::ParamsPatch;
#[cfg(feature = "schema")]
pub(crate) use self::params::param_properties;
pub use self::plan::{NewPiece, NewPlace, ZoneChange};
pub use self::scenes::{NewLook, NewScene, PowerPatch, Recall};
pub use self::setup::SetupPatch;
pub use self::timers::{NewTimer, NewTimers, PlaylistPatch};
pub use self::zones::{ShowText, ZonePatch};

/// Index of the pattern that a text names.
fn named_pattern(id: Loose, field: &'static str) -> Result<usize, Refusal> {
    match id {
        Loose::Text(word) => pattern_by_id(word.as_str()).ok_or(Refusal::PatternNotFound),
        _ => Err(Refusal::InvalidValue { field, expected: "the id of a pattern" }),
    }
}

/// A pattern by index or id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Select {
    /// Index of the pattern.
    // It is checked before it is narrowed, so that 256 does not become 0.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    index: Option<Loose>,
    /// Identifier of the pattern.
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

/// Number of reads of a self-test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelfTest {
    /// Number of reads, 1 … 1,000,000.
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
    /// The gain. A value outside its range is refused and not clamped, as in the lamps in the field.
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
    /// Version of the format, "1.0".
    #[serde(borrow)]
    #[cfg_attr(feature = "schema", schemars(with = "std::string::String"))]
    version: Option<&'a str>,
    /// Values of the parameters; missing parameters take their defaults.
    #[cfg_attr(feature = "schema", schemars(with = "ParamsPatch"))]
    parameters: Option<ParamsPatch>,
    /// Index of the pattern.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>"))]
    current_pattern: Option<Loose>,
    /// Microphone gain, a factor from 0.5 to 2.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f32>"))]
    microphone_gain: Option<Loose>,
}

/// A valid backup.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Restored {
    /// The whole set of parameters.
    pub params: Params,
    /// True if all values were within their ranges.
    pub exact: bool,
    /// The pattern, if the backup names one that exists.
    pub pattern: Option<usize>,
    /// True if the backup names a pattern that does not exist here.
    pub pattern_unknown: bool,
    /// The gain, if the backup has a valid one.
    pub gain: Option<f32>,
}

impl Restore<'_> {
    /// Checks the backup before anything is changed, for a K1 with a number of palettes of the user's own.
    pub fn check(&self, own_palettes: usize) -> Result<Restored, Refusal> {
        let (Some("1.0"), Some(patch)) = (self.version, self.parameters) else {
            return Err(Refusal::InvalidBackup);
        };
        let patch = patch.with_own_palettes(own_palettes);
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

/// Wi-Fi work-arounds to change.
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
    /// The changes to 802.11b/g only and 20 MHz only; at least one is present.
    pub fn changes(&self) -> Result<(Option<bool>, Option<bool>), Refusal> {
        match (flag(self.force_bg_only, "force_bg_only")?, flag(self.force_ht20, "force_ht20")?) {
            (None, None) => Err(Refusal::MissingField("force_bg_only or force_ht20")),
            changes => Ok(changes),
        }
    }
}
/// A command from a page on the live WebSocket: any of these fields.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Command {
    /// Parameters to change.
    #[serde(default)]
    pub params: Option<ParamsPatch>,
    /// Pattern to select, by id.
    #[serde(default)]
    pattern: Option<Loose>,
    /// Name of the zone whose look is to change; without it, the first one.
    #[serde(default)]
    zone: Option<Loose>,
    /// Microphone gain, a factor from 0.5 to 2.
    #[serde(default)]
    gain: Option<Loose>,
    /// True to send the zones, their looks and their pixels.
    #[serde(default)]
    zones: Option<Loose>,
    /// True to send the sound too.
    #[serde(default)]
    audio: Option<Loose>,
    /// True to send small moving pictures of every pattern.
    #[serde(default)]
    thumbnails: Option<Loose>,
    /// Frames per second that the page can show, 1 … 120.
    #[serde(default)]
    fps: Option<Loose>,
    /// Value that K1 echoes, so that the page can measure the delay and set its clock.
    #[serde(default)]
    pub ping: Option<f64>,
}

impl Command {
    /// Index of the pattern to select, if any.
    pub fn pattern(&self) -> Result<Option<usize>, Refusal> {
        self.pattern.map(|id| named_pattern(id, "pattern")).transpose()
    }

    /// Name of the zone whose look is to change; `None` = the first one.
    pub fn zone(&self) -> Result<Option<&str>, Refusal> {
        match &self.zone {
            None => Ok(None),
            Some(Loose::Text(name)) => Ok(Some(name.as_str())),
            Some(_) => Err(Refusal::InvalidValue { field: "zone", expected: "the name of a zone" }),
        }
    }

    /// Whether to send the zones; `None` = unchanged.
    pub fn zones(&self) -> Result<Option<bool>, Refusal> {
        flag(self.zones, "zones")
    }

    /// Whether to send the sound too; `None` = unchanged.
    pub fn audio(&self) -> Result<Option<bool>, Refusal> {
        flag(self.audio, "audio")
    }

    /// Whether to send small moving pictures; `None` = unchanged.
    pub fn thumbnails(&self) -> Result<Option<bool>, Refusal> {
        flag(self.thumbnails, "thumbnails")
    }

    /// Frames per second that the page can show, brought into 1 … 120; `None` = unchanged.
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
    /// The statement. Its signature is not verified yet.
    ///
    /// # Errors
    ///
    /// [`Refusal::MissingField`], or [`Refusal::InvalidValue`] if it is not 192 bytes in base64.
    pub fn envelope(&self) -> Result<Envelope, Refusal> {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let text = self.statement.ok_or(Refusal::MissingField("statement"))?;
        let mut envelope = [0; ENVELOPE];
        match BASE64_STANDARD.decode_slice(text, &mut envelope) {
            Ok(ENVELOPE) => Ok(Envelope(envelope)),
            _ => Err(Refusal::InvalidValue { field: "statement", expected: "192 bytes in base64" }),
        }
    }
}
#[cfg(test)]
mod tests {
    use k1_engine::params::Param;

    use super::loose::Word;
    use super::*;

    #[test]
    fn pattern_256_is_not_pattern_0() {
        let select = |json: &str| serde_json::from_str::<Select>(json).unwrap().pattern();
        assert_eq!(select(r#"{"index":3}"#), Ok(3));
        assert_eq!(select(r#"{"id":"hype"}"#), Ok(13));
        for no in ["256", "21", "-1", "0.5", "1e300"] {
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
        let check = |json: &str| serde_json::from_str::<Restore>(json).unwrap().check(0);
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
