//! Looks after the parts of the lamp that must not stand still; see [`k1_device::guard`].

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Ticker};
use k1_device::guard::{Part, Progress, Watch};
use k1_device::meter::Count;

use crate::{Lamp, now_us};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);
/// How often the network says that it lives: every look sees that it has moved.
const BEAT: Duration = Duration::from_millis(200);

/// Looks once.
pub fn look(lamp: &Lamp, watch: &Watch) -> Progress {
    let now_ms = (now_us() / 1000) as u32;
    let counts = Part::ALL.map(|part| match part {
        Part::Renderer => lamp.meters.get(Count::Frames),
        Part::Ear => lamp.meters.get(Count::Hops),
        // A network that never began, for want of a cable's other end, is missing and not starved.
        Part::Network => match lamp.network_beats.load(Relaxed) {
            0 => now_ms,
            beats => beats,
        },
    });
    watch.look(counts, now_ms)
}

/// Shows for ever that the executor on which this runs, the network's, goes round.
pub async fn beat(lamp: &'static Lamp) -> ! {
    let mut ticker = Ticker::every(BEAT);
    loop {
        ticker.next().await;
        lamp.network_beats.fetch_add(1, Relaxed);
    }
}

/// Looks for ever. `tell` hears each time who has not moved, if somebody has not: a board feeds its watchdog when nobody
/// is missed. A starved part ends the run, with its name in what the panic leaves.
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
