use super::{Pattern, PatternInfo, RenderContext, breath, lit, tick};
use crate::light::Frame;
use crate::math::{Follower, fract, lerp, sin_turns};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "plasma",
    name: "Plasma",
    description: "Waves of colour cross each other; bass drives them, and the beat lights their crests",
    listens: "low notes, loudness, the beat",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Size of the waves", "Drive of the bass", "Contrast"],
};

/// Semitones that count as bass: an octave and a half.
const BASS: usize = 18;

/// Four waves: two that are straight, one that leans, one from the centre.
#[derive(Clone, Debug)]
pub struct Plasma {
    clock: f32,
    bass: Follower,
    hue: f32,
}

impl Default for Plasma {
    fn default() -> Self {
        Self { clock: 0.0, bass: Follower::at(0.0).rise_s(0.02).fall_s(0.35), hue: 0.0 }
    }
}

impl Pattern for Plasma {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let low = ctx.sound.smooth[..BASS].iter().fold(0.0_f32, |most, x| most.max(*x));
        let bass = self.bass.step(low * ctx.presence, ctx.dt);
        let level = ctx.sound.level * ctx.presence;
        let drive = 2.0 * ctx.param(Param::Custom2);
        // Bass pushes the waves, and they swing back.
        let flow = clock * 0.25 + 0.2 * drive * bass;
        self.hue = fract(self.hue + ctx.motion() * 0.06);
        let size = lerp(1.5, 0.4, ctx.param(Param::Custom1));
        let sharp = 1.0 + 3.0 * ctx.param(Param::Custom3);
        let beat = ctx.rhythm.beat_envelope(2.5);
        let light = ctx.presence * (0.25 + 0.75 * level + 0.6 * beat) + 0.5 * ctx.calm();
        let bend = 0.4 * breath(clock, 18.0);
        frame.by_place(|place| {
            let (x, y) = (place.x * size, place.y * size);
            let waves = sin_turns(x * 1.1 + flow * 0.5)
                + sin_turns(y * 0.9 - flow * 0.4 + bend)
                + sin_turns((x + y) * 0.7 - flow * 0.2)
                + sin_turns(place.distance * size * 1.3 - flow * 0.8);
            let height = 0.5 + 0.25 * waves.clamp(-2.0, 2.0);
            // Valleys are dark, so that the waves have edges.
            let crest = lerp(height, lit(lit(height)), (sharp * 0.25).min(1.0));
            ctx.palette.around(0.45 * height + self.hue + 0.12 * x) * (light * crest * (1.0 + 0.2 * sharp))
        });
    }
}
