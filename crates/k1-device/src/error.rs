//! Every refusal of the API: code, status and a sentence that tells what would be valid. The refusals of the door are
//! in [`k1_http`].

use core::fmt;

use k1_engine::params::{LAST_PALETTE, Param};
use k1_engine::patterns::PATTERNS;
use k1_http::rejection::Rejection;
use k1_update::refusal::Refusal as Why;
use serde::Serialize;
use serde::ser::SerializeStruct;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The body is not JSON, or not a JSON object.
    InvalidJson,
    /// A required field is missing.
    MissingField(&'static str),
    /// A parameter has a value that is not a number.
    NotANumber(Param),
    /// A field has a value of the wrong kind or outside its range.
    InvalidValue {
        /// The field.
        field: &'static str,
        /// What would be valid.
        expected: &'static str,
    },
    /// No pattern has this id or index.
    PatternNotFound,
    /// No zone has this name.
    ZoneNotFound,
    /// No light has this name.
    LightNotFound,
    /// No scene has this name.
    SceneNotFound,
    /// A backup lacks its version or parameters.
    InvalidBackup,
    /// The door refused the request.
    Http(Rejection),
    /// The same work is already in progress.
    Busy(&'static str),
    /// The program or this lamp does not support the request; the sentence tells why.
    NotHere(&'static str),
    /// An update, a set of keys or a rollback was refused.
    Update(Why),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Http(rejection)
    }
}

impl Refusal {
    /// Code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::MissingField(_) => "missing_field",
            Self::NotANumber(_) | Self::InvalidValue { .. } => "invalid_value",
            Self::PatternNotFound => "pattern_not_found",
            Self::ZoneNotFound => "zone_not_found",
            Self::LightNotFound => "light_not_found",
            Self::SceneNotFound => "scene_not_found",
            Self::InvalidBackup => "invalid_backup_format",
            Self::Http(rejection) => rejection.code(),
            Self::Busy(_) => "busy",
            Self::NotHere(_) => "not_available",
            Self::Update(_) => "update_refused",
        }
    }

    /// HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidJson
            | Self::MissingField(_)
            | Self::NotANumber(_)
            | Self::InvalidValue { .. }
            | Self::InvalidBackup => 400,
            Self::PatternNotFound | Self::ZoneNotFound | Self::LightNotFound | Self::SceneNotFound => 404,
            Self::Http(rejection) => rejection.status(),
            Self::Busy(_) => 409,
            Self::NotHere(_) => 501,
            Self::Update(why) => match why {
                Why::NoKeys | Why::UnknownKey | Why::BadSignature => 403,
                Why::OnTrial | Why::Busy | Why::NothingThere | Why::TooOld { .. } | Why::OldKeys { .. } => {
                    409
                }
                Why::Flash | Why::ReadBack => 500,
                Why::Stalled => 408,
                Why::TooLarge { .. } => 413,
                _ => 400,
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::InvalidJson => f.write_str("the body must be a JSON object"),
            Self::MissingField(field) => write!(f, "the field `{field}` is missing"),
            Self::NotANumber(p) => {
                let spec = p.spec();
                write!(f, "`{}` must be a number from {} to {}", spec.id, spec.min, spec.max)
            }
            Self::InvalidValue { field, expected } => write!(f, "`{field}` must be {expected}"),
            Self::PatternNotFound => {
                write!(
                    f,
                    "there is no such pattern; `index` is 0 to {}, `id` is one of",
                    PATTERNS.len() - 1
                )?;
                PATTERNS.iter().try_for_each(|p| write!(f, " {}", p.id))
            }
            Self::ZoneNotFound => {
                f.write_str("there is no zone of this name; GET /api/v1/zones lists the zones")
            }
            Self::LightNotFound => {
                f.write_str("there is no light of this name; GET /api/v1/lights lists the lights")
            }
            Self::SceneNotFound => {
                f.write_str("there is no scene of this name; GET /api/v1/scenes lists the scenes")
            }
            Self::InvalidBackup => f.write_str("a backup has `version` and `parameters`; this one does not"),
            Self::Http(rejection) => rejection.fmt(f),
            Self::Busy(what) | Self::NotHere(what) => f.write_str(what),
            Self::Update(why) => write!(f, "{why}"),
        }
    }
}

/// What the number of a palette must be, for the refusal of another one.
pub const PALETTE_EXPECTED: &str = "a whole number from 0 to 32";
const _: () = assert!(LAST_PALETTE == 32, "PALETTE_EXPECTED names the last palette");

/// The JSON body of a refusal.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent))]
pub struct ErrorBody {
    #[cfg_attr(feature = "schema", schemars(with = "ErrorShape"))]
    refusal: Refusal,
    #[cfg_attr(feature = "schema", schemars(skip))]
    timestamp: u64,
}

/// The fields of every refusal.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct ErrorShape {
    /// Code for programs.
    error: String,
    /// A sentence for people.
    message: String,
    /// Milliseconds since the start.
    timestamp: u64,
    /// HTTP status.
    status: u16,
    /// Largest body in bytes; with `payload_too_large` only.
    #[schemars(skip_serializing_if = "Option::is_none")]
    max_size: Option<usize>,
}

impl ErrorBody {
    /// The body for a refusal at `timestamp` (milliseconds since the start).
    pub const fn new(refusal: Refusal, timestamp: u64) -> Self {
        Self { refusal, timestamp }
    }
}

/// A refusal that is written as its sentence.
pub(crate) struct Sentence(pub Refusal);

impl Serialize for Sentence {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl Serialize for ErrorBody {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let max = match self.refusal {
            Refusal::Http(Rejection::TooLarge { max }) => Some(max),
            _ => None,
        };
        let mut body = s.serialize_struct("ErrorBody", if max.is_some() { 5 } else { 4 })?;
        body.serialize_field("error", self.refusal.code())?;
        body.serialize_field("message", &Sentence(self.refusal))?;
        body.serialize_field("timestamp", &self.timestamp)?;
        body.serialize_field("status", &self.refusal.status())?;
        if let Some(max) = max {
            body.serialize_field("max_size", &max)?;
        }
        body.end()
    }
}
