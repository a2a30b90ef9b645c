//! Decides what the zones show: recalls scenes, turns the light on and off, and dims it. Requests and threads share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_device::exchange::{Change, Settings};
use k1_engine::params::Param;
use k1_show::{Look, Now, Scene, Show};

use crate::runtime::{Cast, Playing, Shared};

/// Duration of a fade to on or off in seconds, if nobody says another one.
pub const FADE_S: f32 = 1.0;
/// Longest time until the renderer has taken a look over.
const TAKE_OVER: Duration = Duration::from_millis(500);

/// A scene that was recalled.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    /// Duration of the fade in seconds.
    pub fade_s: f32,
    /// Names of zones that do not exist any more.
    pub missing: Vec<String>,
}

/// On, off, and how bright.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// True while the light is on.
    pub on: bool,
    /// Brightness of everything, 0 to 1.
    pub brightness: f32,
    /// Duration of the last fade in seconds.
    pub fade_s: f32,
}

/// Shows scenes on the zones in force.
pub struct Director {
    shared: Arc<Shared>,
    zones: Arc<Mutex<Vec<Playing>>>,
    state: Mutex<State>,
}

struct State {
    scenes: Vec<Scene>,
    now: Now,
    /// Brightness of the scene that was recalled last.
    scene_brightness: f32,
    fade_s: f32,
    /// The time at which a scene was recalled or made.
    recalled: Option<Instant>,
}

impl State {
    fn scene(&self, name: &str) -> Option<&Scene> {
        self.scenes.iter().find(|scene| scene.name == name)
    }
}

impl Director {
    /// Directs the zones of a cast, as a show says.
    pub fn new(show: &Show, shared: Arc<Shared>, cast: &Cast) -> Self {
        let state = State {
            scenes: Vec::new(),
            now: Now::default(),
            scene_brightness: 1.0,
            fade_s: FADE_S,
            recalled: None,
        };
        let director = Self { shared, zones: cast.zones(), state: Mutex::new(state) };
        director.take_scenes(show);
        director.set_now(&show.now, 0.0);
        director
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zones(&self) -> MutexGuard<'_, Vec<Playing>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the scenes of a show.
    pub fn take_scenes(&self, show: &Show) {
        let mut state = self.state();
        state.scenes.clone_from(&show.scenes);
        let is_gone = state.now.scene.as_deref().is_some_and(|name| state.scene(name).is_none());
        if is_gone {
            state.now.scene = None;
        }
    }

    /// What is in force besides the looks.
    pub fn now(&self) -> Now {
        self.state().now.clone()
    }

    /// Turns the light on or off and dims it as a show file says; the looks stay.
    pub fn set_now(&self, now: &Now, fade_s: f32) {
        let mut state = self.state();
        state.now = now.clone();
        let scene = now.scene.as_deref().and_then(|name| state.scene(name));
        state.scene_brightness = scene.and_then(|scene| scene.brightness).unwrap_or(1.0);
        self.dim(&mut state, fade_s);
    }

    fn dim(&self, state: &mut State, fade_s: f32) {
        state.fade_s = fade_s;
        let level = if state.now.on { state.now.brightness * state.scene_brightness } else { 0.0 };
        self.shared.dim.set(level, fade_s);
    }

    /// The scenes.
    pub fn scenes(&self) -> Vec<Scene> {
        self.state().scenes.clone()
    }

    /// Name of the scene that is shown; `None` if a look was changed since.
    pub fn current(&self) -> Option<String> {
        let (scene, is_fresh) = {
            let state = self.state();
            let scene = state.scene(state.now.scene.as_deref()?)?.clone();
            (scene, state.recalled.is_some_and(|at| at.elapsed() < TAKE_OVER))
        };
        let shows = |zone: &mut Playing| scene.look(&zone.name).is_none_or(|look| *look == look_of(zone));
        (is_fresh || self.zones().iter_mut().all(shows)).then_some(scene.name)
    }

    /// What is shown now, as a scene of this name.
    pub fn picture(&self, name: &str) -> Scene {
        let looks = self.zones().iter_mut().map(|zone| (zone.name.clone(), look_of(zone))).collect();
        let state = self.state();
        let brightness = Some(state.scene_brightness).filter(|brightness| *brightness < 1.0);
        let fade_s = state.scene(name).map_or(k1_show::scene::FADE_S, |scene| scene.fade_s);
        Scene { name: name.to_owned(), fade_s, brightness, looks }
    }

    /// Notes that a scene was made of what is shown now.
    pub fn is_shown(&self, name: &str) {
        let mut state = self.state();
        (state.now.scene, state.recalled) = (Some(name.to_owned()), Some(Instant::now()));
    }

    /// Turns the light on and fades to a scene; `None` if there is no such scene.
    pub fn recall(&self, name: &str, fade_s: Option<f32>) -> Option<Recalled> {
        let mut state = self.state();
        let scene = state.scene(name)?.clone();
        let fade_s = fade_s.unwrap_or(scene.fade_s);
        let zones = self.zones();
        for zone in zones.iter() {
            if let Some(look) = scene.look(&zone.name) {
                let params = Param::ALL.iter().map(|param| Change::Param(*param, look.params.get(*param)));
                let rest = [Change::Pattern(look.pattern), Change::Fade(fade_s)];
                zone.controls.post(params.chain(rest));
            }
        }
        let is_there = |name: &String| zones.iter().any(|zone| zone.name == *name);
        let missing =
            scene.looks.iter().map(|(zone, _)| zone.clone()).filter(|zone| !is_there(zone)).collect();
        state.now.on = true;
        state.now.scene = Some(scene.name);
        state.scene_brightness = scene.brightness.unwrap_or(1.0);
        state.recalled = Some(Instant::now());
        self.dim(&mut state, fade_s);
        Some(Recalled { fade_s, missing })
    }

    /// Whether the light is on, and its brightness.
    pub fn power(&self) -> Power {
        let state = self.state();
        Power { on: state.now.on, brightness: state.now.brightness, fade_s: state.fade_s }
    }

    /// Turns the light on or off, or dims it. What is `None` stays.
    pub fn set_power(&self, on: Option<bool>, brightness: Option<f32>, fade_s: Option<f32>) {
        let mut state = self.state();
        state.now.on = on.unwrap_or(state.now.on);
        state.now.brightness = brightness.unwrap_or(state.now.brightness);
        self.dim(&mut state, fade_s.unwrap_or(FADE_S));
    }
}

/// The look of a zone that runs.
fn look_of(zone: &mut Playing) -> Look {
    let Settings { pattern, params, .. } = zone.controls.settings();
    Look { pattern, params }
}
