//! Scenes and power as the API asks for them.

use k1_device::answers::{Deleted, Power, Recalled, Scene, SceneLook, Scenes};
use k1_device::error::Refusal;
use k1_device::live::SceneNow;
use k1_device::requests::{NewLook, NewScene, PowerPatch, Recall};
use k1_device::scenery::Scenery;
use k1_engine::light::Palette;
use k1_show::{Look, Task, Text};

use super::app::App;
use crate::show::Stored;

impl App {
    /// Changes the show file, and takes its scenes over at once.
    pub(super) fn change_show(
        &self,
        change: impl Fn(&mut Text) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut stored: Stored = self.stored()?;
        let mut refused = None;
        let written = stored.change(|text| {
            change(text).map_err(|refusal| {
                refused = Some(refusal);
                String::new()
            })
        });
        match (written, refused) {
            (Ok(()), _) => {
                self.director.take_scenes(&stored.reading().show);
                Ok(())
            }
            (Err(_), Some(refusal)) => Err(refusal),
            (Err(why), None) => {
                k1_host::say(format_args!("k1: {why}"));
                Err(Refusal::Busy(
                    "the show file was not changed; GET /api/v1/show lists its faults, and the console of K1 says why",
                ))
            }
        }
    }

    /// The scene that is shown, and the names of all.
    pub(super) fn scene_now(&self) -> SceneNow {
        SceneNow { current: self.director.current(), scenes: self.director.scene_names() }
    }

    pub(super) fn power_now(&self) -> Power {
        let crate::show::Power { on, brightness, fade_s } = self.director.power();
        Power { on, fade_s, brightness }
    }
}

impl Scenery for App {
    fn scenes(&self) -> Result<Scenes, Refusal> {
        self.stored()?;
        let scenes = self.director.scenes().iter().map(|scene| answer_of(scene, self.palettes())).collect();
        Ok(Scenes { scenes, current: self.director.current() })
    }

    fn set_scene(&self, name: &str, new: &NewScene) -> Result<Scene, Refusal> {
        let before = self.director.scenes().into_iter().find(|scene| scene.name == name);
        let is_picture = new.is_picture(before.is_some());
        let mut scene = match (is_picture, before) {
            (false, Some(before)) => before,
            _ => self.director.picture(name),
        };
        if let Some(looks) = new.looks() {
            let own = self.palettes();
            let look = |(zone, new): &(String, NewLook)| Ok::<_, Refusal>((zone.clone(), new.look(own)?));
            scene.looks = looks.iter().map(look).collect::<Result<_, _>>()?;
            scene.brightness = None;
        }
        scene.fade_s = new.fade_s()?.unwrap_or(scene.fade_s);
        scene.brightness = new.brightness()?.or(scene.brightness);
        self.change_show(|text| {
            text.set_scene(&scene);
            Ok(())
        })?;
        if is_picture {
            self.director.is_shown(name);
        }
        Ok(answer_of(&scene, self.palettes()))
    }

    fn delete_scene(&self, name: &str) -> Result<Deleted, Refusal> {
        self.change_show(|text| {
            let forms = crate::show::Forms { file: self.show_file.as_deref().unwrap_or("".as_ref()) };
            let timers = text.read(&forms).show.timers;
            if timers.iter().any(|timer| timer.task == Task::Scene(name.to_owned())) {
                return Err(Refusal::Busy(
                    "a timer recalls this scene; change the timer first (GET /api/v1/timers lists them)",
                ));
            }
            if text.remove_scene(name) { Ok(()) } else { Err(Refusal::SceneNotFound) }
        })?;
        Ok(Deleted { deleted: name.to_owned() })
    }

    fn recall_scene(&self, name: &str, recall: &Recall) -> Result<Recalled, Refusal> {
        self.stored()?;
        let recalled = self.director.recall(name, recall.fade_s()?).ok_or(Refusal::SceneNotFound)?;
        let message = match recalled.missing.as_slice() {
            [] => None,
            [one] => {
                Some(format!("the zone “{one}” does not exist any more; the scene was recalled without it"))
            }
            all => Some(format!(
                "the zones “{}” do not exist any more; the scene was recalled without them",
                all.join("”, “")
            )),
        };
        Ok(Recalled { scene: name.to_owned(), fade_s: recalled.fade_s, missing: recalled.missing, message })
    }

    fn power(&self) -> Power {
        self.power_now()
    }

    fn set_power(&self, patch: &PowerPatch) -> Result<Power, Refusal> {
        self.director.set_power(patch.on()?, patch.brightness()?, patch.fade_s()?);
        Ok(self.power_now())
    }
}

fn answer_of(scene: &k1_show::Scene, own: &'static [Palette]) -> Scene {
    let look = |(zone, look): &(String, Look)| (zone.clone(), SceneLook::new(*look, own));
    Scene {
        name: scene.name.clone(),
        fade_s: scene.fade_s,
        brightness: scene.brightness,
        looks: scene.looks.iter().map(look).collect(),
    }
}
