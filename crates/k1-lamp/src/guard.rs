//! Watches the parts of the lamp that must not stop; see [`k1_device::guard`].

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Ticker};
use k1_device::guard::{Part, Progress, Watch};
use k1_device::meter::Count;

use crate::{Lamp, now_us};

/// Interval between two checks.
const LOOK: Duration = Duration::from_millis(500);
/// Interval between two counts of the network: every check sees that the count has moved.
const BEAT: Duration = Duration::from_millis(200);

/// Checks the parts once.
pub fn look(lamp: &Lamp, watch: &Watch) -> Progress {
    let now_ms = (now_us() / 1000) as u32;
    let counts = Part::ALL.map(|part| match part {
        Part::Renderer => lamp.meters.get(Count::Frames),
        Part::Ear => lamp.meters.get(Count::Hops),
        // A network that never began, because its cable is not connected, is missing and not starved.
        Part::Network => match lamp.network_beats.load(Relaxed) {
            0 => now_ms,
            beats => beats,
        },
    });
    watch.look(counts, now_ms)
}

/// Counts to show that the network's executor, on which this task runs, still polls its tasks. Never returns.
pub async fn beat(lamp: &'static Lamp) -> ! {
    let mut ticker = Ticker::every(BEAT);
    loop {
        ticker.next().await;
        lamp.network_beats.fetch_add(1, Relaxed);
    }
}

/// Checks the parts regularly. Each time `tell` gets the part whose count has not moved, or `None`: a board feeds its
/// watchdog on `None`. A starved part ends the run with a panic that names it. Never returns.
pub async fn guard(lamp: &'static Lamp, mut tell: impl FnMut(Option<Part>)) -> ! {
    let watch = Watch::new();
    let mut ticker = Ticker::every(LOOK);
    loop {
        ticker.next().await;
        match look(lamp, &watch) {
            Progress::All => tell(None),
            Progress::Waiting(part) => tell(Some(part)),
            Progress::Starved(part) => panic!("{}", part.last_words()),
        }
    }
}
