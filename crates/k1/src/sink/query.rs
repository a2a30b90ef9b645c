//! Settings of a target behind its question mark: `?universe=3&sync=yes`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Settings that were given and are taken one by one.
#[derive(Debug)]
pub struct Query<'a> {
    given: Vec<(&'a str, &'a str)>,
    /// The names that were asked for, for errors.
    known: Vec<&'static str>,
}

impl<'a> Query<'a> {
    /// Splits a target at its question mark.
    ///
    /// # Errors
    ///
    /// A sentence if a setting has no value or is given twice.
    pub fn split(text: &'a str) -> Result<(&'a str, Self), String> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut given: Vec<(&str, &str)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let setting = pair.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
            let (name, value) = setting.ok_or_else(|| format!("write NAME=VALUE in place of “{pair}”"))?;
            if given.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} is given twice"));
            }
            given.push((name, value));
        }
        Ok((place, Self { given, known: Vec::new() }))
    }

    /// Takes the value of a setting.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.known.push(name);
        let at = self.given.iter().position(|(given, _)| *given == name)?;
        Some(self.given.remove(at).1)
    }

    /// Takes a number.
    ///
    /// # Errors
    ///
    /// A sentence if it is not a number of that range.
    pub fn number<T>(&mut self, name: &'static str, range: RangeInclusive<T>) -> Result<Option<T>, String>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(format!("{name} is {} … {}, not “{text}”", range.start(), range.end())),
        }
    }

    /// Takes yes or no.
    ///
    /// # Errors
    ///
    /// A sentence if it is something else.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        match self.text(name) {
            None => Ok(None),
            Some("yes") => Ok(Some(true)),
            Some("no") => Ok(Some(false)),
            Some(other) => Err(format!("{name} is yes or no, not “{other}”")),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// A sentence with the known names if a setting was not taken.
    pub fn end(self) -> Result<(), String> {
        let Some((name, _)) = self.given.first() else { return Ok(()) };
        Err(format!("there is no setting “{name}”; use {}", self.known.join(", ")))
    }
}

/// Text with its percent signs resolved, as in URLs.
///
/// # Errors
///
/// A sentence if it is not text then, or has control characters.
pub fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(hex);
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    let decoded = String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    decoded.ok_or_else(|| format!("“{text}” is not a name"))
}
