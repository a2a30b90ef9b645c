//! The state that the tasks of a lamp share.

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
use k1_device::dimmer::Dim;
use k1_device::exchange::Crossing;
use k1_device::firmware::{Image, Receiving, Rollback, Standing};
use k1_device::settings::{Loaded, MOST_LEDS, Memory};
use k1_engine::show::FADE_S;
use k1_engine::{HOP, SAMPLE_RATE};
use k1_handoff::SnapshotRing;
use k1_update::otadata::Pace;
use k1_update::refusal::Refusal;

use crate::board::Facts;

/// Number of connections at once.
pub const WORKERS: usize = 4;
/// Fewest workers that should wait for a connection. While there are fewer, other workers do not wait for a second
/// request on their connection.
const ALWAYS_LISTENING: u32 = 1;
/// Number of bins of a histogram, which reaches up to 25 ms.
pub const BINS: usize = 512;
/// The renderer in the size of a lamp.
pub type Show = k1_engine::show::Show<MOST_LEDS>;
/// Counts of the two halves.
pub type Meters = k1_device::meter::Meters<BINS>;
/// Number of words of a frame for pages: time, number of LEDs, pixels.
pub const FRAME_WORDS: usize = 3 + (MOST_LEDS * 3).div_ceil(4);
/// The newest frame, for any number of readers. It has two copies: a reader that is overtaken while it copies takes the
/// next frame, and one missing frame of two hundred is not visible.
pub type FrameRing = SnapshotRing<FRAME_WORDS, 2>;
/// Seconds of history.
const HISTORY: usize = 30;
/// Figures of the last seconds, oldest first.
pub type History = heapless::Deque<Vitals, HISTORY>;

/// Seconds over which an image is measured.
pub(crate) const LATELY: usize = 10;

/// A command for the lamp's firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirmwareCommand {
    /// Restart with the activated image.
    Restart,
    /// Roll back to the previous image.
    RollBack,
    /// Restart to prove that the bootloader supports trials.
    Drill,
}

impl FirmwareCommand {
    /// Its name on the console.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::RollBack => "rollback",
            Self::Drill => "drill",
        }
    }
}

/// State of the firmware.
#[derive(Debug)]
pub struct FirmwareState {
    /// Chip, as manifests name it.
    pub chip: &'static str,
    /// The running image.
    pub running: Option<Image>,
    /// State of the running image.
    pub standing: Standing,
    /// Whether a bad image is rolled back automatically.
    pub rollback: Rollback,
    /// The image in the other slot, if it is whole.
    pub other: Option<Image>,
    /// The update that is arriving.
    pub receiving: Option<Receiving>,
    /// Why the last update was refused.
    pub refused: Option<Refusal>,
}

impl FirmwareState {
    /// State before the flash was read.
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

/// Counts of workers that wait for a connection, and of open WebSockets.
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
    /// No worker waits and no WebSocket is open.
    pub const fn new() -> Self {
        Self { listening: AtomicU32::new(0), sockets: AtomicU32::new(0), clients: AtomicU32::new(1) }
    }

    /// True if a worker waits for a connection, or serves a WebSocket.
    pub fn is_open(&self) -> bool {
        self.listening.load(Relaxed) > 0 || self.sockets.load(Relaxed) > 0
    }

    /// Number of open WebSockets.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Relaxed) as usize
    }

    /// True if too few workers wait for a connection.
    pub(crate) fn are_too_few(&self) -> bool {
        self.listening.load(Relaxed) < ALWAYS_LISTENING
    }
}

/// State of the lamp outside the two real-time halves.
#[derive(Debug)]
pub struct State {
    /// Settings as they are stored.
    pub memory: Memory,
    /// Result of loading the settings.
    pub loaded: Loaded,
    /// Facts about the board.
    pub facts: Facts,
    /// Stack of the half that shows.
    pub render_stack: Option<Stack>,
    /// Stack of the half that hears.
    pub audio_stack: Option<Stack>,
    /// Use of the heap.
    pub heap: Option<Heap>,
    /// Share of the last second in which each core worked, 0 … 1.
    pub core_busy: Option<[f32; 2]>,
    /// Temperature of the chip in °C.
    pub temperature_c: Option<f32>,
    /// Strength of the Wi-Fi signal in dBm.
    pub rssi_dbm: Option<i8>,
    /// Networks from the last scan; for lamps with a radio.
    pub networks: k1_device::portal::Scan,
    /// Name of the network that could not be joined; empty if there is none.
    pub not_joined: heapless::String<32>,
    /// IP address; empty before there is one.
    pub ip: heapless::String<15>,
    /// Records written to flash since the start.
    pub settings_writes: u32,
    /// Failed operations of the settings storage since the start.
    pub settings_errors: u32,
    /// State of the firmware.
    pub firmware: FirmwareState,
    /// The first lines of the console, and its errors.
    pub log: BootLog,
    /// State of the self-test.
    pub self_test: SelfTest,
    /// Duration of the last fade of the whole light in seconds.
    pub fade_s: f32,
    /// The time in µs at which a scene was recalled or made.
    pub recalled_us: Option<u64>,
}

/// What the halves pass on, for a `static`. It is all zeros at first, so that an image does not hold it; as a part of
/// [`Lamp`], which is not, it would take 13 KiB of the flash.
pub struct Streams {
    crossing: Crossing,
    meters: Meters,
    screen: FrameRing,
    wire: FrameRing,
    history: CriticalSectionMutex<RefCell<History>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self::new()
    }
}

impl Streams {
    /// Nothing was passed on yet.
    pub const fn new() -> Self {
        Self {
            crossing: Crossing::new(),
            meters: Meters::new(),
            screen: FrameRing::new(),
            wire: FrameRing::new(),
            history: CriticalSectionMutex::new(RefCell::new(History::new())),
        }
    }
}

/// Everything that the tasks of a lamp share, for a `static`.
pub struct Lamp {
    /// Snapshots and settings between the halves.
    pub crossing: &'static Crossing,
    /// Counts of the two halves.
    pub meters: &'static Meters,
    /// The newest frame as a screen shows it.
    pub screen: &'static FrameRing,
    /// The newest frame as the wire carries it, in R, G, B.
    pub wire: &'static FrameRing,
    history: &'static CriticalSectionMutex<RefCell<History>>,
    /// State outside the two real-time halves, which never touch it.
    pub state: CriticalSectionMutex<RefCell<State>>,
    /// Signals that a stored setting has changed.
    pub changed: Signal<CriticalSectionRawMutex, ()>,
    /// A command for the firmware.
    pub command: Signal<CriticalSectionRawMutex, FirmwareCommand>,
    /// Signals that changes must be written now.
    pub save: Signal<CriticalSectionRawMutex, ()>,
    /// Signals that they are written.
    pub saved: Signal<CriticalSectionRawMutex, ()>,
    /// The address on the network, from the only task that waits for the stack's state. The stack keeps one waiter, and
    /// two would wake each other for ever.
    pub address: Watch<CriticalSectionRawMutex, Option<Ipv4Addr>, 1>,
    /// Requests a scan for networks.
    pub scan: Signal<CriticalSectionRawMutex, ()>,
    /// Signals that the scan is complete.
    pub scanned: Signal<CriticalSectionRawMutex, ()>,
    /// Requests a self-test with this number of reads.
    pub test_wanted: Signal<CriticalSectionRawMutex, u32>,
    /// Shortest time between two frames on the wire, in µs; 0 before the renderer has started.
    pub wire_us: AtomicU32,
    /// Target frame rate in thousandths of a frame per second.
    pub due_millihertz: AtomicU32,
    /// Number of the core that hears, plus one; 0 before it hears.
    pub hears_on: AtomicU32,
    /// Number of the core that shows, plus one; 0 before it shows.
    pub shows_on: AtomicU32,
    /// True while a microphone is present.
    pub microphone: AtomicBool,
    /// True while the microphone sends in the slot that is not heard.
    pub speaks_elsewhere: AtomicBool,
    /// Lowest bit of the microphone's words that changes, plus one; 0 before it is known.
    pub lowest_bit: AtomicU32,
    /// Failed reads of the microphone.
    pub microphone_failures: AtomicU32,
    /// Frames whose transmission failed or was late.
    pub strip_underruns: AtomicU32,
    /// The brightness of everything.
    pub dim: Dim,
    /// Number of LEDs that the renderer uses.
    pub leds: AtomicU32,
    /// Fixed noise floor in dBFS as the bits of an `f32`; NaN = learned.
    pub floor_db: AtomicU32,
    /// Count that moves while the network's executor polls its tasks.
    pub network_beats: AtomicU32,
    /// Requests answered.
    pub requests: AtomicU32,
    /// Malformed packets and requests from the network.
    pub malformed: AtomicU32,
    /// Workers that wait for a connection, and open WebSockets.
    pub doors: Doors,
    /// Number of pages that want sound.
    pub listeners: AtomicU32,
    /// Sound for the pages that want it.
    pub sound: PubSubChannel<CriticalSectionRawMutex, Arc<[u8]>, 8, { WORKERS }, 1>,
}

impl Lamp {
    /// A lamp that has not started.
    pub const fn new(streams: &'static Streams) -> Self {
        Self {
            crossing: &streams.crossing,
            meters: &streams.meters,
            screen: &streams.screen,
            wire: &streams.wire,
            history: &streams.history,
            state: CriticalSectionMutex::new(RefCell::new(State::new())),
            changed: Signal::new(),
            command: Signal::new(),
            save: Signal::new(),
            saved: Signal::new(),
            address: Watch::new(),
            scan: Signal::new(),
            scanned: Signal::new(),
            test_wanted: Signal::new(),
            wire_us: AtomicU32::new(0),
            due_millihertz: AtomicU32::new(0),
            hears_on: AtomicU32::new(0),
            shows_on: AtomicU32::new(0),
            speaks_elsewhere: AtomicBool::new(false),
            lowest_bit: AtomicU32::new(0),
            microphone: AtomicBool::new(false),
            microphone_failures: AtomicU32::new(0),
            strip_underruns: AtomicU32::new(0),
            dim: Dim::new(),
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

    /// Reads the shared state.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.state.lock(|state| look(&state.borrow()))
    }

    /// Figures of the last seconds, oldest first.
    pub fn past<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        self.history.lock(|history| look(&history.borrow()))
    }

    /// Figures of the last second; zeros before it is over.
    pub fn newest(&self) -> Vitals {
        self.past(|history| history.back().copied().unwrap_or_default())
    }

    /// Adds the figures of a second; the oldest go.
    pub(crate) fn remember(&self, vitals: Vitals) {
        self.history.lock(|history| {
            let mut history = history.borrow_mut();
            if history.len() == HISTORY {
                history.pop_front();
            }
            // There is room, because the oldest was just removed.
            let _ = history.push_back(vitals);
        });
    }

    /// Share of the due frames and hops that were done over the last `seconds`, in fifteenths.
    pub(crate) fn pace(&self, seconds: usize) -> Pace {
        const HOPS_DUE: f32 = SAMPLE_RATE as f32 / HOP as f32;
        let (n, frames, hops) = self.past(|history| {
            history.iter().rev().take(seconds).fold((0.0_f32, 0.0, 0.0), |(n, frames, hops), v| {
                (n + 1.0, frames + v.fps / v.fps_target.max(1.0), hops + v.hop_rate / HOPS_DUE)
            })
        });
        // The cast rounds down and saturates.
        let fifteenths = |sum: f32| if n > 0.0 { (15.0 * sum / n + 0.5) as u8 } else { 0 };
        Pace { frames: fifteenths(frames).min(15), hops: fifteenths(hops).min(15) }
    }

    /// Changes the shared state.
    pub fn note<T>(&self, note: impl FnOnce(&mut State) -> T) -> T {
        self.state.lock(|state| note(&mut state.borrow_mut()))
    }
}

impl State {
    const fn new() -> Self {
        Self {
            memory: Memory::new(),
            loaded: Loaded { groups: 0, damaged: 0, erased: false },
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
            fade_s: FADE_S,
            recalled_us: None,
        }
    }
}
