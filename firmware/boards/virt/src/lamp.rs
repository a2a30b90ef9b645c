#![no_std]
#![no_main]

//! The virtual lamp: hart 1 hears, hart 0 shows, on a bare emulated machine.
//!
//! The renderer runs in hart 0's software interrupt, with a higher priority than the network, and each hart has its own
//! executor: the network cannot delay light or sound.

extern crate alloc;

mod faults;
mod flash;
mod heap;
mod last_words;
mod machine;
mod net;
mod power;
mod serial;
mod tape;
mod time;

use core::cell::{Cell, RefCell};
use core::panic::PanicInfo;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32};

use critical_section::Mutex;
use embassy_executor::raw::Executor;
use embassy_futures::block_on;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_time::Duration;
use faults::Fault;
use flash::Flash;
use k1_device::answers::Stack as StackUse;
use k1_device::exchange::Settings;
use k1_device::guard::{Part, Progress, Watch};
use k1_device::live::HeardHop;
use k1_device::meter::{Count, Ledger};
use k1_device::microphone::Slots;
use k1_device::settings::{Hardware, Memory, Store};
use k1_engine::HOP;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_engine::random::SplitMix64;
use k1_lamp::board::{Facts, Microphone, MicrophoneFault, Strip, StripFault};
use k1_lamp::journal::GAVE_WAY;
use k1_lamp::receive::{FlashPart, SETTINGS, SharedFlash, Updater};
use k1_lamp::reset_filter::ResetFilter;
use k1_lamp::rtp::{self, Line, RtpMicrophone};
use k1_lamp::show::Wire;
use k1_lamp::trial::{self, MOST_CRASHES};
use k1_lamp::web::{self, Admission, Buffers, WORKERS};
use k1_lamp::{BINS, Lamp, Show, State, console, espota, guard, hear, mdns, memory, mirror, self_test, show};
use k1_update::layout::{Layout, Slot};
use last_words::End;
use serial::print;
use static_cell::{ConstStaticCell, StaticCell};
use tape::Tape;

static LAMP: Lamp = Lamp::new();
static LINE: Line = Line::new();

/// Executors: the network, the renderer above it, and the ear on its own hart.
const NETWORK: usize = 0;
const RENDERER: usize = 1;
const EAR: usize = 2;
static READY: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
static RENDERER_EXECUTOR: StaticCell<Executor> = StaticCell::new();
/// Address of the renderer's executor for the software interrupt of hart 0; 0 before it exists.
static RENDERER_AT: AtomicU32 = AtomicU32::new(0);
/// True while hart 0 renders.
static RENDERING: AtomicBool = AtomicBool::new(false);

#[unsafe(export_name = "__pender")]
fn pender(context: *mut ()) {
    let which = context as usize;
    READY[which].store(true, Release);
    match which {
        RENDERER => machine::poke(0),
        EAR if machine::hart() != 1 => machine::poke(1),
        // The network's hart is awake: it runs this code, or an interrupt has woken it.
        NETWORK if machine::hart() != 0 => machine::poke(0),
        _ => {}
    }
}

/// True while this hart runs code that must not allocate.
fn in_real_time() -> bool {
    match machine::hart() {
        0 => RENDERING.load(Relaxed),
        _ => LAMP.hears_on.load(Relaxed) != 0,
    }
}

#[unsafe(no_mangle)]
extern "C" fn trap(cause: u32, address: u32, value: u32) {
    const SOFTWARE: u32 = 0x8000_0003;
    const TIMER: u32 = 0x8000_0007;
    const DEVICE: u32 = 0x8000_000b;
    let hart = machine::hart();
    match cause {
        SOFTWARE => {
            machine::unpoke(hart);
            if hart == 0 && READY[RENDERER].swap(false, Acquire) {
                let at = RENDERER_AT.load(Acquire) as *const Executor;
                if !at.is_null() {
                    RENDERING.store(true, Relaxed);
                    // SAFETY: the address of an executor in a `static`, which only this interrupt of this hart polls.
                    unsafe { (*at).poll() };
                    RENDERING.store(false, Relaxed);
                }
            }
        }
        TIMER => {
            time::alarm(hart);
            guard_from(hart);
        }
        DEVICE => loop {
            match machine::claim_device() {
                0 => break,
                irq => {
                    net::acknowledge(irq);
                    net::WAKER.wake();
                    machine::complete_device(irq);
                }
            }
        },
        machine::STUCK => {
            panic!("{}", if address == 1 { Part::Ear } else { Part::Renderer }.last_words())
        }
        _ => panic!("trap {cause} at {address:#010x}, value {value:#010x}"),
    }
}

/// Checks all parts from the timer interrupt of each hart, so that each hart notices when the other hangs. The machine
/// does not have a watchdog.
fn guard_from(hart: u32) {
    const EVERY_MS: u32 = 500;
    static WATCHES: [Watch; 2] = [const { Watch::new() }; 2];
    static LAST_MS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    let (hart, now_ms) = (hart as usize, (machine::now_us() / 1000) as u32);
    if now_ms.wrapping_sub(LAST_MS[hart].load(Relaxed)) < EVERY_MS {
        return;
    }
    LAST_MS[hart].store(now_ms, Relaxed);
    if let Progress::Starved(part) = guard::look(&LAMP, &WATCHES[hart]) {
        panic!("{}", part.last_words());
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    use core::fmt::Write;
    print(format_args!("[PANIC] hart {}: {info}", machine::hart()));
    let mut words = heapless::String::<120>::new();
    // Text that does not fit is left out.
    let _ = write!(words, "{}", info.message());
    if let Some(at) = info.location() {
        let _ = write!(words, " ({}:{})", at.file().rsplit('/').next().unwrap_or_default(), at.line());
    }
    last_words::leave(End::Panic, &words);
    power::reset()
}

fn restart(words: Option<&str>) -> ! {
    match words {
        Some(words) => last_words::leave(End::TakenBack, words),
        None => last_words::leave(End::Asked, ""),
    }
    power::reset()
}

/// A strip that only takes the time of a real one, because this lamp sends its light only over the network.
struct ModelledStrip(Wire);

impl Strip for ModelledStrip {
    async fn send(&mut self, _: &[u8]) -> Result<(), StripFault> {
        self.0.take().await;
        if faults::wished() == Fault::Slow {
            embassy_time::Timer::after_millis(12).await;
        }
        Ok(())
    }
}

/// The source of sound.
enum Sound {
    Network(RtpMicrophone),
    Tape(Tape),
}

/// A microphone that sends the sound in the right one of two slots.
struct ModelledMicrophone(Sound, Slots);

impl Microphone for ModelledMicrophone {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        let at = match &mut self.0 {
            Sound::Network(microphone) => microphone.read(hop, bound).await?,
            Sound::Tape(tape) => tape.read(hop).await,
        };
        for sample in hop {
            let (mut heard, mut other) = (*sample, 0.0);
            if faults::wished() == Fault::Side {
                core::mem::swap(&mut heard, &mut other);
            }
            let steps = |level: f32| (level * 131_072.0) as i32;
            self.1.frame(steps(heard), steps(other));
            *sample = heard;
        }
        Ok(at)
    }

    fn take_overruns(&mut self) -> u32 {
        match &mut self.0 {
            Sound::Network(microphone) => microphone.take_overruns(),
            Sound::Tape(tape) => tape.take_lost(),
        }
    }

    fn speaks_elsewhere(&self) -> bool {
        self.1.is_other()
    }
}

/// Starts a task. Each kind of task has room for exactly the number that is started.
macro_rules! start {
    ($spawner:expr, $task:expr) => {
        match $task {
            Ok(token) => $spawner.spawn(token),
            Err(_) => panic!("a task was started twice"),
        }
    };
}

#[embassy_executor::task]
async fn hear_task(
    ear: &'static mut Ear,
    microphone: ModelledMicrophone,
    tap: heapless::spsc::Producer<'static, HeardHop>,
) {
    hear::hear(&LAMP, machine::hart(), ear, microphone, tap).await
}

#[embassy_executor::task]
async fn show_task(renderer: &'static mut Show, hardware: Hardware, look: Settings) {
    let strip = ModelledStrip(Wire::new(usize::from(hardware.leds), hardware.reset_us));
    show::show(&LAMP, machine::hart(), renderer, strip, hardware, look).await
}

#[embassy_executor::task]
async fn network_task(mut runner: embassy_net::Runner<'static, ResetFilter<net::Card>>) {
    if faults::wished() == Fault::Deaf {
        core::future::pending::<()>().await;
    }
    runner.run().await
}

#[embassy_executor::task(pool_size = WORKERS)]
async fn web_task(
    stack: Stack<'static>,
    admission: &'static RefCell<Admission>,
    updater: &'static Updater<Flash>,
    buffers: &'static mut Buffers,
) {
    web::work(&LAMP, stack, admission, updater, buffers).await
}

#[embassy_executor::task]
async fn espota_task(stack: Stack<'static>, updater: &'static Updater<Flash>, chance: Chance) {
    let mut chance = chance;
    espota::listen(&LAMP, stack, updater, move || chance.next()).await
}

#[embassy_executor::task]
async fn judge_task(updater: &'static Updater<Flash>, admission: &'static RefCell<Admission>) {
    trial::judge(&LAMP, updater, admission, print, restart).await
}

#[embassy_executor::task]
async fn rest_task(crashes: u32) {
    if faults::wished() == Fault::Late {
        // The first panic comes after the image was confirmed.
        embassy_time::Timer::after_secs(if crashes == 0 { 25 } else { 6 }).await;
        panic!("told to fall over late");
    }
    if faults::wished() == Fault::Leak {
        loop {
            embassy_time::Timer::after_secs(1).await;
            core::mem::forget(alloc::vec::Vec::<u8>::with_capacity(512));
        }
    }
    trial::come_to_rest(last_words::forget_crashes).await
}

#[embassy_executor::task]
async fn rtp_task(stack: Stack<'static>, samples: heapless::spsc::Producer<'static, i16>) {
    rtp::receive(&LAMP, stack, &LINE, samples).await
}

#[embassy_executor::task]
async fn mirror_task(stack: Stack<'static>) {
    mirror::mirror(&LAMP, stack).await
}

#[embassy_executor::task]
async fn mdns_task(stack: Stack<'static>) {
    mdns::answer(&LAMP, stack).await
}

#[embassy_executor::task]
async fn beat_task() {
    guard::beat(&LAMP).await
}

#[embassy_executor::task]
async fn memory_task(store: Store<FlashPart<Flash>>, written: Memory) {
    memory::keep(&LAMP, store, written).await
}

#[embassy_executor::task]
async fn report_task(ledger: &'static mut Ledger<BINS>) {
    if faults::wished() == Fault::Mute {
        core::future::pending::<()>().await;
    }
    console::report(&LAMP, print, probe, ledger).await
}

#[embassy_executor::task]
async fn sound_task(tap: heapless::spsc::Consumer<'static, HeardHop>) {
    console::share_sound(&LAMP, tap).await
}

#[embassy_executor::task]
async fn self_test_task() {
    self_test::read(&LAMP).await
}

#[embassy_executor::task]
async fn address_task(stack: Stack<'static>) {
    console::address(&LAMP, print, stack).await
}

fn probe(s: &mut State) {
    let [render, audio] = machine::stacks().map(|(size, headroom)| Some(StackUse { size, headroom }));
    s.render_stack = render;
    s.audio_stack = audio;
    s.heap = Some(heap::state());
    static BEFORE: Mutex<Cell<(u32, [u32; 2])>> = Mutex::new(Cell::new((0, [0; 2])));
    let now = (machine::now_us() as u32, machine::asleep_us());
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

/// Values that hart 1 takes when it starts.
static EAR_PARTS: Mutex<RefCell<Option<EarParts>>> = Mutex::new(RefCell::new(None));
type EarParts = (&'static mut Ear, ModelledMicrophone, heapless::spsc::Producer<'static, HeardHop>);

#[unsafe(no_mangle)]
extern "C" fn hart1() -> ! {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let executor: &'static Executor = EXECUTOR.init(Executor::new(EAR as *mut ()));
    let Some((ear, microphone, tap)) = critical_section::with(|cs| EAR_PARTS.take(cs)) else {
        panic!("hart 1 was released with nothing to do");
    };
    start!(executor.spawner(), hear_task(ear, microphone, tap));
    machine::enable_interrupts();
    loop {
        READY[EAR].store(false, Release);
        // SAFETY: this executor is polled only here.
        unsafe { executor.poll() };
        machine::sleep_unless(&READY[EAR]);
    }
}

#[unsafe(no_mangle)]
extern "C" fn hart0(slot: u32) -> ! {
    machine::begin_late();
    heap::start();
    let found = last_words::take();
    let running = if slot == 0 { Slot::App0 } else { Slot::App1 };
    let Some((card, irq)) = net::Card::find() else {
        print(format_args!("[BOOT] no network card: start QEMU with -device virtio-net-device"));
        power::exit(1)
    };
    let tape = Tape::find();
    let (image, statics) = machine::sizes();
    LAMP.note(|s| {
        s.facts = Facts {
            board: "virt",
            source: if tape.is_some() { "a tape, 16 kHz" } else { "RTP, L16, 16 kHz, UDP port 5004" },
            mac: card.address(),
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
    // SAFETY: taken once.
    let flash: &'static SharedFlash<Flash> = FLASH.init(SharedFlash::new(unsafe { Flash::take() }));
    let updater: &'static Updater<Flash> = UPDATER.init(Updater::new(flash, Layout::K1, Some(running)));
    if found.crashes >= MOST_CRASHES && block_on(updater.give_way()) {
        restart(Some(GAVE_WAY));
    }
    block_on(updater.look(&LAMP));

    let part = FlashPart::new(flash, 0, Layout::K1.otadata);
    let Some(mut store) = Store::new(part, SETTINGS) else {
        panic!("the settings area is not a whole number of sectors")
    };
    let mut chance = Chance(SplitMix64::new(machine::host_ns()));
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
    machine::start_hart1();

    let executor: &'static Executor = RENDERER_EXECUTOR.init(Executor::new(RENDERER as *mut ()));
    start!(executor.spawner(), show_task(renderer, remembered.hardware.clone(), remembered.look));
    RENDERER_AT.store(core::ptr::from_ref(executor) as u32, Release);
    READY[RENDERER].store(true, Release);

    static RESOURCES: StaticCell<StackResources<{ WORKERS + 5 + espota::SOCKETS }>> = StaticCell::new();
    let seed = machine::now_us() ^ 0x9e37_79b9_7f4a_7c15;
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
        start!(spawner, web_task(stack, admission, updater, buffers));
    }
    if let Some(samples) = samples_in {
        start!(spawner, rtp_task(stack, samples));
    }
    start!(spawner, beat_task());
    start!(spawner, mirror_task(stack));
    start!(spawner, mdns_task(stack));
    start!(spawner, espota_task(stack, updater, chance));
    start!(spawner, judge_task(updater, admission));
    start!(spawner, rest_task(found.crashes));
    start!(spawner, memory_task(store, remembered));
    start!(spawner, report_task(LEDGER.take()));
    start!(spawner, sound_task(tap_out));
    start!(spawner, self_test_task());
    start!(spawner, address_task(stack));
    console::started(&LAMP, print, machine::main_stack_used());
    machine::enable_device(irq);
    machine::enable_interrupts();
    machine::poke(0);
    loop {
        READY[NETWORK].store(false, Release);
        // SAFETY: this executor is polled only here.
        unsafe { executor.poll() };
        machine::sleep_unless(&READY[NETWORK]);
    }
}
