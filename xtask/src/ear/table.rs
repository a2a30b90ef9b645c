//! The scores of many pieces, as one row of a table.

use super::running::median;
use super::score::Score;

/// Names of the columns that [`Summary::row`] fills.
pub const COLUMNS: &str = "  n      F  as ann.   CMLt   AMLt   acc1   acc2    tt1    tt2  lock s  locked  relock s  \
                           latency, jitter ms   down";

/// Names of the columns that [`Summary::short_row`] fills.
pub const SHORT_COLUMNS: &str = "  n      F   CMLt   AMLt   acc1   acc2    tt1    tt2";

/// The scores of some pieces: means of shares, medians of times. `None` where no piece has the figure.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    n: usize,
    f: Option<f64>,
    announced: Option<f64>,
    downbeats: Option<f64>,
    cmlt: Option<f64>,
    amlt: Option<f64>,
    acc: [Option<f64>; 2],
    tempo: [Option<f64>; 2],
    lock_s: Option<f64>,
    locked: Option<f64>,
    relock_s: Option<f64>,
    latency_ms: Option<f64>,
    jitter_ms: Option<f64>,
}

impl Summary {
    /// Summarises these pieces.
    pub fn of(scores: &[&Score]) -> Self {
        let each = |figure: &dyn Fn(&Score) -> Option<f64>| -> Vec<f64> {
            scores.iter().filter_map(|s| figure(s)).collect()
        };
        let share = |yes: bool| if yes { 1.0 } else { 0.0 };
        Self {
            n: scores.len(),
            f: mean(&each(&|s| Some(s.f))),
            announced: mean(&each(&|s| Some(s.announced))),
            downbeats: mean(&each(&|s| s.downbeats)),
            cmlt: mean(&each(&|s| Some(s.cmlt))),
            amlt: mean(&each(&|s| Some(s.amlt))),
            acc: [
                mean(&each(&|s| s.acc.map(|(at_level, _)| share(at_level)))),
                mean(&each(&|s| s.acc.map(|(_, at_any)| share(at_any)))),
            ],
            tempo: [mean(&each(&|s| Some(s.tempo))), mean(&each(&|s| Some(s.tempo_any)))],
            lock_s: median(each(&|s| s.lock_s)),
            locked: mean(&each(&|s| Some(share(s.lock_s.is_some())))),
            relock_s: median(scores.iter().flat_map(|s| s.relock_s.iter().flatten().copied()).collect()),
            latency_ms: median(each(&|s| s.latency_ms)),
            jitter_ms: median(each(&|s| s.jitter_ms)),
        }
    }

    /// The same without the figures on announcements and locking, for a tool that hears the whole file first.
    pub fn never_announced(self) -> Self {
        Self {
            announced: None,
            lock_s: None,
            locked: None,
            relock_s: None,
            latency_ms: None,
            jitter_ms: None,
            ..self
        }
    }

    /// The row under [`COLUMNS`].
    pub fn row(&self) -> String {
        let three = |v: Option<f64>| number(v, 6, 3);
        format!(
            "{:>3} {} {:>8} {} {} {} {} {} {} {} {:>7} {} {} {} {}",
            self.n,
            three(self.f),
            three(self.announced),
            three(self.cmlt),
            three(self.amlt),
            three(self.acc[0]),
            three(self.acc[1]),
            three(self.tempo[0]),
            three(self.tempo[1]),
            number(self.lock_s, 7, 1),
            self.locked.map_or("-".into(), |share| format!("{:.0} %", 100.0 * share)),
            number(self.relock_s, 9, 1),
            number(self.latency_ms, 8, 0),
            number(self.jitter_ms, 10, 0),
            three(self.downbeats),
        )
    }

    /// The most important figures, as a row under [`SHORT_COLUMNS`].
    pub fn short_row(&self) -> String {
        let figures = [self.f, self.cmlt, self.amlt, self.acc[0], self.acc[1], self.tempo[0], self.tempo[1]];
        figures.iter().fold(format!("{:>3}", self.n), |row, figure| row + " " + &number(*figure, 6, 3))
    }
}

/// The mean; `None` for an empty list.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A figure right-aligned to `width`; a dash for `None`.
pub fn number(value: Option<f64>, width: usize, digits: usize) -> String {
    let Some(value) = value else { return format!("{:>width$}", "-") };
    let shown = format!("{value:>width$.digits$}");
    // Never print "-0.0".
    if shown.contains(|c| ('1'..='9').contains(&c)) { shown } else { shown.replacen('-', " ", 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_without_a_figure_do_not_count_for_it() {
        let steady = Score { f: 0.5, acc: Some((false, true)), lock_s: Some(2.0), ..Score::default() };
        let changing = Score { f: 1.0, relock_s: vec![Some(3.0), None], ..Score::default() };
        let s = Summary::of(&[&steady, &changing]);
        assert_eq!((s.f, s.acc, s.lock_s), (Some(0.75), [Some(0.0), Some(1.0)], Some(2.0)));
        assert_eq!((s.locked, s.relock_s), (Some(0.5), Some(3.0)));
        assert!(s.row().contains("0.750") && s.row().contains("50 %"), "{}", s.row());
        assert!(Summary::of(&[]).row().contains('-'));
        assert_eq!((number(Some(-0.4), 5, 0), number(Some(-0.6), 5, 0)), ("    0".into(), "   -1".into()));
    }
}
