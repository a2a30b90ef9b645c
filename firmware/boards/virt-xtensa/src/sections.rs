//! Critical sections, interrupts and register windows under load.

use core::hint::black_box;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use k1_virt_xtensa::emulator::print;
use k1_virt_xtensa::interrupts::{self, POKE, SOFTWARE, TIMER};
use k1_virt_xtensa::{cores, timer};

const SECTIONS: u32 = 100_000;
/// Time between two interrupts of the timer, in µs.
const EVERY_US: u64 = 97;

/// Counts without an atomic addition, so that two cores in a section at once lose counts.
static COUNTED: AtomicU32 = AtomicU32::new(0);
/// Sections that both cores have left.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// Interrupts: of the timer, from the other core, by software.
static SEEN: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
/// Results of deep calls that were wrong.
static WRONG: AtomicU32 = AtomicU32::new(0);

/// Handles the interrupts whose bits are set.
pub fn interrupt(pending: u32) {
    if pending >> TIMER & 1 == 1 {
        SEEN[0].fetch_add(1, Relaxed);
        timer::set(timer::now_us() + EVERY_US);
        interrupts::raise_software();
    }
    if pending >> POKE & 1 == 1 {
        cores::unpoke();
        SEEN[1].fetch_add(1, Relaxed);
    }
    if pending >> SOFTWARE & 1 == 1 {
        interrupts::clear_software();
        SEEN[2].fetch_add(1, Relaxed);
        // Needs all windows, and changes the floating point registers.
        check(9);
    }
}

/// The sum of the numbers up to `n`, each on a stack frame of its own.
fn deep(n: u32, x: f32) -> (u32, f32) {
    if n == 0 {
        return (0, x);
    }
    let (sum, y) = black_box(deep as fn(u32, f32) -> (u32, f32))(black_box(n - 1), x + 1.0);
    (sum + n, y * 0.5)
}

fn check(n: u32) {
    let (sum, y) = deep(n, 3.0);
    let known = (0..n).fold(3.0 + n as f32, |y, _| y * 0.5);
    if sum != n * (n + 1) / 2 || y != known {
        WRONG.fetch_add(1, Relaxed);
    }
}

fn sections() {
    interrupts::enable(&[POKE, TIMER, SOFTWARE]);
    timer::set(timer::now_us() + EVERY_US);
    for k in 0..SECTIONS {
        critical_section::with(|_| {
            let counted = COUNTED.load(Relaxed);
            critical_section::with(|_| black_box(()));
            COUNTED.store(counted + 1, Relaxed);
        });
        check(k % 23);
        if k.is_multiple_of(64) {
            cores::poke(1 - cores::core());
        }
    }
    LEFT.fetch_add(1, Release);
}

/// The second core's part.
pub fn second() -> ! {
    timer::start();
    sections();
    loop {
        interrupts::wait();
    }
}

/// Does the sections on both cores and prints the counts.
pub fn first() {
    timer::start();
    cores::start_second();
    sections();
    while LEFT.load(Acquire) < 2 {
        core::hint::spin_loop();
    }
    let [timer, poke, software] = SEEN.each_ref().map(|n| n.load(Relaxed));
    print(format_args!(
        "{{\"sections\": {}, \"counted\": {}, \"wrong\": {}, \"timer\": {timer}, \"poke\": {poke}, \"software\": {software}}}",
        2 * SECTIONS,
        COUNTED.load(Relaxed),
        WRONG.load(Relaxed)
    ));
}
