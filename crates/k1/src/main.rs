//! `k1`: music into light.

use std::process::ExitCode;

/// The system's allocator, which also counts allocations in the real-time loops.
#[global_allocator]
static ALLOCATOR: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

fn main() -> ExitCode {
    k1::commands::main()
}

#[cfg(test)]
mod tests {
    /// Shows that the figure `allocations` counts an allocation.
    #[test]
    fn an_allocation_in_a_guarded_section_is_counted() {
        let before = assert_no_alloc::violation_count();
        assert_no_alloc::assert_no_alloc(|| std::hint::black_box(0_u64).wrapping_add(1));
        assert_eq!(assert_no_alloc::violation_count(), before);
        let boxed = assert_no_alloc::assert_no_alloc(|| std::hint::black_box(Box::new(1_u64)));
        assert_eq!(assert_no_alloc::violation_count(), before + 1);
        drop(boxed);
    }
}
