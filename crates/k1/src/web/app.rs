//! What every request and every WebSocket may use.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k1_device::answers::SelfTest;
use k1_device::routes::{self, Action};
use k1_host::identity::Who;
use k1_http::admission;
use k1_http::names::{AllowedName, Names};

use super::assets;
use super::hub::Hub;
use super::sockets::WebSockets;
use crate::runtime::{Controls, Runtime, Shared, SoundReader};

/// Pairs of client and route that are remembered.
const REMEMBERED: usize = 512;
/// Senders of wrong tokens that are remembered.
const GUESSERS: usize = 256;
/// Most lines about wrong tokens between two calls of [`App::unsaid_lines`].
const MOST_LINES: u32 = 4;

/// Lets requests in.
pub type Admission = admission::Admission<Action, REMEMBERED, GUESSERS>;

/// The program, as far as pages see it.
pub struct App {
    /// Clock, counters, history.
    pub shared: Arc<Shared>,
    /// Settings.
    pub controls: Controls,
    /// Snapshots.
    pub sound: SoundReader,
    /// Live messages.
    pub hub: Hub,
    /// What it is called.
    pub who: Arc<Who>,
    /// What was heard at the start, for people.
    title: String,
    /// Address of the server, without its port.
    pub ip: String,
    /// Number of LEDs.
    pub leds: usize,
    /// Frames per second asked for.
    pub fps: u32,
    /// Open WebSockets.
    pub sockets: Arc<WebSockets>,
    /// Number of the next client on `/ws`.
    pub clients: AtomicUsize,
    /// The self-test's state.
    pub self_test: Arc<Mutex<SelfTest>>,
    admission: Mutex<Admission>,
    lines: AtomicU32,
}

impl App {
    /// Everything that requests need of a running runtime.
    pub fn new(
        runtime: &Runtime,
        hub: Hub,
        title: &str,
        ip: String,
        token: Option<String>,
        allowed: Vec<AllowedName>,
    ) -> Self {
        let names = Names { loopback_only: token.is_none(), allowed };
        Self {
            shared: runtime.shared.clone(),
            controls: runtime.controls.clone(),
            sound: runtime.sound.clone(),
            hub,
            who: runtime.who.clone(),
            title: title.to_owned(),
            ip,
            leds: runtime.leds,
            fps: runtime.fps,
            sockets: Arc::default(),
            clients: AtomicUsize::new(1),
            self_test: Arc::default(),
            admission: Mutex::new(Admission::new(routes::site(assets::files()), names, token)),
            lines: AtomicU32::new(0),
        }
    }

    /// What is heard now, for people.
    pub fn title(&self) -> String {
        self.shared.presence.as_ref().map_or_else(|| self.title.clone(), crate::source::Presence::title)
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_us() / 1000
    }

    /// Who is let in.
    pub fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line about wrong tokens; who sends many of them does not fill the console.
    pub fn say_of_guesses(&self, line: impl std::fmt::Display) {
        if self.lines.fetch_add(1, Relaxed) < MOST_LINES {
            k1_host::say(line);
        }
    }

    /// Number of lines about wrong tokens that were left out since the last call.
    pub fn unsaid_lines(&self) -> u32 {
        self.lines.swap(0, Relaxed).saturating_sub(MOST_LINES)
    }
}
