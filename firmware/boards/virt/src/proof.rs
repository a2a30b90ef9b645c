#![no_std]
#![no_main]

//! Measurements on the emulated machine without a network: the host writes a question and music into memory, and the
//! answer comes on the console as lines of JSON.
//!
//! | Question | Answer |
//! |---|---|
//! | 1, 2 | both halves on two harts: [`k1_emulated_lamp::halves`] |
//! | 3 | instructions and stack of each hop and of each pattern's frame; for a machine with one hart under `-icount` |

#[allow(dead_code, reason = "the lamp uses the rest")]
mod machine;
mod power;
mod serial;

use core::arch::asm;
use core::fmt;
use core::panic::PanicInfo;

use k1_emulated::proof::{self, Board, Show};
use k1_emulated_lamp::halves::{self, TwoCores};
use k1_emulated_lamp::heap::Counted;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use serial::print;
use static_cell::StaticCell;

#[global_allocator]
static HEAP: Counted = Counted(|| false);

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

/// Address of the frames: three bytes for each LED.
const FRAMES: usize = 0x8300_0000;

/// Writes a frame to memory.
fn put(frame: usize, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: this memory is only for the frames, and the host provides enough of it.
        unsafe { (FRAMES as *mut u8).add(frame * bytes.len() + i).write_volatile(*byte) };
    }
}

impl TwoCores for Virt {
    fn start_second() {
        machine::start_hart1();
    }
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

fn ear() -> &'static mut Ear {
    static PLACE: StaticCell<Ear> = StaticCell::new();
    PLACE.init_with(Ear::new)
}

fn show() -> &'static mut Show {
    static PLACE: StaticCell<Show> = StaticCell::new();
    PLACE.init_with(|| Show::new(proof::question::<Virt>(4) as usize, OutputSettings::default()))
}

#[unsafe(no_mangle)]
extern "C" fn hart1() -> ! {
    halves::second::<Virt>()
}

#[unsafe(no_mangle)]
extern "C" fn hart0() -> ! {
    k1_emulated_lamp::heap::start();
    match proof::question::<Virt>(0) {
        1 => halves::frames::<Virt>(ear(), show(), put),
        2 => halves::reads::<Virt>(),
        3 => proof::instructions::<Virt>(ear(), show()),
        other => panic!("there is no question {other}"),
    }
    power::exit(0)
}
