use super::{Pattern, PatternInfo, RenderContext, breath, strongest_note, tick};
use crate::audio::CHROMA;
use crate::light::{Frame, Rgb, hash};
use crate::math::{bell, decay, exp2, lerp};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "sparks",
    name: "Sparks",
    description: "Each beat strikes sparks at the place of the strongest note; they fly apart, slow down and fall",
    listens: "predicted beats (onsets where no beat is clear), chroma, loudness",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How long a spark glows", "Force of the strike", "Size of a spark"],
};

const STRIKES: usize = 4;
const SPARKS: usize = 6;
/// A predicted beat comes before its sound is heard, so a strike still takes the loudness of its attack for this time, in
/// seconds.
const ATTACK_S: f32 = 0.08;
/// Time constant in seconds with which air slows a spark.
const AIR_S: f32 = 0.45;
/// Acceleration of a falling spark in heights per second².
const GRAVITY: f32 = 0.6;

#[derive(Clone, Copy, Debug, Default)]
struct Strike {
    /// Place along the line, 0 … 1, and height.
    along: f32,
    up: f32,
    age: f32,
    hit: f32,
    /// Brightness: `hit` times the loudest moment of the attack.
    strength: f32,
    seed: u32,
}

/// Strikes, each with its sparks.
#[derive(Clone, Debug, Default)]
pub struct Sparks {
    strikes: [Strike; STRIKES],
    next: usize,
    clock: f32,
}

/// A spark at the time of a frame.
#[derive(Clone, Copy)]
struct Spark {
    along: f32,
    up: f32,
    light: Rgb,
}

/// A number that always is the same for a seed, −1 … 1.
#[inline(never)]
fn scatter(seed: u32) -> f32 {
    (hash(seed) >> 8) as f32 * (2.0 / 16_777_216.0) - 1.0
}

impl Pattern for Sparks {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        self.strikes.iter_mut().for_each(|s| s.age += ctx.dt);
        if let Some(hit) = ctx.rhythm.hit {
            // Each note has its own sparks, so the same music strikes the same at any time and any frame rate.
            let note = strongest_note(ctx.sound);
            let seed = 64 * note as u32;
            self.strikes[self.next] = Strike {
                along: (note as f32 + 0.5) * (1.0 / CHROMA as f32),
                up: 0.58 + 0.25 * scatter(seed),
                age: ctx.rhythm.beat.unwrap_or(0.0),
                hit,
                strength: 0.0,
                seed,
            };
            self.next = (self.next + 1) % STRIKES;
        }
        for s in self.strikes.iter_mut().filter(|s| s.age <= ATTACK_S) {
            s.strength = s.strength.max(s.hit * (0.3 + 0.7 * ctx.sound.level));
        }
        let life = lerp(0.15, 0.9, ctx.param(Param::Custom1));
        let force = lerp(0.3, 1.9, ctx.param(Param::Custom2));
        let width = (frame.spacing() * 0.9).max(lerp(0.006, 0.03, ctx.param(Param::Custom3)));
        let mut flying = [Spark { along: 0.0, up: 0.0, light: Rgb::BLACK }; STRIKES * SPARKS + STRIKES];
        let mut count = 0;
        for s in self.strikes.iter().filter(|s| s.strength > 0.0 && s.age < 5.0 * life) {
            let hue = s.along;
            let strength = s.strength * decay(s.age, life);
            // The way of a spark that air slows down.
            let way = force * AIR_S * (1.0 - decay(s.age, AIR_S));
            for k in 0..SPARKS as u32 {
                let (dx, dy) = (scatter(s.seed + k), scatter(s.seed + k + 32));
                let up = s.up + way * (0.4 + 0.6 * dy) - 0.5 * GRAVITY * s.age * s.age;
                let colour = ctx.palette.around(0.5 * hue + 0.08 * dx);
                flying[count] = Spark { along: s.along + way * dx, up, light: colour * (2.2 * strength) };
                count += 1;
            }
            // The strike itself, a short flash.
            let flash = s.strength * decay(s.age, 0.09);
            flying[count] = Spark { along: s.along, up: s.up, light: Rgb::new(1.0, 0.85, 0.6) * flash };
            count += 1;
        }
        let reach = 3.0 * width;
        let narrow = -0.72 / (width * width);
        let calm = ctx.calm() * 0.6;
        let slow = 0.1 + 0.8 * breath(clock, 15.0);
        frame.by_place(|place| {
            let mut light = ctx.palette.at(slow) * (calm * bell(place.along - slow, 0.07));
            for spark in &flying[..count] {
                let dx = place.along - spark.along;
                if dx.abs() < reach {
                    let dy = if place.on_area { place.up - spark.up } else { 0.0 };
                    light = light.max(spark.light * exp2((dx * dx + dy * dy) * narrow));
                }
            }
            light
        });
    }
}
