//! The criteria: derives a verdict on each from what was measured. Does not ask the lamp anything.

use std::collections::BTreeMap;

use k1_device::answers::{BootLog, Device, SelfTest, TestState};
use k1_device::console::BOOT_ORDER;
use k1_device::firmware::Rollback;
use serde::Deserialize;

use super::evidence::{Evidence, Second};
use super::light::Answer;
use super::presence::Presence;
use super::verdict::{Row, Verdict};
use crate::lamps::figures::{FRESH_MS, LEAST_FPS, STACK_HEADROOM};

/// Longest time to boot, in ms.
const BOOT_MS: u32 = 30_000;
/// Largest deviation of the frame rate from the rate that the wire can carry, as a share.
const NEAR: f64 = 0.02;
/// Share of the seconds in which a criterion must hold.
pub(super) const STEADY: f64 = 0.99;
/// Most heap that may be missing at the end, in bytes. Buffers of open connections need some.
const LEAK: f64 = 4_096.0;
/// Time after which a 32-bit clock of microseconds wraps, in seconds.
const CLOCK_TURNS_S: f64 = 4_294.967_296;

/// `[lamp]` of `budgets.toml`: limits for the size of an image.
#[derive(Clone, Debug, Deserialize)]
pub struct Budget {
    slot_bytes: u64,
    ram_bytes: u64,
    most: BTreeMap<String, Most>,
}

/// Limits for one board, in percent.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Most {
    flash: f64,
    ram: f64,
}

impl Budget {
    /// The budget with which this program was built.
    ///
    /// # Errors
    ///
    /// The error in the file.
    pub fn read() -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Budgets {
            lamp: Budget,
        }
        let text = include_str!("../../../../budgets.toml");
        toml::from_str::<Budgets>(text).map(|b| b.lamp).map_err(|e| format!("budgets.toml: {e}"))
    }
}

pub(crate) fn row(
    id: &'static str,
    criterion: impl Into<String>,
    measured: impl Into<String>,
    holds: bool,
) -> Row {
    let verdict = if holds { Verdict::Passed } else { Verdict::Failed };
    Row { id, criterion: criterion.into(), measured: measured.into(), verdict }
}

pub(crate) fn unknown(id: &'static str, criterion: impl Into<String>, why: impl Into<String>) -> Row {
    Row { id, criterion: criterion.into(), measured: why.into(), verdict: Verdict::NotMeasured }
}

/// A row for every criterion.
pub fn judge(e: &Evidence, budget: &Budget) -> Vec<Row> {
    let mut rows = vec![boot(&e.boot_log), cores(e.device.shows_on_core, e.device.hears_on_core)];
    let timed = Timed::of(e);
    rows.extend(frames(e, &timed));
    rows.push(age(&timed));
    rows.extend(timed.host.as_ref().map(Presence::row));
    rows.extend(e.reads.iter().map(reads));
    if e.reads.is_empty() {
        rows.push(unknown("reads", "concurrent reads, 0 torn, 0 time-outs", "the self-test did not run"));
    }
    rows.push(errors(e));
    rows.extend([("render", e.device.render_stack), ("audio", e.device.audio_stack)].map(|(half, stack)| {
        let criterion = format!("stack of the {half} half: at least {STACK_HEADROOM} B untouched");
        let id = if half == "render" { "render_stack" } else { "audio_stack" };
        match stack {
            Some(s) => {
                let measured = format!("{} of {} B", s.headroom, s.size);
                row(id, criterion, measured, f64::from(s.headroom) >= STACK_HEADROOM)
            }
            None => unknown(id, criterion, "the lamp does not report it"),
        }
    }));
    rows.extend(memory(&e.device, budget));
    rows.push(light(&e.light));
    rows.push(run(e));
    rows.push(heap(&series(e, "heap_free")));
    rows.extend(clock(e));
    rows.push(health(&e.device));
    rows.push(match e.device.rollback {
        Some(Rollback::Armed) => row("rollback", "rollback is armed", "armed", true),
        Some(Rollback::NotArmed) => row("rollback", "rollback is armed", "not armed", false),
        None => unknown("rollback", "rollback is armed", "the lamp does not report it"),
    });
    rows
}

pub(super) fn boot(log: &BootLog) -> Row {
    let criterion = format!("boots within {} s, its log in order", BOOT_MS / 1000);
    let place = |start: &str| log.lines.iter().position(|l| l.text.starts_with(start));
    let places: Vec<_> = BOOT_ORDER.iter().map(|start| place(start)).collect();
    if let Some(missing) = BOOT_ORDER.iter().zip(&places).find(|(_, p)| p.is_none()) {
        return row("boot", criterion, format!("no line “{}”", missing.0.trim_end()), false);
    }
    let last = places.last().copied().flatten().map_or(0, |i| log.lines[i].at_ms);
    let order = if places.is_sorted() { "in order" } else { "not in order" };
    let measured = format!("{:.1} s, {order}", f64::from(last) / 1000.0);
    row("boot", criterion, measured, places.is_sorted() && last <= BOOT_MS)
}

pub(super) fn cores(shows: Option<u32>, hears: Option<u32>) -> Row {
    let name = |core: Option<u32>| core.map_or("unknown".into(), |c| c.to_string());
    let measured = format!("{} and {}", name(shows), name(hears));
    row("cores", "shows on core 0, hears on core 1", measured, (shows, hears) == (Some(0), Some(1)))
}

fn series(e: &Evidence, id: &str) -> Vec<f64> {
    e.seconds.iter().filter_map(|s| s.reading.get(id)).collect()
}

pub(super) fn mean(all: &[f64]) -> f64 {
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

pub(super) fn share(all: &[f64], holds: impl Fn(f64) -> bool) -> f64 {
    all.iter().filter(|x| holds(**x)).count() as f64 / all.len().max(1) as f64
}

/// The seconds that count for the lamp's times: all of them, except those in which the machine that emulates the lamp
/// was away.
struct Timed<'a> {
    seconds: Vec<&'a Second>,
    host: Option<Presence>,
}

impl<'a> Timed<'a> {
    fn of(e: &'a Evidence) -> Self {
        let host = e.host.as_deref().map(|host| Presence::of(host, e.seconds.iter().map(|s| s.t)));
        let tells = |look: usize| host.as_ref().is_none_or(|h| h.is_there(look));
        let seconds = e.seconds.iter().enumerate().filter(|(look, _)| tells(*look)).map(|(_, s)| s).collect();
        Self { seconds, host }
    }

    fn series(&self, id: &str) -> Vec<f64> {
        self.seconds.iter().filter_map(|s| s.reading.get(id)).collect()
    }

    /// A row about the seconds; `good` is the share of them that are within the limit.
    fn row(&self, id: &'static str, criterion: String, measured: String, holds: bool, good: f64) -> Row {
        let row = row(id, criterion, measured, holds);
        match &self.host {
            Some(host) => Row { verdict: host.judge(holds, good), ..row },
            None => row,
        }
    }
}

fn frames(e: &Evidence, timed: &Timed) -> [Row; 2] {
    let fps = timed.series("fps");
    let rate = "at least 100 frames a second, and within 2 % of what the wire carries";
    let steady = format!("steady over {:.0} s: 99 % of the seconds", e.length_s);
    let Some(wire) = e.device.wire_us.filter(|us| *us > 0).map(|us| 1e6 / f64::from(us)) else {
        return [
            unknown("frames", rate, "the lamp does not report the rate of its wire"),
            unknown("steady", steady, "the same"),
        ];
    };
    let mean = mean(&fps);
    let is_near = |x: f64| x >= LEAST_FPS && (x / wire - 1.0).abs() <= NEAR;
    // A second's figure counts whole frames, so it may be off by one.
    let is_steady = |x: f64| x >= LEAST_FPS && (x / wire - 1.0).abs() <= NEAR + 1.0 / wire;
    let good = share(&fps, is_steady);
    let slowest = fps.iter().copied().reduce(f64::min);
    let slowest = slowest.map(|x| format!(", slowest {x:.1}")).unwrap_or_default();
    let how_many = format!("{:.1} % of {} seconds{slowest}", good * 100.0, fps.len());
    [
        timed.row(
            "frames",
            rate.into(),
            format!("{mean:.1} of {wire:.1}"),
            !fps.is_empty() && is_near(mean),
            good,
        ),
        timed.row("steady", steady, how_many, !fps.is_empty() && good >= STEADY, good),
    ]
}

fn age(timed: &Timed) -> Row {
    let (median, slow) = (timed.series("age_ms"), timed.series("age_p99_ms"));
    let good = share(&slow, |ms| ms < FRESH_MS);
    let most = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
    timed.row(
        "age",
        format!(
            "sound is younger than {FRESH_MS} ms when it is shown (median always, p99 in 99 % of the seconds)"
        ),
        format!(
            "median {:.1}, at most {:.1} ms; p99 at most {:.1} ms",
            mean(&median),
            most(&median),
            most(&slow)
        ),
        !slow.is_empty() && most(&median) < FRESH_MS && good >= STEADY,
        good,
    )
}

fn reads(t: &SelfTest) -> Row {
    let id = if t.wanted <= 500 { "reads_500" } else { "reads_million" };
    let criterion = format!("{} reads while the other core writes: 0 torn, 0 time-outs", t.wanted);
    if t.state != TestState::Done {
        return row(id, criterion, format!("only {} were done", t.reads), false);
    }
    let measured = format!(
        "{} torn, {} without an answer, {} older than before; {} new in {:.1} s, {} second tries",
        t.torn,
        t.kept_previous,
        t.backwards,
        t.new,
        f64::from(t.took_ms) / 1000.0,
        t.retries
    );
    // Without any new snapshot nothing was written during the reads, so nothing was tested.
    row(id, criterion, measured, (t.torn, t.kept_previous, t.backwards) == (0, 0, 0) && t.new > 0)
}

fn errors(e: &Evidence) -> Row {
    let criterion = "0 error lines, and the run before did not panic";
    match (e.boot_log.error_lines, &e.boot_log.last_error, &e.device.last_panic) {
        (None, ..) => unknown("errors", criterion, "there is no console"),
        (Some(_), _, Some(panic)) => row("errors", criterion, format!("it panicked: {panic}"), false),
        (Some(0), ..) => row("errors", criterion, "0", true),
        (Some(n), last, _) => {
            let last = last.as_deref().unwrap_or("not kept");
            row("errors", criterion, format!("{n}, the newest: {last}"), false)
        }
    }
}

fn memory(device: &Device, budget: &Budget) -> [Row; 2] {
    let most = budget.most.get(&*device.board);
    let of = |id, what: &str, used: Option<u32>, all: u64, max: Option<f64>| {
        let Some(max) = max else {
            let why = format!("budgets.toml has no limits for the board {}", device.board);
            return unknown(id, format!("{what} at most a share of {all} B"), why);
        };
        let criterion = format!("{what} at most {max} % of {all} B");
        match used {
            Some(used) => {
                let percent = 100.0 * f64::from(used) / all as f64;
                row(id, criterion, format!("{used} B, {percent:.1} %"), percent <= max)
            }
            None => unknown(id, criterion, "the lamp does not report it"),
        }
    };
    [
        of("flash", "the image takes", device.image_bytes, budget.slot_bytes, most.map(|m| m.flash)),
        of("ram", "static RAM takes", device.static_ram_bytes, budget.ram_bytes, most.map(|m| m.ram)),
    ]
}

fn light(light: &Result<Vec<Answer>, String>) -> Row {
    let criterion = "every pattern that hears answers to a known signal";
    match light {
        Err(why) => unknown("light", criterion, why),
        Ok(all) if all.is_empty() => unknown("light", criterion, "no pattern was seen"),
        Ok(all) => {
            let dumb: Vec<_> = all.iter().filter(|a| !a.answers()).map(|a| &*a.pattern).collect();
            let deaf = all.iter().all(|a| a.heard_db[0] < a.heard_db[1] + 10.0);
            let measured = match (deaf, dumb.is_empty()) {
                (true, _) => "the lamp did not hear the signal".to_owned(),
                (false, true) => format!("all {} answer", all.len()),
                (false, false) => format!("{} of {} do not: {}", dumb.len(), all.len(), dumb.join(", ")),
            };
            row("light", criterion, measured, !deaf && dumb.is_empty())
        }
    }
}

/// The lamp did not restart, and answered.
fn run(e: &Evidence) -> Row {
    let uptimes = || e.seconds.iter().map(|s| s.uptime_s);
    let before = std::iter::once(e.first_uptime_s).chain(uptimes());
    let restarts = before.zip(uptimes()).filter(|(before, now)| now < before).count();
    let (missed, why) = &e.unanswered;
    let answered = e.seconds.len() as f64 / (e.seconds.len() + missed).max(1) as f64;
    let why = why.as_ref().map(|w| format!(" ({w})")).unwrap_or_default();
    row(
        "run",
        "no restart, and 99 % of the looks are answered",
        format!("{restarts} restarts, {:.1} % of {} looks{why}", answered * 100.0, e.seconds.len() + missed),
        restarts == 0 && answered >= STEADY && !e.seconds.is_empty(),
    )
}

/// Compares the heap at the end with the heap at the beginning: the medians of the last and the first fifth.
pub(super) fn heap(free: &[f64]) -> Row {
    let criterion = format!("the heap loses no more than {LEAK} B");
    let fifth = free.len() / 5;
    if fifth == 0 {
        return unknown("heap", criterion, "the lamp does not report it, or the time was too short");
    }
    let median = |part: &[f64]| {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (first, last) = (median(&free[..fifth]), median(&free[free.len() - fifth..]));
    row("heap", criterion, format!("{first:.0} B free at first, {last:.0} B at last"), first - last <= LEAK)
}

/// The 32-bit clock; `None` if it was not due to wrap during the measurement.
fn clock(e: &Evidence) -> Option<Row> {
    let (first, last) = (e.seconds.first()?, e.seconds.last()?);
    let turns = |s: &Second| (s.uptime_s / CLOCK_TURNS_S) as u64;
    let crossed = e.seconds.windows(2).find(|w| turns(&w[1]) == turns(&w[0]) + 1);
    let criterion = "frames go on when 2³² µs have passed (71.6 minutes)";
    match crossed {
        Some(pair) => {
            let until = pair[1].t + 60.0;
            let after: Vec<_> = e.seconds.iter().filter(|s| s.t >= pair[1].t && s.t < until).collect();
            let frames = after.last()?.frames.saturating_sub(pair[0].frames);
            let time = after.last()?.t - pair[0].t;
            let rate = frames as f64 / time.max(1e-3);
            Some(row(
                "clock",
                criterion,
                format!("{rate:.1} frames a second in the minute after it"),
                rate >= LEAST_FPS,
            ))
        }
        // The clock wraps within this time, so the wrap must have been observed.
        None if e.length_s > CLOCK_TURNS_S && last.uptime_s >= first.uptime_s => {
            Some(unknown("clock", criterion, "the measurement was long enough, but this was not observed"))
        }
        None => None,
    }
}

fn health(device: &Device) -> Row {
    let failed: Vec<_> = device.checks.iter().filter(|c| !c.ok).map(|c| &*c.name).collect();
    let measured =
        if failed.is_empty() { "all are".into() } else { format!("failed: {}", failed.join(", ")) };
    row("health", "its own checks are fine at the end", measured, device.healthy && failed.is_empty())
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
