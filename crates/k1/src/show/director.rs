//! Decides what the zones show: recalls scenes by hand, by the playlist and by timers, turns the light on and off, and dims
//! it. Requests and threads share it.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use k1_device::exchange::Change;
use k1_engine::audio::Snapshot;
use k1_engine::show::FADE_S;
use k1_show::{Look, Now, Playlist, Scene, Show, Task, Timer};

use super::alarm::{self, Alarm};
use super::player::Player;
use crate::runtime::{Cast, Playing, Shared};

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
    /// The thread that follows the music; empty until it runs.
    follower: OnceLock<Thread>,
}

struct State {
    scenes: Vec<Scene>,
    playlist: Playlist,
    timers: Vec<Timer>,
    player: Player,
    alarm: Alarm,
    /// What was set by hand.
    now: Now,
    /// The scene that the playlist shows.
    passing: Option<Scene>,
    /// True from the start of the playlist until its first scene.
    starts: bool,
    /// Brightness of the scene that was recalled last.
    scene_brightness: f32,
    fade_s: f32,
    /// The time at which a scene was recalled or made.
    recalled: Option<Instant>,
    /// The looks in force at the last look.
    looks: Vec<Look>,
}

impl State {
    fn scene(&self, name: &str) -> Option<&Scene> {
        self.scenes.iter().find(|scene| scene.name == name)
    }

    /// The scene that was recalled last.
    fn last(&self) -> Option<&Scene> {
        self.passing.as_ref().or_else(|| self.scene(self.now.scene.as_deref()?))
    }

    fn set_player(&mut self) {
        let exists = |name: &String| self.scenes.iter().any(|scene| scene.name == *name);
        self.playlist.scenes.retain(exists);
        let names = match self.playlist.scenes.is_empty() {
            true => self.scenes.iter().map(|scene| scene.name.clone()).collect(),
            false => self.playlist.scenes.clone(),
        };
        self.player.set(names, self.playlist.shuffle, self.playlist.every, self.playlist.on);
    }

    /// What the playlist shows counts as set by hand from now on.
    fn settle(&mut self) {
        if let Some(scene) = self.passing.take() {
            self.now.scene = Some(scene.name);
        }
    }
}

impl Director {
    /// Directs the zones of a cast, as a show says.
    pub fn new(show: &Show, shared: Arc<Shared>, cast: &Cast) -> Self {
        let state = State {
            scenes: Vec::new(),
            playlist: Playlist::default(),
            timers: show.timers.clone(),
            // The order of shuffled scenes differs from start to start.
            player: Player::new(RandomState::new().hash_one(0)),
            alarm: Alarm::default(),
            now: Now::default(),
            passing: None,
            starts: false,
            scene_brightness: 1.0,
            fade_s: FADE_S,
            recalled: None,
            looks: Vec::new(),
        };
        let director =
            Self { shared, zones: cast.zones(), state: Mutex::new(state), follower: OnceLock::new() };
        director.take_scenes(show);
        director.set_now(&show.now, 0.0);
        director.set_playlist(&show.playlist.clone().unwrap_or_default());
        director
    }

    /// Names the thread that calls [`follow`](Self::follow). It is woken when the playlist starts.
    pub fn is_followed_by(&self, thread: Thread) {
        let _ = self.follower.set(thread);
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
        state.set_player();
    }

    /// What was set by hand besides the looks.
    pub fn now(&self) -> Now {
        self.state().now.clone()
    }

    /// Turns the light on or off and dims it as a show file says; the looks stay.
    pub fn set_now(&self, now: &Now, fade_s: f32) {
        let mut state = self.state();
        state.now = now.clone();
        let scene = now.scene.as_deref().and_then(|name| state.scene(name));
        state.scene_brightness = scene.and_then(|scene| scene.brightness).unwrap_or(1.0);
        if let Some(name) = &now.scene {
            state.player.shown(name);
        }
        self.dim(&mut state, fade_s);
    }

    fn dim(&self, state: &mut State, fade_s: f32) {
        state.fade_s = fade_s;
        let level = if state.now.on { state.now.brightness * state.scene_brightness } else { 0.0 };
        self.shared.dim.set(level, fade_s);
    }

    /// The names of the scenes.
    pub fn scene_names(&self) -> Vec<String> {
        self.state().scenes.iter().map(|scene| scene.name.clone()).collect()
    }

    /// The scenes.
    pub fn scenes(&self) -> Vec<Scene> {
        self.state().scenes.clone()
    }

    /// Name of the scene that is shown; `None` if a look was changed since.
    pub fn current(&self) -> Option<String> {
        let (scene, is_fresh) = {
            let state = self.state();
            (state.last()?.clone(), state.recalled.is_some_and(|at| at.elapsed() < TAKE_OVER))
        };
        let shows = |zone: &mut Playing| scene.look(&zone.name).is_none_or(|look| *look == look_now(zone));
        (is_fresh || self.zones().iter_mut().all(shows)).then_some(scene.name)
    }

    /// The look that the playlist has given to a zone, which is not to be remembered.
    pub fn passing(&self, zone: &str) -> Option<Look> {
        self.state().passing.as_ref()?.look(zone).copied()
    }

    /// What is shown now, as a scene of this name.
    pub fn picture(&self, name: &str) -> Scene {
        let looks = self.zones().iter_mut().map(|zone| (zone.name.clone(), look_now(zone))).collect();
        let state = self.state();
        let brightness = Some(state.scene_brightness).filter(|brightness| *brightness < 1.0);
        let fade_s = state.scene(name).map_or(FADE_S, |scene| scene.fade_s);
        Scene { name: name.to_owned(), fade_s, brightness, looks }
    }

    /// Notes that a scene was made of what is shown now.
    pub fn is_shown(&self, name: &str) {
        let mut state = self.state();
        (state.now.scene, state.recalled) = (Some(name.to_owned()), Some(Instant::now()));
        state.passing = None;
        state.player.shown(name);
    }

    /// Turns the light on and fades to a scene; `None` if there is no such scene. The playlist waits for a whole period.
    pub fn recall(&self, name: &str, fade_s: Option<f32>) -> Option<Recalled> {
        self.recall_in(&mut self.state(), name, fade_s)
    }

    fn recall_in(&self, state: &mut State, name: &str, fade_s: Option<f32>) -> Option<Recalled> {
        let scene = state.scene(name)?.clone();
        state.now.on = true;
        state.now.scene = Some(scene.name.clone());
        state.passing = None;
        state.player.hold();
        Some(self.show(state, &scene, fade_s))
    }

    /// Fades to a scene.
    fn show(&self, state: &mut State, scene: &Scene, fade_s: Option<f32>) -> Recalled {
        let fade_s = fade_s.unwrap_or(scene.fade_s);
        let zones = self.zones();
        for zone in zones.iter() {
            if let Some(look) = scene.look(&zone.name) {
                zone.controls.post(Change::fade_to(*look, fade_s));
            }
        }
        let is_there = |name: &String| zones.iter().any(|zone| zone.name == *name);
        let missing =
            scene.looks.iter().map(|(zone, _)| zone.clone()).filter(|zone| !is_there(zone)).collect();
        state.scene_brightness = scene.brightness.unwrap_or(1.0);
        state.recalled = Some(Instant::now());
        state.player.shown(&scene.name);
        self.dim(state, fade_s);
        Recalled { fade_s, missing }
    }

    /// Whether the light is on, and its brightness.
    pub fn power(&self) -> Power {
        let state = self.state();
        Power { on: state.now.on, brightness: state.now.brightness, fade_s: state.fade_s }
    }

    /// Turns the light on or off, or dims it. What is `None` stays.
    pub fn set_power(&self, on: Option<bool>, brightness: Option<f32>, fade_s: Option<f32>) {
        self.set_power_in(&mut self.state(), on, brightness, fade_s);
    }

    fn set_power_in(
        &self,
        state: &mut State,
        on: Option<bool>,
        brightness: Option<f32>,
        fade_s: Option<f32>,
    ) {
        state.now.on = on.unwrap_or(state.now.on);
        state.now.brightness = brightness.unwrap_or(state.now.brightness);
        self.dim(state, fade_s.unwrap_or(FADE_S));
    }

    /// The playlist.
    pub fn playlist(&self) -> Playlist {
        self.state().playlist.clone()
    }

    /// What is left until the next scene, and its name.
    pub fn coming(&self) -> (Option<String>, Option<String>) {
        let state = self.state();
        (state.player.left(), state.player.next().map(str::to_owned))
    }

    /// Sets the playlist, and starts or stops it.
    pub fn set_playlist(&self, playlist: &Playlist) {
        self.set_playlist_in(&mut self.state(), playlist);
    }

    fn set_playlist_in(&self, state: &mut State, playlist: &Playlist) {
        match (state.playlist.on, playlist.on) {
            (false, true) => {
                state.starts = true;
                self.follower.get().inspect(|thread| thread.unpark());
            }
            (true, false) => state.settle(),
            _ => {}
        }
        state.playlist.clone_from(playlist);
        state.set_player();
    }

    /// Shows the next scene of the playlist at once; `None` if there is no other.
    pub fn next_scene(&self) -> Option<String> {
        let mut state = self.state();
        let name = state.player.next()?.to_owned();
        match state.playlist.on {
            true => self.pass_to(&mut state, &name),
            false => _ = self.recall_in(&mut state, &name, None),
        }
        state.player.hold();
        Some(name)
    }

    /// Fades to a scene of the playlist, which is not remembered as set by hand.
    fn pass_to(&self, state: &mut State, name: &str) {
        if let Some(scene) = state.scene(name).cloned() {
            self.show(state, &scene, None);
            state.passing = Some(scene);
        }
    }

    /// The timers.
    pub fn timers(&self) -> Vec<Timer> {
        self.state().timers.clone()
    }

    /// Replaces the timers.
    pub fn set_timers(&self, timers: &[Timer]) {
        self.state().timers = timers.to_vec();
    }

    /// Follows the music with the playlist. Call it about a hundred times a second while it returns true; otherwise the
    /// playlist rests.
    pub fn follow(&self, now_us: u64, sound: &Snapshot) -> bool {
        let mut state = self.state();
        if !state.playlist.on {
            return false;
        }
        let mut zones = self.zones();
        if !zones.iter_mut().map(look_now).eq(state.looks.iter().copied()) {
            state.looks = zones.iter_mut().map(look_now).collect();
            // A change that no scene has made was made by hand.
            if state.recalled.is_none_or(|at| at.elapsed() > TAKE_OVER) {
                state.player.hold();
            }
        }
        drop(zones);
        let is_next = state.player.look(now_us, sound);
        if std::mem::take(&mut state.starts) {
            // It begins with the scene that is shown, if that is one of its own.
            let all = &state.playlist.scenes;
            let shown = state.now.scene.clone().filter(|name| all.is_empty() || all.contains(name));
            if let Some(name) = shown.or_else(|| state.player.next().map(str::to_owned)) {
                self.pass_to(&mut state, &name);
            }
        } else if let Some(name) = state.player.next().map(str::to_owned).filter(|_| is_next) {
            self.pass_to(&mut state, &name);
        }
        true
    }

    /// Does what timers say for a local time. Returns a line about each. Call it at least every minute.
    pub fn keep_time(&self, now: &jiff::Zoned) -> Vec<String> {
        let mut state = self.state();
        let State { alarm, timers, .. } = &mut *state;
        let due = alarm.due(timers, now);
        for timer in &due {
            self.obey(&mut state, timer);
        }
        due.iter().map(|timer| format!("timer {}: {}", timer.at, timer.task)).collect()
    }

    fn obey(&self, state: &mut State, timer: &Timer) {
        let set = |state: &mut State, on| {
            let playlist = Playlist { on, ..state.playlist.clone() };
            self.set_playlist_in(state, &playlist);
        };
        match &timer.task {
            Task::On => self.set_power_in(state, Some(true), None, timer.fade_s),
            Task::Off => self.set_power_in(state, Some(false), None, timer.fade_s),
            Task::Scene(name) => _ = self.recall_in(state, name, timer.fade_s),
            Task::Playlist => {
                self.set_power_in(state, Some(true), None, timer.fade_s);
                set(state, true);
            }
            Task::StopPlaylist => set(state, false),
        }
    }

    /// The timer that comes next, and its local time.
    pub fn next_timer(&self, now: &jiff::Zoned) -> Option<(jiff::Zoned, Timer)> {
        let state = self.state();
        alarm::next(&state.timers, now).map(|(at, timer)| (at, timer.clone()))
    }
}

/// The look of a zone that runs.
fn look_now(zone: &mut Playing) -> Look {
    zone.controls.settings().look()
}
