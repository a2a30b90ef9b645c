//! The scenes of a lamp, and its light as a whole.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use k1_engine::show::Look;
use serde::{Deserialize, Serialize};

/// Most scenes of a lamp. Each has a record of its own in flash.
pub const MOST_SCENES: usize = 8;

/// A look under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Its name of at most 64 bytes, which no other scene has.
    pub name: String,
    /// Duration of the fade to it in seconds.
    pub fade_s: f32,
    /// Brightness, 0 to 1, on top of its look; `None` is full.
    pub brightness: Option<f32>,
    /// Its look; `None` keeps the look that is shown.
    pub look: Option<Look>,
}

/// The scenes of a lamp, each in a slot. A clone shares their memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenes(Option<Arc<Vec<(u8, Scene)>>>);

impl Scenes {
    /// No scenes.
    pub const fn new() -> Self {
        Self(None)
    }

    fn slots(&self) -> &[(u8, Scene)] {
        self.0.as_ref().map_or(&[], |all| all)
    }

    /// The scenes in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Scene> {
        self.slots().iter().map(|(_, scene)| scene)
    }

    /// The scene in a slot.
    pub fn at(&self, slot: u8) -> Option<&Scene> {
        self.slots().iter().find(|(s, _)| *s == slot).map(|(_, scene)| scene)
    }

    /// The scene of a name and its slot.
    pub fn named(&self, name: &str) -> Option<(u8, &Scene)> {
        self.slots().iter().find(|(_, scene)| scene.name == name).map(|(slot, scene)| (*slot, scene))
    }

    /// Puts a scene in the place of that of its name, or into the first empty slot. Returns the slot; `None` if all are
    /// full.
    pub fn set(&mut self, scene: Scene) -> Option<u8> {
        let known = self.named(&scene.name).map(|(slot, _)| slot);
        let slot = known.or_else(|| (0..MOST_SCENES as u8).find(|slot| self.at(*slot).is_none()))?;
        self.put(slot, Some(scene));
        Some(slot)
    }

    /// Removes the scene of a name. Returns its slot; `None` if there is none.
    pub fn remove(&mut self, name: &str) -> Option<u8> {
        let slot = self.named(name)?.0;
        self.put(slot, None);
        Some(slot)
    }

    /// Puts a scene into a slot, or empties it.
    pub(super) fn put(&mut self, slot: u8, scene: Option<Scene>) {
        let all = Arc::make_mut(self.0.get_or_insert_default());
        all.retain(|(s, _)| *s != slot);
        let at = all.partition_point(|(s, _)| *s < slot);
        if let Some(scene) = scene {
            all.insert(at, (slot, scene));
        }
        if all.is_empty() {
            self.0 = None;
        }
    }

    /// True if both share their memory, so that nothing has changed since one was cloned from the other.
    pub fn are_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// On, off, and how bright, on top of the look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// False if the light is off.
    pub on: bool,
    /// Brightness of everything, 0 to 1.
    pub brightness: f32,
    /// Brightness of the scene that was recalled last, 0 to 1.
    pub scene_brightness: f32,
    /// Slot of the scene that was recalled last.
    pub scene: Option<u8>,
}

impl Default for Power {
    fn default() -> Self {
        Self::new()
    }
}

impl Power {
    /// Full brightness, without a scene.
    pub const fn new() -> Self {
        Self { on: true, brightness: 1.0, scene_brightness: 1.0, scene: None }
    }

    /// The brightness of everything, as the eye sees it.
    pub fn level(&self) -> f32 {
        if self.on { self.brightness * self.scene_brightness } else { 0.0 }
    }

    /// The same with every value from flash brought into its range.
    pub(super) fn mended(self) -> Self {
        let mended = |x: f32| if x.is_nan() { 1.0 } else { x.clamp(0.0, 1.0) };
        let (brightness, scene_brightness) = (mended(self.brightness), mended(self.scene_brightness));
        Self { brightness, scene_brightness, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(name: &str) -> Scene {
        Scene { name: name.into(), fade_s: 1.0, brightness: None, look: None }
    }

    #[test]
    fn a_scene_keeps_its_slot_and_a_new_one_takes_the_first_empty_one() {
        let mut scenes = Scenes::new();
        for (slot, name) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
            assert_eq!(scenes.set(scene(name)), Some(slot as u8));
        }
        let full = scenes.clone();
        assert_eq!(scenes.set(scene("i")), None);
        assert!(scenes.are_same(&full), "nothing has changed");
        assert_eq!(scenes.set(Scene { fade_s: 2.0, ..scene("d") }), Some(3));
        assert_eq!((scenes.at(3).unwrap().fade_s, full.at(3).unwrap().fade_s), (2.0, 1.0));
        assert!(!scenes.are_same(&full));
        assert_eq!((scenes.remove("b"), scenes.remove("b")), (Some(1), None));
        assert_eq!(scenes.set(scene("i")), Some(1));
        assert_eq!(
            scenes.iter().map(|s| &*s.name).collect::<Vec<_>>(),
            ["a", "i", "c", "d", "e", "f", "g", "h"]
        );
        full.iter().for_each(|s| _ = scenes.remove(&s.name));
        scenes.remove("i");
        assert_eq!(scenes, Scenes::new());
    }

    #[test]
    fn the_whole_light_is_as_bright_as_hand_and_scene_together_say() {
        let power = Power { brightness: 0.5, scene_brightness: 0.5, ..Power::new() };
        assert_eq!((power.level(), Power { on: false, ..power }.level()), (0.25, 0.0));
        let broken = Power { brightness: f32::NAN, scene_brightness: 9.0, ..power }.mended();
        assert_eq!(broken.level(), 1.0);
    }
}
