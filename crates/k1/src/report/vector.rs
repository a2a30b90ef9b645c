//! Draws strips as SVG inside a page. Colours are variables of the page, which may be dark or light.

use std::fmt::Write;
use std::io;

use base64::Engine;

use super::ink::{self, Ink};
use super::layout::{self, Align, Area, HEAT_ROWS, LETTER, Surface};
use super::record::Record;
use crate::picture::encode_png;

/// Columns per column of the heat map, because the belief in a tempo changes slowly.
const HEAT_COLUMNS: usize = 5;

/// One strip of a record, `columns` to each, as an `svg` element.
pub fn strip(record: &Record, columns: usize, strip: usize) -> io::Result<String> {
    let mut vector = Vector { svg: String::new(), failed: None };
    layout::strip(&mut vector, record, columns, strip);
    if let Some(e) = vector.failed {
        return Err(e);
    }
    let begin = (strip * columns) as f64 * record.column_s();
    let shown = record.columns().len().saturating_sub(strip * columns).min(columns);
    let (from, to) = (layout::clock(begin), layout::clock(begin + shown as f64 * record.column_s()));
    Ok(format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{from} to {to}\" data-first=\"{}\" data-shown=\"{shown}\">{}</svg>",
        layout::width(columns),
        layout::HEIGHT,
        strip * columns,
        vector.svg
    ))
}

struct Vector {
    svg: String,
    failed: Option<io::Error>,
}

impl Vector {
    fn add(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.svg.write_fmt(element);
    }
}

/// A number with as many digits as the eye needs.
fn short(x: f32) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

impl Surface for Vector {
    fn rect(&mut self, area: Area, ink: Ink, opacity: f32) {
        let [x, y, w, h] = [area.x, area.y, area.w, area.h].map(short);
        let name = ink.name();
        let opacity = if opacity < 1.0 { format!(" opacity=\"{opacity:.2}\"") } else { String::new() };
        self.add(format_args!(
            "<rect class=\"{name}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{opacity}/>"
        ));
    }

    fn spans(&mut self, x: f32, spans: &[(f32, f32)], ink: Ink, opacity: f32) {
        let Some((last, rest)) = spans.split_last() else { return };
        // Along the upper edge and back along the lower one, without points between equal neighbours.
        let mut path = format!("M{} {}", short(x), short(spans[0].0));
        let mut before = spans[0].0;
        for (i, (top, _)) in spans.iter().enumerate().skip(1) {
            if (top - before).abs() >= 0.05 {
                let _ = write!(path, "H{}V{}", short(x + i as f32), short(*top));
                before = *top;
            }
        }
        let _ = write!(path, "H{}V{}", short(x + spans.len() as f32), short(last.1));
        before = last.1;
        for (i, (_, bottom)) in rest.iter().enumerate().rev() {
            if (bottom - before).abs() >= 0.05 {
                let _ = write!(path, "H{}V{}", short(x + (i + 1) as f32), short(*bottom));
                before = *bottom;
            }
        }
        let _ = write!(path, "H{}Z", short(x));
        self.add(format_args!("<path class=\"{}\" opacity=\"{opacity:.2}\" d=\"{path}\"/>", ink.name()));
    }

    fn line(&mut self, x: f32, heights: &[Option<f32>], ink: Ink) {
        let mut path = String::new();
        let mut before: Option<f32> = None;
        for (i, height) in heights.iter().enumerate() {
            let at = x + i as f32;
            match (before, *height) {
                (None, Some(y)) => {
                    let _ = write!(path, "M{} {}h1", short(at), short(y));
                }
                (Some(a), Some(y)) if (y - a).abs() >= 0.05 => {
                    let _ = write!(path, "H{}L{} {}", short(at), short(at + 1.0), short(y));
                }
                (Some(_), None) => {
                    let _ = write!(path, "H{}", short(at));
                }
                // Compare with the last drawn value, so that slow drift is not lost.
                (Some(_), Some(_)) => continue,
                (None, None) => {}
            }
            before = *height;
        }
        if before.is_some() {
            let _ = write!(path, "H{}", short(x + heights.len() as f32));
        }
        self.add(format_args!("<path class=\"{} line\" d=\"{path}\"/>", ink.name()));
    }

    fn heat(&mut self, x: f32, y: f32, columns: &[[f32; HEAT_ROWS]]) {
        if columns.is_empty() {
            return;
        }
        let groups: Vec<_> = columns.chunks(HEAT_COLUMNS).collect();
        let mut pixels = Vec::with_capacity(4 * groups.len() * HEAT_ROWS);
        for row in 0..HEAT_ROWS {
            for group in &groups {
                let sum: f32 = group.iter().map(|column| column[row]).sum();
                pixels.extend(ink::heat(sum / group.len() as f32));
            }
        }
        let mut file = Vec::new();
        match encode_png(&mut file, groups.len(), HEAT_ROWS, png::ColorType::Rgba, &pixels) {
            Ok(()) => {
                let [x, y] = [x, y].map(short);
                let (width, shown) = (groups.len() * HEAT_COLUMNS, columns.len());
                // The last group may be incomplete; the inner picture cuts off the rest.
                let data = base64::engine::general_purpose::STANDARD.encode(file);
                self.add(format_args!(
                    "<svg x=\"{x}\" y=\"{y}\" width=\"{shown}\" height=\"{HEAT_ROWS}\"><image width=\"{width}\" \
                     height=\"{HEAT_ROWS}\" preserveAspectRatio=\"none\" href=\"data:image/png;base64,{data}\"/></svg>"
                ));
            }
            Err(e) => self.failed = Some(e),
        }
    }

    fn text(&mut self, x: f32, y: f32, align: Align, ink: Ink, text: &str) {
        let anchor = match align {
            Align::Left => "start",
            Align::Middle => "middle",
            Align::Right => "end",
        };
        let (x, y, name) = (short(x), short(y + 0.86 * LETTER), ink.name());
        self.add(format_args!(
            "<text class=\"{name}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_along_both_edges_and_skips_what_is_level() {
        let mut vector = Vector { svg: String::new(), failed: None };
        vector.spans(10.0, &[(1.0, 4.0), (1.0, 4.0), (2.0, 3.0)], Ink::Sound, 1.0);
        assert!(vector.svg.contains("d=\"M10 1H12V2H13V3H12V4H10Z\""), "{}", vector.svg);
    }

    #[test]
    fn a_line_is_interrupted_where_there_is_nothing() {
        let mut vector = Vector { svg: String::new(), failed: None };
        vector.line(0.0, &[None, Some(5.0), Some(5.0), None, Some(7.0)], Ink::Beat);
        assert!(vector.svg.contains("d=\"M1 5h1H3M4 7h1H5\""), "{}", vector.svg);
    }
}
