//! The virtual lamp: the second core hears, the first shows, on a bare emulated machine.

mod executors;
mod models;
mod tasks;

use core::cell::{Cell, RefCell};
use core::panic::PanicInfo;
use core::sync::atomic::Ordering::Relaxed;

use critical_section::Mutex;
use embassy_executor::raw::Executor;
use embassy_executor::{SpawnError, SpawnToken};
use embassy_futures::block_on;
use embassy_net::{Config, DhcpConfig, Runner, StackResources};
use embassy_net_driver::{Driver, HardwareAddress};
use executors::{EAR, NETWORK};
pub use executors::{in_real_time, software_interrupt, timer_interrupt};
use k1_device::answers::Stack as StackUse;
use k1_device::guard::Part;
use k1_device::live::HeardHop;
use k1_device::meter::{Count, Ledger};
use k1_device::microphone::Slots;
use k1_device::settings::Store;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_engine::random::SplitMix64;
use k1_lamp::board::Facts;
use k1_lamp::journal::GAVE_WAY;
use k1_lamp::receive::{FlashPart, SETTINGS, SharedFlash, Updater};
use k1_lamp::reset_filter::ResetFilter;
use k1_lamp::rtp::{self, Line, RtpMicrophone};
use k1_lamp::start;
use k1_lamp::trial::MOST_CRASHES;
use k1_lamp::web::{self, Admission, Buffers, WORKERS};
use k1_lamp::{BINS, Lamp, Show, State, Streams, console, espota, hear, memory};
use k1_update::layout::{Layout, Slot};
use models::{ModelledMicrophone, Sound};
use static_cell::{ConstStaticCell, StaticCell};

use crate::faults::{self, Fault};
use crate::flash::Flash;
use crate::heap;
use crate::last_words::{self, End};
use crate::machine::{machine, print};
use crate::tape::Tape;

static STREAMS: Streams = Streams::new();
static LAMP: Lamp = Lamp::new(&STREAMS);
static LINE: Line = Line::new();

/// Reports a panic, leaves its message for the next start, and resets the machine.
pub fn fall_over(info: &PanicInfo) -> ! {
    use core::fmt::Write;
    print(format_args!("[PANIC] core {}: {info}", machine().core()));
    let mut words = heapless::String::<120>::new();
    // Text that does not fit is left out.
    let _ = write!(words, "{}", info.message());
    if let Some(at) = info.location() {
        let _ = write!(words, " ({}:{})", at.file().rsplit('/').next().unwrap_or_default(), at.line());
    }
    last_words::leave(End::Panic, &words);
    machine().reset()
}

fn restart(words: Option<&str>) -> ! {
    match words {
        Some(words) => last_words::leave(End::TakenBack, words),
        None => last_words::leave(End::Asked, ""),
    }
    machine().reset()
}

fn probe(s: &mut State) {
    let [render, audio] = machine().stacks().map(|(size, headroom)| Some(StackUse { size, headroom }));
    s.render_stack = render;
    s.audio_stack = audio;
    s.heap = Some(heap::state());
    static BEFORE: Mutex<Cell<(u32, [u32; 2])>> = Mutex::new(Cell::new((0, [0; 2])));
    let now = (machine().now_us() as u32, machine().asleep_us());
    let before = critical_section::with(|cs| BEFORE.borrow(cs).replace(now));
    let time = now.0.wrapping_sub(before.0).max(1) as f32;
    let asleep = |hart: usize| now.1[hart].wrapping_sub(before.1[hart]) as f32 / time;
    s.core_busy = Some([0, 1].map(|hart| (1.0 - asleep(hart)).clamp(0.0, 1.0)));
    let forbidden = heap::FORBIDDEN.swap(0, Relaxed);
    LAMP.meters.count(Count::Allocations, forbidden);
}

/// Random numbers seeded with the host's clock, which is enough for a lamp that only this machine can reach.
struct Chance(SplitMix64);

impl Chance {
    fn next(&mut self) -> u32 {
        (self.0.next_u64() >> 32) as u32
    }
}

/// Values that the second core takes when it starts.
static EAR_PARTS: Mutex<RefCell<Option<EarParts>>> = Mutex::new(RefCell::new(None));
type EarParts = (&'static mut Ear, ModelledMicrophone, heapless::spsc::Producer<'static, HeardHop>);

/// The second core's part: it hears.
///
/// # Panics
/// If the first core has prepared nothing.
pub fn second() -> ! {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let executor: &'static Executor = EXECUTOR.init(Executor::new(EAR as *mut ()));
    let Some((ear, microphone, tap)) = critical_section::with(|cs| EAR_PARTS.take(cs)) else {
        panic!("the second core was released with nothing to do");
    };
    start!(executor.spawner(), tasks::hear_task(ear, microphone, tap));
    executors::run(EAR, executor)
}

/// The network card with its filter, as [`first`] gives it to the task that the board declares.
pub type CardRunner<D> = Runner<'static, ResetFilter<D>>;

/// Runs the network card for ever, or never if the image's fault is that.
pub async fn run_card<D: Driver>(mut runner: Runner<'_, ResetFilter<D>>) -> ! {
    if faults::wished() == Fault::Deaf {
        core::future::pending::<()>().await;
    }
    runner.run().await
}

/// The first core's part: it starts everything, and shows. The heap has been [started](heap::start).
///
/// `slot` is the number of the slot from which the image was loaded. A task cannot be generic, so the board declares the
/// one that runs its `card`, see [`run_card`].
///
/// # Panics
/// At a second call.
pub fn first<D: Driver + 'static, S>(
    slot: u32,
    card: D,
    flash: Flash,
    network_task: impl FnOnce(CardRunner<D>) -> Result<SpawnToken<S>, SpawnError>,
) -> ! {
    let found = last_words::take();
    let running = if slot == 0 { Slot::App0 } else { Slot::App1 };
    let tape = Tape::find(machine().memory());
    let (image, statics) = machine().sizes();
    let HardwareAddress::Ethernet(mac) = card.hardware_address() else { panic!("not an Ethernet card") };
    LAMP.note(|s| {
        s.facts = Facts {
            board: machine().name(),
            source: if tape.is_some() { "a tape, 16 kHz" } else { "RTP, L16, 16 kHz, UDP port 5004" },
            mac,
            reset_reason: found
                .words
                .as_deref()
                .and_then(Part::named_in)
                .map_or(found.reason, Part::reset_reason),
            last_panic: found.words,
            firmware_hash: [0; 8],
            slot: running.name(),
            image_bytes: Some(image),
            // The heap does not count, because it uses the remaining memory.
            static_ram_bytes: Some(statics - heap::SIZE as u32),
        };
    });

    // The flash answers at once, so this does not block.
    static FLASH: StaticCell<SharedFlash<Flash>> = StaticCell::new();
    static UPDATER: StaticCell<Updater<Flash>> = StaticCell::new();
    let flash: &'static SharedFlash<Flash> = FLASH.init(SharedFlash::new(flash));
    let updater: &'static Updater<Flash> = UPDATER.init(Updater::new(flash, Layout::K1, Some(running)));
    if found.crashes >= MOST_CRASHES && block_on(updater.give_way()) {
        restart(Some(GAVE_WAY));
    }
    block_on(updater.look(&LAMP));

    let part = FlashPart::new(flash, 0, Layout::K1.otadata);
    let Some(mut store) = Store::new(part, SETTINGS) else {
        panic!("the settings area is not a whole number of sectors")
    };
    let mut chance = Chance(SplitMix64::new(machine().chance()));
    let remembered = block_on(memory::load(&LAMP, &mut store, || chance.next()));
    console::boot(&LAMP, print);
    match faults::wished() {
        Fault::Panic => panic!("told to fall over"),
        Fault::Hang => loop {
            core::hint::spin_loop();
        },
        _ => {}
    }

    // The state of the halves does not fit on a stack, so it is started in its place.
    static EAR_PLACE: ConstStaticCell<Ear> = ConstStaticCell::new(Ear::BLANK);
    static SHOW_PLACE: ConstStaticCell<Show> = ConstStaticCell::new(Show::BLANK);
    static SAMPLES: ConstStaticCell<heapless::spsc::Queue<i16, { rtp::QUEUE }>> =
        ConstStaticCell::new(heapless::spsc::Queue::new());
    static TAP: ConstStaticCell<heapless::spsc::Queue<HeardHop, { hear::TAP }>> =
        ConstStaticCell::new(heapless::spsc::Queue::new());
    let ear = EAR_PLACE.take();
    ear.start();
    let limit = remembered.hardware.limit_ma;
    let output = OutputSettings { limit_ma: (limit > 0).then(|| f32::from(limit)) };
    let renderer = SHOW_PLACE.take();
    renderer.start(usize::from(remembered.hardware.leds), output);
    let (samples_in, samples_out) = SAMPLES.take().split();
    let (tap_in, tap_out) = TAP.take().split();
    let (sound, samples_in) = match tape {
        Some(tape) => (Sound::Tape(tape), None),
        None => (Sound::Network(RtpMicrophone::new(&LINE, samples_out)), Some(samples_in)),
    };
    let microphone = ModelledMicrophone(sound, Slots::default());
    critical_section::with(|cs| EAR_PARTS.replace(cs, Some((ear, microphone, tap_in))));
    machine().start_second();

    let executor = executors::renderer();
    let (hardware, settings, look) = (remembered.hardware.clone(), remembered.strip, remembered.look);
    start!(executor.spawner(), tasks::show_task(renderer, hardware, settings, look));
    executors::release_renderer(executor);

    static RESOURCES: StaticCell<StackResources<{ WORKERS + 5 + espota::SOCKETS }>> = StaticCell::new();
    let seed = machine().now_us() ^ 0x9e37_79b9_7f4a_7c15;
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) =
        embassy_net::new(ResetFilter(card), Config::dhcpv4(DhcpConfig::default()), resources, seed);
    static ADMISSION: StaticCell<RefCell<Admission>> = StaticCell::new();
    let token = Some(remembered.hardware.token.clone()).filter(|t| !t.is_empty());
    let admission = ADMISSION.init_with(|| RefCell::new(web::admission(token)));
    static LEDGER: ConstStaticCell<Ledger<BINS>> = ConstStaticCell::new(Ledger::new());
    static BUFFERS: ConstStaticCell<[Buffers; WORKERS]> =
        ConstStaticCell::new([const { Buffers::new() }; WORKERS]);
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let executor: &'static Executor = EXECUTOR.init(Executor::new(NETWORK as *mut ()));
    let spawner = executor.spawner();
    start!(spawner, network_task(runner));
    for buffers in BUFFERS.take().iter_mut() {
        start!(spawner, tasks::web_task(stack, admission, updater, buffers));
    }
    if let Some(samples) = samples_in {
        start!(spawner, tasks::rtp_task(stack, samples));
    }
    start!(spawner, tasks::beat_task());
    start!(spawner, tasks::mirror_task(stack));
    start!(spawner, tasks::mdns_task(stack));
    start!(spawner, tasks::espota_task(stack, updater, chance));
    start!(spawner, tasks::judge_task(updater, admission));
    start!(spawner, tasks::rest_task(found.crashes));
    start!(spawner, tasks::memory_task(store, remembered));
    start!(spawner, tasks::report_task(LEDGER.take()));
    start!(spawner, tasks::sound_task(tap_out));
    start!(spawner, tasks::self_test_task());
    start!(spawner, tasks::address_task(stack));
    console::started(&LAMP, print, machine().main_stack_used());
    executors::run(NETWORK, executor)
}
