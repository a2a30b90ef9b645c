//! The two halves on their two threads, the threads that feed them, and their figures.
//!
//! ```text
//! source thread ─▶ samples ─▶ hear (core 1) ─▶ snapshot ring ─▶ show (core 0) ─▶ frame swap ─▶ sink threads
//!                                                    └────────────▶ page, API      └──────────▶ page
//! ```
//!
//! The half that shows renders each zone (`stage`) and hands each light the pixels that it shows. While it runs, the
//! `cast` can replace zones and lights:
//!
//! ```text
//! show file ─▶ cast ─▶ stage ─▶ show (takes over what stays) ─▶ the old stage ─▶ cast (frees it)
//! ```

mod cast;
mod clock;
mod feed;
mod hear;
mod outlet;
mod pump;
pub(crate) mod realtime;
mod shared;
mod show;
mod stage;
mod zone;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_device::answers::Vitals;
use k1_device::exchange::{SLOTS, SettingsRing, SoundRing};
use k1_device::live::HeardHop;
use k1_engine::HOP;
use k1_handoff::Mailbox;

pub use cast::{Cast, LightPlan, Playing, ZonePlan};
pub use clock::Clock;
pub use outlet::{Finished, Frames};
pub use realtime::Seat;
pub use shared::{NextSource, Shared};

use crate::source::{self, Source};
use k1_host::identity::Who;

/// Number of bins of a histogram, which covers times up to 102 ms.
const BINS: usize = 2_048;
/// The counters of the two halves.
pub type Meters = k1_device::meter::Meters<BINS>;
/// The state of the counters at one moment.
pub type Ledger = k1_device::meter::Ledger<BINS>;
/// The ear's end of the snapshot hand-off.
pub type SoundWriter = k1_device::exchange::SoundWriter<Arc<SoundRing>>;
/// An end of the snapshot hand-off for any thread.
pub type SoundReader = k1_device::exchange::SoundReader<Arc<SoundRing>>;
/// Posts changes of settings and reads complete settings.
pub type Controls = k1_device::exchange::Controls<Arc<Mailbox<SLOTS>>, Arc<SettingsRing>>;
/// The owner of the settings: the renderer.
pub type Owner = k1_device::exchange::Owner<Arc<Mailbox<SLOTS>>, Arc<SettingsRing>>;

/// The audio half prefers the second core, the render half the first, as in the lamp.
const SEAT_HEARS: usize = 1;
const SEAT_SHOWS: usize = 0;
/// Capacity of the queue between a source and the ear, in samples: half a second.
const ROOM: usize = 64 * HOP;
/// Pixels of all zones that a frame for the page has room for; at least one zone of the largest size.
const PAGE_PIXELS: usize = 2 * crate::MAX_LEDS;
/// Names of the threads of lights, and of sinks that leave a file behind.
const LIGHT: &str = "k1-sink";
const KEPT: &str = "k1-sink-file";
/// Longest time that the program's end waits for lights to become dark.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// Length of the history in seconds.
const HISTORY: usize = 120;

/// Opens a source again after it has ended.
pub type Reopen = Box<dyn FnMut() -> Result<Box<dyn Source>, source::Error> + Send>;

/// Everything that a runtime is started with.
pub struct Setup {
    /// Where sound comes from.
    pub source: Box<dyn Source>,
    /// Opens the source again when it ends; `None` if it plays once.
    pub reopen: Option<Reopen>,
    /// The zones, at least one. The page shows the first one.
    pub zones: Vec<ZonePlan>,
    /// The lights.
    pub lights: Vec<LightPlan>,
    /// Requested frames per second.
    pub fps: u32,
    /// True if a page may want the sound.
    pub with_page: bool,
}

/// The running halves and everything around them.
pub struct Runtime {
    /// The state that all threads share.
    pub shared: Arc<Shared>,
    /// Reads and changes the settings of the first zone.
    pub controls: Controls,
    /// Reads snapshots of the sound.
    pub sound: SoundReader,
    /// Replaces zones and lights.
    pub cast: Cast,
    /// Requested frames per second.
    pub fps: u32,
    /// Sound and frames for the page, until the page takes them; `None` without a page.
    pub page: Option<(rtrb::Consumer<HeardHop>, Frames)>,
    /// Wakes the page's thread when a frame is ready.
    pub page_wakes: Arc<std::sync::OnceLock<std::thread::Thread>>,
    /// The program's name and id.
    pub who: Arc<Who>,
    /// The show file, if there is one.
    pub show_file: Option<PathBuf>,
    seconds: Box<Ledger>,
    summary: Box<Ledger>,
    threads: Vec<JoinHandle<()>>,
}

impl Runtime {
    /// Starts all threads.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub fn start(setup: Setup) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(Vec::new(), setup.source.presence()));
        let mut threads = Vec::new();
        let mut spawn = |name: &str, body: Box<dyn FnOnce() + Send>| -> std::io::Result<()> {
            threads.push(std::thread::Builder::new().name(name.into()).spawn(body)?);
            Ok(())
        };

        let (page, page_frames, page_wakes) = outlet::outlet(PAGE_PIXELS, None);
        let (stages, next) = rtrb::RingBuffer::new(1);
        let (replaced, old) = rtrb::RingBuffer::new(1);
        let mut cast = Cast::new(shared.clone(), stages, old);
        let stage = cast.prepare(setup.zones, setup.lights, setup.with_page.then_some(page))?;
        let controls = cast.controls();
        let (writer, sound) = SoundRing::channel();
        let (writer, sound) = (SoundWriter::new(writer), SoundReader::new(sound));
        let (producer, samples) = rtrb::RingBuffer::new(ROOM);
        let pump = pump::Pump::new(setup.source, setup.reopen, producer, shared.clone());
        spawn("k1-source", Box::new(move || pump.run()))?;

        let (tap, tapped) = rtrb::RingBuffer::new(128);
        let ear = hear::EarThread {
            shared: shared.clone(),
            samples,
            writer,
            controls: controls.clone(),
            tap: setup.with_page.then_some(tap),
        };
        let time = shared.clock;
        spawn(
            "k1-hear",
            Box::new(move || {
                ear.shared.hear_seat.take(SEAT_HEARS, 70);
                ear.run(&time);
            }),
        )?;

        let renderer = show::ShowThread {
            shared: shared.clone(),
            stage,
            sound: sound.clone(),
            next,
            replaced,
            fps: setup.fps,
        };
        spawn(
            "k1-show",
            Box::new(move || {
                renderer.shared.show_seat.take(SEAT_SHOWS, 80);
                renderer.run(&time);
            }),
        )?;

        Ok(Self {
            controls,
            sound,
            cast,
            fps: setup.fps,
            page: setup.with_page.then_some((tapped, page_frames)),
            who: Arc::default(),
            show_file: None,
            page_wakes,
            seconds: Box::default(),
            summary: Box::default(),
            threads,
            shared,
        })
    }

    /// Takes the figures since the last call and adds them to the history. Call it once a second.
    pub fn measure(&mut self) -> Vitals {
        let shared = &self.shared;
        let vitals = self.seconds.vitals(&shared.meters, shared.clock.now_us(), self.fps as f32);
        self.summary.observe(&shared.meters);
        let mut history = self.shared.lock_history();
        history.push_back(vitals);
        if history.len() > HISTORY {
            history.pop_front();
        }
        vitals
    }

    /// Begins the summary now, so that the start-up does not count.
    pub fn begin_summary(&mut self) {
        self.measure();
        self.summary();
    }

    /// The figures since [`begin_summary`](Self::begin_summary).
    pub fn summary(&mut self) -> Vitals {
        let shared = &self.shared;
        self.summary.vitals(&shared.meters, shared.clock.now_us(), self.fps as f32)
    }

    /// True once the sound has ended and its last hop was heard.
    pub fn has_ended(&self) -> bool {
        self.shared.hearing_ended.load(Acquire)
    }

    /// Stops everything; every sink leaves its lights dark. A light that does not take its last frames in time, such as
    /// a pipe that nobody reads, does not delay the end.
    pub fn stop(self) {
        self.shared.stop.store(true, Release);
        let until = Instant::now() + LAST_FRAMES;
        for thread in self.threads.into_iter().chain(self.cast.into_threads()) {
            match thread.thread().name() {
                // Do not wait for the source, which may be blocked by a pipe that never delivers.
                Some("k1-source") if !thread.is_finished() => continue,
                Some(LIGHT) => {
                    while !thread.is_finished() && Instant::now() < until {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    if !thread.is_finished() {
                        continue;
                    }
                }
                _ => {}
            }
            let _ = thread.join();
        }
    }
}
