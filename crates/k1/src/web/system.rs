//! K1's use of processor and memory, as the system reports it. A figure that the system does not report is left out.

use std::time::Instant;

/// Processor and memory use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct System {
    /// Processor use of this process in percent of one core, since the last sample.
    pub cpu_percent: Option<f32>,
    /// Free memory of the machine in KiB.
    pub free_kb: Option<u64>,
    /// Total memory of the machine in KiB.
    pub total_kb: Option<u64>,
}

/// Takes samples of the processor and memory use.
#[derive(Debug, Default)]
pub struct Sampler {
    last: Option<(Instant, f64)>,
}

impl Sampler {
    /// The use since the last call; the first sample has no processor use.
    pub fn sample(&mut self) -> System {
        let now = Instant::now();
        let used = cpu_seconds();
        let cpu_percent = match (self.last, used) {
            (Some((then, before)), Some(used)) => {
                let passed = (now - then).as_secs_f64().max(1e-3);
                Some(((used - before) / passed * 100.0) as f32)
            }
            _ => None,
        };
        self.last = used.map(|u| (now, u));
        let (free_kb, total_kb) = memory();
        System { cpu_percent, free_kb, total_kb }
    }
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> Option<f64> {
    // proc(5): fields 14 and 15 are user and system time in clock ticks; the name before them may contain blanks.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(target_os = "linux")]
fn memory() -> (Option<u64>, Option<u64>) {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field =
        |name: &str| info.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    (field("MemAvailable:"), field("MemTotal:"))
}

#[cfg(not(target_os = "linux"))]
fn cpu_seconds() -> Option<f64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn memory() -> (Option<u64>, Option<u64>) {
    (None, None)
}
