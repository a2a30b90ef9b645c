use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::light::Frame;
use crate::math::{Follower, bell, lerp, smoothstep, turns_of};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "analog",
    name: "Analog",
    description: "A pair of meter needles: two soft dots that leave the centre as far as the music is loud, and a slower peak mark",
    listens: "loudness",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Trail from the centre", "Inertia of the needle", "Peak mark"],
};

/// A needle with inertia.
#[derive(Clone, Debug)]
pub struct Analog {
    needle: f32,
    before: f32,
    peak: f32,
    hold: f32,
    clock: f32,
}

impl Default for Analog {
    fn default() -> Self {
        Self { needle: 0.0, before: 0.0, peak: 0.0, hold: 0.0, clock: 0.0 }
    }
}

impl Pattern for Analog {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let rest = 0.06 + 0.10 * breath(clock, 9.0);
        let target = lerp(rest, 0.05 + 0.95 * crate::math::pow(ctx.sound.level, 1.6), ctx.presence);
        // Quick up and slower down, like the damped coil of a real meter.
        let inertia =
            lerp(0.015, 0.30, ctx.param(Param::Custom2)) / crate::math::sqrt(ctx.params.speed_factor());
        let mut coil = Follower::at(self.needle).rise_s(inertia * 0.12).fall_s(inertia);
        self.before = self.needle;
        self.needle = coil.step(target, ctx.dt);
        if self.needle >= self.peak {
            self.peak = self.needle;
            self.hold = 0.6;
        } else if self.hold > 0.0 {
            self.hold -= ctx.dt;
        } else {
            self.peak = (self.peak - 0.35 * ctx.dt).max(self.needle);
        }
        let width = (2.5 * frame.spacing()).max(0.012);
        let (low, high) = (self.before.min(self.needle), self.before.max(self.needle));
        let trail = ctx.param(Param::Custom1);
        let mark = ctx.param(Param::Custom3) * 0.9 * smoothstep(0.01, 0.05, self.peak - self.needle);
        let strength = lerp(ctx.param(Param::Background) * 0.9, 1.0, ctx.presence);
        let colour = ctx.palette.at(self.needle);
        let behind_slope = 0.8 / self.needle.max(0.05);
        frame.by_place(|place| {
            // On an area, both needles turn about the middle of its lower edge.
            let angle = if place.on_area { turns_of(place.y + 1.0, place.x) } else { 0.0 };
            let d = if place.on_area { 6.0 * angle.min(1.0 - angle) } else { place.distance };
            // Motion blur: a line from the needle's last position to the present one.
            let off = if d < low {
                low - d
            } else if d > high {
                d - high
            } else {
                0.0
            };
            let dot = bell(off, width);
            let behind = if d < self.needle { trail * 0.3 * (0.1 + d * behind_slope) } else { 0.0 };
            let light = colour * dot + ctx.palette.at(d) * (behind * (1.0 - dot));
            (light + ctx.palette.at(self.peak) * (mark * bell(d - self.peak, width * 0.6))) * strength
        });
    }
}
