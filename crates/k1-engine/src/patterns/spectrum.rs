use super::{Pattern, PatternInfo, RenderContext, breath, lit, tick};
use crate::audio::BINS;
use crate::light::Frame;
use crate::math::{lerp, pow, smoothstep, sqrt};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "spectrum",
    name: "Spectrum",
    description: "A mirrored analyser: low notes at the centre, treble at both ends, each note in its own colour",
    listens: "64 semitones",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Balance from bass to treble", "Contrast", "Flash on attacks"],
};

/// Every LED is as bright as its note is loud.
#[derive(Clone, Debug, Default)]
pub struct Spectrum {
    clock: f32,
}

impl Pattern for Spectrum {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        // Music falls off towards the treble, and the spectrum reads white noise as flat: lift it, by 3.6 dB per
        // octave at the middle of the knob.
        let tilt = lerp(0.4, 2.0, ctx.param(Param::Custom1)) / 24.0;
        let contrast = lerp(0.8, 2.2, ctx.param(Param::Custom2));
        let attack = ctx.param(Param::Custom3) * 1.4;
        let notes: [f32; BINS] = core::array::from_fn(|i| {
            let lift = 0.8 * crate::math::exp2(tilt * i as f32);
            let smooth = ctx.sound.smooth[i] * lift;
            let rise = (ctx.sound.spectrum[i] * lift - smooth).max(0.0);
            pow((smooth + attack * rise).min(1.6), contrast)
        });
        let calm = ctx.calm();
        let swell = 0.10 + 0.14 * breath(clock, 8.0);
        frame.by_place(|place| {
            // On an area, columns grow from the middle row.
            let d = if place.on_area { place.x.abs() } else { place.distance };
            let p = d * (BINS - 1) as f32;
            let i = (p as usize).min(BINS - 2);
            let m = lerp(notes[i], notes[i + 1], p - i as f32);
            let m =
                if place.on_area { smoothstep(0.0, 0.2, 1.1 * sqrt(m) - place.y.abs()) * sqrt(m) } else { m };
            ctx.palette.at(d) * (m * ctx.presence + calm * swell * lit(1.0 - 0.6 * d))
        });
    }
}
