#![no_std]
#![feature(asm_experimental_arch)]

//! The emulated LX7: QEMU's `kc705` machine with a core that is nearest to that of the ESP32-S3. The programs of this board
//! share this library.

pub mod cores;
pub mod emulator;
pub mod interrupts;
#[cfg(feature = "halves")]
mod lock;
pub mod stacks;
pub mod start;
pub mod timer;
