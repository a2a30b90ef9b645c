//! The playlist and timers as the API asks for them.

use jiff::Zoned;
use k1_device::answers::{NextTimer, Playlist, Timer, Timers};
use k1_device::error::Refusal;
use k1_device::requests::{NewTimer, NewTimers, PlaylistPatch};
use k1_show::playlist::EVERY_EXPECTED;
use k1_show::timer::{DAYS_EXPECTED, TASK_EXPECTED, TIME_EXPECTED};
use k1_show::{Days, Task};

use super::app::App;

/// Form of a time of day with its day of the week.
const TIME: &str = "%H:%M %a";

impl App {
    /// The playlist as it is now.
    pub(super) fn playlist_now(&self) -> Playlist {
        let k1_show::Playlist { scenes, every, shuffle, on } = self.director.playlist();
        let (left, next) = self.director.coming();
        Playlist { on, scenes, every: every.to_string(), shuffle, left, next }
    }

    pub(super) fn change_playlist(&self, patch: &PlaylistPatch) -> Result<Playlist, Refusal> {
        let mut playlist = self.director.playlist();
        if let Some(scenes) = patch.scenes()? {
            let all = self.director.scene_names();
            if scenes.iter().any(|name| !all.contains(name)) {
                return Err(Refusal::SceneNotFound);
            }
            playlist.scenes = scenes;
        }
        if let Some(every) = patch.every(EVERY_EXPECTED)? {
            let wrong = Refusal::InvalidValue { field: "every", expected: EVERY_EXPECTED };
            playlist.every = every.parse().map_err(|()| wrong)?;
        }
        playlist.shuffle = patch.shuffle()?.unwrap_or(playlist.shuffle);
        playlist.on = patch.on()?.unwrap_or(playlist.on);
        if playlist.on && self.director.scene_names().is_empty() {
            return Err(Refusal::Busy(
                "there is no scene to show; make one first (PUT /api/v1/scenes/NAME takes what is shown now)",
            ));
        }
        self.director.set_playlist(&playlist);
        Ok(self.playlist_now())
    }

    pub(super) fn pass_on(&self) -> Result<Playlist, Refusal> {
        match self.director.next_scene() {
            Some(_) => Ok(self.playlist_now()),
            None => {
                Err(Refusal::Busy("the playlist has no other scene; GET /api/v1/scenes lists the scenes"))
            }
        }
    }

    /// The timers, and the local time.
    pub(super) fn timers_now(&self) -> Timers {
        let now = Zoned::now();
        let next = self.director.next_timer(&now).map(|(at, timer)| NextTimer {
            at: at.strftime(TIME).to_string(),
            task: timer.task.to_string(),
            in_s: at.timestamp().as_second().saturating_sub(now.timestamp().as_second()).unsigned_abs(),
        });
        Timers {
            timers: self.director.timers().iter().map(answer_of).collect(),
            now: now.strftime(TIME).to_string(),
            zone: now.time_zone().iana_name().map(str::to_owned),
            next,
        }
    }

    pub(super) fn change_timers(&self, new: &NewTimers) -> Result<Timers, Refusal> {
        let scenes = self.director.scene_names();
        let timers = new.timers.iter().map(timer_of).collect::<Result<Vec<_>, _>>()?;
        for timer in &timers {
            if let Task::Scene(name) = &timer.task
                && !scenes.contains(name)
            {
                return Err(Refusal::SceneNotFound);
            }
        }
        self.change_show(|text| {
            text.set_timers(&timers);
            Ok(())
        })?;
        self.director.set_timers(&timers);
        Ok(self.timers_now())
    }
}

fn timer_of(new: &NewTimer) -> Result<k1_show::Timer, Refusal> {
    let wrong = |field, expected| move |()| Refusal::InvalidValue { field, expected };
    let at = new.at(TIME_EXPECTED)?.parse().map_err(wrong("at", TIME_EXPECTED))?;
    let days = match new.days(DAYS_EXPECTED)? {
        None => Days::ALL,
        Some(names) => names
            .iter()
            .try_fold(Days::NONE, |days, name| days.with_name(name))
            .filter(|days| *days != Days::NONE)
            .ok_or(Refusal::InvalidValue { field: "days", expected: DAYS_EXPECTED })?,
    };
    let task = new.task(TASK_EXPECTED)?.parse().map_err(wrong("do", TASK_EXPECTED))?;
    Ok(k1_show::Timer { at, days, task, fade_s: new.fade_s()? })
}

fn answer_of(timer: &k1_show::Timer) -> Timer {
    Timer {
        at: timer.at.to_string(),
        days: timer.days.names().collect(),
        task: timer.task.to_string(),
        fade_s: timer.fade_s,
    }
}
