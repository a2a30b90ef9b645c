//! Prints the boot log, each line only when it has become true, and every second the measured figures.

use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt::{Arguments, Write};
use core::sync::atomic::Ordering::Relaxed;

use embassy_net::Stack;
use embassy_time::{Duration, Ticker, Timer};
use k1_device::backend::{Backend, VERSION};
use k1_device::console::{BOOT_ORDER, ERROR, FpsLine, LOWEST_BIT, LatencyLine, MemoryLine};
use k1_device::live::{self, HeardHop};
use k1_device::meter::{Count, Ledger};

use crate::board::Print;
use crate::home::LampHome;
use crate::{BINS, Lamp, State, now_us};

/// Measures what only the board can measure: stacks, heap, temperature, signal.
pub type Probe = fn(&mut State);

/// Number of hops in one message of sound: 32 ms.
const HOPS_PER_MESSAGE: usize = 4;

/// Prints a line, and keeps it if it is one of the first.
fn say(lamp: &Lamp, print: Print, line: Arguments) {
    print(line);
    let text = line.to_string();
    lamp.note(|s| s.log.note((now_us() / 1000) as u32, &text));
}

/// Prints a line that reports an error, and counts it.
fn complain(lamp: &Lamp, print: Print, error: Arguments) {
    say(lamp, print, format_args!("{ERROR}{error}"));
}

/// Prints the first lines.
pub fn boot(lamp: &Lamp, print: Print) {
    let (f, l) = lamp.look(|s| (s.facts.clone(), s.loaded));
    let hash = u64::from_be_bytes(f.firmware_hash);
    say(
        lamp,
        print,
        format_args!(
            "[BOOT] K1 {VERSION} on {}, hash {hash:016x}, slot {}, reset: {}",
            f.board, f.slot, f.reset_reason
        ),
    );
    if let Some(last) = &f.last_panic {
        say(lamp, print, format_args!("[BOOT] the last run ended with: {last}"));
    }
    match (l.erased, l.damaged) {
        (true, _) => complain(
            lamp,
            print,
            format_args!("settings could not be read: the area was erased, all settings have their defaults"),
        ),
        (false, 0) => say(lamp, print, format_args!("[BOOT] settings: {} groups were stored", l.groups)),
        (false, n) => {
            complain(lamp, print, format_args!("settings: {n} damaged groups took their defaults"));
        }
    }
}

/// Prints the number of bytes that starting has taken of the stack of `main`.
pub fn started(lamp: &Lamp, print: Print, stack_bytes: u32) {
    say(lamp, print, format_args!("[BOOT] starting took {stack_bytes} B of stack"));
}

/// Prints each line of the boot log when it has become true, and then the figures of every second. Never returns.
pub async fn report(lamp: &'static Lamp, print: Print, probe: Probe, ledger: &'static mut Ledger<BINS>) -> ! {
    while lamp.meters.get(Count::Hops) == 0 {
        Timer::after_millis(5).await;
    }
    say(lamp, print, format_args!("{}", BOOT_ORDER[1]));
    for (line, core) in [(BOOT_ORDER[2], &lamp.shows_on), (BOOT_ORDER[3], &lamp.hears_on)] {
        let core = loop {
            match core.load(Relaxed).checked_sub(1) {
                Some(core) => break core,
                None => Timer::after_millis(5).await,
            }
        };
        say(lamp, print, format_args!("{line}{core}"));
    }
    let mut ticker = Ticker::every(Duration::from_secs(1));
    ledger.vitals(lamp.meters, now_us(), 0.0);
    let mut before = Faults::default();
    let mut has_told_bits = false;
    loop {
        ticker.next().await;
        if let Some(bit) = lamp.lowest_bit.load(Relaxed).checked_sub(1).filter(|_| !has_told_bits) {
            has_told_bits = true;
            say(lamp, print, format_args!("{LOWEST_BIT}{bit}"));
        }
        let due = lamp.due_millihertz.load(Relaxed) as f32 / 1000.0;
        let v = ledger.vitals(lamp.meters, now_us(), due);
        lamp.remember(v);
        lamp.note(probe);
        let home = LampHome::new(lamp);
        say(lamp, print, format_args!("{}", FpsLine(&v)));
        say(lamp, print, format_args!("{}", LatencyLine(&v, &home.heard())));
        let device = home.device();
        say(lamp, print, format_args!("{}", MemoryLine(&device)));
        let now = Faults {
            torn: v.torn,
            allocations: v.allocations,
            strip: device.strip_underruns.unwrap_or(0),
            storage: device.settings_errors.unwrap_or(0),
        };
        before.tell(&now, |error| complain(lamp, print, error));
        before = now;
    }
}

/// Counts that must not grow, at the last look.
#[derive(Clone, Copy, Default)]
struct Faults {
    torn: u64,
    allocations: u64,
    strip: u32,
    storage: u32,
}

impl Faults {
    /// Prints a line for each count that has grown.
    fn tell(&self, now: &Self, mut complain: impl FnMut(Arguments)) {
        let grown = [
            (now.torn - self.torn, "torn snapshots: the hand-off is broken, report this"),
            (now.allocations - self.allocations, "allocations in the loops of light and sound: report this"),
            (
                u64::from(now.strip - self.strip),
                "frames were not sent or sent late: check the strip's driver",
            ),
            (u64::from(now.storage - self.storage), "operations of the flash failed: settings may be lost"),
        ];
        for (n, what) in grown.into_iter().filter(|(n, _)| *n > 0) {
            complain(format_args!("{n} {what}"));
        }
    }
}

/// Prints the address of the page with its token when the lamp gets an address, and a line when it loses it. Never
/// returns. No other task may wait for the state of the stack ([`Lamp::address`]).
pub async fn address(lamp: &'static Lamp, print: Print, stack: Stack<'static>) -> ! {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            lamp.address.sender().send(Some(config.address.address()));
            let mut ip = heapless::String::new();
            // An IPv4 address has at most 15 characters.
            let _ = write!(ip, "{}", config.address.address());
            let token = lamp.look(|s| s.memory.hardware.token.clone());
            // Only on the console and not in the log, because people send logs to others. A reader of the console may
            // know the token.
            print(format_args!("[NET] address {ip}, page http://{ip}/#token={token}"));
            lamp.note(|s| s.ip = ip);
        }
        stack.wait_config_down().await;
        lamp.address.sender().send(None);
        lamp.note(|s| s.ip.clear());
        print(format_args!("[NET] no address; the light goes on"));
    }
}

/// Sends the sound to the pages that want it. Never returns.
pub async fn share_sound(lamp: &'static Lamp, mut tap: heapless::spsc::Consumer<'static, HeardHop>) -> ! {
    let mut ticker = Ticker::every(Duration::from_millis(16));
    let mut hops: heapless::Vec<HeardHop, HOPS_PER_MESSAGE> = heapless::Vec::new();
    let Ok(publisher) = lamp.sound.publisher() else { panic!("sound is shared twice") };
    loop {
        ticker.next().await;
        while let Some(hop) = tap.dequeue() {
            let _ = hops.push(hop);
            if hops.is_full() {
                // Without listeners the message is not allocated.
                if lamp.listeners.load(Relaxed) > 0 {
                    publisher.publish_immediate(Arc::from(live::sound(&hops)));
                }
                hops.clear();
            }
        }
    }
}
