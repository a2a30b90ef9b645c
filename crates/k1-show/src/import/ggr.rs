//! Gradients of GIMP (<https://developer.gimp.org/core/standards/ggr>).

use std::f32::consts::PI;

use super::{Colour, Stop, mix};

/// Most segments of a gradient.
const MOST_SEGMENTS: usize = 4_096;
/// Parts that a segment is cut into if its colours do not change evenly.
const PARTS: usize = 8;

/// A part of a gradient.
struct Segment {
    left: f32,
    middle: f32,
    right: f32,
    from: Colour,
    to: Colour,
    /// How it is blended: 0 linear, 1 curved, 2 sinusoidal, 3 spherical (increasing), 4 spherical (decreasing), 5 step.
    blending: u8,
    /// In which space: 0 RGB, 1 HSV counter-clockwise, 2 HSV clockwise.
    colouring: u8,
}

/// Reads a file.
pub fn read(text: &str) -> Result<(Option<String>, Vec<Stop>), String> {
    let mut lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).peekable();
    let name = lines.next_if(|line| line.starts_with("Name:")).map(|line| line[5..].trim().to_owned());
    let count = lines.next().and_then(|line| line.parse::<usize>().ok());
    let count = count.filter(|n| (1..=MOST_SEGMENTS).contains(n)).ok_or_else(|| {
        format!("the gradient of GIMP does not say its number of segments, 1 to {MOST_SEGMENTS}")
    })?;
    let mut stops = Vec::new();
    for number in 1..=count {
        let line = lines.next().ok_or_else(|| {
            format!("the gradient of GIMP ends after {} of its {count} segments", number - 1)
        })?;
        segment(line)
            .map_err(|why| format!("segment {number} of the gradient of GIMP {why}"))?
            .draw(&mut stops);
    }
    Ok((name.filter(|name| !name.is_empty()), stops))
}

fn segment(line: &str) -> Result<Segment, String> {
    let numbers: Option<Vec<f32>> = line
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|number: &f32| number.is_finite()))
        .collect();
    // Old files do not say where the end colours come from.
    let numbers = numbers.filter(|n| [13, 15].contains(&n.len())).ok_or("does not have 13 or 15 numbers")?;
    if numbers[13..].iter().any(|kind| *kind != 0.0) {
        return Err(
            "takes a colour of GIMP's tools (foreground or background), which K1 does not have".into()
        );
    }
    let (left, middle, right) = (numbers[0], numbers[1], numbers[2]);
    if !(left <= middle && middle <= right && (0.0..=1.0).contains(&left) && right <= 1.0) {
        return Err("has positions that are not in order from 0 to 1".into());
    }
    let colour = |at: usize| -> Colour { std::array::from_fn(|i| numbers[at + i].clamp(0.0, 1.0)) };
    let kind = |at: usize, most: f32| Some(numbers[at]).filter(|n| (0.0..=most).contains(n)).map(|n| n as u8);
    let blending = kind(11, 5.0).ok_or("has a way of blending that K1 does not know (0 to 5)")?;
    let colouring = kind(12, 2.0).ok_or("has a kind of colouring that K1 does not know (0 to 2)")?;
    Ok(Segment { left, middle, right, from: colour(3), to: colour(7), blending, colouring })
}

impl Segment {
    fn draw(&self, stops: &mut Vec<Stop>) {
        let (length, middle) = (self.right - self.left, self.middle);
        let share = if length > 0.0 { (middle - self.left) / length } else { 0.5 };
        stops.push((self.left, self.from));
        match (self.blending, self.colouring) {
            (5, _) => stops.extend([(middle, self.from), (middle, self.to)]),
            (0, 0) => {
                // A middle in the middle says nothing.
                if (share - 0.5).abs() > 0.005 {
                    stops.push((middle, mix(self.from, self.to, 0.5)));
                }
            }
            _ => stops.extend((1..PARTS).map(|part| {
                let x = part as f32 / PARTS as f32;
                (self.left + length * x, self.colour(self.blend(share, x)))
            })),
        }
        stops.push((self.right, self.to));
    }

    /// How much of the end colour is at `x`; half of it is at `share`.
    fn blend(&self, share: f32, x: f32) -> f32 {
        let linear = match x <= share {
            true if share > 0.0 => 0.5 * x / share,
            true => 0.0,
            false => 0.5 + 0.5 * (x - share) / (1.0 - share),
        };
        match self.blending {
            1 => x.powf(0.5_f32.ln() / share.clamp(1e-4, 1.0 - 1e-4).ln()),
            2 => 0.5 - 0.5 * (PI * linear).cos(),
            3 => (1.0 - (1.0 - linear).powi(2)).sqrt(),
            4 => 1.0 - (1.0 - linear.powi(2)).sqrt(),
            _ => linear,
        }
    }

    fn colour(&self, t: f32) -> Colour {
        if self.colouring == 0 {
            return mix(self.from, self.to, t);
        }
        let ([h, s, v], [mut to_h, to_s, to_v]) = (hsv(self.from), hsv(self.to));
        match self.colouring {
            1 if to_h < h => to_h += 1.0,
            2 if to_h > h => to_h -= 1.0,
            _ => {}
        }
        let [h, s, v, opacity] = mix([h, s, v, self.from[3]], [to_h, to_s, to_v, self.to[3]], t);
        let [r, g, b] = [5.0, 3.0, 1.0].map(|n| {
            let k = (n + h * 6.0).rem_euclid(6.0);
            v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)
        });
        [r, g, b, opacity]
    }
}

/// Hue in turns, saturation and value.
fn hsv([r, g, b, _]: Colour) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let spread = most - least;
    if spread <= 0.0 {
        return [0.0, 0.0, most];
    }
    let sixth = if most == r {
        (g - b) / spread
    } else if most == g {
        2.0 + (b - r) / spread
    } else {
        4.0 + (r - g) / spread
    };
    [(sixth / 6.0).rem_euclid(1.0), spread / most, most]
}

#[cfg(test)]
mod tests {
    use super::super::gradient;

    fn file(segments: &[&str]) -> String {
        format!("GIMP Gradient\nName: Late dusk\n{}\n{}\n", segments.len(), segments.join("\n"))
    }

    #[test]
    fn segments_become_stops() {
        let read =
            gradient(&file(&["0.0 0.25 0.5 1 0 0 1 0 0 1 1 0 0 0 0", "0.5 0.6 1.0 0 0 1 1 1 1 1 0.5 0 0"]))
                .unwrap();
        assert_eq!(read.name.as_deref(), Some("Late dusk"));
        let expected = [
            (0.0, [255, 0, 0]),
            (0.5, [0, 0, 255]),
            // The middle of the second segment, with its opacity.
            (0.6, [96, 96, 191]),
            (1.0, [128, 128, 128]),
        ];
        assert_eq!(read.stops, expected);
        let step = gradient(&file(&["0 0.3 1 1 1 1 1 0 0 0 1 5 0 0 0"])).unwrap();
        assert_eq!(step.stops, [(0.0, [255; 3]), (0.3, [255; 3]), (0.3, [0; 3]), (1.0, [0; 3])]);
    }

    #[test]
    fn ways_of_blending_and_hues_are_followed() {
        let grey = |kind: u8| {
            let read = gradient(&file(&[&format!("0 0.5 1 0 0 0 1 1 1 1 1 {kind} 0 0 0")])).unwrap();
            assert_eq!(read.stops.len(), 9);
            [2, 4, 6].map(|i| read.stops[i].1[0])
        };
        assert_eq!(grey(1), [64, 128, 191], "curved with its middle in the middle is linear");
        assert_eq!(grey(2), [37, 128, 218], "sinusoidal");
        assert_eq!((grey(3), grey(4)), ([169, 221, 247], [8, 34, 86]), "spherical");
        // From red to green, through yellow or through blue.
        let hue = |kind: u8| {
            gradient(&file(&[&format!("0 0.5 1 1 0 0 1 0 1 0 1 0 {kind} 0 0")])).unwrap().stops[4].1
        };
        assert_eq!((hue(1), hue(2)), ([255, 255, 0], [0, 0, 255]));
    }

    #[test]
    fn wrong_files_get_a_sentence() {
        let good = "0 0.5 1 1 0 0 1 0 0 1 1 0 0 0 0";
        for (text, sentence) in [
            ("GIMP Gradient".to_owned(), "its number of segments"),
            ("GIMP Gradient\nName: x\n0\n".into(), "its number of segments"),
            ("GIMP Gradient\nName: x\n99999999999\n".into(), "its number of segments"),
            (format!("GIMP Gradient\n2\n{good}\n"), "ends after 1 of its 2 segments"),
            (file(&["0 0.5 1 1 0 0"]), "segment 1 of the gradient of GIMP does not have 13 or 15 numbers"),
            (file(&[&good.replace("0.5", "NaN")]), "does not have 13 or 15 numbers"),
            (file(&[&good.replace("0.5", "2")]), "not in order from 0 to 1"),
            (file(&["0 0.5 1 1 0 0 1 0 0 1 1 9 0 0 0"]), "a way of blending"),
            (file(&["0 0.5 1 1 0 0 1 0 0 1 1 0 3 0 0"]), "a kind of colouring"),
            (file(&["0 0.5 1 1 0 0 1 0 0 1 1 0 0 1 0"]), "foreground or background"),
            (file(&["0.5 0.7 1 1 0 0 1 0 0 1 1 0 0 0 0", good]), "must not fall"),
        ] {
            let said = gradient(&text).unwrap_err();
            assert!(said.contains(sentence), "{text}: {said}");
        }
    }
}
