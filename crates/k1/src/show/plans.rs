//! What a show means for the running program: plans of zones and lights.

use k1_device::exchange::Settings;
use k1_engine::light::{OutputSettings, Shape};
use k1_host::output::Spared;
use k1_show::Show;
use k1_show::map::map;

use super::target;
use crate::runtime::{LightPlan, ZonePlan};
use crate::sink::{self, Target};

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
    pub targets: Vec<Target>,
    /// Files that no light may write over.
    pub spared: Spared,
}

/// The zones and lights of a show, and lights of the command line, which show the first zone.
pub fn plans(show: &Show, rest: &Rest) -> (Vec<ZonePlan>, Vec<LightPlan>) {
    let output = match show.max_ma {
        Some(ma) => OutputSettings { limit_ma: (ma > 0).then_some(ma as f32) },
        None => rest.output,
    };
    let gain = show.gain.unwrap_or(rest.settings.gain);
    let mut zones: Vec<_> = show
        .zones
        .iter()
        .map(|zone| ZonePlan {
            name: zone.name.clone(),
            leds: zone.pixels(),
            shape: zone.shape,
            settings: Settings { params: zone.look.params, pattern: zone.look.pattern, gain },
            output,
        })
        .collect();
    if zones.is_empty() {
        let settings = Settings { gain, ..rest.settings };
        zones.push(ZonePlan { name: String::new(), leds: rest.leds, shape: rest.shape, settings, output });
    }
    let mut lights = Vec::new();
    for (light, cells) in show.lights.iter().zip(map(show)) {
        let (name, leds, spared) = (light.name.clone(), light.leds, rest.spared.clone());
        // Every light of a show that was read has a valid target.
        let Ok(target) = target(light) else { continue };
        lights.push(LightPlan {
            key: format!("{name}\n{target}\n{}", light.leds),
            open: Box::new(move || {
                sink::open(&target, Some(&name), leds, &spared)
                    .map_err(|why| format!("the light {name}: {why}"))
            }),
            cells,
        });
    }
    let leds = zones[0].leds;
    for target in &rest.targets {
        let (target, spared) = (target.clone(), rest.spared.clone());
        let key = format!("\n{target}\n{leds}");
        lights.push(LightPlan::whole(key, leds, move || sink::open(&target, None, leds, &spared)));
    }
    (zones, lights)
}
