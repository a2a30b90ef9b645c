use super::{Pattern, PatternInfo, RenderContext, tick};
use crate::light::{Frame, gradient_noise};
use crate::math::{choose, decay, lerp, sin_turns};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "perlin",
    name: "Perlin",
    description: "Slow clouds of palette colour; loud music pushes the weather along",
    listens: "loudness, as wind",
    is_audio_reactive: false,
    own_palette: None,
    knobs: ["Size of the clouds", "Depth of the shadows", "Strength of the wind"],
};

/// Two layers of gradient noise: one for hue, one for light.
#[derive(Clone, Debug, Default)]
pub struct Perlin {
    clock: f32,
    weather: f32,
    wind: f32,
}

impl Pattern for Perlin {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let level = ctx.sound.level * ctx.presence;
        // Loudness pushes, and momentum carries on.
        let push = level * level * level * 2.4 * ctx.param(Param::Custom3);
        let keep = decay(ctx.dt, 0.9);
        self.wind = push + (self.wind - push) * keep;
        let weather = tick(&mut self.weather, ctx.motion() * (0.30 + 0.3 * level + self.wind));
        // An area is twice as wide as a half line.
        let breadth = choose(frame.has_area(), &[1.0, 0.5]);
        let scale = lerp(4.4, 1.2, ctx.param(Param::Custom1)) * breadth;
        let shadow = ctx.param(Param::Custom2);
        let sway = 0.35 * sin_turns(clock / 24.0);
        let lift = 0.55 + 0.45 * level;
        frame.by_place(|place| {
            let (x, y) = (place.x * scale, place.y * scale);
            let hue = 0.5 + 0.75 * gradient_noise(x * 0.6 + sway, weather * 0.55 + 90.0 + y * 0.6);
            let cloud = gradient_noise(x + sway * 1.7, weather + y)
                + 0.4 * gradient_noise(x * 2.3, 7.0 - weather * 1.3 + y * 2.3);
            let light = (0.5 + 0.75 * cloud).clamp(0.0, 1.0);
            let light = lerp(light, light * light * light, shadow);
            ctx.palette.at(hue) * (light * lift + 0.01)
        });
    }
}
