//! The lines that `k1 run` prints while it runs, as text or JSON.

use std::time::{Duration, Instant};

use k1_device::answers::Vitals;
use k1_device::meter::Count;
use k1_host::console;
use serde_json::json;

use super::Failure;
use crate::runtime::Runtime;
use crate::source::Presence;
use crate::web;

/// Time that the start waits for sound that may come at any time.
const GLANCE: Duration = Duration::from_millis(400);

/// The program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// True while K1 waits for live sound.
fn waits(runtime: &Runtime) -> bool {
    runtime.shared.presence().is_some_and(|p| p.reason().is_some())
}

/// True once K1 has heard sound, as opposed to silence in its place.
fn hears(runtime: &Runtime) -> bool {
    runtime.shared.meters.get(Count::Hops) > 0 && !waits(runtime)
}

/// Prints messages as text or JSON.
pub struct Console {
    json: bool,
    quiet: bool,
    /// True once it has printed that sound arrives.
    synced: bool,
    /// Name of the sound that it has printed last.
    title: String,
}

impl Console {
    /// `quiet` is true if the strip is drawn on the terminal.
    pub fn new(json: bool, quiet: bool, runtime: &Runtime) -> Self {
        Self { json, quiet, synced: false, title: runtime.shared.title() }
    }

    /// Prints a line; on standard error if standard output is for JSON or for the strip.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet {
            k1_host::say(text);
            return Ok(());
        }
        Ok(console::line(text)?)
    }

    /// Prints the boot log. Each line appears once it is true.
    pub fn boot(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        self.line(&format!("[BOOT] K1 {VERSION} on {}, hearing {}", std::env::consts::ARCH, self.title))?;
        let patience = Instant::now() + Duration::from_secs(5);
        let wait = |ready: &dyn Fn() -> bool| {
            while !ready() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let shared = &runtime.shared;
        // Do not wait for live sound here; a later line says that it has arrived.
        let began = Instant::now();
        wait(&|| hears(runtime) || runtime.has_ended() || waits(runtime) && began.elapsed() > GLANCE);
        self.sync(runtime)?;
        wait(&|| shared.show_seat.core().is_some());
        wait(&|| shared.hear_seat.core().is_some());
        for (name, seat) in [("GPU TASK", &shared.show_seat), ("AUDIO TASK", &shared.hear_seat)] {
            let priority = if seat.is_realtime() { "real-time priority" } else { "normal priority" };
            match seat.core() {
                Some(Some(core)) => self.line(&format!("[{name}] Running on Core {core} ({priority})"))?,
                Some(None) => {
                    self.line(&format!("[{name}] Running; this system does not tell the core ({priority})"))?
                }
                None => self.line(&format!("[{name}] has not started after 5 s"))?,
            }
        }
        Ok(())
    }

    /// Prints once that sound has arrived.
    pub fn sync(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        if self.synced || !hears(runtime) {
            return Ok(());
        }
        self.synced = true;
        self.line("[AUDIO SYNC] Initialized successfully")
    }

    /// Prints the name of the sound if another file of a list plays, or another song of a stream. Devices report their
    /// changes by themselves.
    pub fn playing(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        let title = runtime.shared.title();
        let is_device = runtime.shared.presence().as_ref().is_some_and(Presence::is_device);
        if title == self.title || is_device {
            return Ok(());
        }
        self.title = title;
        self.line(&format!("[PLAYING] {}", self.title))
    }

    /// Prints several lines of K1's own. A line may itself have several lines, such as a QR code.
    pub fn lines(&self, lines: &[String]) -> Result<(), Failure> {
        for line in lines.iter().map(|line| format!("{line}\n")) {
            if self.json || self.quiet {
                console::say_text(&line);
            } else {
                console::text(&line)?;
            }
        }
        Ok(())
    }

    /// The kind of reader of its lines.
    pub fn reader(&self) -> web::Reader {
        web::Reader::of(self.json || self.quiet)
    }

    /// Prints the figures of a second.
    pub fn second(&self, runtime: &mut Runtime, v: &Vitals, elapsed: Duration) -> Result<(), Failure> {
        let heard = *runtime.sound.latest();
        if self.json {
            let line = json!({"kind": "second", "at_s": round(elapsed.as_secs_f64()), "vitals": v,
                              "source": runtime.shared.title(),
                              "heard": k1_device::answers::Heard::from(&heard), "lights": reports(runtime)});
            return Ok(console::json_line(&line)?);
        }
        if self.quiet {
            return Ok(());
        }
        self.line(&format!(
            "[FPS] {:.1} mean, {:.1} p1, jitter {:.2} ms p99, {} dropped{}, {} late",
            v.fps,
            v.fps_p1,
            v.jitter_ms,
            v.dropped_frames,
            who_drops(runtime),
            v.late_frames
        ))?;
        let tempo = match heard.tempo() {
            Some(bpm) => format!("{bpm:.1} BPM ({:.0} % sure)", heard.confidence * 100.0),
            None => "no tempo".into(),
        };
        let bar = match heard.beats_per_bar {
            0 => String::new(),
            beats => format!(", {beats} beats to the bar"),
        };
        self.line(&format!(
            "[LATENCY] snapshot age {:.1} ms median, {:.1} p99; {} retries, {} torn, {} overruns, {} allocations; {:.0} dBFS, {tempo}{bar}",
            v.age_ms, v.age_p99_ms, v.handoff_retries, v.torn, v.overruns, v.allocations, heard.rms_db
        ))
    }

    /// Prints the figures of the whole run.
    pub fn summary(&self, runtime: &mut Runtime, elapsed: Duration) -> Result<(), Failure> {
        let v = runtime.summary();
        let shared = &runtime.shared;
        if self.json {
            let core = |seat: &crate::runtime::Seat| seat.core().flatten();
            let line = json!({"kind": "summary", "seconds": round(elapsed.as_secs_f64()), "vitals": v,
                              "lights": reports(runtime),
                              "cores": {"show": core(&shared.show_seat), "hear": core(&shared.hear_seat)},
                              "realtime": {"show": shared.show_seat.is_realtime(), "hear": shared.hear_seat.is_realtime()}});
            return Ok(console::json_line(&line)?);
        }
        self.line(&format!(
            "{:.0} s: {:.1} FPS mean ({:.1} p1), snapshot age {:.1} ms median and {:.1} p99, {} torn, {} allocations in the loops",
            elapsed.as_secs_f64(), v.fps, v.fps_p1, v.age_ms, v.age_p99_ms, v.torn, v.allocations
        ))
    }
}

/// Every light with its figures.
fn reports(runtime: &Runtime) -> Vec<k1_device::answers::Light> {
    runtime.shared.lights().iter().map(|l| l.report()).collect()
}

/// The lights that drop frames, in parentheses; empty if there are none.
fn who_drops(runtime: &Runtime) -> String {
    let lights = runtime.shared.lights();
    let dropping = lights.iter().filter(|l| l.dropped() > 0);
    let all: Vec<_> = dropping.map(|l| format!("{} {}", l.name, l.dropped())).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}
