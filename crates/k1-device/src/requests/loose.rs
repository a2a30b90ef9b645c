//! A value of a request that may be of any kind, and its conversion into the expected kind.

use core::fmt;
use core::ops::RangeInclusive;

use heapless::String;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::Refusal;

/// A value of any kind, without a heap. A wrong kind leads to a refusal of that field and not of the whole body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loose {
    Number(f64),
    Flag(bool),
    Text(Word),
    Other,
}

/// A short text. For a longer text only the length is kept, because no longer text is valid here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Word {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Word {
    const MOST: usize = 64;

    pub(super) fn new(text: &str) -> Self {
        let mut word = Self { bytes: [0; Self::MOST], len: text.len() };
        if let Some(place) = word.bytes.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
        word
    }

    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// Reads a value as true or false.
pub(super) fn flag(value: Option<Loose>, field: &'static str) -> Result<Option<bool>, Refusal> {
    match value {
        None => Ok(None),
        Some(Loose::Flag(f)) => Ok(Some(f)),
        Some(_) => Err(Refusal::InvalidValue { field, expected: "true or false" }),
    }
}

/// Reads a value as a whole number in a range.
pub(super) fn whole(
    value: Option<Loose>,
    range: RangeInclusive<u16>,
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

/// Reads a value as a text of at most `N` bytes.
pub(super) fn words<const N: usize>(
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
            fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Loose, A::Error> {
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
