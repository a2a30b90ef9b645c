//! What a show means for the running program: plans of zones and lights.

use std::sync::{Mutex, PoisonError};

use k1_device::exchange::Settings;
use k1_engine::light::{OutputSettings, Palette, Point, Points, Shape};
use k1_host::output::Spared;
use k1_show::map::map;
use k1_show::{OwnPalette, Show};

use super::target;
use crate::runtime::{LightPlan, ZonePlan};
use crate::sink::{self, LightConfig, Strip};

/// What the command line adds to a show.
#[derive(Clone)]
pub struct Rest {
    /// Settings of a zone that no file describes, and the gain.
    pub settings: Settings,
    /// Number of LEDs if the show has no zone.
    pub leds: usize,
    /// Shape if the show has no zone.
    pub shape: Shape<'static>,
    /// Settings of the output stage if the show has no limit.
    pub output: OutputSettings,
    /// Lights that show the first zone.
    pub targets: Vec<LightConfig>,
    /// Files that no light may write over.
    pub spared: Spared,
}

/// A list that stays for ever, because shapes only point to theirs; the same list is kept once.
fn kept(list: &[Point]) -> &'static [Point] {
    static KEPT: Mutex<Vec<&'static [Point]>> = Mutex::new(Vec::new());
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = all.iter().find(|same| **same == list) {
        return same;
    }
    let new: &'static [Point] = Box::leak(list.into());
    all.push(new);
    new
}

/// The user's own palettes for the renderers, which stay for ever as points do.
fn palettes(own: &[OwnPalette]) -> &'static [Palette] {
    static KEPT: Mutex<Vec<&'static [Palette]>> = Mutex::new(Vec::new());
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_same = |kept: &&&'static [Palette]| {
        let same = |(kept, own): (&Palette, &OwnPalette)| kept.name == own.name && *kept.stops == own.oklch();
        kept.len() == own.len() && kept.iter().zip(own).all(same)
    };
    if let Some(same) = all.iter().find(is_same) {
        return same;
    }
    let palette = |own: &OwnPalette| Palette {
        name: own.name.clone().leak(),
        about: "a palette of the show",
        stops: own.oklch().leak(),
    };
    let new: &'static [Palette] = own.iter().map(palette).collect::<Vec<_>>().leak();
    all.push(new);
    new
}

/// The zones and lights of a show, and lights of the command line, which show the first zone.
pub fn plans(show: &Show, rest: &Rest) -> (Vec<ZonePlan>, Vec<LightPlan>) {
    let output = match show.max_ma {
        Some(ma) => OutputSettings { limit_ma: (ma > 0).then_some(ma as f32) },
        None => rest.output,
    };
    let gain = show.gain.unwrap_or(rest.settings.gain);
    let palettes = palettes(&show.palettes);
    let mut zones: Vec<_> = show
        .zones
        .iter()
        .map(|zone| ZonePlan {
            name: zone.name.clone(),
            leds: zone.pixels(),
            shape: zone.points.as_deref().map_or(zone.shape, |list| Shape::Points(Points::new(kept(list)))),
            settings: Settings { params: zone.look.params, pattern: zone.look.pattern, gain },
            output,
            palettes,
        })
        .collect();
    if zones.is_empty() {
        let settings = Settings { gain, ..rest.settings };
        let (leds, shape) = (rest.leds, rest.shape);
        zones.push(ZonePlan { name: String::new(), leds, shape, settings, output, palettes });
    }
    let mut lights = Vec::new();
    for (light, cells) in show.lights.iter().zip(map(show)) {
        let (name, spared) = (light.name.clone(), rest.spared.clone());
        // Every light of a show that was read has a valid target.
        let Ok(config) = target(light) else { continue };
        // The show's limit is that of each zone; a light has one only if it says so.
        let strip = Strip { leds: light.leds, limit_ma: None };
        lights.push(LightPlan {
            key: format!("{config:?}\n{}", light.leds),
            open: Box::new(move || {
                sink::open(&config, strip, &spared).map_err(|why| format!("the light {name}: {why}"))
            }),
            cells,
        });
    }
    let leds = zones[0].leds;
    let strip = Strip { leds, limit_ma: output.limit_ma };
    for config in &rest.targets {
        let (config, spared) = (config.clone(), rest.spared.clone());
        let key = format!("\n{config:?}\n{leds}");
        lights.push(LightPlan::whole(key, leds, move || sink::open(&config, strip, &spared)));
    }
    (zones, lights)
}
