//! A K1 at the broker: what is said of it, and what is wished of it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use k1_device::firmware::Standing;
use k1_device::harmless::harmless;
use serde_json::{Map, Value, json};

use super::{Ask, Shared, Verdict};
use crate::bridge::messages::{self, Card, OFFLINE, ONLINE, Wish};
use crate::lamps::figures::Reading;
use crate::lamps::watch::{Look, Watch};
use crate::lamps::{Address, Client, Trouble};
use crate::rollout::delivery::{self, Plan};

/// What was wished is in force after this at the latest: one frame, and a polite pause before the next request.
const IN_FORCE: Duration = Duration::from_millis(300);
/// Pause before another try to listen to a K1, and the longest one.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
const LISTEN_AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// Frames that the bridge has no use for: as few as can be had.
const FEWEST_FPS: u32 = 1;

/// Listens to what a K1 shows, and hands each change on at once. One that lets nobody listen is still looked at.
pub(super) fn listen(shared: &Shared, address: &Address, ear: &Sender<Ask>) {
    let mut pause = LISTEN_AGAIN;
    while !shared.end.load(SeqCst) {
        if let Ok(mut watch) = Watch::open(address, FEWEST_FPS) {
            while let Ok(look) = watch.look() {
                pause = LISTEN_AGAIN;
                if shared.end.load(SeqCst) || ear.send(Ask::Shown(look)).is_err() {
                    return;
                }
            }
            if ear.send(Ask::Look).is_err() {
                return;
            }
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(LISTEN_AGAIN_AT_MOST);
    }
}

/// A K1 with what was said of it.
struct Voice<'a> {
    shared: &'a Shared,
    /// Its place in the list.
    place: usize,
    client: Client,
    label: String,
    card: Option<Card>,
    is_announced: bool,
    /// Sensors that Home Assistant was told of.
    said_sensors: Vec<&'static str>,
    said_online: Option<bool>,
    said_state: Option<Value>,
    said_update: Option<Value>,
    /// Brightness to which it comes back when it is switched on.
    lit: f64,
}

impl Voice<'_> {
    /// Says something of a K1 that has said who it is; of one that was never met nothing can be said.
    fn say(&self, what: &str, message: impl Into<Vec<u8>>, retain: bool) {
        if let Some(card) = &self.card {
            self.shared.say(self.shared.topics.of(&card.id, what), message, retain);
        }
    }

    fn meet(&self) -> Result<Card, Trouble> {
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
        let mac = info.mac.map(std::borrow::Cow::into_owned);
        let own = info.id.map(std::borrow::Cow::into_owned);
        let from_mac = mac.as_ref().map(|mac| mac.replace(':', ""));
        Ok(Card {
            // One that is older than ids has its hardware address or its name.
            id: own.or(from_mac).unwrap_or_else(|| name.clone()),
            name,
            mac,
            page: format!("http://{}/", self.client.address().authority),
            board: info.board.into_owned(),
            version: info.firmware.into_owned(),
            patterns: patterns.patterns.into_iter().map(|p| p.id).collect(),
            takes_firmware: self.client.firmware().is_ok(),
        })
    }

    /// Tells Home Assistant of it, if there is anything new.
    fn announce(&mut self, reading: &Reading) -> Result<(), Trouble> {
        let sensors = messages::measured(reading);
        if !self.is_announced {
            // It may be another one by now. Until it has said so, it is the one that it was.
            let card = self.meet()?;
            let ids = &mut self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner);
            ids[self.place] = messages::segment(&card.id);
            self.card = Some(card);
        }
        let Some(card) = self.card.as_ref().filter(|_| !self.is_announced || self.said_sensors != sensors)
        else {
            return Ok(());
        };
        let topics = &self.shared.topics;
        for ghost in card.ghosts(topics, reading) {
            self.shared.say(ghost, "", true);
        }
        for (topic, message) in card.discovery(topics, reading) {
            self.shared.say(topic, message.to_string(), true);
        }
        self.said_sensors = sensors;
        self.is_announced = true;
        Ok(())
    }

    /// Looks at it and says what is new.
    fn look(&mut self) -> Result<(), Trouble> {
        let (status, device) = (self.client.status()?, self.client.device()?);
        let reading = Reading::of(&status, &device);
        self.announce(&reading)?;
        let params: Map<String, Value> = self.client.get("/api/params")?;
        self.online(true);
        self.say("telemetry", messages::telemetry(&reading).to_string(), false);
        self.shared.note(&self.label, Some(reading));
        self.shown(&Look { params, pattern: status.pattern.into_owned() });
        if self.card.as_ref().is_some_and(|c| c.takes_firmware) {
            self.say_update(false)?;
        }
        Ok(())
    }

    /// Says what it shows, if that is new.
    fn shown(&mut self, look: &Look) {
        if self.card.is_none() {
            return;
        }
        if let Some(b) = look.params.get("brightness").and_then(Value::as_f64).filter(|b| *b > 0.0) {
            self.lit = b;
        }
        let state = messages::state(&look.params, &look.pattern);
        if self.said_state.as_ref() != Some(&state) {
            self.say("state", state.to_string(), true);
            self.said_state = Some(state);
        }
    }

    /// Says what runs, what is offered and whether it is being tried.
    fn say_update(&mut self, is_sending: bool) -> Result<(), Trouble> {
        let (state, _) = self.client.firmware()?;
        let installed =
            state.running.as_ref().map_or_else(|| "unknown".to_owned(), |i| i.version.to_string());
        let offered = self.shared.offer.as_ref().map(|o| &o.update.manifest);
        let offered =
            offered.filter(|m| m.board.as_str() == state.board).map(|m| m.version.as_str().to_owned());
        let said = json!({
            "title": "K1", "installed_version": installed, "latest_version": offered.as_ref().unwrap_or(&installed),
            "in_progress": is_sending || state.state == Standing::OnTrial,
            "release_summary": state.last.map(|l| match l.reason.as_str() {
                "" => format!("{} was found good", l.version),
                why => format!("{} was taken back: {why}", l.version),
            }),
        });
        if self.said_update.as_ref() != Some(&said) {
            self.say("update", said.to_string(), true);
            self.said_update = Some(said);
        }
        Ok(())
    }

    /// Takes what is offered, and waits for the lamp's own verdict.
    fn install(&mut self) -> Result<(), String> {
        let shared = self.shared;
        let offer = shared.offer.as_ref().ok_or("nothing is offered: start `k1 mqtt` with --update FILE")?;
        if delivery::plan(&self.client, &offer.update, false)?.0 == Plan::Done {
            return Ok(());
        }
        // What is not said now is said after it.
        let _ = self.say_update(true);
        self.client.install(&offer.bytes, |_| ()).map_err(|e| e.to_string())?;
        delivery::verdict(&self.client, &offer.update).1.map(drop)
    }

    fn online(&mut self, is: bool) {
        if self.said_online != Some(is) {
            let word = if is { ONLINE } else { OFFLINE };
            self.say("availability", word, true);
            // Of one that was never met nothing was said.
            self.said_online = self.card.as_ref().map(|_| is);
        }
    }

    /// Does what is wished; of several wishes that have come meanwhile, what is left of them.
    fn fulfil(&mut self, messages: &[Vec<u8>]) {
        let mut wish: Option<Wish> = None;
        for message in messages {
            match Wish::read(message) {
                Ok(next) => wish = Some(wish.map_or(next.clone(), |first| first.and(next))),
                Err(why) => self.complain(&why),
            }
        }
        let Some(wish) = wish else { return };
        let requests = wish.requests(&mut self.lit);
        let ask = |(path, body): &(&str, Value)| self.client.post::<Value>(path, body).map(drop);
        if let Err(trouble) = requests.iter().try_for_each(ask) {
            self.complain(&trouble.to_string());
        }
    }

    fn complain(&self, why: &str) {
        self.say("error", harmless(why).into_owned(), false);
    }
}

/// Looks after one K1 until the end.
pub(super) fn tend(
    shared: &Shared,
    place: usize,
    address: Address,
    wishes: &Receiver<Ask>,
    verdicts: &Sender<Verdict>,
) {
    let label = address.label.clone();
    let mut voice = Voice {
        shared,
        place,
        client: Client::new(address),
        label,
        card: None,
        is_announced: false,
        said_sensors: Vec::new(),
        said_online: None,
        said_state: None,
        said_update: None,
        lit: 1.0,
    };
    // Before there is a connection nobody would hear what is said.
    let mut anew = 0;
    let mut next = Instant::now();
    // What was taken out of the queue and is something else than what was being done.
    let mut waiting: Option<Ask> = None;
    while !shared.end.load(SeqCst) {
        let now = shared.anew.load(SeqCst);
        if now != anew {
            (anew, next) = (now, Instant::now());
            // A broker that was away has forgotten everything.
            (voice.is_announced, voice.said_online) = (false, None);
            (voice.said_state, voice.said_update) = (None, None);
        }
        if anew > 0 && Instant::now() >= next {
            next = Instant::now() + shared.every;
            if voice.look().is_err() {
                voice.online(false);
                voice.shared.note(&voice.label, None);
            }
        }
        // Not longer, so that the end and a new connection are noticed.
        let patience = (next - Instant::now().min(next)).min(Duration::from_millis(200));
        let ask = match waiting.take() {
            Some(ask) => ask,
            None => match wishes.recv_timeout(patience) {
                Ok(ask) => ask,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            },
        };
        match ask {
            Ask::Wish(first) => {
                let mut all = vec![first];
                for ask in wishes.try_iter() {
                    match ask {
                        Ask::Wish(more) => all.push(more),
                        other => {
                            waiting = Some(other);
                            break;
                        }
                    }
                }
                voice.fulfil(&all);
                // What became of it is said by whoever listens; this is for one that lets nobody listen.
                next = next.min(Instant::now() + IN_FORCE);
            }
            Ask::Install => {
                let done = voice.install();
                if let Err(why) = &done {
                    voice.complain(why);
                }
                // Nobody listens at the end.
                let _ = verdicts.send((place, done));
                next = Instant::now();
            }
            Ask::Shown(look) => voice.shown(&look),
            Ask::Look => next = Instant::now(),
            Ask::Contradict => {
                // Only what is there is worth a word, and the next look says whether it is. Who has gone is not argued
                // about, so that two who both lose it agree.
                if voice.said_online == Some(true) {
                    (voice.is_announced, voice.said_online) = (false, None);
                    next = next.min(Instant::now() + IN_FORCE);
                }
            }
        }
    }
    voice.online(false);
}
