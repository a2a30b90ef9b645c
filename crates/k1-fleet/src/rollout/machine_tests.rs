use std::collections::BTreeSet;

use super::*;
use proptest::prelude::*;

fn lamps(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("k1-{i:03}")).collect()
}

fn plan(steps: &[&str], abort_above: f64) -> Plan {
    let steps = steps.iter().map(|s| (*s).to_owned()).collect();
    Plan { steps, abort_above, watch: 10.0, at_once: 3, watch_last: true }
}

/// Updates every lamp that is due; returns the number of them.
fn step(r: &mut Rollout, now: Instant, bad: impl Fn(usize) -> bool) -> usize {
    let mut tried = 0;
    while let Some(lamp) = r.next(now) {
        tried += 1;
        r.verdict(lamp, if bad(lamp) { Err("late".into()) } else { Ok(()) });
    }
    tried
}

#[test]
fn a_good_one_reaches_every_lamp_step_by_step() {
    let mut r = Rollout::new("2.0", lamps(200), plan(&["1", "5%", "25%", "100%"], 5.0)).unwrap();
    let mut now = Instant::now();
    for expected in [1, 9, 40, 150] {
        assert_eq!(step(&mut r, now, |_| false), expected, "{:?}", r.status());
        assert_eq!(step(&mut r, now + Duration::from_secs(9), |_| false), 0, "it is watched first");
        now += Duration::from_secs(11);
    }
    assert_eq!(r.next(now), None);
    assert_eq!((r.status().state, r.is_going()), ("done", false));
}

#[test]
fn a_bad_one_stops_where_it_shows() {
    let now = Instant::now();
    let mut r = Rollout::new("2.0", lamps(200), plan(&["1", "5%", "100%"], 5.0)).unwrap();
    assert_eq!(step(&mut r, now, |_| true), 1, "the canary");
    assert_eq!((r.status().state, r.is_going()), ("aborted", false));

    // Single failures are tolerated until more than 5 % have failed.
    let mut r = Rollout::new("2.0", lamps(200), plan(&["100%"], 5.0)).unwrap();
    let tried = step(&mut r, now, |lamp| lamp >= 100);
    assert_eq!(tried, 106, "100 good and 6 bad are 5.7 %");
    let failed = r.status().failed;
    assert!(failed.len() == 6 && failed["k1-100"] == "late", "{failed:?}");
}

#[test]
fn one_by_one_stops_at_the_first_failure_and_names_every_lamp_that_has_it() {
    let now = Instant::now();
    let mut r = Rollout::new("2.0", lamps(5), Plan::one_by_one(5, 2, 60.0)).unwrap();
    assert_eq!((r.next(now), r.next(now)), (Some(0), None), "one at a time");
    r.verdict(0, Ok(()));
    assert_eq!(r.next(now), Some(1));
    r.verdict(1, Ok(()));
    assert_eq!(r.next(now), None);
    assert!(r.watched_until().is_some());
    assert_eq!(r.next(now + Duration::from_secs(59)), None);
    assert_eq!(r.next(now + Duration::from_secs(60)), Some(2));
    r.verdict(2, Err("it took itself back".into()));
    assert!(!r.is_going());
    let status = r.status();
    assert_eq!(status.updated, ["k1-000", "k1-001"]);
    assert_eq!((status.good, status.waiting, status.failed.len()), (2, 2, 1));

    // Without a failure the rollout ends after the last verdict: only canaries are watched.
    let mut r = Rollout::new("2.0", lamps(3), Plan::one_by_one(3, 0, 60.0)).unwrap();
    assert_eq!(step(&mut r, now, |_| false), 3);
    assert_eq!((r.status().state, r.is_going()), ("done", false));
}

#[test]
fn it_can_be_held_and_ended() {
    let now = Instant::now();
    let mut r = Rollout::new("2.0", lamps(10), plan(&["100%"], 5.0)).unwrap();
    let first: Vec<_> = std::iter::from_fn(|| r.next(now)).collect();
    assert_eq!(first.len(), 3, "no more at once");
    r.pause();
    first.iter().for_each(|lamp| r.verdict(*lamp, Ok(())));
    assert_eq!((r.next(now), r.status().state), (None, "paused"));
    r.resume();
    let next = r.next(now).unwrap();
    r.abort();
    assert!(r.next(now).is_none() && r.is_going(), "updates on their way end");
    r.verdict(next, Ok(()));
    assert!(!r.is_going());
    r.resume();
    assert_eq!(r.next(now + Duration::from_secs(99)), None, "an end is an end");
}

#[test]
fn one_unwell_look_is_no_fault_and_three_in_a_row_are() {
    let now = Instant::now();
    let mut r = Rollout::new("2.0", lamps(20), plan(&["2", "100%"], 5.0)).unwrap();
    assert_eq!(step(&mut r, now, |_| false), 2);
    assert_eq!(r.updated().collect::<Vec<_>>(), [0, 1]);
    let late = || Err("age_p99_ms beyond its limit".to_owned());
    for found in [late(), late(), Ok(()), late(), late()] {
        r.look(1, found);
        r.look(7, late());
        assert_eq!(r.status().state, "watching");
    }
    let later = now + Duration::from_secs(60);
    assert_eq!(r.next(later), None, "nobody follows a lamp whose last look was bad");
    r.look(1, late());
    assert_eq!(step(&mut r, later, |_| false), 0);
    let status = r.status();
    assert_eq!((status.state, status.updated.len()), ("aborted", 2), "both run the firmware");
    assert_eq!(status.failed["k1-001"], "after its verdict: age_p99_ms beyond its limit");

    let mut r = Rollout::new("2.0", lamps(20), plan(&["2", "100%"], 5.0)).unwrap();
    step(&mut r, now, |_| false);
    r.look(1, late());
    assert_eq!(r.next(later), None);
    r.look(1, Ok(()));
    assert_eq!(r.next(later), Some(2), "one that recovers holds nobody up");
}

#[test]
fn a_verdict_of_a_lamp_that_was_not_asked_does_not_count() {
    let now = Instant::now();
    let mut r = Rollout::new("2.0", lamps(4), plan(&["1", "100%"], 5.0)).unwrap();
    assert_eq!(r.next(now), Some(0));
    r.verdict(3, Err("somebody else's".into()));
    r.verdict(9, Ok(()));
    assert_eq!((r.status().state, r.status().waiting), ("trying", 3));
    r.verdict(0, Ok(()));
    r.verdict(0, Err("twice".into()));
    assert!(r.status().failed.is_empty());
}

/// An event during a rollout.
#[derive(Clone, Copy, Debug)]
enum Event {
    Ask,
    /// The verdict of one of the lamps that are being updated.
    Verdict(usize, bool),
    /// A look at any lamp.
    Look(usize, bool),
    Later(u8),
    Pause,
    Resume,
    Abort,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Ask),
        8 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(lamp, is_good)| Event::Verdict(lamp, is_good)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(lamp, is_well)| Event::Look(lamp, is_well)),
        4 => (0_u8..12).prop_map(Event::Later),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        1 => prop::bool::weighted(0.05).prop_map(|is| if is { Event::Abort } else { Event::Ask }),
    ]
}

proptest! {
    /// Any events in any order.
    #[test]
    fn it_keeps_its_word(
        n in 1_usize..40,
        canary in 1_usize..5,
        at_once in 1_usize..5,
        abort_above in prop_oneof![Just(0.0), 0.0_f64..60.0],
        watch_last in any::<bool>(),
        events in prop::collection::vec(event(), 0..300),
    ) {
        let steps = vec![canary.to_string(), "30%".into(), "100%".into()];
        let ends = [canary.min(n), (n * 3).div_ceil(10).max(canary.min(n)), n];
        let plan = Plan { steps, abort_above, watch: 10.0, at_once, watch_last };
        let mut r = Rollout::new("2", lamps(n), plan).unwrap();
        let mut now = Instant::now();
        let (mut asked, mut on_their_way) = (BTreeSet::new(), Vec::new());
        let (mut updated, mut failed) = (BTreeSet::new(), BTreeSet::new());
        let mut since_last_verdict = now;
        for event in events {
            match event {
                Event::Ask => {
                    let was = r.status();
                    while let Some(lamp) = r.next(now) {
                        prop_assert!(!["aborted", "done", "paused"].contains(&was.state), "asked after a stop: {was:?}");
                        prop_assert!(asked.insert(lamp), "asked twice");
                        on_their_way.push(lamp);
                        prop_assert!(on_their_way.len() <= at_once, "more than the wave at once");
                        // A lamp of a later step is asked only after all lamps of the previous step have a verdict and
                        // were watched.
                        let first = ends.iter().rev().find(|end| **end <= lamp).copied().unwrap_or(0);
                        let before: Vec<_> = (0..first).collect();
                        prop_assert!(before.iter().all(|b| updated.contains(b) || failed.contains(b)));
                        if lamp == first && first > 0 {
                            prop_assert!(now >= since_last_verdict + Duration::from_secs(10), "it was not watched");
                        }
                        let tried = updated.union(&failed).count();
                        let share = 100.0 * failed.len() as f64 / tried.max(1) as f64;
                        prop_assert!(failed.is_empty() || share <= abort_above, "{share} % have failed");
                    }
                }
                Event::Verdict(which, is_good) if !on_their_way.is_empty() => {
                    let lamp = on_their_way.swap_remove(which % on_their_way.len());
                    r.verdict(lamp, if is_good { Ok(()) } else { Err("late".into()) });
                    if is_good { updated.insert(lamp) } else { failed.insert(lamp) };
                    since_last_verdict = now;
                }
                Event::Verdict(..) => {}
                Event::Look(lamp, is_well) => {
                    let lamp = lamp % n;
                    r.look(lamp, if is_well { Ok(()) } else { Err("ill".into()) });
                    if r.status().failed.contains_key(&format!("k1-{lamp:03}")) {
                        failed.insert(lamp);
                    }
                }
                Event::Later(seconds) => now += Duration::from_secs(seconds.into()),
                Event::Pause => r.pause(),
                Event::Resume => r.resume(),
                Event::Abort => r.abort(),
            }
            let status = r.status();
            // Each lamp is in one state, and it is the state of its own verdict.
            prop_assert_eq!(status.good + status.trying + status.waiting + status.failed.len(), n);
            prop_assert_eq!(status.trying, on_their_way.len());
            prop_assert_eq!(status.good, updated.difference(&failed).count());
            prop_assert_eq!(status.waiting, n - asked.len());
            // A stopped rollout names the lamps that have the firmware.
            if status.state == "aborted" {
                let named: Vec<_> = updated.iter().map(|lamp| format!("k1-{lamp:03}")).collect();
                prop_assert_eq!(status.updated, named);
            }
        }
        // Left alone, the rollout ends.
        r.resume();
        for _ in 0..3 * n + 9 {
            while let Some(lamp) = r.next(now) {
                on_their_way.push(lamp);
            }
            on_their_way.drain(..).for_each(|lamp| r.verdict(lamp, Ok(())));
            let updated: Vec<_> = r.updated().collect();
            updated.into_iter().for_each(|lamp| r.look(lamp, Ok(())));
            now += Duration::from_secs(11);
        }
        prop_assert!(!r.is_going(), "{:?}", r.status());
        let status = r.status();
        prop_assert!(status.state == "aborted" || status.good + status.failed.len() == n);
    }
}
