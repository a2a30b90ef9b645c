use super::{Pattern, PatternInfo, RenderContext, breath, lit, strongest_note, tick};
use crate::audio::CHROMA;
use crate::light::{Frame, Rgb};
use crate::math::{decay, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "bloom",
    name: "Bloom",
    description: "Light wells up at the centre with the loudness and flows outwards, fading: the last seconds of music, drawn",
    listens: "loudness; colour from distance, or from the strongest note",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How far it carries", "Colour by note (right) or by distance (left)", "Sharpness of the swells"],
};

/// Entries of the history, from the centre to the end.
const LINES: usize = 192;

/// A river of loudness. The history is indexed by distance travelled rather than by frame, so it never blurs and
/// looks the same at every frame rate.
#[derive(Clone, Debug)]
pub struct Bloom {
    /// Light and hue on leaving the centre; the newest at `head`.
    lines: [(f32, f32); LINES],
    head: usize,
    /// Distance travelled since the newest line, in lines.
    travelled: f32,
    now: (f32, f32),
    clock: f32,
}

impl Default for Bloom {
    fn default() -> Self {
        Self { lines: [(0.0, 0.0); LINES], head: 0, travelled: 0.0, now: (0.0, 0.0), clock: 0.0 }
    }
}

impl Pattern for Bloom {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        // Half a strip in 1.5 s at normal speed.
        let flow = 0.66 * ctx.params.speed_factor();
        let sharp = lerp(1.2, 3.2, ctx.param(Param::Custom3));
        let music = crate::math::pow(ctx.sound.level, sharp) + 0.5 * lit(ctx.sound.onset) * ctx.sound.level;
        let rest = ctx.calm() * 0.3 * breath(clock, 6.0);
        let before = self.now;
        let hue = strongest_note(ctx.sound) as f32 / (CHROMA - 1) as f32;
        self.now = (music * ctx.presence + rest, hue);

        let advance = flow * ctx.dt * LINES as f32;
        let start = self.travelled;
        self.travelled += advance;
        let mut passed = 1.0;
        while self.travelled >= 1.0 {
            self.travelled -= 1.0;
            // Between two frames the light at the centre changed evenly.
            let t = if advance > 0.0 { ((passed - start) / advance).clamp(0.0, 1.0) } else { 1.0 };
            passed += 1.0;
            self.head = (self.head + LINES - 1) % LINES;
            self.lines[self.head] = (lerp(before.0, self.now.0, t), self.now.1);
        }

        // Light fades by time on the way, not by distance.
        let life = lerp(0.35, 2.2, ctx.param(Param::Custom1));
        let by_note = ctx.param(Param::Custom2) > 0.5;
        let newest_share = 1.0 / self.travelled.max(1e-6);
        let slowness = 1.0 / flow;
        frame.by_distance(|d| {
            let p = d * (LINES - 2) as f32 - self.travelled;
            let (light, hue) = if p < 0.0 {
                let t = -p * newest_share;
                let newest = self.lines[self.head];
                (lerp(newest.0, self.now.0, t), newest.1)
            } else {
                let i = p as usize;
                let a = self.lines[(self.head + i) % LINES];
                let b = self.lines[(self.head + i + 1) % LINES];
                (lerp(a.0, b.0, p - i as f32), a.1)
            };
            let kept = light * decay(d * slowness, life);
            let colour: Rgb = ctx.palette.at(if by_note { hue } else { d });
            colour * kept
        });
    }
}
