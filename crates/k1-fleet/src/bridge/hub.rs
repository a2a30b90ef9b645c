//! The bridge's reaction to messages of the broker and news of the K1s; without a network and without a clock.

use std::time::Instant;

use k1_device::harmless::harmless;
use serde_json::{Value, json};

use super::order::Order;
use super::publish::Publish;
use super::topics::{ALL, FLEET, INSTALL, OFFLINE, ONLINE, ROLLOUT, Topics, segment};
use crate::lamps::figures::Reading;
use crate::lamps::watch::News;
use crate::rollout::{Rollout, Status};

/// Longest command, in bytes.
pub const MOST_BYTES: usize = 64 * 1024;

/// A task for the thread that talks to one K1.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Carry out a command to its light.
    Command(Vec<u8>),
    /// Send it the offered firmware.
    Install,
    /// Recall the scene whose name this is.
    Scene(Vec<u8>),
    /// Carry out a command to its playlist.
    Playlist(Vec<u8>),
    /// The K1 has told of a change.
    Told(News),
    /// It may have gone: look at it now.
    Look,
    /// Another bridge has announced that the K1 is offline, or has itself gone offline.
    Contradict,
}

/// An action that follows from an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Publish a message.
    Publish(Publish),
    /// Give a task to the K1 with this number.
    Task(usize, Task),
    /// Publish everything again, because the broker or Home Assistant has lost it.
    Anew,
    /// Tell the bridge's owner.
    Say(String),
}

/// One K1.
#[derive(Debug)]
struct Member {
    /// Name given by the user.
    label: String,
    /// Name in topics: the K1's id, or the label until the id is known.
    id: String,
    /// Figures of the last look; `Some(None)` if it did not answer, `None` before the first look.
    last: Option<Option<Reading>>,
}

/// The bridge's state about all K1s, which are numbered from 0.
#[derive(Debug)]
pub struct Hub {
    topics: Topics,
    members: Vec<Member>,
    /// Version of the offered firmware.
    offer: Option<String>,
    rollout: Option<Rollout>,
    /// State of the rollout, as last published.
    published: Option<Status>,
    /// True if the owner has been told of a message that is too long.
    said_long: bool,
}

impl Hub {
    /// A hub for the K1s named `labels`, which offers them firmware of version `offer`.
    pub fn new(topics: Topics, labels: &[String], offer: Option<String>) -> Self {
        let member = |label: &String| Member { label: label.clone(), id: segment(label), last: None };
        let members = labels.iter().map(member).collect();
        Self { topics, members, offer, rollout: None, published: None, said_long: false }
    }

    /// The topics to subscribe to.
    pub fn subscriptions(&self) -> [String; 7] {
        let topics = &self.topics;
        let [scenes, playlists] = topics.scenes_and_playlists();
        let commands = topics.commands();
        [
            commands,
            scenes,
            playlists,
            topics.installs(),
            topics.birth(),
            topics.lights(),
            topics.availabilities(),
        ]
    }

    /// Handles a new connection to the broker, which may have lost everything.
    pub fn connected(&mut self) -> Vec<Effect> {
        self.published = None;
        vec![
            Effect::Publish(Publish::kept(self.topics.former_bridge(), "")),
            Effect::Publish(Publish::kept(self.topics.bridge(), ONLINE)),
            Effect::Anew,
        ]
    }

    /// The last message, at the end of the bridge.
    pub fn farewell(&self) -> Publish {
        Publish::kept(self.topics.bridge(), OFFLINE)
    }

    /// Handles a message.
    pub fn receive(&mut self, topic: &str, message: &[u8]) -> Vec<Effect> {
        let topics = &self.topics;
        if topic == topics.birth() {
            return if message == ONLINE.as_bytes() { vec![Effect::Anew] } else { Vec::new() };
        }
        let to_others = || topics.told_to_install(topic).or_else(|| topics.told_a_scene(topic));
        let command = topics.commanded(topic).or_else(to_others).or_else(|| topics.told_the_playlist(topic));
        if let Some(id) = command.filter(|_| message.len() > MOST_BYTES) {
            let error = topics.of(id, "error");
            return self.refuse(topic, error, message.len());
        }
        if topics.commanded(topic) == Some(ROLLOUT) {
            let error = topics.of(ROLLOUT, "error");
            let refused = self.order(message).err();
            return refused
                .map(|why| Effect::Publish(Publish::once(error, harmless(&why).into_owned())))
                .into_iter()
                .collect();
        }
        if topics.is_light(topic) {
            return self.remember(message).map(Effect::Publish).into_iter().collect();
        }
        if let Some(id) = topics.commanded(topic) {
            return self.task(id, &Task::Command(message.to_vec()));
        }
        if let Some(id) = topics.told_a_scene(topic) {
            return self.task(id, &Task::Scene(message.to_vec()));
        }
        if let Some(id) = topics.told_the_playlist(topic) {
            return self.task(id, &Task::Playlist(message.to_vec()));
        }
        if let Some(id) = topics.told_to_install(topic).filter(|_| message == INSTALL.as_bytes()) {
            return self.task(id, &Task::Install);
        }
        if let Some(named) = topics.speaks_of(topic).filter(|_| message == OFFLINE.as_bytes()) {
            // Another bridge for the same K1 has ended, and Home Assistant may have been told to use that bridge.
            let id = if topics.is_other_bridge(named) { ALL } else { named };
            return self.task(id, &Task::Contradict);
        }
        Vec::new()
    }

    /// Reports a message that is too long for a command.
    fn refuse(&mut self, topic: &str, error: String, length: usize) -> Vec<Effect> {
        let why = format!(
            "a message of {length} bytes is not a command and is ignored; a command has at most {MOST_BYTES} bytes"
        );
        // If the broker keeps this message, it sends it again with every connection.
        let is_news = !std::mem::replace(&mut self.said_long, true);
        let say = is_news.then(|| Effect::Say(format!("at {topic}, {why}")));
        [Effect::Publish(Publish::once(error, why))].into_iter().chain(say).collect()
    }

    /// A K1 that this bridge once announced but has not met by now is offline, whatever was published about it before a
    /// power failure.
    fn remember(&self, config: &[u8]) -> Option<Publish> {
        let id = self.topics.announced(config)?;
        let is_met = self.members.iter().any(|member| member.id == id);
        (!is_met).then(|| Publish::kept(self.topics.of(&id, "availability"), OFFLINE))
    }

    /// A task for the K1 with this id, or for all.
    fn task(&self, id: &str, task: &Task) -> Vec<Effect> {
        let members = self.members.iter().enumerate();
        let meant = members.filter(|(_, member)| member.id == id || id == ALL);
        meant.map(|(lamp, _)| Effect::Task(lamp, task.clone())).collect()
    }

    fn order(&mut self, message: &[u8]) -> Result<(), String> {
        match (Order::read(message)?, &mut self.rollout) {
            (Order::Start(_), Some(rollout)) if rollout.is_going() => {
                Err("a rollout is in progress; it can be paused, resumed and aborted".into())
            }
            (Order::Start(plan), _) => {
                let version = self
                    .offer
                    .as_ref()
                    .ok_or("no firmware is offered: start `k1 mqtt` with --update FILE")?;
                let labels = self.members.iter().map(|member| member.label.clone()).collect();
                self.rollout = Some(Rollout::new(version, labels, plan).map_err(|e| e.to_string())?);
                Ok(())
            }
            (_, None) => Err("no rollout is in progress".into()),
            (Order::Pause, Some(rollout)) => {
                rollout.pause();
                Ok(())
            }
            (Order::Resume, Some(rollout)) => {
                rollout.resume();
                Ok(())
            }
            (Order::Abort, Some(rollout)) => {
                rollout.abort();
                Ok(())
            }
        }
    }

    /// Takes the id of a K1.
    pub fn met(&mut self, lamp: usize, id: &str) {
        self.members[lamp].id = segment(id);
    }

    /// Takes the result of a look at a K1: its figures, or `None` if it did not answer, and whether it is well.
    pub fn looked(&mut self, lamp: usize, reading: Option<Reading>, found: Result<(), String>) {
        self.members[lamp].last = Some(reading);
        if let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.is_going()) {
            rollout.look(lamp, found);
        }
    }

    /// Takes the verdict of a K1 on the firmware.
    pub fn verdict(&mut self, lamp: usize, verdict: Result<(), String>) {
        if let Some(rollout) = &mut self.rollout {
            rollout.verdict(lamp, verdict);
        }
    }

    /// Continues the rollout, and publishes its state if that is new.
    pub fn go_on(&mut self, now: Instant) -> Vec<Effect> {
        let Some(rollout) = &mut self.rollout else { return Vec::new() };
        let mut effects: Vec<_> =
            std::iter::from_fn(|| rollout.next(now)).map(|lamp| Effect::Task(lamp, Task::Install)).collect();
        let status = rollout.status();
        if self.published.as_ref() != Some(&status) {
            let state = self.topics.of(ROLLOUT, "state");
            effects.push(Effect::Publish(Publish::kept(state, json!(status).to_string())));
            self.published = Some(status);
        }
        effects
    }

    /// The figures of all K1s together.
    pub fn summary(&self) -> Publish {
        let looked = || self.members.iter().filter_map(|member| Some((member, member.last.as_ref()?)));
        let there: Vec<_> = looked().filter_map(|(_, last)| last.as_ref()).collect();
        let least = there.iter().filter_map(|reading| reading.get("fps")).min_by(f64::total_cmp);
        let is_beyond = |last: &Option<Reading>| last.as_ref().is_some_and(|r| !r.over().is_empty());
        let mut beyond: Vec<_> =
            looked().filter(|(_, last)| is_beyond(last)).map(|(member, _)| &*member.label).collect();
        beyond.sort_unstable();
        let all: Value = json!({"lamps": looked().count(), "online": there.len(), "least_fps": least, "beyond_limits": beyond});
        Publish::once(self.topics.of(FLEET, "telemetry"), all.to_string())
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
