use super::{Pattern, PatternInfo, RenderContext, breath, lit, tick};
use crate::audio::BINS;
use crate::light::{Frame, Rgb};
use crate::math::{bell, choose, exp2, lerp, reciprocal};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "bars",
    name: "Bars",
    description: "An analyser: a column for each band, with peaks that hang and fall; on a line, each band grows in a part of its own",
    listens: "64 semitones",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Number of bars", "Colour by height (right) or by band (left)", "Brightness of the peaks"],
};

const MOST: usize = 16;
/// Time in seconds for which a peak hangs.
const HANG_S: f32 = 0.25;
/// Acceleration of a falling peak in heights per second².
const GRAVITY: f32 = 2.2;

#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    height: f32,
    speed: f32,
    hang: f32,
}

/// Bars and their peaks.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    peaks: [Peak; MOST],
    clock: f32,
}

impl Pattern for Bars {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let is_area = frame.has_area();
        // A line has room for half as many.
        let room = choose(is_area, &[(MOST / 2) as f32, MOST as f32]);
        let count = (lerp(0.25, 1.0, ctx.param(Param::Custom1)) * room + 0.5) as usize;
        let share = reciprocal(count as f32);
        let mut heights = [0.0_f32; MOST];
        for (i, (height, peak)) in heights.iter_mut().zip(&mut self.peaks).take(count).enumerate() {
            let (from, to) = (i * BINS / count, (i + 1) * BINS / count);
            let bins = &ctx.sound.smooth[from..to];
            let loudest = bins.iter().fold(0.0_f32, |most, x| most.max(*x));
            // Music falls off towards the treble.
            *height = (loudest * 0.8 * exp2(from as f32 * (1.0 / 19.0))).min(1.0) * ctx.presence;
            if *height >= peak.height {
                *peak = Peak { height: *height, speed: 0.0, hang: HANG_S };
            } else if peak.hang > 0.0 {
                peak.hang -= ctx.dt;
            } else {
                peak.height = (peak.height - (peak.speed + 0.5 * GRAVITY * ctx.dt) * ctx.dt).max(*height);
                peak.speed += GRAVITY * ctx.dt;
            }
        }
        let by_height = ctx.param(Param::Custom2) > 0.5;
        let mark = ctx.param(Param::Custom3) * ctx.presence * choose(is_area, &[0.6, 1.4]);
        // Height of one LED, in heights.
        let step = if is_area { frame.spacing() } else { (2.0 * frame.spacing() * count as f32).min(1.0) };
        let edge = 0.7 * reciprocal(step.max(0.02));
        let width = (0.6 * step).max(0.02);
        let calm = ctx.calm() * (0.1 + 0.2 * breath(clock, 8.0));
        frame.by_place(|place| {
            let along = place.along * count as f32;
            let i = (along as usize).min(count - 1);
            // On a line, a bar grows from the middle of its part to both sides.
            let middle = (2.0 * (along - i as f32) - 1.0).abs();
            let up = if place.on_area { place.up } else { middle };
            let (height, peak) = (heights[i], self.peaks[i].height);
            let lit_up = ((height - up) * edge + 0.5).clamp(0.0, 1.0) * (height * 20.0).min(1.0);
            let band = i as f32 * share;
            let colour = ctx.palette.at(if by_height { up } else { band });
            let hung = mark * bell(up - peak, width) * (peak * 8.0).min(1.0);
            let gap = if place.on_area { 1.0 } else { 1.0 - lit(lit(up)) };
            let rest = ctx.palette.at(band) * (calm * lit(1.0 - 0.7 * up));
            colour * (lit_up * gap * (0.35 + 0.65 * height)) + Rgb::WHITE.mix(colour, 0.7) * hung + rest
        });
    }
}
