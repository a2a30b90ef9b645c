#![no_std]
#![no_main]

//! Measurements on the emulated machine without a network: the host writes a question and music into memory, and the
//! answer comes on the console as lines of JSON.
//!
//! | Question | Answer |
//! |---|---|
//! | 1 | the frames of the music, hop by hop through both harts, into memory: the same bytes as `k1 render`? |
//! | 2 | 500 reads of the snapshot, then a million, while the other hart writes at full speed |
//! | 3 | instructions and stack of each hop and of each pattern's frame; for a machine with one hart under `-icount` |

extern crate alloc;

#[allow(dead_code, reason = "the lamp uses the rest")]
mod heap;
#[allow(dead_code, reason = "the lamp uses the rest")]
mod machine;
mod power;
mod serial;

use core::arch::asm;
use core::cell::RefCell;
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Release};

use critical_section::Mutex;
use k1_device::exchange::{Crossing, Outcome, SOUND_WORDS, SoundRing};
use k1_emulated::proof::{self, Board, Show};
use k1_engine::HOP_US;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_engine::params::Param;
use k1_handoff::Read;
use serial::print;
use static_cell::StaticCell;

/// Address of the frames: three bytes for each LED.
const FRAMES: usize = 0x8300_0000;

static CROSSING: Crossing = Crossing::new();
static RING: SoundRing = SoundRing::new();
/// Number of hops that hart 1 has heard, and that hart 0 has shown.
static HEARD: AtomicU32 = AtomicU32::new(0);
static SHOWN: AtomicU32 = AtomicU32::new(0);
/// 1 when hart 1 must stop writing.
static ENOUGH: AtomicU32 = AtomicU32::new(0);

fn in_real_time() -> bool {
    false
}

/// This board.
struct Virt;

impl Board for Virt {
    const QUESTION: usize = 0x81f0_0000;
    const MUSIC: usize = 0x8200_0000;

    fn count() -> u32 {
        machine::instructions()
    }

    fn instructions(from: u32, to: u32) -> u32 {
        to.wrapping_sub(from)
    }

    #[inline(always)]
    fn stack_pointer() -> usize {
        let at;
        // SAFETY: reads a register.
        unsafe { asm!("mv {}, sp", out(reg) at, options(nomem, nostack)) };
        at
    }

    fn print(line: fmt::Arguments) {
        print(line);
    }
}

fn question(i: usize) -> u32 {
    proof::question::<Virt>(i)
}

fn hops() -> u32 {
    proof::hops::<Virt>()
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("{{\"panic\": \"{}\"}}", info.message()));
    power::exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn trap(cause: u32, address: u32, value: u32) {
    panic!("trap {cause} at {address:#x}, value {value:#x}")
}

/// The ear of hart 1. Hart 0 creates it, because its creation needs more stack than hart 1 has.
static EAR: Mutex<RefCell<Option<&'static mut Ear>>> = Mutex::new(RefCell::new(None));

fn ear() -> &'static mut Ear {
    static PLACE: StaticCell<Ear> = StaticCell::new();
    PLACE.init_with(Ear::new)
}

#[unsafe(no_mangle)]
extern "C" fn hart1() -> ! {
    match question(0) {
        1 => {
            let Some(mut writer) = CROSSING.take_sound() else { panic!("two ears") };
            let Some(ear) = critical_section::with(|cs| EAR.take(cs)) else { panic!("no ear was made") };
            for k in 0..hops() {
                if let Some(snapshot) = ear.push(&proof::hop::<Virt>(k)) {
                    writer.publish(snapshot);
                }
                HEARD.store(k + 1, Release);
                while SHOWN.load(Acquire) <= k {
                    core::hint::spin_loop();
                }
            }
        }
        _ => {
            let Some(mut writer) = RING.take_writer() else { panic!("two writers") };
            let mut k = 0_u32;
            while ENOUGH.load(Acquire) == 0 {
                k = k.wrapping_add(1);
                writer.publish(&core::array::from_fn(|i| word(k, i)));
                HEARD.store(k, Release);
            }
        }
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Word `i` of payload `k`. Its value depends on both.
fn word(k: u32, i: usize) -> u32 {
    k.wrapping_mul(0x9e37_79b9) ^ (i as u32).wrapping_mul(0x85eb_ca6b)
}

#[unsafe(no_mangle)]
extern "C" fn hart0() -> ! {
    heap::start();
    match question(0) {
        1 => frames(),
        2 => {
            machine::start_hart1();
            while HEARD.load(Acquire) == 0 {
                core::hint::spin_loop();
            }
            reads(500);
            reads(1_000_000);
            ENOUGH.store(1, Release);
        }
        3 => proof::instructions::<Virt>(ear(), show()),
        other => panic!("there is no question {other}"),
    }
    power::exit(0)
}

fn show() -> &'static mut Show {
    static PLACE: StaticCell<Show> = StaticCell::new();
    PLACE.init_with(|| Show::new(question(4) as usize, OutputSettings::default()))
}

/// Renders as `k1 render` does, but with each half on its own hart and the snapshots through the hand-off.
fn frames() {
    let (fps, leds) = (u64::from(question(2)), question(4) as usize);
    let show = show();
    show.cut_to(question(3) as usize);
    let mut sound = CROSSING.sound();
    critical_section::with(|cs| EAR.replace(cs, Some(ear())));
    machine::start_hart1();
    let mut frame = 0_u64;
    let mut wire = [[0; 3]; 300];
    for k in 0..hops() {
        while HEARD.load(Acquire) <= k {
            core::hint::spin_loop();
        }
        if sound.read() == Outcome::Torn {
            panic!("a torn snapshot");
        }
        let snapshot = *sound.snapshot();
        loop {
            let at = frame * 1_000_000 / fps;
            if at >= snapshot.captured_us + HOP_US {
                break;
            }
            show.render(at, &snapshot);
            let wire = &mut wire[..leds];
            show.output.wire(show.params().get(Param::Dithering) >= 0.5, wire);
            for (i, byte) in wire.as_flattened().iter().enumerate() {
                // SAFETY: this memory is only for the frames, and the host provides enough of it.
                unsafe { (FRAMES as *mut u8).add(frame as usize * leds * 3 + i).write_volatile(*byte) };
            }
            frame += 1;
        }
        SHOWN.store(k + 1, Release);
    }
    print(format_args!("{{\"frames\": {frame}, \"hops\": {}, \"leds\": {leds}}}", hops()));
}

fn reads(n: u32) {
    let reader = RING.reader();
    let mut words = [0; SOUND_WORDS];
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
        "{{\"reads\": {n}, \"words\": {SOUND_WORDS}, \"torn\": {torn}, \"backwards\": {backwards}, \"retries\": {retries}, \
         \"worst_retries\": {worst}, \"kept_previous\": {contended}, \"new\": {new}, \"writes\": {}}}",
        HEARD.load(Acquire) - before
    ));
}
