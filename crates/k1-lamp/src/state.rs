//! What the tasks of a lamp share.

use alloc::sync::Arc;
use core::cell::RefCell;
use core::net::Ipv4Addr;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pubsub::PubSubChannel;
use embassy_sync::signal::Signal;
use embassy_sync::watch::Watch;
use k1_device::answers::{BootLog, Heap, SelfTest, Stack, Vitals};
use k1_device::exchange::Crossing;
use k1_device::firmware::{Image, Receiving, Rollback, Standing};
use k1_device::settings::{Loaded, MOST_LEDS, Memory};
use k1_engine::{HOP, SAMPLE_RATE};
use k1_handoff::SnapshotRing;
use k1_update::otadata::Pace;
use k1_update::refusal::Refusal;

use crate::board::Facts;

/// Connections at once.
pub const WORKERS: usize = 4;
/// Fewer workers than this that wait for a connection are too few: others do not wait for a second request then.
const ALWAYS_LISTENING: u32 = 1;
/// Bins of a histogram: up to 25 ms.
pub const BINS: usize = 512;
/// The renderer in the size of a lamp.
pub type Show = k1_engine::show::Show<MOST_LEDS>;
/// What the halves count.
pub type Meters = k1_device::meter::Meters<BINS>;
/// Words of a frame for pages: time, number of LEDs, pixels.
pub const FRAME_WORDS: usize = 3 + (MOST_LEDS * 3).div_ceil(4);
/// The newest frame, for any number of readers. Two copies: a reader that is lapped while it copies takes the next
/// frame, and nobody sees one of two hundred missing.
pub type FrameRing = SnapshotRing<FRAME_WORDS, 2>;
/// Seconds of history.
pub(crate) const HISTORY: usize = 30;

/// Seconds over which an image is measured.
pub(crate) const LATELY: usize = 10;

/// What a lamp can be asked to do with its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirmwareCommand {
    /// Start what was activated.
    Restart,
    /// Go back to the image before.
    RollBack,
    /// Ask the bootloader for a proof.
    Drill,
}

/// What the slow half of a lamp knows of its firmware.
#[derive(Debug)]
pub struct FirmwareState {
    /// Chip, as manifests name it.
    pub chip: &'static str,
    /// What runs.
    pub running: Option<Image>,
    /// How it stands.
    pub standing: Standing,
    /// Whether a bad image goes back by itself.
    pub rollback: Rollback,
    /// What the other slot holds, whole.
    pub other: Option<Image>,
    /// An update on its way in.
    pub receiving: Option<Receiving>,
    /// Why the last update was not let in.
    pub refused: Option<Refusal>,
}

impl FirmwareState {
    /// Before anything was looked at.
    pub const UNKNOWN: Self = Self {
        chip: "unknown",
        running: None,
        standing: Standing::NotTried,
        rollback: Rollback::NotArmed,
        other: None,
        receiving: None,
        refused: None,
    };
}

/// Who waits at the doors.
pub struct Doors {
    pub(crate) listening: AtomicU32,
    pub(crate) sockets: AtomicU32,
    pub(crate) clients: AtomicU32,
}

impl Default for Doors {
    fn default() -> Self {
        Self::new()
    }
}

impl Doors {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self { listening: AtomicU32::new(0), sockets: AtomicU32::new(0), clients: AtomicU32::new(1) }
    }

    /// True if somebody waits for a connection, or is in one.
    pub fn is_open(&self) -> bool {
        self.listening.load(Relaxed) > 0 || self.sockets.load(Relaxed) > 0
    }

    /// Open WebSockets.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Relaxed) as usize
    }

    /// True if too few wait for a connection.
    pub(crate) fn are_too_few(&self) -> bool {
        self.listening.load(Relaxed) < ALWAYS_LISTENING
    }
}

/// What the slow half of the lamp knows.
#[derive(Debug)]
pub struct State {
    /// Settings as they are remembered.
    pub memory: Memory,
    /// What became of loading them.
    pub loaded: Loaded,
    /// Figures of the last seconds, newest last.
    pub history: heapless::Deque<Vitals, HISTORY>,
    /// Facts about the board.
    pub facts: Facts,
    /// Stack of the half that shows.
    pub render_stack: Option<Stack>,
    /// Stack of the half that hears.
    pub audio_stack: Option<Stack>,
    /// Heap.
    pub heap: Option<Heap>,
    /// Share of the last second in which each core worked, 0 … 1.
    pub core_busy: Option<[f32; 2]>,
    /// Temperature of the chip in °C.
    pub temperature_c: Option<f32>,
    /// Strength of the Wi-Fi signal in dBm.
    pub rssi_dbm: Option<i8>,
    /// Networks that the last look round has found; for lamps with a radio.
    pub networks: k1_device::portal::Scan,
    /// The network that was named and could not be joined; empty if there is none.
    pub not_joined: heapless::String<32>,
    /// Address, once there is one.
    pub ip: heapless::String<15>,
    /// Records written to flash since the start.
    pub settings_writes: u32,
    /// Operations of the storage that failed since the start.
    pub settings_errors: u32,
    /// What is known of the firmware.
    pub firmware: FirmwareState,
    /// The first lines of the console, and its errors.
    pub log: BootLog,
    /// How the self-test stands.
    pub self_test: SelfTest,
}

/// What the tasks of a lamp share. Lives in a `static`.
pub struct Lamp {
    /// Snapshots and settings between the halves.
    pub crossing: Crossing,
    /// What the halves count.
    pub meters: Meters,
    /// The newest frame as a screen shows it.
    pub screen: FrameRing,
    /// The newest frame as the wire carries it, in R, G, B.
    pub wire: FrameRing,
    /// The slow half's knowledge; never touched by the two halves.
    pub state: CriticalSectionMutex<RefCell<State>>,
    /// Something that is remembered has changed.
    pub changed: Signal<CriticalSectionRawMutex, ()>,
    /// What is asked of the firmware.
    pub command: Signal<CriticalSectionRawMutex, FirmwareCommand>,
    /// What has changed is to be written now.
    pub save: Signal<CriticalSectionRawMutex, ()>,
    /// It is written.
    pub saved: Signal<CriticalSectionRawMutex, ()>,
    /// The address on the network, from the one task that asks the stack: it keeps one waiter for its state, and two
    /// would wake each other for ever.
    pub address: Watch<CriticalSectionRawMutex, Option<Ipv4Addr>, 1>,
    /// Somebody wishes to know which networks there are …
    pub scan: Signal<CriticalSectionRawMutex, ()>,
    /// … and now they are known.
    pub scanned: Signal<CriticalSectionRawMutex, ()>,
    /// A self-test of so many reads is asked for.
    pub test_wanted: Signal<CriticalSectionRawMutex, u32>,
    /// Frames per second that are due, in thousandths.
    pub due_millihertz: AtomicU32,
    /// Core that hears, plus one; 0 before it does.
    pub hears_on: AtomicU32,
    /// Core that shows, plus one; 0 before it does.
    pub shows_on: AtomicU32,
    /// True while there is a microphone.
    pub microphone: AtomicBool,
    /// True while it speaks in the slot that is not heard.
    pub speaks_elsewhere: AtomicBool,
    /// Reads of the microphone that failed.
    pub microphone_failures: AtomicU32,
    /// Frames whose transmission failed or was late.
    pub strip_underruns: AtomicU32,
    /// Number of LEDs as the renderer sees it.
    pub leds: AtomicU32,
    /// Fixed noise floor in dBFS as bits; NaN = learned.
    pub floor_db: AtomicU32,
    /// Times that the network's executor went round.
    pub network_beats: AtomicU32,
    /// Requests answered.
    pub requests: AtomicU32,
    /// Bytes from the network that made no sense.
    pub malformed: AtomicU32,
    /// Workers that wait for a connection, and open WebSockets.
    pub doors: Doors,
    /// Pages that wish sound.
    pub listeners: AtomicU32,
    /// Sound for pages that wish it.
    pub sound: PubSubChannel<CriticalSectionRawMutex, Arc<[u8]>, 8, { WORKERS }, 1>,
}

impl Default for Lamp {
    fn default() -> Self {
        Self::new()
    }
}

impl Lamp {
    /// A lamp that has not begun.
    pub const fn new() -> Self {
        Self {
            crossing: Crossing::new(),
            meters: Meters::new(),
            screen: FrameRing::new(),
            wire: FrameRing::new(),
            state: CriticalSectionMutex::new(RefCell::new(State::new())),
            changed: Signal::new(),
            command: Signal::new(),
            save: Signal::new(),
            saved: Signal::new(),
            address: Watch::new(),
            scan: Signal::new(),
            scanned: Signal::new(),
            test_wanted: Signal::new(),
            due_millihertz: AtomicU32::new(0),
            hears_on: AtomicU32::new(0),
            shows_on: AtomicU32::new(0),
            speaks_elsewhere: AtomicBool::new(false),
            microphone: AtomicBool::new(false),
            microphone_failures: AtomicU32::new(0),
            strip_underruns: AtomicU32::new(0),
            leds: AtomicU32::new(0),
            floor_db: AtomicU32::new(f32::NAN.to_bits()),
            network_beats: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            malformed: AtomicU32::new(0),
            doors: Doors::new(),
            listeners: AtomicU32::new(0),
            sound: PubSubChannel::new(),
        }
    }

    /// Looks at what the slow half knows.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.state.lock(|state| look(&state.borrow()))
    }

    /// Changes what the slow half knows.
    pub fn note<T>(&self, note: impl FnOnce(&mut State) -> T) -> T {
        self.state.lock(|state| note(&mut state.borrow_mut()))
    }
}

impl State {
    /// How much of what is due was done over the last seconds.
    pub(crate) fn pace(&self, seconds: usize) -> Pace {
        const HOPS_DUE: f32 = SAMPLE_RATE as f32 / HOP as f32;
        let newest = self.history.iter().rev().take(seconds);
        let (n, frames, hops) = newest.fold((0.0_f32, 0.0, 0.0), |(n, frames, hops), v| {
            (n + 1.0, frames + v.fps / v.fps_target.max(1.0), hops + v.hop_rate / HOPS_DUE)
        });
        // As a cast rounds down, and never below zero or above what fits.
        let fifteenths = |sum: f32| if n > 0.0 { (15.0 * sum / n + 0.5) as u8 } else { 0 };
        Pace { frames: fifteenths(frames).min(15), hops: fifteenths(hops).min(15) }
    }

    const fn new() -> Self {
        Self {
            memory: Memory::new(),
            loaded: Loaded { groups: 0, damaged: 0, erased: false },
            history: heapless::Deque::new(),
            facts: Facts::UNKNOWN,
            render_stack: None,
            audio_stack: None,
            heap: None,
            core_busy: None,
            temperature_c: None,
            rssi_dbm: None,
            networks: heapless::Vec::new(),
            not_joined: heapless::String::new(),
            ip: heapless::String::new(),
            settings_writes: 0,
            settings_errors: 0,
            firmware: FirmwareState::UNKNOWN,
            log: BootLog::new(),
            self_test: SelfTest::NEVER,
        }
    }
}
