#![no_std]
#![no_main]

//! The virtual lamp on two LX7 cores: core 1 hears, core 0 shows.

mod machine;
mod net;
mod serial;

use core::panic::PanicInfo;

use k1_emulated_lamp::flash::Flash;
use k1_emulated_lamp::heap::{self, Counted};
use k1_emulated_lamp::lamp::{self, CardRunner};
use k1_virt_xtensa::interrupts::{CARD, POKE, SOFTWARE, TIMER};
use k1_virt_xtensa::{cores, interrupts, timer};
use machine::Xtensa;

k1_emulated_lamp::is_the_machine!(Xtensa);

#[global_allocator]
static HEAP: Counted = Counted(lamp::in_real_time);

#[unsafe(no_mangle)]
extern "C" fn k1_interrupt(pending: u32) {
    let has = |number: u32| pending >> number & 1 == 1;
    if has(TIMER) {
        lamp::timer_interrupt();
    }
    if has(CARD) {
        net::interrupt();
    }
    if has(POKE) {
        cores::unpoke();
        // Its own core renders in the software interrupt, which has a stack for it.
        interrupts::raise_software();
    }
    if has(SOFTWARE) {
        interrupts::clear_software();
        lamp::software_interrupt();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    lamp::fall_over(info)
}

#[embassy_executor::task]
async fn card_task(runner: CardRunner<net::Card>) {
    lamp::run_card(runner).await
}

#[unsafe(no_mangle)]
extern "C" fn k1_second() -> ! {
    timer::start();
    lamp::second()
}

#[unsafe(no_mangle)]
extern "C" fn k1_main() -> ! {
    timer::start();
    heap::start();
    // SAFETY: taken once, the flash at its address.
    let (card, flash) = unsafe { (net::Card::start(), Flash::take(machine::FLASH)) };
    lamp::first(0, card, flash, card_task)
}
