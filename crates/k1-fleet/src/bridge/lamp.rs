//! The messages about one K1, and the requests that carry out commands to it; without a network.

use k1_device::firmware::{Firmware, Standing};
use k1_device::harmless::harmless;
use serde_json::{Value, json};

use super::command::{LightCommand, Request};
use super::discovery::{self, Card};
use super::publish::Publish;
use super::scenes;
use super::topics::{OFFLINE, ONLINE, Topics};
use crate::lamps::figures::Reading;
use crate::lamps::scenes::{Playlist, Power, SceneNow};
use crate::lamps::watch::Look;

/// The bridge's record of a K1: what it has published. Publishes nothing until the K1 has identified itself.
#[derive(Debug)]
pub struct Lamp {
    topics: Topics,
    card: Option<Card>,
    is_announced: bool,
    /// Sensors announced to Home Assistant.
    sensors: Vec<&'static str>,
    online: Option<bool>,
    look: Option<Look>,
    /// Only of a K1 with scenes.
    power: Option<Power>,
    scenes: SceneNow,
    /// Names of the scenes that were announced.
    options: Option<Vec<String>>,
    state: Option<Value>,
    scene: Option<Value>,
    playlist: Option<Value>,
    update: Option<Value>,
    /// Brightness that the light returns to when it is switched on, 0 … 1.
    lit: f64,
}

impl Lamp {
    /// A K1 without published messages.
    pub fn new(topics: Topics) -> Self {
        Self {
            topics,
            card: None,
            is_announced: false,
            sensors: Vec::new(),
            online: None,
            look: None,
            power: None,
            scenes: SceneNow::default(),
            options: None,
            state: None,
            scene: None,
            playlist: None,
            update: None,
            lit: 1.0,
        }
    }

    /// Forgets what was published, because the broker has lost everything.
    pub fn forget(&mut self) {
        (self.is_announced, self.online, self.options) = (false, None, None);
        (self.state, self.scene, self.playlist, self.update) = (None, None, None, None);
    }

    /// True if it must identify itself before it is announced. Another K1 may have its address by now.
    pub fn is_unknown(&self) -> bool {
        !self.is_announced
    }

    /// Takes the K1's identity.
    pub fn met(&mut self, card: Card) {
        self.card = Some(card);
    }

    /// True if it accepts firmware; false until it has identified itself.
    pub fn takes_firmware(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.takes_firmware)
    }

    fn say(&self, what: &str) -> Option<String> {
        self.card.as_ref().map(|card| self.topics.of(&card.id, what))
    }

    /// Takes an answer of the K1: announces it if anything in the announcement is new, and publishes its figures and the
    /// section that it hears.
    pub fn answered(&mut self, reading: &Reading, section: &str) -> Vec<Publish> {
        let mut all = self.announce(reading);
        all.extend(self.online(true));
        let telemetry = discovery::telemetry(reading, section).to_string();
        all.extend(self.say("telemetry").map(|topic| Publish::once(topic, telemetry)));
        all
    }

    fn announce(&mut self, reading: &Reading) -> Vec<Publish> {
        let sensors = discovery::measured(reading);
        let Some(card) = self.card.as_ref().filter(|_| !self.is_announced || self.sensors != sensors) else {
            return Vec::new();
        };
        let ghosts = card.ghosts(&self.topics, reading).into_iter().map(|topic| Publish::kept(topic, ""));
        let found = card.discovery(&self.topics, reading).into_iter();
        let all =
            ghosts.chain(found.map(|(topic, config)| Publish::kept(topic, config.to_string()))).collect();
        (self.sensors, self.is_announced) = (sensors, true);
        all
    }

    /// Marks the K1 as offline, because it does not answer or the bridge ends.
    pub fn gone(&mut self) -> Option<Publish> {
        self.online(false)
    }

    fn online(&mut self, is: bool) -> Option<Publish> {
        let topic = self.say("availability").filter(|_| self.online != Some(is))?;
        self.online = Some(is);
        Some(Publish::kept(topic, if is { ONLINE } else { OFFLINE }))
    }

    /// Takes the settings of its light; publishes them if they are new.
    pub fn shown(&mut self, look: Look) -> Option<Publish> {
        self.look = Some(look);
        self.state()
    }

    /// Takes on, off and the brightness of everything; publishes them if they are new.
    pub fn powered(&mut self, power: Power) -> Option<Publish> {
        self.power = Some(power);
        self.state()
    }

    fn state(&mut self) -> Option<Publish> {
        let look = self.look.as_ref()?;
        let topic = self.say("state")?;
        let power = self.power.filter(|_| self.has_power());
        let of_look = || look.params.get("brightness").and_then(Value::as_f64);
        if let Some(b) = power.map_or_else(of_look, |power| Some(power.brightness)).filter(|b| *b > 0.0) {
            self.lit = b;
        }
        let state = discovery::state(&look.params, &look.pattern, power);
        published(topic, &mut self.state, state)
    }

    /// True if it has scenes, and its light is switched and dimmed as a whole; false until it has identified itself.
    pub fn has_power(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.has_power)
    }

    /// True if it has a playlist; false until it has identified itself.
    pub fn has_playlist(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.has_playlist)
    }

    /// Takes its scenes; announces and publishes them if they are new.
    pub fn staged(&mut self, now: SceneNow) -> Vec<Publish> {
        self.scenes = now;
        let Some(card) = self.card.as_ref().filter(|card| card.has_power) else { return Vec::new() };
        let mut all = Vec::new();
        // The names first: Home Assistant complains of a state that is not among them.
        if self.options.as_ref() != Some(&self.scenes.scenes) {
            let announced = card.scenes(&self.topics, &self.scenes.scenes).into_iter();
            all.extend(announced.map(|(topic, config)| {
                Publish::kept(topic, config.map(|config| config.to_string()).unwrap_or_default())
            }));
            self.options = Some(self.scenes.scenes.clone());
        }
        let topic = self.topics.of(&card.id, "scene");
        all.extend(published(topic, &mut self.scene, scenes::scene_state(&self.scenes)));
        all
    }

    /// Takes its playlist; publishes it if it is new.
    pub fn played(&mut self, playlist: &Playlist) -> Option<Publish> {
        let topic = self.say("playlist").filter(|_| self.has_playlist())?;
        published(topic, &mut self.playlist, scenes::playlist_state(playlist))
    }

    /// The request that recalls the scene whose name a message is, or the error message.
    pub fn recall(&self, message: &[u8]) -> Result<Request, Option<Publish>> {
        scenes::recall(message, &self.scenes.scenes).map_err(|why| self.error(&why))
    }

    /// The request that a command to its playlist means, or the error message.
    pub fn order(&self, message: &[u8]) -> Result<Request, Option<Publish>> {
        let order = match self.has_playlist() {
            true => scenes::order(message),
            false => Err("this K1 has no playlist".into()),
        };
        order.map_err(|why| self.error(&why))
    }

    /// Takes the state of its firmware, and the version that is offered for its board. `is_sending` is true while the
    /// offered firmware is being sent.
    pub fn firmware(&mut self, now: &Firmware, offered: Option<&str>, is_sending: bool) -> Option<Publish> {
        let topic = self.say("update")?;
        let installed = now.running.as_ref().map_or_else(|| "unknown".to_owned(), |i| i.version.to_string());
        let update = json!({
            "title": "K1", "installed_version": installed, "latest_version": offered.unwrap_or(&installed),
            "in_progress": is_sending || now.state == Standing::OnTrial,
            "release_summary": now.last.as_ref().map(|last| match last.reason.as_str() {
                "" => format!("{} was found good", last.version),
                why => format!("{} was taken back: {why}", last.version),
            }),
        });
        published(topic, &mut self.update, update)
    }

    /// Another bridge has announced that this K1 is offline. Returns true if it must be looked at now and announced
    /// again. Only a K1 that was online is looked at, so that two bridges agree if both lose it.
    pub fn contradicted(&mut self) -> bool {
        let was_there = self.online == Some(true);
        if was_there {
            (self.is_announced, self.online, self.options) = (false, None, None);
        }
        was_there
    }

    /// The requests that carry out commands, and the errors of refused commands. Several commands are merged.
    pub fn requests(&mut self, messages: &[Vec<u8>]) -> (Vec<Request>, Vec<Publish>) {
        let (mut command, mut refused): (Option<LightCommand>, _) = (None, Vec::new());
        for message in messages {
            match LightCommand::read(message) {
                Ok(next) => {
                    command = Some(match command {
                        Some(first) => first.and(next),
                        None => next,
                    });
                }
                Err(why) => refused.extend(self.error(&why)),
            }
        }
        let has_power = self.has_power();
        (command.map(|command| command.requests(&mut self.lit, has_power)).unwrap_or_default(), refused)
    }

    /// The error message of a command that was not carried out.
    pub fn error(&self, why: &str) -> Option<Publish> {
        self.say("error").map(|topic| Publish::once(topic, harmless(why).into_owned()))
    }
}

/// A message that the broker keeps, if it differs from the one that it keeps now.
fn published(topic: String, kept: &mut Option<Value>, now: Value) -> Option<Publish> {
    let is_new = kept.as_ref() != Some(&now);
    is_new.then(|| Publish::kept(topic, kept.insert(now).to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::discovery::tests::{card, reading, topics};
    use super::*;

    fn look(brightness: f64) -> Look {
        let params = [("brightness".to_owned(), brightness.into())].into_iter().collect();
        Look { params, pattern: "lava".into() }
    }

    fn topics_of(all: &[Publish]) -> Vec<&str> {
        all.iter().map(|p| p.topic.as_str()).collect()
    }

    #[test]
    fn nothing_is_published_of_one_that_was_never_met() {
        let mut lamp = Lamp::new(topics());
        assert!(lamp.is_unknown() && !lamp.takes_firmware());
        assert_eq!((lamp.gone(), lamp.shown(look(1.0)), lamp.error("x")), (None, None, None));
        assert!(lamp.answered(&reading(&[]), "steady").is_empty() && !lamp.contradicted());
    }

    #[test]
    fn what_is_new_is_published_once_and_anew_after_the_broker_has_forgotten() {
        let mut lamp = Lamp::new(topics());
        lamp.met(card("shelf", "525400123456", Some("52:54:00:12:34:56")));
        let first = lamp.answered(&reading(&[]), "steady");
        let told = topics_of(&first);
        assert!(told.contains(&"homeassistant/light/k1_525400123456/config"), "{told:?}");
        assert_eq!(&told[told.len() - 2..], ["k1/525400123456/availability", "k1/525400123456/telemetry"]);
        assert_eq!(topics_of(&lamp.answered(&reading(&[]), "steady")), ["k1/525400123456/telemetry"]);
        // A figure that it measures from now on becomes another sensor.
        let more = lamp.answered(&reading(&[("rssi_dbm", -60.0)]), "steady");
        assert!(topics_of(&more).contains(&"homeassistant/sensor/k1_525400123456_rssi_dbm/config"));
        assert!(lamp.shown(look(0.5)).is_some_and(|p| p.retain) && lamp.shown(look(0.5)).is_none());
        let gone = lamp.gone().unwrap();
        assert_eq!((gone.payload.as_slice(), gone.retain), (OFFLINE.as_bytes(), true));
        assert_eq!(lamp.gone(), None);
        lamp.forget();
        assert!(lamp.is_unknown() && lamp.shown(look(0.5)).is_some());
        let anew = lamp.answered(&reading(&[]), "steady");
        assert!(anew.len() > 3 && anew.iter().any(|p| p.payload == ONLINE.as_bytes()));
    }

    #[test]
    fn one_that_is_there_contradicts_and_one_that_has_gone_does_not() {
        let mut lamp = Lamp::new(topics());
        lamp.met(card("shelf", "p000000000001", None));
        lamp.answered(&reading(&[]), "steady");
        assert!(lamp.contradicted() && lamp.is_unknown());
        assert!(lamp.answered(&reading(&[]), "steady").iter().any(|p| p.payload == ONLINE.as_bytes()));
        lamp.gone();
        assert!(!lamp.contradicted());
    }

    #[test]
    fn of_many_commands_the_last_counts_and_nonsense_is_answered() {
        let mut lamp = Lamp::new(topics());
        lamp.met(card("shelf", "525400123456", Some("52:54:00:12:34:56")));
        lamp.shown(look(0.4));
        let messages = [&br#"{"state":"OFF"}"#[..], b"\x1b[2J", br#"{"state":"ON"}"#].map(<[u8]>::to_vec);
        let (requests, refused) = lamp.requests(&messages);
        assert_eq!(
            requests,
            [Request::post("/api/params", json!({"brightness": 0.4}))],
            "as bright as it was"
        );
        assert_eq!(topics_of(&refused), ["k1/525400123456/error"]);
        assert_eq!(lamp.requests(&[]), (vec![], vec![]));
    }

    fn scenes_of(names: &[&str], current: Option<&str>) -> SceneNow {
        let scenes = names.iter().map(|&name| name.to_owned()).collect();
        SceneNow { current: current.map(str::to_owned), scenes }
    }

    #[test]
    fn scenes_follow_as_they_come_change_and_go() {
        let mut lamp = Lamp::new(topics());
        lamp.met(card("desk", "p000000000001", None));
        let config = |kind: &str, what: &str| format!("homeassistant/{kind}/k1_p000000000001_{what}/config");
        let all = [config("select", "scene"), config("switch", "playlist"), config("button", "next_scene")];
        let first = lamp.staged(scenes_of(&["Dinner"], Some("Dinner")));
        assert_eq!(topics_of(&first)[..3], all);
        assert!(topics_of(&first)[3..] == ["k1/p000000000001/scene"] && first.iter().all(|p| p.retain));
        assert_eq!(lamp.staged(scenes_of(&["Dinner"], Some("Dinner"))), []);
        // A look was changed: only the state is new.
        assert_eq!(topics_of(&lamp.staged(scenes_of(&["Dinner"], None))), ["k1/p000000000001/scene"]);
        assert!(lamp.recall(b"Dinner").is_ok() && lamp.recall(b"Party").is_err());
        // The last scene is deleted: everything is taken back.
        let last = lamp.staged(scenes_of(&[], None));
        assert!(last[..3].iter().all(|p| p.payload.is_empty() && p.retain));
        assert!(lamp.recall(b"Dinner").is_err());
        // The broker has forgotten everything.
        lamp.staged(scenes_of(&["Dinner"], None));
        lamp.forget();
        assert_eq!(lamp.staged(scenes_of(&["Dinner"], None)).len(), 4);
    }

    #[test]
    fn on_and_off_are_power_and_a_lamp_has_neither_power_nor_scenes() {
        let mut program = Lamp::new(topics());
        program.met(card("desk", "p000000000001", None));
        let power = |on| Power { on, brightness: 0.4, fade_s: 1.0 };
        assert_eq!(program.powered(power(true)), None, "its look is not known yet");
        let state = |p: Option<Publish>| -> Value { serde_json::from_slice(&p.unwrap().payload).unwrap() };
        assert_eq!(state(program.shown(look(1.0)))["brightness"], 102.0);
        assert_eq!(state(program.powered(power(false)))["state"], "OFF");
        let (requests, _) = program.requests(&[br#"{"state":"ON"}"#.to_vec()]);
        assert_eq!(requests, [Request::put("/api/v1/power", json!({"on": true, "brightness": 0.4}))]);
        assert!(program.order(b"NEXT").is_ok());

        let mut lamp = Lamp::new(topics());
        lamp.met(card("shelf", "525400123456", Some("52:54:00:12:34:56")));
        assert_eq!(lamp.staged(scenes_of(&["Dinner"], None)), []);
        assert_eq!(state(lamp.shown(look(0.0)))["state"], "OFF");
        assert_eq!(
            topics_of(&lamp.order(b"ON").unwrap_err().into_iter().collect::<Vec<_>>()),
            ["k1/525400123456/error"]
        );
    }
}
