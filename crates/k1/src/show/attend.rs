//! The thread in which the playlist follows the music and timers follow the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use k1_show::Show;

use super::Director;
use crate::runtime::Runtime;

/// Interval between two looks at the sound.
const LOOK: Duration = Duration::from_millis(8);
/// Interval between two looks at the clock.
const CLOCK: Duration = Duration::from_millis(480);

/// Directs what a runtime shows, and starts the thread, which ends with the program.
///
/// # Errors
///
/// If the system refuses a thread.
pub fn direct(show: &Show, runtime: &Runtime) -> std::io::Result<Arc<Director>> {
    let (shared, mut sound) = (runtime.shared.clone(), runtime.sound.clone());
    let made = Arc::new(Director::new(show, shared.clone(), &runtime.cast));
    let director = made.clone();
    let body = move || {
        let mut next_clock = Instant::now();
        while !shared.stop.load(Relaxed) {
            let is_following = director.follow(shared.clock.now_us(), sound.latest());
            if Instant::now() >= next_clock {
                next_clock = Instant::now() + CLOCK;
                for line in director.keep_time(&jiff::Zoned::now()) {
                    k1_host::say(format_args!("k1: {line}"));
                }
            }
            // A playlist that starts wakes this thread.
            std::thread::park_timeout(if is_following { LOOK } else { CLOCK });
        }
    };
    let thread = std::thread::Builder::new().name("k1-playlist".into()).spawn(body)?;
    made.is_followed_by(thread.thread().clone());
    Ok(made)
}
