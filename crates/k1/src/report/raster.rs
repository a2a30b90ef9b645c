//! Draws strips as pixels.

use std::io;

use super::font::{ADVANCE, glyph};
use super::ink::{self, Ink};
use super::layout::{self, Align, Area, HEAT_ROWS, HEIGHT, RIGHT, Surface};
use super::record::{MOST_COLUMNS, Record};
use crate::picture::encode_png;

/// Columns of a strip: 24 s of sound at 16 ms per column.
const COLUMNS: usize = 1_500;
/// Pixels above the first strip.
const HEADER: usize = 96;
/// Longest title in letters, to leave room for the legend.
const TITLE: usize = 48;
/// Thickness of a line.
const LINE: f32 = 2.5;

// Viewers refuse much taller pictures.
const _: () = assert!(HEADER + MOST_COLUMNS / COLUMNS * HEIGHT as usize <= 8_000);

/// The picture of a record, as a PNG.
pub fn picture(record: &Record, title: &str) -> io::Result<Vec<u8>> {
    let strips = layout::strips(record, COLUMNS);
    let width = layout::width(COLUMNS) as usize;
    let mut raster = Raster::new(width, HEADER + strips * HEIGHT as usize);
    raster.header(record, title);
    for strip in 0..strips {
        raster.top = HEADER + strip * HEIGHT as usize;
        layout::strip(&mut raster, record, COLUMNS, strip);
    }
    let mut file = Vec::new();
    encode_png(&mut file, width, raster.height, png::ColorType::Rgb, &raster.pixels)?;
    Ok(file)
}

/// RGB pixels on a dark ground.
struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// Row of pixels at y = 0 of the drawing.
    top: usize,
}

impl Raster {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: Ink::Ground.dark().repeat(width * height), top: 0 }
    }

    fn header(&mut self, record: &Record, title: &str) {
        let mut name: String = title.chars().take(TITLE).collect();
        if title.chars().nth(TITLE).is_some() {
            name.truncate(name.char_indices().nth(TITLE - 3).map_or(0, |(at, _)| at));
            name.push_str("...");
        }
        self.letters(8, 16, 3, Ink::Text, &name);
        let f = record.figures();
        let tempo = f.bpm.map_or("no beat".to_owned(), |bpm| format!("{bpm:.1} BPM"));
        let bars = f.beats_per_bar.map(|n| format!("   {} bars of {n}", f.bars)).unwrap_or_default();
        let figures = format!(
            "{tempo}   {} long   {:.0}% with beat   {} beats, {:.1}/min{bars}   {} onsets   confidence {:.0}%",
            layout::clock(f.seconds),
            100.0 * f.with_beat,
            f.beats,
            f.beats_per_minute,
            f.onsets,
            100.0 * f.confidence
        );
        self.letters(8, 52, 2, Ink::Dim, &figures);
        let mut x = self.width as f32 - RIGHT;
        let legend = [
            ("tempo", Ink::Beat),
            ("onset", Ink::Onset),
            ("downbeat", Ink::Beat),
            ("announced beat", Ink::Beat),
        ];
        for (name, ink) in legend.into_iter().filter(|(name, _)| *name != "downbeat" || f.bars > 0) {
            x -= (name.len() * 2 * ADVANCE) as f32;
            self.letters(x as usize, 20, 2, Ink::Dim, name);
            x -= 20.0;
            let mark = match name {
                "tempo" => Area { x, y: 26.0, w: 14.0, h: LINE },
                "onset" => Area { x: x + 6.0, y: 23.0, w: 3.0, h: 8.0 },
                "downbeat" => Area { x: x + 5.0, y: 18.0, w: 4.0, h: 18.0 },
                _ => Area { x: x + 6.0, y: 18.0, w: 2.0, h: 18.0 },
            };
            self.rect(mark, ink, 1.0);
            x -= 20.0;
        }
    }

    /// Letters of `scale` pixels a point, their upper left corner at (x, y).
    fn letters(&mut self, x: usize, y: usize, scale: usize, ink: Ink, text: &str) {
        for (i, letter) in text.chars().enumerate() {
            for (row, bits) in glyph(letter).into_iter().enumerate() {
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    let left = x + scale * (i * ADVANCE + column);
                    for py in y + scale * row..y + scale * (row + 1) {
                        for px in left..left + scale {
                            self.blend(px, py, ink.dark(), 1.0);
                        }
                    }
                }
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], opacity: f32) {
        let y = y + self.top;
        if x >= self.width || y >= self.height {
            return;
        }
        let at = 3 * (y * self.width + x);
        for (under, over) in self.pixels[at..at + 3].iter_mut().zip(colour) {
            let mixed = f32::from(*under) + (f32::from(over) - f32::from(*under)) * opacity.clamp(0.0, 1.0);
            *under = mixed.round() as u8;
        }
    }

    /// One column from `top` to `bottom`, with anti-aliased ends.
    fn span(&mut self, x: usize, top: f32, bottom: f32, colour: [u8; 3], opacity: f32) {
        let (top, bottom) = (top.max(0.0), bottom.max(0.0));
        for y in top as usize..bottom.ceil() as usize {
            let covered = bottom.min((y + 1) as f32) - top.max(y as f32);
            self.blend(x, y, colour, opacity * covered);
        }
    }
}

impl Surface for Raster {
    fn rect(&mut self, area: Area, ink: Ink, opacity: f32) {
        for x in area.x.max(0.0).round() as usize..(area.x + area.w).max(0.0).round() as usize {
            self.span(x, area.y, area.y + area.h, ink.dark(), opacity);
        }
    }

    fn spans(&mut self, x: f32, spans: &[(f32, f32)], ink: Ink, opacity: f32) {
        for (i, (top, bottom)) in spans.iter().enumerate() {
            self.span(x as usize + i, *top, *bottom, ink.dark(), opacity);
        }
    }

    fn line(&mut self, x: f32, heights: &[Option<f32>], ink: Ink) {
        for (i, height) in heights.iter().enumerate() {
            let Some(y) = *height else { continue };
            let before = i.checked_sub(1).and_then(|b| heights[b]).unwrap_or(y);
            let (top, bottom) = (y.min(before) - 0.5 * LINE, y.max(before) + 0.5 * LINE);
            self.span(x as usize + i, top, bottom, ink.dark(), 1.0);
        }
    }

    fn heat(&mut self, x: f32, y: f32, columns: &[[f32; HEAT_ROWS]]) {
        for (i, column) in columns.iter().enumerate() {
            for (row, belief) in column.iter().enumerate() {
                let [r, g, b, opacity] = ink::heat(*belief);
                self.blend(x as usize + i, y as usize + row, [r, g, b], f32::from(opacity) / 255.0);
            }
        }
    }

    fn text(&mut self, x: f32, y: f32, align: Align, ink: Ink, text: &str) {
        let width = (2 * (ADVANCE * text.chars().count()).saturating_sub(1)) as f32;
        let left = match align {
            Align::Left => x,
            Align::Middle => x - 0.5 * width,
            Align::Right => x - width,
        };
        self.letters(left.max(0.0).round() as usize, y.max(0.0).round() as usize, 2, ink, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_a_pixel_in_part_colours_it_in_part() {
        let mut raster = Raster::new(3, 4);
        raster.span(1, 0.5, 2.0, [255, 255, 255], 1.0);
        let red = |x: usize, y: usize| raster.pixels[3 * (y * 3 + x)];
        let ground = Ink::Ground.dark()[0];
        assert_eq!((red(1, 0), red(1, 1), red(1, 2)), (ground.midpoint(255) + 1, 255, ground));
        assert_eq!((red(0, 1), red(2, 1)), (ground, ground));
    }

    #[test]
    fn what_lies_outside_is_not_drawn_and_no_panic() {
        let mut raster = Raster::new(3, 4);
        raster.rect(Area { x: -5.0, y: -5.0, w: 50.0, h: 50.0 }, Ink::Text, 1.0);
        raster.text(1.0, 2.0, Align::Middle, Ink::Dim, "0:00");
        assert_eq!(raster.pixels.len(), 36);
    }

    #[test]
    fn a_strip_ends_where_the_columns_do() {
        assert_eq!(layout::width(COLUMNS), layout::LEFT + COLUMNS as f32 + RIGHT);
        let mut record = Record::default();
        record.samples(&vec![0.5; 256 * COLUMNS + 1]);
        assert_eq!(layout::strips(&record, COLUMNS), 2);
        let decoder = png::Decoder::new(io::Cursor::new(picture(&record, "x").unwrap()));
        let reader = decoder.read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (1_640, 96 + 2 * 328));
    }
}
