use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::light::{Frame, Rgb, gradient_noise, hash};
use crate::math::{Follower, choose, lerp, smoothstep};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "twilight",
    name: "Twilight",
    description: "Amber heart, purple air, midnight rim; the evening deepens and returns, cymbals light the first stars",
    listens: "high onsets, gently",
    is_audio_reactive: false,
    own_palette: Some(32),
    knobs: ["How late it is", "Drift of the air", "Stars"],
};

const STARS: usize = 14;

/// A gradient from the centre that wanders between early and late evening, with stars.
#[derive(Clone, Debug)]
pub struct Twilight {
    clock: f32,
    sparkle: [f32; STARS],
    next: u32,
    armed: bool,
    glow: Follower,
}

impl Default for Twilight {
    fn default() -> Self {
        Self {
            clock: 0.0,
            sparkle: [0.0; STARS],
            next: 0,
            armed: true,
            glow: Follower::at(0.0).rise_s(0.2).fall_s(1.5),
        }
    }
}

/// Distance of a star from the centre: towards the dark rim, and always the same.
fn star_distance(star: usize) -> f32 {
    lerp(0.38, 0.99, hash(star as u32 + 11) as f32 / u32::MAX as f32)
}

/// Place of a star on an area.
fn star_point(star: usize) -> (f32, f32) {
    let side = |seed: u32| lerp(-0.95, 0.95, hash(seed) as f32 * (1.0 / u32::MAX as f32));
    (side(star as u32 + 29), side(star as u32 + 47))
}

impl Pattern for Twilight {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let high = ctx.sound.onset_bands[2] * ctx.presence;
        // One star per stroke: wait until the band has fallen again.
        if self.armed && high > 0.35 {
            self.armed = false;
            self.next = self.next.wrapping_add(1);
            self.sparkle[hash(self.next) as usize % STARS] = high;
        } else if high < 0.2 {
            self.armed = true;
        }
        let fade = crate::math::decay(ctx.dt, 0.35);
        self.sparkle.iter_mut().for_each(|s| *s *= fade);
        let glow = self.glow.step(ctx.sound.level * ctx.presence, ctx.dt);

        let late = 0.72 + 0.7 * ctx.param(Param::Custom1) + 0.12 * breath(clock, 20.0) - 0.16 * glow;
        let drift = 0.18 * ctx.param(Param::Custom2);
        let stars = ctx.param(Param::Custom3) * 2.0;
        let is_area = frame.has_area();
        // A star on an area is one LED, which is three spacings of distance wide.
        let spacing = frame.spacing() * choose(is_area, &[1.0, 3.0]);
        let stars: [(f32, f32, f32); STARS] = core::array::from_fn(|star| {
            let (x, y) = if is_area { star_point(star) } else { (star_distance(star), 0.0) };
            (x, y, self.sparkle[star] * self.sparkle[star] * stars)
        });
        let closeness = 1.0 / spacing;
        frame.by_place(|place| {
            let d = place.distance;
            let air = gradient_noise(place.x * 2.4, clock * 0.10 + place.y * 2.4);
            let x = d * late + drift * air * smoothstep(0.0, 0.4, d);
            let mut light = ctx.palette.at(x) * (0.62 + 0.35 * glow);
            for (star, height, strength) in &stars {
                let off = if place.on_area {
                    (place.x - star).abs().max((place.y - height).abs())
                } else {
                    (d - star).abs()
                };
                if off < spacing {
                    light += Rgb::new(0.8, 0.85, 1.0) * ((1.0 - off * closeness).max(0.0) * strength);
                }
            }
            light
        });
    }
}
