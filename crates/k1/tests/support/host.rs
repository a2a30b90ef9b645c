//! Whether this machine kept time. A measured rate says something about K1 only then: on a shared machine, a whole core
//! can be away for a third of a second, and a failure then is not K1's.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Duration of one sleep: short compared with a frame.
const NAP: Duration = Duration::from_millis(2);
/// A sleep that is longer by this means that the core was away; other work makes it late by only a few milliseconds.
const AWAY: Duration = Duration::from_millis(12);
/// If a core was away for a larger share of the time, in percent, the machine did not keep time.
const MOST_PERCENT: f64 = 2.0;
/// The statements about time that may be left unjudged.
const NAMED: &str = include_str!("../../../../.ci/timing.toml");

/// Watches every core until it is dropped.
pub struct Host {
    began: Instant,
    cores: Vec<Arc<AtomicU64>>,
    end: Arc<AtomicBool>,
}

impl Host {
    /// Starts watching.
    pub fn watch() -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let watch_core = |core| {
            let (away_us, is_over) = (Arc::new(AtomicU64::new(0)), end.clone());
            let sum = away_us.clone();
            std::thread::spawn(move || {
                core_affinity::set_for_current(core);
                while !is_over.load(Relaxed) {
                    let from = Instant::now();
                    std::thread::sleep(NAP);
                    let late = from.elapsed().saturating_sub(NAP);
                    if late > AWAY {
                        sum.fetch_add(late.as_micros() as u64, Relaxed);
                    }
                }
            });
            away_us
        };
        let cores = core_affinity::get_core_ids().unwrap_or_default().into_iter().map(watch_core).collect();
        Self { began: Instant::now(), cores, end }
    }

    /// The share of the time for which the core that was away longest was away, in percent.
    pub fn away_percent(&self) -> f64 {
        let longest = self.cores.iter().map(|us| us.load(Relaxed)).max().unwrap_or(0);
        100.0 * longest as f64 / self.began.elapsed().as_micros().max(1) as f64
    }

    /// Asserts a statement about real time. If this machine was away, a failing statement is left unjudged and its name
    /// is reported: the gate repeats the test, and excuses only statements that `.ci/timing.toml` names.
    ///
    /// # Panics
    ///
    /// If the statement fails although the machine kept time, or if its name is not in that file.
    #[track_caller]
    pub fn asserts(&self, name: &str, holds: bool, what: impl FnOnce() -> String) {
        let is_named =
            NAMED.lines().any(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = ")));
        assert!(is_named, "the statement {name} is not in .ci/timing.toml");
        if holds {
            return;
        }
        let (away, what) = (self.away_percent(), what());
        assert!(away > MOST_PERCENT, "{what}; this machine was away for {away:.1} % of the time");
        leave_unjudged(name, &format!("{what}; this machine was away for {away:.0} % of the time"));
    }
}

/// Waits for a moment in which this machine runs what it should run, and ends a test that would otherwise wait for
/// something that cannot happen.
///
/// # Panics
///
/// If one of the cores is away for most of every moment of a minute.
pub fn assert_here() {
    /// Duration of the moment.
    const MOMENT: Duration = Duration::from_millis(500);
    /// Two clock readings in a row with a larger difference have a pause between them.
    const PAUSE: Duration = Duration::from_millis(1);
    /// Time to wait for a calmer moment.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// A core that also runs something else is away for half of the moment.
    const MOST: f64 = 0.75;
    let away = |core| {
        core_affinity::set_for_current(core);
        let began = Instant::now();
        let (mut last, mut away) = (began, Duration::ZERO);
        while last - began < MOMENT {
            let now = Instant::now();
            if now - last > PAUSE {
                away += now - last;
            }
            last = now;
        }
        away.as_secs_f64() / (last - began).as_secs_f64()
    };
    let worst = || {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let watches: Vec<_> = cores.into_iter().map(|core| std::thread::spawn(move || away(core))).collect();
        watches.into_iter().filter_map(|w| w.join().ok()).fold(0.0, f64::max)
    };
    let began = Instant::now();
    let mut last = worst();
    while last >= MOST && began.elapsed() < PATIENCE {
        std::thread::sleep(MOMENT);
        last = worst();
    }
    assert!(last < MOST, "a core of this machine is away for {:.0} % of the time", 100.0 * last);
}

/// Prints the statement, and writes it to the file that `K1_EXCUSED` names, for the gate: name, test and figures,
/// separated by tabs.
fn leave_unjudged(name: &str, what: &str) {
    println!("not judged: {name}: {what}");
    if let Some(path) = std::env::var_os("K1_EXCUSED") {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let line = format!("{name}\t{test}\t{}\n", what.replace(['\t', '\n'], " "));
        let file = std::fs::File::options().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("K1_EXCUSED names a file");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end.store(true, Relaxed);
    }
}
