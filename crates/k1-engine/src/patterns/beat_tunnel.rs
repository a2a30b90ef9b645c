use super::field::Field;
use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::audio::{CANDIDATES, candidate_bpm};
use crate::light::{Frame, Rgb};
use crate::math::{decay, fract, lerp, sin_turns};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "beat_tunnel",
    name: "Beat Tunnel",
    description: "A flight through beats: each tempo throws sparks at its own rate, and their trails sway and stream towards the ends",
    listens: "32 tempo candidates and their phases, the beat",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Length of the trails", "Sway", "Flash of the beat"],
};

/// Sparks and their trails.
#[derive(Clone, Debug, Default)]
pub struct BeatTunnel {
    field: Field,
    angle: f32,
    hue: f32,
    clock: f32,
}

impl Pattern for BeatTunnel {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let speed = crate::math::sqrt(ctx.params.speed_factor());
        let trail = lerp(0.12, 0.75, ctx.param(Param::Custom1));
        let keep = decay(Field::STEP, trail);
        let sway = ctx.param(Param::Custom2) * 0.5;
        let spacing = frame.spacing();
        for _ in 0..self.field.steps(ctx.dt) {
            self.angle = fract(self.angle + 0.11 * speed * Field::STEP);
            self.hue = fract(self.hue + 0.04 * speed * Field::STEP);
            // The tunnel streams outwards; the sway lets it hang back and rush.
            let drift = (0.34 + sway * sin_turns(self.angle)) * speed;
            self.field.stream(drift * Field::STEP, keep);
        }
        // Sparks raise the light to their own instead of adding to it, so that the frame rate does not matter.
        for k in 0..CANDIDATES {
            let strength = ctx.sound.tempi[k];
            let strength = strength * strength * strength * ctx.presence;
            if strength < 0.02 {
                continue;
            }
            let phase = fract(ctx.sound.tempo_phases[k] + candidate_rate(k) * ctx.age);
            // Lit for the first tenth of a beat.
            let near = 1.0 - phase * 10.0;
            if near > 0.0 {
                let at = (k as f32 + 0.5) / CANDIDATES as f32;
                let colour = ctx.palette.around(0.8 * at + self.hue) * (2.0 * strength * near);
                self.field.splat(at, (0.011_f32).max(spacing * 0.6), colour);
            }
        }
        let flash = ctx.rhythm.beat_envelope(7.0) * ctx.presence * ctx.param(Param::Custom3) * 1.6;
        if flash > 0.01 {
            self.field.splat(0.0, 0.05, ctx.palette.around(self.hue) * flash);
        }
        let calm = ctx.calm() * 0.5;
        if calm > 0.0 {
            let at = breath(clock, 9.0) * 0.9;
            self.field.splat(at, 0.05, ctx.palette.at(at) * calm);
        }
        frame.by_distance(|d| {
            let near_end = 1.0 - 0.5 * d * d;
            let light: Rgb = self.field.at(d);
            light * near_end
        });
    }
}

/// Tempo of candidate `k` in beats per second.
fn candidate_rate(k: usize) -> f32 {
    const BASE: f32 = 50.0 / 60.0;
    debug_assert!((candidate_bpm(0) / 60.0 - BASE).abs() < 1e-6);
    BASE * crate::math::exp2(2.0 * k as f32 / (CANDIDATES - 1) as f32)
}
