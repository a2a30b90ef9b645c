//! `linear-gradient(…)` of CSS (CSS Images 3, CSS Color 4). Its direction says nothing about colours.

use super::{Colour, Stop};

/// Names of colours; the others have to be written in digits.
const NAMES: [(&str, [u8; 3]); 24] = [
    ("black", [0, 0, 0]),
    ("white", [255, 255, 255]),
    ("red", [255, 0, 0]),
    ("lime", [0, 255, 0]),
    ("blue", [0, 0, 255]),
    ("yellow", [255, 255, 0]),
    ("cyan", [0, 255, 255]),
    ("aqua", [0, 255, 255]),
    ("magenta", [255, 0, 255]),
    ("fuchsia", [255, 0, 255]),
    ("silver", [192, 192, 192]),
    ("gray", [128, 128, 128]),
    ("grey", [128, 128, 128]),
    ("maroon", [128, 0, 0]),
    ("olive", [128, 128, 0]),
    ("green", [0, 128, 0]),
    ("purple", [128, 0, 128]),
    ("teal", [0, 128, 128]),
    ("navy", [0, 0, 128]),
    ("orange", [255, 165, 0]),
    ("pink", [255, 192, 203]),
    ("gold", [255, 215, 0]),
    ("violet", [238, 130, 238]),
    ("indigo", [75, 0, 130]),
];

/// Reads the first `linear-gradient(…)` of a text.
pub fn read(text: &str) -> Result<Vec<Stop>, String> {
    let text = text.to_ascii_lowercase();
    let (_, rest) = text.split_once("linear-gradient(").ok_or(
        "of the gradients of CSS, K1 takes linear-gradient(…); a palette has neither a centre nor an angle",
    )?;
    let inside = inside(rest).ok_or("the parenthesis of linear-gradient( is not closed")?;
    let mut parts = split(inside).into_iter().map(str::trim).peekable();
    parts.next_if(|first| is_direction(first));
    let mut stops: Vec<(Option<f32>, Colour)> = Vec::new();
    for part in parts {
        let end = match part.find('(') {
            Some(open) if part[..open].bytes().all(|b| b.is_ascii_alphanumeric()) => {
                open + 2 + self::inside(&part[open + 1..]).map_or(part.len(), str::len)
            }
            _ => part.find(char::is_whitespace).unwrap_or(part.len()),
        };
        let (colour_text, places) = part.split_at_checked(end).unwrap_or((part, ""));
        let colour = colour(colour_text).ok_or_else(|| {
            format!("“{colour_text}” is not a colour that K1 knows; write it as #rrggbb, rgb(…) or hsl(…)")
        })?;
        let places: Vec<_> = places.split_whitespace().map(place).collect::<Result<_, _>>()?;
        match places[..] {
            [] => stops.push((None, colour)),
            [at] => stops.push((Some(at), colour)),
            [from, to] => stops.extend([(Some(from), colour), (Some(to), colour)]),
            _ => return Err(format!("“{part}” has more than two positions")),
        }
    }
    Ok(placed(stops))
}

/// Gives each stop its position, as CSS says: the ends are at 0 and 100 %, a stop is never before another, and stops
/// without a position are evenly spaced.
fn placed(mut stops: Vec<(Option<f32>, Colour)>) -> Vec<Stop> {
    if let Some(first) = stops.first_mut() {
        first.0.get_or_insert(0.0);
    }
    if let Some(last) = stops.last_mut() {
        last.0.get_or_insert(1.0);
    }
    let mut least = 0.0_f32;
    for at in stops.iter_mut().filter_map(|(at, _)| at.as_mut()) {
        *at = at.max(least);
        least = *at;
    }
    let mut all: Vec<Stop> = Vec::new();
    let mut waiting: Vec<Colour> = Vec::new();
    for (at, colour) in stops {
        let Some(at) = at else {
            waiting.push(colour);
            continue;
        };
        let (from, steps) = (all.last().map_or(0.0, |(from, _)| *from), (waiting.len() + 1) as f32);
        let between = waiting
            .drain(..)
            .enumerate()
            .map(|(i, colour)| (from + (at - from) * (i + 1) as f32 / steps, colour));
        all.extend(between);
        all.push((at, colour));
    }
    all
}

/// The text up to the parenthesis that closes.
fn inside(text: &str) -> Option<&str> {
    let mut depth = 1;
    let end = text.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0
    });
    end.map(|(end, _)| &text[..end])
}

/// Splits at the commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .collect()
}

fn is_direction(text: &str) -> bool {
    let is_angle = ["deg", "turn", "rad", "grad"]
        .iter()
        .any(|unit| text.strip_suffix(unit).is_some_and(|number| number.parse::<f32>().is_ok()));
    is_angle || text.starts_with("to ") || text.starts_with("in ")
}

/// A position: a percentage, or 0.
fn place(text: &str) -> Result<f32, String> {
    let number = text.strip_suffix('%').and_then(|n| n.parse::<f32>().ok()).map(|n| n / 100.0);
    number
        .or_else(|| (text == "0").then_some(0.0))
        .ok_or_else(|| format!("“{text}” is not a position that K1 knows; write a percentage, such as 40%"))
}

/// A colour of CSS.
fn colour(text: &str) -> Option<Colour> {
    let bytes = |[r, g, b]: [u8; 3]| [r, g, b].map(|c| f32::from(c) / 255.0);
    if text == "transparent" {
        return Some([0.0; 4]);
    }
    if let Some(digits) = text.strip_prefix('#') {
        let opacity = match digits.len() {
            4 => u8::from_str_radix(digits.get(3..)?, 16).ok()? * 17,
            8 => u8::from_str_radix(digits.get(6..)?, 16).ok()?,
            _ => 255,
        };
        let short = if digits.len() % 4 == 0 { digits.len() / 4 * 3 } else { digits.len() };
        let [r, g, b] = bytes(crate::palette::colour(&format!("#{}", digits.get(..short)?))?);
        return Some([r, g, b, f32::from(opacity) / 255.0]);
    }
    if let Some((kind, rest)) = text.split_once('(') {
        let values = rest.strip_suffix(')')?.replace([',', '/'], " ");
        let values: Vec<_> = values.split_whitespace().collect();
        let (&[a, b, c, ref opacity @ ..], true) = (&values[..], values.len() <= 4) else { return None };
        let opacity = opacity.first().map_or(Some(1.0), |o| share(o, 1.0))?;
        let [r, g, b] = match kind {
            "rgb" | "rgba" => [share(a, 255.0)?, share(b, 255.0)?, share(c, 255.0)?],
            "hsl" | "hsla" => of_hsl(hue(a)?, share(b, 100.0)?, share(c, 100.0)?),
            _ => return None,
        };
        return Some([r, g, b, opacity]);
    }
    let [r, g, b] = NAMES.iter().find(|(name, _)| *name == text).map(|(_, rgb)| bytes(*rgb))?;
    Some([r, g, b, 1.0])
}

/// A percentage, or a number of `whole`, as 0 to 1.
fn share(text: &str, whole: f32) -> Option<f32> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f32>().ok()? / 100.0,
        None => text.parse::<f32>().ok()? / whole,
    };
    share.is_finite().then_some(share.clamp(0.0, 1.0))
}

/// A hue in turns.
fn hue(text: &str) -> Option<f32> {
    let turns = match text.strip_suffix("turn") {
        Some(turns) => turns.parse::<f32>().ok()?,
        None => text.strip_suffix("deg").unwrap_or(text).parse::<f32>().ok()? / 360.0,
    };
    turns.is_finite().then_some(turns.rem_euclid(1.0))
}

fn of_hsl(hue: f32, saturation: f32, lightness: f32) -> [f32; 3] {
    let spread = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|n| {
        let k = (n + hue * 12.0).rem_euclid(12.0);
        lightness - spread * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::gradient;

    fn stops(text: &str) -> Vec<(f32, [u8; 3])> {
        gradient(text).unwrap().stops
    }

    #[test]
    fn what_people_copy_from_pages_is_read() {
        let expected = [(0.0, [255, 136, 0]), (0.4, [0, 0, 255]), (1.0, [255, 255, 255])];
        for text in [
            "linear-gradient(#f80, #00f 40%, #ffffff)",
            "background-image: linear-gradient(to right, RGB(255, 136, 0) 0%, blue 40%, white 100%);",
            ".a { background: -webkit-linear-gradient(45deg, rgba(255 136 0 / 100%), hsl(240, 100%, 50%) 40%, hsl(0deg 0% 100%)) }",
            "linear-gradient(in oklab, #ff8800ff, #00ff 40%, #fff 100%)",
        ] {
            assert_eq!(stops(text), expected, "{text}");
        }
        // Evenly spaced, two positions of one colour, and never backwards.
        let edge = stops("linear-gradient(red, lime, blue 50% 60%, black 20%)");
        let expected = [
            (0.0, [255, 0, 0]),
            (0.25, [0, 255, 0]),
            (0.5, [0, 0, 255]),
            (0.6, [0, 0, 255]),
            (0.6, [0, 0, 0]),
        ];
        assert_eq!(edge, expected);
        assert_eq!(stops("linear-gradient(rgb(255 255 255 / 50%), transparent)")[0].1, [128, 128, 128]);
        assert_eq!(stops("linear-gradient(hsl(120 100% 25%), red)")[0].1, [0, 128, 0]);
    }

    #[test]
    fn wrong_gradients_get_a_sentence() {
        for (text, sentence) in [
            ("radial-gradient(red, blue)", "K1 takes linear-gradient(…)"),
            ("linear-gradient(red, blue", "not closed"),
            ("linear-gradient(red, chartreuse)", "“chartreuse” is not a colour"),
            ("linear-gradient(red, #12345)", "“#12345” is not a colour"),
            ("linear-gradient(red, rgb(1, 2))", "“rgb(1, 2)” is not a colour"),
            ("linear-gradient(red 10px, blue)", "“10px” is not a position"),
            ("linear-gradient(red 1% 2% 3%, blue)", "more than two positions"),
            ("linear-gradient(red, blue 120%)", "0 to 100 %"),
            ("linear-gradient()", "is not a colour"),
            ("linear-gradient(red, 30%, blue)", "“30%” is not a colour"),
        ] {
            let said = gradient(text).unwrap_err();
            assert!(said.contains(sentence), "{text}: {said}");
        }
    }
}
