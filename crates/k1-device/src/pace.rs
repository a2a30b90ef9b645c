//! When the next hop and the next frame are due, and what happens to late ones. The program and the lamp use the same
//! rules. This module has no clock: times are in µs on the caller's clock.

use k1_engine::HOP_US;

/// Time in µs: a live hop that arrives this much later or earlier than expected is a gap or a burst. A smaller
/// deviation is jitter and is smoothed.
pub const GAP_US: u64 = 60_000;

/// How a hop arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// At the pace of live sound; its last sample was captured at this time.
    Live(u64),
    /// At K1's own pace, and it was ready when it was due.
    InTime,
    /// At K1's own pace, but it was not ready when it was due, and K1 waited until this time.
    Awaited(u64),
}

/// Estimates from the arrival of hops when the last sample of the next hop is captured.
#[derive(Clone, Copy, Debug)]
pub struct SoundClock {
    due_us: u64,
    flow: Flow,
}

/// Whether sound flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// No sound has arrived yet.
    Before,
    /// The previous hop was sound.
    Sound,
    /// The previous hop was silence in place of sound.
    Away,
}

/// Time in µs at which a live hop was captured that is read at `now_us` while `behind` samples wait after it.
pub fn captured_us(now_us: u64, behind: usize) -> u64 {
    let waited = behind as u64 * 1_000_000 / u64::from(k1_engine::SAMPLE_RATE);
    // Shortly after the start, sound may be older than the clock.
    now_us.saturating_sub(waited).max(HOP_US)
}

impl SoundClock {
    /// A clock for sound that begins at `now_us`: the first hop is complete one hop later.
    pub fn starting_at(now_us: u64) -> Self {
        Self { due_us: now_us + HOP_US, flow: Flow::Before }
    }

    /// Time in µs at which the last sample of the next hop is captured.
    pub fn due_us(&self) -> u64 {
        self.due_us
    }

    /// Time in µs at which the first sample of the next hop is captured.
    pub fn began_us(&self) -> u64 {
        self.due_us.saturating_sub(HOP_US)
    }

    /// Adjusts the clock to the arrival of the next hop, which is sound or silence in its place. True if a gap in the
    /// sound begins with it; [`Count::Underruns`](crate::meter::Count::Underruns) counts these gaps.
    #[must_use = "a gap is counted"]
    pub fn arrives(&mut self, how: Arrival, is_sound: bool) -> bool {
        let before = self.due_us;
        self.due_us = match how {
            Arrival::Live(at) if before.abs_diff(at) > GAP_US => at,
            Arrival::Live(at) => (before * 15 + at) / 16,
            Arrival::InTime => before,
            Arrival::Awaited(now) => before.max(now),
        };
        let is_late = match how {
            Arrival::Live(at) => at > before + GAP_US,
            Arrival::InTime => false,
            Arrival::Awaited(now) => now > before,
        };
        let is_gap = self.flow == Flow::Sound && (is_late || !is_sound);
        self.flow = match (self.flow, is_sound) {
            (_, true) => Flow::Sound,
            (Flow::Before, false) => Flow::Before,
            (_, false) => Flow::Away,
        };
        is_gap
    }

    /// Adjusts the clock when nothing could be read until `now_us` and a hop of silence takes the place of sound. The
    /// hop began when it was due, or one hop ago if the read took longer. True if a gap in the sound begins with it.
    #[must_use = "a gap is counted"]
    pub fn unread(&mut self, now_us: u64) -> bool {
        self.arrives(Arrival::Awaited(now_us.saturating_sub(HOP_US)), false)
    }

    /// Advances to the next hop.
    pub fn advance(&mut self) {
        self.due_us += HOP_US;
    }
}

/// Frames at a fixed rate. Due times are computed from an origin, so that rounding errors do not accumulate.
#[derive(Clone, Copy, Debug)]
pub struct FrameClock {
    origin_us: u64,
    period_ns: u64,
    frame: u64,
}

impl FrameClock {
    /// A clock for `fps` frames per second (at least 1); the first frame is due at `now_us`.
    pub fn starting_at(now_us: u64, fps: u32) -> Self {
        Self { origin_us: now_us, period_ns: 1_000_000_000 / u64::from(fps.max(1)), frame: 0 }
    }

    /// Time between two frames in µs, rounded down.
    pub fn period_us(&self) -> u64 {
        self.period_ns / 1000
    }

    /// Time in µs at which the next frame is due.
    pub fn due_us(&self) -> u64 {
        self.origin_us + self.frame * self.period_ns / 1000
    }

    /// Notes that the due frame begins. If it is more than a period late, its time becomes the new origin, so that the
    /// missed frames are not shown in a burst.
    pub fn begins(&mut self, now_us: u64) {
        let due = self.due_us();
        self.frame += 1;
        if now_us > due + self.period_us() {
            (self.origin_us, self.frame) = (now_us, 1);
        }
    }
}

/// Shortest time in µs between two frames of `bytes` on a WS2812 wire: bits of 1.25 µs, and the pause.
pub const fn wire_us(bytes: usize, reset_us: u16) -> u64 {
    bytes as u64 * 10 + reset_us as u64
}

/// Frames at the rate of a WS2812 wire: each frame takes the wire as soon as the previous one has left it.
#[derive(Clone, Copy, Debug)]
pub struct WireClock {
    free_at_us: u64,
    period_us: u64,
}

impl WireClock {
    /// A free wire for frames of `bytes`, with a pause of `reset_us` between them.
    pub const fn new(bytes: usize, reset_us: u16) -> Self {
        Self { free_at_us: 0, period_us: wire_us(bytes, reset_us) }
    }

    /// Time in µs at which the wire is free for the next frame.
    pub const fn free_at_us(&self) -> u64 {
        self.free_at_us
    }

    /// Takes the wire for one frame, at a time at which it is free. Consecutive frames follow the wire's own clock;
    /// after a pause of a period the clock starts again.
    pub fn take(&mut self, now_us: u64) {
        let follows = now_us.saturating_sub(self.free_at_us) < self.period_us;
        let start = if follows { self.free_at_us } else { now_us };
        self.free_at_us = start + self.period_us;
    }
}

/// Admits an action at most once in an interval.
#[derive(Clone, Copy, Debug)]
pub struct Spacing {
    interval_us: u64,
    next_us: u64,
}

impl Spacing {
    /// At most once in `interval_us`; the first time is due immediately.
    pub const fn new(interval_us: u64) -> Self {
        Self { interval_us, next_us: 0 }
    }

    /// True if the action is due; then the next one is due an interval after `now_us`.
    pub fn is_due(&mut self, now_us: u64) -> bool {
        let is_due = now_us >= self.next_us;
        if is_due {
            self.next_us = now_us + self.interval_us;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival::*;
    use super::*;

    /// Number of gaps in these hops, and the due time at the end.
    fn heard(hops: impl IntoIterator<Item = Hop>) -> (u32, u64) {
        let mut clock = SoundClock::starting_at(0);
        let mut gaps = 0;
        for hop in hops {
            gaps += u32::from(match hop {
                Hop::Sound(how) => clock.arrives(how, true),
                Hop::Silence(how) => clock.arrives(how, false),
                Hop::Unread(now) => clock.unread(now),
            });
            clock.advance();
        }
        (gaps, clock.due_us())
    }

    #[derive(Clone, Copy, Debug)]
    enum Hop {
        Sound(Arrival),
        Silence(Arrival),
        Unread(u64),
    }

    /// Live hops at intervals of 8 ms; those after the fiftieth are `ms` later.
    fn pause(ms: u64) -> impl Iterator<Item = Hop> {
        (1..=100).map(move |n| Hop::Sound(Live((n * 8 + if n > 50 { ms } else { 0 }) * 1000)))
    }

    #[test]
    fn jitter_is_no_gap_and_a_gap_is_counted_once() {
        assert_eq!(heard(pause(0)), (0, 808_000));
        let jitter = (1..=100).map(|n| Hop::Sound(Live((n * 8 + n % 5 * 10) * 1000)));
        assert_eq!(heard(jitter).0, 0, "40 ms of jitter");
        assert_eq!(heard(pause(60)).0, 0);
        assert_eq!(heard(pause(61)).0, 1);
        assert_eq!(heard(pause(5_000)), (1, 5_808_000));
    }

    #[test]
    fn jitter_is_smoothed_by_a_sixteenth() {
        let mut clock = SoundClock::starting_at(0);
        assert!(!clock.arrives(Live(24_000), true));
        assert_eq!((clock.began_us(), clock.due_us()), (1_000, 9_000));
    }

    #[test]
    fn a_burst_moves_the_clock_back_and_is_no_gap() {
        // Sound that waited for half a second arrives at once: captured when the source says, analysed late.
        let mut clock = SoundClock::starting_at(1_000_000);
        assert!(!clock.arrives(Live(1_008_000), true));
        assert!(!clock.arrives(Live(900_000), true));
        assert_eq!(clock.due_us(), 900_000);
    }

    #[test]
    fn before_the_first_sound_nothing_is_missing() {
        use Hop::*;
        for first in [Sound(Live(900_000)), Sound(Awaited(900_000))] {
            assert_eq!(heard([first]).0, 0, "{first:?}");
            assert_eq!(heard([first, Silence(Live(908_000)), Sound(Live(3_000_000))]).0, 1, "{first:?}");
        }
        for first in [Silence(Live(900_000)), Silence(Awaited(900_000)), Unread(900_000)] {
            assert_eq!(heard([first, first, Sound(Live(3_000_000))]).0, 0, "{first:?}");
        }
    }

    #[test]
    fn silence_in_place_of_sound_is_one_gap_however_long() {
        use Hop::*;
        let silences: [fn(u64) -> Hop; 4] =
            [|at| Silence(Live(at)), |at| Silence(Awaited(at)), |_| Silence(InTime), Unread];
        for silence in silences {
            let hops = (1..=100).map(|n| match n {
                21..=60 | 71 => silence(n * 8_000),
                _ => Sound(Live(n * 8_000)),
            });
            assert_eq!(heard(hops), (2, 808_000));
        }
        // The clock jumps with the first silence: the same gap. Returning sound does not begin another one.
        let jumps =
            [Sound(Live(8_000)), Silence(Live(400_000)), Silence(Live(900_000)), Sound(Live(908_000))];
        assert_eq!(heard(jumps).0, 1);
        assert_eq!(heard([Sound(InTime), Silence(Awaited(400_000)), Silence(Awaited(900_000))]).0, 1);
    }

    #[test]
    fn a_read_that_took_too_long_moves_the_clock_to_its_end() {
        let mut clock = SoundClock::starting_at(0);
        assert!(!clock.unread(8_000));
        assert_eq!(clock.due_us(), 8_000, "silence keeps time by itself");
        assert!(!clock.unread(108_000));
        assert_eq!(clock.due_us(), 100_000, "the hop that the read has waited is heard at once");
    }

    #[test]
    fn sound_at_a_pace_of_its_own_counts_each_wait() {
        let mut clock = SoundClock::starting_at(0);
        assert!(!clock.arrives(InTime, true));
        clock.advance();
        assert!(!clock.arrives(Awaited(16_000), true), "it came when it was due");
        clock.advance();
        assert!(clock.arrives(Awaited(25_000), true));
        assert_eq!((clock.began_us(), clock.due_us()), (17_000, 25_000));
        clock.advance();
        assert!(clock.arrives(Awaited(40_000), true));
    }

    #[test]
    fn sound_was_captured_before_what_waits_behind_it() {
        assert_eq!(captured_us(1_000_000, 0), 1_000_000);
        assert_eq!(captured_us(1_000_000, 1_600), 900_000);
        assert_eq!(captured_us(10_000, 1_600), HOP_US, "not before the clock began");
    }

    #[test]
    fn due_times_are_counted_from_an_origin() {
        let mut clock = FrameClock::starting_at(500, 120);
        for n in 0..120_000 {
            let due = clock.due_us();
            assert_eq!(due, 500 + n * 8_333_333 / 1000);
            // Alternately late by less than a period.
            clock.begins(due + n % 8_000);
        }
        assert_eq!(clock.due_us(), 500 + 999_999_960, "no rounding has added up in 1,000 seconds");
    }

    #[test]
    fn frames_that_were_missed_are_not_shown_in_a_burst() {
        let mut clock = FrameClock::starting_at(0, 100);
        clock.begins(0);
        clock.begins(20_000);
        assert_eq!(clock.due_us(), 20_000, "a period late: the next one makes up for it");
        clock.begins(30_001);
        assert_eq!(clock.due_us(), 40_001, "later than that: due times begin anew");
        clock.begins(5_000_000);
        assert_eq!(clock.due_us(), 5_010_000);
    }

    #[test]
    fn frames_follow_each_other_on_the_wires_own_clock_and_start_anew_after_a_pause() {
        assert_eq!((wire_us(180 * 3, 300), wire_us(180 * 4, 300)), (5_700, 7_500));
        let mut wire = WireClock::new(180 * 3, 300);
        assert_eq!(wire.free_at_us(), 0);
        wire.take(1_000_000);
        assert_eq!(wire.free_at_us(), 1_005_700);
        wire.take(1_005_990);
        assert_eq!(wire.free_at_us(), 1_011_400, "a driver that wakes late costs no time");
        wire.take(1_017_099);
        assert_eq!(wire.free_at_us(), 1_017_100);
        wire.take(1_022_800);
        assert_eq!(wire.free_at_us(), 1_028_500, "a whole period late");
    }

    #[test]
    fn something_is_let_through_once_in_an_interval() {
        let mut spacing = Spacing::new(8_000);
        let due: Vec<u64> = (0..40_000).step_by(1_900).filter(|t| spacing.is_due(*t)).collect();
        assert_eq!(due, [0, 9_500, 19_000, 28_500, 38_000]);
        let mut spacing = Spacing::new(8_000);
        assert!(spacing.is_due(3) && !spacing.is_due(8_002) && spacing.is_due(8_003));
    }
}
