//! What a running program uses: processor, memory, and how often its threads wake.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Counters of a process at one moment.
#[derive(Clone, Debug)]
pub struct Counters {
    at: Instant,
    /// Time on a processor of all its threads, from the scheduler's own clock.
    cpu: Duration,
    /// Ticks in the program and in the kernel.
    ticks: [u64; 2],
    /// Times that each thread waited, and that it was interrupted. A thread that has ended takes its counters away.
    switches: BTreeMap<OsString, [u64; 2]>,
}

/// What a process used between two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Share of one core, in percent.
    pub cpu: f64,
    /// Part of it in the kernel, in percent of one core.
    pub kernel: f64,
    /// Times a second that a thread waited.
    pub waits: f64,
    /// Times a second that a thread was interrupted.
    pub interrupted: f64,
}

/// Memory of a process, in kB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// Everything that is resident.
    pub resident: u64,
    /// The part that is its own and not a part of a file.
    pub own: u64,
    /// Number of threads.
    pub threads: u64,
}

impl Counters {
    /// Reads the counters of a process.
    ///
    /// # Errors
    ///
    /// A sentence if the process has ended.
    pub fn read(process: u32) -> Result<Self, String> {
        let clock = clock_getcpuclockid(Pid::from_raw(process as i32));
        let cpu = clock.and_then(|clock| clock.now()).map_err(|e| format!("process {process}: {e}"))?;
        let stat = text(process, "stat")?;
        let mut switches = BTreeMap::new();
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
        for task in tasks.map_err(|e| format!("process {process}: {e}"))?.flatten() {
            // A thread may end in the meantime.
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let counts =
                ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"].map(|name| field(&status, name));
            switches.insert(task.file_name(), counts);
        }
        Ok(Self { at: Instant::now(), cpu: cpu.into(), ticks: ticks(&stat), switches })
    }

    /// What was used since `before`.
    pub fn since(&self, before: &Self) -> Usage {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let ticks = [0, 1].map(|i| self.ticks[i].saturating_sub(before.ticks[i]) as f64);
        let since = |thread: &OsString, i: usize| before.switches.get(thread).map_or(0, |counts| counts[i]);
        let rate = |i: usize| {
            let counts = self.switches.iter().map(|(thread, now)| now[i].saturating_sub(since(thread, i)));
            counts.sum::<u64>() as f64 / seconds
        };
        let cpu = (self.cpu - before.cpu).as_secs_f64() / seconds * 100.0;
        let kernel = cpu * ticks[1] / (ticks[0] + ticks[1]).max(1.0);
        Usage { cpu, kernel, waits: rate(0), interrupted: rate(1) }
    }
}

impl Memory {
    /// Reads the memory of a process.
    ///
    /// # Errors
    ///
    /// A sentence if the process has ended.
    pub fn read(process: u32) -> Result<Self, String> {
        let status = text(process, "status")?;
        let [resident, own, threads] = ["VmRSS:", "RssAnon:", "Threads:"].map(|name| field(&status, name));
        Ok(Self { resident, own, threads })
    }
}

fn text(process: u32, name: &str) -> Result<String, String> {
    std::fs::read_to_string(format!("/proc/{process}/{name}")).map_err(|e| format!("process {process}: {e}"))
}

/// The number behind a name at the beginning of a line; 0 if it is missing.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Ticks in the program and in the kernel, from a line of `/proc/PID/stat`. The program's name may contain spaces.
fn ticks(stat: &str) -> [u64; 2] {
    let words: Vec<&str> =
        stat.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    [11, 12].map(|i| words.get(i).and_then(|word| word.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 61 23 0 0 20 0 16 0";
        assert_eq!(ticks(stat), [61, 23]);
        let status = "VmRSS:\t   13240 kB\nThreads:\t16\nnonvoluntary_ctxt_switches:\t9\n";
        assert_eq!((field(status, "VmRSS:"), field(status, "Threads:")), (13_240, 16));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 0);
    }

    #[test]
    fn a_thread_that_works_uses_a_core_and_one_that_sleeps_waits() {
        let before = Counters::read(std::process::id()).unwrap();
        let until = Instant::now() + Duration::from_millis(100);
        while Instant::now() < until {}
        std::thread::sleep(Duration::from_millis(50));
        let usage = Counters::read(std::process::id()).unwrap().since(&before);
        assert!(usage.cpu > 1.0 && usage.waits > 0.0 && usage.kernel <= usage.cpu, "{usage:?}");
        assert!(Memory::read(std::process::id()).unwrap().resident > 100);
    }
}
