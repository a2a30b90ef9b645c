//! Time: the cycle counters, which run together on all cores, widened to 64 bits, and one timer on each core.

use core::arch::asm;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use crate::{cores, interrupts, start};

/// Cycles of a µs: this core runs at 40 MHz.
const CYCLES_PER_US: u64 = 40;
/// Longest time in µs that a timer is set to. The counter overflows after 107 s, and must be read before it does twice.
const FARTHEST_US: u64 = 50_000_000;

/// The last value that a core has read, and how often the counter has overflowed.
struct Count {
    low: AtomicU32,
    high: AtomicU32,
}

static COUNTS: [Count; 2] = [const { Count { low: AtomicU32::new(0), high: AtomicU32::new(0) } }; 2];

/// Prepares this core to tell the time: the first core begins, the second continues the first's count.
pub fn start() {
    let [first, second] = &COUNTS;
    match cores::core() {
        0 => first.low.store(start::cycles(), Relaxed),
        _ => {
            second.high.store(first.high.load(Relaxed), Relaxed);
            second.low.store(first.low.load(Relaxed), Relaxed);
        }
    }
}

/// Time in µs since the first core's counter was 0, from the clock that both cores share.
pub fn now_us() -> u64 {
    let before = interrupts::hold_off();
    let count = &COUNTS[cores::core() as usize];
    let low = start::cycles();
    let mut high = count.high.load(Relaxed);
    if low < count.low.load(Relaxed) {
        high = high.wrapping_add(1);
        count.high.store(high, Relaxed);
    }
    count.low.store(low, Relaxed);
    interrupts::restore(before);
    (u64::from(high) << 32 | u64::from(low)) / CYCLES_PER_US
}

/// Sets the time in µs of this core's next timer interrupt, or an earlier one: at the latest 50 seconds from now. A time
/// that has passed gives an interrupt soon.
pub fn set(at_us: u64) {
    let mut soonest_us = 1;
    loop {
        let now = now_us();
        let at = now + at_us.saturating_sub(now).clamp(soonest_us, FARTHEST_US);
        let cycle = at.wrapping_mul(CYCLES_PER_US) as u32;
        // SAFETY: sets the timer and clears its interrupt.
        unsafe { asm!("wsr {}, CCOMPARE0", "rsync", in(reg) cycle, options(nostack)) };
        // If the counter has passed the cycle before it was set, it reaches it only after an overflow.
        if now_us() < at {
            return;
        }
        soonest_us *= 2;
    }
}
