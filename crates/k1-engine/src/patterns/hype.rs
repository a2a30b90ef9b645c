use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::audio::{CANDIDATES, candidate_bpm};
use crate::light::{Frame, Rgb};
use crate::math::{Follower, bell, cos_turns, fract, lerp, sqrt};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "hype",
    name: "Hype",
    description: "Two pairs of dots rush in from the ends as the beat gets stronger, and meet in a blaze when everything agrees",
    listens: "strength of the beat: tempo candidates, confidence, onsets",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Size of the dots", "Length of their tails", "Blaze at the centre"],
};

/// Two dots per half: even and odd candidate tempi.
#[derive(Clone, Debug)]
pub struct Hype {
    racers: [Follower; 2],
    rate: [f32; CANDIDATES],
    clock: f32,
}

impl Default for Hype {
    fn default() -> Self {
        Self {
            racers: [Follower::at(0.0).rise_s(0.04).fall_s(0.25); 2],
            rate: core::array::from_fn(|k| candidate_bpm(k) / 60.0),
            clock: 0.0,
        }
    }
}

impl Pattern for Hype {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let mut beat = [0.0_f32; 2];
        let mut sum = 0.5;
        for k in 0..CANDIDATES {
            let m = ctx.sound.tempi[k];
            let m = m * m * m;
            sum += m;
            let phase = fract(ctx.sound.tempo_phases[k] + self.rate[k] * ctx.age);
            beat[k % 2] += m * (0.5 + 0.5 * cos_turns(phase));
        }
        let mut at = [0.0; 2];
        for (i, racer) in self.racers.iter_mut().enumerate() {
            let onset = ctx.sound.onset_bands[if i == 0 { 0 } else { 2 }];
            let drive = (beat[i] / sum * 1.5).min(1.0) * (0.35 + 0.65 * ctx.rhythm.trust) + 0.35 * onset;
            let drive = (drive * ctx.sound.level).clamp(0.0, 1.0) * ctx.presence;
            // The fourth root moves them well inwards even for a modest beat.
            at[i] = 1.0 - sqrt(sqrt(racer.step(drive, ctx.dt)));
        }
        let opacity = 0.12 + 0.88 * sqrt(ctx.rhythm.trust * ctx.sound.level);
        let width = (frame.spacing() * 1.5).max(lerp(0.012, 0.05, ctx.param(Param::Custom1)));
        let tail = 1.0 / lerp(0.02, 0.5, ctx.param(Param::Custom2));
        let meet = (1.0 - at[0]) * (1.0 - at[1]);
        let blaze = meet * meet * meet * ctx.rhythm.beat_envelope(3.0) * ctx.param(Param::Custom3) * 2.0;
        let colours = [ctx.palette.at(0.15), ctx.palette.at(0.72)];
        let calm = ctx.calm() * 0.7;
        let rest = 1.0 - 0.25 * breath(clock, 8.0);
        frame.by_distance(|d| {
            let mut light = Rgb::BLACK;
            for (at, colour) in at.iter().zip(&colours) {
                let x = d - at;
                // The tail points back to the end they came from.
                let shape = bell(x, width) + if x > 0.0 { 0.22 * crate::math::exp(-x * tail) } else { 0.0 };
                light += *colour * (shape * opacity * ctx.presence);
            }
            light
                + ctx.palette.at(0.4) * (blaze * bell(d, 0.16))
                + ctx.palette.at(d) * (calm * bell(d - rest, 0.06))
        });
    }
}
