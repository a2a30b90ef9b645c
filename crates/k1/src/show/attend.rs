//! The thread in which the playlist follows the music and timers follow the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use k1_show::Show;

use super::Director;
use crate::runtime::Runtime;

/// Interval between two looks at the sound.
const LOOK: Duration = Duration::from_millis(8);
/// Looks at the sound for one look at the clock.
const LOOKS: u64 = 60;

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
        for looks in 0_u64.. {
            if shared.stop.load(Relaxed) {
                break;
            }
            director.follow(shared.clock.now_us(), sound.latest());
            if looks.is_multiple_of(LOOKS) {
                for line in director.keep_time(&jiff::Zoned::now()) {
                    k1_host::say(format_args!("k1: {line}"));
                }
            }
            std::thread::sleep(LOOK);
        }
    };
    std::thread::Builder::new().name("k1-playlist".into()).spawn(body)?;
    Ok(made)
}
