#![no_std]
#![no_main]

//! The real lamps: core 1 hears; core 0 shows, with a higher priority than the network.
//!
//! | Room | Purpose |
//! |---|---|
//! | `chips/` | pins and channels of each chip |
//! | [`real_time`] | priority of light and sound on their cores |
//! | [`strip`] | WS2812 through SPI, by DMA |
//! | [`microphone`] | the SPH0645 by I²S, by DMA |
//! | [`network`] | Wi-Fi or Ethernet |
//! | `improv` | choice of the lamp's network over USB |
//! | [`flash`] | settings, and which slot runs |
//! | [`serial`] | the console |
//! | [`stack`] | how much stack `main` uses |
//! | [`last_words`] | how the last run ended |
//! | [`taken`] | static memory of the firmware |
//!
//! Drivers are created on the core and in the task that own them, because their interrupts are bound where they are
//! created.

extern crate alloc;

#[cfg_attr(feature = "esp32s3", path = "chips/esp32s3.rs")]
#[cfg_attr(feature = "esp32s31", path = "chips/esp32s31.rs")]
#[cfg_attr(feature = "esp32p4", path = "chips/esp32p4.rs")]
#[cfg_attr(feature = "esp32c6", path = "chips/esp32c6.rs")]
mod chip;
mod dma;
mod flash;
#[cfg(improv)]
mod improv;
mod last_words;
#[cfg(i2s_driver_supported)]
mod microphone;
mod network;
mod real_time;
mod serial;
mod stack;
mod strip;
mod taken;

use core::cell::RefCell;

use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
#[cfg(soc_has_tsens)]
use embassy_time::{Duration, Ticker};
use esp_hal::clock::CpuClock;
use esp_hal::efuse;
#[cfg(soc_has_tsens)]
use esp_hal::peripherals::TSENS;
#[cfg(improv)]
use esp_hal::peripherals::USB_DEVICE;
#[cfg(wifi_driver_supported)]
use esp_hal::peripherals::WIFI;
#[cfg(rng_trng_supported)]
use esp_hal::peripherals::{ADC1, RNG};
#[cfg(multi_core)]
use esp_hal::peripherals::{CPU_CTRL, FROM_CPU_INTR1};
use esp_hal::peripherals::{FLASH, FROM_CPU_INTR0, TIMG0};
use esp_hal::rng::Rng;
#[cfg(rng_trng_supported)]
use esp_hal::rng::TrngSource;
use esp_hal::system::Cpu;
use esp_hal::timer::timg::{MwdtStage, TimerGroup, Wdt};
#[cfg(soc_has_tsens)]
use esp_hal::tsens::{self, TemperatureSensor};
use esp_rtos::embassy::Executor;
use flash::Flash;
use k1_device::answers::Heap;
use k1_device::exchange::Settings;
use k1_device::live::HeardHop;
use k1_device::meter::Ledger;
use k1_device::settings::{Hardware, Memory, Store, StripSettings};
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_lamp::board::Facts;
use k1_lamp::journal::GAVE_WAY;
#[cfg(wifi_driver_supported)]
use k1_lamp::portal;
use k1_lamp::receive::{FlashPart, SETTINGS, SharedFlash, Updater};
use k1_lamp::reset_filter::ResetFilter;
#[cfg(not(i2s_driver_supported))]
use k1_lamp::rtp;
use k1_lamp::start;
use k1_lamp::trial::{self, MOST_CRASHES};
use k1_lamp::web::{self, Admission, Buffers, WORKERS};
use k1_lamp::{
    BINS, Lamp, Show, State, Streams, console, espota, guard, hear, mdns, memory, mirror, self_test, show,
};
use k1_update::layout::{Layout, Slot};
use portable_atomic::{AtomicU32, Ordering::Relaxed};
use static_cell::{ConstStaticCell, StaticCell};

esp_bootloader_esp_idf::esp_app_desc!();

static STREAMS: Streams = Streams::new();
static LAMP: Lamp = Lamp::new(&STREAMS);
#[cfg(not(i2s_driver_supported))]
static LINE: rtp::Line = rtp::Line::new();

/// The hardware that a chip's `parts` returns.
pub struct Parts {
    /// Timer group with the scheduler's timer and the watchdog.
    pub timers: TIMG0<'static>,
    /// The scheduler's interrupt.
    pub scheduler: FROM_CPU_INTR0<'static>,
    /// The second core and its scheduler's interrupt.
    #[cfg(multi_core)]
    pub second_core: (CPU_CTRL<'static>, FROM_CPU_INTR1<'static>),
    /// The interrupts of renderer and ear.
    #[cfg(interrupt_levels)]
    pub levels: real_time::Levels,
    /// Hardware of the strip.
    pub strip: strip::Parts,
    /// Hardware of the microphone.
    #[cfg(i2s_driver_supported)]
    pub microphone: microphone::Parts,
    /// The chip's thermometer.
    #[cfg(soc_has_tsens)]
    pub thermometer: TSENS<'static>,
    /// The random number generator, and the converter whose noise it needs while the radio is off.
    #[cfg(rng_trng_supported)]
    pub noise: (RNG<'static>, ADC1<'static>),
    /// The flash.
    pub flash: FLASH<'static>,
    /// Wi-Fi radio.
    #[cfg(wifi_driver_supported)]
    pub network: WIFI<'static>,
    /// USB controller.
    #[cfg(improv)]
    pub usb: USB_DEVICE<'static>,
    /// Hardware of Ethernet.
    #[cfg(not(wifi_driver_supported))]
    pub network: network::Parts,
}

/// How the ear gets its sound.
#[cfg(i2s_driver_supported)]
type Sound = microphone::Parts;
/// How the ear gets its sound.
#[cfg(not(i2s_driver_supported))]
type Sound = rtp::RtpMicrophone;

#[cfg(i2s_driver_supported)]
const SOURCE: &str = microphone::SOURCE;
#[cfg(not(i2s_driver_supported))]
const SOURCE: &str = "RTP, L16, 16 kHz, UDP port 5004";

/// The watchdog resets the lamp when it was not fed for this time: twice the guard's patience, so that the guard acts
/// first.
const WATCHDOG: esp_hal::time::Duration = esp_hal::time::Duration::from_secs(10);
/// Smallest number of free bytes in the heap at any check.
static LEAST_FREE: AtomicU32 = AtomicU32::new(u32::MAX);

#[embassy_executor::task]
async fn hear_task(ear: &'static mut Ear, sound: Sound, tap: heapless::spsc::Producer<'static, HeardHop>) {
    #[cfg(i2s_driver_supported)]
    let sound = match microphone::Sph0645::new(sound) {
        Ok(microphone) => microphone,
        Err(_) => panic!("the microphone's bus cannot be set up"),
    };
    hear::hear(&LAMP, Cpu::current() as u32, ear, sound, tap).await
}

#[embassy_executor::task]
async fn show_task(
    renderer: &'static mut Show,
    parts: strip::Parts,
    hardware: Hardware,
    settings: StripSettings,
    look: Settings,
) {
    let strip = match strip::Ws2812::new(parts, &hardware, &settings) {
        Ok(strip) => strip,
        Err(_) => panic!("the strip's bus cannot be set up"),
    };
    show::show(&LAMP, Cpu::current() as u32, renderer, strip, hardware, settings, look).await
}

#[embassy_executor::task]
async fn network_task(mut runner: embassy_net::Runner<'static, ResetFilter<network::Card>>) {
    runner.run().await
}

#[cfg(wifi_driver_supported)]
#[embassy_executor::task]
async fn wifi_task(radio: WIFI<'static>, portal: Stack<'static>) {
    network::keep_connected(&LAMP, radio, portal).await
}

#[cfg(wifi_driver_supported)]
#[embassy_executor::task]
async fn access_point_task(mut runner: embassy_net::Runner<'static, ResetFilter<network::Card>>) {
    runner.run().await
}

#[cfg(improv)]
#[embassy_executor::task]
async fn improv_task(usb: USB_DEVICE<'static>) {
    improv::listen(&LAMP, usb).await
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
async fn espota_task(stack: Stack<'static>, updater: &'static Updater<Flash>) {
    let chance = Rng::new();
    espota::listen(&LAMP, stack, updater, || chance.random()).await
}

#[embassy_executor::task]
async fn judge_task(updater: &'static Updater<Flash>, admission: &'static RefCell<Admission>) {
    trial::judge(&LAMP, updater, admission, serial::print, last_words::restart).await
}

#[embassy_executor::task]
async fn rest_task() {
    trial::come_to_rest(last_words::forget_starts).await
}

#[cfg(not(i2s_driver_supported))]
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
async fn address_task(stack: Stack<'static>) {
    console::address(&LAMP, serial::print, stack).await
}

#[embassy_executor::task]
async fn memory_task(store: Store<FlashPart<Flash>>, written: Memory) {
    memory::keep(&LAMP, store, written).await
}

#[embassy_executor::task]
async fn report_task(ledger: &'static mut Ledger<BINS>) {
    console::report(&LAMP, serial::print, probe, ledger).await
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
async fn serial_task() {
    serial::drain().await
}

/// Feeds the hardware watchdog while the count of every part moves.
#[embassy_executor::task]
async fn guard_task(mut watchdog: Wdt<TIMG0<'static>>) {
    guard::guard(&LAMP, |missed| {
        last_words::suspect(missed);
        if missed.is_none() {
            watchdog.feed();
        }
    })
    .await
}

#[embassy_executor::task]
async fn beat_task() {
    guard::beat(&LAMP).await
}

/// Measures the temperature of the chip every second; the chip is warmer than the room.
#[cfg(soc_has_tsens)]
#[embassy_executor::task]
async fn temperature_task(thermometer: TSENS<'static>) {
    let sensor = match TemperatureSensor::new(thermometer, tsens::Config::default()) {
        Ok(sensor) => sensor,
        Err(_) => {
            serial::print(format_args!("[BOOT] the chip's thermometer cannot be set up"));
            return;
        }
    };
    let mut ticker = Ticker::every(Duration::from_secs(1));
    loop {
        ticker.next().await;
        let celsius = sensor.get_temperature().to_celsius();
        LAMP.note(|s| s.temperature_c = Some(celsius));
    }
}

fn probe(s: &mut State) {
    let stats = esp_alloc::HEAP.stats();
    let (size, free) = (stats.size as u32, (stats.size - stats.current_usage) as u32);
    s.heap = Some(Heap { size, free, least_free: LEAST_FREE.fetch_min(free, Relaxed).min(free) });
    #[cfg(interrupt_levels)]
    {
        let [render, audio] = real_time::stacks();
        (s.render_stack, s.audio_stack) = (Some(render), Some(audio));
    }
}

/// First 8 bytes of the hash that espflash writes into the image; zeros if another tool made the image.
fn firmware_hash() -> [u8; 8] {
    // SAFETY: a valid `static`. Its content changes after compilation, so the compiler must not assume a value.
    let description = unsafe { (&raw const ESP_APP_DESC).read_volatile() };
    let mut hash = [0; 8];
    hash.copy_from_slice(&description.app_elf_sha256()[..8]);
    hash
}

#[esp_hal::main]
fn main() -> ! {
    stack::paint();
    let parts = chip::parts(esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max())));
    chip::heap();
    let last_panic = last_words::take();
    #[cfg(soc_has_tsens)]
    let thermometer = parts.thermometer;
    let timers = TimerGroup::new(parts.timers);
    // The HAL has just switched off the bootloader's watchdog. An image that hangs from here on restarts, so that the
    // bootloader can take it back.
    let mut watchdog = timers.wdt;
    watchdog.set_timeout(MwdtStage::Stage0, WATCHDOG);
    watchdog.enable();
    esp_rtos::start(timers.timer0, parts.scheduler);

    let mut flash = Flash::new(parts.flash);
    let mac = efuse::base_mac_address();
    let mut address = [0; 6];
    address.copy_from_slice(mac.as_bytes());
    let slot = flash.slot();
    let starts = last_words::count_start();
    LAMP.note(|s| {
        s.facts = Facts {
            board: chip::BOARD,
            source: SOURCE,
            mac: address,
            reset_reason: last_words::why(last_panic.as_deref()),
            last_panic,
            firmware_hash: firmware_hash(),
            slot: slot.map_or("unknown", Slot::name),
            // The image's manifest has the size; see `Updater::look`.
            image_bytes: None,
            static_ram_bytes: Some(taken::static_ram()),
        };
    });
    static SHARED_FLASH: StaticCell<SharedFlash<Flash>> = StaticCell::new();
    static UPDATER: StaticCell<Updater<Flash>> = StaticCell::new();
    let shared: &'static SharedFlash<Flash> = SHARED_FLASH.init(SharedFlash::new(flash));
    let updater: &'static Updater<Flash> = UPDATER.init(Updater::new(shared, Layout::K1, slot));
    if starts >= MOST_CRASHES && embassy_futures::block_on(updater.give_way()) {
        last_words::restart(Some(GAVE_WAY));
    }
    embassy_futures::block_on(updater.look(&LAMP));
    let part = FlashPart::new(shared, 0, Layout::K1.otadata);
    let Some(mut store) = Store::new(part, SETTINGS) else {
        panic!("the settings area is not a whole number of sectors")
    };
    // A new lamp makes its token here. Without its radio or this source, the hardware's numbers can be guessed.
    #[cfg(rng_trng_supported)]
    let noise = TrngSource::new(parts.noise.0, parts.noise.1);
    // The flash answers at once, so this does not block.
    let chance = Rng::new();
    let remembered = embassy_futures::block_on(memory::load(&LAMP, &mut store, || chance.random()));
    #[cfg(rng_trng_supported)]
    drop(noise);
    console::boot(&LAMP, serial::print);

    // The state of the halves does not fit on a stack, so it is started in its place.
    static EAR_PLACE: ConstStaticCell<Ear> = ConstStaticCell::new(Ear::BLANK);
    static SHOW_PLACE: ConstStaticCell<Show> = ConstStaticCell::new(Show::BLANK);
    let ear = EAR_PLACE.take();
    ear.start();
    let limit = remembered.hardware.limit_ma;
    let output = OutputSettings { limit_ma: (limit > 0).then(|| f32::from(limit)) };
    let renderer = SHOW_PLACE.take();
    renderer.start(usize::from(remembered.hardware.leds), output);
    static TAP: ConstStaticCell<heapless::spsc::Queue<HeardHop, { hear::TAP }>> =
        ConstStaticCell::new(heapless::spsc::Queue::new());
    let (tap_in, tap_out) = TAP.take().split();
    #[cfg(i2s_driver_supported)]
    let sound = parts.microphone;
    #[cfg(not(i2s_driver_supported))]
    let (samples_in, sound) = {
        static SAMPLES: ConstStaticCell<heapless::spsc::Queue<i16, { rtp::QUEUE }>> =
            ConstStaticCell::new(heapless::spsc::Queue::new());
        let (samples_in, samples_out) = SAMPLES.take().split();
        (samples_in, rtp::RtpMicrophone::new(&LINE, samples_out))
    };
    let token = Some(remembered.hardware.token.clone()).filter(|t| !t.is_empty());

    // The light starts first.
    let (strip, hardware) = (parts.strip, remembered.hardware.clone());
    let (settings, look) = (remembered.strip, remembered.look);
    let show = move |spawner: Spawner| start!(spawner, show_task(renderer, strip, hardware, settings, look));
    let hear = move |spawner: Spawner| start!(spawner, hear_task(ear, sound, tap_in));
    static LEDGER: ConstStaticCell<Ledger<BINS>> = ConstStaticCell::new(Ledger::new());
    let ledger = LEDGER.take();
    let keep_house = move |spawner: Spawner| {
        start!(spawner, serial_task());
        start!(spawner, memory_task(store, remembered));
        start!(spawner, report_task(ledger));
        start!(spawner, sound_task(tap_out));
        start!(spawner, self_test_task());
        start!(spawner, guard_task(watchdog));
        #[cfg(soc_has_tsens)]
        start!(spawner, temperature_task(thermometer));
    };

    #[cfg(interrupt_levels)]
    {
        // The housekeeping tasks run on core 1 below the ear, so that a network that does not start cannot delay them.
        static STACK: StaticCell<esp_hal::system::Stack<{ 12 * 1024 }>> = StaticCell::new();
        let (core, interrupt) = parts.second_core;
        let levels = parts.levels;
        real_time::renderer(levels.renderer, show);
        esp_rtos::start_second_core(
            core,
            interrupt,
            STACK.init_with(esp_hal::system::Stack::new),
            move || {
                real_time::ear(levels.ear, hear);
                static EXECUTOR: StaticCell<Executor> = StaticCell::new();
                EXECUTOR.init(Executor::new()).run(keep_house)
            },
        );
    }
    #[cfg(not(interrupt_levels))]
    {
        real_time::renderer(show);
        #[cfg(multi_core)]
        {
            static STACK: StaticCell<esp_hal::system::Stack<{ real_time::EAR_STACK }>> = StaticCell::new();
            let (core, interrupt) = parts.second_core;
            let stack = STACK.init_with(esp_hal::system::Stack::new);
            esp_rtos::start_second_core(core, interrupt, stack, move || real_time::run_above(hear));
        }
        #[cfg(not(multi_core))]
        real_time::ear(hear);
    }

    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let connect = move |spawner: Spawner| {
        #[cfg(not(interrupt_levels))]
        keep_house(spawner);
        let random = Rng::new();
        let seed = || u64::from(random.random()) << 32 | u64::from(random.random());
        #[cfg(wifi_driver_supported)]
        let card = {
            static RESOURCES: StaticCell<StackResources<{ portal::SOCKETS }>> = StaticCell::new();
            let resources = RESOURCES.init_with(StackResources::new);
            let card = network::access_point_card();
            let (stack, runner) = embassy_net::new(ResetFilter(card), portal::config(), resources, seed());
            start!(spawner, access_point_task(runner));
            start!(spawner, wifi_task(parts.network, stack));
            #[cfg(improv)]
            start!(spawner, improv_task(parts.usb));
            network::card()
        };
        #[cfg(not(wifi_driver_supported))]
        let card = match network::card(parts.network, address) {
            Ok(card) => card,
            Err(_) => {
                serial::print(format_args!("[NET] no Ethernet: its chip does not answer; the light goes on"));
                return;
            }
        };
        static RESOURCES: StaticCell<StackResources<{ WORKERS + 5 + espota::SOCKETS }>> = StaticCell::new();
        let resources = RESOURCES.init_with(StackResources::new);
        let (stack, runner) =
            embassy_net::new(ResetFilter(card), Config::dhcpv4(DhcpConfig::default()), resources, seed());
        static ADMISSION: StaticCell<RefCell<Admission>> = StaticCell::new();
        let admission = ADMISSION.init_with(|| RefCell::new(web::admission(token)));
        static BUFFERS: ConstStaticCell<[Buffers; WORKERS]> =
            ConstStaticCell::new([const { Buffers::new() }; WORKERS]);
        start!(spawner, network_task(runner));
        for buffers in BUFFERS.take().iter_mut() {
            start!(spawner, web_task(stack, admission, updater, buffers));
        }
        start!(spawner, espota_task(stack, updater));
        // If the running slot is not known, there is no trial to judge.
        if slot.is_some() {
            start!(spawner, judge_task(updater, admission));
            start!(spawner, rest_task());
        }
        #[cfg(not(i2s_driver_supported))]
        start!(spawner, rtp_task(stack, samples_in));
        start!(spawner, beat_task());
        start!(spawner, mirror_task(stack));
        start!(spawner, mdns_task(stack));
        start!(spawner, address_task(stack));
    };
    EXECUTOR.init(Executor::new()).run(move |spawner| {
        connect(spawner);
        console::started(&LAMP, serial::print, stack::used());
    })
}
