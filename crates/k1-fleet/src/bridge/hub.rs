//! What the bridge does with messages of the broker and news of the K1s; without a network and without a clock.

use std::time::Instant;

use k1_device::harmless::harmless;
use serde_json::{Value, json};

use super::order::Order;
use super::publish::Publish;
use super::topics::{ALL, FLEET, INSTALL, OFFLINE, ONLINE, ROLLOUT, Topics, segment};
use crate::lamps::figures::Reading;
use crate::lamps::watch::Look;
use crate::rollout::{Rollout, Status};

/// Longest command, in bytes.
pub const MOST_BYTES: usize = 64 * 1024;

/// Work for whoever talks with one K1.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Carry out a command to its light.
    Command(Vec<u8>),
    /// Have it take the offered firmware.
    Install,
    /// It has said itself what it shows now.
    Shown(Look),
    /// It may have gone: look.
    Look,
    /// Somebody else has said that it has gone, or speaks for it no more.
    Contradict,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Publish a message.
    Publish(Publish),
    /// Hand a task to the K1 of this number.
    Task(usize, Task),
    /// Publish everything anew: the broker, or Home Assistant, has forgotten it.
    Anew,
    /// Tell the bridge's owner.
    Say(String),
}

/// One K1.
#[derive(Debug)]
struct Member {
    /// What the user calls it.
    label: String,
    /// What it is called in topics: its id, and until it has said that, its label.
    id: String,
    /// What it measured at the last look; `None` if it did not answer. Nothing before the first look.
    last: Option<Option<Reading>>,
}

/// The bridge's knowledge of all K1s. They are numbered from 0.
#[derive(Debug)]
pub struct Hub {
    topics: Topics,
    members: Vec<Member>,
    /// Version of the firmware that is offered.
    offer: Option<String>,
    rollout: Option<Rollout>,
    /// How the rollout stood when it was published last.
    published: Option<Status>,
    /// The owner was told of a message that is too long.
    said_long: bool,
}

impl Hub {
    /// A hub for K1s that the user calls `labels`, which offers them firmware of this version.
    pub fn new(topics: Topics, labels: &[String], offer: Option<String>) -> Self {
        let member = |label: &String| Member { label: label.clone(), id: segment(label), last: None };
        let members = labels.iter().map(member).collect();
        Self { topics, members, offer, rollout: None, published: None, said_long: false }
    }

    /// The topics that are listened to.
    pub fn subscriptions(&self) -> [String; 5] {
        let topics = &self.topics;
        [topics.commands(), topics.installs(), topics.birth(), topics.lights(), topics.availabilities()]
    }

    /// The broker has taken the connection; it may have forgotten everything.
    pub fn connected(&mut self) -> Vec<Effect> {
        self.published = None;
        vec![
            Effect::Publish(Publish::kept(self.topics.former_bridge(), "")),
            Effect::Publish(Publish::kept(self.topics.bridge(), ONLINE)),
            Effect::Anew,
        ]
    }

    /// The bridge ends.
    pub fn farewell(&self) -> Publish {
        Publish::kept(self.topics.bridge(), OFFLINE)
    }

    /// Takes a message.
    pub fn receive(&mut self, topic: &str, message: &[u8]) -> Vec<Effect> {
        let topics = &self.topics;
        if topic == topics.birth() {
            return if message == ONLINE.as_bytes() { vec![Effect::Anew] } else { Vec::new() };
        }
        let command = topics.commanded(topic).or_else(|| topics.told_to_install(topic));
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
        if let Some(id) = topics.told_to_install(topic).filter(|_| message == INSTALL.as_bytes()) {
            return self.task(id, &Task::Install);
        }
        if let Some(named) = topics.speaks_of(topic).filter(|_| message == OFFLINE.as_bytes()) {
            // Another bridge for the same K1 has ended, and what Home Assistant was told last may lead to it.
            let id = if topics.is_other_bridge(named) { ALL } else { named };
            return self.task(id, &Task::Contradict);
        }
        Vec::new()
    }

    /// Says of a message that it is too long for a command.
    fn refuse(&mut self, topic: &str, error: String, length: usize) -> Vec<Effect> {
        let why = format!(
            "a message of {length} bytes is not a command and is ignored; at most {MOST_BYTES} are taken"
        );
        // A broker that keeps it hands it out again with every connection.
        let is_news = !std::mem::replace(&mut self.said_long, true);
        let say = is_news.then(|| Effect::Say(format!("at {topic}, {why}")));
        [Effect::Publish(Publish::once(error, why))].into_iter().chain(say).collect()
    }

    /// A K1 that this bridge announced once and has not met by now is not there, whatever was published of it before a
    /// power cut.
    fn remember(&self, config: &[u8]) -> Option<Publish> {
        let id = self.topics.announced(config)?;
        let is_met = self.members.iter().any(|member| member.id == id);
        (!is_met).then(|| Publish::kept(self.topics.of(&id, "availability"), OFFLINE))
    }

    /// A task for the K1 of this id, or for all.
    fn task(&self, id: &str, task: &Task) -> Vec<Effect> {
        let members = self.members.iter().enumerate();
        let meant = members.filter(|(_, member)| member.id == id || id == ALL);
        meant.map(|(lamp, _)| Effect::Task(lamp, task.clone())).collect()
    }

    fn order(&mut self, message: &[u8]) -> Result<(), String> {
        match (Order::read(message)?, &mut self.rollout) {
            (Order::Start(_), Some(rollout)) if rollout.is_going() => {
                Err("a rollout is on its way; it can be paused, resumed and aborted".into())
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
            (_, None) => Err("no rollout is on its way".into()),
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

    /// A K1 has said its id.
    pub fn met(&mut self, lamp: usize, id: &str) {
        self.members[lamp].id = segment(id);
    }

    /// A look at a K1: what it measures, or `None` if it did not answer, and whether it is well.
    pub fn looked(&mut self, lamp: usize, reading: Option<Reading>, found: Result<(), String>) {
        self.members[lamp].last = Some(reading);
        if let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.is_going()) {
            rollout.look(lamp, found);
        }
    }

    /// A K1 has taken the firmware and confirmed it, or has not.
    pub fn verdict(&mut self, lamp: usize, verdict: Result<(), String>) {
        if let Some(rollout) = &mut self.rollout {
            rollout.verdict(lamp, verdict);
        }
    }

    /// Goes on with the rollout, and publishes how it stands if that is new.
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
