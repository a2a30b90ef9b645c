use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::light::{Frame, gradient_noise};
use crate::math::Follower;
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "lava",
    name: "Lava",
    description: "Molten rock: black at the centre, glowing red and orange, white heat at the rim; bass makes it surge",
    listens: "low onsets, gently",
    is_audio_reactive: false,
    own_palette: Some(23),
    knobs: ["Heat", "How much it churns", "How much the bass moves it"],
};

/// A heat gradient from the centre, stirred by slow noise.
#[derive(Clone, Debug)]
pub struct Lava {
    clock: f32,
    flow: f32,
    surge: Follower,
}

impl Default for Lava {
    fn default() -> Self {
        Self { clock: 0.0, flow: 0.0, surge: Follower::at(0.0).rise_s(0.02).fall_s(0.45) }
    }
}

impl Pattern for Lava {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let bass = ctx.sound.onset_bands[0] * ctx.presence * ctx.param(Param::Custom3) * 2.0;
        let surge = self.surge.step(bass, ctx.dt);
        let flow =
            tick(&mut self.flow, ctx.motion() * (0.20 + 0.25 * ctx.sound.level * ctx.presence + 0.8 * surge));
        let heat = 0.56 + 0.34 * ctx.param(Param::Custom1) + 0.06 * breath(clock, 9.0) + 0.16 * surge;
        let churn = 0.85 * ctx.param(Param::Custom2);
        frame.by_place(|place| {
            let d = place.distance;
            // Two layers that drift outwards at different rates: blobs that merge and part.
            let blobs = 0.65 * gradient_noise(d * 3.2 - flow * 2.0, clock * 0.25 + place.y * 2.6)
                + 0.35 * gradient_noise(place.x * 7.5 - flow * 3.5, 40.0 - clock * 0.35 + place.y * 6.0);
            let x = (d * 0.92 + 0.06) * heat + churn * blobs * (0.35 + 0.65 * d);
            ctx.palette.at(x) * (0.85 + 0.5 * surge + 0.5 * blobs)
        });
    }
}
