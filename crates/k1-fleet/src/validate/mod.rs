//! `k1 validate` and `k1 soak`: the acceptance procedure, every criterion measured on the lamp itself.

mod clock;
mod light;
mod presence;
mod raw;
mod rows;
mod signal;
mod watcher;

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k1_device::answers::{SelfTest, TestState};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::ValidateArgs;
use crate::lamps::figures::Reading;
use crate::lamps::playback::Voice;
use crate::lamps::virtual_lamp;
use crate::lamps::{self, Address, Client, Trouble};
use clock::Clock;
use k1_host::Failure;
use k1_host::console::Text;
use k1_host::output::{self, Output, Spared};
use k1_host::signals::{self, Wish, Wishes};
use presence::HostSecond;
use raw::Raw;
use rows::{Budget, Evidence, Row, Second, Verdict, judge};
use signal::Signal;
use watcher::Watcher;

/// How long `validate` takes if nothing else is said, in seconds.
pub const TEN_MINUTES: f64 = 600.0;
/// How long `soak` takes if nothing else is said, in seconds.
pub const A_DAY: f64 = 86_400.0;

/// The board of emulated lamps.
const VIRTUAL: &str = "virt";
/// A lamp measures once a second.
const PACE: Duration = Duration::from_secs(1);
/// Music before anything is looked at: a microphone that was absent is asked again once a second.
const WARM_UP: Duration = Duration::from_secs(4);
/// Reads of the two self-tests.
const READS: [u32; 2] = [500, 1_000_000];
/// A self-test that takes longer hangs.
const READS_PATIENCE: Duration = Duration::from_secs(300);
/// A lamp that went away in the middle and does not come back within this has gone.
const BACK_PATIENCE: Duration = Duration::from_secs(60);

/// What was measured and what became of it, for the archive.
#[derive(Debug, Serialize)]
struct Record {
    lamp: String,
    address: String,
    board: String,
    version: String,
    hash: Option<String>,
    slot: Option<String>,
    /// Seconds since 1970.
    began: u64,
    /// Seconds, of the lamp's own clock if that is steady.
    length_s: f64,
    /// True of a virtual lamp whose clock counts instructions and does not follow that of this machine.
    steady: bool,
    passed: bool,
    rows: Vec<Row>,
    /// What the machine did that emulates the lamp, each second; nothing of a lamp that is no emulated one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Vec<HostSecond>>,
    light: Option<Vec<light::Answer>>,
    reads: Vec<SelfTest>,
    /// What became of the way back, if it was asked for.
    rolled_back: Option<String>,
}

/// Looks at the lamp once a second, until it is told to end.
struct Log<'a> {
    clock: Clock,
    end: AtomicBool,
    /// Where every second goes as it comes, until that fails.
    raw: &'a Raw,
    seconds: Mutex<Vec<Second>>,
    unanswered: Mutex<(usize, Option<String>)>,
}

impl<'a> Log<'a> {
    fn new(clock: Clock, raw: &'a Raw) -> Self {
        Self {
            clock,
            end: AtomicBool::new(false),
            raw,
            seconds: Mutex::default(),
            unanswered: Mutex::default(),
        }
    }

    fn keep(&self, client: &Client) {
        // A slow lamp's second is one second, however often one looks.
        let its = matches!(self.clock, Clock::Its(_));
        let pace = if its { PACE / 2 } else { PACE };
        let mut last = f64::NEG_INFINITY;
        while !self.end.load(Relaxed) {
            let look = Instant::now();
            let answer = || -> Result<Second, Trouble> {
                let (status, device) = (client.status()?, client.device()?);
                Ok(Second {
                    t: self.clock.at(status.uptime_s),
                    uptime_s: status.uptime_s,
                    frames: status.vitals.frames,
                    reading: Reading::of(&status, &device),
                })
            };
            match answer() {
                Ok(second) if its && second.t < last + PACE.as_secs_f64() => {}
                Ok(second) => {
                    last = second.t;
                    self.raw.add(&second);
                    self.seconds.lock().unwrap_or_else(PoisonError::into_inner).push(second);
                }
                Err(trouble) => {
                    let mut missed = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
                    *missed = (missed.0 + 1, Some(trouble.to_string()));
                }
            }
            std::thread::sleep(pace.saturating_sub(look.elapsed()));
        }
    }
}

/// Waits until the lamp answers: it may have started again in the middle, which is a finding and no end.
fn await_lamp(client: &Client) -> Result<(), Trouble> {
    let began = Instant::now();
    loop {
        match client.status() {
            Err(Trouble::Away { .. }) if began.elapsed() < BACK_PATIENCE => std::thread::sleep(PACE),
            answer => return answer.map(|_| ()),
        }
    }
}

/// Runs a self-test to its end, which may be that of the lamp's run: it then knows nothing of a test.
fn read(client: &Client, clock: &Clock, reads: u32) -> Result<SelfTest, Trouble> {
    let until = clock.time() + READS_PATIENCE.as_secs_f64();
    client.start_self_test(reads)?;
    loop {
        let test = client.self_test()?;
        match test.state {
            TestState::Never => return Ok(SelfTest { wanted: reads, ..SelfTest::default() }),
            TestState::Running if clock.time() < until => {
                std::thread::sleep(Duration::from_millis(250));
            }
            TestState::Running | TestState::Done => return Ok(test),
        }
    }
}

/// What a part of the examination found, or why there is nothing of it: the lamp went away in the middle.
fn unless_away<T>(part: Result<T, Trouble>) -> Result<Result<T, String>, Trouble> {
    match part {
        Ok(found) => Ok(Ok(found)),
        Err(trouble @ Trouble::Away { .. }) => Ok(Err(trouble.to_string())),
        Err(trouble) => Err(trouble),
    }
}

/// True if this very machine emulates the lamp. Through a tunnel it may be another one; then it is that one's pauses which
/// are not excused.
fn is_emulated_here(board: &str, address: &Address) -> bool {
    let host = address.authority.rsplit_once(':').map_or(&*address.authority, |(host, _)| host);
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    board == VIRTUAL && (host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()))
}

/// What emulates a lamp.
#[derive(Clone, Copy, PartialEq)]
enum Emulator {
    /// Nothing, or another machine.
    NotHere,
    /// This machine, whose clock is the lamp's: when it stops, so does the lamp.
    Here,
    /// This machine, and the lamp's clock counts instructions, whatever this machine does meanwhile.
    Steady,
}

impl Emulator {
    fn of(board: &str, address: &Address) -> Self {
        let is_steady = || virtual_lamp::at(&address.authority).is_some_and(|berth| berth.steady);
        match is_emulated_here(board, address) {
            false => Self::NotHere,
            true if is_steady() => Self::Steady,
            true => Self::Here,
        }
    }
}

/// Measures everything until the time is over or it is stopped; the lamp's look is changed meanwhile.
fn measure(
    client: &Client,
    emulator: Emulator,
    length: f64,
    raw: &Raw,
    stopped: &AtomicBool,
) -> Result<Evidence, Failure> {
    let began = Instant::now();
    let status = client.status().map_err(text)?;
    let signal = match Voice::to(client.address(), &status.source) {
        Ok(voice) => Ok(Signal::start(voice)?),
        Err(why) => Err(why),
    };
    let watcher = (emulator == Emulator::Here).then(|| Watcher::start(began)).transpose()?;
    let clock = match emulator {
        Emulator::Steady => Clock::its(status.uptime_s),
        Emulator::Here | Emulator::NotHere => Clock::Ours(began),
    };
    let log = Log::new(clock, raw);
    let (mut reads, mut answers) = (Vec::new(), Err("it was not looked at".to_owned()));
    std::thread::scope(|scope| -> Result<(), Failure> {
        let _reset: Value = client.post("/api/reset", &json!({})).map_err(text)?;
        if let Ok(signal) = &signal {
            signal.play(true);
        }
        std::thread::sleep(WARM_UP);
        scope.spawn(|| log.keep(client));
        // Whatever happens, the log must end, or the scope would not.
        let mut work = || -> Result<(), Trouble> {
            answers = match &signal {
                Ok(signal) => {
                    let answers = unless_away(light::ask(client, signal))?;
                    signal.play(true);
                    answers
                }
                Err(why) => Err(why.clone()),
            };
            for n in READS {
                await_lamp(client)?;
                let nothing = |_| SelfTest { wanted: n, ..SelfTest::default() };
                reads.push(unless_away(read(client, &log.clock, n))?.unwrap_or_else(nothing));
            }
            Ok(())
        };
        let done = work();
        if done.is_ok() {
            let bar = k1_host::progress::progress(Some(length), "watching");
            let is_over = || log.clock.time() >= length || log.clock.has_stopped(BACK_PATIENCE);
            while !is_over() && !stopped.load(Relaxed) {
                bar.set_position((log.clock.time() * 1e3) as u64);
                std::thread::sleep(Duration::from_millis(200));
            }
            bar.finish_and_clear();
        }
        log.end.store(true, Relaxed);
        done.map_err(text)
    })?;
    let host = watcher.map(Watcher::end);
    await_lamp(client).map_err(text)?;
    let device = client.device().map_err(text)?;
    let boot_log = client.boot_log().map_err(text)?;
    if let Ok(signal) = signal
        && let Err(why) = signal.end()
    {
        answers = Err(why);
    }
    Ok(Evidence {
        length_s: length.min(log.clock.time()),
        boot_log,
        device,
        reads,
        light: answers,
        first_uptime_s: status.uptime_s,
        host,
        seconds: log.seconds.into_inner().unwrap_or_else(PoisonError::into_inner),
        unanswered: log.unanswered.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

fn text(trouble: Trouble) -> Failure {
    Failure(trouble.to_string())
}

/// Judges a lamp; a failed criterion is a failure.
pub fn validate(args: &ValidateArgs, usual: f64) -> Result<(), Failure> {
    let budget = Budget::read()?;
    let length = args.length.unwrap_or(usual);
    // What cannot be kept is said before a day is measured; a record that is there stays until there is a new one.
    let raw = Raw::open(args.raw.as_deref())
        .map_err(|e| Failure(format!("the raw figures cannot be written: {e}")))?;
    let kept = args.record.as_deref().map(|path| Output::create(path, &Spared::default())).transpose();
    let kept = kept.map_err(unwritten)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let signal = stopped.clone();
    let wishes = Arc::new(Wishes::default());
    signals::on_end(move || match wishes.take(Instant::now()) {
        Wish::End => signal.store(true, Relaxed),
        Wish::Same => {}
        // It does not wait for a verdict.
        Wish::EndNow => {
            let _ = output::abandon_all();
            std::process::exit(130);
        }
    })
    .map_err(Failure)?;
    let client = Client::new(lamps::find(&args.lamp, args.token.as_deref())?);
    let info = client.info().map_err(text)?;
    let name = client.name().map_err(text)?;
    let backup: Value = client.get("/api/config/backup").map_err(text)?;
    k1_host::say(format_args!(
        "k1: judging {name} at {} for {:.0} s; its patterns change meanwhile, and its look comes back",
        client.address().authority,
        length
    ));
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let emulator = Emulator::of(&info.board, client.address());
    let evidence = measure(&client, emulator, length, &raw, &stopped);
    let raw = raw.keep();
    let restored = client.post::<Value>("/api/config/restore", &backup);
    let evidence = evidence?;
    if let Err(trouble) = restored {
        k1_host::say(format_args!("k1: the look that {name} had could not be put back: {trouble}"));
    }
    let rows = judge(&evidence, &budget);
    let passed = rows.iter().all(|r| r.verdict == Verdict::Passed);
    let rolled_back = (!passed && args.rollback_on_fail).then(|| {
        match client.post::<Value>("/api/v1/rollback", &json!({})) {
            Ok(_) => "it goes back to the firmware before".to_owned(),
            Err(trouble) => format!("it could not be sent back: {trouble}"),
        }
    });
    let record = Record {
        lamp: name,
        address: client.address().authority.clone(),
        board: info.board.into_owned(),
        version: info.firmware.into_owned(),
        hash: evidence.device.firmware_hash.map(|h| h.to_string()),
        slot: evidence.device.slot.as_deref().map(str::to_owned),
        began,
        length_s: evidence.length_s,
        steady: emulator == Emulator::Steady,
        passed,
        rows,
        host: evidence.host,
        light: evidence.light.ok(),
        reads: evidence.reads,
        rolled_back,
    };
    tell(&record, args.json, kept)?;
    raw.map_err(|why| Failure(format!("it holds, but the raw figures are lost: {why}")))
}

/// Prints and keeps the record, and ends with what it says.
fn tell(record: &Record, as_json: bool, kept: Option<Output>) -> Result<(), Failure> {
    match as_json {
        true => k1_host::console::json(record)?,
        false => table(record).print()?,
    }
    // After it was shown: a disk that is full takes nothing away.
    if let Some(mut kept) = kept {
        let text = serde_json::to_vec_pretty(record).map_err(|e| Failure(e.to_string()))?;
        let written = kept.write_all(&text).map_err(|e| output::unwritten(kept.path(), e));
        written.and_then(|()| kept.commit()).map_err(unwritten)?;
    }
    let failed: Vec<_> = record.rows.iter().filter(|r| r.verdict != Verdict::Passed).map(|r| r.id).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let back = record.rolled_back.as_ref().map(|b| format!("; {b}")).unwrap_or_default();
    Err(Failure(format!(
        "{} of {} criteria do not hold for {}: {}{back}",
        failed.len(),
        record.rows.len(),
        record.lamp,
        failed.join(", ")
    )))
}

fn unwritten(why: output::Unwritten) -> Failure {
    Failure(format!("the record cannot be written: {why}"))
}

fn table(record: &Record) -> Text {
    let mut text = Text::default();
    let Record { lamp, board, version, length_s, .. } = record;
    text.line(format_args!("{lamp} ({board}, {version}, {length_s:.0} s)"));
    text.line("");
    if record.steady {
        text.line("Its clock counts its instructions and does not follow this machine's.");
        text.line("");
    }
    for r in &record.rows {
        let mark = match r.verdict {
            Verdict::Passed => "ok     ",
            Verdict::Failed => "FAILED ",
            Verdict::NotMeasured => "UNKNOWN",
        };
        text.line(format_args!("{mark}  {}", r.criterion));
        text.line(format_args!("         {}", r.measured));
    }
    text.line("");
    text.line(if record.passed { "It holds." } else { "It does not hold." });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_emulated_lamp_of_this_machine_has_it_for_a_host() {
        let at = |authority: &str| Address {
            label: "lamp".into(),
            authority: authority.into(),
            token: None,
            sound: None,
            ota: None,
        };
        for here in ["127.0.0.1:8080", "localhost:80", "[::1]:8080"] {
            assert!(is_emulated_here("virt", &at(here)), "{here}");
            assert!(!is_emulated_here("esp32s3", &at(here)), "{here}: a real one through a tunnel");
        }
        for elsewhere in ["192.168.1.40:80", "[fe80::1]:80", "localhost.example:80"] {
            assert!(!is_emulated_here("virt", &at(elsewhere)), "{elsewhere}");
        }
    }
}
