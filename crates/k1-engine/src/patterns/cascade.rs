use super::{Pattern, PatternInfo, RenderContext, band_light, breath, strongest, tick};
use crate::audio::BINS;
use crate::light::Frame;
use crate::math::{exp2, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "cascade",
    name: "Cascade",
    description: "The spectrum falls like water: low notes left, high ones right, the newest at the top; on a line, its loudest note flows outwards",
    listens: "64 semitones",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How far it falls before it fades", "Contrast", "Balance from bass to treble"],
};

const ROWS: usize = 64;
const BANDS: usize = 16;
/// Rows that an area shows, from top to bottom, and a line, from its beginning to its end.
const SHOWN: f32 = 40.0;

/// The last seconds of the spectrum. The history is indexed by distance fallen, so that it looks the same at every frame
/// rate.
#[derive(Clone, Debug)]
pub struct Cascade {
    /// Light of each band, 0 … 255; the newest row at `head`.
    rows: [[u8; BANDS]; ROWS],
    head: usize,
    /// Distance fallen since the newest row, in rows.
    fallen: f32,
    clock: f32,
}

impl Default for Cascade {
    fn default() -> Self {
        Self { rows: [[0; BANDS]; ROWS], head: 0, fallen: 0.0, clock: 0.0 }
    }
}

impl Pattern for Cascade {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        let contrast = lerp(0.7, 2.2, ctx.param(Param::Custom2));
        let tilt = lerp(0.2, 2.6, ctx.param(Param::Custom3)) * (1.0 / 6.0);
        const WIDTH: usize = BINS / BANDS;
        let newest: [u8; BANDS] = core::array::from_fn(|b| {
            let semitones = &ctx.sound.smooth[b * WIDTH..(b + 1) * WIDTH];
            (255.0 * band_light(semitones, exp2(tilt * b as f32), contrast) * ctx.presence) as u8
        });
        // 20 rows per second at normal speed: two seconds from top to bottom.
        self.fallen += ctx.motion() * 20.0;
        while self.fallen >= 1.0 {
            self.fallen -= 1.0;
            self.head = (self.head + ROWS - 1) % ROWS;
            self.rows[self.head] = newest;
        }
        let fade = -lerp(5.0, 0.6, ctx.param(Param::Custom1));
        let calm = ctx.calm() * 0.25;
        let row = |r: usize| if r == 0 { &newest } else { &self.rows[(self.head + r - 1) % ROWS] };
        frame.by_place(|place| {
            let depth = if place.on_area { 1.0 - place.up } else { place.distance };
            let p = depth * SHOWN + 1.0 - self.fallen;
            let r = p as usize;
            let between = |band: usize| {
                lerp(f32::from(row(r)[band]), f32::from(row(r + 1)[band]), p - r as f32) * (1.0 / 255.0)
            };
            let (light, hue) = if place.on_area {
                let along = place.along * (BANDS - 1) as f32;
                let b = (along as usize).min(BANDS - 2);
                (lerp(between(b), between(b + 1), along - b as f32), place.along)
            } else {
                let b = strongest(row(r + 1));
                (between(b), b as f32 * (1.0 / (BANDS - 1) as f32))
            };
            let rest = calm * breath(clock * 0.5 - depth * 2.0, 6.0);
            ctx.palette.at(hue) * (1.2 * light * exp2(fade * depth)) + ctx.palette.at(depth) * rest
        });
    }
}
