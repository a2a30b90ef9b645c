use super::{Pattern, PatternInfo, RenderContext, band_light, lit, strongest, tick};
use crate::audio::BINS;
use crate::light::Frame;
use crate::math::{bell, exp2, fract, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "radar",
    name: "Radar",
    description: "A beam sweeps round and leaves echoes of the music that it met: low notes near the centre, high ones far out",
    listens: "64 semitones, onsets",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How long an echo stays", "Contrast of the echoes", "Brightness of the beam"],
};

/// Angles that are remembered, and bands at each.
const ANGLES: usize = 96;
const BANDS: usize = 8;

/// A beam and its echoes.
#[derive(Clone, Debug)]
pub struct Radar {
    /// Loudness of each band when the beam passed.
    echoes: [[u8; BANDS]; ANGLES],
    sweep: f32,
    clock: f32,
}

impl Default for Radar {
    fn default() -> Self {
        Self { echoes: [[0; BANDS]; ANGLES], sweep: 0.0, clock: 0.0 }
    }
}

/// Loudness of the bands, 0 … 255; treble is lifted as music falls off.
fn bands(ctx: &RenderContext, sharp: f32) -> [u8; BANDS] {
    const WIDTH: usize = BINS / BANDS;
    core::array::from_fn(|b| {
        let lift = 0.9 * exp2(b as f32 * (1.0 / 2.4));
        let semitones = &ctx.sound.smooth[b * WIDTH..(b + 1) * WIDTH];
        let light = band_light(semitones, lift, sharp) * ctx.presence;
        (255.0 * light) as u8
    })
}

impl Pattern for Radar {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        // A turn takes 1.7 s at normal speed.
        let before = self.sweep;
        self.sweep = fract(before + ctx.motion() * (1.0 / 1.7));
        let heard = bands(ctx, lerp(0.8, 2.6, ctx.param(Param::Custom2)));
        let last = (self.sweep * ANGLES as f32) as usize % ANGLES;
        let mut angle = (before * ANGLES as f32) as usize % ANGLES;
        self.echoes[last] = heard;
        while angle != last {
            self.echoes[angle] = heard;
            angle = (angle + 1) % ANGLES;
        }
        let fade = -lerp(7.0, 1.2, ctx.param(Param::Custom1));
        let attack = 0.4 + 0.6 * ctx.sound.level + lit(ctx.sound.onset);
        let beam = ctx.param(Param::Custom3) * (1.6 * attack * ctx.presence);
        let (calm, slow) = (0.5 * ctx.calm(), fract(clock * (1.0 / 20.0)));
        let width = (frame.spacing() * 0.6).max(0.016);
        frame.by_place(|place| {
            let echo = &self.echoes[((place.turn * ANGLES as f32) as usize).min(ANGLES - 1)];
            let age = fract(self.sweep - place.turn);
            let (loudness, hue) = if place.on_area {
                let p = place.distance * (BANDS - 1) as f32;
                let b = (p as usize).min(BANDS - 2);
                (lerp(f32::from(echo[b]), f32::from(echo[b + 1]), p - b as f32), place.distance)
            } else {
                // A line has no room for bands: the loudest colours it.
                let b = strongest(echo);
                (f32::from(echo[b]), b as f32 * (1.0 / (BANDS - 1) as f32))
            };
            let light = loudness * (1.5 / 255.0) * exp2(fade * age);
            let near = |sweep: f32| {
                let off = fract(sweep - place.turn);
                off.min(1.0 - off)
            };
            // In silence, the beam is wide and slow.
            ctx.palette.at(hue) * light
                + ctx.palette.at(0.9) * (beam * bell(near(self.sweep), width))
                + ctx.palette.around(place.turn) * (calm * bell(near(slow), 0.12))
        });
    }
}
