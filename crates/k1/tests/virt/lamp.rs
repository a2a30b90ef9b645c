//! A virtual lamp that runs, and a patient client.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use crate::support::firmware;
use crate::support::{self, Running};

/// An emulator and firmware to run are there: only who has this reads the firmware.
pub struct Ready(());

/// The emulator and the firmware; says what is missing, and fails where they are required.
pub fn ready() -> Option<Ready> {
    let emulator = std::process::Command::new("qemu-system-riscv32").arg("--version").output();
    let missing = if !emulator.is_ok_and(|o| o.status.success()) {
        "qemu-system-riscv32"
    } else if !firmware("lamp.bin").exists()
        || !firmware("loader.bin").exists()
        || !firmware("proof").exists()
    {
        "the firmware"
    } else {
        return Some(Ready(()));
    };
    support::need::missing("virt", missing);
    None
}

/// Emulators that run at once: more would only make each other slow.
const PLACES: usize = 2;
static FREE: (Mutex<usize>, Condvar) = (Mutex::new(PLACES), Condvar::new());

/// Places among the emulators; they are free again when this is dropped.
pub struct Turn(usize);

impl Turn {
    /// Waits for one place: for an emulator that does not follow this machine's clock, and does not mind another beside it.
    pub fn beside() -> Self {
        Self::take(1)
    }

    /// Waits for all places: for an emulator that follows this machine's clock. Beside it, another would be measured.
    pub fn alone() -> Self {
        Self::take(PLACES)
    }

    fn take(places: usize) -> Self {
        let free = FREE.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREE.1.wait_while(free, |n| *n < places).unwrap_or_else(PoisonError::into_inner);
        *free -= places;
        Self(places)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.0.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        FREE.1.notify_all();
    }
}

/// A virtual lamp; it ends when this is dropped.
pub struct Lamp {
    running: Mutex<Running>,
    /// Port of its page.
    pub http: u16,
    /// UDP port of its sound.
    pub sound: u16,
    /// What its page needs.
    pub token: String,
    agent: ureq::Agent,
    /// What it was started with.
    pub ready: Ready,
    turn: Option<Turn>,
}

impl Lamp {
    /// One whose clock counts instructions, and does not follow this machine's. It hears a tape.
    pub fn start_steady(flash: Option<&Path>, image: &Path) -> Option<Self> {
        Self::launch(flash, Some(image), &[], true)
    }

    /// Starts one that is up when this returns.
    pub fn start(flash: Option<&Path>) -> Option<Self> {
        Self::start_in(flash, Some(&firmware("lamp.bin")), &[])
    }

    /// One whose flash keeps the firmware that it has.
    pub fn start_again(flash: &Path) -> Option<Self> {
        Self::start_in(Some(flash), None, &[])
    }

    /// One with this firmware, or what its flash has, and further arguments for the emulator.
    pub fn start_in(flash: Option<&Path>, image: Option<&Path>, emulator: &[String]) -> Option<Self> {
        Self::launch(flash, image, emulator, false)
    }

    fn launch(flash: Option<&Path>, image: Option<&Path>, emulator: &[String], steady: bool) -> Option<Self> {
        let ready = ready()?;
        let turn = if steady { Turn::beside() } else { Turn::alone() };
        if !steady {
            support::host::assert_here();
        }
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let sound = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut arguments = vec!["virt".to_owned(), "--headless".into()];
        let ota = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        arguments.extend(["--loader".into(), firmware("loader.bin").display().to_string()]);
        arguments.extend(["--ota".into(), ota.to_string()]);
        if let Some(image) = image {
            arguments.extend(["--image".into(), image.display().to_string()]);
        }
        arguments.extend(["--http".into(), http.to_string(), "--sound".into(), sound.to_string()]);
        if let Some(flash) = flash {
            arguments.extend(["--flash".into(), flash.display().to_string()]);
        }
        arguments.extend(steady.then(|| "--steady".into()));
        arguments.push("--".into());
        arguments.extend_from_slice(emulator);
        let mut running = support::start(&mut support::k1(arguments));
        running.prints("#token=");
        let said = running.printed();
        let token = said.split_once("#token=").and_then(|(_, rest)| rest.split_whitespace().next());
        let token = token.expect("a token").to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        Some(Self { running: Mutex::new(running), http, sound, token, agent, ready, turn: Some(turn) })
    }

    /// Lets others run beside this one, which from now on measures nothing.
    pub fn give_way(&mut self) {
        self.turn = None;
    }

    /// Measures again.
    pub fn take_turn(&mut self) {
        self.turn = Some(Turn::alone());
    }

    /// Waits until its console has said something.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        self.running.get_mut().unwrap().prints(text);
    }

    /// The same through a shared reference.
    #[track_caller]
    pub fn says_eventually(&self, text: &str) {
        self.running.lock().unwrap().prints(text);
    }

    /// Seconds that it runs, by its own clock.
    pub fn uptime_s(&self) -> f64 {
        self.get("/api/v1/status")["uptime_s"].as_f64().unwrap()
    }

    /// Waits until it has run for so many seconds more, by its own clock.
    #[track_caller]
    pub fn runs_for(&self, seconds: f64) {
        let until = self.uptime_s() + seconds;
        support::eventually_within(Duration::from_secs(120), "it runs on", || self.uptime_s() > until);
    }

    /// Everything that its console has said.
    pub fn console(&self) -> String {
        self.running.lock().unwrap().printed()
    }

    /// False if its emulator leaves a steady lamp's hart out now and then; `k1 virt` says so.
    pub fn shares_evenly(&self) -> bool {
        !self.running.lock().unwrap().said().contains("does not share a steady lamp's time evenly")
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// One GET.
    pub fn try_get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let url = format!("http://127.0.0.1:{}{path}", self.http);
        let mut answer = self.agent.get(url).header("Authorization", self.bearer()).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_vec().ok()?))
    }

    /// GET of JSON; comes again when it is told to wait.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        for _ in 0..200 {
            match self.try_get(path) {
                Some((200, body)) => return serde_json::from_slice(&body).expect("JSON"),
                Some((429, _)) | None => std::thread::sleep(Duration::from_millis(50)),
                Some((status, body)) => panic!("{path}: {status} {}", String::from_utf8_lossy(&body)),
            }
        }
        panic!("{path}: no answer; its console:\n{}", self.console())
    }

    /// POST of JSON; comes again when it is told to wait.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        for _ in 0..200 {
            let url = format!("http://127.0.0.1:{}{path}", self.http);
            let request = self.agent.post(url).header("Authorization", self.bearer());
            let Ok(mut answer) = request.send(body.to_string()) else { continue };
            match answer.status().as_u16() {
                200 => return answer.body_mut().read_json().expect("JSON"),
                429 => std::thread::sleep(Duration::from_millis(50)),
                status => panic!("{path}: {status} {:?}", answer.body_mut().read_to_string()),
            }
        }
        panic!("{path}: no answer")
    }
}
