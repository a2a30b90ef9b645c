//! Scenes, and the light as a whole: on, off, brightness.
//!
//! Requests are answered one after the other, so that nothing changes between reading the state and writing it.

use alloc::string::String;

use k1_device::answers;
use k1_device::answers::{Deleted, Recalled, SceneLook};
use k1_device::error::Refusal;
use k1_device::exchange::Change;
use k1_device::live::SceneNow;
use k1_device::requests::{NewScene, PowerPatch, Recall};
use k1_device::scenery::Scenery;
use k1_device::settings::{MOST_SCENES, Power, Scene, Scenes};
use k1_engine::show::FADE_S;

use crate::home::LampHome;
use crate::{Lamp, now_us};

/// Time in µs in which the renderer has taken a look over.
const TAKE_OVER_US: u64 = 500_000;
/// The name of the lamp's zone.
const ZONE: &str = "";
const FULL: Refusal = Refusal::Busy("a lamp keeps 8 scenes; delete one of them first");
const _: () = assert!(MOST_SCENES == 8, "FULL says how many");

/// What pages are told of the scenes and of the light as a whole, by which a change is noticed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    scenes: Scenes,
    /// Slot of the scene that is shown.
    current: Option<u8>,
    /// On, off, brightness.
    pub(crate) power: answers::Power,
}

impl Told {
    /// As it is now.
    pub(crate) fn now(lamp: &'static Lamp) -> Self {
        let look = lamp.crossing.controls().settings().look();
        let (scenes, Power { on, brightness, scene, .. }, fade_s, recalled_us) =
            lamp.look(|s| (s.memory.scenes.clone(), s.memory.power, s.fade_s, s.recalled_us));
        let is_fresh = recalled_us.is_some_and(|at| now_us() - at < TAKE_OVER_US);
        let is_shown = |slot: &u8| {
            scenes.at(*slot).is_some_and(|scene| is_fresh || scene.look.is_none_or(|its| its == look))
        };
        let current = scene.filter(is_shown);
        Self { scenes, current, power: answers::Power { on, fade_s, brightness } }
    }

    /// True if the scenes and the one that is shown are as they were.
    pub(crate) fn has_same_scenes(&self, before: &Self) -> bool {
        self.current == before.current && self.scenes.are_same(&before.scenes)
    }

    fn current(&self) -> Option<String> {
        self.scenes.at(self.current?).map(|scene| scene.name.clone())
    }

    /// The message about the scenes.
    pub(crate) fn scene_now(&self) -> SceneNow {
        SceneNow {
            current: self.current(),
            scenes: self.scenes.iter().map(|scene| scene.name.clone()).collect(),
        }
    }
}

fn answer_of(scene: &Scene) -> answers::Scene {
    let look = |look| (String::from(ZONE), SceneLook::new(look, &[]));
    answers::Scene {
        name: scene.name.clone(),
        fade_s: scene.fade_s,
        brightness: scene.brightness,
        looks: scene.look.map(look).into_iter().collect(),
    }
}

impl LampHome {
    /// Takes over what the whole light is to be, within `fade_s`.
    fn dim(&self, power: Power, fade_s: f32, recalled: bool) {
        self.lamp.note(|s| {
            s.memory.power = power;
            s.fade_s = fade_s;
            if recalled {
                s.recalled_us = Some(now_us());
            }
        });
        self.lamp.dim.set(power.level(), fade_s);
        self.lamp.changed.signal(());
    }

    fn whole(&self) -> (Scenes, Power) {
        self.lamp.look(|s| (s.memory.scenes.clone(), s.memory.power))
    }
}

impl Scenery for LampHome {
    fn scenes(&self) -> Result<answers::Scenes, Refusal> {
        let told = Told::now(self.lamp);
        Ok(answers::Scenes { scenes: told.scenes.iter().map(answer_of).collect(), current: told.current() })
    }

    fn set_scene(&self, name: &str, new: &NewScene) -> Result<answers::Scene, Refusal> {
        let (mut scenes, mut power) = self.whole();
        let before = scenes.named(name).map(|(_, scene)| scene.clone());
        let is_picture = new.is_picture(before.is_some());
        let fade_s = before.as_ref().map_or(FADE_S, |scene| scene.fade_s);
        let mut scene = match before {
            Some(before) if !is_picture => before,
            _ => Scene {
                name: name.into(),
                fade_s,
                brightness: Some(power.scene_brightness).filter(|brightness| *brightness < 1.0),
                look: Some(self.lamp.crossing.controls().settings().look()),
            },
        };
        if let Some(looks) = new.looks() {
            if looks.iter().any(|(zone, _)| zone != ZONE) {
                let expected = "a look for the zone \"\", the only one of a lamp";
                return Err(Refusal::InvalidValue { field: "looks", expected });
            }
            scene.look = looks.first().map(|(_, new)| new.look(&[])).transpose()?;
            scene.brightness = None;
        }
        scene.fade_s = new.fade_s()?.unwrap_or(scene.fade_s);
        scene.brightness = new.brightness()?.or(scene.brightness);
        let answer = answer_of(&scene);
        // The same scene again changes nothing, and flash is not written.
        if scenes.named(name).is_none_or(|(_, before)| *before != scene) {
            scenes.set(scene).ok_or(FULL)?;
            self.lamp.note(|s| s.memory.scenes = scenes.clone());
            self.lamp.changed.signal(());
        }
        if is_picture {
            power.scene = scenes.named(name).map(|(slot, _)| slot);
            let fade_s = self.lamp.look(|s| s.fade_s);
            self.dim(power, fade_s, true);
        }
        Ok(answer)
    }

    fn delete_scene(&self, name: &str) -> Result<Deleted, Refusal> {
        let (mut scenes, power) = self.whole();
        let slot = scenes.remove(name).ok_or(Refusal::SceneNotFound)?;
        self.lamp.note(|s| {
            s.memory.scenes = scenes;
            s.memory.power.scene = power.scene.filter(|current| *current != slot);
        });
        self.lamp.changed.signal(());
        Ok(Deleted { deleted: name.into() })
    }

    fn recall_scene(&self, name: &str, recall: &Recall) -> Result<Recalled, Refusal> {
        let (scenes, power) = self.whole();
        let (slot, scene) = scenes.named(name).ok_or(Refusal::SceneNotFound)?;
        let fade_s = recall.fade_s()?.unwrap_or(scene.fade_s);
        if let Some(look) = scene.look {
            self.lamp.crossing.controls().post(Change::fade_to(look, fade_s));
        }
        let scene_brightness = scene.brightness.unwrap_or(1.0);
        self.dim(Power { on: true, scene_brightness, scene: Some(slot), ..power }, fade_s, true);
        Ok(Recalled { scene: name.into(), fade_s, missing: Default::default(), message: None })
    }

    fn power(&self) -> answers::Power {
        Told::now(self.lamp).power
    }

    fn set_power(&self, patch: &PowerPatch) -> Result<answers::Power, Refusal> {
        let (on, brightness, fade_s) = (patch.on()?, patch.brightness()?, patch.fade_s()?);
        let (_, power) = self.whole();
        let power =
            Power { on: on.unwrap_or(power.on), brightness: brightness.unwrap_or(power.brightness), ..power };
        self.dim(power, fade_s.unwrap_or(FADE_S), false);
        Ok(self.power())
    }
}
