//! A lamp without a chip: its flash, its loader, the RAM that survives a reset, its network cable, and one client on
//! its network.

use std::cell::{Cell, RefCell};
use std::fmt::{Arguments, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use ed25519_dalek::SigningKey;
use embassy_futures::block_on;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, DhcpConfig, IpEndpoint, Stack, StackResources};
use embassy_time::{Duration, Timer};
use k1_device::guard::Part;
use k1_device::meter::{Count, Ledger};
use k1_device::portal::leases::{self, Leases};
use k1_device::settings::Store;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_engine::random::SplitMix64;
use k1_lamp::board::Facts;
use k1_lamp::journal::GAVE_WAY;
use k1_lamp::receive::{FlashPart, SETTINGS, SharedFlash, Updater};
use k1_lamp::rtp::{self, Line, RtpMicrophone};
use k1_lamp::show::Wire;
use k1_lamp::trial::MOST_CRASHES;
use k1_lamp::web::{self, Buffers, WORKERS};
use k1_lamp::{
    BINS, Lamp, Show, console, espota, guard, hear, mdns, memory, mirror, portal, self_test, show,
};
use k1_sim::clock;
use k1_sim::flash::{Flash, Shared};
use k1_sim::link::{Link, Weather};
use k1_sim::tasks::{End, Tasks};
use k1_update::boot;
use k1_update::envelope::ENVELOPE;
use k1_update::layout::{Layout, SECTOR, Slot};
use k1_update::manifest::{Manifest, Name};
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::drivers::{Ears, Glow, Light, Sound};

/// Size of an image in bytes: some sectors, and a part of one.
const IMAGE: usize = 3 * 4_096 + 1_000;
/// Time after which the watchdog resets a lamp that does not feed it.
const WATCHDOG_US: u64 = 8_000_000;
/// Hardware (MAC) addresses of the lamp and of the client.
const CARDS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0x4b, 0x31], [2, 0, 0, 0, 0, 1]];

/// The kind of the halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// The lamp's own, with a microphone.
    Real,
    /// The lamp's own, with sound from the network.
    Network,
    /// Halves that only count, as if all were well: for tests that start a lamp a hundred times.
    Counting,
}

/// What a run has left in RAM.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    PowerOn,
    Silent,
    Asked,
    Panic,
    TakenBack,
}

/// How [`restart`] leaves a run.
struct Restart(Option<String>);

thread_local! {
    static CONSOLE: RefCell<String> = const { RefCell::new(String::new()) };
    static CRASHES: Cell<u32> = const { Cell::new(0) };
}

fn print(line: Arguments) {
    CONSOLE.with_borrow_mut(|console| writeln!(console, "{line}").unwrap());
}

fn restart(words: Option<&str>) -> ! {
    std::panic::resume_unwind(Box::new(Restart(words.map(str::to_owned))))
}

struct Run {
    tasks: Tasks,
    lamp: &'static Lamp,
    stack: Stack<'static>,
}

/// The lamp and its environment.
pub struct Machine {
    /// Flash of the lamp.
    pub flash: Shared,
    /// Network cable between lamp and client.
    pub link: Link,
    /// What the microphone delivers.
    pub sound: Rc<Cell<Sound>>,
    /// What happens to the frames.
    pub glow: Rc<Cell<Glow>>,
    /// The newest frames that the strip has received.
    pub frames: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Number of starts by the loader.
    pub starts: u32,
    halves: Halves,
    left: Left,
    words: Option<String>,
    run: Option<Run>,
    began_at_us: u64,
    lived_us: u64,
}

/// A key for signatures.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// An image with the fault that its four letters name, or a good image; other letters make other bytes.
pub fn image(fault: &str) -> Vec<u8> {
    let mut random = SplitMix64::new(fault.bytes().fold(0, |n, b| n << 8 | u64::from(b)));
    let mut image: Vec<u8> = (0..IMAGE).map(|_| random.next_u64() as u8).collect();
    image[..4].copy_from_slice(fault.as_bytes());
    image
}

/// The manifest of an image.
pub fn manifest(image: &[u8], board: &str, version: &str, patience_s: u16) -> Manifest {
    let name = |text| Name::new(text).expect("a name");
    Manifest {
        patience_s,
        size: image.len() as u32,
        hash: Sha256::digest(image).into(),
        board: name(board),
        chip: Name::new(k1_device::firmware::chip(board)).expect("a name"),
        version: Name::new(version).expect("a version"),
        counter: 0,
    }
}

/// A signed update.
pub fn package(fault: &str, version: &str, patience_s: u16, signer: &SigningKey) -> Vec<u8> {
    let image = image(fault);
    let envelope = manifest(&image, "virt", version, patience_s).envelope().sign(signer);
    [&envelope.0[..], &image].concat()
}

impl Machine {
    /// A lamp with these halves and good firmware, switched off.
    pub fn new(halves: Halves) -> Self {
        clock::reset(0);
        CONSOLE.take();
        CRASHES.set(0);
        let mut flash = Flash::new((4 << 20) / SECTOR as usize);
        let image = image("none");
        let at = Layout::K1.slot(Slot::App0) as usize;
        flash.bytes[at..at + image.len()].copy_from_slice(&image);
        let envelope = manifest(&image, "virt", "1.0.0", 15).envelope();
        flash.bytes[Layout::K1.manifest(Slot::App0) as usize..][..ENVELOPE].copy_from_slice(&envelope.0);
        Self {
            flash: Shared::new(flash),
            link: Link::new(1),
            sound: Rc::new(Cell::new(Sound::Tone)),
            glow: Rc::new(Cell::new(Glow::Whole)),
            frames: Rc::default(),
            starts: 0,
            halves,
            left: Left::PowerOn,
            words: None,
            run: None,
            began_at_us: 0,
            lived_us: 0,
        }
    }

    /// The same lamp, running and reachable by its client.
    pub fn started(halves: Halves) -> Self {
        let mut machine = Self::new(halves);
        machine.comes_online();
        machine
    }

    /// Sets the time at which its clock begins at every later start.
    pub fn begin_at(&mut self, us: u64) {
        self.began_at_us = us;
    }

    /// Everything that its console has printed.
    pub fn console(&self) -> String {
        CONSOLE.with_borrow(Clone::clone)
    }

    /// Number of seconds that it has run, over all of its starts.
    pub fn lived_s(&self) -> f64 {
        (self.lived_us + clock::now_us() - self.began_at_us) as f64 / 1e6
    }

    /// The state that the tasks of the current run share.
    pub fn lamp(&mut self) -> &'static Lamp {
        self.is_on();
        self.run.as_ref().expect("it runs").lamp
    }

    /// Cuts the power until the next start.
    pub fn power_off(&mut self) {
        self.run = None;
        (self.left, self.words) = (Left::PowerOn, None);
        CRASHES.set(0);
        self.flash.with(Flash::power_on);
    }

    /// Runs for this time, over any number of starts.
    pub fn lives(&mut self, seconds: f64) {
        let _ = self.asks(seconds, |_| std::future::pending::<()>());
    }

    /// Runs while a client does something, for at most this time; `None` if the client did not finish in time or the
    /// run ended first.
    pub fn asks<T, F: Future<Output = T>>(
        &mut self,
        seconds: f64,
        what: impl FnOnce(Client) -> F,
    ) -> Option<T> {
        let mut left_us = (seconds * 1e6) as u64;
        self.is_on();
        let run = self.run.as_mut()?;
        let mut what = Some(what(Client::new(run.lamp, run.stack)));
        loop {
            self.is_on();
            let run = self.run.as_mut()?;
            let began = clock::now_us();
            let ended = match what.take() {
                Some(what) => match run.tasks.run(left_us, what) {
                    Ok(done) => return done,
                    Err(end) => end,
                },
                None => match run.tasks.run(left_us, std::future::pending::<()>()) {
                    Ok(_) => return None,
                    Err(end) => end,
                },
            };
            left_us = left_us.saturating_sub(clock::now_us() - began);
            self.ends(ended);
        }
    }

    /// Waits until the lamp has an address.
    #[track_caller]
    pub fn comes_online(&mut self) {
        for _ in 0..60 {
            if self.lamp().look(|s| !s.ip.is_empty()) {
                return;
            }
            self.lives(0.5);
        }
        panic!("no address: {}", self.console());
    }

    fn ends(&mut self, end: End) {
        self.run = None;
        (self.left, self.words) = match end {
            End::Stopped => {
                self.power_off();
                return;
            }
            End::Panicked(payload) => match payload.downcast::<Restart>() {
                Ok(restart) => match restart.0 {
                    Some(words) => (Left::TakenBack, Some(words)),
                    None => (Left::Asked, None),
                },
                Err(payload) => {
                    let text = payload.downcast_ref::<String>().cloned();
                    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                    (Left::Panic, text)
                }
            },
        };
    }

    /// Starts the lamp, repeatedly if necessary, unless it runs.
    fn is_on(&mut self) {
        for _ in 0..40 {
            if self.run.is_some() {
                return;
            }
            self.starts_once();
        }
        panic!("it does not start: {}", self.console());
    }

    fn starts_once(&mut self) {
        self.lived_us += clock::now_us().saturating_sub(self.began_at_us);
        clock::reset(self.began_at_us);
        let start = block_on(boot::start(&mut self.flash, &Layout::K1));
        if !self.flash.with(|f| f.has_power()) {
            return self.power_off();
        }
        let Ok(Some(start)) = start else { panic!("no slot holds a whole image") };
        self.starts += 1;
        let slot = start.whole.slot();
        let at = Layout::K1.slot(slot) as usize;
        let fault = self.flash.with(|f| String::from_utf8_lossy(&f.bytes[at..at + 4]).into_owned());

        // In the same way as the boards.
        let (reason, crashes) = match self.left {
            Left::PowerOn => ("power on", 0),
            Left::Asked => ("asked for", 0),
            Left::TakenBack => ("taken back", 0),
            Left::Panic => ("panic", CRASHES.get()),
            Left::Silent => ("watchdog", CRASHES.get()),
        };
        CRASHES.set(crashes + 1);
        let words = self.words.take();
        self.left = Left::Silent;
        let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
        lamp.note(|s| {
            s.facts = Facts {
                board: "virt",
                source: "a test",
                mac: CARDS[0],
                reset_reason: words.as_deref().and_then(Part::named_in).map_or(reason, Part::reset_reason),
                last_panic: words.as_deref().and_then(|w| heapless::String::try_from(w).ok()),
                slot: slot.name(),
                ..Facts::UNKNOWN
            };
        });
        let flash: &'static SharedFlash<Shared> = Box::leak(Box::new(SharedFlash::new(self.flash.clone())));
        let updater: &'static Updater<Shared> =
            Box::leak(Box::new(Updater::new(flash, Layout::K1, Some(slot))));
        if crashes >= MOST_CRASHES && block_on(updater.give_way()) {
            (self.left, self.words) = (Left::TakenBack, Some(GAVE_WAY.to_owned()));
            return;
        }
        block_on(updater.look(lamp));
        let mut store = Store::new(FlashPart::new(flash, 0, Layout::K1.otadata), SETTINGS).expect("sectors");
        let mut random = SplitMix64::new(u64::from(self.starts) + 1);
        let remembered = block_on(memory::load(lamp, &mut store, || random.next_u64() as u32));
        if !self.flash.with(|f| f.has_power()) {
            return self.power_off();
        }
        console::boot(lamp, print);
        match &*fault {
            "pani" => {
                (self.left, self.words) = (Left::Panic, Some("told to fall over".into()));
                return;
            }
            "hang" => return clock::move_to(WATCHDOG_US),
            _ => {}
        }

        let mut tasks = Tasks::default();
        let power = self.flash.clone();
        tasks.stop_when(move || !power.with(|f| f.has_power()));
        let leds = usize::from(remembered.hardware.leds);
        if self.halves == Halves::Counting {
            tasks.spawn(count(lamp, fault == "slow", self.sound.clone()));
        } else {
            let ear: &'static mut Ear = Box::leak(Box::new(Ear::new()));
            let queue: &'static mut heapless::spsc::Queue<_, { hear::TAP }> = Box::leak(Box::default());
            let (tap_in, tap_out) = queue.split();
            tasks.spawn(console::share_sound(lamp, tap_out));
            let line: &'static Line = Box::leak(Box::new(Line::new()));
            let samples: &'static mut heapless::spsc::Queue<i16, { rtp::QUEUE }> =
                Box::leak(Box::new(heapless::spsc::Queue::new()));
            let (samples_in, samples_out) = samples.split();
            if self.halves == Halves::Network {
                tasks.spawn(hear::hear(lamp, 1, ear, RtpMicrophone::new(line, samples_out), tap_in));
            } else {
                let state = self.sound.clone();
                let microphone = Ears::new(state);
                tasks.spawn(hear::hear(lamp, 1, ear, microphone, tap_in));
            }
            let limit = remembered.hardware.limit_ma;
            let output = OutputSettings { limit_ma: (limit > 0).then(|| f32::from(limit)) };
            let renderer: &'static mut Show = Box::leak(Box::new(Show::new(leds, output)));
            let strip = Light {
                state: self.glow.clone(),
                frames: self.frames.clone(),
                wire: Wire::new(leds * remembered.strip.channels(), remembered.hardware.reset_us),
                pause: Duration::from_millis(if fault == "slow" { 12 } else { 0 }),
            };
            let (look, settings) = (remembered.look, remembered.strip);
            tasks.spawn(show::show(lamp, 0, renderer, strip, remembered.hardware.clone(), settings, look));
            tasks.spawn(self_test::read(lamp));
            self.network(
                &mut tasks,
                lamp,
                updater,
                &remembered.hardware.token,
                fault == "deaf",
                |tasks, stack| {
                    tasks.spawn(rtp::receive(lamp, stack, line, samples_in));
                    tasks.spawn(mirror::mirror(lamp, stack));
                    tasks.spawn(mdns::answer(lamp, stack));
                },
            );
        }
        if self.halves == Halves::Counting {
            self.network(&mut tasks, lamp, updater, &remembered.hardware.token, fault == "deaf", |_, _| ());
        }
        tasks.spawn(guard::beat(lamp));
        tasks.spawn(guard::guard(lamp, |_| ()));
        tasks.spawn(memory::keep(lamp, store, remembered));
        if fault != "mute" {
            tasks.spawn(console::report(lamp, print, |_| (), Box::leak(Box::new(Ledger::<BINS>::new()))));
        }
        tasks.spawn(async move {
            if fault == "late" {
                Timer::after_secs(if crashes == 0 { 25 } else { 6 }).await;
                panic!("told to fall over late");
            }
            k1_lamp::trial::come_to_rest(|| CRASHES.set(0)).await;
        });
        if let Some(run) = &mut self.run {
            run.tasks = tasks;
        }
    }

    /// The stacks of the lamp and of the client, and the tasks on both.
    fn network(
        &mut self,
        tasks: &mut Tasks,
        lamp: &'static Lamp,
        updater: &'static Updater<Shared>,
        token: &heapless::String<32>,
        is_deaf: bool,
        more: impl FnOnce(&mut Tasks, Stack<'static>),
    ) {
        let [card, peer] = self.link.ends(CARDS);
        let resources: &'static mut StackResources<16> = Box::leak(Box::new(StackResources::new()));
        let card = k1_lamp::reset_filter::ResetFilter(card);
        let (stack, mut runner) = embassy_net::new(card, Config::dhcpv4(DhcpConfig::default()), resources, 7);
        let resources: &'static mut StackResources<24> = Box::leak(Box::new(StackResources::new()));
        let (client, mut client_runner) = embassy_net::new(peer, portal::config(), resources, 9);
        tasks.spawn(async move { client_runner.run().await });
        tasks.spawn(lend(client));
        if !is_deaf {
            tasks.spawn(async move { runner.run().await });
        }
        let token = Some(token.clone()).filter(|t| !t.is_empty());
        let admission = Box::leak(Box::new(RefCell::new(web::admission(token))));
        for _ in 0..WORKERS {
            tasks.spawn(web::work(lamp, stack, admission, updater, Box::leak(Box::new(Buffers::new()))));
        }
        let mut random = SplitMix64::new(3);
        tasks.spawn(espota::listen(lamp, stack, updater, move || random.next_u64() as u32));
        tasks.spawn(k1_lamp::trial::judge(lamp, updater, admission, print, restart));
        tasks.spawn(console::address(lamp, print, stack));
        more(tasks, stack);
        self.run = Some(Run { tasks: Tasks::default(), lamp, stack: client });
    }

    /// Unplugs the cable, or plugs it in.
    pub fn set_link(&self, is_up: bool) {
        self.link.set(Weather { is_up, ..Weather::FINE });
    }
}

/// Counts as the halves of a good lamp do, or those of a slow one.
async fn count(lamp: &'static Lamp, is_slow: bool, sound: Rc<Cell<Sound>>) {
    lamp.shows_on.store(1, Relaxed);
    lamp.hears_on.store(2, Relaxed);
    lamp.due_millihertz.store(100_000, Relaxed);
    lamp.microphone.store(true, Relaxed);
    loop {
        lamp.meters.count(Count::Hops, if sound.get() == Sound::Stuck { 0 } else { 5 });
        lamp.meters.count(Count::Frames, if is_slow { 1 } else { 4 });
        Timer::after_millis(40).await;
    }
}

/// The client's machine gives out addresses, as a router does.
async fn lend(stack: Stack<'static>) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = (vec![0; 4_096], vec![0; 4_096]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(leases::PORT).unwrap();
    let mut leases = Leases::new(|| clock::now_us() / 1_000_000);
    let (mut message, mut answer) = ([0; leases::MOST], [0; leases::MOST]);
    loop {
        let Ok((n, _)) = socket.recv_from(&mut message).await else { continue };
        if let Some(n) = leases.answer(&message[..n], &mut answer) {
            let everybody = IpEndpoint::new(Ipv4Addr::BROADCAST.into(), leases::CLIENT_PORT);
            let _ = socket.send_to(&answer[..n], everybody).await;
        }
    }
}
