//! `k1`: music into light.

use std::process::ExitCode;

/// Counts allocations in the real-time loops; everywhere else it is the system's allocator.
#[global_allocator]
static ALLOCATOR: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

fn main() -> ExitCode {
    k1::commands::main()
}
