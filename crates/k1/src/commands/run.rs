//! `k1 run`: runs both halves live.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use k1_device::answers::Vitals;
use k1_device::meter::Count;
use serde_json::json;

use super::Failure;
use crate::cli::RunArgs;
use crate::runtime::{Reopen, Runtime, Setup, Shared};
use crate::show;
use crate::sink::{Light, Strip, Target};
use crate::source::{self, Input};
use crate::web;
use k1_device::exchange::Settings;
use k1_device::harmless::harmless;
use k1_host::console;
use k1_host::identity;
use k1_host::output;
use k1_host::signals::{self, EndRequest, EndRequests};

/// Frames per second if nobody says another number.
const FPS: u32 = 120;
/// Time after the start that the summary leaves out.
const WARM_UP: Duration = Duration::from_millis(1000);
/// Time that the start waits for sound that may come at any time.
const GLANCE: Duration = Duration::from_millis(400);
/// Time that the light continues after the end of the sound.
const AFTERGLOW: Duration = Duration::from_millis(1200);
/// Time that an immediate end waits for dark lights and recordings.
const LAST_FRAMES: Duration = Duration::from_secs(2);
/// Interval between searches for new addresses of this machine.
const LOOK: Duration = Duration::from_secs(5);

/// Sound, lights and page are being opened.
const STARTING: u8 = 0;
/// The light is on.
const RUNNING: u8 = 1;
/// A signal asked for the end.
const STOPPED: u8 = 2;

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs until the end of the sound, the duration, or a signal.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let phase = Arc::new(AtomicU8::new(STARTING));
    let running = Arc::new(OnceLock::new());
    signals::on_end(ending(phase.clone(), running.clone())).map_err(Failure::new)?;

    let stored = show_file(args)?;
    let show = stored.as_ref().map(|stored| stored.reading().show).unwrap_or_default();
    let input = args.input.clone().or_else(|| show.input.clone().map(|text| OsString::from(text).into()));
    let input = input.unwrap_or(Input::Demo);
    let rate = super::rate(&input, args.rate)?;
    if let Some(token) = &args.token {
        web::token::check_option(token).map_err(Failure::usage)?;
    }
    let source = source::open_in_time(&input, rate)?;
    let title = harmless(&source.title()).into_owned();
    let reopen = reopen(args, &input, rate);
    if args.targets.iter().filter(|t| t.target == Target::Terminal).count() > 1 {
        return Err(Failure::new(
            "--to terminal was given twice, but a terminal shows only one strip; give it once".into(),
        ));
    }
    let spared = input.spared();
    let _tidy = k1_host::strip_line::Tidy;
    let leds = args.look.leds().map_err(Failure::usage)?;
    let rest = show::Rest {
        settings: Settings { params: args.look.params(), pattern: args.look.pattern, gain: args.look.gain },
        leds,
        shape: args.look.shape,
        output: args.look.output(),
        targets: args.targets.clone(),
        spared: spared.clone(),
    };
    let (zones, mut lights) = show::plans(&show, &rest);
    // The lights of the command line are opened first: if one of them cannot work, nothing starts.
    let (own, leds) = (lights.len() - args.targets.len(), zones[0].leds);
    for (plan, target) in lights[own..].iter_mut().zip(&args.targets) {
        let strip = Strip { leds, limit_ma: zones[0].output.limit_ma };
        let open = crate::sink::open(target, strip, &spared)?;
        plan.open = Box::new(|| Ok(open));
    }
    // Open the port before anything starts, so that a port in use is the only message.
    let door = match args.headless {
        true => None,
        false => Some(web::open(
            &args.listen,
            args.token.as_deref(),
            args.token_file.as_deref(),
            &args.allowed_hosts,
        )?),
    };

    if phase.compare_exchange(STARTING, RUNNING, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        return Ok(());
    }
    let mut runtime = Runtime::start(Setup {
        source,
        reopen,
        zones,
        lights,
        fps: args.fps.or(show.fps).unwrap_or(FPS),
        with_page: door.is_some(),
    })?;
    let _ = running.set(runtime.shared.clone());
    let director = show::direct(&show, &runtime)?;
    let mut console = Console {
        json: args.json,
        quiet: args.targets.iter().any(|t| t.target == Target::Terminal),
        synced: false,
    };
    if let Some(door) = &door {
        let port = door.port();
        let name = match show.name.as_deref() {
            Some(name) if args.name == identity::NAME => name,
            _ => &args.name,
        };
        let (who, trouble) = identity::claim(identity::Role { kind: "run", name, port })?;
        if let Some(trouble) = trouble {
            k1_host::say(format_args!("k1: {trouble}"));
        }
        runtime.who = Arc::new(who);
    }
    if let Some(stored) = &stored {
        runtime.show_file = Some(stored.path().to_owned());
        let (zones, lights) = (count(show.zones.len(), "zone"), count(show.lights.len(), "light"));
        console.line(&format!("[SHOW] {}: {zones}, {lights}", stored.path().display()))?;
    }
    let mut keeper = stored.map(|stored| show::Keeper::new(stored, show, rest, director.clone()));
    console.boot(&runtime, &title)?;
    let mut page = match door {
        Some(door) => {
            let mut page = web::serve(door, &mut runtime, director.clone(), &title)?;
            console.lines(&page.opened(console.reader()))?;
            Some(page)
        }
        None => None,
    };
    let bridge = match (&args.mqtt, &page) {
        (Some(broker), Some(page)) => {
            Some(k1_fleet::commands::mqtt::Beside::start(broker, &args.with, page.own_address())?)
        }
        _ => None,
    };
    let result = watch(args, &mut runtime, &mut console, page.as_mut(), keeper.as_mut(), &phase);
    if let Some(keeper) = keeper {
        keeper.end(&runtime.cast);
    }
    // The bridge publishes its last messages while the page is still there.
    drop(bridge);
    drop(page);
    let lights = runtime.shared.lights();
    runtime.stop();
    tell(&lights);
    result?;
    let faulty: Vec<_> = lights.iter().filter(|l| l.is_faulty()).map(|l| l.name.as_str()).collect();
    if faulty.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} was not written; see the reason above", faulty.join(" and "))))
}

/// The handler of requests to end.
fn ending(phase: Arc<AtomicU8>, running: Arc<OnceLock<Arc<Shared>>>) -> impl Fn() + Clone + Send + 'static {
    let requests = Arc::new(EndRequests::default());
    move || match requests.take(Instant::now()) {
        EndRequest::End => {
            // Opening may block for ever, as with a pipe without a writer; no light is on yet.
            if phase.swap(STOPPED, Ordering::SeqCst) == STARTING {
                let _ = output::abandon_all();
                k1_host::strip_line::end();
                std::process::exit(0);
            }
        }
        EndRequest::Same => {}
        EndRequest::EndNow => {
            // Whatever delays the end, turn the lights off and complete recordings if possible.
            if let Some(shared) = running.get() {
                shared.darken(LAST_FRAMES);
            }
            let _ = output::abandon_all();
            k1_host::strip_line::end();
            std::process::exit(130);
        }
    }
}

/// The file of the show and its text; `None` if there is none. Its faults are told.
fn show_file(args: &RunArgs) -> Result<Option<show::Stored>, Failure> {
    let stored = match &args.show {
        Some(path) if !path.exists() => {
            return Err(Failure::new(format!(
                "{0} does not exist; `k1 lights add --show {0}` makes it with its first light",
                path.display()
            )));
        }
        Some(path) => show::Stored::open(path)?,
        None => {
            let place = show::place().filter(|path| path.exists());
            let Some(place) = place.filter(|_| args.look.is_default()) else { return Ok(None) };
            match show::Stored::open(&place) {
                Ok(stored) => stored,
                Err(why) => {
                    k1_host::say(format_args!("k1: {why}; K1 runs without it"));
                    return Ok(None);
                }
            }
        }
    };
    let shown = stored.path().display();
    let faults = stored.reading().faults;
    for fault in &faults {
        k1_host::say(format_args!("k1: {shown}, {fault}"));
    }
    if !faults.is_empty() {
        k1_host::say(format_args!("k1: {shown} has a fault, so K1 runs with the rest and does not write it"));
    }
    Ok(Some(stored))
}

/// A number of things: “1 light”, “2 lights”.
fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

fn reopen(args: &RunArgs, input: &Input, rate: u32) -> Option<Reopen> {
    let input = input.clone();
    let again = args.repeat && matches!(input, Input::File(_));
    again.then(|| Box::new(move || source::open(&input, rate)) as _)
}

/// Reports once a second until it is time to stop.
fn watch(
    args: &RunArgs,
    runtime: &mut Runtime,
    console: &mut Console,
    mut page: Option<&mut web::Server>,
    mut keeper: Option<&mut show::Keeper>,
    phase: &AtomicU8,
) -> Result<(), Failure> {
    let began = Instant::now();
    let duration = args.duration.map(Duration::from_secs_f64);
    let mut next = began + WARM_UP;
    let mut next_look = began + LOOK;
    let mut warm = false;
    let mut ended: Option<Instant> = None;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        tell(&runtime.shared.lights());
        if let Some(keeper) = keeper.as_deref_mut() {
            keeper.tend(&mut runtime.cast);
        }
        let now = Instant::now();
        console.sync(runtime)?;
        if runtime.has_ended() {
            ended.get_or_insert(now);
        }
        let done = phase.load(Ordering::SeqCst) == STOPPED
            || duration.is_some_and(|d| now - began >= d)
            || ended.is_some_and(|e| now - e >= AFTERGLOW);
        if done {
            break;
        }
        if let Some(page) = page.as_deref_mut().filter(|_| now >= next_look) {
            next_look = now + LOOK;
            console.lines(&page.appeared(console.reader()))?;
        }
        if now >= next {
            next += Duration::from_secs(1);
            if !warm {
                warm = true;
                runtime.begin_summary();
                continue;
            }
            let vitals = runtime.measure();
            console.second(runtime, &vitals, began.elapsed())?;
        }
    }
    if !warm {
        // The run was shorter than the warm-up; sum up what there is.
        runtime.measure();
    }
    let error = runtime.shared.source_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    console.summary(runtime, began.elapsed())?;
    match error {
        Some(e) => Err(Failure::new(format!("the sound stopped: {e}"))),
        None => Ok(()),
    }
}

/// True while K1 waits for live sound.
fn waits(runtime: &Runtime) -> bool {
    runtime.shared.presence.as_ref().is_some_and(|p| p.reason().is_some())
}

/// True once K1 has heard sound, as opposed to silence in its place.
fn hears(runtime: &Runtime) -> bool {
    runtime.shared.meters.get(Count::Hops) > 0 && !waits(runtime)
}

/// Prints messages as text or JSON.
struct Console {
    json: bool,
    quiet: bool,
    /// True once it has printed that sound arrives.
    synced: bool,
}

impl Console {
    fn line(&self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet {
            k1_host::say(text);
            return Ok(());
        }
        Ok(console::line(text)?)
    }

    /// Prints the boot log. Each line appears once it is true.
    fn boot(&mut self, runtime: &Runtime, title: &str) -> Result<(), Failure> {
        self.line(&format!("[BOOT] K1 {VERSION} on {}, hearing {title}", std::env::consts::ARCH))?;
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
    fn sync(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        if self.synced || !hears(runtime) {
            return Ok(());
        }
        self.synced = true;
        self.line("[AUDIO SYNC] Initialized successfully")
    }

    /// Prints several lines of K1's own. A line may itself have several lines, such as a QR code.
    fn lines(&self, lines: &[String]) -> Result<(), Failure> {
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
    fn reader(&self) -> web::Reader {
        web::Reader::of(self.json || self.quiet)
    }

    fn second(&self, runtime: &mut Runtime, v: &Vitals, elapsed: Duration) -> Result<(), Failure> {
        let heard = *runtime.sound.latest();
        if self.json {
            let line = json!({"kind": "second", "at_s": round(elapsed.as_secs_f64()), "vitals": v,
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

    fn summary(&self, runtime: &mut Runtime, elapsed: Duration) -> Result<(), Failure> {
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

/// Prints changes of lights.
fn tell(lights: &[Arc<Light>]) {
    lights.iter().flat_map(|l| l.take_lines()).for_each(k1_host::say);
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
