//! The machine as the lamp sees it.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use k1_emulated_lamp::machine::Machine;
use k1_virt_xtensa::interrupts::{CARD, POKE, SOFTWARE, TIMER};
use k1_virt_xtensa::{cores, interrupts, stacks, start, timer};

use crate::serial;

/// Address of the flash with the lamp's images and settings.
pub const FLASH: usize = 0xf000_0000;
const RESET: *mut u32 = 0xfd02_0010 as *mut u32;

static ASLEEP_US: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// This machine.
pub struct Xtensa;

impl Machine for Xtensa {
    fn name(&self) -> &'static str {
        "virt-xtensa"
    }

    fn memory(&self) -> usize {
        0
    }

    fn core(&self) -> usize {
        cores::core() as usize
    }

    fn now_us(&self) -> u64 {
        timer::now_us()
    }

    // The machine has no clock of the host; the time until here is never quite the same.
    fn chance(&self) -> u64 {
        u64::from(start::cycles()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn set_alarm(&self, at_us: u64) {
        timer::set(at_us);
    }

    fn poke(&self, core: usize) {
        if core == self.core() {
            interrupts::raise_software();
        } else {
            cores::poke(core as u32);
        }
    }

    fn start_second(&self) {
        cores::start_second();
    }

    fn enable_interrupts(&self) {
        match self.core() {
            0 => interrupts::enable(&[POKE, CARD, TIMER, SOFTWARE]),
            _ => interrupts::enable(&[POKE, TIMER, SOFTWARE]),
        }
    }

    fn sleep_unless(&self, ready: &AtomicBool) {
        let before = interrupts::hold_off();
        if !ready.load(Acquire) {
            let began = timer::now_us();
            interrupts::wait();
            ASLEEP_US[self.core()].fetch_add((timer::now_us() - began) as u32, Relaxed);
        }
        interrupts::restore(before);
    }

    fn asleep_us(&self) -> [u32; 2] {
        ASLEEP_US.each_ref().map(|us| us.load(Relaxed))
    }

    fn stacks(&self) -> [(u32, u32); 2] {
        [stacks::render(), stacks::audio()]
    }

    fn main_stack_used(&self) -> u32 {
        stacks::main_used()
    }

    fn sizes(&self) -> (u32, u32) {
        stacks::sizes()
    }

    fn write(&self, text: &str) {
        serial::write(text);
    }

    fn reset(&self) -> ! {
        // SAFETY: the register of the board that resets it.
        unsafe { RESET.write_volatile(0xdead) };
        loop {
            core::hint::spin_loop();
        }
    }
}
