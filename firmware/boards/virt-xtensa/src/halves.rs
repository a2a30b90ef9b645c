#![no_std]
#![no_main]

//! Both halves of a lamp on two LX7 cores that run at the same time: questions 1 and 2 of [`k1_emulated_lamp::halves`],
//! of which the first gives a file `frames`, and:
//!
//! | Question | Answer |
//! |---|---|
//! | 5 | 100,000 critical sections of each core, while timers and words from the other core interrupt both |

use core::fmt;
use core::panic::PanicInfo;

use k1_emulated::proof::{self, Board, Show};
use k1_emulated_lamp::halves::{self, TwoCores};
use k1_emulated_lamp::heap::Counted;
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_virt_xtensa::emulator::{self, File, print};
use k1_virt_xtensa::{cores, start};
use static_cell::StaticCell;

mod sections;

/// For `k1-device`; these proofs allocate nothing, so it stays empty.
#[global_allocator]
static HEAP: Counted = Counted(|| false);

/// This board.
struct Xtensa;

impl Board for Xtensa {
    const QUESTION: usize = 0x01f0_0000;
    const MUSIC: usize = 0x0200_0000;

    fn count() -> u32 {
        start::cycles()
    }

    fn instructions(from: u32, to: u32) -> u32 {
        to.wrapping_sub(from)
    }

    #[inline(always)]
    fn stack_pointer() -> usize {
        start::stack_pointer()
    }

    fn print(line: fmt::Arguments) {
        print(line);
    }
}

impl TwoCores for Xtensa {
    fn start_second() {
        cores::start_second();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("{{\"panic\": \"core {}: {}\"}}", cores::core(), info.message()));
    emulator::exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn k1_interrupt(pending: u32) {
    sections::interrupt(pending);
}

#[unsafe(no_mangle)]
extern "C" fn k1_second() -> ! {
    if proof::question::<Xtensa>(0) == 5 {
        sections::second()
    }
    halves::second::<Xtensa>()
}

#[unsafe(no_mangle)]
extern "C" fn k1_main() -> ! {
    static EAR: StaticCell<Ear> = StaticCell::new();
    static SHOW: StaticCell<Show> = StaticCell::new();
    match proof::question::<Xtensa>(0) {
        1 => {
            let leds = proof::question::<Xtensa>(4) as usize;
            let show = SHOW.init_with(|| Show::new(leds, OutputSettings::default()));
            let mut file = File::create(c"frames");
            halves::frames::<Xtensa>(EAR.init_with(Ear::new), show, |_, bytes| file.put(bytes));
            file.flush();
        }
        2 => halves::reads::<Xtensa>(),
        5 => sections::first(),
        other => panic!("there is no question {other}"),
    }
    emulator::exit(0)
}
