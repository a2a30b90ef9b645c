use super::{Pattern, PatternInfo, RenderContext, lit, tick};
use crate::audio::CHROMA;
use crate::light::Frame;
use crate::math::{bell, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "octave",
    name: "Octave",
    description: "The twelve notes of the octave as twelve lamps from the centre to each end, or around the circle",
    listens: "chroma, and the beat for its breath",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Width of a note", "Contrast between notes", "Breath on the beat"],
};

/// Twelve glowing notes.
#[derive(Clone, Debug, Default)]
pub struct Octave {
    clock: f32,
}

impl Pattern for Octave {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let sigma = lerp(0.22, 0.62, ctx.param(Param::Custom1));
        let breath = 1.0 + 1.2 * ctx.param(Param::Custom3) * ctx.rhythm.beat_envelope(2.0);
        // Notes are separated by their height above the mean of all twelve.
        let mean = ctx.sound.chroma.iter().sum::<f32>() / CHROMA as f32;
        let contrast = ctx.param(Param::Custom2) * 1.4;
        let stretch = 1.0 / (1.0 - mean * contrast).max(0.1);
        let notes = ctx.sound.chroma.map(|c| {
            let clear = ((c - mean * contrast) * stretch).max(0.0);
            lit(clear) * breath
        });
        let calm = ctx.calm();
        frame.by_place(|place| {
            let d = place.turn;
            // A note is centred in its twelfth of the line or circle.
            let p = d * CHROMA as f32 - 0.5;
            let first = (p as isize - 1).max(0) as usize;
            let mut m = 0.0;
            for (k, note) in notes.iter().enumerate().skip(first).take(4) {
                m += note * bell(p - k as f32, sigma);
            }
            let scroll = ctx.palette.around(0.5 * d - clock / 10.0);
            ctx.palette.at(d) * (m * ctx.presence) + scroll * (calm * 0.16)
        });
    }
}
