//! Measures a lamp: its figures in each second, its self-tests, and its light with music and in silence.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k1_device::answers::{SelfTest, TestState};
use k1_host::Failure;
use k1_host::progress::progress;
use serde_json::{Value, json};

use super::clock::Clock;
use super::evidence::{Evidence, Second};
use super::light;
use super::raw::Raw;
use super::signal::Signal;
use super::watcher::Watcher;
use crate::lamps::figures::Reading;
use crate::lamps::playback::Playback;
use crate::lamps::{Address, Client, Trouble, virtual_lamp};

/// Board of emulated lamps.
const VIRTUAL: &str = "virt";
/// A lamp measures once a second.
const PACE: Duration = Duration::from_secs(1);
/// Duration of music before the first measurement. A lamp tries a missing microphone again once a second.
const WARM_UP: Duration = Duration::from_secs(4);
/// Numbers of reads in the two self-tests.
const READS: [u32; 2] = [500, 1_000_000];
/// Longest time of a self-test.
const READS_PATIENCE: Duration = Duration::from_secs(300);
/// Time within which a lamp that went away during the measurement must be back.
const BACK_PATIENCE: Duration = Duration::from_secs(60);

/// Asks the lamp once a second, until it is told to end.
struct Log<'a> {
    clock: Clock,
    end: AtomicBool,
    /// File to which every second is written as it arrives, until an error.
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
        // A second of a slow lamp counts once, however often the lamp is asked.
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

/// Waits until the lamp answers. It may have restarted during the measurement, which is a finding but does not end the
/// measurement.
fn await_lamp(client: &Client) -> Result<(), Trouble> {
    let began = Instant::now();
    loop {
        match client.status() {
            Err(Trouble::Away { .. }) if began.elapsed() < BACK_PATIENCE => std::thread::sleep(PACE),
            answer => return answer.map(|_| ()),
        }
    }
}

/// Runs a self-test until it is done, or until the lamp restarts and no longer knows about the test.
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

/// Result of a part of the examination, or the reason why there is none because the lamp went away.
fn unless_away<T>(part: Result<T, Trouble>) -> Result<Result<T, String>, Trouble> {
    match part {
        Ok(found) => Ok(Ok(found)),
        Err(trouble @ Trouble::Away { .. }) => Ok(Err(trouble.to_string())),
        Err(trouble) => Err(trouble),
    }
}

/// True if this machine emulates the lamp. A tunnel could lead to another machine that emulates it; that machine's
/// pauses are not excused then.
fn is_emulated_here(board: &str, address: &Address) -> bool {
    let host = address.authority.rsplit_once(':').map_or(&*address.authority, |(host, _)| host);
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    board == VIRTUAL && (host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()))
}

/// The emulator of a lamp.
#[derive(Clone, Copy, PartialEq)]
pub enum Emulator {
    /// Nothing, or another machine.
    NotHere,
    /// This machine, whose clock the lamp uses: when this machine stops, the lamp stops, too.
    Here,
    /// This machine, but the lamp's clock counts instructions, so that the machine's load does not matter.
    Steady,
}

impl Emulator {
    /// The emulator of the lamp with this board and address.
    pub fn of(board: &str, address: &Address) -> Self {
        let is_steady = || virtual_lamp::at(&address.authority).is_some_and(|lamp| lamp.steady);
        match is_emulated_here(board, address) {
            false => Self::NotHere,
            true if is_steady() => Self::Steady,
            true => Self::Here,
        }
    }
}

/// Measures everything for `length` seconds, or until it is stopped. Changes the lamp's pattern and parameters during
/// this.
///
/// # Errors
///
/// A sentence if the lamp no longer answers.
pub fn measure(
    client: &Client,
    emulator: Emulator,
    length: f64,
    raw: &Raw,
    stopped: &AtomicBool,
) -> Result<Evidence, Failure> {
    let began = Instant::now();
    let status = client.status().map_err(text)?;
    let signal = match Playback::to(client.address(), &status.source) {
        Ok(playback) => Ok(Signal::start(playback)?),
        Err(why) => Err(why),
    };
    let watcher = (emulator == Emulator::Here).then(|| Watcher::start(began)).transpose()?;
    let clock = match emulator {
        Emulator::Steady => Clock::its(status.uptime_s),
        Emulator::Here | Emulator::NotHere => Clock::Ours(began),
    };
    let log = Log::new(clock, raw);
    let (mut reads, mut answers) = (Vec::new(), Err("the light was not examined".to_owned()));
    std::thread::scope(|scope| -> Result<(), Failure> {
        let _reset: Value = client.post("/api/reset", &json!({})).map_err(text)?;
        if let Ok(signal) = &signal {
            signal.play(true);
        }
        std::thread::sleep(WARM_UP);
        scope.spawn(|| log.keep(client));
        // The log must end in any case, because the scope waits for it.
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
            let bar = progress(Some(length), "watching");
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
    Failure::new(trouble.to_string())
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
