//! What a WLED device says about itself (`/json/info`).

use std::time::Duration;

use k1_device::harmless::harmless;
use serde::Deserialize;

/// Time that a device has to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest answer in bytes; usual ones have 1 to 2 KB.
const MOST_BYTES: u64 = 64 * 1024;

/// A WLED device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wled {
    /// Its name, as its owner gave it.
    pub name: String,
    /// Number of LEDs.
    pub leds: usize,
    /// True if its LEDs have a white channel.
    pub has_white: bool,
    /// True if it shows the white that it is sent, false if it makes the white of red, green and blue itself.
    pub takes_white: bool,
    /// Width and height, if it is a matrix.
    pub matrix: Option<(usize, usize)>,
    /// Its version.
    pub version: String,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    name: String,
    #[serde(default)]
    ver: String,
    leds: Leds,
}

#[derive(Deserialize)]
struct Leds {
    count: usize,
    #[serde(default)]
    rgbw: bool,
    /// What its segments can show, as a bit each: 1 colours, 2 a white of their own, 4 a colour temperature.
    lc: Option<u8>,
    /// The same for white alone, of versions without `lc`: a flag, or a number.
    wv: Option<serde_json::Value>,
    matrix: Option<Matrix>,
}

#[derive(Deserialize)]
struct Matrix {
    w: usize,
    h: usize,
}

/// Reads what a device answers.
///
/// # Errors
///
/// A sentence if it is not the answer of a WLED device.
pub fn parse(answer: &[u8]) -> Result<Wled, String> {
    let info: Info = serde_json::from_slice(answer)
        .map_err(|e| format!("its answer is not that of a WLED device ({e}); is it one?"))?;
    let Leds { rgbw, lc, wv, .. } = &info.leds;
    let says_white = |value: &serde_json::Value| value.as_bool().unwrap_or(value.as_u64() != Some(0));
    let takes_white = *rgbw && lc.map_or_else(|| wv.as_ref().is_none_or(says_white), |lc| lc & 2 != 0);
    let matrix = info.leds.matrix.map(|matrix| (matrix.w, matrix.h));
    Ok(Wled {
        name: harmless(info.name.trim()).into_owned(),
        leds: info.leds.count,
        has_white: info.leds.rgbw,
        takes_white,
        matrix: matrix.filter(|(w, h)| w.checked_mul(*h).is_some_and(|n| n > 0 && n <= info.leds.count)),
        version: harmless(&info.ver).into_owned(),
    })
}

/// Asks the device at `HOST:PORT`.
///
/// # Errors
///
/// A sentence if it does not answer, or not as WLED does.
pub fn ask(authority: &str) -> Result<Wled, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut answered = agent
        .get(format!("http://{authority}/json/info"))
        .call()
        .map_err(|e| format!("{authority} does not answer as WLED does ({e})"))?;
    let body = answered.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    parse(&body.map_err(|e| format!("{authority} does not answer as WLED does ({e})"))?)
        .map_err(|why| format!("{authority}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_wled_is_read() {
        let answer = br#"{"ver":"0.15.0","vid":2412100,"leds":{"count":256,"pwr":0,"fps":2,"maxpwr":850,"maxseg":32,
            "matrix":{"w":16,"h":16},"rgbw":true,"wv":0,"cct":0,"lc":3},"name":" Shelf ","udpport":21324,"arch":"esp32"}"#;
        let wled = parse(answer).unwrap();
        let version = "0.15.0".to_owned();
        assert_eq!(
            wled,
            Wled {
                name: "Shelf".into(),
                leds: 256,
                has_white: true,
                takes_white: true,
                matrix: Some((16, 16)),
                version
            }
        );
        // WLED makes the white itself, or has none.
        let takes =
            |leds: &str| parse(format!(r#"{{"leds":{{"count":9,{leds}}}}}"#).as_bytes()).unwrap().takes_white;
        for (leds, white) in [
            (r#""rgbw":true,"lc":1"#, false),
            (r#""rgbw":true,"lc":3"#, true),
            (r#""rgbw":false,"lc":3"#, false),
            (r#""rgbw":true,"wv":false"#, false),
            (r#""rgbw":true,"wv":0"#, false),
            (r#""rgbw":true,"wv":true"#, true),
            (r#""rgbw":true,"wv":2"#, true),
            (r#""rgbw":true"#, true),
            (r#""wv":true"#, false),
        ] {
            assert_eq!(takes(leds), white, "{leds}");
        }
        // Older versions have neither matrix nor name.
        assert_eq!(parse(br#"{"leds":{"count":30}}"#).unwrap().matrix, None);
        for hostile in [&b"{}"[..], b"[]", b"", br#"{"leds":{"count":-1}}"#, b"<html>"] {
            assert!(parse(hostile).unwrap_err().contains("is it one?"), "{hostile:?}");
        }
        let odd = br#"{"leds":{"count":4,"matrix":{"w":99999999999,"h":99999999999}},"name":"a\u001b[2Jb"}"#;
        assert_eq!(parse(odd).map(|w| (w.matrix, w.name)), Ok((None, "a\\u{1b}[2Jb".into())));
    }
}
