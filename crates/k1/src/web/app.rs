//! The state that all requests and WebSockets share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k1_device::answers::{FoundLights, SelfTest};
use k1_device::routes::{self, Action};
use k1_engine::light::Palette;
use k1_host::identity::Who;
use k1_http::admission;
use k1_http::names::{AllowedName, Names};

use super::assets;
use super::hub::{Hub, own_palettes};
use super::others::Others;
use super::sockets::WebSockets;
use crate::runtime::{Controls, Playing, Runtime, Shared, SoundReader};
use crate::show::{Director, Sound};

/// Maximum number of pairs of client and route that are remembered.
const REMEMBERED: usize = 512;
/// Maximum number of senders of wrong tokens that are remembered.
const GUESSERS: usize = 256;
/// Maximum number of lines about wrong tokens between two calls of [`App::unsaid_lines`].
const MOST_LINES: u32 = 4;

/// Decides which requests are let in.
pub type Admission = admission::Admission<Action, REMEMBERED, GUESSERS>;

/// The program as pages and scripts see it.
pub struct App {
    /// Clock, counters and history.
    pub shared: Arc<Shared>,
    /// Reads and changes the settings.
    pub controls: Controls,
    /// Reads snapshots of the sound.
    pub sound: SoundReader,
    /// Source of the live messages.
    pub hub: Hub,
    /// The program's name and id.
    pub who: Arc<Who>,
    /// Address of the server, without its port.
    pub ip: String,
    /// The show file, if there is one.
    pub show_file: Option<PathBuf>,
    /// Shows scenes, turns the light on and off, and dims it.
    pub director: Arc<Director>,
    /// The last search for lights.
    pub found: Arc<Mutex<FoundLights>>,
    /// What K1 hears.
    pub(super) listening: Arc<Sound>,
    /// What it might hear.
    pub(super) others: Others,
    /// The zones in force.
    zones: Arc<Mutex<Vec<Playing>>>,
    /// Requested frames per second.
    pub fps: u32,
    /// Open WebSockets.
    pub sockets: Arc<WebSockets>,
    /// Number that the next client on `/ws` gets.
    pub clients: AtomicUsize,
    /// The self-test's state.
    pub self_test: Arc<Mutex<SelfTest>>,
    admission: Mutex<Admission>,
    lines: AtomicU32,
}

impl App {
    /// Collects what requests need from a runtime that has started.
    pub fn new(
        runtime: &Runtime,
        director: Arc<Director>,
        listening: Arc<Sound>,
        hub: Hub,
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
            ip,
            show_file: runtime.show_file.clone(),
            director,
            found: Arc::default(),
            listening,
            others: Others::default(),
            zones: runtime.cast.zones(),
            fps: runtime.fps,
            sockets: Arc::default(),
            clients: AtomicUsize::new(1),
            self_test: Arc::default(),
            admission: Mutex::new(Admission::new(routes::site(assets::files()), names, token)),
            lines: AtomicU32::new(0),
        }
    }

    /// Readable name of the current sound.
    pub fn title(&self) -> String {
        self.shared.title()
    }

    /// Number of pixels of the first zone, which the page shows.
    pub fn leds(&self) -> usize {
        self.playing().first().map_or(0, |zone| zone.leds)
    }

    /// The zones in force.
    pub fn playing(&self) -> MutexGuard<'_, Vec<Playing>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user's own palettes.
    pub fn palettes(&self) -> &'static [Palette] {
        own_palettes(&self.zones)
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_us() / 1000
    }

    /// Locks the admission of requests.
    pub fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line about wrong tokens, at most `MOST_LINES` between two calls of [`App::unsaid_lines`], so that a
    /// sender of many wrong tokens does not fill the console.
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
