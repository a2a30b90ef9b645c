//! The metrical level at which a piece was heard, over time: it explains missed beats.

use std::collections::BTreeMap;

use super::matching::{BEAT_NEAR_S, f_measure};

/// Length and distance of the windows in seconds; long enough for a few slow beats.
const WINDOW_S: f64 = 6.0;
const STEP_S: f64 = 1.0;
/// From this F-measure on, the beats in a window count as those of a level.
const FITS: f64 = 0.8;

/// The levels: their distance in true beats, and the beats on which they may start.
const LEVELS: [(&str, f64, &[f64]); 8] = [
    ("right", 1.0, &[0.0]),
    ("twice as fast", 0.5, &[0.0]),
    ("half as fast", 2.0, &[0.0, 1.0]),
    ("off the beat", 1.0, &[0.5]),
    ("thrice as fast", 1.0 / 3.0, &[0.0]),
    ("a third as fast", 3.0, &[0.0, 1.0, 2.0]),
    ("three for two", 2.0 / 3.0, &[0.0, 1.0 / 3.0]),
    ("two for three", 1.5, &[0.0, 0.5, 1.0]),
];
/// Label of a window with fewer than two beats.
const NOTHING: &str = "nothing announced";
/// Label of beats that fit no level.
const ELSEWHERE: &str = "elsewhere";

/// The beats of a level between the first and the last true beat.
fn beats_at(truth: &[f64], distance: f64, begin: f64) -> Vec<f64> {
    let times_of_level = (0..).map(|i| begin + f64::from(i) * distance);
    times_of_level
        .map_while(|position| {
            let (i, part) = (position as usize, position.fract());
            let before = *truth.get(i)?;
            let after = truth.get(i + 1).copied();
            after.map(|after| before + part * (after - before)).or((part < 1e-9).then_some(before))
        })
        .collect()
}

fn between(times: &[f64], from: f64, to: f64) -> &[f64] {
    let index = |t: f64| times.partition_point(|x| *x < t);
    &times[index(from)..index(to)]
}

/// Share of the windows from `from` on at each level, the largest first. Both lists are in seconds and rise.
pub fn levels(truth: &[f64], found: &[f64], from: f64) -> Vec<(&'static str, f64)> {
    let Some(end) = truth.last() else { return Vec::new() };
    let all: Vec<(&str, Vec<Vec<f64>>)> = LEVELS
        .iter()
        .map(|(name, distance, begins)| {
            (*name, begins.iter().map(|b| beats_at(truth, *distance, *b)).collect())
        })
        .collect();
    let mut counted: BTreeMap<&'static str, u32> = BTreeMap::new();
    let windows = (0..).map(|i| from + f64::from(i) * STEP_S).take_while(|t| t + WINDOW_S <= *end);
    let mut n = 0;
    for t in windows {
        n += 1;
        let found = between(found, t, t + WINDOW_S);
        let fit = |beats: &Vec<f64>| f_measure(between(beats, t, t + WINDOW_S), found, BEAT_NEAR_S);
        let fits = all.iter().map(|(name, phases)| (*name, phases.iter().map(fit).fold(0.0, f64::max)));
        // If two fit equally well, take the first, which is the more usual one.
        let best = fits.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let name = match best {
            _ if found.len() < 2 => NOTHING,
            Some((name, f)) if f >= FITS => name,
            _ => ELSEWHERE,
        };
        *counted.entry(name).or_default() += 1;
    }
    let mut shares: Vec<_> =
        counted.into_iter().map(|(name, count)| (name, f64::from(count) / f64::from(n.max(1)))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(distance: f64, begin: f64, until: f64) -> Vec<f64> {
        (0..).map(|i| begin + f64::from(i) * distance).take_while(|t| *t < until).collect()
    }

    #[test]
    fn each_level_has_its_name() {
        let truth = grid(0.5, 1.0, 41.0);
        for (name, distance, begins) in LEVELS {
            for begin in begins {
                let found = grid(0.5 * distance, 1.0 + 0.5 * begin, 41.0);
                assert_eq!(levels(&truth, &found, 5.0), [(name, 1.0)], "begins at {begin}");
            }
        }
        assert_eq!(levels(&truth, &[], 5.0), [(NOTHING, 1.0)]);
        assert_eq!(levels(&truth, &grid(0.37, 1.1, 41.0), 5.0), [(ELSEWHERE, 1.0)]);
        assert_eq!(levels(&[], &truth, 5.0), []);
    }

    #[test]
    fn a_change_of_mind_is_seen_and_time_is_told() {
        let truth = grid(0.5, 1.0, 61.0);
        let mut found = grid(0.25, 1.0, 26.0);
        found.extend(grid(0.5, 26.0, 61.0));
        let told = levels(&truth, &found, 1.0);
        assert_eq!((told[0].0, told[1].0), ("right", "twice as fast"), "{told:?}");
        assert!(told[0].1 > 0.5 && told[1].1 > 0.3, "{told:?}");
        assert!((told.iter().map(|t| t.1).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn it_follows_a_tempo_that_drifts() {
        let mut truth = vec![1.0];
        while *truth.last().unwrap() < 60.0 {
            let last = truth[truth.len() - 1];
            truth.push(last + 0.4 + last / 200.0);
        }
        let every_second: Vec<f64> = truth.iter().copied().step_by(2).collect();
        assert_eq!(levels(&truth, &every_second, 5.0), [("half as fast", 1.0)]);
    }
}
