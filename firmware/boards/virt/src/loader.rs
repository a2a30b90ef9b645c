#![no_std]
#![no_main]

//! The loader runs first: it chooses a slot as ESP-IDF's bootloader does, copies its image to RAM, and starts the image
//! on both harts.
//!
//! It runs in place from its own flash, which no code here can write. Hart 1 waits for a signal from hart 0 in the
//! register of its software interrupt, because a reset clears that register and not RAM.

mod power;
mod serial;

use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

use embassy_futures::block_on;
use k1_emulated_lamp::flash::Flash;
use k1_update::boot;
use k1_update::layout::Layout as Map;
use serial::print;

/// Address of the machine's second flash.
const FLASH: usize = 0x2200_0000;
/// Address at which an image runs.
const IMAGE: usize = 0x8000_0000;
/// Number of bytes of RAM that an image may use. The rest is for the loader's stack.
const ROOM: u32 = 15 << 20;
/// Register of the software interrupt of hart 1.
const POKE_HART1: usize = 0x0200_0004;

global_asm!(
    r#"
    .section .init
    .global _start
_start:
    csrw mie, zero
    csrr t0, mhartid
    bnez t0, 1f
    la sp, _stack_top
    call load
1:  li t0, 0x02000004
    li t1, 8                   # the word wakes, and interrupts nothing
    csrw mie, t1
2:  wfi
    lw t1, 0(t0)
    beqz t1, 2b
    csrw mie, zero
    sw zero, 0(t0)
    fence
    fence.i
    li t0, 0x80000000
    jr t0
"#
);

/// A heap without memory. A library that the lamp and the loader share needs an allocator, but the loader does not
/// allocate.
struct NoHeap;

// SAFETY: it never returns memory, only null.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;

#[unsafe(no_mangle)]
extern "C" fn load() -> ! {
    // SAFETY: taken once, and hart 1 does not run yet.
    let mut flash = unsafe { Flash::take(FLASH) };
    let start = match block_on(boot::start(&mut flash, &Map::K1)) {
        Ok(Some(start)) if start.whole.manifest().size <= ROOM => start,
        Ok(_) => {
            print(format_args!(
                "[LOADER] no slot holds a whole image; write one with `k1 virt --image FILE`"
            ));
            power::exit(3)
        }
        Err(why) => {
            print(format_args!("[LOADER] {why}"));
            power::exit(4)
        }
    };
    let (slot, manifest) = (start.whole.slot(), start.whole.manifest());
    print(format_args!(
        "[LOADER] {} {}{}",
        slot.name(),
        manifest.version.as_str(),
        if start.on_trial { ", on trial" } else { "" }
    ));
    let from = flash.mapped(Map::K1.slot(slot));
    // SAFETY: the whole image was read at this address, and its destination is not used for anything else.
    unsafe { core::ptr::copy_nonoverlapping(from, IMAGE as *mut u8, manifest.size as usize) };
    // SAFETY: the image begins with its first instruction and expects its slot in a0; hart 1 may start too.
    unsafe {
        asm!(
            "fence",
            "fence.i",
            "sw {one}, 0({poke})",
            "jr {image}",
            one = in(reg) 1,
            poke = in(reg) POKE_HART1,
            image = in(reg) IMAGE,
            in("a0") slot as u32,
            options(noreturn)
        )
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("[LOADER] {info}"));
    power::exit(5)
}
