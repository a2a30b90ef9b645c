//! The topics of a fleet at a broker.
//!
//! Every topic of a K1 contains its id, which no other K1 has, whatever its name: the hardware address of a lamp, or
//! the saved [id](k1_host::identity) of a program.
//!
//! | Topic | Writer | Content |
//! |---|---|---|
//! | `PREFIX/bridge-BRIDGE/availability` | bridge, and the broker by its last will | `online`, `offline`; retained |
//! | `PREFIX/ID/availability` | bridge | the same for one K1; retained |
//! | `PREFIX/ID/state` | bridge | the settings of its light; retained |
//! | `PREFIX/ID/scene` | bridge | the scene that is shown, and the names of all; retained; only of a K1 with scenes, as the next three |
//! | `PREFIX/ID/scene/set`, `PREFIX/all/scene/set` | anybody | name of a scene to recall |
//! | `PREFIX/ID/playlist` | bridge | the playlist; retained |
//! | `PREFIX/ID/playlist/set`, `PREFIX/all/playlist/set` | anybody | `ON`, `OFF` or `NEXT` |
//! | `PREFIX/ID/telemetry` | bridge | its figures |
//! | `PREFIX/ID/error` | bridge | the reason why a command was not carried out |
//! | `PREFIX/fleet/telemetry` | bridge | how many K1s answer, the lowest frame rate, and which are not well |
//! | `PREFIX/ID/update` | bridge | running and offered firmware, and whether an update is in progress; retained |
//! | `PREFIX/ID/update/set` | anybody | `install`: take the offered firmware |
//! | `PREFIX/rollout/state` | bridge | state of the rollout; retained |
//! | `PREFIX/rollout/set` | anybody | [an order](super::order::Order) |
//! | `PREFIX/rollout/error` | bridge | the reason why an order was refused |
//! | `PREFIX/ID/set`, `PREFIX/all/set` | anybody | a [command](super::command::LightCommand): JSON as Home Assistant's lights send it, and `params` |

use serde_json::Value;

/// Availability of a K1 or bridge that is connected.
pub const ONLINE: &str = "online";
/// Availability of a K1 or bridge that has gone.
pub const OFFLINE: &str = "offline";
/// The id that means every K1 in a command's topic.
pub const ALL: &str = "all";
/// The id that means the rollout.
pub const ROLLOUT: &str = "rollout";
/// The id that means all K1s together.
pub const FLEET: &str = "fleet";
/// The message that asks a lamp to take the offered firmware.
pub const INSTALL: &str = "install";

/// The topics of one bridge.
#[derive(Clone, Debug)]
pub struct Topics {
    /// First part of K1's topics.
    pub prefix: String,
    /// First part of Home Assistant's discovery topics.
    pub discovery: String,
    /// Id of the bridge. It keeps the availability of two bridges apart.
    pub bridge: String,
}

/// A name as a part of a topic: replaces characters with a special meaning by hyphens.
pub fn segment(name: &str) -> String {
    let good = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    match name.chars().map(good).collect::<String>() {
        s if s.is_empty() => "-".into(),
        s => s,
    }
}

impl Topics {
    /// A topic of a K1, given by its id, or of the `rollout` or the `fleet`.
    pub fn of(&self, id: &str, what: &str) -> String {
        format!("{}/{}/{what}", self.prefix, segment(id))
    }

    /// Availability topic of this bridge.
    pub fn bridge(&self) -> String {
        self.of(&format!("bridge-{}", self.bridge), "availability")
    }

    /// Availability topic of a bridge before bridges had ids.
    pub fn former_bridge(&self) -> String {
        self.of("bridge", "availability")
    }

    /// Availability topics of all K1s and bridges.
    pub fn availabilities(&self) -> String {
        format!("{}/+/availability", self.prefix)
    }

    /// The id in an availability topic: of a K1 or a bridge.
    pub fn speaks_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/availability")
    }

    /// True for the name of another bridge.
    pub fn is_other_bridge(&self, name: &str) -> bool {
        name.strip_prefix("bridge-").is_some_and(|id| id != segment(&self.bridge))
    }

    /// Topics of commands.
    pub fn commands(&self) -> String {
        format!("{}/+/set", self.prefix)
    }

    /// Topic on which Home Assistant announces its start.
    pub fn birth(&self) -> String {
        format!("{}/status", self.discovery)
    }

    /// Topics on which lights are announced to Home Assistant.
    pub fn lights(&self) -> String {
        format!("{}/light/+/config", self.discovery)
    }

    /// True for a topic on which a light is announced.
    pub fn is_light(&self, topic: &str) -> bool {
        topic
            .strip_prefix(&*self.discovery)
            .is_some_and(|t| t.starts_with("/light/") && t.ends_with("/config"))
    }

    /// The id of the K1 in an announcement of this bridge; `None` for other messages.
    pub fn announced(&self, config: &[u8]) -> Option<String> {
        let config: Value = serde_json::from_slice(config).ok()?;
        let [bridge, own] = config["availability"].as_array()?.as_slice() else { return None };
        let own = self.name_before(own["topic"].as_str()?, "/availability")?;
        (bridge["topic"] == self.bridge()).then(|| own.to_owned())
    }

    /// Topics of requests to install the offered firmware.
    pub fn installs(&self) -> String {
        format!("{}/+/update/set", self.prefix)
    }

    /// Topics of commands to scenes and playlists.
    pub fn scenes_and_playlists(&self) -> [String; 2] {
        [format!("{}/+/scene/set", self.prefix), format!("{}/+/playlist/set", self.prefix)]
    }

    /// The id of the K1 that is to recall a scene, from the topic.
    pub fn told_a_scene<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/scene/set")
    }

    /// The id of the K1 whose playlist is commanded, from the topic.
    pub fn told_the_playlist<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/playlist/set")
    }

    /// The id that a command is for, from its topic.
    pub fn commanded<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/set")
    }

    /// The id of the K1 that is asked to install the offered firmware, from the topic.
    pub fn told_to_install<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/update/set")
    }

    fn name_before<'a>(&self, topic: &'a str, end: &str) -> Option<&'a str> {
        topic.strip_prefix(&*self.prefix)?.strip_prefix('/')?.strip_suffix(end).filter(|l| !l.contains('/'))
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
    fn only_commands_are_commands() {
        for foreign in ["k1/x/state", "k2/x/set", "k1/set", "k1/a/b/set", "homeassistant/status"] {
            assert_eq!(topics().commanded(foreign), None, "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_one_part_of_a_topic(name in ".{0,30}") {
            let s = segment(&name);
            prop_assert!(!s.is_empty() && !s.contains(['/', '+', '#']));
        }
    }
}
