//! What a module without an operating system must bring along.

use core::panic::PanicInfo;

#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the call from JavaScript with a `RuntimeError`, which the page reports.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
