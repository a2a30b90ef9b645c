//! `k1 doctor`: finds problems on this machine, and measures the delay from sound to light.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::pattern_by_id;
use k1_engine::{HOP, SAMPLE_RATE};
use serde_json::json;

use super::{Failure, print_json, progress};
use crate::cli::DoctorArgs;
use crate::runtime::{Clock, LightPlan, Runtime, Setup, ZonePlan};
use crate::sink::{Fit, Frame, Light, LightSettings, Open, Sink, Stop};
use crate::source::{self, Source};
use k1_device::exchange::Settings;
use k1_host::console::Text;

/// Number of LEDs of the strip whose delay is measured.
const LEDS: usize = 180;

/// Result of one check.
struct Finding {
    what: &'static str,
    fine: bool,
    says: String,
}

/// Runs all checks, and measures the delay if requested.
pub fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let mut findings = vec![cores(), sound(), page_port()];
    let latency = match args.latency {
        Some(seconds) => {
            let (finding, figures) = latency(seconds)?;
            findings.push(finding);
            Some(figures)
        }
        None => None,
    };
    if args.json {
        let list: Vec<_> =
            findings.iter().map(|f| json!({"what": f.what, "fine": f.fine, "says": f.says})).collect();
        return print_json(&json!({"findings": list, "latency": latency}));
    }
    let mut text = Text::default();
    for f in &findings {
        text.line(format_args!("{} {:<22} {}", if f.fine { "ok " } else { "!! " }, f.what, f.says));
    }
    if args.latency.is_none() {
        text.line("   sound to light         not measured; run `k1 doctor --latency` (takes 20 s)");
    }
    Ok(text.print()?)
}

fn cores() -> Finding {
    let n = std::thread::available_parallelism().map_or(1, usize::from);
    let says = match n {
        1 => "one core only: hearing and showing share it, so frames may be late under load".into(),
        n => format!("{n} cores: hearing and showing have a core each"),
    };
    Finding { what: "processor", fine: n > 1, says }
}

fn sound() -> Finding {
    match source::devices() {
        Ok(devices) if devices.is_empty() => {
            Finding { what: "live sound", fine: false, says: "the sound server has no sources".into() }
        }
        Ok(devices) => {
            let names: Vec<_> = devices.iter().map(|d| harmless(&d.description)).collect();
            Finding { what: "live sound", fine: true, says: names.join(", ") }
        }
        Err(e) => Finding { what: "live sound", fine: false, says: e.to_string() },
    }
}

fn page_port() -> Finding {
    const ADDRESS: &str = "127.0.0.1:3330";
    match ADDRESS.parse::<crate::web::Listen>().and_then(|l| l.bind()) {
        Ok(_) => Finding { what: "page", fine: true, says: format!("{ADDRESS} is free") },
        Err(e) => Finding { what: "page", fine: false, says: e },
    }
}

/// Clicks in silence: a burst of 4 ms, at times that no frame rate divides evenly.
struct Clicks {
    position: u64,
    next: u64,
    end: u64,
    /// First samples of the clicks so far.
    at: Arc<Mutex<Vec<u64>>>,
    seed: u64,
}

const CLICK_SAMPLES: u64 = SAMPLE_RATE as u64 / 250;

impl Source for Clicks {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, source::Error> {
        if self.position >= self.end {
            return Ok(0);
        }
        let n = out.len().min(HOP);
        for x in &mut out[..n] {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (self.seed >> 40) as f32 / 8_388_608.0 - 1.0;
            *x = if (self.next..self.next + CLICK_SAMPLES).contains(&self.position) {
                0.7 * noise
            } else {
                0.0
            };
            if self.position == self.next {
                self.at.lock().unwrap_or_else(PoisonError::into_inner).push(self.position);
            }
            self.position += 1;
            if self.position == self.next + CLICK_SAMPLES {
                // 0.45 … 0.65 s later.
                self.next = self.position + u64::from(SAMPLE_RATE) * (450 + (self.seed >> 33) % 200) / 1000;
            }
        }
        Ok(n)
    }

    fn title(&self) -> String {
        "clicks".into()
    }
}

/// Records the time of each frame that is clearly brighter than the one before.
struct Eye {
    clock: Instant,
    before: u32,
    quiet: u32,
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Sink for Eye {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        let light: u32 = frame.channels.iter().map(|b| u32::from(*b)).sum();
        // A flash is light after some darkness. A flickering after-glow does not count.
        if light > self.before + 60 && self.quiet > 5 {
            let now = self.clock.elapsed().as_micros() as u64;
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            self.quiet = 0;
        } else if light <= self.before {
            self.quiet += 1;
        }
        self.before = light;
        Ok(())
    }

    fn end(&mut self, _: Stop, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Sends clicks through the whole program (source thread, ear, hand-off, renderer, sink thread) and measures the time from
/// the capture of a click's first sample to the arrival of the first frame that shows it.
fn latency(seconds: f64) -> Result<(Finding, serde_json::Value), Failure> {
    let clicked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let source = Clicks {
        position: 0,
        next: u64::from(SAMPLE_RATE),
        end: (seconds * f64::from(SAMPLE_RATE)) as u64,
        at: clicked.clone(),
        seed: 42,
    };
    let mut params = Params::default();
    params.set(Param::Background, 0.0);
    let began = Instant::now();
    // An unchanged frame is seen, too.
    let seeing = LightSettings { keep_alive_ms: 0, ..Default::default() };
    let settings = Settings { params, pattern: pattern_by_id("spectrum").unwrap_or_default(), gain: 1.0 };
    let eye = Eye { clock: began, before: 0, quiet: 0, seen: seen.clone() };
    let open = Open {
        light: Arc::new(Light::with("eye".into(), seeing.clone())),
        sink: Box::new(eye),
        fit: Fit::new(seeing, LEDS, None),
        is_kept: false,
    };
    let runtime = Runtime::start(Setup {
        source: Box::new(source),
        reopen: None,
        zones: vec![ZonePlan {
            name: String::new(),
            leds: LEDS,
            shape: Default::default(),
            settings,
            output: Default::default(),
            palettes: &[],
        }],
        fps: 120,
        lights: vec![LightPlan::whole(String::new(), LEDS, || Ok(open))],
        with_page: false,
    })?;
    let offset = offset_us(&runtime.shared.clock, began);
    let bar = progress(Some(seconds), "listening to clicks");
    while !runtime.has_ended() {
        std::thread::sleep(Duration::from_millis(100));
        bar.set_position(began.elapsed().as_millis() as u64);
    }
    std::thread::sleep(Duration::from_millis(200));
    bar.finish_and_clear();
    let first_us = runtime.shared.first_sample_us.load(std::sync::atomic::Ordering::Acquire);
    let underruns = runtime.shared.meters.get(k1_device::meter::Count::Underruns);
    runtime.stop();
    let clicked = clicked.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut delays: Vec<f64> = clicked
        .iter()
        .filter_map(|sample| {
            let captured = first_us + sample * 1_000_000 / u64::from(SAMPLE_RATE) + offset;
            let shown = seen.iter().find(|t| **t > captured)?;
            // A flash half a second later belongs to the next click.
            Some((shown - captured) as f64 / 1000.0).filter(|ms| *ms < 400.0)
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    if delays.is_empty() {
        return Err(Failure::new("no click was seen; measure for at least 3 s".into()));
    }
    let at = |q: f64| delays[((delays.len() as f64 * q).ceil() as usize).clamp(1, delays.len()) - 1];
    let (median, p99) = (at(0.5), at(0.99));
    let says = format!(
        "{median:.1} ms median, {p99:.1} ms p99 over {} of {} clicks, from the first sample to the first frame that shows it",
        delays.len(),
        clicked.len()
    );
    let figures = json!({"clicks": clicked.len(), "seen": delays.len(), "median_ms": median, "p99_ms": p99,
                         "min_ms": at(0.0), "max_ms": at(1.0), "underruns": underruns});
    Ok((
        Finding { what: "sound to light", fine: median <= 20.0 && delays.len() == clicked.len(), says },
        figures,
    ))
}

/// Microseconds of `began`'s clock at the start of the runtime's.
fn offset_us(clock: &Clock, began: Instant) -> u64 {
    (began.elapsed().as_micros() as u64).saturating_sub(clock.now_us())
}
