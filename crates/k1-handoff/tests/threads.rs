//! A short soak on real threads: nothing torn, nothing backwards. It asserts no time.
#![cfg(not(loom))]

mod common;

use common::{Report, soak_ring, soak_swap};
use std::time::Duration;

/// About a second in total, even if both threads share one core.
const READS: u64 = 400_000;

fn assert_clean(report: &Report) {
    assert_eq!((report.torn, report.backwards), (0, 0), "{report:?}");
    assert_eq!(report.reads, READS);
}

#[test]
fn a_ring_under_a_saturating_writer_is_never_torn() {
    assert_clean(&soak_ring::<8, 4>(READS, 1, Duration::ZERO));
    assert_clean(&soak_ring::<8, 2>(READS, 2, Duration::ZERO));
}

#[test]
fn a_wide_ring_under_a_saturating_writer_is_never_torn() {
    assert_clean(&soak_ring::<320, 4>(READS, 1, Duration::ZERO));
}

#[test]
fn a_ring_at_a_period_is_never_torn() {
    assert_clean(&soak_ring::<8, 4>(READS, 2, Duration::from_millis(1)));
}

#[test]
fn a_swap_under_a_saturating_writer_is_never_torn() {
    assert_clean(&soak_swap::<8>(READS, Duration::ZERO));
}
