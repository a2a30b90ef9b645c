use super::field::Field;
use super::{Pattern, PatternInfo, RenderContext, breath, lit, tick};
use crate::light::{Frame, Rgb};
use crate::math::{bell, decay, fract, lerp, sin_turns, smoothstep};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "void_trail",
    name: "Void Trail",
    description: "Light against the dark, in three moods: a breathing void, ripples on its surface, a stream through it",
    listens: "loudness, onsets",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["Mood: void, ripples, stream", "How long light lingers", "Intensity"],
};

const RIPPLES: usize = 8;
/// A predicted beat comes before its sound is heard, so a ripple still takes the loudness of its attack for this
/// time, in seconds.
const ATTACK_S: f32 = 0.08;
/// Rise time in seconds of a drop in silence: nothing flashes without sound.
const WELL_UP_S: f32 = 0.6;

#[derive(Clone, Copy, Debug, Default)]
struct Ripple {
    position: f32,
    age: f32,
    /// Strength of the event that made it, 0 … 1; 0 for a drop in silence.
    hit: f32,
    /// Brightness: `hit` times the loudest moment of the attack.
    strength: f32,
    hue: f32,
}

/// Three moods that share their trails.
#[derive(Clone, Debug, Default)]
pub struct VoidTrail {
    field: Field,
    ripples: [Ripple; RIPPLES],
    next: usize,
    clock: f32,
    hue: f32,
    stream: f32,
    rest: f32,
}

impl Pattern for VoidTrail {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        tick(&mut self.clock, ctx.motion());
        self.hue = fract(self.hue + 0.05 * ctx.motion());
        match (ctx.param(Param::Custom1) * 3.0) as usize {
            0 => self.void(ctx, frame),
            1 => self.rippling(ctx, frame),
            _ => self.streaming(ctx, frame),
        }
    }
}

impl VoidTrail {
    /// Lights the strip from the centre, as far as the sound is loud; the dark takes it back, faster when it is
    /// quiet.
    fn void(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let level = ctx.sound.level * ctx.presence;
        let linger = lerp(0.15, 1.6, ctx.param(Param::Custom2)) * (0.4 + level);
        let keep = decay(Field::STEP, linger);
        for _ in 0..self.field.steps(ctx.dt) {
            self.field.advect(0.0008, keep);
        }
        let strength = lit(level) * lerp(0.5, 1.6, ctx.param(Param::Custom3));
        let rest = ctx.calm() * (0.3 + 0.3 * sin_turns(self.clock / 6.0));
        let reach = 0.06 + 0.9 * level;
        for i in 0..24 {
            let d = i as f32 / 23.0;
            let amount = strength * smoothstep(reach, reach * 0.35, d) + rest * lit(1.0 - d);
            if amount > 0.003 {
                self.field.splat(d, 0.03, ctx.palette.around(0.4 * d + self.hue) * amount);
            }
        }
        frame.by_distance(|d| self.field.at(d));
    }

    /// A ring from the centre for every event; the louder, the brighter.
    fn rippling(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let speed = 0.55 * crate::math::sqrt(ctx.params.speed_factor());
        for r in &mut self.ripples {
            r.position += speed * ctx.dt;
            r.age += ctx.dt;
        }
        self.rest += ctx.motion();
        let drop = ctx.presence < 0.3 && self.rest > 3.0;
        if ctx.rhythm.hit.is_some() || drop {
            self.rest = 0.0;
            let hit = ctx.rhythm.hit.unwrap_or(0.0);
            let strength = if hit > 0.0 { 0.0 } else { ctx.param(Param::Background) * 0.8 };
            self.ripples[self.next] = Ripple { position: 0.0, age: 0.0, hit, strength, hue: self.hue };
            self.next = (self.next + 1) % RIPPLES;
        }
        for r in self.ripples.iter_mut().filter(|r| r.age <= ATTACK_S) {
            r.strength = r.strength.max(r.hit * (0.3 + 0.7 * ctx.sound.level));
        }
        let life = lerp(0.3, 1.8, ctx.param(Param::Custom2));
        let gain = lerp(0.5, 1.6, ctx.param(Param::Custom3));
        // What a ripple has in common for all LEDs: the steepness of its crest, and its brightness.
        let shapes = self.ripples.map(|r| {
            let rise = if r.hit > 0.0 { 1.0 } else { smoothstep(0.0, WELL_UP_S, r.age) };
            (1.0 / (0.018 + 0.05 * r.age), rise * r.strength * decay(r.age, life))
        });
        frame.by_distance(|d| {
            let mut light = Rgb::BLACK;
            for (r, (steepness, strength)) in self.ripples.iter().zip(shapes) {
                if r.strength > 0.0 {
                    // A crest with a fainter one behind it, as on water.
                    let z = (d - r.position) * steepness;
                    let crest = bell(z, 1.0) + 0.35 * bell(z + 4.0, 1.0);
                    light += ctx.palette.around(0.3 * d + r.hue) * (crest * strength);
                }
            }
            light * gain
        });
    }

    /// Waves of light that stream outwards, faster and brighter with loudness.
    fn streaming(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let level = lerp(ctx.param(Param::Background) * 0.6, ctx.sound.level, ctx.presence);
        // The phase is integrated, so that a change of rate never jumps.
        self.stream = fract(self.stream + ctx.motion() * (0.12 + 0.8 * level));
        let sharp = lerp(0.8, 3.2, 1.0 - ctx.param(Param::Custom2));
        let gain = lerp(0.4, 1.4, ctx.param(Param::Custom3)) * lit(0.25 + 0.75 * level);
        let swell = breath(self.clock, 5.0);
        frame.by_distance(|d| {
            let x = 2.0 * d - 2.0 * self.stream;
            let w = 0.5 * (sin_turns(x) + 0.5 * sin_turns(2.0 * x + 0.3 * swell));
            let crest = crate::math::exp(-sharp * (1.0 - w) * (1.0 - w) * 2.0);
            ctx.palette.around(0.5 * d + self.hue) * (crest * gain)
        });
    }
}
