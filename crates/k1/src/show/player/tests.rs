use proptest::prelude::*;

use super::*;

const STEP_US: u64 = 10_000;

/// Music from 10 s on, whose bars have a number of beats; 0 = the ear is unsure. 500 ms a beat.
fn music(now_us: u64, beats_per_bar: u32) -> Snapshot {
    let beat = now_us as f64 / 500_000.0;
    let bar_position = if beats_per_bar == 0 { 0.0 } else { beat % f64::from(beats_per_bar) };
    Snapshot {
        sequence: now_us / 8_000 + 1,
        captured_us: now_us,
        bpm: 120.0,
        beat_phase: beat.fract() as f32,
        beats_per_bar,
        bar_position: bar_position as f32,
        silent: false,
        ..Snapshot::EMPTY
    }
}

pub(super) fn player(every: Every) -> Player {
    let mut player = Player::new(7);
    player.set(["A", "B", "C"].map(str::to_owned).to_vec(), false, every, true);
    player
}

/// The times in s at which scenes come between two times.
fn comes(player: &mut Player, from_s: u64, to_s: u64, sound: impl Fn(u64) -> Snapshot) -> Vec<f64> {
    let looks = (from_s * 1_000_000..to_s * 1_000_000).step_by(STEP_US as usize);
    let mut times = Vec::new();
    for now_us in looks {
        if player.look(now_us, &sound(now_us)) {
            let next = player.next().unwrap().to_owned();
            player.shown(&next);
            times.push(now_us as f64 * 1e-6);
        }
    }
    times
}

proptest! {
    // Each case is minutes of music.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn changes_fall_on_the_first_beat_of_a_bar_and_leave_whole_periods(
        n in 1_u32..12,
        beats_per_bar in prop_oneof![Just(0_u32), 2_u32..=6],
        hand_s in 20_u64..60,
    ) {
        let mut player = player(Every::Bars(n));
        let mut times = comes(&mut player, 10, hand_s, |t| music(t, beats_per_bar));
        player.hold();
        let after = comes(&mut player, hand_s, 200, |t| music(t, beats_per_bar));
        let bar_s = 0.5 * f64::from(if beats_per_bar == 0 { 4 } else { beats_per_bar });
        let period_s = f64::from(n) * bar_s;
        prop_assert!(after[0] - hand_s as f64 >= period_s - 0.02, "{} after a hand", after[0] - hand_s as f64);
        prop_assert!(times.windows(2).chain(after.windows(2)).all(|pair| (pair[1] - pair[0] - period_s).abs() < 0.02));
        times.extend(after);
        for t in &times {
            let off = (t / bar_s).fract() * bar_s;
            let near = off.min(bar_s - off);
            prop_assert!(beats_per_bar == 0 || near < 0.02, "{t} is {near} s off a bar");
            prop_assert!((t / 0.5 - (t / 0.5).round()).abs() < 0.05, "{t} is off a beat");
        }
    }

    #[test]
    fn beats_are_counted_exactly(n in 1_u32..40) {
        let times = comes(&mut player(Every::Beats(n)), 10, 100, |t| music(t, 4));
        prop_assert!(times.len() as u32 >= 170 / n - 1);
        prop_assert!(times.windows(2).all(|pair| (pair[1] - pair[0] - 0.5 * f64::from(n)).abs() < 0.02), "{times:?}");
    }

    #[test]
    fn nothing_changes_in_silence_and_only_seconds_go_on(n in 1_u32..30, quiet_s in 3_u64..40) {
        for every in [Every::Bars(n), Every::Beats(n), Every::Seconds(n), Every::Section] {
            let mut player = player(every);
            let silence = comes(&mut player, 10, 10 + quiet_s, |t| Snapshot { silent: true, ..music(t, 4) });
            prop_assert!(silence.is_empty(), "{every}: {silence:?}");
            prop_assert!(comes(&mut player, 10 + quiet_s, 12 + quiet_s, |_| Snapshot::EMPTY).is_empty());
            let resumed = 12 + quiet_s;
            let first = comes(&mut player, resumed, resumed + 200, |t| music(t, 4)).first().copied();
            match every {
                Every::Bars(n) => prop_assert!(first.unwrap() >= resumed as f64 + 2.0 * f64::from(n) - 0.02),
                Every::Beats(n) => prop_assert!(first.unwrap() >= resumed as f64 + 0.5 * f64::from(n) - 0.02),
                // It was due in the silence, or counts on; a bar has 2 s.
                Every::Seconds(n) => {
                    let due = (10.0 + f64::from(n)).max(resumed as f64);
                    let first = first.unwrap();
                    prop_assert!(first >= due - 0.02 && first <= due + 2.02, "{first} for {due}");
                }
                Every::Section => prop_assert_eq!(first, None),
            }
        }
    }
}

#[test]
fn a_section_is_followed_on_the_next_bar_but_not_too_soon() {
    // Bars of 2 s; sections begin at these seconds.
    let at = [30, 36, 47, 80];
    let sound = |t: u64| Snapshot {
        sections: at.iter().filter(|s| **s * 1_000_000 <= t).count() as u32,
        ..music(t, 4)
    };
    let times = comes(&mut player(Every::Section), 10, 120, sound);
    let rounded: Vec<f64> = times.iter().map(|t| (t * 10.0).round() / 10.0).collect();
    // The second comes too soon; the third is a bar early (the last change was at 30 s) and waits until 46 + 2 s.
    assert_eq!(rounded, [30.0, 48.0, 80.0]);
    // Without beats it follows at once.
    let still = |t| Snapshot { bpm: 0.0, beats_per_bar: 0, bar_position: 0.0, ..sound(t) };
    let times = comes(&mut player(Every::Section), 10, 120, still);
    assert_eq!(times, [30.0, 47.0, 80.0]);
}

#[test]
fn a_bar_that_becomes_known_sets_the_count_right() {
    let mut player = player(Every::Bars(4));
    // The ear knows bars of three from 15.25 s on.
    let times = comes(&mut player, 10, 60, |t| music(t, if t < 15_250_000 { 0 } else { 3 }));
    assert!(times.iter().all(|t| *t < 15.25 || (t % 1.5).min(1.5 - t % 1.5) < 0.02), "{times:?}");
    assert!(times.len() >= 7, "{times:?}");
}

#[test]
fn what_is_left_is_told() {
    let mut bars = player(Every::Bars(8));
    assert_eq!(bars.left().as_deref(), Some("8 bars"));
    comes(&mut bars, 10, 25, |t| music(t, 4));
    // The first whole bar began at 10 s plus the look, the seventh is under way.
    assert_eq!(bars.left().as_deref(), Some("2 bars"));
    let mut seconds = player(Every::Seconds(90));
    comes(&mut seconds, 10, 40, |t| music(t, 4));
    assert_eq!(seconds.left().as_deref(), Some("61 s"));
    seconds.set(vec!["A".into()], false, Every::Seconds(90), false);
    assert_eq!((seconds.left(), seconds.next()), (None, Some("A")));
    assert!(comes(&mut seconds, 40, 300, |t| music(t, 4)).is_empty(), "it rests");
}
