#![no_std]
#![no_main]

//! The virtual lamp on QEMU's virt machine: hart 1 hears, hart 0 shows.

extern crate alloc;

mod machine;
mod net;
mod power;
mod serial;

use core::panic::PanicInfo;

use k1_device::guard::Part;
use k1_emulated_lamp::flash::Flash;
use k1_emulated_lamp::heap::Counted;
use k1_emulated_lamp::lamp::{self, CardRunner};
use machine::Virt;
use serial::print;

k1_emulated_lamp::is_the_machine!(Virt);

#[global_allocator]
static HEAP: Counted = Counted(lamp::in_real_time);

#[unsafe(no_mangle)]
extern "C" fn trap(cause: u32, address: u32, value: u32) {
    const SOFTWARE: u32 = 0x8000_0003;
    const TIMER: u32 = 0x8000_0007;
    const DEVICE: u32 = 0x8000_000b;
    match cause {
        SOFTWARE => {
            machine::unpoke(machine::hart());
            lamp::software_interrupt();
        }
        TIMER => lamp::timer_interrupt(),
        DEVICE => loop {
            match machine::claim_device() {
                0 => break,
                irq => {
                    net::acknowledge(irq);
                    net::WAKER.wake();
                    machine::complete_device(irq);
                }
            }
        },
        machine::STUCK => {
            panic!("{}", if address == 1 { Part::Ear } else { Part::Renderer }.last_words())
        }
        _ => panic!("trap {cause} at {address:#010x}, value {value:#010x}"),
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
extern "C" fn hart1() -> ! {
    lamp::second()
}

#[unsafe(no_mangle)]
extern "C" fn hart0(slot: u32) -> ! {
    machine::begin_late();
    k1_emulated_lamp::heap::start();
    let Some((card, irq)) = net::Card::find() else {
        print(format_args!("[BOOT] no network card: start QEMU with -device virtio-net-device"));
        power::exit(1)
    };
    machine::enable_device(irq);
    // SAFETY: taken once, at the address of the machine's second flash.
    let flash = unsafe { Flash::take(machine::FLASH) };
    lamp::first(slot, card, flash, card_task)
}
