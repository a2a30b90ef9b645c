//! Simulated lamps, as a network sees them: the lamp's own answers behind its own HTTP server, without sound, light
//! or flash, but with a state that changes like that of a lamp.
//!
//! They measure what many lamps cost the programs that look after them. Their figures are made up; no claim about a
//! lamp rests on them.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_device::answers::{
    BootLog, Device, Heap, Heard, LinkOptions, Performance, SelfTest, Setup, Stack, Vitals,
};
use k1_device::backend::{Backend, Description, Identity};
use k1_device::error::Refusal;
use k1_device::exchange::{Change, Settings};
use k1_device::firmware::{
    Firmware, GoingBack, Image, Installed, LastTrial, Outcome, Rollback, Short, Standing, chip,
};
use k1_device::health::checks;
use k1_device::microphone::Hearing;
use k1_device::requests::SetupPatch;
use k1_device::respond::{Answer, respond};
use k1_device::routes::{self, Action};
use k1_http::admission::{Admission, Entry, streamed_length};
use k1_http::body::{Framing, Intake};
use k1_http::head::{self, Parsed};
use k1_http::limits::LAMP;
use k1_http::names::Names;
use k1_update::envelope::{ENVELOPE, Envelope};
use k1_update::manifest::Manifest;
use k1_update::refusal::Refusal as Why;
use k1_update::trust::Trust;
use sha2::{Digest, Sha256};

/// Time for which a lamp waits for a silent client.
const PATIENCE: Duration = Duration::from_secs(30);
const BOARD: &str = "virt";
/// Every client of this machine is one.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Door = Admission<Action, 64, 8>;

/// How a lamp reacts to an update.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// How long it stays unreachable after taking an update.
    pub restart: Duration,
    /// Duration of the trial.
    pub trial: Duration,
    /// Whether it rejects every update at the end of the trial.
    pub finds_bad: bool,
}

struct State {
    settings: Settings,
    trust: Trust,
    running: Image,
    other: Option<Image>,
    standing: Standing,
    last: Option<LastTrial>,
    away_until: Option<Instant>,
    judged_at: Option<Instant>,
}

struct Shared {
    name: String,
    mac: String,
    temper: Temper,
    began: Instant,
    state: Mutex<State>,
    ends: AtomicBool,
}

/// A simulated lamp. Dropping it ends it.
pub struct SimLamp {
    /// TCP port of its API on this machine.
    pub port: u16,
    shared: Arc<Shared>,
}

impl Drop for SimLamp {
    fn drop(&mut self) {
        self.shared.ends.store(true, SeqCst);
        // Wakes the thread that waits for a client.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl SimLamp {
    /// Starts lamp number `number`, which trusts `trust`.
    ///
    /// # Errors
    ///
    /// Errors of the network.
    pub fn start(number: u16, trust: Trust, temper: Temper) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let [high, low] = number.to_be_bytes();
        let state = State {
            settings: Settings::new(),
            trust,
            running: Image { version: text("1.0.0"), hash: Short([1; 8]), counter: 0 },
            other: None,
            standing: Standing::Confirmed,
            last: None,
            away_until: None,
            judged_at: None,
        };
        let shared = Arc::new(Shared {
            name: format!("sim-{number:04}"),
            mac: format!("02:00:00:00:{high:02x}:{low:02x}"),
            temper,
            began: Instant::now(),
            state: Mutex::new(state),
            ends: AtomicBool::new(false),
        });
        let own = shared.clone();
        std::thread::spawn(move || own.listen(&listener));
        Ok(Self { port, shared })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its id: its hardware address without colons.
    pub fn id(&self) -> String {
        self.shared.mac.replace(':', "")
    }

    /// The version it runs.
    pub fn version(&self) -> String {
        self.shared.state().running.version.to_string()
    }
}

/// Formats into a string of limited capacity that is known to suffice.
fn text<const N: usize>(words: &str) -> heapless::String<N> {
    heapless::String::try_from(words).unwrap_or_default()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if s.judged_at.is_some_and(|at| Instant::now() >= at) {
            s.judged_at = None;
            s.standing = Standing::Confirmed;
            let mut last = LastTrial {
                version: s.running.version.clone(),
                hash: s.running.hash,
                outcome: Outcome::Confirmed,
                reason: text(""),
            };
            if self.temper.finds_bad
                && let Some(before) = s.other.take()
            {
                s.other = Some(core::mem::replace(&mut s.running, before));
                (last.outcome, last.reason) = (Outcome::RolledBack, text("trial: frames were late"));
            }
            s.last = Some(last);
        }
        s
    }

    fn is_away(&self) -> bool {
        self.state().away_until.is_some_and(|until| Instant::now() < until)
    }

    fn listen(self: Arc<Self>, listener: &TcpListener) {
        let door = Arc::new(Mutex::new(Door::new(routes::site(&[]), Names::LOCAL, None)));
        for stream in listener.incoming() {
            if self.ends.load(SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            if self.is_away() {
                continue;
            }
            let (own, door) = (self.clone(), door.clone());
            std::thread::spawn(move || own.serve(stream, &door));
        }
    }

    /// Answers a client until the client or the lamp goes.
    fn serve(&self, mut stream: TcpStream, door: &Mutex<Door>) -> Option<()> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut bytes = Vec::new();
        let mut piece = [0; 4_096];
        loop {
            let length = loop {
                match head::parse(&bytes, LAMP.head_bytes) {
                    Parsed::Head(_, length) => break length,
                    Parsed::More if bytes.len() < LAMP.head_bytes => {}
                    _ => return None,
                }
                match stream.read(&mut piece) {
                    Ok(n @ 1..) => bytes.extend_from_slice(&piece[..n]),
                    _ => return None,
                }
            };
            let taken = bytes.split_off(length);
            let Parsed::Head(head, _) = head::parse(&bytes, LAMP.head_bytes) else { return None };
            if self.is_away() || self.ends.load(SeqCst) {
                return None;
            }
            let judged = lock(door).judge(CLIENT, &head, self.now_us() / 1000);
            if let Ok(Entry::Route(route, _)) = &judged.result
                && route.action == Action::Install
            {
                let answer = match streamed_length(head.framing, route.max_body) {
                    Ok(size) => self.install(&mut stream, taken, size as usize)?,
                    Err(rejection) => Answer::refusal(rejection.into(), self.now_us() / 1000),
                };
                return say(&mut stream, &answer, false);
            }
            if matches!(judged.result, Ok(Entry::WebSocket(..))) {
                return None;
            }
            let most = judged.max_body();
            let mut intake = Intake::new(head.framing, most);
            let mut body = vec![0; if head.framing == Framing::Length(0) { 0 } else { most }];
            let mut rest = taken;
            let used = intake.feed(&rest, &mut body).ok()?;
            rest.drain(..used);
            while !intake.is_done() {
                let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
                let used = intake.feed(&piece[..n], &mut body).ok()?;
                rest.extend_from_slice(&piece[used..n]);
            }
            let whole = intake.verdict().map(|()| &body[..intake.kept()]);
            let answer = respond(self, &judged, whole.map_err(Refusal::Http));
            say(&mut stream, &answer, head.keep_alive)?;
            if !head.keep_alive {
                return Some(());
            }
            bytes = rest;
        }
    }

    /// Takes an update like a lamp, but without flash.
    fn install(&self, stream: &mut TcpStream, mut file: Vec<u8>, size: usize) -> Option<Answer<'static>> {
        let come = file.len();
        file.resize(size, 0);
        stream.read_exact(file.get_mut(come..)?).ok()?;
        let taken = self.take(&file).map_err(Refusal::Update);
        let answer = taken.and_then(|image| k1_device::api::json(&Installed { slot: "app1".into(), image }));
        Some(match answer {
            Ok(body) => Answer::done(body),
            Err(refusal) => Answer::refusal(refusal, self.now_us() / 1000),
        })
    }

    fn take(&self, file: &[u8]) -> Result<Image, Why> {
        let (envelope, image) = file.split_first_chunk::<ENVELOPE>().ok_or(Why::NotAnUpdate)?;
        let envelope = Envelope(*envelope);
        let manifest = Manifest::read(&envelope)?;
        let mut s = self.state();
        s.trust.check(&envelope)?;
        if manifest.board.as_str() != BOARD {
            return Err(Why::WrongBoard);
        }
        if Sha256::digest(image).as_slice() != manifest.hash {
            return Err(Why::WrongHash);
        }
        let new = Image {
            version: text(manifest.version.as_str()),
            hash: Short(manifest.short_hash()),
            counter: manifest.counter,
        };
        let now = Instant::now();
        s.other = Some(core::mem::replace(&mut s.running, new.clone()));
        s.standing = Standing::OnTrial;
        s.away_until = Some(now + self.temper.restart);
        s.judged_at = Some(now + self.temper.restart + self.temper.trial);
        Ok(new)
    }
}

fn lock(door: &Mutex<Door>) -> MutexGuard<'_, Door> {
    door.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(stream: &mut TcpStream, answer: &Answer<'_>, keep_alive: bool) -> Option<()> {
    let mut out = String::new();
    answer.write_head(&mut out, keep_alive).ok()?;
    let mut bytes = out.into_bytes();
    let mut scratch = String::new();
    for number in 0.. {
        match answer.piece(number, &mut scratch) {
            Some(piece) => bytes.extend_from_slice(piece),
            None => break,
        }
    }
    stream.write_all(&bytes).ok()
}

/// Answer to requests that simulated lamps do not support.
const NOT_SIMULATED: Refusal = Refusal::NotHere("this lamp is simulated, and this part of it is not");

impl Backend for Shared {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn settings(&self) -> Settings {
        self.state().settings
    }

    fn post(&self, changes: &mut dyn Iterator<Item = Change>) {
        let mut s = self.state();
        for change in changes {
            match change {
                Change::Param(param, value) => {
                    s.settings.params.set(param, value);
                }
                Change::Pattern(index) => s.settings.pattern = index,
                Change::Gain(gain) => s.settings.gain = gain,
                Change::Fade(_) => {}
            }
        }
    }

    fn answer_of_show(&self, _: Action, _: &str, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(NOT_SIMULATED)
    }

    fn identity(&self) -> Identity<'_> {
        Identity { ip: "127.0.0.1", mac: Some(&self.mac), board: BOARD, leds: 180, source: "nothing".into() }
    }

    fn performance(&self) -> Performance {
        let v = self.vitals();
        Performance {
            fps: v.fps,
            frame_time_us: v.render_us,
            cpu_percent: None,
            memory_percent: None,
            memory_free_kb: None,
            memory_total_kb: None,
            fps_history: [v.fps; 16],
        }
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            fps: 175.0,
            fps_p1: 170.0,
            fps_target: 175.4,
            jitter_ms: 0.2,
            longest_gap_ms: 6.0,
            render_us: 600.0,
            age_ms: 6.0,
            age_p99_ms: 9.0,
            hop_rate: 125.0,
            hop_us: 3_000.0,
            frames: self.now_us() / 5_714,
            ..Vitals::default()
        }
    }

    fn heard(&self) -> Heard {
        Heard::from(&k1_engine::audio::Snapshot::EMPTY)
    }

    fn link_options(&self) -> LinkOptions {
        LinkOptions::default()
    }

    fn set_link_options(&self, _: Option<bool>, _: Option<bool>) -> Result<LinkOptions, Refusal> {
        Err(NOT_SIMULATED)
    }

    fn device(&self) -> Device<'_> {
        let s = self.state();
        let checks = checks(&self.vitals(), Some(Hearing::Present), Some(0));
        let stack = |size| Some(Stack { size, headroom: size / 2 });
        Device {
            board: BOARD.into(),
            slot: Some("app0".into()),
            firmware_hash: Some(s.running.hash),
            rollback: Some(Rollback::Armed),
            hears_on_core: Some(1),
            shows_on_core: Some(0),
            reset_reason: Some("power on".into()),
            render_stack: stack(16_384),
            audio_stack: stack(12_288),
            heap: Some(Heap { size: 131_072, free: 119_540, least_free: 116_236 }),
            microphone: Some(Hearing::Present.name().into()),
            wire_us: Some(5_700),
            healthy: checks.iter().all(|c| c.ok),
            checks,
            ..Device::default()
        }
    }

    fn setup(&self) -> Setup<'_> {
        Setup {
            leds: 180,
            most_leds: 300,
            shape: None,
            color_order: None,
            white: None,
            reset_us: Some(300),
            current_limit_ma: None,
            noise_floor_db: None,
            name: &self.name,
            mirror: None,
            wifi_ssid: None,
        }
    }

    fn set_setup(&self, _: &SetupPatch) -> Result<(), Refusal> {
        Err(NOT_SIMULATED)
    }

    fn firmware(&self) -> Result<Firmware, Refusal> {
        let s = self.state();
        Ok(Firmware {
            board: BOARD.into(),
            chip: chip(BOARD).into(),
            slot: "app0".into(),
            running: Some(s.running.clone()),
            state: s.standing,
            rollback: Rollback::Armed,
            other: s.other.clone(),
            keys: s.trust.ids().map(Short).collect(),
            key_generation: s.trust.generation,
            counter_floor: s.trust.floor,
            receiving: None,
            refused: None,
            last: s.last.clone(),
        })
    }

    fn roll_back(&self) -> Result<GoingBack, Refusal> {
        let mut s = self.state();
        let Some(other) = s.other.take() else { return Err(Refusal::Update(Why::NothingThere)) };
        s.other = Some(core::mem::replace(&mut s.running, other.clone()));
        s.away_until = Some(Instant::now() + self.temper.restart);
        Ok(GoingBack { to: Some(other) })
    }

    fn drill(&self) -> Result<GoingBack, Refusal> {
        Err(NOT_SIMULATED)
    }

    fn set_keys(&self, statement: &Envelope) -> Result<(), Refusal> {
        self.state().trust.replace(statement).map_err(Refusal::Update)
    }

    fn boot_log(&self) -> BootLog {
        BootLog::default()
    }

    fn self_test(&self) -> SelfTest {
        SelfTest::default()
    }

    fn start_self_test(&self, _: u32) -> Result<(), Refusal> {
        Err(NOT_SIMULATED)
    }

    fn description(&self) -> Result<Description, Refusal> {
        Err(NOT_SIMULATED)
    }
}

/// Number of lamps per version.
pub fn versions(fleet: &[SimLamp]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for lamp in fleet {
        *all.entry(lamp.version()).or_default() += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamps_door_slows_guesses_down_and_lets_its_owner_in() {
        let temper = Temper { restart: Duration::ZERO, trial: Duration::ZERO, finds_bad: false };
        let lamp = SimLamp::start(1, Trust::default(), temper).unwrap();
        let token = Some("a-token-of-lamps".to_owned());
        let mut door = Door::new(routes::site(&[]), Names::LOCAL, token);
        let mut ask = |client: u8, token: &str| {
            let request = format!(
                "GET /api/v1/status HTTP/1.1\r\nHost: k1.local\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            let Parsed::Head(head, _) = head::parse(request.as_bytes(), LAMP.head_bytes) else {
                panic!("{request}")
            };
            let client = IpAddr::V4(Ipv4Addr::new(10, 0, 0, client));
            let judged = door.judge(client, &head, lamp.shared.now_us() / 1000);
            let answer = respond(&*lamp.shared, &judged, Ok(&[]));
            let mut said = String::new();
            answer.write_head(&mut said, true).unwrap();
            (answer.head().status, said.contains("retry-after: 1\r\n"))
        };
        for guess in 0..8 {
            assert_eq!(ask(7, &format!("guess-{guess}")), (401, false));
        }
        assert_eq!(ask(7, "guess-8"), (429, true));
        assert_eq!(ask(8, "guess-8"), (401, false), "another client");
        assert_eq!(ask(7, "a-token-of-lamps"), (200, false), "the owner, from the same address");
    }
}
