//! Core 1: microphone → ear → snapshots. Other tasks cannot slow it down.

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Instant, Timer};
use k1_device::hop::Hearing;
use k1_device::live::HeardHop;
use k1_device::meter::Count;
use k1_device::microphone::{Next, Presence};
use k1_device::pace::Arrival;
use k1_engine::audio::Ear;
use k1_engine::{HOP, HOP_US};

use crate::board::Microphone;
use crate::{Lamp, now_us};

/// Longest delay of a microphone that is present.
const PATIENCE: Duration = Duration::from_millis(100);

/// Longest wait of a read. A read that only tests whether a microphone is present takes no longer than its hop of
/// silence.
fn bound(presence: &Presence) -> Duration {
    if presence.is_present() { PATIENCE } else { Duration::from_micros(HOP_US) }
}

/// Most hops of sound that wait for a page, plus one. The task that shares them looks at every second hop.
pub const TAP: usize = 7;

/// Hears hop after hop. `core` is the core's number from the hardware; `tap` gets the sound for pages. Never returns.
pub async fn hear(
    lamp: &'static Lamp,
    core: u32,
    ear: &'static mut Ear,
    mut microphone: impl Microphone,
    mut tap: heapless::spsc::Producer<'static, HeardHop>,
) -> ! {
    let Some(writer) = lamp.crossing.take_sound() else {
        panic!("the ear was started twice");
    };
    let mut hearing = Hearing::new(ear, writer, lamp.crossing.controls(), now_us());
    let mut presence = Presence::default();
    let mut hop = [0.0; HOP];
    lamp.hears_on.store(core + 1, Relaxed);
    loop {
        let reading = match presence.next(now_us()) {
            Next::Read => match microphone.read(&mut hop, bound(&presence)).await {
                Ok(at) => {
                    presence.heard();
                    Some(at)
                }
                Err(_) => {
                    presence.failed(now_us());
                    None
                }
            },
            Next::Silence => None,
        };
        match reading {
            Some(at) => hearing.arrives(Arrival::Live(at), true, lamp.meters),
            None => {
                hop.fill(0.0);
                hearing.unread(now_us(), lamp.meters);
                // Silence has no clock of its own, so the lamp's clock sets the pace.
                Timer::at(Instant::from_micros(hearing.due_us())).await;
            }
        }
        lamp.microphone.store(presence.is_present(), Relaxed);
        lamp.speaks_elsewhere.store(microphone.speaks_elsewhere(), Relaxed);
        lamp.lowest_bit.store(microphone.lowest_bit().map_or(0, |bit| u32::from(bit) + 1), Relaxed);
        lamp.microphone_failures.store(presence.failures, Relaxed);
        lamp.meters.count(Count::Overruns, microphone.take_overruns());
        let floor = f32::from_bits(lamp.floor_db.load(Relaxed));
        let floor = (!floor.is_nan()).then_some(floor);
        hearing.hop(&hop, floor, lamp.meters, now_us, |at_us, hop| {
            // A slow or missing page is not an error: the hop is dropped.
            let _ = tap.enqueue(HeardHop::new(at_us, hop));
        });
    }
}
