//! Gradients that other programs write, as palettes: CSS, GIMP and WLED.
//!
//! K1 keeps their colours and positions, and blends between them as in its own palettes. Transparent colours become darker.

mod css;
mod ggr;
mod wled;

use crate::palette::MOST_STOPS;

/// A gradient that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// Its name, if the text has one.
    pub name: Option<String>,
    /// Position 0 to 1 and colour in sRGB; 2 to [`MOST_STOPS`], with positions that never fall.
    pub stops: Vec<(f32, [u8; 3])>,
}

/// Red, green, blue (sRGB) and opacity, 0 to 1.
type Colour = [f32; 4];
/// Position and colour.
type Stop = (f32, Colour);

/// Reads a gradient: `linear-gradient(…)` of CSS, a file of GIMP (.ggr), or a palette of WLED (JSON).
///
/// # Errors
///
/// A sentence that says what is wrong, or which forms there are. It may quote the text, on one line.
pub fn gradient(text: &str) -> Result<Gradient, String> {
    read(text).map_err(|sentence| sentence.replace(char::is_control, " "))
}

fn read(text: &str) -> Result<Gradient, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let (name, stops) = if text.starts_with("GIMP Gradient") {
        ggr::read(text)?
    } else if text.starts_with(['{', '[']) {
        wled::read(text)?
    } else if text.contains("gradient(") {
        (None, css::read(text)?)
    } else {
        return Err("this is not a gradient that K1 knows; it takes linear-gradient(…) of CSS, gradients of GIMP (.ggr), and \
                    palettes of WLED (JSON)"
            .into());
    };
    Ok(Gradient { name, stops: finished(stops)? })
}

/// The stops of a palette. Too many are replaced by evenly spaced ones.
fn finished(mut stops: Vec<Stop>) -> Result<Vec<(f32, [u8; 3])>, String> {
    let is_within = |(at, colour): &Stop| (0.0..=1.0).contains(at) && colour.iter().all(|c| c.is_finite());
    if stops.is_empty() || !stops.iter().all(is_within) {
        return Err("the positions of a gradient are from its beginning to its end (0 to 100 %)".into());
    }
    if stops.windows(2).any(|pair| pair[1].0 < pair[0].0) {
        return Err("the positions of a gradient must not fall".into());
    }
    stops.dedup();
    if stops.len() > MOST_STOPS {
        let last = (MOST_STOPS - 1) as f32;
        stops = (0..MOST_STOPS).map(|i| i as f32 / last).map(|at| (at, colour_at(&stops, at))).collect();
    }
    if let [only] = stops[..] {
        stops = vec![(0.0, only.1), (1.0, only.1)];
    }
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    Ok(stops.into_iter().map(|(at, [r, g, b, opacity])| (at, [r, g, b].map(|c| byte(c * opacity)))).collect())
}

fn colour_at(stops: &[Stop], at: f32) -> Colour {
    let next = stops.partition_point(|(place, _)| *place <= at);
    match (next.checked_sub(1).and_then(|i| stops.get(i)), stops.get(next)) {
        (Some((from, a)), Some((to, b))) => mix(*a, *b, (at - from) / (to - from)),
        (Some((_, only)), None) | (None, Some((_, only))) => *only,
        (None, None) => [0.0; 4],
    }
}

fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_valid(gradient: &Gradient) -> bool {
        (2..=MOST_STOPS).contains(&gradient.stops.len())
            && gradient.stops.windows(2).all(|pair| pair[0].0 <= pair[1].0)
            && gradient.stops.iter().all(|(at, _)| (0.0..=1.0).contains(at))
    }

    #[test]
    fn other_texts_are_answered_with_the_forms() {
        for other in ["", "red", "<svg>", "\u{feff}"] {
            assert!(gradient(other).unwrap_err().contains("linear-gradient(…) of CSS"), "{other}");
        }
    }

    #[test]
    fn a_sentence_that_quotes_the_text_is_one_line() {
        let sentence = gradient("linear-gradient((\n))").unwrap_err();
        assert!(sentence.starts_with("“( )” is not a colour"), "{sentence}");
    }

    #[test]
    fn one_colour_and_too_many_become_a_palette() {
        let one = gradient("linear-gradient(#f00)").unwrap();
        assert_eq!(one.stops, [(0.0, [255, 0, 0]), (1.0, [255, 0, 0])]);
        let many: Vec<_> = (0..500).map(|i| format!("rgb({}, 0, 0)", i * 255 / 499)).collect();
        let many = gradient(&format!("linear-gradient({})", many.join(","))).unwrap();
        assert_eq!(many.stops.len(), MOST_STOPS);
        assert_eq!((many.stops[0].1, many.stops[MOST_STOPS - 1].1), ([0, 0, 0], [255, 0, 0]));
        assert!(many.stops[32].1[0].abs_diff(129) < 3, "{:?}", many.stops[32]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_gradient_or_a_sentence(
            head in prop::sample::select(vec!["", "linear-gradient(", "GIMP Gradient\n", "{\"palette\":[", "[0,"]),
            body in "[a-z0-9#%(),. \\-\n\"\\]\\}/]{0,120}",
            wild in ".{0,20}",
        ) {
            for text in [format!("{head}{body}"), format!("{head}{body}{wild})"), wild] {
                match gradient(&text) {
                    Ok(gradient) => prop_assert!(is_valid(&gradient), "{gradient:?}"),
                    Err(sentence) => prop_assert!(sentence.len() > 20 && !sentence.contains(char::is_control), "{sentence}"),
                }
            }
        }

        #[test]
        fn any_colours_come_through_every_form(colours in prop::collection::vec(any::<[u8; 3]>(), 2..17)) {
            let last = colours.len() - 1;
            let at = |i: usize| (255 * i / last) as u8;
            let css: Vec<_> = colours.iter().enumerate()
                .map(|(i, [r, g, b])| format!("rgb({r} {g} {b}) {}%", f32::from(at(i)) / 2.55)).collect();
            let flat: Vec<_> = colours.iter().enumerate()
                .map(|(i, [r, g, b])| format!("{},{r},{g},{b}", at(i))).collect();
            let hex: Vec<_> = colours.iter().enumerate()
                .map(|(i, [r, g, b])| format!("{},\"{r:02X}{g:02x}{b:02X}\"", at(i))).collect();
            let part = |[r, g, b]: [u8; 3]| [r, g, b].map(|c| format!("{}", f32::from(c) / 255.0)).join(" ");
            let ggr: Vec<_> = (0..last).map(|i| {
                let (from, to) = (f32::from(at(i)) / 255.0, f32::from(at(i + 1)) / 255.0);
                format!("{from} {} {to} {} 1 {} 1 0 0 0 0", (from + to) / 2.0, part(colours[i]), part(colours[i + 1]))
            }).collect();
            for text in [
                format!("background: linear-gradient(90deg, {});", css.join(", ")),
                format!("{{\"palette\":[{}]}}", flat.join(",")),
                format!("{{\"palette\":[{}]}}", hex.join(",")),
                format!("GIMP Gradient\nName: x\n{last}\n{}\n", ggr.join("\n")),
            ] {
                let gradient = gradient(&text).unwrap();
                let mut expected = colours.clone();
                expected.dedup();
                let mut read: Vec<_> = gradient.stops.iter().map(|(_, rgb)| *rgb).collect();
                read.dedup();
                prop_assert_eq!(read, if expected.len() > 1 { expected } else { vec![colours[0]] }, "{}", text);
            }
        }
    }
}
