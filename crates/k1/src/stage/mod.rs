//! The two halves on their two threads, what feeds them, and what they measure.
//!
//! ```text
//! source thread ─▶ samples ─▶ hear (core 1) ─▶ snapshot ring ─▶ show (core 0) ─▶ frame swap ─▶ sink threads
//!                                                    └────────────▶ page, API      └──────────▶ page
//! ```

mod clock;
mod hear;
pub(crate) mod realtime;
mod shine;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use k1_device::answers::Vitals;
use k1_device::exchange::{SLOTS, Settings, SettingsRing, SoundRing};
use k1_device::live::HeardHop;
use k1_device::meter::Count;
use k1_engine::HOP;
use k1_engine::light::OutputSettings;
use k1_handoff::Mailbox;

pub use clock::Clock;
pub use realtime::Seat;
pub use shine::{Finished, Frames};

use crate::sink::{Light, Open};
use crate::source::{self, Presence, Source};
use k1_host::identity::Who;

/// Bins of a histogram: up to 102 ms.
const BINS: usize = 2_048;
/// What the halves count here.
pub type Meters = k1_device::meter::Meters<BINS>;
/// What was counted up to a moment.
pub type Ledger = k1_device::meter::Ledger<BINS>;
/// The ear's end of the snapshot hand-off.
pub type SoundWriter = k1_device::exchange::SoundWriter<Arc<SoundRing>>;
/// An end of the snapshot hand-off for any thread.
pub type SoundReader = k1_device::exchange::SoundReader<Arc<SoundRing>>;
/// Posts changes and reads whole sets.
pub type Controls = k1_device::exchange::Controls<Arc<Mailbox<SLOTS>>, Arc<SettingsRing>>;
/// The owner of the settings: the renderer.
pub type Owner = k1_device::exchange::Owner<Arc<Mailbox<SLOTS>>, Arc<SettingsRing>>;

/// The audio half prefers the second core, the render half the first: as in the lamp.
const SEAT_HEARS: usize = 1;
const SEAT_SHOWS: usize = 0;
/// Samples that fit between a source and the ear: half a second.
const ROOM: usize = 64 * HOP;
/// Names of the threads of lights, and of those that leave a file behind.
const LIGHT: &str = "k1-sink";
const KEPT: &str = "k1-sink-file";
/// Below the two halves, which have 70 and 80.
const PRIORITY_OF_LIGHTS: u8 = 50;
/// How long the end waits for lights to become dark.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// Seconds of history that are kept.
const HISTORY: usize = 120;

/// What all threads see.
#[derive(Debug)]
pub struct Shared {
    /// The one clock.
    pub clock: Clock,
    /// Set once, when the program is to end.
    pub stop: AtomicBool,
    /// The source has no more sound; what is in the queue is still to be heard.
    pub source_ended: AtomicBool,
    /// The ear has heard the last hop.
    pub hearing_ended: AtomicBool,
    /// Counters.
    pub meters: Meters,
    /// Capture time of the first sample, in µs; 0 before it.
    pub first_sample_us: AtomicU64,
    /// What the ear's thread got from the system.
    pub hear_seat: Seat,
    /// What the renderer's thread got from the system.
    pub show_seat: Seat,
    /// Figures of the last seconds, newest last; never touched by the real-time halves.
    pub history: Mutex<VecDeque<Vitals>>,
    /// Where light goes besides the page.
    pub lights: Vec<Arc<Light>>,
    /// Lights that have not had their last frame.
    lit: AtomicUsize,
    /// Why the sound stopped, if it was an error.
    pub source_error: Mutex<Option<String>>,
    /// Whether sound arrives, where that can change.
    pub presence: Option<Presence>,
}

impl Shared {
    /// The newest figures; zeros before the first second is over.
    pub fn vitals(&self) -> Vitals {
        self.lock_history().back().copied().unwrap_or_default()
    }

    /// Stops everything, and waits until each light has had its last frame, but no longer than `patience`.
    pub fn darken(&self, patience: Duration) {
        self.stop.store(true, Release);
        let until = std::time::Instant::now() + patience;
        while self.lit.load(Acquire) > 0 && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The history, oldest first.
    pub fn lock_history(&self) -> std::sync::MutexGuard<'_, VecDeque<Vitals>> {
        self.history.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Opens a source again.
pub type Reopen = Box<dyn FnMut() -> Result<Box<dyn Source>, source::Error> + Send>;

/// What to run.
pub struct Setup {
    /// Sound.
    pub source: Box<dyn Source>,
    /// Opens the source again when it ends.
    pub reopen: Option<Reopen>,
    /// Pattern, parameters, gain at the start.
    pub settings: Settings,
    /// Number of LEDs.
    pub leds: usize,
    /// Current limit.
    pub output: OutputSettings,
    /// Frames per second.
    pub fps: u32,
    /// Lights.
    pub sinks: Vec<Open>,
    /// True if a page may want the sound.
    pub with_page: bool,
}

/// The running program.
pub struct Stage {
    /// What all threads see.
    pub shared: Arc<Shared>,
    /// Settings.
    pub controls: Controls,
    /// Snapshots.
    pub sound: SoundReader,
    /// Number of LEDs.
    pub leds: usize,
    /// Frames per second asked for.
    pub fps: u32,
    /// Sound and frames for the page.
    pub page: Option<(rtrb::Consumer<HeardHop>, Frames)>,
    /// Wakes the page's thread when a frame is ready.
    pub page_wakes: Arc<std::sync::OnceLock<std::thread::Thread>>,
    /// What it is called.
    pub who: Arc<Who>,
    seconds: Box<Ledger>,
    summary: Box<Ledger>,
    threads: Vec<JoinHandle<()>>,
}

impl Stage {
    /// Starts all threads.
    pub fn start(setup: Setup) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            stop: AtomicBool::new(false),
            source_ended: AtomicBool::new(false),
            hearing_ended: AtomicBool::new(false),
            meters: Meters::new(),
            first_sample_us: AtomicU64::new(0),
            hear_seat: Seat::default(),
            show_seat: Seat::default(),
            history: Mutex::new(VecDeque::with_capacity(HISTORY + 1)),
            lights: setup.sinks.iter().map(|s| s.light.clone()).collect(),
            lit: AtomicUsize::new(setup.sinks.len()),
            source_error: Mutex::new(None),
            presence: setup.source.presence(),
        });
        let mut threads = Vec::new();
        let mut spawn = |name: &str, body: Box<dyn FnOnce() + Send>| -> std::io::Result<()> {
            threads.push(std::thread::Builder::new().name(name.into()).spawn(body)?);
            Ok(())
        };

        let (mailbox, mailbox_owner) = Mailbox::channel();
        let (settings_writer, settings) = SettingsRing::channel();
        let owner = Owner::new(mailbox_owner, settings_writer, setup.settings);
        let controls = Controls::new(mailbox, settings, setup.settings);
        let (writer, sound) = SoundRing::channel();
        let (writer, sound) = (SoundWriter::new(writer), SoundReader::new(sound));
        let is_live = setup.source.is_live();
        let (producer, samples) = rtrb::RingBuffer::new(ROOM);
        let pump = Pump {
            source: setup.source,
            reopen: setup.reopen,
            out: producer,
            shared: shared.clone(),
            is_live,
            overruns: 0,
        };
        spawn("k1-source", Box::new(move || pump.run()))?;

        let (tap, tapped) = rtrb::RingBuffer::new(128);
        let hearing = hear::Hearing {
            shared: shared.clone(),
            samples,
            is_live,
            writer,
            controls: controls.clone(),
            tap: setup.with_page.then_some(tap),
        };
        spawn("k1-hear", Box::new(move || hear::run(hearing)))?;

        let mut outlets = Vec::new();
        for sink in setup.sinks {
            let (outlet, frames, wakes) = shine::outlet(setup.leds, Some(sink.light.clone()));
            outlets.push(outlet);
            let (shared, leds) = (shared.clone(), setup.leds);
            let name = if sink.is_kept { KEPT } else { LIGHT };
            spawn(name, Box::new(move || feed(sink, frames, &wakes, &shared, leds)))?;
        }
        let (page_outlet, page_frames, page_wakes) = shine::outlet(setup.leds, None);
        if setup.with_page {
            outlets.push(page_outlet);
        }
        let mut show = crate::new_show(setup.leds, setup.output);
        show.set_params(setup.settings.params);
        show.cut_to(setup.settings.pattern);
        let showing = shine::Showing {
            shared: shared.clone(),
            show,
            sound: sound.clone(),
            owner,
            outlets,
            fps: setup.fps,
        };
        spawn("k1-show", Box::new(move || shine::run(showing)))?;

        Ok(Self {
            controls,
            sound,
            leds: setup.leds,
            fps: setup.fps,
            page: setup.with_page.then_some((tapped, page_frames)),
            who: Arc::default(),
            page_wakes,
            seconds: Box::default(),
            summary: Box::default(),
            threads,
            shared,
        })
    }

    /// Takes the figures since the last call (call it once a second) and remembers them.
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

    /// Begins the summary here: what came before (start-up) does not count.
    pub fn begin_summary(&mut self) {
        self.measure();
        self.summary();
    }

    /// The figures since [`begin_summary`](Self::begin_summary).
    pub fn summary(&mut self) -> Vitals {
        let shared = &self.shared;
        self.summary.vitals(&shared.meters, shared.clock.now_us(), self.fps as f32)
    }

    /// True when the sound has ended and the last of it was heard.
    pub fn has_ended(&self) -> bool {
        self.shared.hearing_ended.load(Acquire)
    }

    /// Stops everything; every sink leaves its lights dark. A light that does not take its last frames in time (a pipe
    /// that nobody reads) is not waited for.
    pub fn stop(self) {
        self.shared.stop.store(true, Release);
        let until = std::time::Instant::now() + LAST_FRAMES;
        for thread in self.threads {
            match thread.thread().name() {
                // The source may wait for a pipe that never speaks: it is not worth waiting for.
                Some("k1-source") if !thread.is_finished() => continue,
                Some(LIGHT) => {
                    while !thread.is_finished() && std::time::Instant::now() < until {
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

/// The thread between a source and the ear.
struct Pump {
    source: Box<dyn Source>,
    reopen: Option<Reopen>,
    out: rtrb::Producer<f32>,
    shared: Arc<Shared>,
    is_live: bool,
    /// Overruns of the source that were counted.
    overruns: u32,
}

impl Pump {
    fn run(mut self) {
        let mut block = [0.0; HOP];
        let mut teller = source::Teller::default();
        while !self.shared.stop.load(Relaxed) {
            let read = self.source.read(&mut block);
            let overruns = self.source.overruns();
            self.shared.meters.count(Count::Overruns, overruns.wrapping_sub(self.overruns));
            self.overruns = overruns;
            match read {
                Ok(0) => teller.end(self.source.as_ref()),
                _ => teller.tell(self.source.as_ref()),
            }
            match read {
                Ok(0) => match self.reopen.as_mut().map(|again| again()) {
                    Some(Ok(source)) => {
                        (self.source, self.overruns) = (source, 0);
                        teller = source::Teller::default();
                    }
                    Some(Err(e)) => return self.end(Some(e.to_string())),
                    None => return self.end(None),
                },
                Ok(n) => self.push(&block[..n]),
                Err(e) => return self.end(Some(e.to_string())),
            }
        }
    }

    fn end(&self, error: Option<String>) {
        *self.shared.source_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = error;
        self.shared.source_ended.store(true, Release);
    }

    /// Samples that the ear may be given now.
    fn room(&self) -> usize {
        let free = self.out.slots();
        // What the reader sets the pace of is late by what it is ahead.
        if self.is_live { free } else { self.source.ahead().saturating_sub(ROOM - free) }
    }

    fn push(&mut self, samples: &[f32]) {
        let mut left = samples;
        loop {
            let n = self.room().min(left.len());
            if let Ok(mut chunk) = self.out.write_chunk(n) {
                let (a, b) = chunk.as_mut_slices();
                a.copy_from_slice(&left[..a.len()]);
                b.copy_from_slice(&left[a.len()..n]);
                chunk.commit_all();
            }
            left = &left[n..];
            if left.is_empty() || self.shared.stop.load(Relaxed) {
                return;
            }
            if self.is_live {
                // Live sound does not wait: what the ear has no room for is lost, and counted.
                self.shared.meters.count(Count::Overruns, 1);
                return;
            }
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

/// The thread of one sink.
fn feed(
    mut to: Open,
    mut frames: Frames,
    wakes: &std::sync::OnceLock<std::thread::Thread>,
    shared: &Shared,
    leds: usize,
) {
    if to.sink.is_urgent() {
        // Behind the two halves, and before what is not on time anyway. Where it is refused, it goes on without.
        realtime::hurry(PRIORITY_OF_LIGHTS);
    }
    let _ = wakes.set(std::thread::current());
    while !shared.stop.load(Relaxed) {
        match frames.take() {
            // The light may be off for a moment: the next frame is tried again.
            Some(frame) => to.light.took(to.sink.show(&frame.wire, &frame.screen).is_ok()),
            None => {
                to.sink.tend();
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }
    if let Err(e) = to.sink.dark(leds) {
        k1_host::say(format_args!("k1: the light {} could not be switched off: {e}", to.light.name));
    }
    shared.lit.fetch_sub(1, Release);
}
