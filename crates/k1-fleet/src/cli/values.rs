//! Parsers of option values, with errors that say what to write instead.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// First part of a broker's topics.
pub fn topic(s: &str) -> Result<String, String> {
    let fits =
        !s.is_empty() && s.len() <= 100 && !s.contains(['+', '#']) && k1_device::harmless::harmless(s) == s;
    match fits && !s.starts_with(['/', '$']) && !s.ends_with('/') {
        true => Ok(s.to_owned()),
        false => Err("write a word, or words with / between them, without + and #".into()),
    }
}

/// A whole number in a range.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |s| {
        let number = s.parse().ok().filter(|n| range.contains(n));
        number.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
    }
}

/// A number of seconds.
pub fn seconds(s: &str) -> Result<f64, String> {
    s.parse()
        .ok()
        .filter(|t: &f64| (0.0..=1e7).contains(t))
        .ok_or_else(|| "write a number of seconds up to 10000000, for example 90 or 0.5".into())
}

/// A time such as 90, 10m, 1h or 24h, in seconds.
pub fn length(s: &str) -> Result<f64, String> {
    let (number, unit) = match s.strip_suffix(['s', 'm', 'h']) {
        Some(number) if s.ends_with('h') => (number, 3600.0),
        Some(number) if s.ends_with('m') => (number, 60.0),
        Some(number) => (number, 1.0),
        None => (s, 1.0),
    };
    let time = number.parse().ok().map(|n: f64| n * unit).filter(|t| (1.0..=1e7).contains(t));
    time.ok_or_else(|| {
        "write a time of 1 to 10000000 seconds, for example 10m, 1h, 24h or 90 (seconds)".into()
    })
}
