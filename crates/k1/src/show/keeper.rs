//! Keeps a show file and a running program in step: what the file says is taken over, and a look or a brightness that was
//! changed is written once it has rested.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use k1_device::exchange::Settings;
use k1_device::settings::Debounce;
use k1_engine::light::PALETTES;
use k1_engine::params::Param;
use k1_engine::show::FADE_S;
use k1_host::say;
use k1_show::{Look, Now, OwnPalette, Playlist, Show};

use super::{Director, Forms, Rest, Sound, Stored, plans};
use crate::runtime::{Cast, Playing};

/// Interval between two looks at the file.
const LOOK: Duration = Duration::from_millis(250);
/// Pause after a look that could not be written.
const PAUSE: Duration = Duration::from_secs(10);

/// Keeps a file and a running program in step.
pub struct Keeper {
    stored: Stored,
    /// The show in force.
    show: Show,
    rest: Rest,
    director: Arc<Director>,
    listening: Arc<Sound>,
    began: Instant,
    next_look: Instant,
    debounce: Debounce,
    /// The looks, the gain and the rest as they were at the last glance.
    glanced: Option<(Vec<Settings>, Now, Playlist)>,
    /// Looks that were not written are tried again then.
    again: Option<Instant>,
    /// Why they were not written. It is told once.
    told: Option<String>,
}

impl Keeper {
    /// Keeps a file whose valid part runs already.
    pub fn new(
        stored: Stored,
        show: Show,
        rest: Rest,
        director: Arc<Director>,
        listening: Arc<Sound>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stored,
            show,
            rest,
            director,
            listening,
            began: now,
            next_look: now + LOOK,
            debounce: Debounce::default(),
            glanced: None,
            again: None,
            told: None,
        }
    }

    /// Does what is due. Call it many times a second.
    pub fn tend(&mut self, cast: &mut Cast) {
        let now = Instant::now();
        self.glance(cast, now);
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.look(cast);
        }
        let is_again = self.again.is_some_and(|at| now >= at);
        if self.debounce.is_due(micros(now - self.began)) || is_again {
            self.write(cast, now);
        }
    }

    /// Reads the file again, even if it does not seem to have changed.
    pub fn reload(&mut self, cast: &mut Cast) {
        self.stored.forget();
        self.look(cast);
    }

    /// Writes what has not rested yet, at the end of the program.
    pub fn end(mut self, cast: &Cast) {
        self.write(cast, Instant::now());
    }

    /// Notes that settings have changed.
    fn glance(&mut self, cast: &Cast, now: Instant) {
        let settings = zones(cast, |zone| zone.controls.settings());
        let glanced = Some((settings, self.director.now(), self.director.playlist()));
        if glanced != self.glanced {
            if self.glanced.is_some() {
                self.debounce.touch(micros(now - self.began));
            }
            self.glanced = glanced;
        }
    }

    /// Takes over what the file and its maps say, if one of them has changed.
    fn look(&mut self, cast: &mut Cast) {
        let changed = match self.stored.refresh() {
            Ok(None) => return,
            Ok(Some(path)) => path.display().to_string(),
            Err(why) => {
                say(format_args!("k1: {why}"));
                return;
            }
        };
        let shown = self.stored.path().display().to_string();
        match self.stored.reading().whole() {
            Err(faults) => {
                for fault in &faults {
                    say(format_args!("k1: {shown}, {fault}"));
                }
                say(format_args!("k1: {shown} has a fault, so K1 goes on with what it said before"));
            }
            Ok(new) if new == self.show => {}
            Ok(new) => {
                if (new.fps, &new.name) != (self.show.fps, &self.show.name) {
                    say(format_args!("k1: {shown} has another name or fps; start K1 again for those"));
                }
                if let Some(input) = new.input.clone().filter(|_| new.input != self.show.input) {
                    self.hear(input);
                }
                self.director.take_scenes(&new);
                if new.now != self.show.now {
                    self.director.set_now(&new.now, FADE_S);
                }
                if new.playlist != self.show.playlist {
                    self.director.set_playlist(&new.playlist.clone().unwrap_or_default());
                }
                if new.timers != self.show.timers {
                    self.director.set_timers(&new.timers);
                }
                let Show { input, scenes, playlist, timers, now, .. } = new.clone();
                let mut room = Show { input, scenes, playlist, timers, now, ..self.show.clone() };
                // Where a zone hangs on the plan changes drawings only.
                for (zone, there) in room.zones.iter_mut().zip(&new.zones) {
                    zone.place = there.place;
                }
                if room == new {
                    // Lights and zones are the same.
                    self.show = new;
                    return;
                }
                match self.take_over(new, cast) {
                    Ok(()) => say(format_args!("k1: {changed} has changed, and K1 shows it")),
                    Err(e) => {
                        say(format_args!("k1: {changed} has changed, but K1 cannot show all of it: {e}"))
                    }
                }
            }
        }
    }

    /// Hears the source that the file names now. Opening it may take seconds, and nothing here waits for it.
    fn hear(&self, input: String) {
        let (listening, path) = (self.listening.clone(), self.stored.path().to_owned());
        let change = move || {
            if let Err(why) = listening.change(&input, &path) {
                say(format_args!("k1: the source of {} cannot be heard: {why}", path.display()));
            }
        };
        if let Err(e) = std::thread::Builder::new().name("k1-listen".into()).spawn(change) {
            say(format_args!("k1: the source of the show file was not changed: {e}"));
        }
    }

    fn take_over(&mut self, new: Show, cast: &mut Cast) -> std::io::Result<()> {
        let (mut zones, lights) = plans(&new, &self.rest);
        let now = looks(cast);
        for plan in &mut zones {
            // What was changed by hand is in force; what was changed here and not yet written stays.
            let before = self.show.zones.iter().find(|zone| zone.name == plan.name).map(|zone| zone.look);
            let here = now.iter().find(|(name, _)| *name == plan.name).map(|(_, settings)| *settings);
            if let (Some(before), Some(here)) = (before, here) {
                let here = renumbered(here.look(), &self.show.palettes, &new.palettes);
                let before = renumbered(before, &self.show.palettes, &new.palettes);
                let merged = merge(&before, &plan.settings.look(), &here);
                plan.settings.pattern = merged.pattern;
                plan.settings.params = merged.params;
            }
            if new.gain == self.show.gain
                && let Some((_, first)) = now.first()
            {
                plan.settings.gain = first.gain;
            }
        }
        cast.replace(zones, lights)?;
        self.show = new;
        Ok(())
    }

    /// Writes the looks, the gain and the brightness that differ from the file.
    fn write(&mut self, cast: &Cast, now: Instant) {
        let looks = looks(cast);
        let changed: Vec<(usize, Look)> = looks
            .iter()
            .filter_map(|(name, settings)| {
                let index = self.show.zones.iter().position(|zone| zone.name == *name)?;
                let look = settings.look();
                // What the playlist shows is not remembered.
                let passes = self.director.passing(name) == Some(look);
                (!passes && self.show.zones[index].look != look).then_some((index, look))
            })
            .collect();
        let was = self.show.gain.unwrap_or(self.rest.settings.gain);
        let gain = looks.first().map(|(_, settings)| settings.gain).filter(|gain| *gain != was);
        let set = Some(self.director.now()).filter(|set| *set != self.show.now);
        let playlist = self.director.playlist();
        let playlist =
            Some(playlist).filter(|playlist| *playlist != self.show.playlist.clone().unwrap_or_default());
        self.again = None;
        // Neither the gain, the light as a whole nor the playlist makes a file.
        let is_new = self.show == Show::default() && !self.stored.path().exists();
        if is_new || changed.is_empty() && gain.is_none() && set.is_none() && playlist.is_none() {
            return;
        }
        let before = self.show.clone();
        let path = self.stored.path().to_owned();
        let written = self.stored.change(|text| {
            // A hand edit since the last look at the file keeps its values.
            let now = text.read(&Forms { file: &path }).show.zones;
            for (index, look) in &changed {
                let zone = &before.zones[*index];
                if let Some(there) = now.iter().find(|z| z.name == zone.name) {
                    text.set_look(&zone.name, &merge(&zone.look, &there.look, look));
                }
            }
            if let Some(gain) = gain {
                text.set_gain(gain);
            }
            if let Some(set) = &set {
                text.set_now(set);
            }
            if let Some(playlist) = &playlist {
                text.set_playlist(playlist);
            }
            Ok(())
        });
        match written {
            Ok(()) => {
                self.told = None;
                // A hand edit that the writing has found is taken over as any other.
                let show = self.stored.reading().show;
                let is_only_here = {
                    let mut expected = before;
                    changed.iter().for_each(|(index, look)| expected.zones[*index].look = *look);
                    expected.gain = gain.or(expected.gain);
                    expected.now = set.unwrap_or(expected.now);
                    expected.playlist = playlist.or(expected.playlist);
                    expected == show
                };
                if is_only_here {
                    self.show = show;
                } else {
                    self.stored.forget();
                }
            }
            Err(why) => {
                self.again = Some(now + PAUSE);
                if self.told.as_ref() != Some(&why) {
                    say(format_args!("k1: the look was not written: {why}"));
                    self.told = Some(why);
                }
            }
        }
    }
}

/// What `of` says of each zone in force.
fn zones<T>(cast: &Cast, of: impl FnMut(&mut Playing) -> T) -> Vec<T> {
    let zones = cast.zones();
    let mut zones = zones.lock().unwrap_or_else(PoisonError::into_inner);
    zones.iter_mut().map(of).collect()
}

/// The zones in force with their settings.
fn looks(cast: &Cast) -> Vec<(String, Settings)> {
    zones(cast, |zone| (zone.name.clone(), zone.controls.settings()))
}

/// A look whose own palette has the number that it has now. A palette that is gone leaves the first one.
fn renumbered(mut look: Look, before: &[OwnPalette], now: &[OwnPalette]) -> Look {
    if let Some(own) = look.params.palette_id().checked_sub(PALETTES.len()) {
        let name = before.get(own).map(|palette| &palette.name);
        let place = now.iter().position(|palette| Some(&palette.name) == name);
        look.params.set(Param::PaletteId, place.map_or(0.0, |place| (PALETTES.len() + place) as f32));
    }
    look
}

/// The changes from `before` to `here`, made to `there`; where both differ from `before`, `there` wins.
fn merge(before: &Look, there: &Look, here: &Look) -> Look {
    let mut merged = *there;
    if there.pattern == before.pattern {
        merged.pattern = here.pattern;
    }
    for param in Param::ALL {
        if there.params.get(*param) == before.params.get(*param) {
            merged.params.set(*param, here.params.get(*param));
        }
    }
    merged
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
