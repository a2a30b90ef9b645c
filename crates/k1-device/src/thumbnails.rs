//! Small moving pictures of every pattern, for the pages that want them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use k1_engine::audio::Snapshot;
use k1_engine::light::{OutputSettings, Palette};
use k1_engine::params::Params;
use k1_engine::patterns::PATTERNS;
use k1_engine::show::Show;

use crate::live::kind;

/// Number of LEDs in a thumbnail.
const LEDS: usize = 48;
/// Time between two pictures, in µs.
pub const THUMBNAIL_US: u64 = 50_000;

/// A small strip for each pattern, driven by the same sound as the light.
pub struct Thumbnails(Vec<Box<Show<LEDS>>>);

impl Default for Thumbnails {
    fn default() -> Self {
        let strip = |index| {
            let mut show = Box::new(Show::new(LEDS, OutputSettings { limit_ma: None }));
            show.cut_to(index);
            show
        };
        Self((0..PATTERNS.len()).map(strip).collect())
    }
}

impl Thumbnails {
    /// Replaces the user's own palettes.
    pub fn set_own_palettes(&mut self, own: &'static [Palette]) {
        self.0.iter_mut().for_each(|show| show.set_own_palettes(own));
    }

    /// A message of kind 3: number of patterns (u8), LEDs of each (u16), then their pixels in sRGB.
    pub fn render(&mut self, now_us: u64, sound: &Snapshot, params: Params) -> Vec<u8> {
        let mut m = Vec::with_capacity(4 + self.0.len() * LEDS * 3);
        m.extend([kind::THUMBNAILS, self.0.len() as u8]);
        m.extend((LEDS as u16).to_le_bytes());
        let mut pixels = [[0; 3]; LEDS];
        for show in &mut self.0 {
            show.set_params(params);
            show.render(now_us, sound);
            show.output.screen(&mut pixels);
            m.extend_from_slice(pixels.as_flattened());
        }
        m
    }
}
