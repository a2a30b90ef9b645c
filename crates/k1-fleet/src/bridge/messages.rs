//! A fleet through a broker: topics, messages and wishes, without a network.
//!
//! Every topic of a K1 carries its id, which no other K1 has, whatever it is called: the hardware address of a lamp, the
//! kept [id](k1_host::identity) of a program.
//!
//! | Topic | Who writes | What |
//! |---|---|---|
//! | `PREFIX/bridge-BRIDGE/availability` | bridge, and the broker by its last will | `online`, `offline`; retained |
//! | `PREFIX/ID/availability` | bridge | the same for a K1; retained |
//! | `PREFIX/ID/state` | bridge | what it shows; retained |
//! | `PREFIX/ID/telemetry` | bridge | its figures |
//! | `PREFIX/ID/error` | bridge | why a wish was not fulfilled |
//! | `PREFIX/fleet/telemetry` | bridge | how many answer, the least frame rate, the ones that are not well |
//! | `PREFIX/ID/update` | bridge | what runs, what is offered, whether it is being tried; retained |
//! | `PREFIX/ID/update/set` | anybody | `install`: the firmware that is offered |
//! | `PREFIX/rollout/state` | bridge | how the rollout stands; retained |
//! | `PREFIX/rollout/set` | anybody | [an order](crate::rollout::Order) |
//! | `PREFIX/rollout/error` | bridge | why an order was not obeyed |
//! | `PREFIX/ID/set`, `PREFIX/all/set` | anybody | a wish: JSON as Home Assistant's lights send it, and `params` |
//!
//! Discovery follows Home Assistant (<https://www.home-assistant.io/integrations/mqtt/>, light with JSON schema).

use k1_device::api::VERSION;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::lamps::figures::{FIGURES, Figure, Reading};

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
    /// Id of the bridge: of two, neither speaks for the other.
    pub bridge: String,
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
    /// A topic of a K1 by its id, or of the `rollout` or the `fleet`.
    pub fn of(&self, id: &str, what: &str) -> String {
        format!("{}/{}/{what}", self.prefix, segment(id))
    }

    /// Where the bridge says that it is there.
    pub fn bridge(&self) -> String {
        self.of(&format!("bridge-{}", self.bridge), "availability")
    }

    /// Where a bridge said so before it had an id.
    pub fn former_bridge(&self) -> String {
        self.of("bridge", "availability")
    }

    /// Where all K1s and bridges say so.
    pub fn availabilities(&self) -> String {
        format!("{}/+/availability", self.prefix)
    }

    /// Of whom such a topic speaks: the id of a K1, or a bridge.
    pub fn speaks_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/availability")
    }

    /// True if that is another bridge than this one.
    pub fn is_other_bridge(&self, name: &str) -> bool {
        name.strip_prefix("bridge-").is_some_and(|id| id != segment(&self.bridge))
    }

    /// The topics of wishes.
    pub fn wishes(&self) -> String {
        format!("{}/+/set", self.prefix)
    }

    /// Where Home Assistant says that it has started.
    pub fn birth(&self) -> String {
        format!("{}/status", self.discovery)
    }

    /// Where Home Assistant is told of lights.
    pub fn lights(&self) -> String {
        format!("{}/light/+/config", self.discovery)
    }

    /// True for one of those.
    pub fn is_light(&self, topic: &str) -> bool {
        topic
            .strip_prefix(&*self.discovery)
            .is_some_and(|t| t.starts_with("/light/") && t.ends_with("/config"))
    }

    /// The id of a K1 that this bridge has once announced with such a message.
    pub fn announced(&self, config: &[u8]) -> Option<String> {
        let config: Value = serde_json::from_slice(config).ok()?;
        let [bridge, own] = config["availability"].as_array()?.as_slice() else { return None };
        let own = self.name_before(own["topic"].as_str()?, "/availability")?;
        (bridge["topic"] == self.bridge()).then(|| own.to_owned())
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

/// What is announced of a K1.
#[derive(Clone, Debug)]
pub struct Card {
    /// Name.
    pub name: String,
    /// What no other K1 is called, ever.
    pub id: String,
    /// Hardware address, where it has one of its own.
    pub mac: Option<String>,
    /// Address of its page, without what opens it.
    pub page: String,
    /// Board.
    pub board: String,
    /// Version of its firmware.
    pub version: String,
    /// Identifiers of its patterns.
    pub patterns: Vec<String>,
    /// It is a lamp, and not the program.
    pub takes_firmware: bool,
}

/// The sensors of a K1 that measures this.
fn sensors(reading: &Reading) -> impl Iterator<Item = (&'static Figure, bool)> {
    FIGURES.iter().filter(|f| SENSORS.contains(&f.id)).map(|f| (f, reading.get(f.id).is_some()))
}

/// What a K1 can measure: the sensors that it has at Home Assistant.
pub fn measured(reading: &Reading) -> Vec<&'static str> {
    sensors(reading).filter(|(_, is)| *is).map(|(f, _)| f.id).collect()
}

impl Card {
    fn unique(&self) -> String {
        format!("k1_{}", segment(&self.id))
    }

    /// Topics and messages by which Home Assistant finds the K1 and the figures that it measures.
    pub fn discovery(&self, topics: &Topics, reading: &Reading) -> Vec<(String, Value)> {
        let id = self.unique();
        let mut device = json!({"identifiers": [id], "name": self.name, "manufacturer": "K1", "model": self.board,
                                "sw_version": self.version, "serial_number": self.id, "configuration_url": self.page});
        if let Some(mac) = &self.mac {
            device["connections"] = json!([["mac", mac]]);
        }
        let availability =
            json!([{"topic": topics.bridge()}, {"topic": topics.of(&self.id, "availability")}]);
        let origin = json!({"name": "k1", "sw_version": VERSION});
        let light = json!({
            "schema": "json", "name": null, "unique_id": id, "device": device, "origin": origin,
            "availability": availability, "availability_mode": "all",
            "state_topic": topics.of(&self.id, "state"), "command_topic": topics.of(&self.id, "set"),
            "brightness": true, "brightness_scale": STEPS, "supported_color_modes": ["brightness"],
            "effect": true, "effect_list": self.patterns,
        });
        let mut all = vec![(format!("{}/light/{id}/config", topics.discovery), light)];
        for (figure, _) in sensors(reading).filter(|(_, is_measured)| *is_measured) {
            let sensor = json!({
                "name": figure.name, "unique_id": format!("{id}_{}", figure.id), "device": device, "origin": origin,
                "availability": availability, "availability_mode": "all",
                "state_topic": topics.of(&self.id, "telemetry"),
                // What is not known at the moment is unknown, and not an error in a log.
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
                "entity_category": "config", "state_topic": topics.of(&self.id, "update"),
                "command_topic": topics.of(&self.id, "update/set"), "payload_install": INSTALL,
            });
            all.push((format!("{}/update/{id}_firmware/config", topics.discovery), update));
        }
        all
    }

    /// Topics at which the broker may keep what nobody stands behind any more: those of K1 0.1 and before, which carried
    /// names, and sensors of what this one does not measure. They are emptied.
    pub fn ghosts(&self, topics: &Topics, reading: &Reading) -> Vec<String> {
        let id = self.unique();
        let config = |kind: &str, id: &str| format!("{}/{kind}/{id}/config", topics.discovery);
        let mut all: Vec<_> = sensors(reading)
            .filter(|(_, is_measured)| !is_measured)
            .map(|(f, _)| config("sensor", &format!("{id}_{}", f.id)))
            .collect();
        // A name that could be another one's id is left alone.
        if !is_like_an_id(&self.name) {
            all.extend(["availability", "state", "update"].map(|what| topics.of(&self.name, what)));
        }
        let former = format!("k1_{}", segment(self.mac.as_ref().unwrap_or(&self.name)).replace('-', ""));
        if former != id {
            all.push(config("light", &former));
            all.push(config("update", &format!("{former}_firmware")));
            all.extend(SENSORS.iter().map(|figure| config("sensor", &format!("{former}_{figure}"))));
        }
        all
    }
}

fn is_like_an_id(name: &str) -> bool {
    let digits = name.strip_prefix('p').unwrap_or(name);
    digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What a K1 measures, for the broker: a tempo that it does not know is null, and not 0.
pub fn telemetry(reading: &Reading) -> Value {
    let mut figures = json!(reading);
    if reading.get("bpm") == Some(0.0) {
        figures["bpm"] = Value::Null;
    }
    figures
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
    /// This and a later wish as one: what the later one says counts.
    pub fn and(self, later: Self) -> Self {
        // A brightness that was wished before it was switched off is not wished any more.
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
        // A brightness alone switches on.
        let state = if later.brightness.is_some() { later.state } else { later.state.or(self.state) };
        Self { state, brightness, effect: later.effect.or(self.effect), params, _transition: None }
    }

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
        Topics { prefix: "k1".into(), discovery: "homeassistant".into(), bridge: "b1".into() }
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

    fn card(name: &str, id: &str, mac: Option<&str>) -> Card {
        Card {
            name: name.into(),
            id: id.into(),
            mac: mac.map(Into::into),
            page: "http://10.0.0.7/".into(),
            board: "virt".into(),
            version: "0.1.0".into(),
            patterns: vec!["pulse".into()],
            takes_firmware: mac.is_some(),
        }
    }

    fn reading(more: &[(&'static str, f64)]) -> Reading {
        let mut reading = Reading::default();
        reading.take([("fps", 120.0), ("age_p99_ms", 9.0), ("bpm", 0.0)]);
        reading.take(more.iter().copied());
        reading
    }

    #[test]
    fn a_lamp_is_announced_where_it_speaks() {
        let card = card("living/room #1", "525400123456", Some("52:54:00:12:34:56"));
        let all = card.discovery(&topics(), &reading(&[("temperature_c", 41.0), ("rssi_dbm", -60.0)]));
        assert_eq!(all.len(), 1 + SENSORS.len() + 1);
        let (_, update) = &all[all.len() - 1];
        let told = update["command_topic"].as_str().unwrap();
        assert_eq!(topics().told_to_install(told), Some("525400123456"));
        assert_eq!(topics().asked(told), None);
        let (topic, light) = &all[0];
        assert_eq!(topic, "homeassistant/light/k1_525400123456/config");
        assert_eq!(light["command_topic"], "k1/525400123456/set");
        assert_eq!(light["availability"][0]["topic"], "k1/bridge-b1/availability");
        assert_eq!(topics().asked(light["command_topic"].as_str().unwrap()), Some("525400123456"));
        let ids: std::collections::BTreeSet<_> =
            all.iter().map(|(_, m)| m["unique_id"].to_string()).collect();
        assert_eq!(ids.len(), all.len());
        let mut params = Map::new();
        params.insert("brightness".into(), 0.5.into());
        let shown = state(&params, "pulse");
        assert_eq!((&shown["state"], &shown["brightness"]), (&"ON".into(), &128.0.into()));
        // What the broker keeps tells the bridge whom it has announced.
        assert_eq!(topics().announced(light.to_string().as_bytes()).as_deref(), Some("525400123456"));
        let other = Topics { bridge: "b2".into(), ..topics() };
        assert_eq!(topics().speaks_of("k1/525400123456/availability"), Some("525400123456"));
        let bridge = topics().bridge();
        let bridge = topics().speaks_of(&bridge).unwrap();
        assert!(other.is_other_bridge(bridge) && !topics().is_other_bridge(bridge));
        assert!(!topics().is_other_bridge("525400123456"));
        assert_eq!(other.announced(light.to_string().as_bytes()), None);
        assert_eq!((topics().announced(b""), topics().announced(b"{}")), (None, None));
        // What was said under its name is taken back, and nothing that is said now.
        let ghosts = card.ghosts(&topics(), &reading(&[("temperature_c", 41.0), ("rssi_dbm", -60.0)]));
        assert_eq!(
            ghosts,
            ["k1/living-room--1/availability", "k1/living-room--1/state", "k1/living-room--1/update"]
        );
    }

    #[test]
    fn two_of_one_name_never_meet_and_announce_what_they_measure() {
        let (one, two) = (card("k1", "p000000000001", None), card("k1", "p000000000002", None));
        let said = |card: &Card| card.discovery(&topics(), &reading(&[]));
        let words = |card: &Card| -> Vec<String> {
            let all = said(card).into_iter().flat_map(|(topic, m)| {
                let own =
                    ["unique_id", "state_topic", "command_topic"].map(|f| m[f].as_str().map(str::to_owned));
                own.into_iter().flatten().chain([topic]).collect::<Vec<_>>()
            });
            all.collect()
        };
        let second = words(&two);
        assert!(words(&one).iter().all(|w| !second.contains(w)));
        assert_eq!(said(&one).len(), 1 + 3, "light, frames, age, tempo");
        let ghosts = one.ghosts(&topics(), &reading(&[]));
        for ghost in [
            "homeassistant/sensor/k1_p000000000001_rssi_dbm/config",
            "homeassistant/light/k1_k1/config",
            "homeassistant/sensor/k1_k1_temperature_c/config",
            "k1/k1/state",
        ] {
            assert!(ghosts.iter().any(|g| g == ghost), "{ghost} is not in {ghosts:?}");
        }
        let now: Vec<_> = said(&one).into_iter().chain(said(&two)).map(|(topic, _)| topic).collect();
        assert!(ghosts.iter().all(|g| !now.contains(g)), "{ghosts:?}");
        assert_eq!(telemetry(&reading(&[]))["bpm"], Value::Null);
        assert_eq!(telemetry(&reading(&[("bpm", 120.0)]))["bpm"], 120.0);
    }

    #[test]
    fn the_last_of_many_wishes_counts() {
        let wish = |text: &str| Wish::read(text.as_bytes()).unwrap();
        let mut lit = 0.5;
        let mut ask =
            |all: &[&str]| all.iter().map(|w| wish(w)).reduce(Wish::and).unwrap().requests(&mut lit);
        let slider = [r#"{"state":"ON","brightness":10}"#, r#"{"state":"ON","brightness":51}"#];
        assert_eq!(ask(&slider), [("/api/params", json!({"brightness": 0.2}))]);
        assert_eq!(
            ask(&[r#"{"state":"OFF"}"#, r#"{"brightness":51}"#]),
            [("/api/params", json!({"brightness": 0.2}))]
        );
        assert_eq!(ask(&[slider[0], r#"{"state":"OFF"}"#]), [("/api/params", json!({"brightness": 0.0}))]);
        assert_eq!(
            ask(&[r#"{"effect":"lava","params":{"warmth":1,"color":0}}"#, r#"{"params":{"warmth":0}}"#]),
            [("/api/select", json!({"id": "lava"})), ("/api/params", json!({"warmth": 0, "color": 0}))]
        );
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
