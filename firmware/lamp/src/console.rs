//! The boot log, each line no sooner than it is true, and the figures of each second, from measurement.

use alloc::sync::Arc;
use core::fmt::{Arguments, Write};
use core::sync::atomic::Ordering::Relaxed;

use embassy_net::Stack;
use embassy_time::{Duration, Ticker, Timer};
use k1_device::answers::Vitals;
use k1_device::api::VERSION;
use k1_device::live::{self, HeardHop};
use k1_device::meter::{Count, Ledger};

use crate::{BINS, HISTORY, Lamp, State, now_us};

/// Prints a line on the board's console; must not wait.
pub type Print = fn(Arguments);
/// Measures what only the board can: stacks, heap, temperature, signal.
pub type Probe = fn(&mut State);

/// Hops of sound in one message: 32 ms.
const HOPS_PER_MESSAGE: usize = 4;

/// The first line.
pub fn boot(lamp: &Lamp, print: Print) {
    lamp.look(|s| {
        let f = &s.facts;
        print(format_args!(
            "[BOOT] K1 {VERSION} on {}, hash {:016x}, slot {}, reset: {}",
            f.board,
            u64::from_be_bytes(f.firmware_hash),
            f.slot,
            f.reset_reason
        ));
        if let Some(last) = &f.last_panic {
            print(format_args!("[BOOT] the last run ended with: {last}"));
        }
        let l = s.loaded;
        match (l.erased, l.damaged) {
            (true, _) => print(format_args!(
                "[BOOT] settings could not be read: the area was erased, defaults are in force"
            )),
            (false, 0) => print(format_args!("[BOOT] settings: {} of 3 groups were stored", l.groups)),
            (false, n) => print(format_args!("[BOOT] settings: {n} damaged groups took their defaults")),
        }
    });
}

/// Says what is true, when it is, and then the figures of every second, for ever.
pub async fn report(lamp: &'static Lamp, print: Print, probe: Probe, ledger: &'static mut Ledger<BINS>) -> ! {
    while lamp.meters.get(Count::Hops) == 0 {
        Timer::after_millis(5).await;
    }
    print(format_args!("[AUDIO SYNC] Initialized successfully"));
    for (name, core) in [("GPU TASK", &lamp.shows_on), ("AUDIO TASK", &lamp.hears_on)] {
        let core = loop {
            match core.load(Relaxed).checked_sub(1) {
                Some(core) => break core,
                None => Timer::after_millis(5).await,
            }
        };
        print(format_args!("[{name}] Running on Core {core}"));
    }
    let mut sound = lamp.crossing.sound();
    let mut ticker = Ticker::every(Duration::from_secs(1));
    ledger.vitals(&lamp.meters, now_us(), 0.0);
    loop {
        ticker.next().await;
        let due = lamp.due_millihertz.load(Relaxed) as f32 / 1000.0;
        let v = ledger.vitals(&lamp.meters, now_us(), due);
        lamp.note(|s| {
            if s.history.len() == HISTORY {
                s.history.pop_front();
            }
            // There is room: the oldest has just gone.
            let _ = s.history.push_back(v);
            probe(s);
        });
        second(print, &v, sound.latest());
    }
}

fn second(print: Print, v: &Vitals, heard: &k1_engine::audio::Snapshot) {
    print(format_args!(
        "[FPS] {:.1} mean of {:.1}, {:.1} p1, jitter {:.2} ms p99, render {:.0} us, {} late",
        v.fps, v.fps_target, v.fps_p1, v.jitter_ms, v.render_us, v.late_frames
    ));
    print(format_args!(
        "[LATENCY] snapshot age {:.1} ms median, {:.1} p99; hop {:.0} us, {:.1}/s; {} retries, {} torn, {} overruns; {:.0} dBFS, {:.1} BPM",
        v.age_ms,
        v.age_p99_ms,
        v.hop_us,
        v.hop_rate,
        v.handoff_retries,
        v.torn,
        v.overruns,
        heard.rms_db,
        heard.bpm
    ));
}

/// Tells the address when there is one, with what the page needs to be let in, and when it has gone; for ever.
pub async fn address(lamp: &'static Lamp, print: Print, stack: Stack<'static>) -> ! {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            let mut ip = heapless::String::new();
            // An IPv4 address has 15 characters at most.
            let _ = write!(ip, "{}", config.address.address());
            let token = lamp.look(|s| s.memory.hardware.token.clone());
            print(format_args!("[NET] address {ip}, page http://{ip}/#token={token}"));
            lamp.note(|s| s.ip = ip);
        }
        stack.wait_config_down().await;
        lamp.note(|s| s.ip.clear());
        print(format_args!("[NET] no address; the light goes on"));
    }
}

/// Hands the sound to pages that wish it, for ever.
pub async fn share_sound(lamp: &'static Lamp, mut tap: heapless::spsc::Consumer<'static, HeardHop>) -> ! {
    let mut ticker = Ticker::every(Duration::from_millis(16));
    let mut hops: heapless::Vec<HeardHop, HOPS_PER_MESSAGE> = heapless::Vec::new();
    let Ok(publisher) = lamp.sound.publisher() else { panic!("sound is shared twice") };
    loop {
        ticker.next().await;
        while let Some(hop) = tap.dequeue() {
            let _ = hops.push(hop);
            if hops.is_full() {
                // Nobody listening is no reason to allocate.
                if lamp.listeners.load(Relaxed) > 0 {
                    publisher.publish_immediate(Arc::from(live::sound(&hops)));
                }
                hops.clear();
            }
        }
    }
}
