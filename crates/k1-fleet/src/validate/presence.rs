//! Whether the machine that emulates a lamp was there: a second in which it was away says nothing about the lamp. Only
//! computes; [`super::watcher`] watches.
//!
//! This excuses only figures of single seconds, and only if few seconds are excused. It never excuses what a lamp
//! counts: errors, torn reads, restarts.

use serde::Serialize;

use super::verdict::{Row, Verdict};

/// Most time by which a sleep of 2 ms may be too long, in ms: two frames of a lamp. Beyond it, no program on this
/// machine ran on time.
const OVERSLEPT_MS: f64 = 10.0;
/// Largest share of all CPU time that the hypervisor may take, in percent: as large as the deviation that `steady`
/// permits.
const STOLEN_PERCENT: f64 = 2.0;
/// Time before a request that its answer may describe, in seconds. A figure is up to a second old and describes the
/// second before; half a second is added, because the seconds of a stopped lamp are longer.
const REACH_S: f64 = 2.5;
/// Largest share of the looks that may be left out, in percent. Beyond it, the rest proves nothing.
const MOST_PERCENT: f64 = 20.0;
/// Fewest remaining looks with which a fault still counts.
const FEWEST: usize = 5;

/// What this machine did in about one second. Each second begins when the previous one ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HostSecond {
    /// End of the second, in seconds since the beginning of the measurement. The second begins at the end of the
    /// previous one.
    pub t: f64,
    /// Most time by which a sleep was too long, in ms.
    pub overslept_ms: f64,
    /// Share of all CPU time that the hypervisor took, in percent; `None` if the system does not report it.
    pub stolen_percent: Option<f64>,
}

impl HostSecond {
    fn was_away(&self) -> bool {
        self.overslept_ms > OVERSLEPT_MS || self.stolen_percent.is_some_and(|s| s > STOLEN_PERCENT)
    }
}

/// Whether the host was there at each look at the lamp.
#[derive(Clone, Debug)]
pub struct Presence {
    /// For each look, in order.
    there: Vec<bool>,
    /// The largest value of all seconds.
    overslept_ms: f64,
    stolen_percent: Option<f64>,
}

impl Presence {
    /// Derives it from the host's seconds and the times of the looks.
    pub fn of(host: &[HostSecond], looks: impl Iterator<Item = f64>) -> Self {
        // The first second has a known end only, so it is assumed to last one second.
        let begin = |i: usize| if i == 0 { host[0].t - 1.0 } else { host[i - 1].t };
        let there = |look: f64| {
            let from = look - REACH_S;
            let first = host.partition_point(|s| s.t <= from);
            let touched = || (first..host.len()).take_while(|i| begin(*i) < look);
            let watched: f64 = touched().map(|i| host[i].t.min(look) - begin(i).max(from)).sum();
            // Without a record, the host does not count as there.
            watched >= REACH_S - 0.01 && !touched().any(|i| host[i].was_away())
        };
        let worst = |all: &mut dyn Iterator<Item = f64>| all.reduce(f64::max);
        Self {
            there: looks.map(there).collect(),
            overslept_ms: worst(&mut host.iter().map(|s| s.overslept_ms)).unwrap_or_default(),
            stolen_percent: worst(&mut host.iter().filter_map(|s| s.stolen_percent)),
        }
    }

    /// True if this look counts.
    pub fn is_there(&self, look: usize) -> bool {
        self.there.get(look).is_some_and(|there| *there)
    }

    fn left_out(&self) -> usize {
        self.there.iter().filter(|there| !**there).count()
    }

    fn is_enough(&self) -> bool {
        self.left_out() as f64 * 100.0 <= MOST_PERCENT * self.there.len() as f64
    }

    /// The verdict on a criterion that was judged by the remaining looks; `good` is the share of them within the limit.
    pub fn judge(&self, holds: bool, good: f64) -> Verdict {
        let remain = self.there.len() - self.left_out();
        match (holds, self.is_enough()) {
            (true, true) => Verdict::Passed,
            (false, true) => Verdict::Failed,
            // A lamp that is bad in most of the seconds in which the host was there is bad.
            (false, false) if remain >= FEWEST && good < 0.5 => Verdict::Failed,
            (_, false) => Verdict::NotMeasured,
        }
    }

    /// The row that reports what was left out.
    pub fn row(&self) -> Row {
        let stolen = self.stolen_percent.map_or("an unknown share".into(), |s| format!("{s:.1} %"));
        let is_enough = self.is_enough();
        Row {
            id: "host",
            criterion: format!(
                "this machine, which emulates the lamp, was there: at most {MOST_PERCENT} % of the seconds are left out of \
                 the frames' and the sound's times (it overslept more than {OVERSLEPT_MS} ms, or more than \
                 {STOLEN_PERCENT} % of it was stolen)"
            ),
            measured: format!(
                "{} of {} seconds are left out; at worst it overslept {:.1} ms, and {stolen} was stolen{}",
                self.left_out(),
                self.there.len(),
                self.overslept_ms,
                if is_enough { "" } else { "; repeat it on a quieter machine" }
            ),
            verdict: if is_enough { Verdict::Passed } else { Verdict::NotMeasured },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred quiet seconds, except one.
    fn host(at: usize, overslept_ms: f64, stolen_percent: f64) -> Vec<HostSecond> {
        let quiet = |t| HostSecond { t, overslept_ms: 0.3, stolen_percent: Some(0.1) };
        let mut host: Vec<_> = (0..100).map(|i| quiet(f64::from(i))).collect();
        (host[at].overslept_ms, host[at].stolen_percent) = (overslept_ms, Some(stolen_percent));
        host
    }

    fn left_out(host: &[HostSecond]) -> Vec<usize> {
        let presence = Presence::of(host, (4..99).map(f64::from));
        (4..99).filter(|i| !presence.is_there(i - 4)).collect()
    }

    #[test]
    fn a_second_away_takes_those_looks_with_it_whose_figures_may_describe_it() {
        assert!(left_out(&host(50, 10.0, 2.0)).is_empty(), "that much is usual");
        // It lasts from 49 to 50. A look at 50 may describe 48 to 50, and a look at 52 describes about 50 to 52.
        assert_eq!(left_out(&host(50, 10.1, 0.0)), [50, 51, 52]);
        assert_eq!(left_out(&host(50, 0.0, 2.1)), [50, 51, 52]);
    }

    #[test]
    fn a_time_that_nobody_watched_is_left_out() {
        let mut gone = host(50, 0.0, 0.0);
        gone.truncate(90);
        assert_eq!(left_out(&gone), (90..99).collect::<Vec<_>>());
        assert_eq!(left_out(&[]).len(), 95);
        // A second that is long because the watcher itself was stopped counts for its whole length.
        let mut long = host(54, 4_000.0, 0.0);
        long.drain(51..54);
        assert_eq!(left_out(&long), (51..57).collect::<Vec<_>>());
    }

    #[test]
    fn a_system_that_does_not_tell_of_stolen_time_is_judged_by_its_sleep() {
        let mut host = host(50, 11.0, 0.0);
        host.iter_mut().for_each(|s| s.stolen_percent = None);
        assert_eq!(left_out(&host), [50, 51, 52]);
        let row = Presence::of(&host, (4..99).map(f64::from)).row();
        assert!(
            row.measured.starts_with("3 of 95 seconds are left out; at worst it overslept 11.0 ms"),
            "{row:?}"
        );
        assert_eq!(row.verdict, Verdict::Passed);
    }

    #[test]
    fn too_much_left_out_is_no_pass_and_excuses_no_fault_that_is_seen_all_the_same() {
        let busy = |away: usize| Presence {
            there: (0..100).map(|i| i >= away).collect(),
            overslept_ms: 300.0,
            stolen_percent: None,
        };
        assert_eq!(busy(20).row().verdict, Verdict::Passed);
        assert_eq!(busy(20).judge(true, 1.0), Verdict::Passed);
        assert_eq!(busy(20).judge(false, 0.9), Verdict::Failed);
        assert_eq!(busy(21).row().verdict, Verdict::NotMeasured);
        assert!(busy(21).row().measured.ends_with("quieter machine"));
        assert_eq!(busy(21).judge(true, 1.0), Verdict::NotMeasured);
        assert_eq!(busy(21).judge(false, 0.9), Verdict::NotMeasured);
        assert_eq!(busy(21).judge(false, 0.1), Verdict::Failed, "a lamp that is always slow is slow");
        assert_eq!(busy(96).judge(false, 0.0), Verdict::NotMeasured, "four seconds prove nothing");
    }
}
