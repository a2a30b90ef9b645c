//! `k1 run`: runs both halves live.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::keys::Keyboard;
use super::lines::Console;
use super::{Failure, count};
use crate::cli::RunArgs;
use crate::runtime::{Cast, Reopen, Runtime, Setup, Shared};
use crate::service::{Heartbeat, Manager};
use crate::show;
use crate::sink::{Light, Strip, Target};
use crate::source::{self, Input};
use crate::web;
use k1_device::exchange::Settings;
use k1_device::meter::Count;
use k1_host::identity;
use k1_host::output;
use k1_host::signals::{self, EndRequest, EndRequests};

/// Frames per second if nobody says another number.
const FPS: u32 = 120;
/// Time after the start that the summary leaves out.
const WARM_UP: Duration = Duration::from_millis(1000);
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

/// Runs until the end of the sound, the duration, or a signal.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let phase = Arc::new(AtomicU8::new(STARTING));
    let running = Arc::new(OnceLock::new());
    let manager = Manager::of_environment().map(Arc::new);
    let reload = Arc::new(AtomicBool::new(false));
    let asked = reload.clone();
    // Without a service manager, a hang-up means that the terminal was closed.
    let on_hang_up = manager.is_some().then_some(move || asked.store(true, Ordering::SeqCst));
    signals::on_end_or_hang_up(ending(phase.clone(), running.clone()), on_hang_up).map_err(Failure::new)?;

    let stored = show_file(args)?;
    let show = stored.as_ref().map(|stored| stored.reading().show).unwrap_or_default();
    let told = Input::of(args.inputs.clone()).map_err(Failure::usage)?;
    // The sound of a room that the show file describes has no end.
    let is_again = args.repeat || told.is_none();
    let input = match (told, &stored, &show.input) {
        (Some(input), ..) => input,
        (None, Some(stored), Some(text)) => Input::from(OsString::from(text)).beside(stored.path()),
        _ => Input::Demo,
    };
    let rate = super::rate(&input, args.rate)?;
    if let Some(token) = &args.token {
        web::token::check_option(token).map_err(Failure::usage)?;
    }
    let source = source::open_in_time(&input, rate)?;
    let reopen = reopen(is_again, &input, rate);
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
    let listening = Arc::new(show::Sound::new(input, runtime.shared.clone()));
    let _ = running.set(runtime.shared.clone());
    let director = show::direct(&show, &runtime)?;
    let is_on_terminal = args.targets.iter().any(|t| t.target == Target::Terminal);
    let mut console = Console::new(args.json, is_on_terminal, &runtime);
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
        if stored.path().exists() {
            let (zones, lights) = (count(show.zones.len(), "zone"), count(show.lights.len(), "light"));
            console.line(&format!("[SHOW] {}: {zones}, {lights}", stored.path().display()))?;
        }
    }
    let mut keeper =
        stored.map(|stored| show::Keeper::new(stored, show, rest, director.clone(), listening.clone()));
    console.boot(&runtime)?;
    let mut page = match door {
        Some(door) => {
            let mut page = web::serve(door, &mut runtime, director.clone(), listening.clone())?;
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
    let heartbeat = manager.clone().map(|manager| heartbeat(manager, &runtime.shared)).transpose()?;
    if let Some(manager) = &manager {
        manager.tell("READY=1");
    }
    let reloads = Reloads { asked: &reload, manager: manager.as_deref() };
    let mut keyboard = Keyboard::take(&listening.current(), director);
    if let Some(keyboard) = &keyboard {
        console.line(&keyboard.help())?;
    }
    let tended = Tended { keyboard: keyboard.as_mut(), page: page.as_mut(), keeper: keeper.as_mut() };
    let result = watch(args, &mut runtime, &mut console, tended, &phase, &reloads);
    drop(keyboard);
    if let Some(manager) = &manager {
        manager.tell("STOPPING=1");
    }
    drop(heartbeat);
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
            k1_host::keys::restore();
            std::process::exit(130);
        }
    }
}

/// The file of the show and its text; `None` if there is none. Its faults are told.
fn show_file(args: &RunArgs) -> Result<Option<show::Stored>, Failure> {
    let stored = match &args.show {
        Some(path) if !show::is_there(path) => {
            return Err(Failure::new(format!(
                "{0} does not exist; `k1 lights add --show {0}` makes it with its first light",
                path.display()
            )));
        }
        Some(path) => show::Stored::open(path)?,
        None => {
            // Without a file, the page makes it with the first light.
            let Some(place) = show::place().filter(|_| args.look.is_default()) else { return Ok(None) };
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

fn reopen(is_again: bool, input: &Input, rate: u32) -> Option<Reopen> {
    let input = input.clone();
    (is_again && input.is_repeatable()).then(|| Box::new(move || source::open(&input, rate)) as _)
}

/// Reports to the service manager as long as frames are rendered.
fn heartbeat(manager: Arc<Manager>, shared: &Arc<Shared>) -> std::io::Result<Heartbeat> {
    let (frames, shared) = (shared.clone(), shared.clone());
    let status = move || match shared.presence().and_then(|presence| presence.reason()) {
        Some(reason) => format!("waiting for sound: {reason}"),
        None => {
            let lights = count(shared.lights().len(), "light");
            format!("{:.0} FPS on {lights}, hearing {}", shared.vitals().fps, shared.title())
        }
    };
    Heartbeat::start(manager, move || frames.meters.get(Count::Frames), status)
}

/// Requests to read the show file again.
struct Reloads<'a> {
    asked: &'a AtomicBool,
    manager: Option<&'a Manager>,
}

impl Reloads<'_> {
    /// Does what was asked since the last call.
    fn tend(&self, keeper: Option<&mut show::Keeper>, cast: &mut Cast) {
        if let Some(manager) = self.manager.filter(|_| self.asked.swap(false, Ordering::SeqCst)) {
            manager.reloads(|| match keeper {
                Some(keeper) => keeper.reload(cast),
                None => k1_host::say("k1: there is no show file to read again"),
            });
        }
    }
}

/// What is looked after many times a second, if it is there.
struct Tended<'a> {
    keyboard: Option<&'a mut Keyboard>,
    page: Option<&'a mut web::Server>,
    keeper: Option<&'a mut show::Keeper>,
}

/// Reports once a second until it is time to stop.
fn watch(
    args: &RunArgs,
    runtime: &mut Runtime,
    console: &mut Console,
    mut tended: Tended,
    phase: &AtomicU8,
    reloads: &Reloads,
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
        reloads.tend(tended.keeper.as_deref_mut(), &mut runtime.cast);
        if let Some(keeper) = tended.keeper.as_deref_mut() {
            keeper.tend(&mut runtime.cast);
        }
        if let Some(keyboard) = tended.keyboard.as_deref_mut() {
            keyboard.tend(console)?;
        }
        let now = Instant::now();
        console.sync(runtime)?;
        console.playing(runtime)?;
        if runtime.has_ended() {
            ended.get_or_insert(now);
        }
        let done = phase.load(Ordering::SeqCst) == STOPPED
            || duration.is_some_and(|d| now - began >= d)
            || ended.is_some_and(|e| now - e >= AFTERGLOW);
        if done {
            break;
        }
        if let Some(page) = tended.page.as_deref_mut().filter(|_| now >= next_look) {
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

/// Prints changes of lights.
fn tell(lights: &[Arc<Light>]) {
    lights.iter().flat_map(|l| l.take_lines()).for_each(k1_host::say);
}
