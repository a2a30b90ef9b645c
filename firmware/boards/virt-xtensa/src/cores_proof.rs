#![no_std]
#![no_main]

//! The hand-off between two LX7 cores that run at the same time.

use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Release};

use k1_virt_xtensa::{cores, emulator};
use emulator::print;
use k1_handoff::{Read, SnapshotRing};
const WORDS: usize = 321;
static RING: SnapshotRing<WORDS> = SnapshotRing::new();
static HEARD: AtomicU32 = AtomicU32::new(0);
static ENOUGH: AtomicU32 = AtomicU32::new(0);
static LOCKED: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("{{\"panic\": \"core {} {}\"}}", cores::core(), info.message()));
    emulator::exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn k1_interrupt(pending: u32) {
    panic!("interrupt {pending:#x}")
}

fn word(k: u32, i: usize) -> u32 {
    k.wrapping_mul(0x9e37_79b9) ^ (i as u32).wrapping_mul(0x85eb_ca6b)
}

#[unsafe(no_mangle)]
extern "C" fn k1_second() -> ! {
    let Some(mut writer) = RING.take_writer() else { panic!("two writers") };
    let mut k = 0_u32;
    while ENOUGH.load(Acquire) == 0 {
        k = k.wrapping_add(1);
        writer.publish(&core::array::from_fn(|i| word(k, i)));
        HEARD.store(k, Release);
    }
    for _ in 0..100_000 {
        critical_section::with(|_| {
            let v = LOCKED[0].load(core::sync::atomic::Ordering::Relaxed);
            LOCKED[0].store(v + 1, core::sync::atomic::Ordering::Relaxed);
        });
    }
    LOCKED[1].store(1, Release);
    loop {
        core::hint::spin_loop();
    }
}

fn reads(n: u32) {
    let reader = RING.reader();
    let mut words = [0; WORDS];
    let (mut torn, mut retries, mut worst, mut contended, mut new, mut backwards) = (0, 0_u32, 0, 0, 0, 0);
    let mut last = 0;
    let before = HEARD.load(Acquire);
    for _ in 0..n {
        match reader.read(&mut words) {
            Read::Empty => {}
            Read::Contended => contended += 1,
            Read::Fresh { sequence, retries: r } => {
                retries += u32::from(r);
                worst = worst.max(r);
                new += u32::from(sequence != last);
                backwards += u32::from(sequence < last);
                last = sequence;
                let k = sequence;
                torn += u32::from(words.iter().enumerate().any(|(i, w)| *w != word(k, i)));
            }
        }
    }
    print(format_args!(
        "{{\"reads\": {n}, \"words\": {WORDS}, \"torn\": {torn}, \"backwards\": {backwards}, \"retries\": {retries}, \
         \"worst_retries\": {worst}, \"kept_previous\": {contended}, \"new\": {new}, \"writes\": {}}}",
        HEARD.load(Acquire) - before
    ));
}

#[unsafe(no_mangle)]
extern "C" fn k1_main() -> ! {
    print(format_args!("core {}", cores::core()));
    cores::start_second();
    while HEARD.load(Acquire) == 0 {
        core::hint::spin_loop();
    }
    reads(500);
    reads(1_000_000);
    ENOUGH.store(1, Release);
    for _ in 0..100_000 {
        critical_section::with(|_| {
            let v = LOCKED[0].load(core::sync::atomic::Ordering::Relaxed);
            LOCKED[0].store(v + 1, core::sync::atomic::Ordering::Relaxed);
        });
    }
    while LOCKED[1].load(Acquire) == 0 {
        core::hint::spin_loop();
    }
    print(format_args!("locked {}", LOCKED[0].load(Acquire)));
    emulator::exit(0)
}
