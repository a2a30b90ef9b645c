#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

//! The engine on the processor of the ESP32-S3: the host writes a question and music into memory, and the answer comes on
//! the console as lines of JSON.
//!
//! | Question | Answer |
//! |---|---|
//! | 3 | instructions and stack of each hop and of each pattern's frame, as on board `virt` |
//! | 4 | the whole output for the music, to the file `bits`, and the instructions and the stack that it took |

use core::arch::asm;
use core::fmt;
use core::panic::PanicInfo;

use k1_emulated::proof::{self, Board, Part, Show, Tally, Watch};
use k1_engine::audio::Ear;
use k1_engine::light::OutputSettings;
use k1_virt_xtensa::emulator::{self, File, print};
use k1_virt_xtensa::start;
use static_cell::StaticCell;

/// This board.
struct Xtensa;

/// Nanoseconds of an instruction under `-icount shift=10`. With fewer, cycles do not tell instructions apart.
const INSTRUCTION_NS: u64 = 1 << 10;
/// Nanoseconds of a cycle: 40 MHz.
const CYCLE_NS: u64 = 25;

impl Board for Xtensa {
    const QUESTION: usize = 0x01f0_0000;
    const MUSIC: usize = 0x0200_0000;

    #[inline(always)]
    fn count() -> u32 {
        start::cycles()
    }

    fn instructions(from: u32, to: u32) -> u32 {
        let ns = u64::from(to.wrapping_sub(from)) * CYCLE_NS;
        ((ns + INSTRUCTION_NS / 2) / INSTRUCTION_NS) as u32
    }

    #[inline(always)]
    fn stack_pointer() -> usize {
        start::stack_pointer()
    }

    fn print(line: fmt::Arguments) {
        print(line);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("{{\"panic\": \"{}\"}}", info.message()));
    emulator::exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn k1_main() -> ! {
    static EAR: StaticCell<Ear> = StaticCell::new();
    static SHOW: StaticCell<Show> = StaticCell::new();
    for rounds in [10, 100_000] {
        check_count(rounds);
    }
    let ear = EAR.init_with(Ear::new);
    let leds = proof::question::<Xtensa>(4) as usize;
    let show = SHOW.init_with(|| Show::new(leds, OutputSettings::default()));
    match proof::question::<Xtensa>(0) {
        3 => proof::instructions::<Xtensa>(ear, show),
        4 => bits(ear, show),
        other => panic!("there is no question {other}"),
    }
    emulator::exit(0)
}

/// Counts a loop of known length.
///
/// # Panics
/// If the count is wrong, as it is without `-icount shift=10`.
fn check_count(rounds: u32) {
    let (from, to): (u32, u32);
    // SAFETY: touches only its own registers.
    unsafe {
        asm!("rsr {from}, CCOUNT", "2:", "addi {n}, {n}, -1", "bnez {n}, 2b", "rsr {to}, CCOUNT",
            from = out(reg) from, to = lateout(reg) to, n = inout(reg) rounds => _, options(nomem, nostack));
    }
    let counted = Xtensa::instructions(from, to);
    // The first reading counts, too.
    let known = 2 * rounds + 1;
    assert!(counted == known, "{known} instructions were counted as {counted}; is -icount shift=10 missing?");
}

/// Writes the output to a file, and counts.
struct Watching {
    file: File,
    hop: Tally,
    frame: Tally,
    fade: Tally,
}

impl Watch for Watching {
    fn work(&mut self, part: Part, work: impl FnOnce()) {
        let cost = proof::cost::<Xtensa>(work);
        match part {
            Part::Edges => {}
            Part::Hop(_) => self.hop.add(cost),
            Part::Frame { fades: true, .. } => self.fade.add(cost),
            Part::Frame { .. } => self.frame.add(cost),
        }
    }

    fn bytes(&mut self, _: Part, bytes: &[u8]) {
        self.file.put(bytes);
    }
}

fn bits(ear: &mut Ear, show: &mut Show) {
    let none = Tally::default();
    let mut watch = Watching { file: File::create(c"bits"), hop: none, frame: none, fade: none };
    proof::edges(&mut |word| watch.bytes(Part::Edges, &word.to_le_bytes()));
    proof::bits(ear, show, proof::hops::<Xtensa>(), proof::hop::<Xtensa>, &mut watch);
    watch.file.flush();
    watch.hop.print::<Xtensa>("music/", "hop");
    watch.frame.print::<Xtensa>("music/", "frame");
    watch.fade.print::<Xtensa>("music/", "fade");
}
