//! The promises of every pattern on every shape: bounds, and a picture that uses the shape.

mod common;

use std::sync::OnceLock;

use common::*;
use k1_engine::audio::Snapshot;
use k1_engine::light::{Matrix, OutputSettings, Point, Points, Rgb, Shape};
use k1_engine::params::Params;
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_engine::show::Show;

/// Start of the films in seconds of sound: the ear has found the beat long before.
const START_S: f64 = 8.2;

fn heard() -> &'static [Snapshot] {
    static HEARD: OnceLock<Vec<Snapshot>> = OnceLock::new();
    HEARD.get_or_init(|| hear(&music(16.0, 120.0, 1.0, 1)))
}

/// Perceptual values of every frame of a pattern on a shape, at 60 FPS.
fn film(pattern: usize, shape: &Shape, leds: usize, seconds: f64) -> Vec<Vec<f32>> {
    let mut show: Box<Show<512>> = Box::new(Show::new(leds, OutputSettings { limit_ma: None }));
    show.set_params(Params::default());
    assert!(show.cut_to(pattern));
    let start = hop_aligned_us(START_S);
    (0..(seconds * 60.0) as u64)
        .map(|k| {
            let now = start + k * 1_000_000 / 60;
            show.render_on(shape, now, seen_at(heard(), now));
            let light = show.output.light(leds);
            let is_fine = |c: &Rgb| [c.r, c.g, c.b].iter().all(|x| (0.0..=1.0).contains(x));
            assert!(light.iter().all(is_fine), "{} on {shape}: {light:?}", PATTERNS[pattern].id);
            light.iter().flat_map(|c| [c.r, c.g, c.b]).map(f32::sqrt).collect()
        })
        .collect()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).sum::<f32>() / a.len() as f32
}

#[test]
fn every_pattern_shines_and_moves_on_every_shape() {
    let cloud: Vec<_> = (0..60).map(|i| Point { x: (i * i % 17) as f32, y: (i * 7 % 11) as f32 }).collect();
    let square = Matrix { serpentine: true, quarter_turns: 1, ..Matrix::new(12, 8) };
    for (shape, leds) in [
        (Shape::Line, 60),
        (Shape::LineReversed, 1),
        (Shape::LineReversed, 60),
        (Shape::BothEnds, 61),
        (Shape::Ring, 1),
        (Shape::Ring, 2),
        (Shape::Ring, 24),
        (Shape::Matrix(square), 96),
        (Shape::Matrix(Matrix::new(1, 1)), 1),
        (Shape::Matrix(Matrix::new(3, 1)), 9),
        (Shape::Points(Points::new(&cloud)), 60),
        (Shape::Points(Points::new(&[])), 4),
    ] {
        for (index, pattern) in PATTERNS.iter().enumerate() {
            let frames = film(index, &shape, leds, 1.5);
            if leds < 10 {
                continue;
            }
            let motion: f32 = frames.windows(2).map(|w| apart(&w[0], &w[1])).sum();
            let light = frames.iter().flatten().sum::<f32>() / (frames.len() * leds * 3) as f32;
            assert!(light > 0.01 && motion > 0.1, "{} on {shape}: {light}, {motion}", pattern.id);
        }
    }
}

#[test]
fn a_reversed_line_shows_the_line_backwards() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let (there, back) = (film(index, &Shape::Line, 30, 0.5), film(index, &Shape::LineReversed, 30, 0.5));
        let turned: Vec<f32> = back.last().unwrap().chunks(3).rev().flatten().copied().collect();
        assert!(apart(there.last().unwrap(), &turned) < 1e-5, "{}", pattern.id);
    }
}

#[test]
fn patterns_with_two_coordinates_use_both_on_a_matrix() {
    const SIDE: usize = 16;
    let shape = Shape::Matrix(Matrix::new(SIDE as u16, SIDE as u16));
    for id in [
        "departure",
        "lava",
        "perlin",
        "twilight",
        "octave",
        "tempiscope",
        "spectrum",
        "analog",
        "metronome",
        "bar_clock",
        "bars",
        "plasma",
        "radar",
        "sparks",
        "cascade",
    ] {
        let frames = film(pattern_by_id(id).unwrap(), &shape, SIDE * SIDE, 2.0);
        // A picture of rings is the same when it is turned upside down, and when rows and columns are exchanged.
        let most = |other: fn(usize, usize) -> (usize, usize)| {
            frames
                .iter()
                .map(|frame| {
                    let at = |x: usize, y: usize| frame[3 * (y * SIDE + x)];
                    let off = |x: usize, y: usize| {
                        let (u, v) = other(x, y);
                        (at(x, y) - at(u, v)).abs()
                    };
                    (0..SIDE * SIDE).map(|i| off(i % SIDE, i / SIDE)).sum::<f32>() / (SIDE * SIDE) as f32
                })
                .fold(0.0, f32::max)
        };
        let (down, across) = (most(|x, y| (x, SIDE - 1 - y)), most(|x, y| (y, x)));
        println!("{id:12} upside down {down:.3}, exchanged {across:.3}");
        assert!(down.max(across) > 0.015, "{id} shows rings only: {down}, {across}");
    }
}

/// The picture must become another within three seconds of music, and have light beside dark.
#[test]
fn within_three_seconds_the_picture_is_another() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let frames = film(index, &Shape::Mirrored, 90, 6.0);
        let later: Vec<f32> = (0..180)
            .map(|k| frames[k + 1..k + 180].iter().map(|f| apart(&frames[k], f)).fold(0.0, f32::max))
            .collect();
        let change = later.iter().sum::<f32>() / later.len() as f32;
        let contrast = frames
            .iter()
            .map(|f| {
                let mut light: Vec<f32> = f.chunks(3).map(|c| c[0].max(c[1]).max(c[2])).collect();
                light.sort_by(f32::total_cmp);
                light[80] - light[10]
            })
            .sum::<f32>()
            / frames.len() as f32;
        println!("{:12} changes by {change:.3}, contrast {contrast:.3}", pattern.id);
        let (least, least_contrast) = match pattern.id {
            "departure" | "lava" | "perlin" => (0.085, 0.0),
            "pulse" => (0.05, 0.5),
            "beat_tunnel" => (0.05, 0.28),
            _ => (0.05, 0.0),
        };
        assert!(change > least, "{} changes by {change} within three seconds", pattern.id);
        assert!(contrast > least_contrast, "{} has a contrast of {contrast}", pattern.id);
    }
}
