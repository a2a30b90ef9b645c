//! Loudness: RMS, peak, noise floor, gate, and a level that uses its whole range.

use crate::math::{Follower, choose, db, from_db, sqrt};
use crate::{HOP, HOP_RATE};

/// The reading of digital silence in dBFS.
pub const SILENT_DB: f32 = -120.0;

const DT: f32 = 1.0 / HOP_RATE;
/// The gate stays closed below this, whatever the noise floor.
const GATE_MINIMUM_DB: f32 = -78.0;
/// The learned floor stays below this, so that steady music does not pass for a loud room.
const FLOOR_MAXIMUM_DB: f32 = -50.0;
/// The gate opens this far above the floor.
const OPEN_ABOVE_FLOOR_DB: f32 = 8.0;
/// After the hold, the gate closes below this distance from the floor.
const CLOSE_ABOVE_FLOOR_DB: f32 = 5.0;
/// A pause up to this length still counts as music.
const HOLD_HOPS: u32 = (1.5 * HOP_RATE) as u32;
/// The floor is the least of this many minima, each over one second.
const FLOOR_SLOTS: usize = 8;
/// Length of a minimum in hops (after R. Martin, "Noise power spectral density estimation based on optimal smoothing
/// and minimum statistics", IEEE Trans. Speech and Audio Processing 9(5), 2001).
const FLOOR_SLOT_HOPS: u32 = HOP_RATE as u32;
/// The quietest music that the automatic gain lifts to full range, in dBFS.
const REFERENCE_MINIMUM_DB: f32 = -54.0;

/// What [`Loudness`] measured in one hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoudnessReading {
    /// Root mean square of this hop in dBFS: 0 for a full-scale square wave, −3.01 for a full-scale sine.
    pub rms_db: f32,
    /// Largest magnitude of this hop in dBFS.
    pub peak_db: f32,
    /// The level: loudness after automatic gain, from 0 (silence) to 1 (the loudest of the last seconds).
    pub level: f32,
    /// The noise floor in dBFS, learned or set.
    pub floor_db: f32,
    /// True while nothing rises above the noise floor.
    pub silent: bool,
    /// Opening of the gate: 0 in silence, 1 in music, with a short ramp between.
    pub gate: f32,
}

/// RMS, peak, noise floor, gate and automatic gain.
///
/// The gate comes before the gain: in silence the gain is frozen, so that hiss is never amplified to light.
#[derive(Clone, Debug)]
pub struct Loudness {
    smooth: Follower,
    minima: [f32; FLOOR_SLOTS],
    slot: usize,
    slot_hops: u32,
    hold: u32,
    gate: Follower,
    reference: Follower,
    level: Follower,
    /// A floor that the user has set, in dBFS; `None` = learned.
    fixed_floor: Option<f32>,
}

impl Default for Loudness {
    fn default() -> Self {
        Self {
            smooth: Follower::at(0.0).rise_s(0.02).fall_s(0.05),
            minima: [f32::INFINITY; FLOOR_SLOTS],
            gate: Follower::at(0.0).rise_s(0.004).fall_s(0.25),
            reference: Follower::at(from_db(REFERENCE_MINIMUM_DB)).rise_s(0.08).fall_s(10.0),
            level: Follower::at(0.0).fall_s(0.07),
            ..Self::BLANK
        }
    }
}

impl Loudness {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        smooth: Follower::at(0.0),
        minima: [0.0; FLOOR_SLOTS],
        slot: 0,
        slot_hops: 0,
        hold: 0,
        gate: Follower::at(0.0),
        reference: Follower::at(0.0),
        level: Follower::at(0.0),
        fixed_floor: None,
    };

    /// Sets the noise floor in dBFS; `None` = learn it from the room.
    pub fn set_floor(&mut self, floor_db: Option<f32>) {
        self.fixed_floor = floor_db.filter(|db| db.is_finite());
    }

    /// Measures one conditioned hop.
    ///
    /// While `in_time`, what was heard has a beat. Then the floor may only fall, because quiet dense music would pass for
    /// the noise of a room.
    pub fn process(&mut self, samples: &[f32; HOP], in_time: bool) -> LoudnessReading {
        let (mut sum, mut peak) = (0.0_f32, 0.0_f32);
        for &x in samples {
            sum += x * x;
            peak = peak.max(x.abs());
        }
        let rms = sqrt(sum / HOP as f32);
        if self.minima[self.slot].is_infinite() {
            // Start at the first hop's value; a rise from zero would pass for a quiet room.
            self.smooth.value = rms;
        }
        let smooth = self.smooth.step(rms, DT);
        let floor = self.track_floor(smooth, in_time);

        let floor_db = self.fixed_floor.unwrap_or(db(floor, SILENT_DB).min(FLOOR_MAXIMUM_DB));
        let smooth_db = db(smooth, SILENT_DB);
        let open = (floor_db + OPEN_ABOVE_FLOOR_DB).max(GATE_MINIMUM_DB);
        let close = (floor_db + CLOSE_ABOVE_FLOOR_DB).max(GATE_MINIMUM_DB - 3.0);
        let rms_db = db(rms, SILENT_DB);
        // A click lasts one hop: it must open the gate although the smoothed value hardly moves.
        if rms_db > open || (self.hold > 0 && smooth_db > close) {
            self.hold = HOLD_HOPS;
        } else {
            self.hold = self.hold.saturating_sub(1);
        }
        let silent = self.hold == 0;
        let gate = self.gate.step(choose(silent, &[1.0, 0.0]), DT);

        if !silent {
            self.reference.step(rms.max(from_db(REFERENCE_MINIMUM_DB)), DT);
        }
        let target = if silent { 0.0 } else { (rms / self.reference.value).min(1.0) };
        let level = self.level.step(target, DT);
        LoudnessReading { rms_db, peak_db: db(peak, SILENT_DB), level, floor_db, silent, gate }
    }

    fn track_floor(&mut self, smooth: f32, in_time: bool) -> f32 {
        self.minima[self.slot] = self.minima[self.slot].min(smooth);
        self.slot_hops += u32::from(!in_time);
        if self.slot_hops == FLOOR_SLOT_HOPS {
            self.slot_hops = 0;
            self.slot = (self.slot + 1) % FLOOR_SLOTS;
            self.minima[self.slot] = smooth;
        }
        self.minima.iter().copied().fold(f32::INFINITY, f32::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(l: &mut Loudness, seconds: f32, f: impl FnMut(usize) -> f32) -> LoudnessReading {
        feed_music(l, seconds, false, f)
    }

    fn feed_music(
        l: &mut Loudness,
        seconds: f32,
        in_time: bool,
        mut f: impl FnMut(usize) -> f32,
    ) -> LoudnessReading {
        let mut last = LoudnessReading::default();
        for h in 0..(seconds * HOP_RATE) as usize {
            last = l.process(&core::array::from_fn(|i| f(h * HOP + i)), in_time);
        }
        last
    }

    fn noise(seed: &mut u32) -> f32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / 8_388_608.0 - 1.0
    }

    #[test]
    fn a_full_scale_sine_reads_minus_three_decibels() {
        let mut l = Loudness::default();
        let r = feed(&mut l, 1.0, |i| (i as f32 * 0.125 * core::f32::consts::TAU).sin());
        assert!((r.rms_db + 3.01).abs() < 0.05, "{}", r.rms_db);
        assert!(r.peak_db.abs() < 0.01);
        assert!(!r.silent);
    }

    #[test]
    fn steady_room_noise_is_silence_at_any_level_up_to_minus_45() {
        for level_db in [-90.0, -70.0, -60.0, -50.0, -46.0] {
            let mut l = Loudness::default();
            let mut seed = 7;
            // The RMS of uniform noise is 1/√3 of its peak.
            let amplitude = from_db(level_db) * 1.732;
            let early = feed(&mut l, 3.0, |_| amplitude * noise(&mut seed));
            let late = feed(&mut l, 20.0, |_| amplitude * noise(&mut seed));
            assert!(early.silent && late.silent, "{level_db} dB dances");
            assert!(late.level < 0.01 && late.gate < 0.01);
        }
    }

    #[test]
    fn quiet_dense_music_is_not_learned_as_noise_while_it_has_a_beat() {
        let mut l = Loudness::default();
        let mut seed = 5;
        let mut music = |_| from_db(-60.0) * noise(&mut seed);
        feed(&mut l, 1.0, |_| 0.0);
        assert!(!feed_music(&mut l, 120.0, true, &mut music).silent);
        // Without a beat it is the room.
        assert!(feed(&mut l, 20.0, &mut music).silent);
    }

    #[test]
    fn a_fixed_floor_decides_what_is_music() {
        let tone = |i: usize| from_db(-40.0) * (i as f32 * 0.3).sin();
        for (floor, silent) in
            [(None, false), (Some(-60.0), false), (Some(-45.0), true), (Some(f32::NAN), false)]
        {
            let mut l = Loudness::default();
            l.set_floor(floor);
            feed(&mut l, 1.0, |_| 0.0);
            assert_eq!(feed(&mut l, 1.0, tone).silent, silent, "{floor:?}");
        }
    }

    #[test]
    fn gain_is_frozen_in_silence() {
        let mut l = Loudness::default();
        feed(&mut l, 3.0, |i| 0.3 * (i as f32 * 0.3).sin());
        let before = l.reference.value;
        feed(&mut l, 3.0, |_| 0.0);
        let at_silence = l.reference.value;
        feed(&mut l, 600.0, |_| 0.0);
        assert_eq!(l.reference.value, at_silence);
        assert!(at_silence > 0.8 * before);
    }

    #[test]
    fn the_level_uses_its_range_over_forty_decibels() {
        for amplitude in [0.5, 0.05, 0.008] {
            let mut l = Loudness::default();
            // Half a second of tone, then half a second of near silence.
            let tone = |i: usize| {
                if (i / 8000).is_multiple_of(2) { amplitude * (i as f32 * 0.3).sin() } else { 0.0 }
            };
            feed(&mut l, 4.0, tone);
            let (mut low, mut high) = (1.0_f32, 0.0_f32);
            for h in 0..250 {
                let r = l.process(&core::array::from_fn(|i| tone(h * HOP + i)), false);
                low = low.min(r.level);
                high = high.max(r.level);
            }
            assert!(high > 0.85 && low < 0.05, "{amplitude}: {low}..{high}");
        }
    }

    #[test]
    fn one_click_in_a_quiet_room_opens_the_gate_at_once() {
        let mut l = Loudness::default();
        let mut seed = 3;
        feed(&mut l, 5.0, |_| 0.0005 * noise(&mut seed));
        let r = l.process(&core::array::from_fn(|i| if i == 100 { 0.8 } else { 0.0 }), false);
        assert!(!r.silent && r.level > 0.5, "{r:?}");
    }
}
