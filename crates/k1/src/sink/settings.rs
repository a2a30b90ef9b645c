//! What a light is and how it is driven, whatever it speaks.

use std::fmt;

use k1_engine::light::{Rgb, WHITE_BALANCE, White};
use k1_show::LONGEST_NAME;

use super::query::Query;

/// Largest number of LEDs of a light.
pub const MAX_LEDS: usize = 21_760;
/// Largest delay in ms, in either direction.
pub const MAX_DELAY_MS: i32 = 1_000;
/// Time in ms after which an unchanged frame is sent again, unless a light chooses another one.
const KEEP_ALIVE_MS: u32 = 1_000;

/// Settings of one light.
#[derive(Clone, Debug, PartialEq)]
pub struct LightSettings {
    /// Its name; `None` = its target.
    pub name: Option<String>,
    /// Number of LEDs; `None` = as many as the strip. The strip is stretched or shrunk to them.
    pub leds: Option<usize>,
    /// Order of its colours.
    pub order: Order,
    /// How an RGBW light makes white.
    pub white: White,
    /// Factors of red, green and blue, 0 … 1, that make white look white.
    pub balance: Rgb,
    /// Brightness to the eye, 0 … 1, on top of the strip's.
    pub brightness: f32,
    /// Greatest current in mA; 0 = unlimited, `None` = as the strip.
    pub limit_ma: Option<u32>,
    /// Most frames per second; `None` = every frame.
    pub fps: Option<u32>,
    /// Delay in ms. A negative one shows the light before those without a delay.
    pub delay_ms: i32,
    /// Time in ms after which an unchanged frame is sent again; 0 = every frame is sent.
    pub keep_alive_ms: u32,
    /// What the light does when K1 ends.
    pub stop: Stop,
}

impl Default for LightSettings {
    fn default() -> Self {
        Self {
            name: None,
            leds: None,
            order: Order::RGB,
            white: White::Accurate,
            balance: WHITE_BALANCE,
            brightness: 1.0,
            limit_ma: None,
            fps: None,
            delay_ms: 0,
            keep_alive_ms: KEEP_ALIVE_MS,
            stop: Stop::Dark,
        }
    }
}

/// Order in which a light takes the channels of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Indices into red, green, blue and white.
    channels: [u8; 4],
    size: u8,
}

impl Order {
    /// Red, green, blue.
    pub const RGB: Self = Self { channels: [0, 1, 2, 3], size: 3 };
    /// Green, red, blue.
    pub const GRB: Self = Self { channels: [1, 0, 2, 3], size: 3 };
    /// Blue, green, red.
    pub const BGR: Self = Self { channels: [2, 1, 0, 3], size: 3 };

    /// Reads an order such as `grb` or `grbw`; `None` unless each colour is there once, and white at most once.
    pub fn parse(text: &str) -> Option<Self> {
        let mut channels = [u8::MAX; 4];
        let size = text.len();
        for (i, letter) in text.chars().enumerate() {
            let channel = "rgbw".find(letter.to_ascii_lowercase())? as u8;
            if channels.contains(&channel) {
                return None;
            }
            *channels.get_mut(i)? = channel;
        }
        let has_colours = (0..3).all(|colour| channels.contains(&colour));
        has_colours.then_some(Self { channels, size: size as u8 })
    }

    /// Indices into red, green, blue and white, in this order.
    pub fn channels(&self) -> &[u8] {
        &self.channels[..self.size.into()]
    }

    /// True if the light has white LEDs.
    pub fn has_white(&self) -> bool {
        self.size == 4
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.channels().iter().try_for_each(|channel| f.write_str(&"rgbw"[usize::from(*channel)..][..1]))
    }
}

/// What a light does when K1 ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It becomes dark.
    Dark,
    /// It keeps the last frame, as far as its protocol allows that.
    Hold,
    /// It is handed back: to its own effects (WLED), or to other sources (sACN).
    Release,
}

/// The names of a setting's values, for reading and for errors.
fn one_of<T: Copy>(query: &mut Query, name: &'static str, values: &[(&str, T)]) -> Result<Option<T>, String> {
    let Some(text) = query.text(name) else { return Ok(None) };
    match values.iter().find(|(value, _)| *value == text) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let names: Vec<_> = values.iter().map(|(value, _)| *value).collect();
            Err(format!("{name} is one of {}, not “{text}”", names.join(", ")))
        }
    }
}

impl LightSettings {
    /// Takes the settings of a light from a query. Those that are not there have their defaults; `stop` and `order` are those
    /// of the protocol.
    ///
    /// # Errors
    ///
    /// A sentence that says which values a setting has.
    pub fn take(query: &mut Query, stop: Stop, order: Order) -> Result<Self, String> {
        let usual = Self::default();
        let name = query.text("name").map(name).transpose()?;
        let leds = query.number("leds", 1..=MAX_LEDS)?;
        let order = match query.text("order") {
            None => order,
            Some(text) => Order::parse(text).ok_or_else(|| {
                format!(
                    "order is an order of r, g and b, with or without w, such as grb or grbw, not “{text}”"
                )
            })?,
        };
        let white = one_of(query, "white", &White::NAMES)?;
        if white.is_some() && !order.has_white() {
            return Err(
                "white is for lights with white LEDs; write their order, too, such as order=rgbw".into()
            );
        }
        let balance = query.text("balance").map(balance).transpose()?.unwrap_or(usual.balance);
        let stops = [("dark", Stop::Dark), ("hold", Stop::Hold), ("release", Stop::Release)];
        Ok(Self {
            name,
            leds,
            order,
            white: white.unwrap_or(usual.white),
            balance,
            brightness: query.number("brightness", 0.0..=1.0)?.unwrap_or(usual.brightness),
            limit_ma: query.number("limit_ma", 0..=10_000_000)?,
            fps: query.number("fps", 1..=500)?,
            delay_ms: query.number("delay_ms", -MAX_DELAY_MS..=MAX_DELAY_MS)?.unwrap_or(usual.delay_ms),
            keep_alive_ms: query.number("keep_alive_ms", 0..=60_000)?.unwrap_or(usual.keep_alive_ms),
            stop: one_of(query, "stop", &stops)?.unwrap_or(stop),
        })
    }

    /// Number of LEDs on a strip of `strip` LEDs.
    pub fn leds_of(&self, strip: usize) -> usize {
        self.leds.unwrap_or(strip)
    }

    /// Number of channels on a strip of `strip` LEDs.
    pub fn channels_of(&self, strip: usize) -> usize {
        self.leds_of(strip) * self.order.channels().len()
    }
}

/// Reads a name, as long as those in a show file.
fn name(text: &str) -> Result<String, String> {
    let name = super::query::decoded(text)?;
    match (1..=LONGEST_NAME).contains(&name.trim().len()) {
        true => Ok(name),
        false => Err(format!("name has 1 to {LONGEST_NAME} bytes, and this one has {}", name.trim().len())),
    }
}

/// Reads a white balance.
fn balance(text: &str) -> Result<Rgb, String> {
    if text == "none" {
        return Ok(Rgb::WHITE);
    }
    let factors: Vec<f32> = text.split(',').filter_map(|factor| factor.parse().ok()).collect();
    match factors[..] {
        [r, g, b] if text.split(',').count() == 3 && factors.iter().all(|f| (0.0..=1.0).contains(f)) => {
            Ok(Rgb::new(r, g, b))
        }
        _ => Err(format!(
            "balance is three factors of 0 … 1 for red, green and blue, such as 1,0.94,0.84, or none, not “{text}”"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LightSettings, String> {
        let (_, mut query) = Query::split(text)?;
        let settings = LightSettings::take(&mut query, Stop::Dark, Order::RGB)?;
        query.end().map(|()| settings)
    }

    #[test]
    fn every_setting_is_read() {
        assert_eq!(read(""), Ok(LightSettings::default()));
        let all = "?name=Shelf%20%26%20desk&leds=60&order=GRBW&white=brighter&balance=1,0.5,0&brightness=0.25&limit_ma=900\
                   &fps=40&delay_ms=-20&keep_alive_ms=0&stop=hold";
        let expected = LightSettings {
            name: Some("Shelf & desk".into()),
            leds: Some(60),
            order: Order { channels: [1, 0, 2, 3], size: 4 },
            white: White::Brighter,
            balance: Rgb::new(1.0, 0.5, 0.0),
            brightness: 0.25,
            limit_ma: Some(900),
            fps: Some(40),
            delay_ms: -20,
            keep_alive_ms: 0,
            stop: Stop::Hold,
        };
        assert_eq!(read(all), Ok(expected));
        assert_eq!(read("?balance=none").unwrap().balance, Rgb::WHITE);
        assert_eq!(read("?order=wrgb").unwrap().order.channels(), [3, 0, 1, 2]);
    }

    #[test]
    fn a_value_that_a_setting_does_not_have_is_refused_with_those_that_it_has() {
        for (wrong, says) in [
            ("?leds=0", "leds is 1 … 21760"),
            ("?order=rgg", "such as grb or grbw, not “rgg”"),
            ("?order=rg", "such as grb or grbw"),
            ("?order=rgbwr", "such as grb or grbw"),
            ("?order=rgwx", "such as grb or grbw"),
            ("?order=rgw", "such as grb or grbw"),
            ("?order=rgbw&white=warm", "white is one of none, accurate, brighter, not “warm”"),
            ("?white=none", "such as order=rgbw"),
            ("?balance=1,1", "balance is three factors"),
            ("?balance=1,1,2", "balance is three factors"),
            ("?balance=1,x,1,1", "balance is three factors"),
            ("?balance=1,NaN,1", "balance is three factors"),
            ("?brightness=2", "brightness is 0 … 1, not “2”"),
            ("?brightness=NaN", "brightness is 0 … 1"),
            ("?limit_ma=-1", "limit_ma is 0 … 10000000"),
            ("?fps=0", "fps is 1 … 500"),
            ("?delay_ms=1001", "delay_ms is -1000 … 1000"),
            ("?keep_alive_ms=x", "keep_alive_ms is 0 … 60000"),
            ("?stop=off", "stop is one of dark, hold, release, not “off”"),
            ("?name=%00", "“%00” is not a name"),
            ("?name=%20", "name has 1 to 64 bytes, and this one has 0"),
            ("?leds=99999999999999999999", "leds is 1 … 21760"),
            ("?brightness=", "write NAME=VALUE in place of “brightness=”"),
            ("?=3", "write NAME=VALUE in place of “=3”"),
            ("?fps=1&fps=2", "fps is given twice"),
            (
                "?brighness=1",
                "there is no setting “brighness”; use name, leds, order, white, balance, brightness",
            ),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(says), "{wrong}: {said}");
        }
        let long = |n| read(&format!("?name={}", "%C3%A4".repeat(n)));
        assert_eq!(long(32).map(|settings| settings.name.unwrap().len()), Ok(64));
        assert_eq!(long(33), Err("name has 1 to 64 bytes, and this one has 66".into()));
    }
}
