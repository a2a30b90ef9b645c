//! The lamp's two halves, polled by the tests on a clock that only the tests move: their pace and their counts.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};

use embassy_time::{Duration, Instant, Timer};
use k1_device::exchange::{Change, Settings};
use k1_device::live::HeardHop;
use k1_device::meter::Count;
use k1_device::settings::{Hardware, MOST_LEDS, StripSettings};
use k1_engine::audio::Ear;
use k1_engine::light::{OutputSettings, Shape};
use k1_engine::params::Param;
use k1_engine::{HOP, HOP_US};
use k1_handoff::Read;
use k1_lamp::board::{Microphone, MicrophoneFault, Strip, StripFault};
use k1_lamp::hear::{TAP, hear};
use k1_lamp::show::{Wire, at_us, leds, show, unpack};
use k1_lamp::{FRAME_WORDS, Lamp, Show};
use k1_sim::clock;

/// Smallest step of the clock in these tests.
const STEP_US: u64 = 100;
/// Time on the clock when a test begins. It is not 0, because an idle wire needs a past.
const START_US: u64 = 1_000_000;

fn now_us() -> u64 {
    Instant::now().as_micros()
}

/// Runs a half, which never ends, for some time.
fn run(half: impl Future, us: u64) {
    let mut half = pin!(half);
    let until = now_us() + us;
    while now_us() < until {
        assert!(half.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        clock::move_to(now_us() + STEP_US);
    }
}

fn counts<const N: usize>(lamp: &Lamp, which: [Count; N]) -> [u32; N] {
    which.map(|count| lamp.meters.get(count))
}

/// Counts calls at the same time, because a half that does not wait would run for ever at that time.
#[derive(Default)]
struct Turns {
    at_us: u64,
    count: u32,
}

impl Turns {
    fn turn(&mut self) {
        let now = now_us();
        self.count = if self.at_us == now { self.count + 1 } else { 0 };
        self.at_us = now;
        assert!(self.count < 100, "the half does not wait");
    }
}

/// How a microphone answers a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// A hop every 8 ms.
    Speaks,
    /// A hop every 8 ms, after a pause in µs.
    SpeaksAfter(u64),
    /// No hop arrives within the bound.
    TimesOut,
    /// The bus reports an error at once.
    Fails,
}

struct Played {
    script: Box<dyn FnMut(u32) -> Does>,
    reads: u32,
    due: Instant,
    bounds: Rc<RefCell<Vec<u64>>>,
    turns: Turns,
}

impl Played {
    fn new(script: impl FnMut(u32) -> Does + 'static) -> Self {
        Self {
            script: Box::new(script),
            reads: 0,
            due: Instant::now(),
            bounds: Rc::default(),
            turns: Turns::default(),
        }
    }
}

impl Microphone for Played {
    async fn read(&mut self, hop: &mut [f32; HOP], bound: Duration) -> Result<u64, MicrophoneFault> {
        self.reads += 1;
        self.bounds.borrow_mut().push(bound.as_micros());
        match (self.script)(self.reads) {
            Does::Fails => return Err(MicrophoneFault::Bus),
            Does::TimesOut => {
                Timer::after(bound).await;
                return Err(MicrophoneFault::Timeout);
            }
            Does::SpeaksAfter(us) => self.due += Duration::from_micros(us),
            Does::Speaks => {}
        }
        self.due = self.due.max(Instant::now()) + Duration::from_micros(HOP_US);
        Timer::at(self.due).await;
        hop.fill(0.125);
        Ok(now_us())
    }

    fn take_overruns(&mut self) -> u32 {
        self.turns.turn();
        u32::from(self.reads == 3) * 5
    }
}

struct Heard {
    lamp: &'static Lamp,
    /// Capture times since the start, in ms, and the first samples.
    tapped: Vec<(f64, i16)>,
    bounds: Vec<u64>,
    /// Time at which the last hop was heard, in ms since the start.
    ended_ms: f64,
}

/// A lamp that hears 100 hops.
fn heard(script: impl FnMut(u32) -> Does + 'static) -> Heard {
    heard_for(100, script)
}

fn heard_for(hops: u32, script: impl FnMut(u32) -> Does + 'static) -> Heard {
    let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
    let _owner = lamp.crossing.take_owner(Settings::default());
    let queue: &'static mut heapless::spsc::Queue<HeardHop, { TAP + 1 }> = Box::leak(Box::default());
    let (tap, mut tapped) = queue.split();
    let start = now_us();
    let microphone = Played::new(script);
    let bounds = Rc::clone(&microphone.bounds);
    let mut half = pin!(hear(lamp, 1, Box::leak(Box::new(Ear::new())), microphone, tap));
    let mut all = Vec::new();
    while lamp.meters.get(Count::Hops) < hops {
        run(half.as_mut(), STEP_US);
        while let Some(hop) = tapped.dequeue() {
            all.push((hop.at_us as f64 / 1000.0 - start as f64 / 1000.0, hop.samples[0]));
        }
    }
    assert_eq!(lamp.hears_on.load(Relaxed), 2);
    let ended_ms = (now_us() - STEP_US - start) as f64 / 1000.0;
    Heard { lamp, tapped: all, bounds: bounds.take(), ended_ms }
}

const HEARD: [Count; 3] = [Count::Hops, Count::Underruns, Count::Overruns];

#[test]
fn hops_are_heard_as_they_arrive_and_counted() {
    clock::reset(START_US);
    let h = heard(|_| Does::Speaks);
    assert_eq!(counts(h.lamp, HEARD), [100, 0, 5]);
    assert_eq!(h.ended_ms, 800.0);
    assert!((0..100).all(|n| (h.tapped[n].0 - n as f64 * 8.0).abs() < 0.5), "{:?}", h.tapped);
    assert!(h.tapped.iter().all(|hop| hop.1 > 4_000));
    assert!(h.bounds.iter().all(|bound| *bound == 100_000), "a microphone that is there may be late");
    let captured = h.lamp.crossing.sound().latest().captured_us;
    assert!(now_us() - captured < 1_000, "the newest snapshot is of this moment");
}

#[test]
fn sound_that_comes_late_is_a_gap_from_60_ms_on() {
    clock::reset(START_US);
    for (us, gaps) in [(50_000, 0), (70_000, 1), (95_000, 1)] {
        let h = heard(move |read| if read == 50 { Does::SpeaksAfter(us) } else { Does::Speaks });
        assert_eq!(counts(h.lamp, HEARD), [100, gaps, 5], "{us} µs");
    }
}

#[test]
fn a_microphone_that_is_lost_is_one_gap_and_silence_keeps_time() {
    clock::reset(START_US);
    // Three reads wait for 100 ms each; four hops of this time are heard as silence.
    for (lost, waits_ms) in [(Does::TimesOut, 300.0 - 4.0 * 8.0), (Does::Fails, 0.0)] {
        let h = heard(move |read| if read > 20 { lost } else { Does::Speaks });
        assert_eq!(counts(h.lamp, HEARD), [100, 1, 5], "{lost:?}");
        assert!(!h.lamp.microphone.load(Relaxed));
        assert_eq!(h.lamp.microphone_failures.load(Relaxed), 3);
        assert_eq!(h.bounds.len(), 23, "it is asked again after a second");
        assert_eq!(h.tapped.iter().filter(|hop| hop.1 == 0).count(), 80, "{lost:?}");
        assert!((h.ended_ms - 800.0 - waits_ms).abs() < 1.0, "{} ms, {lost:?}", h.ended_ms);
        let last = h.tapped[99].0 + 8.0;
        assert!((h.ended_ms - last).abs() < 1.0, "captured at {last} of {} ms, {lost:?}", h.ended_ms);
    }
}

#[test]
fn asking_for_a_microphone_that_is_lost_costs_no_time() {
    clock::reset(START_US);
    let h = heard_for(400, |read| if read > 20 { Does::TimesOut } else { Does::Speaks });
    assert_eq!(counts(h.lamp, [Count::Hops, Count::Underruns]), [400, 1]);
    assert_eq!(h.bounds.len(), 25, "once a second");
    assert!(h.bounds[23..].iter().all(|bound| *bound == HOP_US));
    assert!((h.ended_ms - 3_200.0 - (300.0 - 4.0 * 8.0)).abs() < 1.0, "{} ms", h.ended_ms);
}

#[test]
fn each_loss_of_a_microphone_is_a_gap() {
    clock::reset(START_US);
    let h = heard(|read| if (5..=8).contains(&read) { Does::Fails } else { Does::Speaks });
    assert_eq!(counts(h.lamp, [Count::Hops, Count::Underruns]), [100, 1]);
    assert_eq!(h.bounds.len(), 7, "the fourth that would fail is due after a second");
    let h = heard(|read| if read % 30 == 0 { Does::Fails } else { Does::Speaks });
    assert_eq!(counts(h.lamp, HEARD), [100, 3, 5], "one hop of silence at a time");
}

#[test]
fn without_a_microphone_there_is_silence_and_no_gap() {
    clock::reset(START_US);
    let h = heard(|_| Does::Fails);
    assert_eq!(counts(h.lamp, [Count::Hops, Count::Underruns]), [100, 0]);
    assert!((h.ended_ms - 800.0).abs() < 1.0, "{} ms", h.ended_ms);
}

#[test]
fn a_fixed_noise_floor_is_in_force() {
    clock::reset(START_US);
    let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
    let _owner = lamp.crossing.take_owner(Settings::default());
    lamp.floor_db.store((-33.0_f32).to_bits(), Relaxed);
    let queue: &'static mut heapless::spsc::Queue<HeardHop, { TAP + 1 }> = Box::leak(Box::default());
    let half = hear(lamp, 1, Box::leak(Box::new(Ear::new())), Played::new(|_| Does::Speaks), queue.split().0);
    run(half, 50_000);
    assert_eq!(lamp.crossing.sound().latest().floor_db, -33.0);
}

/// Frames that were sent, and their times.
type Sent = Rc<RefCell<Vec<(u64, Vec<u8>)>>>;

struct Light {
    wire: Wire,
    sent: Sent,
    frames: usize,
    /// Whether the frame with a number is refused.
    refuses: fn(usize) -> bool,
    /// Time in µs by which the driver sleeps too long at the frame with a number.
    oversleeps: fn(usize) -> u64,
    turns: Turns,
}

impl Strip for Light {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), StripFault> {
        self.frames += 1;
        self.turns.turn();
        if (self.refuses)(self.frames) {
            return Err(StripFault);
        }
        self.wire.take().await;
        self.sent.borrow_mut().push((now_us(), bytes.to_vec()));
        Timer::after(Duration::from_micros((self.oversleeps)(self.frames))).await;
        Ok(())
    }
}

/// Ninety LEDs, for which the wire takes 3 ms, and the frames that were sent to them.
fn strip(refuses: fn(usize) -> bool, oversleeps: fn(usize) -> u64) -> (Light, Hardware, Sent) {
    let hardware = Hardware { leds: 90, reset_us: 300, ..Hardware::new() };
    let sent = Rc::default();
    (
        Light {
            wire: Wire::new(270, 300),
            sent: Rc::clone(&sent),
            frames: 0,
            refuses,
            oversleeps,
            turns: Turns::default(),
        },
        hardware,
        sent,
    )
}

fn renderer() -> &'static mut Show {
    Box::leak(Box::new(Show::new(90, OutputSettings { limit_ma: None })))
}

/// A lamp that shows for 300 ms, and the times of its frames.
fn shown(refuses: fn(usize) -> bool, oversleeps: fn(usize) -> u64) -> (&'static Lamp, Vec<u64>) {
    let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
    let (strip, hardware, sent) = strip(refuses, oversleeps);
    run(show(lamp, 0, renderer(), strip, hardware, StripSettings::new(), Settings::default()), 300_000);
    (lamp, sent.take().into_iter().map(|(at, _)| at).collect())
}

const SHOWN: [Count; 3] = [Count::Frames, Count::Late, Count::Dropped];

#[test]
fn frames_follow_each_other_at_the_wires_pace() {
    clock::reset(START_US);
    let (lamp, sent) = shown(|_| false, |_| 0);
    assert_eq!(sent.len(), 100);
    assert!(sent.windows(2).all(|w| w[1] - w[0] == 3_000), "{sent:?}");
    assert_eq!(counts(lamp, SHOWN), [101, 0, 0], "one is rendered ahead");
    assert_eq!((lamp.shows_on.load(Relaxed), lamp.leds.load(Relaxed)), (1, 90));
    assert_eq!(lamp.due_millihertz.load(Relaxed), 333_333);
    assert_eq!(lamp.strip_underruns.load(Relaxed), 0);
}

#[test]
fn a_frame_that_begins_after_two_periods_is_late_and_is_not_made_up_for() {
    clock::reset(START_US);
    let (lamp, _) = shown(|_| false, |frame| u64::from(frame == 50) * 2_900);
    assert_eq!(counts(lamp, SHOWN)[1..], [0, 0]);
    let (lamp, sent) = shown(|_| false, |frame| u64::from(frame == 50) * 20_000);
    assert_eq!(counts(lamp, SHOWN)[1..], [1, 0]);
    assert!(sent.windows(2).all(|w| w[1] - w[0] >= 3_000), "{sent:?}");
}

#[test]
fn a_strip_that_refuses_does_not_take_the_core_and_nothing_is_dropped() {
    clock::reset(START_US);
    let (lamp, sent) = shown(|frame| frame > 10, |_| 0);
    assert_eq!(sent.len(), 10);
    assert_eq!(counts(lamp, SHOWN)[1..], [0, 0]);
    let (frames, refused) = (lamp.meters.get(Count::Frames), lamp.strip_underruns.load(Relaxed));
    assert!((99..=102).contains(&frames) && refused == frames - 10, "{refused} of {frames}");
}

#[test]
fn the_strip_is_drawn_in_its_shape() {
    let newest = |shape| {
        clock::reset(START_US);
        let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
        let (strip, hardware, sent) = strip(|_| false, |_| 0);
        let mut look = Settings::default();
        look.params.set(Param::Background, 1.0);
        run(show(lamp, 0, renderer(), strip, hardware, StripSettings { shape, white: None }, look), 600_000);
        let frame: Vec<u8> = sent.borrow().last().unwrap().1.chunks(3).map(|led| led[0]).collect();
        assert!(frame.iter().any(|green| *green > 0), "{shape}: {frame:?}");
        frame
    };
    let is_mirrored = |frame: &[u8]| frame.iter().eq(frame.iter().rev());
    for (shape, mirrored) in [(Shape::Mirrored, true), (Shape::Line, false), (Shape::BothEnds, true)] {
        assert_eq!(is_mirrored(&newest(shape)), mirrored, "{shape}");
    }
    assert!(newest(Shape::Line).iter().rev().eq(&newest(Shape::LineReversed)), "the same from the other end");
}

#[test]
fn pages_and_the_mirror_get_what_the_strip_gets() {
    clock::reset(START_US);
    let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
    let (strip, hardware, sent) = strip(|_| false, |_| 0);
    let order = hardware.order;
    let mut half =
        pin!(show(lamp, 0, renderer(), strip, hardware, StripSettings::new(), Settings::default()));
    run(half.as_mut(), 3_000);
    assert!(!lamp.changed.signaled());
    lamp.crossing.controls().post([Change::Param(Param::Background, 1.0)]);
    let (mut screens, mut newest) = (0, 0);
    let (mut words, mut pixels) = ([0; FRAME_WORDS], [[0; 3]; MOST_LEDS]);
    for _ in 0..8_000 {
        run(half.as_mut(), STEP_US);
        if let Read::Fresh { sequence, .. } = lamp.screen.reader().read(&mut words) {
            screens += u32::from(sequence != newest);
            newest = sequence;
        }
    }
    assert!(lamp.changed.signaled(), "what is remembered has changed");
    assert!((88..=91).contains(&screens), "{screens}: every third frame in 800 ms");
    assert!(matches!(lamp.wire.reader().read(&mut words), Read::Fresh { .. }));
    unpack(&words, pixels.as_flattened_mut());
    let (at_us, leds) = (at_us(&words), leds(&words));
    assert!(leds == 90 && now_us() - at_us <= 6_000);
    let (_, bytes) = sent.borrow().last().unwrap().clone();
    assert_eq!(bytes.len(), 270);
    // The newest frame waits for the wire; the one before it differs by a step of the dither at most.
    let off = |i: usize| bytes[i].abs_diff(order.place(pixels[i / 3])[i % 3]);
    assert!((0..270).all(|i| off(i) <= 1) && bytes.iter().any(|b| *b > 0), "{bytes:?}");
}
