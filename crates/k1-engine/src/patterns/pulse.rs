use super::{Pattern, PatternInfo, RenderContext, breath, strongest_note, tick};
use crate::audio::CHROMA;
use crate::light::{Frame, Rgb};
use crate::math::{bell, choose, decay, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "pulse",
    name: "Pulse",
    description: "A ring leaves the centre on every beat, in the colour of the strongest note",
    listens: "predicted beats (onsets where no beat is clear), the bar, chroma",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Width of a ring", "How far it carries", "Glow at the centre on the beat"],
};

const RINGS: usize = 8;
/// A predicted beat comes before its sound is heard, so a ring still takes the loudness of its attack for this time,
/// in seconds.
const ATTACK_S: f32 = 0.08;

#[derive(Clone, Copy, Debug, Default)]
struct Ring {
    position: f32,
    age: f32,
    hue: f32,
    /// Strength of the beat or onset that made it.
    hit: f32,
    /// Share by which it is wider, because a downbeat made it.
    wider: f32,
    /// Brightness: `hit` times the loudest moment of the attack.
    strength: f32,
}

/// Rings of light.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    rings: [Ring; RINGS],
    next: usize,
    clock: f32,
    flash: f32,
}

impl Pattern for Pulse {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        // Half strips per second: 0.95 at normal speed, so that a ring lives for about two beats of pop music.
        let speed = 0.95 * crate::math::sqrt(ctx.params.speed_factor());
        for ring in &mut self.rings {
            ring.position += speed * ctx.dt;
            ring.age += ctx.dt;
        }
        self.flash *= decay(ctx.dt, 0.16);
        if let Some(strength) = ctx.rhythm.hit {
            // A beat between two frames has already travelled.
            let late = ctx.rhythm.beat.unwrap_or(0.0);
            self.rings[self.next] = Ring {
                position: speed * late,
                age: late,
                hue: strongest_note(ctx.sound) as f32 / (CHROMA - 1) as f32,
                hit: strength,
                wider: 0.5 * ctx.rhythm.downbeat(),
                strength: 0.0,
            };
            self.next = (self.next + 1) % RINGS;
            self.flash = strength * decay(late, 0.16);
        }
        for ring in self.rings.iter_mut().filter(|r| r.age <= ATTACK_S) {
            ring.strength = ring.strength.max(ring.hit * (0.35 + 0.65 * ctx.sound.level));
        }
        let width = lerp(0.015, 0.085, ctx.param(Param::Custom1)).max(frame.spacing());
        let life = lerp(0.25, 1.3, ctx.param(Param::Custom2));
        let core = ctx.param(Param::Custom3) * 1.4 * self.flash;
        let core_hue = self.rings[(self.next + RINGS - 1) % RINGS].hue;
        let calm = ctx.calm() * 0.55;
        let swell = breath(clock, 7.0);
        // What a ring has in common for all LEDs: its position, the steepness of its front, and its light.
        let rings = self.rings.map(|r| {
            let steepness = 1.0 / (width * (1.0 + r.wider) * (1.0 + 0.5 * r.age));
            (r.position, steepness, ctx.palette.at(r.hue) * (1.3 * r.strength * decay(r.age, life)))
        });
        frame.by_distance(|d| {
            let mut light = Rgb::BLACK;
            for (ring, (position, steepness, colour)) in self.rings.iter().zip(&rings) {
                if ring.strength > 0.0 && *position < 1.5 {
                    // Steeper in front than behind, so that a ring looks as if it moves.
                    let x = d - position;
                    let z = x * steepness * choose(x > 0.0, &[1.0 / 1.5, 1.0 / 0.55]);
                    light += *colour * bell(z, 1.0);
                }
            }
            let heart = bell(d, 0.09);
            let rest = bell(d - swell * 0.9, 0.16) * (1.0 - 0.7 * swell);
            light + ctx.palette.at(core_hue) * (heart * core) + ctx.palette.at(swell) * (rest * calm)
        });
    }
}
