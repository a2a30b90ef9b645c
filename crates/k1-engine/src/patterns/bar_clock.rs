use super::{Pattern, PatternInfo, RenderContext, breath, tick};
use crate::audio::LONGEST_BAR;
use crate::light::Frame;
use crate::math::{bell, choose, decay, fract, lerp, nearest, reciprocal, smoothstep};
use crate::params::Param;

pub const INFO: PatternInfo = PatternInfo {
    id: "bar_clock",
    name: "Bar Clock",
    description: "A clock of the bar: its hand goes round once in each bar, and each beat lights its own part of the dial",
    listens: "predicted beats, their place in the bar, beats in a bar, loudness",
    is_audio_reactive: true,
    own_palette: None,
    knobs: ["How long a beat glows", "Light behind the hand", "Brightness of the hand"],
};

const BEATS: usize = LONGEST_BAR as usize;

/// A dial with a part for each beat.
#[derive(Clone, Debug, Default)]
pub struct BarClock {
    glow: [f32; BEATS],
    clock: f32,
}

impl Pattern for BarClock {
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
        let clock = tick(&mut self.clock, ctx.motion());
        // A beat glows for its time in beats, so that the dial is as full at any tempo.
        let life = lerp(0.4, 2.4, ctx.param(Param::Custom1)) * 60.0 * reciprocal(ctx.rhythm.bpm);
        let fade = decay(ctx.dt, life);
        self.glow.iter_mut().for_each(|g| *g *= fade);
        let (beats, since) = ctx.bar();
        let current = since as usize;
        // The part of the current beat is as bright as its age says, so that no beat is missed.
        let strength = lerp(0.4, 1.0, ctx.rhythm.trust) * choose(current == 0, &[1.0, 1.35]);
        let phase = since - current as f32;
        let lit = strength * smoothstep(0.0, lerp(0.5, 0.08, ctx.rhythm.trust), phase);
        let age = phase * 60.0 * reciprocal(ctx.rhythm.bpm);
        let glow = &mut self.glow[current.min(BEATS - 1)];
        *glow = glow.max(lit * decay(age, life));
        let parts = beats as f32;
        let one_part = reciprocal(parts);
        let hand = since * one_part;
        let music = ctx.presence * (0.25 + 0.75 * ctx.sound.level) * (0.35 + 0.65 * ctx.rhythm.trust);
        let behind = ctx.param(Param::Custom2) * 0.3 * music;
        let bright = ctx.param(Param::Custom3) * 1.8 * music;
        let width = (frame.spacing() * 0.7).max(0.012);
        let colour_of_hand = ctx.palette.at(0.95);
        // In silence, a wide hand turns slowly.
        let calm = ctx.calm() * (0.35 + 0.25 * breath(clock, 7.0));
        let slow = fract(clock * (1.0 / 30.0));
        let around = |from: f32, to: f32| {
            let off = to - from;
            off - nearest(off)
        };
        frame.by_place(|place| {
            let along = place.turn * parts;
            let part = (along as usize).min(beats as usize - 1);
            let u = along - part as f32;
            // A dark line between two parts.
            let inside = smoothstep(0.0, 0.12, 0.5 - (u - 0.5).abs());
            let ahead = fract(place.turn - hand);
            let glow = inside * (self.glow[part] * music + behind * ahead * ahead);
            let pointer = bright * bell(around(hand, place.turn), width);
            ctx.palette.at(part as f32 * one_part) * glow
                + colour_of_hand * pointer
                + ctx.palette.around(place.turn) * (calm * bell(around(slow, place.turn), 0.12))
        });
    }
}
