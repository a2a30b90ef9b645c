use super::field::Field;
use super::{Pattern, PatternInfo, RenderContext, tick};
use crate::light::Frame;
use crate::math::{choose, decay, fract, lerp, nearest, reciprocal};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "chase",
    name: "Chase",
    description: "Two comets chase each other along the line; each beat pushes them on, and the middle of each bar turns them round",
    listens: "predicted beats, their place in the bar, loudness",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Length of the tails", "Push of the beat", "Size of the comets"],
};

const COMETS: usize = 2;
/// Way of a comet between two turns, in lines.
const WAY: f32 = 0.6;
/// A longer way within one frame is a jump to another place in the bar, which leaves no trail.
const JUMP: f32 = 0.2;

/// Comets that run to and fro, and their tails.
#[derive(Clone, Debug, Default)]
pub struct Chase {
    field: Field,
    at: f32,
    drift: f32,
    hue: f32,
}

impl Chase {
    /// Way since the bar began, in lines. The bar alone decides it, so that it looks the same at every frame rate.
    fn way(ctx: &RenderContext) -> f32 {
        let (beats, since) = ctx.bar();
        let there = beats.div_ceil(2);
        let place = since as u32;
        let phase = since - place as f32;
        // Quick after the beat, then slower.
        let rest = 1.0 - phase;
        let phase = lerp(phase, 1.0 - rest * rest * rest, ctx.param(Param::Custom2) * ctx.rhythm.trust);
        let turned = place >= there;
        let (steps, all) = if turned { (place - there, beats - there) } else { (place, there) };
        let share = (steps as f32 + phase) * reciprocal(all.max(1) as f32);
        WAY * if turned { 1.0 - share } else { share }
    }
}

impl Pattern for Chase {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let drift = tick(&mut self.drift, ctx.motion());
        self.hue = fract(self.hue + 0.04 * ctx.motion());
        let before = self.at;
        self.at = fract(Self::way(ctx) + drift * (1.0 / 20.0));
        let moved = self.at - before;
        let moved = moved - nearest(moved);
        let keep = decay(Field::STEP, lerp(0.03, 0.30, ctx.param(Param::Custom1)));
        let size = (frame.spacing() * 0.8).max(lerp(0.008, 0.04, ctx.param(Param::Custom3)));
        // In silence, comets are clouds.
        let size = lerp(0.12, size, ctx.presence);
        let level = ctx.sound.level * ctx.presence;
        let beat = ctx.rhythm.beat_envelope(4.0);
        let light = ctx.presence * (0.15 + 0.85 * level) * (1.0 + beat) + 0.5 * ctx.calm();
        let colours: [_; COMETS] =
            core::array::from_fn(|k| ctx.palette.around(self.hue + k as f32 * (0.5 / COMETS as f32)) * light);
        let steps = self.field.steps(ctx.dt);
        let part = if moved.abs() < JUMP { moved * reciprocal(steps.max(1) as f32) } else { 0.0 };
        for step in 0..steps {
            self.field.fade(keep);
            let head = self.at - part * (steps - 1 - step) as f32;
            for (k, colour) in colours.iter().enumerate() {
                let at = fract(head + k as f32 * (1.0 / COMETS as f32));
                self.field.splat(at, size, *colour);
                // What leaves at one end comes in at the other.
                self.field.splat(at + choose(at < 0.5, &[-1.0, 1.0]), size, *colour);
            }
        }
        // On an area, comets are bars that lean.
        let lean = choose(frame.has_area(), &[0.0, 0.3]);
        frame.by_place(|place| self.field.at((place.along + lean * (place.up - 0.5)).clamp(0.0, 1.0)));
    }
}
