//! Parsers of option values, with errors that say what to write instead.

use clap::builder::{OsStringValueParser, TypedValueParser};
use k1_engine::params::Param;
use k1_engine::patterns::{PATTERNS, pattern_by_id};

use crate::sink::LightConfig;

/// A target for light; its path may be any name that the file system allows.
pub(super) fn target() -> impl TypedValueParser<Value = LightConfig> {
    OsStringValueParser::new().try_map(|text| LightConfig::from_os(&text))
}

/// A pattern by its id.
pub(super) fn pattern(s: &str) -> Result<usize, String> {
    pattern_by_id(s).ok_or_else(|| {
        let ids: Vec<_> = PATTERNS.iter().map(|p| p.id).collect();
        format!("there is no pattern “{s}”; use one of {}", ids.join(", "))
    })
}

/// A palette by its name or number.
pub(super) fn palette(s: &str) -> Result<usize, String> {
    use k1_engine::light::{PALETTES, palette_by_name};
    palette_by_name(s).or_else(|| s.parse().ok().filter(|i| *i < PALETTES.len())).ok_or_else(|| {
        let names: Vec<_> = PALETTES.iter().map(|p| p.name).collect();
        format!("there is no palette “{s}”; use 0 … {} or one of {}", PALETTES.len() - 1, names.join(", "))
    })
}

/// `PARAM=VALUE`, within the parameter's range.
pub fn assignment(s: &str) -> Result<(Param, f32), String> {
    let (id, value) = s.split_once('=').ok_or("write PARAM=VALUE, for example brightness=0.5")?;
    let param = Param::from_id(id).ok_or_else(|| {
        let ids: Vec<_> = Param::ALL.iter().map(|p| p.spec().id).collect();
        format!("there is no parameter “{id}”; use one of {}", ids.join(", "))
    })?;
    let spec = param.spec();
    let number: f32 = value.parse().map_err(|_| format!("“{value}” is not a number"))?;
    if !(spec.min..=spec.max).contains(&number) {
        return Err(format!("{id} takes {} … {}, not {value}", spec.min, spec.max));
    }
    Ok((param, number))
}

/// Duration of a fade in seconds.
pub(super) fn fade(s: &str) -> Result<f64, String> {
    let longest = f64::from(k1_show::scene::LONGEST_FADE_S);
    s.parse()
        .ok()
        .filter(|seconds| (0.0..=longest).contains(seconds))
        .ok_or_else(|| format!("write a number of seconds from 0 to {longest}"))
}

/// Period of a playlist.
pub(super) fn every(s: &str) -> Result<k1_show::Every, String> {
    s.parse().map_err(|()| format!("write {}", k1_show::playlist::EVERY_EXPECTED))
}

/// A name that requests may use.
pub(super) fn allowed_host(s: &str) -> Result<k1_http::names::AllowedName, String> {
    k1_http::names::AllowedName::parse(s).map_err(str::to_owned)
}

/// Number of LEDs of a strip, 1 to [`crate::MAX_LEDS`].
pub(super) fn leds(s: &str) -> Result<usize, String> {
    s.parse()
        .ok()
        .filter(|n| (1..=crate::MAX_LEDS).contains(n))
        .ok_or_else(|| format!("a strip has 1 … {} LEDs", crate::MAX_LEDS))
}

/// Gain of the microphone, as a factor.
pub(super) fn gain(s: &str) -> Result<f32, String> {
    let range = k1_engine::audio::GAIN_RANGE;
    s.parse()
        .ok()
        .filter(|g| range.contains(g))
        .ok_or_else(|| format!("gain is {} … {}", range.start(), range.end()))
}

/// Name of a K1.
pub(super) fn name(s: &str) -> Result<String, String> {
    let most = k1_host::identity::LONGEST_NAME;
    let fits = (1..=most).contains(&s.trim().len()) && k1_device::harmless::harmless(s) == s;
    match fits {
        true => Ok(s.trim().to_owned()),
        false => {
            Err(format!("write a name of 1 to {most} bytes, without newlines or other control characters"))
        }
    }
}
