//! Pictures of a ring or an area, side by side, as time goes on.

use std::io::{self, BufWriter};

use k1_engine::light::{Frame, Rgb, Shape};

use super::{MAX_ROWS, Picture, commit, encode_png};
use k1_host::output::{Output, Unwritten, unwritten};

/// Pictures in a row: two seconds of four pictures each.
const ACROSS: usize = 8;
const PER_SECOND: u64 = 4;
/// The longer side of a picture, and the gap between two, in pixels.
const SIDE: usize = 96;
const GAP: usize = 8;
/// sRGB code of the gaps, all channels.
const PAPER: u8 = 24;

/// A sheet of pictures: time runs from left to right and then down.
pub struct Sheet {
    file: BufWriter<Output>,
    /// The LED that each pixel of a picture shows, row by row.
    leds: Vec<Option<usize>>,
    width: usize,
    height: usize,
    frames_per_picture: u64,
    frames: u64,
    pictures: Vec<Vec<[u8; 3]>>,
}

impl Sheet {
    /// Begins a sheet of about `frames` frames. Longer sounds have fewer pictures a second.
    pub fn new(output: Output, shape: &Shape, leds: usize, fps: u32, frames: Option<u64>) -> Self {
        let most = (MAX_ROWS / (SIDE + GAP) * ACROSS) as u64;
        let frames_per_picture =
            (u64::from(fps) / PER_SECOND).max(frames.map_or(1, |n| n.div_ceil(most))).max(1);
        let (leds, width, height) = layout(shape, leds);
        Self {
            file: BufWriter::new(output),
            leds,
            width,
            height,
            frames_per_picture,
            frames: 0,
            pictures: Vec::new(),
        }
    }

    /// All pictures on one page, with its width and height.
    fn page(&self) -> (usize, usize, Vec<u8>) {
        let rows = self.pictures.len().div_ceil(ACROSS).max(1);
        let (across, down) = (self.width + GAP, self.height + GAP);
        let (width, height) = (ACROSS * across + GAP, rows * down + GAP);
        let mut page = vec![[PAPER; 3]; width * height];
        for (k, picture) in self.pictures.iter().enumerate() {
            let corner = (k / ACROSS * down + GAP) * width + k % ACROSS * across + GAP;
            for (y, line) in picture.chunks_exact(self.width).enumerate() {
                page[corner + y * width..][..self.width].copy_from_slice(line);
            }
        }
        (width, height, page.into_flattened())
    }
}

/// For each pixel of a picture the LED whose square it is in, and the picture's width and height.
fn layout(shape: &Shape, leds: usize) -> (Vec<Option<usize>>, usize, usize) {
    let mut places = Vec::with_capacity(leds);
    let mut pixels = vec![Rgb::BLACK; leds];
    let mut frame = Frame::new(&mut pixels, shape);
    frame.by_place(|p| {
        places.push((p.x, p.y));
        Rgb::BLACK
    });
    let reach =
        |axis: fn(&(f32, f32)) -> f32| places.iter().map(axis).fold(0.0, |most: f32, x| most.max(x.abs()));
    let (wide, high) = (reach(|p| p.0), reach(|p| p.1));
    // A square for each LED, so that those of a square matrix touch.
    let square = match shape {
        Shape::Matrix(m) => 1.0 / (usize::from(m.columns.max(m.rows)).max(2) - 1) as f32,
        _ => 1.2 / (leds as f32).sqrt().max(2.0) * 0.5,
    };
    let scale = SIDE as f32 / (2.0 * (wide.max(high) + square));
    let side = |reach: f32| ((2.0 * (reach + square) * scale).round() as usize).clamp(1, SIDE);
    let (width, height) = (side(wide), side(high));
    let mut of = vec![None; width * height];
    for (k, pixel) in of.iter_mut().enumerate() {
        let x = (k % width) as f32 + 0.5 - 0.5 * width as f32;
        let y = 0.5 * height as f32 - (k / width) as f32 - 0.5;
        let off = |p: &(f32, f32)| (p.0 * scale - x).abs().max((p.1 * scale - y).abs());
        *pixel = (0..places.len())
            .min_by(|a, b| off(&places[*a]).total_cmp(&off(&places[*b])))
            .filter(|nearest| off(&places[*nearest]) <= square * scale + 0.01);
    }
    (of, width, height)
}

impl Picture for Sheet {
    fn frame(&mut self, _: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()> {
        if self.frames.is_multiple_of(self.frames_per_picture) {
            self.pictures.push(self.leds.iter().map(|led| led.map_or([0; 3], |led| screen[led])).collect());
        }
        self.frames += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Unwritten> {
        let (width, height, page) = self.page();
        encode_png(&mut self.file, width, height, png::ColorType::Rgb, &page)
            .map_err(|e| unwritten(self.file.get_ref().path(), e))?;
        commit(self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_fills_its_picture_and_a_ring_leaves_its_middle_dark() {
        let matrix: Shape = "matrix:4x2".parse().unwrap();
        let (of, width, height) = layout(&matrix, 8);
        assert_eq!((width, height), (96, 48));
        assert!(of.iter().all(Option::is_some));
        assert_eq!([of[0], of[95], of[47 * 96], of[47 * 96 + 95]], [Some(0), Some(3), Some(4), Some(7)]);
        let (of, width, height) = layout(&Shape::Ring, 60);
        assert_eq!(of[height / 2 * width + width / 2], None);
        assert_eq!(of[2 * width + width / 2], Some(0), "the first LED is at the top");
    }
}
