//! A fleet through a broker: topics, messages and wishes, without a network.
//!
//! | Topic | Who writes | What |
//! |---|---|---|
//! | `PREFIX/bridge/availability` | bridge, and the broker by its last will | `online`, `offline`; retained |
//! | `PREFIX/LAMP/availability` | bridge | the same for a lamp; retained |
//! | `PREFIX/LAMP/state` | bridge | what it shows; retained |
//! | `PREFIX/LAMP/telemetry` | bridge | its figures |
//! | `PREFIX/LAMP/error` | bridge | why a wish was not fulfilled |
//! | `PREFIX/fleet/telemetry` | bridge | how many answer, the least frame rate, who is not well |
//! | `PREFIX/LAMP/update` | bridge | what runs, what is offered, whether it is being tried; retained |
//! | `PREFIX/LAMP/update/set` | anybody | `install`: the firmware that is offered |
//! | `PREFIX/rollout/state` | bridge | how the rollout stands; retained |
//! | `PREFIX/rollout/set` | anybody | [an order](super::rollout::Order) |
//! | `PREFIX/rollout/error` | bridge | why an order was not obeyed |
//! | `PREFIX/LAMP/set`, `PREFIX/all/set` | anybody | a wish: JSON as Home Assistant's lights send it, and `params` |
//!
//! Discovery follows Home Assistant (<https://www.home-assistant.io/integrations/mqtt/>, light with JSON schema).

use k1_device::api::VERSION;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::figures::FIGURES;

/// Said of who is there.
pub const ONLINE: &str = "online";
/// Said of who is not.
pub const OFFLINE: &str = "offline";
/// The name under which a wish is for every lamp.
pub const ALL: &str = "all";
/// The name under which a rollout is spoken of.
pub const ROLLOUT: &str = "rollout";
/// The word that asks for what is offered.
pub const INSTALL: &str = "install";
/// Figures that Home Assistant shows as sensors of their own.
const SENSORS: [&str; 5] = ["fps", "age_p99_ms", "bpm", "temperature_c", "rssi_dbm"];
/// Steps of Home Assistant's brightness.
const STEPS: f64 = 255.0;

/// Where everything is said.
#[derive(Clone, Debug)]
pub struct Topics {
    /// What all of ours begin with.
    pub prefix: String,
    /// What Home Assistant's begin with.
    pub discovery: String,
}

/// A name as a part of a topic: what has a meaning there becomes a hyphen.
pub fn segment(name: &str) -> String {
    let good = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    match name.chars().map(good).collect::<String>() {
        s if s.is_empty() => "-".into(),
        s => s,
    }
}

impl Topics {
    /// The topic of a lamp, or of the `bridge` or the `fleet`.
    pub fn of(&self, lamp: &str, what: &str) -> String {
        format!("{}/{}/{what}", self.prefix, segment(lamp))
    }

    /// The topics of wishes.
    pub fn wishes(&self) -> String {
        format!("{}/+/set", self.prefix)
    }

    /// Where Home Assistant says that it has started.
    pub fn birth(&self) -> String {
        format!("{}/status", self.discovery)
    }

    /// The topics on which lamps are told to take what is offered.
    pub fn installs(&self) -> String {
        format!("{}/+/update/set", self.prefix)
    }

    /// Whom a wish is for, by its topic.
    pub fn asked<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/set")
    }

    /// Who is told to take what is offered, by its topic.
    pub fn told_to_install<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/update/set")
    }

    fn name_before<'a>(&self, topic: &'a str, end: &str) -> Option<&'a str> {
        topic.strip_prefix(&*self.prefix)?.strip_prefix('/')?.strip_suffix(end).filter(|l| !l.contains('/'))
    }
}

/// What is announced of a lamp.
#[derive(Clone, Debug)]
pub struct Card {
    /// Name.
    pub name: String,
    /// What no other lamp is called, ever: its hardware address, or its name where it has none.
    pub id: String,
    /// Board.
    pub board: String,
    /// Version of its firmware.
    pub version: String,
    /// Identifiers of its patterns.
    pub patterns: Vec<String>,
    /// It is a lamp, and not the program.
    pub takes_firmware: bool,
}

impl Card {
    /// Topics and messages by which Home Assistant finds the lamp and its figures.
    pub fn discovery(&self, topics: &Topics) -> Vec<(String, Value)> {
        let id = format!("k1_{}", segment(&self.id).replace('-', ""));
        let device = json!({"identifiers": [id], "name": self.name, "manufacturer": "K1", "model": self.board,
                            "sw_version": self.version});
        let availability = json!([{"topic": topics.of("bridge", "availability")},
                                  {"topic": topics.of(&self.name, "availability")}]);
        let origin = json!({"name": "k1", "sw_version": VERSION});
        let light = json!({
            "schema": "json", "name": null, "unique_id": id, "device": device, "origin": origin,
            "availability": availability, "availability_mode": "all",
            "state_topic": topics.of(&self.name, "state"), "command_topic": topics.of(&self.name, "set"),
            "brightness": true, "brightness_scale": STEPS, "supported_color_modes": ["brightness"],
            "effect": true, "effect_list": self.patterns,
        });
        let mut all = vec![(format!("{}/light/{id}/config", topics.discovery), light)];
        for figure in FIGURES.iter().filter(|f| SENSORS.contains(&f.id)) {
            let sensor = json!({
                "name": figure.name, "unique_id": format!("{id}_{}", figure.id), "device": device, "origin": origin,
                "availability": availability, "availability_mode": "all",
                "state_topic": topics.of(&self.name, "telemetry"),
                // A figure that is not measured is unknown, and not an error in a log.
                "value_template": format!("{{{{ value_json.get('{}') }}}}", figure.id),
                "unit_of_measurement": figure.unit, "state_class": "measurement",
                "entity_category": "diagnostic", "suggested_display_precision": figure.decimals,
            });
            all.push((format!("{}/sensor/{id}_{}/config", topics.discovery, figure.id), sensor));
        }
        if self.takes_firmware {
            let update = json!({
                "name": "Firmware", "unique_id": format!("{id}_firmware"), "device": device, "origin": origin,
                "availability": availability, "availability_mode": "all", "device_class": "firmware",
                "entity_category": "config", "state_topic": topics.of(&self.name, "update"),
                "command_topic": topics.of(&self.name, "update/set"), "payload_install": INSTALL,
            });
            all.push((format!("{}/update/{id}_firmware/config", topics.discovery), update));
        }
        all
    }
}

/// What a lamp shows, as Home Assistant's lights say it, with every parameter beside.
pub fn state(params: &Map<String, Value>, pattern: &str) -> Value {
    let brightness = params.get("brightness").and_then(Value::as_f64).unwrap_or_default();
    json!({
        "state": if brightness > 0.0 { "ON" } else { "OFF" }, "color_mode": "brightness",
        "brightness": (brightness * STEPS).round(), "effect": pattern, "params": params,
    })
}

/// What somebody wishes of a lamp.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    state: Option<Switch>,
    brightness: Option<f64>,
    effect: Option<String>,
    params: Option<Map<String, Value>>,
    /// Home Assistant may ask for a slow change; light changes at its own softness.
    #[serde(default, rename = "transition")]
    _transition: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Switch {
    On,
    Off,
}

impl Wish {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// A sentence that says what would be right.
    pub fn read(message: &[u8]) -> Result<Self, String> {
        let wish: Self = serde_json::from_slice(message).map_err(|e| {
            format!(
                "this wish is not understood ({e}); it is JSON with any of state (ON, OFF), brightness (0 to 255), \
                 effect (a pattern) and params (an object)"
            )
        })?;
        match wish.brightness {
            Some(b) if !(0.0..=STEPS).contains(&b) => Err(format!("brightness is 0 to {STEPS}, not {b}")),
            _ => Ok(wish),
        }
    }

    /// The requests to a lamp that fulfil it. `lit` is the brightness to which the lamp comes back, 0 … 1; it is kept
    /// up to date.
    pub fn requests(&self, lit: &mut f64) -> Vec<(&'static str, Value)> {
        let mut all = Vec::new();
        if let Some(id) = &self.effect {
            all.push(("/api/select", json!({"id": id})));
        }
        let mut params = self.params.clone().unwrap_or_default();
        let brightness = match (self.state, self.brightness) {
            (Some(Switch::Off), _) => Some(0.0),
            (_, Some(b)) => Some(b / STEPS),
            (Some(Switch::On), None) => Some(*lit),
            (None, None) => None,
        };
        if let Some(b) = brightness {
            params.insert("brightness".into(), b.into());
            if b > 0.0 {
                *lit = b;
            }
        }
        if !params.is_empty() {
            all.push(("/api/params", Value::Object(params)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topics() -> Topics {
        Topics { prefix: "k1".into(), discovery: "homeassistant".into() }
    }

    #[test]
    fn a_wish_becomes_requests() {
        let mut lit = 0.8;
        let mut ask = |message: &str| Wish::read(message.as_bytes()).unwrap().requests(&mut lit);
        assert_eq!(ask(r#"{"state":"OFF"}"#), [("/api/params", json!({"brightness": 0.0}))]);
        assert_eq!(
            ask(r#"{"state":"ON"}"#),
            [("/api/params", json!({"brightness": 0.8}))],
            "as bright as before"
        );
        assert_eq!(
            ask(r#"{"state":"ON","brightness":51,"effect":"pulse","transition":2}"#),
            [("/api/select", json!({"id": "pulse"})), ("/api/params", json!({"brightness": 0.2}))]
        );
        assert_eq!(ask(r#"{"state":"ON"}"#), [("/api/params", json!({"brightness": 0.2}))]);
        assert_eq!(ask(r#"{"params":{"warmth":0.5}}"#), [("/api/params", json!({"warmth": 0.5}))]);
        assert_eq!(ask("{}"), []);
        for wrong in ["", "ON", "[]", r#"{"state":"on"}"#, r#"{"brightness":256}"#, r#"{"colour":1}"#] {
            assert!(Wish::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lamp_is_announced_where_it_speaks() {
        let card = Card {
            name: "living/room #1".into(),
            id: "52:54:00:12:34:56".into(),
            board: "virt".into(),
            version: "0.1.0".into(),
            patterns: vec!["pulse".into()],
            takes_firmware: true,
        };
        let all = card.discovery(&topics());
        assert_eq!(all.len(), 1 + SENSORS.len() + 1);
        let (_, update) = &all[all.len() - 1];
        let told = update["command_topic"].as_str().unwrap();
        assert_eq!(topics().told_to_install(told), Some("living-room--1"));
        assert_eq!(topics().asked(told), None);
        let (topic, light) = &all[0];
        assert_eq!(topic, "homeassistant/light/k1_525400123456/config");
        assert_eq!(light["command_topic"], "k1/living-room--1/set");
        assert_eq!(topics().asked(light["command_topic"].as_str().unwrap()), Some("living-room--1"));
        let ids: std::collections::BTreeSet<_> =
            all.iter().map(|(_, m)| m["unique_id"].to_string()).collect();
        assert_eq!(ids.len(), all.len());
        let mut params = Map::new();
        params.insert("brightness".into(), 0.5.into());
        let shown = state(&params, "pulse");
        assert_eq!((&shown["state"], &shown["brightness"]), (&"ON".into(), &128.0.into()));
    }

    #[test]
    fn only_wishes_are_wishes() {
        for foreign in ["k1/x/state", "k2/x/set", "k1/set", "k1/a/b/set", "homeassistant/status"] {
            assert_eq!(topics().asked(foreign), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_one_part_of_a_topic(name in ".{0,30}") {
            let s = segment(&name);
            prop_assert!(!s.is_empty() && !s.contains(['/', '+', '#']));
        }

        #[test]
        fn any_message_is_a_wish_or_none(message in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Wish::read(&message);
        }
    }
}
