//! A running virtual lamp, and a patient client.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use crate::support::firmware;
use crate::support::{self, Running};

/// Proof that the emulator and the firmware exist; a test needs it to read the firmware.
pub struct Ready(());

/// Checks for the emulator and the firmware. If one is missing, prints that, and fails if it is required.
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

/// Number of emulators that run at the same time; more would only slow each other down.
const PLACES: usize = 2;
static FREE: (Mutex<usize>, Condvar) = (Mutex::new(PLACES), Condvar::new());

/// Places for emulators; dropping frees them.
pub struct Turn(usize);

impl Turn {
    /// Waits for one place, for an emulator that does not follow this machine's clock and can share the machine.
    pub fn beside() -> Self {
        Self::take(1)
    }

    /// Waits for all places, for an emulator that follows this machine's clock, because another would affect its
    /// figures.
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

/// A virtual lamp; dropping it ends it.
pub struct Lamp {
    running: Mutex<Running>,
    /// Port of its page.
    pub http: u16,
    /// UDP port of its sound.
    pub sound: u16,
    /// The token of its page.
    pub token: String,
    agent: ureq::Agent,
    /// The emulator and the firmware with which it was started.
    pub ready: Ready,
    turn: Option<Turn>,
}

impl Lamp {
    /// A lamp whose clock counts instructions, independent of this machine's clock. It hears a tape.
    pub fn start_steady(flash: Option<&Path>, image: &Path) -> Option<Self> {
        Self::launch(flash, Some(image), &[], true)
    }

    /// Starts a lamp and waits until it is up.
    pub fn start(flash: Option<&Path>) -> Option<Self> {
        Self::start_in(flash, Some(&firmware("lamp.bin")), &[])
    }

    /// A lamp that runs the firmware in its flash.
    pub fn start_again(flash: &Path) -> Option<Self> {
        Self::start_in(Some(flash), None, &[])
    }

    /// A lamp with this firmware, or the one in its flash, and more arguments for the emulator.
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

    /// Lets other emulators run at the same time. From now on this lamp's figures do not count.
    pub fn give_way(&mut self) {
        self.turn = None;
    }

    /// Waits until it runs alone again, so that its figures count.
    pub fn take_turn(&mut self) {
        self.turn = Some(Turn::alone());
    }

    /// Waits until its console prints a text.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        self.running.get_mut().unwrap().prints(text);
    }

    /// The same through a shared reference.
    #[track_caller]
    pub fn says_eventually(&self, text: &str) {
        self.running.lock().unwrap().prints(text);
    }

    /// Its uptime in seconds, by its own clock.
    pub fn uptime_s(&self) -> f64 {
        self.get("/api/v1/status")["uptime_s"].as_f64().unwrap()
    }

    /// Waits until it has run for this number of further seconds, by its own clock.
    #[track_caller]
    pub fn runs_for(&self, seconds: f64) {
        let until = self.uptime_s() + seconds;
        support::eventually_within(Duration::from_secs(120), "it runs on", || self.uptime_s() > until);
    }

    /// The whole output of its console.
    pub fn console(&self) -> String {
        self.running.lock().unwrap().printed()
    }

    /// False if its emulator sometimes stops a hart of a steady lamp, as reported by `k1 virt`.
    pub fn shares_evenly(&self) -> bool {
        !self.running.lock().unwrap().said().contains("does not share a steady lamp's time evenly")
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Sends a GET.
    pub fn try_get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let url = format!("http://127.0.0.1:{}{path}", self.http);
        let mut answer = self.agent.get(url).header("Authorization", self.bearer()).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_vec().ok()?))
    }

    /// Gets JSON, and repeats the request after the wait that a 429 asks for.
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

    /// Posts JSON, and repeats the request after the wait that a 429 asks for.
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
