//! Scenes: looks for some or all zones, under a name.

pub use k1_engine::show::{FADE_S, LONGEST_FADE_S};

use crate::Look;

/// Looks that are recalled together.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Its name, which no other scene has.
    pub name: String,
    /// Duration of the fade to it in seconds.
    pub fade_s: f32,
    /// Brightness of all zones, 0 to 1, on top of their looks; `None` is full.
    pub brightness: Option<f32>,
    /// Names of zones and their looks. Other zones keep theirs.
    pub looks: Vec<(String, Look)>,
}

impl Scene {
    /// The look for a zone; `None` if the zone keeps its own.
    pub fn look(&self, zone: &str) -> Option<&Look> {
        self.looks.iter().find(|(name, _)| name == zone).map(|(_, look)| look)
    }
}
