//! A zone with a renderer as large as its pixels need.

use std::sync::Arc;

use k1_device::exchange::SLOTS;
use k1_device::frame::{self, Zones};
use k1_engine::audio::Snapshot;
use k1_engine::light::{OutputSettings, Palette, Rgb, Shape};
use k1_engine::show::Show;
use k1_handoff::Mailbox;

use super::{Owner, SettingsRing};
use crate::MAX_LEDS;

/// Number of pixels for which a small renderer has room. It takes 32 kB of memory, a large one 200 kB.
const FEW: usize = 512;

/// A zone whose renderer has room for `N` pixels.
type Of<const N: usize> = frame::Zone<Box<Show<N>>, Arc<Mailbox<SLOTS>>, Arc<SettingsRing>>;

/// A renderer without a zone.
pub enum Renderer {
    /// For few pixels.
    Small(Box<Show<FEW>>),
    /// For any number of pixels.
    Large(Box<Show<MAX_LEDS>>),
}

/// A zone as the program has it.
pub enum Zone {
    /// With few pixels.
    Small(Of<FEW>),
    /// With any number of pixels.
    Large(Of<MAX_LEDS>),
}

impl Renderer {
    /// A renderer for `leds` pixels, not started.
    pub fn sized(leds: usize) -> Self {
        if leds <= FEW { Self::Small(Box::new(Show::BLANK)) } else { Self::Large(Box::new(Show::BLANK)) }
    }

    /// A renderer for `leds` pixels, if one for `before` pixels has another size.
    pub fn resized(before: usize, leds: usize) -> Option<Self> {
        ((before <= FEW) != (leds <= FEW)).then(|| Self::sized(leds))
    }
}

impl Zone {
    /// A new zone.
    pub fn new(leds: usize, shape: Shape<'static>, output: OutputSettings, owner: Owner) -> Self {
        match Renderer::sized(leds) {
            Renderer::Small(mut show) => {
                show.start(leds, output);
                Self::Small(Of::new(show, owner).on(shape))
            }
            Renderer::Large(mut show) => {
                show.start(leds, output);
                Self::Large(Of::new(show, owner).on(shape))
            }
        }
    }

    /// Begins again with another number of pixels, another shape or other output settings.
    pub fn restart(&mut self, leds: usize, shape: Shape<'static>, output: OutputSettings) {
        match self {
            Self::Small(zone) => zone.restart(leds, shape, output),
            Self::Large(zone) => zone.restart(leds, shape, output),
        }
    }

    /// Replaces the user's own palettes.
    pub fn set_own_palettes(&mut self, own: &'static [Palette]) {
        match self {
            Self::Small(zone) => zone.set_own_palettes(own),
            Self::Large(zone) => zone.set_own_palettes(own),
        }
    }

    /// The zone with another renderer, which has to be [restarted](Self::restart), and the renderer that it had.
    pub fn with_renderer(self, renderer: Renderer) -> (Self, Renderer) {
        match (self, renderer) {
            (Self::Small(zone), Renderer::Small(show)) => {
                let (zone, before) = zone.with_show(show);
                (Self::Small(zone), Renderer::Small(before))
            }
            (Self::Small(zone), Renderer::Large(show)) => {
                let (zone, before) = zone.with_show(show);
                (Self::Large(zone), Renderer::Small(before))
            }
            (Self::Large(zone), Renderer::Small(show)) => {
                let (zone, before) = zone.with_show(show);
                (Self::Small(zone), Renderer::Large(before))
            }
            (Self::Large(zone), Renderer::Large(show)) => {
                let (zone, before) = zone.with_show(show);
                (Self::Large(zone), Renderer::Large(before))
            }
        }
    }

    /// Multiplies the light of the frame that was rendered last by a dimmer's factor.
    pub fn dim(&mut self, factor: f32) {
        match self {
            Self::Small(zone) => zone.dim(factor),
            Self::Large(zone) => zone.dim(factor),
        }
    }

    /// Linear light of the frame that was rendered last, and whether a wire is to be dithered.
    pub fn light(&self, out: &mut [Rgb]) -> bool {
        match self {
            Self::Small(zone) => zone.picture().light(out),
            Self::Large(zone) => zone.picture().light(out),
        }
    }
}

impl Zones for Zone {
    fn update(&mut self) -> bool {
        match self {
            Self::Small(zone) => zone.update(),
            Self::Large(zone) => zone.update(),
        }
    }

    fn render(&mut self, began_us: u64, sound: &Snapshot) {
        match self {
            Self::Small(zone) => zone.render(began_us, sound),
            Self::Large(zone) => zone.render(began_us, sound),
        }
    }
}

#[cfg(test)]
mod tests {
    use k1_device::exchange::Settings;

    use super::*;

    const OUTPUT: OutputSettings = OutputSettings { limit_ma: None };

    fn zone(leds: usize) -> Zone {
        let (_, owner) = Mailbox::channel();
        let (writer, _) = SettingsRing::channel();
        Zone::new(leds, Shape::Mirrored, OUTPUT, Owner::new(owner, writer, Settings::default()))
    }

    /// The light of 50 frames.
    fn frames(zone: &mut Zone, leds: usize) -> Vec<Rgb> {
        let mut light = vec![Rgb::BLACK; leds];
        let mut all = Vec::new();
        for frame in 1..=50 {
            zone.render(frame * 16_667, &Snapshot::EMPTY);
            zone.light(&mut light);
            all.extend(&light);
        }
        all
    }

    #[test]
    fn a_zone_that_gets_another_renderer_shows_what_a_new_one_shows() {
        let mut grown = zone(FEW);
        frames(&mut grown, FEW);
        let mut before = FEW;
        for leds in [FEW + 1, 4_000, 7, FEW] {
            let renderer = Renderer::resized(before, leds);
            let is_other = renderer.is_some();
            if let Some(renderer) = renderer {
                grown = grown.with_renderer(renderer).0;
            }
            assert_eq!(matches!(grown, Zone::Small(_)), leds <= FEW);
            grown.restart(leds, Shape::Mirrored, OUTPUT);
            let light = frames(&mut grown, leds);
            assert!(!is_other || light == frames(&mut zone(leds), leds), "{leds} pixels");
            assert!(light.iter().any(|pixel| pixel.r + pixel.g + pixel.b > 0.0), "{leds} pixels are dark");
            before = leds;
        }
    }
}
