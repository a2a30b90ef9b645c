//! Core 1: microphone → ear → snapshots. Nothing can slow it.

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Instant, Timer};
use k1_device::live::HeardHop;
use k1_device::meter::Count;
use k1_device::microphone::{Next, Presence};
use k1_device::pace::SoundClock;
use k1_engine::audio::Ear;
use k1_engine::{HOP, HOP_US};

use crate::board::Microphone;
use crate::{Lamp, now_us};

/// A microphone that is there may be late by so much.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a read may wait: one that only asks whether there is a microphone costs no more than its hop of silence.
fn bound(presence: &Presence) -> Duration {
    if presence.is_present() { PATIENCE } else { Duration::from_micros(HOP_US) }
}

/// Hops of sound that wait for a page at most, plus one: whoever shares them looks every second hop.
pub const TAP: usize = 7;

/// Hears for ever. `core` is what the hardware says; `tap` gets the sound that pages may wish.
pub async fn hear(
    lamp: &'static Lamp,
    core: u32,
    ear: &'static mut Ear,
    mut microphone: impl Microphone,
    mut tap: heapless::spsc::Producer<'static, HeardHop>,
) -> ! {
    let Some(mut writer) = lamp.crossing.take_sound() else {
        panic!("the ear was started twice");
    };
    let mut controls = lamp.crossing.controls();
    let mut presence = Presence::default();
    let mut hop = [0.0; HOP];
    let (mut gain, mut floor) = (1.0, f32::NAN.to_bits());
    let mut clock = SoundClock::starting_at(now_us());
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
        let gap = match reading {
            Some(at) => clock.arrived(at),
            None => {
                hop.fill(0.0);
                // Silence keeps time by itself; what a failed read has waited too long is counted, not made up for.
                let gap = clock.resumed(now_us().saturating_sub(HOP_US));
                Timer::at(Instant::from_micros(clock.due_us())).await;
                gap
            }
        };
        lamp.meters.count(Count::Underruns, gap.into());
        let m = &lamp.meters;
        lamp.microphone.store(presence.is_present(), Relaxed);
        lamp.speaks_elsewhere.store(microphone.speaks_elsewhere(), Relaxed);
        lamp.microphone_failures.store(presence.failures, Relaxed);
        m.count(Count::Overruns, microphone.take_overruns());

        let began = now_us();
        let wanted = controls.settings().gain;
        if wanted != gain && ear.set_gain(wanted) {
            gain = wanted;
        }
        let wanted = lamp.floor_db.load(Relaxed);
        if wanted != floor {
            floor = wanted;
            let db = f32::from_bits(wanted);
            ear.set_noise_floor((!db.is_nan()).then_some(db));
        }
        ear.set_clock(clock.began_us());
        if let Some(snapshot) = ear.push(&hop) {
            writer.publish(snapshot);
        }
        // A page that is slow, or none at all, is no error: the hop is not kept.
        let _ = tap.enqueue(HeardHop::new(clock.began_us(), &hop));
        m.count(Count::Hops, 1);
        m.count(Count::HearTenths, ((now_us() - began) * 10) as u32);
        clock.advance();
    }
}
