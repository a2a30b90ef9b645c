//! Watches this machine while it emulates a lamp: how late a thread wakes, and how much CPU time the hypervisor takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::presence::HostSecond;

/// Duration of one sleep: short compared with a frame.
const NAP: Duration = Duration::from_millis(2);
/// Time that one figure covers.
const PACE: Duration = Duration::from_secs(1);

/// A watch that continues until it is ended.
pub struct Watcher {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<HostSecond>>>,
}

impl Watcher {
    /// Starts watching; times are seconds since `began`.
    ///
    /// # Errors
    ///
    /// Those of a system that cannot start another thread.
    pub fn start(began: Instant) -> std::io::Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let is_over = end.clone();
        let watch = move || {
            let mut seconds = Vec::new();
            loop {
                let (figures, is_last) = second(began, &is_over);
                seconds.push(figures);
                if is_last {
                    return seconds;
                }
            }
        };
        let thread = std::thread::Builder::new().name("k1-host".into()).spawn(watch)?;
        Ok(Self { end, thread: Some(thread) })
    }

    /// Ends the watch; returns what this machine did until now.
    pub fn end(mut self) -> Vec<HostSecond> {
        self.end.store(true, Ordering::Release);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
    }
}

/// Watches for one second, or longer if this machine is slow, or until the end. The second value is true after the end.
fn second(began: Instant, is_over: &AtomicBool) -> (HostSecond, bool) {
    let from = Instant::now();
    let before = ticks();
    let mut worst = Duration::ZERO;
    let mut awake = from;
    let mut is_last = false;
    while !is_last && awake.duration_since(from) < PACE {
        std::thread::sleep(NAP);
        // Read before the clock, so that the end is within the last second.
        is_last = is_over.load(Ordering::Acquire);
        let now = Instant::now();
        worst = worst.max(now.duration_since(awake).saturating_sub(NAP));
        awake = now;
    }
    let stolen = before.zip(ticks()).and_then(|(before, after)| stolen_percent(before, after));
    let figures = HostSecond {
        t: awake.duration_since(began).as_secs_f64(),
        overslept_ms: worst.as_secs_f64() * 1e3,
        stolen_percent: stolen,
    };
    (figures, is_last)
}

/// CPU ticks since the start of this machine, and how many of them the hypervisor took. Only Linux reports them.
fn ticks() -> Option<(u64, u64)> {
    read_ticks(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the text of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. The later columns are already
/// included in these.
fn read_ticks(text: &str) -> Option<(u64, u64)> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = all.split_whitespace().take(8).map_while(|f| f.parse().ok()).collect();
    let stolen = *fields.get(7)?;
    Some((fields.iter().sum(), stolen))
}

fn stolen_percent(before: (u64, u64), after: (u64, u64)) -> Option<f64> {
    let (all, stolen) = (after.0.checked_sub(before.0)?, after.1.saturating_sub(before.1));
    (all > 0).then(|| 100.0 * stolen as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_all_cpus() {
        let before = "cpu  100 0 50 800 10 0 5 35 7 7\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        let after = "cpu  150 0 70 918 10 0 5 47 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        let (before, after) = (read_ticks(before).unwrap(), read_ticks(after).unwrap());
        assert_eq!((before, after), ((1_000, 35), (1_200, 47)));
        assert_eq!(stolen_percent(before, after), Some(6.0));
        assert_eq!(stolen_percent(before, before), None, "without time there is no share");
        assert_eq!(read_ticks("cpu  1 2 3\n"), None, "a system of before steal");
        assert_eq!(read_ticks(""), None);
    }

    #[test]
    fn seconds_follow_each_other() {
        let began = Instant::now();
        let watcher = Watcher::start(began).unwrap();
        std::thread::sleep(Duration::from_millis(1_100));
        let end = began.elapsed().as_secs_f64();
        let seconds = watcher.end();
        // The first second lasts as long as this machine takes for it.
        assert!(seconds[0].t >= 1.0 && seconds.is_sorted_by(|a, b| a.t < b.t), "{seconds:?}");
        assert!(seconds.last().unwrap().t >= end, "the end is in one: {seconds:?}");
        // A sleep is never too short, and no sleep can be longer than the whole watch.
        let all_ms = began.elapsed().as_secs_f64() * 1e3;
        assert!(seconds.iter().all(|s| (0.0..all_ms).contains(&s.overslept_ms)), "{seconds:?}");
    }
}
