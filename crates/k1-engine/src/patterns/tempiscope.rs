use super::{Pattern, PatternInfo, RenderContext, breath, lit, tick};
use crate::audio::{CANDIDATES, candidate_bpm};
use crate::light::Frame;
use crate::math::{fract, lerp, pow};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "tempiscope",
    name: "Tempiscope",
    description: "Every tempo from 50 BPM at the centre to 200 at the ends, each blinking at its own rate, as bright as it is strong in the music",
    listens: "32 tempo candidates and their phases",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How much weak tempi show", "Sharpness of the blink", "Beat at the centre"],
};

/// A scope of candidate tempi.
#[derive(Clone, Debug)]
pub struct Tempiscope {
    clock: f32,
    /// Rate of each candidate in beats per second.
    rate: [f32; CANDIDATES],
}

impl Default for Tempiscope {
    fn default() -> Self {
        Self { clock: 0.0, rate: core::array::from_fn(|k| candidate_bpm(k) / 60.0) }
    }
}

impl Pattern for Tempiscope {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let sharp = lerp(1.0, 6.0, ctx.param(Param::Custom2));
        let choose = lerp(3.2, 0.8, ctx.param(Param::Custom1));
        let lamps: [f32; CANDIDATES] = core::array::from_fn(|k| {
            let phase = fract(ctx.sound.tempo_phases[k] + self.rate[k] * ctx.age);
            // A blink rather than a sine: full on the beat, then falling.
            1.3 * pow(ctx.sound.tempi[k], choose) * pow(1.0 - phase, sharp)
        });
        let heart = ctx.param(Param::Custom3) * ctx.rhythm.beat_envelope(4.0);
        let calm = ctx.calm() * 0.25;
        frame.by_place(|place| {
            // On an area, the tempi stand on a dial whose halves mirror each other.
            let d = if place.on_area { 1.0 - (2.0 * place.turn - 1.0).abs() } else { place.distance };
            let p = d * (CANDIDATES - 1) as f32;
            let i = (p as usize).min(CANDIDATES - 2);
            let m = lerp(lamps[i], lamps[i + 1], p - i as f32);
            let centre = heart * crate::math::bell(place.distance, 0.05);
            let rest = calm * lit(breath(clock - d * 3.0, 6.0));
            ctx.palette.at(d) * (m * ctx.presence + rest) + ctx.palette.at(0.0) * (centre * ctx.presence)
        });
    }
}
