//! Talks to one K1 for the bridge: looks at it, listens to it, and carries out its tasks.

use std::borrow::Cow;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::command::Request;
use super::discovery::Card;
use super::hub::Task;
use super::lamp::Lamp;
use super::publish::Publish;
use super::shared::Shared;
use crate::lamps::figures::Reading;
use crate::lamps::scenes::{PLAYLIST, POWER, SCENES, SceneNow};
use crate::lamps::watch::{Look, News, Watch};
use crate::lamps::{Address, Client, Trouble};
use crate::rollout::delivery::{self, Readiness};
use crate::rollout::health;

/// Longest time until a command is in effect: one frame, and a polite pause before the next request.
const IN_FORCE: Duration = Duration::from_millis(300);
/// Longest wait for a task, so that the thread notices the end and a new connection.
const GLANCE: Duration = Duration::from_millis(200);
/// Pause before the next attempt to listen to a K1, and the longest such pause.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
const LISTEN_AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// The bridge does not use frames, so it asks for as few as possible.
const FEWEST_FPS: u32 = 1;

/// Listens to a K1's light, and passes each change on at once. A K1 that refuses listeners is still looked at
/// regularly.
pub(super) fn listen(shared: &Shared, address: &Address, tasks: &Sender<Task>) {
    let mut pause = LISTEN_AGAIN;
    while !shared.is_over() {
        if let Ok(mut watch) = Watch::open(address, FEWEST_FPS) {
            while let Ok(news) = watch.news() {
                pause = LISTEN_AGAIN;
                if shared.is_over() || tasks.send(Task::Told(news)).is_err() {
                    return;
                }
            }
            if tasks.send(Task::Look).is_err() {
                return;
            }
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(LISTEN_AGAIN_AT_MOST);
    }
}

/// Handles the K1 with number `lamp` until the bridge ends.
pub(super) fn attend(shared: &Shared, lamp: usize, address: Address, tasks: &Receiver<Task>) {
    let mut attendant = Attendant {
        shared,
        number: lamp,
        client: Client::new(address),
        lamp: Lamp::new(shared.topics.clone()),
    };
    // Without a connection, published messages would be lost.
    let mut anew = 0;
    let mut next = Instant::now();
    // A task that was taken from the queue and must be done after the current one.
    let mut waiting: Option<Task> = None;
    while !shared.is_over() {
        let now = shared.anew.load(SeqCst);
        if now != anew {
            (anew, next) = (now, Instant::now());
            attendant.lamp.forget();
        }
        if anew > 0 && Instant::now() >= next {
            next = Instant::now() + shared.every;
            attendant.look();
        }
        let patience = next.saturating_duration_since(Instant::now()).min(GLANCE);
        let task = match waiting.take().map_or_else(|| tasks.recv_timeout(patience), Ok) {
            Ok(task) => task,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match task {
            Task::Command(first) => {
                let mut all = vec![first];
                while let Ok(task) = tasks.try_recv() {
                    match task {
                        Task::Command(more) => all.push(more),
                        other => {
                            waiting = Some(other);
                            break;
                        }
                    }
                }
                attendant.carry_out(&all);
                // The K1 reports the result to the listener, which publishes it. This look is for a K1 that refuses
                // listeners.
                next = next.min(Instant::now() + IN_FORCE);
            }
            Task::Install => {
                attendant.install();
                next = Instant::now();
            }
            Task::Scene(name) => {
                attendant.obey(attendant.lamp.recall(&name));
                next = next.min(Instant::now() + IN_FORCE);
            }
            Task::Playlist(order) => {
                attendant.obey(attendant.lamp.order(&order));
                next = next.min(Instant::now() + IN_FORCE);
            }
            Task::Told(news) => attendant.take(news),
            Task::Look => next = Instant::now(),
            Task::Contradict => {
                if attendant.lamp.contradicted() {
                    next = next.min(Instant::now() + IN_FORCE);
                }
            }
        }
    }
    let gone = attendant.lamp.gone();
    attendant.publish(gone);
}

/// The thread's state about one K1.
struct Attendant<'a> {
    shared: &'a Shared,
    number: usize,
    client: Client,
    lamp: Lamp,
}

impl Attendant<'_> {
    fn publish(&self, messages: impl IntoIterator<Item = Publish>) {
        messages.into_iter().for_each(|message| self.shared.publish(message));
    }

    /// Looks at the K1, and publishes what is new.
    fn look(&mut self) {
        if self.try_look().is_err() {
            let gone = self.lamp.gone();
            self.publish(gone);
            let nothing = Err("it no longer answers".to_owned());
            self.shared.decide(|hub| {
                hub.looked(self.number, None, nothing);
                Vec::new()
            });
        }
    }

    fn try_look(&mut self) -> Result<(), Trouble> {
        let (status, device) = (self.client.status()?, self.client.device()?);
        let reading = Reading::of(&status, &device);
        if self.lamp.is_unknown() {
            let card = self.card()?;
            self.shared.decide(|hub| {
                hub.met(self.number, &card.id);
                Vec::new()
            });
            self.lamp.met(card);
        }
        let params: Map<String, Value> = self.client.get("/api/params")?;
        let answered = self.lamp.answered(&reading, &status.heard.section);
        self.publish(answered);
        let found = health::judge(&reading, &device);
        self.shared.decide(|hub| {
            hub.looked(self.number, Some(reading), found);
            Vec::new()
        });
        if self.lamp.has_power() {
            self.take(News::Power(self.client.get(POWER)?));
            self.take(News::Scene(self.scenes()?));
        }
        if self.lamp.has_playlist() {
            self.take(News::Playlist(self.client.get(PLAYLIST)?));
        }
        self.take(News::Look(Look { params, pattern: status.pattern.into_owned() }));
        if self.lamp.takes_firmware() { self.publish_firmware(false) } else { Ok(()) }
    }

    /// Publishes what a K1 tells of, if it is new.
    fn take(&mut self, news: News) {
        let new: Vec<_> = match news {
            News::Look(look) => self.lamp.shown(look).into_iter().collect(),
            News::Power(power) => self.lamp.powered(power).into_iter().collect(),
            News::Scene(now) => self.lamp.staged(now),
            News::Playlist(playlist) => self.lamp.played(&playlist).into_iter().collect(),
        };
        self.publish(new);
    }

    /// The scenes. A K1 without a show file has none.
    fn scenes(&self) -> Result<SceneNow, Trouble> {
        #[derive(serde::Deserialize)]
        struct Scene {
            name: String,
        }
        #[derive(serde::Deserialize)]
        struct Scenes {
            scenes: Vec<Scene>,
            current: Option<String>,
        }
        match self.client.get::<Scenes>(SCENES) {
            Ok(Scenes { scenes, current }) => {
                Ok(SceneNow { current, scenes: scenes.into_iter().map(|scene| scene.name).collect() })
            }
            Err(Trouble::Refused { .. }) => Ok(SceneNow::default()),
            Err(trouble) => Err(trouble),
        }
    }

    /// True if this K1 has what a path is for; one that does not have it refuses.
    fn has(&self, path: &str) -> Result<bool, Trouble> {
        match self.client.get::<Value>(path) {
            Ok(_) => Ok(true),
            Err(Trouble::Refused { .. } | Trouble::Strange { .. }) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// The identity of the K1.
    fn card(&self) -> Result<Card, Trouble> {
        #[derive(serde::Deserialize)]
        struct Pattern {
            id: String,
        }
        #[derive(serde::Deserialize)]
        struct Patterns {
            patterns: Vec<Pattern>,
        }
        let (info, name) = (self.client.info()?, self.client.name()?);
        let patterns: Patterns = self.client.get("/api/patterns")?;
        let mac = info.mac.map(Cow::into_owned);
        let from_mac = mac.as_ref().map(|mac| mac.replace(':', ""));
        Ok(Card {
            // A K1 without an id is older than ids: use its hardware address or its name.
            id: info.id.map(Cow::into_owned).or(from_mac).unwrap_or_else(|| name.clone()),
            name,
            mac,
            page: format!("http://{}/", self.client.address().authority),
            board: info.board.into_owned(),
            version: info.firmware.into_owned(),
            patterns: patterns.patterns.into_iter().map(|p| p.id).collect(),
            takes_firmware: self.client.firmware().is_ok(),
            has_power: self.has(POWER)?,
            has_playlist: self.has(PLAYLIST)?,
        })
    }

    fn publish_firmware(&mut self, is_sending: bool) -> Result<(), Trouble> {
        let (now, _) = self.client.firmware()?;
        let offered = self.shared.offer.as_ref().map(|offer| &offer.update.manifest);
        let offered = offered.filter(|m| m.board.as_str() == now.board).map(|m| m.version.as_str());
        let message = self.lamp.firmware(&now, offered, is_sending);
        self.publish(message);
        Ok(())
    }

    /// Sends the offered firmware, and waits for the K1's own verdict.
    fn install(&mut self) {
        let done = self.try_install();
        if let Err(why) = &done {
            self.publish(self.lamp.error(why));
        }
        self.shared.decide(|hub| {
            hub.verdict(self.number, done);
            Vec::new()
        });
    }

    fn try_install(&mut self) -> Result<(), String> {
        let shared = self.shared;
        let offer =
            shared.offer.as_ref().ok_or("no firmware is offered: start `k1 mqtt` with --update FILE")?;
        if delivery::readiness(&self.client, &offer.update, false)?.0 == Readiness::Done {
            return Ok(());
        }
        // If this is not published now, it will be published after the update.
        let _ = self.publish_firmware(true);
        self.client.install(&offer.bytes, |_| ()).map_err(|e| e.without_name())?;
        delivery::verdict(&self.client, &offer.update).1.map(drop)
    }

    /// Carries out commands; several are merged.
    fn carry_out(&mut self, messages: &[Vec<u8>]) {
        let (requests, refused) = self.lamp.requests(messages);
        self.publish(refused);
        self.ask(&requests);
    }

    /// Carries out a command, or publishes why it is refused.
    fn obey(&self, command: Result<Request, Option<Publish>>) {
        match command {
            Ok(request) => self.ask(&[request]),
            Err(refused) => self.publish(refused),
        }
    }

    fn ask(&self, requests: &[Request]) {
        let ask = |Request { method, path, body }: &Request| {
            self.client.send::<Value>(method, path, Some(body)).map(drop)
        };
        if let Err(trouble) = requests.iter().try_for_each(ask) {
            self.publish(self.lamp.error(&trouble.to_string()));
        }
    }
}
