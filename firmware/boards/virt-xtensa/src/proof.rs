#![no_std]
#![no_main]

//! The engine on the processor of the ESP32-S3.

use core::panic::PanicInfo;

use k1_virt_xtensa::emulator::{self, print};
use k1_virt_xtensa::start;

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    print(format_args!("{{\"panic\": \"{}\"}}", info.message()));
    emulator::exit(1)
}

#[unsafe(no_mangle)]
extern "C" fn k1_main() -> ! {
    print(format_args!("{{\"hello\": {}}}", start::cycles()));
    emulator::exit(0)
}
