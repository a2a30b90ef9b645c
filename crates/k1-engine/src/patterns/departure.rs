use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::light::{Frame, gradient_noise};
use crate::math::{Follower, smoothstep};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "departure",
    name: "Departure",
    description: "Waking up: dark earth at the centre, then gold, white and emerald; a slow dawn that loud music lifts",
    listens: "loudness, gently",
    is_audio_reactive: false,
    own_palette: Some(11),
    knobs: ["How far the dawn reaches", "Depth of the breathing", "How much loudness lifts it"],
};

/// A gradient from the centre that breathes like a sunrise, under mist that drifts outwards.
#[derive(Clone, Debug)]
pub struct Departure {
    clock: f32,
    drift: f32,
    lift: Follower,
}

impl Departure {
    /// All zeros.
    pub(super) const BLANK: Self = Self { clock: 0.0, drift: 0.0, lift: Follower::at(0.0) };
}

impl Default for Departure {
    fn default() -> Self {
        Self { clock: 0.0, drift: 0.0, lift: Follower::at(0.0).rise_s(0.1).fall_s(0.7) }
    }
}

impl Pattern for Departure {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let lift = self.lift.step(ctx.sound.level * ctx.presence, ctx.dt);
        let drift = tick(&mut self.drift, ctx.motion() * (0.2 + 0.8 * lift));
        let swell = breath(clock, 10.0);
        let depth = ctx.param(Param::Custom2);
        // The dawn is a front that moves along the palette. At rest it stops before the white; loud music carries the
        // whole strip through it.
        let reach = 0.75 + 0.5 * ctx.param(Param::Custom1)
            - 0.24 * depth * swell
            - 0.3 * ctx.param(Param::Custom3) * lift;
        let glow = 0.62 + 0.2 * depth * swell + 0.5 * ctx.param(Param::Custom3) * lift;
        frame.by_place(|place| {
            let d = place.distance;
            let mist = gradient_noise(d * 3.1 - drift, clock * 0.20 + place.y * 2.2);
            let ripple = 0.3 * depth * mist * smoothstep(0.0, 0.3, d);
            // The rim dims, so that the strip fades out instead of ending abruptly.
            let rim = 1.0 - 0.35 * smoothstep(0.85, 1.0, d);
            ctx.palette.at(d * reach + ripple) * (glow * rim * (1.0 + 0.7 * depth * mist))
        });
    }
}
