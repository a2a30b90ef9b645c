//! Requests that change the setup of the hardware and the network.

use heapless::String;
use k1_engine::light::{Shape, White};
use serde::Deserialize;

use super::loose::{Loose, whole, words};
use crate::error::Refusal;
use crate::harmless::harmless;
use crate::settings::{ColorOrder, Hardware, MOST_LEDS, MOST_MA, RESET_US, StripSettings, Wifi};

/// Changes to the setup of the hardware and the network: any of these fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetupPatch {
    /// Number of LEDs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>"))]
    leds: Option<Loose>,
    /// How the LEDs are arranged: mirrored, line, line-reversed, both-ends, ring or matrix:COLUMNSxROWS.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    shape: Option<Loose>,
    /// Order of the colours on the wire: RGB, RBG, GRB, GBR, BRG or BGR, with a W at its end if the strip has white LEDs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    color_order: Option<Loose>,
    /// How white LEDs are used: none, accurate or brighter.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    white: Option<Loose>,
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
    /// ADDRESS:PORT of a network light that shows the same frames by DDP; empty = none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    mirror: Option<Loose>,
    /// Name of the Wi-Fi network, at most 32 bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    wifi_ssid: Option<Loose>,
    /// Password of the network, at most 63 bytes; it can be set but not read.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<std::string::String>"))]
    wifi_password: Option<Loose>,
}

impl SetupPatch {
    /// Checks that every field is valid and that at least one is present.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        if *self == Self::default() {
            return Err(Refusal::MissingField("leds, color_order, name or another of the setup"));
        }
        self.apply(&mut Hardware::default(), &mut StripSettings::default())?;
        self.apply_wifi(&mut Wifi::default()).map(|_| ())
    }

    /// Changes the named settings of the hardware and the strip, or nothing if a field is wrong. True if a setting has
    /// changed. A matrix has as many LEDs as its size says.
    ///
    /// # Errors
    ///
    /// The first field that is wrong.
    pub fn apply(&self, hardware: &mut Hardware, strip: &mut StripSettings) -> Result<bool, Refusal> {
        let mut new = hardware.clone();
        let shape = self.shape()?.unwrap_or(strip.shape);
        if let (Some(_), Some(leds)) = (self.shape, shape.leds()) {
            new.leds = leds as u16;
        }
        let most = MOST_LEDS as u16;
        if let Some(leds) = whole(self.leds, 1..=most, "leds", "a whole number from 1 to 300")? {
            new.leds = leds;
        }
        if shape.leds().is_some_and(|leds| leds != usize::from(new.leds)) {
            let expected = "as many LEDs as the matrix has; with `shape`, it may be left out";
            return Err(Refusal::InvalidValue { field: "leds", expected });
        }
        if let Some(us) = whole(self.reset_us, RESET_US, "reset_us", "a whole number from 50 to 1000")? {
            new.reset_us = us;
        }
        let expected = "a whole number from 0 to 20000";
        if let Some(ma) = whole(self.current_limit_ma, 0..=MOST_MA, "current_limit_ma", expected)? {
            new.limit_ma = ma;
        }
        let mut white = strip.white;
        let expected = "RGB, RBG, GRB, GBR, BRG or BGR, or one of them with a W at its end";
        if let Some(name) = words::<4>(self.color_order, "color_order", expected)? {
            let (colours, has_white) = match name.strip_suffix('W') {
                Some(colours) => (colours, true),
                None => (&*name, false),
            };
            let order = ColorOrder::ALL.iter().find(|(n, _)| *n == colours);
            new.order = order.ok_or(Refusal::InvalidValue { field: "color_order", expected })?.1;
            white = has_white.then(|| white.unwrap_or(White::Accurate));
        }
        let expected = "none, accurate or brighter";
        if let Some(name) = words::<8>(self.white, "white", expected)? {
            let named = White::NAMES.iter().find(|(n, _)| *n == name);
            let named = named.ok_or(Refusal::InvalidValue { field: "white", expected })?.1;
            let expected =
                "left out for a strip without white LEDs; their color_order ends with W, such as GRBW";
            white.replace(named).ok_or(Refusal::InvalidValue { field: "white", expected })?;
        }
        let expected = "a number from -100 to -20, or false";
        match self.noise_floor_db {
            None => {}
            Some(Loose::Flag(false)) => new.floor_db = None,
            Some(Loose::Number(db)) if (-100.0..=-20.0).contains(&db) => new.floor_db = Some(db as f32),
            Some(_) => return Err(Refusal::InvalidValue { field: "noise_floor_db", expected }),
        }
        let expected = "a text of at most 32 bytes, without invisible characters";
        if let Some(name) = words(self.name, "name", expected)? {
            // Many programs show the name in many places.
            if harmless(&name) != name.as_str() {
                return Err(Refusal::InvalidValue { field: "name", expected });
            }
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
        let settings = StripSettings { shape, white };
        let changed = new != *hardware || settings != *strip;
        (*hardware, *strip) = (new, settings);
        Ok(changed)
    }

    /// The shape, which has at most as many LEDs as a lamp.
    fn shape(&self) -> Result<Option<Shape<'static>>, Refusal> {
        let expected =
            "mirrored, line, line-reversed, both-ends, ring, or matrix:COLUMNSxROWS of at most 300 LEDs";
        let wrong = Refusal::InvalidValue { field: "shape", expected };
        let Some(text) = words::<64>(self.shape, "shape", expected)? else { return Ok(None) };
        let shape: Shape = text.parse().map_err(|_| wrong)?;
        if shape.leds().is_some_and(|leds| leds > MOST_LEDS) { Err(wrong) } else { Ok(Some(shape)) }
    }

    /// Changes the named settings of the network, or nothing if a field is wrong. True if a setting has changed.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_matrix_says_how_many_leds_there_are() {
        let mut memory = (Hardware::default(), StripSettings::default());
        let mut set = |json: serde_json::Value| {
            let patch: SetupPatch = serde_json::from_str(&json.to_string()).unwrap();
            match patch.apply(&mut memory.0, &mut memory.1) {
                Ok(changed) => Ok((memory.0.leds, memory.1.shape.to_string(), changed)),
                Err(Refusal::InvalidValue { field, .. }) => Err(field),
                Err(other) => panic!("{}", other.code()),
            }
        };
        let is = |leds, shape: &str, changed| Ok((leds, shape.to_string(), changed));
        assert_eq!(set(json!({"shape": "ring"})), is(180, "ring", true));
        assert_eq!(set(json!({"shape": "ring"})), is(180, "ring", false));
        let matrix = "matrix:16x8,serpentine,rotate=90";
        assert_eq!(set(json!({"shape": matrix})), is(128, matrix, true));
        assert_eq!(set(json!({"shape": matrix, "leds": 120})), Err("leds"));
        assert_eq!(set(json!({"leds": 120})), Err("leds"));
        assert_eq!(set(json!({"reset_us": 80})), is(128, matrix, true));
        assert_eq!(set(json!({"leds": 120, "shape": "line"})), is(120, "line", true));
        for wrong in
            [json!("matrix:20x16"), json!("matrix"), json!("points"), json!("Ring"), json!(1), json!("")]
        {
            assert_eq!(set(json!({"leds": 9, "shape": wrong})), Err("shape"), "{wrong}");
        }
        assert_eq!(set(json!({"name": "shelf"})), is(120, "line", true), "nothing was changed by halves");
    }

    #[test]
    fn white_leds_come_with_the_order_of_the_colours() {
        let mut memory = (Hardware::default(), StripSettings::default());
        let mut set = |json: serde_json::Value| {
            let patch: SetupPatch = serde_json::from_str(&json.to_string()).unwrap();
            match patch.apply(&mut memory.0, &mut memory.1) {
                Ok(_) => Ok((memory.0.order, memory.1.white)),
                Err(Refusal::InvalidValue { field, .. }) => Err(field),
                Err(other) => panic!("{}", other.code()),
            }
        };
        use ColorOrder::{BGR, GRB};
        assert_eq!(set(json!({"white": "none"})), Err("white"));
        assert_eq!(set(json!({"color_order": "GRBW"})), Ok((GRB, Some(White::Accurate))));
        assert_eq!(set(json!({"white": "brighter"})), Ok((GRB, Some(White::Brighter))));
        assert_eq!(set(json!({"color_order": "BGRW"})), Ok((BGR, Some(White::Brighter))), "its use stays");
        for wrong in ["W", "WGRB", "GRBWW", "grbw", "GRW", ""] {
            assert_eq!(set(json!({"color_order": wrong})), Err("color_order"), "{wrong}");
        }
        assert_eq!(set(json!({"white": "warm"})), Err("white"));
        assert_eq!(set(json!({"color_order": "GRB", "white": "none"})), Err("white"));
        assert_eq!(
            set(json!({"leds": 9})),
            Ok((BGR, Some(White::Brighter))),
            "nothing was changed by halves"
        );
        assert_eq!(set(json!({"color_order": "GRB"})), Ok((GRB, None)));
    }

    #[test]
    fn a_name_is_what_can_be_shown() {
        let set = |name: &str| {
            let json = serde_json::json!({"name": name}).to_string();
            let patch: SetupPatch = serde_json::from_str(&json).unwrap();
            let mut hardware = Hardware::default();
            patch.apply(&mut hardware, &mut StripSettings::default()).map(|_| hardware.name.to_string())
        };
        for name in ["", "shelf", "Küche 💡", "قمر"] {
            assert_eq!(set(name).as_deref(), Ok(name));
        }
        for name in ["a\u{202e}b", "a\u{200b}", "\u{2028}", "\u{e0041}", "a\nb", "\u{9b}31m"] {
            assert_eq!(set(name).unwrap_err().code(), "invalid_value", "{}", name.escape_unicode());
        }
    }
}
