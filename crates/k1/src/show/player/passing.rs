//! Beats, bars and sections as they pass: what the ear knew, taken to the present moment.

use k1_engine::audio::Snapshot;

/// Age in µs from which on a snapshot says nothing about the present: the sound has ended or is away.
const STALE_US: u64 = 500_000;
/// Time in µs after which a bar is no longer beginning.
const FIRST_US: u64 = 50_000;
/// Beats that count as a bar until the ear knows the bar.
const USUAL_BAR: u32 = 4;

/// What has passed since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// True while music is heard.
    pub is_heard: bool,
    /// True while beats are known.
    pub has_beats: bool,
    /// A beat began.
    pub beat: bool,
    /// A bar began.
    pub bar: bool,
    /// A bar began a moment ago: a change that comes now still falls on its first beat.
    pub is_first: bool,
    /// The music changed.
    pub section: bool,
}

/// Follows the sound. Look at least every 50 ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passing {
    /// Phase in the beat at the last look.
    phase: Option<f32>,
    /// Time of the last beat in µs.
    beat_us: u64,
    /// Time of the last bar in µs.
    bar_us: Option<u64>,
    /// Beats since the last bar began.
    beats: u32,
    sections: Option<u32>,
}

impl Passing {
    /// What has passed until `now_us`, a time on the clock of the snapshot's [`captured_us`](Snapshot::captured_us).
    pub fn look(&mut self, now_us: u64, sound: &Snapshot) -> Passed {
        let is_fresh = now_us.saturating_sub(sound.captured_us) < STALE_US;
        if sound.sequence == 0 || sound.silent || !is_fresh || !sound.is_plausible() {
            *self = Self { sections: self.sections, ..Self::default() };
            return Passed::default();
        }
        let section = self.sections.replace(sound.sections).is_some_and(|before| before != sound.sections);
        let mut passed = Passed { is_heard: true, section, ..Passed::default() };
        if sound.bpm <= 0.0 {
            self.phase = None;
            return passed;
        }
        passed.has_beats = true;
        // Negative if the snapshot is newer than now.
        let age_s = now_us.wrapping_sub(sound.captured_us).cast_signed() as f32 * 1e-6;
        let beats = age_s * sound.bpm / 60.0;
        let phase = k1_engine::math::fract(sound.beat_phase + beats);
        let is_wrapped = self.phase.replace(phase).is_some_and(|before| before - phase > 0.5);
        // A tempo that is corrected may move the phase back over the beat.
        let shortest_us = (0.5 * 60e6 / sound.bpm) as u64;
        if is_wrapped && now_us.saturating_sub(self.beat_us) >= shortest_us {
            self.beat_us = now_us;
            self.beats += 1;
            passed.beat = true;
        }
        // The ear may find that the bar begins elsewhere. Then a beat that it now calls the first one begins a bar only if
        // the last bar began nearly a bar ago.
        passed.bar = passed.beat
            && match sound.beat_of_bar_after(beats) {
                Some(number) => {
                    number == 1 && (self.bar_us.is_none() || self.beats + 1 >= sound.beats_per_bar)
                }
                None => self.beats >= USUAL_BAR,
            };
        if passed.bar {
            (self.beats, self.bar_us) = (0, Some(now_us));
        }
        passed.is_first = self.bar_us.is_some_and(|bar_us| now_us.saturating_sub(bar_us) < FIRST_US);
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Music with a beat every `period_us` from 0 on, in bars of a number of beats; 0 = the ear is unsure.
    pub(super) fn music(captured_us: u64, period_us: u64, beats_per_bar: u32) -> Snapshot {
        let beat = captured_us as f64 / period_us as f64;
        let bar_position = match beats_per_bar {
            0 => 0.0,
            n => (beat % f64::from(n)) as f32,
        };
        Snapshot {
            sequence: captured_us / 8_000 + 1,
            captured_us,
            bpm: (60e6 / period_us as f64) as f32,
            beat_phase: beat.fract() as f32,
            beats_per_bar,
            bar_position,
            silent: false,
            ..Snapshot::EMPTY
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn each_beat_and_bar_passes_once_and_in_time(
            period_us in 280_000_u64..1_200_000,
            beats_per_bar in prop_oneof![Just(0_u32), 2_u32..=6],
            steps in proptest::collection::vec(3_000_u64..40_000, 200..900),
            age_us in 0_u64..200_000,
        ) {
            let mut passing = Passing::default();
            let bar = u64::from(if beats_per_bar == 0 { 4 } else { beats_per_bar });
            let (mut now, mut beats, mut bars) = (10_000_000, Vec::new(), Vec::new());
            for step in &steps {
                now += step;
                let passed = passing.look(now, &music(now - age_us, period_us, beats_per_bar));
                prop_assert!(passed.is_heard && passed.has_beats);
                if passed.beat {
                    beats.push(now);
                    prop_assert!(now % period_us < 41_000, "a beat {} µs after its time", now % period_us);
                }
                if passed.bar {
                    bars.push(now / period_us);
                    prop_assert!(now % period_us < 41_000);
                    prop_assert!(beats_per_bar == 0 || now / period_us % bar == 0);
                }
            }
            let expected = now / period_us - (10_000_000 + steps[0]) / period_us;
            prop_assert_eq!(beats.len() as u64, expected);
            prop_assert!(bars.windows(2).all(|pair| pair[1] - pair[0] == bar), "{:?}", bars);
            prop_assert!(bars.len() as u64 + 1 >= expected / bar);
        }
    }

    #[test]
    fn nothing_passes_in_silence_without_beats_and_when_the_sound_is_away() {
        let mut passing = Passing::default();
        for n in 1_000..1_400 {
            let now = n * 10_000;
            let sound = music(now, 500_000, 4);
            let quiet = [
                Snapshot { silent: true, ..sound },
                Snapshot { captured_us: now.wrapping_sub(9_000_000), ..sound },
                Snapshot { bpm: f32::NAN, ..sound },
                Snapshot::EMPTY,
            ];
            for sound in quiet {
                assert_eq!(passing.look(now, &sound), Passed::default());
            }
        }
        let still =
            Snapshot { bpm: 0.0, beats_per_bar: 0, bar_position: 0.0, ..music(5_000_000, 500_000, 4) };
        let heard = Passed { is_heard: true, ..Passed::default() };
        assert_eq!(passing.look(5_000_000, &still), heard);
        let changed = Snapshot { sections: 7, ..still };
        assert_eq!(passing.look(5_010_000, &changed), Passed { section: true, ..heard });
        assert_eq!(passing.look(5_020_000, &changed), heard);
    }
}
