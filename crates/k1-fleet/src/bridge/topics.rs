//! The topics of a fleet at a broker.
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
//! | `PREFIX/ID/error` | bridge | why a command was not carried out |
//! | `PREFIX/fleet/telemetry` | bridge | how many answer, the least frame rate, and which are not well |
//! | `PREFIX/ID/update` | bridge | what runs, what is offered, whether it is being tried; retained |
//! | `PREFIX/ID/update/set` | anybody | `install`: the firmware that is offered |
//! | `PREFIX/rollout/state` | bridge | how the rollout stands; retained |
//! | `PREFIX/rollout/set` | anybody | [an order](super::order::Order) |
//! | `PREFIX/rollout/error` | bridge | why an order was refused |
//! | `PREFIX/ID/set`, `PREFIX/all/set` | anybody | a [command](super::command::LightCommand): JSON as Home Assistant's lights send it, and `params` |

use serde_json::Value;

/// The message of who is there.
pub const ONLINE: &str = "online";
/// The message of who is not there.
pub const OFFLINE: &str = "offline";
/// The id that stands for every K1 in a command's topic.
pub const ALL: &str = "all";
/// The id that stands for the rollout.
pub const ROLLOUT: &str = "rollout";
/// The id that stands for all K1s together.
pub const FLEET: &str = "fleet";
/// The message that asks a lamp to take the offered firmware.
pub const INSTALL: &str = "install";

/// The topics of one bridge.
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

    /// The topics of commands.
    pub fn commands(&self) -> String {
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

    /// The id that a command is for, by its topic.
    pub fn commanded<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.name_before(topic, "/set")
    }

    /// The id of the K1 that is told to take what is offered, by the topic.
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
