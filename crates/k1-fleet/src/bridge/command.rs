//! Commands to a K1's light, in the format of Home Assistant.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use crate::lamps::scenes::POWER;

/// Highest value of Home Assistant's brightness.
pub(super) const STEPS: f64 = 255.0;
/// Longest fade in seconds that a K1 takes.
const LONGEST_FADE_S: f64 = 3_600.0;

/// A command to a light. Values that it does not contain stay unchanged.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightCommand {
    state: Option<Switch>,
    brightness: Option<f64>,
    effect: Option<String>,
    params: Option<Map<String, Value>>,
    /// Duration of a fade in seconds. A lamp's light changes with its own softness instead.
    transition: Option<f64>,
}

/// A request to a K1.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// POST or PUT.
    pub method: Method,
    /// Path within the API, with names percent-encoded.
    pub path: String,
    /// JSON that the path expects.
    pub body: Value,
}

impl Request {
    /// POST to a path.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body }
    }

    /// PUT to a path.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Switch {
    On,
    Off,
}

impl LightCommand {
    /// Merges this command with a later one, whose values have priority.
    pub fn and(self, later: Self) -> Self {
        // Switching on or off overrides an earlier brightness.
        let brightness = match later.state {
            Some(_) => later.brightness,
            None => later.brightness.or(self.brightness),
        };
        let params = match (self.params, later.params) {
            (Some(mut first), Some(second)) => {
                first.extend(second);
                Some(first)
            }
            (first, second) => second.or(first),
        };
        // A brightness without a state switches the light on.
        let state = if later.brightness.is_some() { later.state } else { later.state.or(self.state) };
        Self { state, brightness, effect: later.effect.or(self.effect), params, transition: later.transition }
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// A sentence that says what is expected.
    pub fn read(message: &[u8]) -> Result<Self, String> {
        let command: Self = serde_json::from_slice(message).map_err(|e| {
            format!(
                "this command is not understood ({e}); it is JSON with any of state (ON, OFF), brightness (0 to 255), \
                 effect (a pattern) and params (an object)"
            )
        })?;
        match command.brightness {
            Some(b) if !(0.0..=STEPS).contains(&b) => Err(format!("brightness is 0 to {STEPS}, not {b}")),
            _ => Ok(command),
        }
    }

    /// The requests that carry out the command. `lit` is the brightness that the light returns to when it is switched on,
    /// 0 … 1; this function updates it. A K1 that `has_power` is switched and dimmed as a whole; an older one has only the
    /// brightness of its look.
    pub fn requests(&self, lit: &mut f64, has_power: bool) -> Vec<Request> {
        let mut all = Vec::new();
        if let Some(id) = &self.effect {
            all.push(Request::post("/api/select", json!({"id": id})));
        }
        let mut params = self.params.clone().unwrap_or_default();
        let brightness = match (self.state, self.brightness) {
            (Some(Switch::Off), _) => Some(0.0),
            (_, Some(b)) => Some(b / STEPS),
            (Some(Switch::On), None) => Some(*lit),
            (None, None) => None,
        };
        if let Some(b) = brightness.filter(|b| *b > 0.0) {
            *lit = b;
        }
        if let Some(b) = brightness.filter(|_| !has_power) {
            params.insert("brightness".into(), b.into());
        }
        if !params.is_empty() {
            all.push(Request::post("/api/params", Value::Object(params)));
        }
        if let Some(b) = brightness.filter(|_| has_power) {
            let mut power = if b > 0.0 { json!({"on": true, "brightness": b}) } else { json!({"on": false}) };
            if let Some(seconds) = self.transition {
                power["fade_s"] = seconds.clamp(0.0, LONGEST_FADE_S).into();
            }
            all.push(Request::put(POWER, power));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_becomes_requests() {
        let mut lit = 0.8;
        let mut ask =
            |message: &str| LightCommand::read(message.as_bytes()).unwrap().requests(&mut lit, false);
        assert_eq!(ask(r#"{"state":"OFF"}"#), [Request::post("/api/params", json!({"brightness": 0.0}))]);
        assert_eq!(
            ask(r#"{"state":"ON"}"#),
            [Request::post("/api/params", json!({"brightness": 0.8}))],
            "as bright as before"
        );
        assert_eq!(
            ask(r#"{"state":"ON","brightness":51,"effect":"pulse","transition":2}"#),
            [
                Request::post("/api/select", json!({"id": "pulse"})),
                Request::post("/api/params", json!({"brightness": 0.2}))
            ]
        );
        assert_eq!(ask(r#"{"state":"ON"}"#), [Request::post("/api/params", json!({"brightness": 0.2}))]);
        assert_eq!(
            ask(r#"{"params":{"warmth":0.5}}"#),
            [Request::post("/api/params", json!({"warmth": 0.5}))]
        );
        assert_eq!(ask("{}"), []);
        for wrong in ["", "ON", "[]", r#"{"state":"on"}"#, r#"{"brightness":256}"#, r#"{"colour":1}"#] {
            assert!(LightCommand::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_k1_with_scenes_is_switched_and_dimmed_as_a_whole() {
        let mut lit = 0.8;
        let mut ask =
            |message: &str| LightCommand::read(message.as_bytes()).unwrap().requests(&mut lit, true);
        let power = |body: Value| [Request::put("/api/v1/power", body)];
        assert_eq!(ask(r#"{"state":"OFF","transition":3}"#), power(json!({"on": false, "fade_s": 3.0})));
        assert_eq!(ask(r#"{"state":"ON"}"#), power(json!({"on": true, "brightness": 0.8})));
        assert_eq!(ask(r#"{"brightness":51}"#), power(json!({"on": true, "brightness": 0.2})));
        assert_eq!(ask(r#"{"brightness":0}"#), power(json!({"on": false})));
        assert_eq!(
            ask(r#"{"state":"ON","transition":1e9}"#),
            power(json!({"on": true, "brightness": 0.2, "fade_s": 3_600.0}))
        );
        let look = ask(r#"{"effect":"lava","params":{"brightness":0.5}}"#);
        let expected = [
            Request::post("/api/select", json!({"id": "lava"})),
            Request::post("/api/params", json!({"brightness": 0.5})),
        ];
        assert_eq!(look, expected, "the look has a brightness of its own");
    }

    #[test]
    fn the_last_of_many_commands_counts() {
        let command = |text: &str| LightCommand::read(text.as_bytes()).unwrap();
        let mut lit = 0.5;
        let mut ask = |all: &[&str]| {
            all.iter().map(|text| command(text)).reduce(LightCommand::and).unwrap().requests(&mut lit, false)
        };
        let slider = [r#"{"state":"ON","brightness":10}"#, r#"{"state":"ON","brightness":51}"#];
        assert_eq!(ask(&slider), [Request::post("/api/params", json!({"brightness": 0.2}))]);
        assert_eq!(
            ask(&[r#"{"state":"OFF"}"#, r#"{"brightness":51}"#]),
            [Request::post("/api/params", json!({"brightness": 0.2}))]
        );
        assert_eq!(
            ask(&[slider[0], r#"{"state":"OFF"}"#]),
            [Request::post("/api/params", json!({"brightness": 0.0}))]
        );
        assert_eq!(
            ask(&[r#"{"effect":"lava","params":{"warmth":1,"color":0}}"#, r#"{"params":{"warmth":0}}"#]),
            [
                Request::post("/api/select", json!({"id": "lava"})),
                Request::post("/api/params", json!({"warmth": 0, "color": 0}))
            ]
        );
    }

    proptest! {
        #[test]
        fn any_message_is_a_command_or_is_refused(message in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = LightCommand::read(&message);
        }
    }
}
