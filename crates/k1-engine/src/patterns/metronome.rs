use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::audio::{CANDIDATES, candidate_bpm};
use crate::light::{Frame, Rgb};
use crate::math::{bell, fract, lerp, sin_turns, sqrt};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "metronome",
    name: "Metronome",
    description: "Pendulums, one per tempo: each swings out from the centre and returns exactly on its beat, as wide as the tempo is strong in the music",
    listens: "32 tempo candidates and their phases, the predicted beat",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How many pendulums show", "Size of the bobs", "Leading pendulum on the beat"],
};

/// Pendulums about the centre.
#[derive(Clone, Debug)]
pub struct Metronome {
    clock: f32,
    rate: [f32; CANDIDATES],
}

impl Default for Metronome {
    fn default() -> Self {
        Self { clock: 0.0, rate: core::array::from_fn(|k| candidate_bpm(k) / 60.0) }
    }
}

impl Pattern for Metronome {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let mut bobs = [(0.0_f32, 0.0_f32, Rgb::BLACK, 0.0_f32); CANDIDATES + 1];
        let sharp = lerp(5.0, 1.6, ctx.param(Param::Custom1));
        let weights: [f32; CANDIDATES] =
            core::array::from_fn(|k| crate::math::pow(ctx.sound.tempi[k], sharp));
        let share = 1.0 / weights.iter().sum::<f32>().max(0.5);
        let mut shown = 0;
        for (k, weight) in weights.iter().enumerate() {
            let w = weight * share;
            if w < 0.012 {
                continue;
            }
            let phase = fract(ctx.sound.tempo_phases[k] + self.rate[k] * ctx.age);
            let reach = sqrt(w).min(0.95);
            // A swing takes one beat: out and back to the centre.
            let at = reach * sin_turns(0.5 * phase);
            let row = k as f32 * (1.0 / (CANDIDATES - 1) as f32);
            bobs[shown] = (at, (2.2 * w).min(0.8) * ctx.presence, ctx.palette.at(row), 0.12 + 0.88 * row);
            shown += 1;
        }
        // The pendulum of the tracked beat leads, wide and bright.
        let lead = ctx.rhythm.trust * ctx.presence * ctx.param(Param::Custom3) * 2.0;
        if lead > 0.02 {
            let at = 0.92 * sin_turns(0.5 * ctx.rhythm.phase);
            bobs[shown] = (at, lead.min(1.0), ctx.palette.at(0.15 + 0.1 * ctx.rhythm.place as f32), 0.03);
            shown += 1;
        }
        let width = (frame.spacing() * 1.5).max(lerp(0.010, 0.035, ctx.param(Param::Custom2)));
        let tick_light = ctx.rhythm.beat_envelope(8.0) * ctx.presence;
        let calm = ctx.calm() * 0.8;
        let slow = 0.5 * breath(clock, 6.0);
        frame.by_place(|place| {
            // On an area, each pendulum swings in a row of its own.
            let d = if place.on_area { place.x.abs() } else { place.distance };
            let mut light = Rgb::BLACK;
            for (at, opacity, colour, row) in &bobs[..shown] {
                let near = (d - at).abs();
                if near < 3.0 * width {
                    let in_row = if place.on_area { bell(place.up - row, 0.09) } else { 1.0 };
                    light += *colour * (opacity * bell(near, width) * in_row);
                }
            }
            let home = ctx.palette.at(0.1) * (tick_light * bell(d, 0.03));
            light + home + ctx.palette.at(slow) * (calm * bell(d - slow, 0.04))
        });
    }
}
