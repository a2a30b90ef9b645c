//! The zones and lights of a running program: makes stages for the renderer, and starts and ends the lights' threads.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Release};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_device::exchange::{Settings, SettingsRing};
use k1_engine::light::{OutputSettings, Palette, Shape};
use k1_handoff::Mailbox;
use k1_show::map::Cell;

use super::outlet::{Outlet, outlet};
use super::stage::{Lit, Part, Stage};
use super::{Controls, KEPT, LIGHT, Owner, Shared, feed};
use crate::sink::{Light, Open};

/// Longest time that the renderer needs to take a stage over.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// A zone as it is to be.
pub struct ZonePlan {
    /// Its name, by which it is known to a running program.
    pub name: String,
    /// Number of pixels.
    pub leds: usize,
    /// How they are arranged.
    pub shape: Shape<'static>,
    /// Pattern, parameters and gain.
    pub settings: Settings,
    /// Settings of its output stage.
    pub output: OutputSettings,
    /// The user's own palettes, which all zones share.
    pub palettes: &'static [Palette],
}

/// A light as it is to be.
pub struct LightPlan {
    /// A text that says everything about the light; a running light with the same text stays as it is.
    pub key: String,
    /// Opens the light.
    pub open: Box<dyn FnOnce() -> Result<Open, String> + Send>,
    /// What each of its LEDs shows.
    pub cells: Vec<Cell>,
}

impl LightPlan {
    /// A light that shows the whole first zone of `leds` pixels.
    pub fn whole(
        key: String,
        leds: usize,
        open: impl FnOnce() -> Result<Open, String> + Send + 'static,
    ) -> Self {
        Self { key, open: Box::new(open), cells: (0..leds).map(|pixel| Cell::new(0, pixel)).collect() }
    }
}

/// A zone that runs.
#[derive(Clone)]
pub struct Playing {
    /// Its name.
    pub name: String,
    /// Number of pixels.
    pub leds: usize,
    /// How they are arranged.
    pub shape: Shape<'static>,
    /// Reads and changes its settings.
    pub controls: Controls,
    /// The user's own palettes.
    pub palettes: &'static [Palette],
}

/// A light that runs.
struct Running {
    key: String,
    light: Arc<Light>,
    is_away: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The zones and lights of a running program.
pub struct Cast {
    shared: Arc<Shared>,
    /// The zones, which requests may look at.
    zones: Arc<Mutex<Vec<Playing>>>,
    lights: Vec<Running>,
    /// Threads of lights that were taken away.
    leaving: Vec<JoinHandle<()>>,
    stages: rtrb::Producer<Stage>,
    old: rtrb::Consumer<Stage>,
}

impl Cast {
    /// A cast without zones and lights.
    pub(super) fn new(
        shared: Arc<Shared>,
        stages: rtrb::Producer<Stage>,
        old: rtrb::Consumer<Stage>,
    ) -> Self {
        Self { shared, zones: Arc::default(), lights: Vec::new(), leaving: Vec::new(), stages, old }
    }

    /// The zones in force.
    pub fn zones(&self) -> Arc<Mutex<Vec<Playing>>> {
        self.zones.clone()
    }

    /// The settings of the first zone, whatever its name is at the time.
    pub(super) fn controls(&self) -> Controls {
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        match zones.first() {
            Some(first) => first.controls.clone(),
            None => unreachable!("a cast has at least one zone"),
        }
    }

    /// Replaces zones and lights. Those that stay go on without a pause; a light that cannot be opened is told and left
    /// out.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread, or the renderer does not take the change over.
    pub fn replace(&mut self, zones: Vec<ZonePlan>, lights: Vec<LightPlan>) -> std::io::Result<()> {
        let stage = self.prepare(zones, lights, None)?;
        if self.stages.push(stage).is_err() {
            return Err(std::io::Error::other("the renderer has not taken the previous change over"));
        }
        let until = Instant::now() + TAKE_OVER;
        while self.old.pop().is_err() {
            if Instant::now() > until {
                return Err(std::io::Error::other("the renderer does not take the change over"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Makes a stage, which keeps the zones and lights that are there already.
    pub(super) fn prepare(
        &mut self,
        zones: Vec<ZonePlan>,
        lights: Vec<LightPlan>,
        page: Option<Outlet>,
    ) -> std::io::Result<Stage> {
        let parts = self.prepare_zones(zones);
        let lits = self.prepare_lights(lights)?;
        self.shared.set_lights(self.lights.iter().map(|light| light.light.clone()).collect());
        Ok(Stage::new(parts, lits, page))
    }

    fn prepare_zones(&mut self, zones: Vec<ZonePlan>) -> Vec<Part> {
        let mut playing = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut parts, mut new) = (Vec::new(), Vec::new());
        for (index, plan) in zones.into_iter().enumerate() {
            // The first zone is always the same one, because the page and the ear hold its settings.
            let before = match index {
                0 => (!playing.is_empty()).then_some(0),
                _ => playing.iter().skip(1).position(|zone| zone.name == plan.name).map(|i| i + 1),
            };
            let controls = match before {
                Some(before) => {
                    let mut controls = playing[before].controls.clone();
                    let before_leds = playing[before].leds;
                    post(&mut controls, &plan.settings);
                    let part = Part::kept(before, before_leds, plan.leds, plan.shape, plan.output);
                    parts.push(part.with_own_palettes(plan.palettes));
                    controls
                }
                None => {
                    let (mailbox, mailbox_owner) = Mailbox::channel();
                    let (writer, settings) = SettingsRing::channel();
                    let owner = Owner::new(mailbox_owner, writer, plan.settings);
                    let part = Part::new(plan.leds, plan.shape, plan.output, owner);
                    parts.push(part.with_own_palettes(plan.palettes));
                    Controls::new(mailbox, settings, plan.settings)
                }
            };
            let ZonePlan { name, leds, shape, palettes, .. } = plan;
            new.push(Playing { name, leds, shape, controls, palettes });
        }
        *playing = new;
        parts
    }

    fn prepare_lights(&mut self, plans: Vec<LightPlan>) -> std::io::Result<Vec<Lit>> {
        let mut before: Vec<Option<Running>> = self.lights.drain(..).map(Some).collect();
        let is_same =
            |running: &Option<Running>, plan: &LightPlan| running.as_ref().is_some_and(|r| r.key == plan.key);
        // Lights that go first, because a new one may need their port or file.
        for running in before.iter_mut().filter(|r| !plans.iter().any(|plan| is_same(r, plan))) {
            if let Some(gone) = running.take() {
                gone.is_away.store(true, Release);
                gone.thread.thread().unpark();
                self.leaving.push(gone.thread);
            }
        }
        self.leaving.retain(|thread| !thread.is_finished());
        let mut lits = Vec::new();
        for plan in plans {
            if let Some(index) = before.iter().position(|running| is_same(running, &plan)) {
                self.lights.extend(before[index].take());
                lits.push(Lit::kept(index, plan.cells));
                continue;
            }
            match (plan.open)() {
                Ok(open) => {
                    let leds = plan.cells.len();
                    let (running, outlet) = self.start(plan.key, open, leds)?;
                    self.lights.push(running);
                    lits.push(Lit::new(outlet, plan.cells));
                }
                Err(why) => k1_host::say(format_args!("k1: {why}")),
            }
        }
        Ok(lits)
    }

    fn start(&self, key: String, open: Open, leds: usize) -> std::io::Result<(Running, Outlet)> {
        let light = open.light.clone();
        let (outlet, frames, wakes) = outlet(leds, Some(light.clone()));
        let is_away = Arc::new(AtomicBool::new(false));
        let name = if open.is_kept { KEPT } else { LIGHT };
        let (shared, away) = (self.shared.clone(), is_away.clone());
        shared.lit.fetch_add(1, AcqRel);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || feed::feed(open, frames, &wakes, &shared, &away))?;
        Ok((Running { key, light, is_away, thread }, outlet))
    }

    /// The threads of all lights, for the end of the program.
    pub(super) fn into_threads(self) -> impl Iterator<Item = JoinHandle<()>> {
        self.lights.into_iter().map(|light| light.thread).chain(self.leaving)
    }
}

/// Posts what differs from the settings in force.
pub fn post(controls: &mut Controls, wanted: &Settings) {
    use k1_device::exchange::Change;
    use k1_engine::params::Param;
    let now = controls.settings();
    let params = Param::ALL.iter().filter(|p| now.params.get(**p) != wanted.params.get(**p));
    let params = params.map(|p| Change::Param(*p, wanted.params.get(*p)));
    let pattern = (now.pattern != wanted.pattern).then_some(Change::Pattern(wanted.pattern));
    let gain = (now.gain != wanted.gain).then_some(Change::Gain(wanted.gain));
    let changes: Vec<_> = params.chain(pattern).chain(gain).collect();
    if !changes.is_empty() {
        controls.post(changes);
    }
}
