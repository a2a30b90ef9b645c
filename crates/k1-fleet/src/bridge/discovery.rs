//! Announces a K1 and its figures to Home Assistant (<https://www.home-assistant.io/integrations/mqtt/>, light with
//! JSON schema), and publishes its values.

use k1_device::backend::VERSION;
use k1_engine::audio::Section;
use serde_json::{Map, Value, json};

use super::command::STEPS;
use super::topics::{INSTALL, Topics, segment};
use crate::lamps::figures::{FIGURES, Figure, Reading};
use crate::lamps::scenes::Power;

/// Figures that become sensors in Home Assistant.
const SENSORS: [&str; 6] = ["fps", "age_p99_ms", "bpm", "beats_per_bar", "temperature_c", "rssi_dbm"];

/// The announced properties of a K1.
#[derive(Clone, Debug)]
pub struct Card {
    /// Name of the K1.
    pub name: String,
    /// Unique id: no other K1 ever has it.
    pub id: String,
    /// Hardware address, if it has its own.
    pub mac: Option<String>,
    /// Address of its page, without the token.
    pub page: String,
    /// Board of the K1.
    pub board: String,
    /// Version of its firmware.
    pub version: String,
    /// Identifiers of its patterns.
    pub patterns: Vec<String>,
    /// True for a lamp, false for the program.
    pub takes_firmware: bool,
    /// True for a K1 with scenes, whose light is switched and dimmed as a whole.
    pub has_power: bool,
    /// True for a K1 with scenes that has a playlist, too. A lamp has none.
    pub has_playlist: bool,
}

/// The sensors of a K1, and whether it measures them.
fn sensors(reading: &Reading) -> impl Iterator<Item = (&'static Figure, bool)> {
    FIGURES.iter().filter(|f| SENSORS.contains(&f.id)).map(|f| (f, reading.get(f.id).is_some()))
}

/// The figures that a K1 measures and that become sensors.
pub fn measured(reading: &Reading) -> Vec<&'static str> {
    sensors(reading).filter(|(_, is)| *is).map(|(f, _)| f.id).collect()
}

impl Card {
    fn unique(&self) -> String {
        format!("k1_{}", segment(&self.id))
    }

    /// The device that all entities of this K1 belong to.
    fn device(&self) -> Value {
        let mut device = json!({"identifiers": [self.unique()], "name": self.name, "manufacturer": "K1", "model": self.board,
                                "sw_version": self.version, "serial_number": self.id, "configuration_url": self.page});
        if let Some(mac) = &self.mac {
            device["connections"] = json!([["mac", mac]]);
        }
        device
    }

    /// The message that announces an entity of this K1 with fields of its `own`; `what` is empty for the light itself.
    pub(super) fn entity(&self, topics: &Topics, what: &str, name: impl Into<Value>, own: Value) -> Value {
        let mut config = json!({
            "name": name.into(), "unique_id": self.unique_of(what), "device": self.device(),
            "origin": {"name": "k1", "sw_version": VERSION},
            "availability": [{"topic": topics.bridge()}, {"topic": topics.of(&self.id, "availability")}],
            "availability_mode": "all",
        });
        if let (Some(config), Value::Object(own)) = (config.as_object_mut(), own) {
            config.extend(own);
        }
        config
    }

    /// Unique id of an entity of this K1.
    fn unique_of(&self, what: &str) -> String {
        let id = self.unique();
        if what.is_empty() { id } else { format!("{id}_{what}") }
    }

    /// Topic on which an entity of this K1 is announced.
    pub(super) fn config(&self, topics: &Topics, kind: &str, what: &str) -> String {
        format!("{}/{kind}/{}/config", topics.discovery, self.unique_of(what))
    }

    /// Topics and messages that announce the K1 and the figures that it measures.
    pub fn discovery(&self, topics: &Topics, reading: &Reading) -> Vec<(String, Value)> {
        let telemetry = topics.of(&self.id, "telemetry");
        let mut all = Vec::new();
        let mut announce = |kind: &str, what: &str, name: Value, own: Value| {
            all.push((self.config(topics, kind, what), self.entity(topics, what, name, own)));
        };
        let light = json!({
            "schema": "json",
            "state_topic": topics.of(&self.id, "state"), "command_topic": topics.of(&self.id, "set"),
            "brightness": true, "brightness_scale": STEPS, "supported_color_modes": ["brightness"],
            "effect": true, "effect_list": self.patterns,
        });
        announce("light", "", Value::Null, light);
        for (figure, _) in sensors(reading).filter(|(_, is_measured)| *is_measured) {
            let sensor = json!({
                "state_topic": telemetry,
                // A figure that is not known at the moment is unknown, and must not be an error in Home Assistant's
                // log.
                "value_template": format!("{{{{ value_json.get('{}') }}}}", figure.id),
                "unit_of_measurement": (!figure.unit.is_empty()).then_some(figure.unit), "state_class": "measurement",
                "entity_category": "diagnostic", "suggested_display_precision": figure.decimals,
            });
            announce("sensor", figure.id, figure.name.into(), sensor);
        }
        let sections: Vec<_> =
            Section::ALL.into_iter().filter(|s| *s != Section::Unknown).map(Section::name).collect();
        let section = json!({
            "state_topic": telemetry, "value_template": "{{ value_json.get('section') }}",
            "device_class": "enum", "options": sections, "entity_category": "diagnostic",
        });
        announce("sensor", "section", "section".into(), section);
        if self.takes_firmware {
            let update = json!({
                "device_class": "firmware", "entity_category": "config", "state_topic": topics.of(&self.id, "update"),
                "command_topic": topics.of(&self.id, "update/set"), "payload_install": INSTALL,
            });
            announce("update", "firmware", "Firmware".into(), update);
        }
        all
    }

    /// Topics with outdated messages that the broker may still keep: those of K1 0.1 and before, which contained names,
    /// and sensors that this K1 does not measure. They are emptied.
    pub fn ghosts(&self, topics: &Topics, reading: &Reading) -> Vec<String> {
        let id = self.unique();
        let config = |kind: &str, id: &str| format!("{}/{kind}/{id}/config", topics.discovery);
        let mut all: Vec<_> = sensors(reading)
            .filter(|(_, is_measured)| !is_measured)
            .map(|(f, _)| config("sensor", &format!("{id}_{}", f.id)))
            .collect();
        // Do not touch a name that could be the id of another K1.
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

/// The figures of a K1 and the section that it hears, as the broker receives them. An unknown tempo, bar or section is
/// null.
pub fn telemetry(reading: &Reading, section: &str) -> Value {
    let mut figures = json!(reading);
    for unknown in ["bpm", "beats_per_bar"].into_iter().filter(|id| reading.get(id) == Some(0.0)) {
        figures[unknown] = Value::Null;
    }
    figures["section"] = (section != Section::Unknown.name()).then_some(section).into();
    figures
}

/// The settings of a K1's light in the format of Home Assistant, with all parameters. Without `power`, a dark look counts
/// as off.
pub fn state(params: &Map<String, Value>, pattern: &str, power: Option<Power>) -> Value {
    let of_look = || params.get("brightness").and_then(Value::as_f64).unwrap_or_default();
    let brightness = power.map_or_else(of_look, |power| power.brightness);
    let is_on = brightness > 0.0 && power.is_none_or(|power| power.on);
    json!({
        "state": if is_on { "ON" } else { "OFF" }, "color_mode": "brightness",
        "brightness": (brightness * STEPS).round(), "effect": pattern, "params": params,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn topics() -> Topics {
        Topics { prefix: "k1".into(), discovery: "homeassistant".into(), bridge: "b1".into() }
    }

    pub(in super::super) fn card(name: &str, id: &str, mac: Option<&str>) -> Card {
        Card {
            name: name.into(),
            id: id.into(),
            mac: mac.map(Into::into),
            page: "http://10.0.0.7/".into(),
            board: "virt".into(),
            version: "0.1.0".into(),
            patterns: vec!["pulse".into()],
            takes_firmware: mac.is_some(),
            has_power: mac.is_none(),
            has_playlist: mac.is_none(),
        }
    }

    pub(in super::super) fn reading(more: &[(&'static str, f64)]) -> Reading {
        let mut reading = Reading::default();
        reading.take([("fps", 120.0), ("age_p99_ms", 9.0), ("bpm", 0.0), ("beats_per_bar", 0.0)]);
        reading.take(more.iter().copied());
        reading
    }

    #[test]
    fn a_lamp_is_announced_where_it_speaks() {
        let card = card("living/room #1", "525400123456", Some("52:54:00:12:34:56"));
        let all = card.discovery(&topics(), &reading(&[("temperature_c", 41.0), ("rssi_dbm", -60.0)]));
        assert_eq!(all.len(), 1 + SENSORS.len() + 2, "light, figures, section, firmware");
        let of = |id: &str| &all.iter().find(|(topic, _)| topic.contains(id)).unwrap().1;
        assert_eq!(of("_section")["options"], json!(["steady", "build", "drop", "break"]));
        assert_eq!(of("_beats_per_bar")["unit_of_measurement"], Value::Null);
        assert_eq!(of("_bpm")["unit_of_measurement"], "BPM");
        let (_, update) = &all[all.len() - 1];
        let told = update["command_topic"].as_str().unwrap();
        assert_eq!(topics().told_to_install(told), Some("525400123456"));
        assert_eq!(topics().commanded(told), None);
        let (topic, light) = &all[0];
        assert_eq!(topic, "homeassistant/light/k1_525400123456/config");
        assert_eq!(light["command_topic"], "k1/525400123456/set");
        assert_eq!(light["availability"][0]["topic"], "k1/bridge-b1/availability");
        assert_eq!(topics().commanded(light["command_topic"].as_str().unwrap()), Some("525400123456"));
        let ids: std::collections::BTreeSet<_> =
            all.iter().map(|(_, m)| m["unique_id"].to_string()).collect();
        assert_eq!(ids.len(), all.len());
        let mut params = Map::new();
        params.insert("brightness".into(), 0.5.into());
        let shown = state(&params, "pulse", None);
        assert_eq!((&shown["state"], &shown["brightness"]), (&"ON".into(), &128.0.into()));
        let off = state(&params, "pulse", Some(Power { on: false, brightness: 0.2, fade_s: 1.0 }));
        assert_eq!((&off["state"], &off["brightness"]), (&"OFF".into(), &51.0.into()));
        // The message that the broker keeps tells the bridge which K1 it has announced.
        assert_eq!(topics().announced(light.to_string().as_bytes()).as_deref(), Some("525400123456"));
        let other = Topics { bridge: "b2".into(), ..topics() };
        assert_eq!(topics().speaks_of("k1/525400123456/availability"), Some("525400123456"));
        let bridge = topics().bridge();
        let bridge = topics().speaks_of(&bridge).unwrap();
        assert!(other.is_other_bridge(bridge) && !topics().is_other_bridge(bridge));
        assert!(!topics().is_other_bridge("525400123456"));
        assert_eq!(other.announced(light.to_string().as_bytes()), None);
        assert_eq!((topics().announced(b""), topics().announced(b"{}")), (None, None));
        // Messages under its former name are deleted, but none of the present ones.
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
        assert_eq!(said(&one).len(), 1 + 5, "light, frames, age, tempo, bar, section");
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
        let unknown = telemetry(&reading(&[]), "unknown");
        for id in ["bpm", "beats_per_bar", "section"] {
            assert_eq!(unknown.get(id), Some(&Value::Null), "{id}");
        }
        let known = telemetry(&reading(&[("bpm", 120.0), ("beats_per_bar", 3.0)]), "drop");
        assert_eq!((&known["bpm"], &known["beats_per_bar"]), (&120.0.into(), &3.0.into()));
        assert_eq!(known["section"], "drop");
    }
}
