//! Files that say where each LED is: lists of points, and the maps of WLED, Pixelblaze and xLights.
//!
//! In all of them x grows to the right and y downwards, as in a picture.

use k1_engine::light::Point;

use crate::MOST_LEDS;

/// The points of a map file, one for each LED.
///
/// | Format | Content |
/// |---|---|
/// | CSV | a line `x,y` for each LED; commas, semicolons, tabs or spaces; a heading and lines with `#` are skipped. Between semicolons or tabs, a comma is a decimal point |
/// | Pixelblaze | JSON: `[[x, y], …]`, one pair (or triple, whose third number is left out) for each LED |
/// | WLED | `ledmap.json`: `{"map": [LED, …], "width": W}`, the LED in each cell row by row, −1 for none |
/// | xLights | `.xmodel`: the attribute `CustomModel` with rows behind `;` and the number of an LED in each cell, or `CustomModelCompressed` with `LED,row,column` behind each `;` |
///
/// # Errors
///
/// A sentence that says what is wrong, with its line in a CSV file.
pub fn parse(text: &str) -> Result<Vec<Point>, String> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let points = match start.chars().next() {
        Some('[') => pixelblaze(start)?,
        Some('{') => ledmap(start)?,
        Some('<') => xlights(start)?,
        _ => csv(text)?,
    };
    match points.len() {
        0 => Err("the map has no point; write a line with x and y for each LED, as in 1.5, 2".into()),
        n if n > MOST_LEDS => Err(format!("the map has {n} points; a zone has at most {MOST_LEDS} pixels")),
        _ => Ok(points),
    }
}

fn point(x: f32, y: f32) -> Option<Point> {
    (x.is_finite() && y.is_finite()).then_some(Point { x, y: -y })
}

fn csv(text: &str) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    // Some programs still end lines as the first Macs did.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match numbers(line).as_slice() {
            [Some(x), Some(y), ..] => {
                points.push(point(*x, *y).ok_or_else(|| format!("line {}: not a finite number", n + 1))?);
            }
            [None, ..] if points.is_empty() => {}
            _ => return Err(format!("line {}: write two numbers, x and y, as in 1.5, 2", n + 1)),
        }
    }
    Ok(points)
}

/// The columns of a line; `None` for what is not a number.
fn numbers(line: &str) -> Vec<Option<f32>> {
    let wide: Vec<&str> = line.split([';', '\t']).filter(|word| !word.trim().is_empty()).collect();
    if wide.len() > 1 {
        let number = |word: &&str| word.trim_matches([',', ' ']).replace(',', ".").parse().ok();
        return wide.iter().map(number).collect();
    }
    let words = line.split([',', ';', '\t', ' ']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok()).collect()
}

fn pixelblaze(text: &str) -> Result<Vec<Point>, String> {
    let wrong = || "a map that begins with [ is a list of [x, y], as Pixelblaze writes it".to_owned();
    let all: Vec<Vec<f32>> = serde_json::from_str(text).map_err(|_| wrong())?;
    all.iter().map(|p| point(*p.first()?, *p.get(1)?)).collect::<Option<_>>().ok_or_else(wrong)
}

fn ledmap(text: &str) -> Result<Vec<Point>, String> {
    #[derive(serde::Deserialize)]
    struct Ledmap {
        map: Vec<i64>,
        width: Option<usize>,
    }
    let ledmap: Ledmap = serde_json::from_str(text)
        .map_err(|_| "a map that begins with { is WLED's, with \"map\": [LED, …] and \"width\"".to_owned())?;
    let width = ledmap.width.unwrap_or(ledmap.map.len()).max(1);
    let cells = ledmap.map.iter().enumerate().filter_map(|(cell, led)| {
        Some((usize::try_from(*led).ok()?, (cell % width) as f32, (cell / width) as f32))
    });
    in_order(cells.collect())
}

fn xlights(text: &str) -> Result<Vec<Point>, String> {
    if let Some(list) = attribute(text, "CustomModelCompressed") {
        return in_order(
            list.split(';')
                .filter(|cell| !cell.trim().is_empty())
                .map(compressed)
                .collect::<Result<_, _>>()?,
        );
    }
    let model = attribute(text, "CustomModel")
        .ok_or("the file of xLights has no attribute CustomModel; K1 reads custom models")?;
    if model.contains('|') {
        return Err(LAYERS.into());
    }
    let mut cells = Vec::new();
    for (y, row) in model.split(';').enumerate() {
        for (x, cell) in row.split(',').enumerate().filter(|(_, cell)| !cell.trim().is_empty()) {
            let led: i64 = cell.trim().parse().map_err(|_| no_led(cell))?;
            // A cell without an LED is blank, or 0.
            let led = usize::try_from(led).ok().and_then(|led| led.checked_sub(1));
            cells.extend(led.map(|led| (led, x as f32, y as f32)));
        }
    }
    in_order(cells)
}

const LAYERS: &str = "the model has several layers, and a map is flat; export a model with one layer";

fn no_led(cell: &str) -> String {
    let shown: String = cell.trim().chars().take(20).collect();
    format!("“{shown}” in the custom model is not the number of an LED; export the model again")
}

/// An LED of a compressed model: its index and its place.
fn compressed(cell: &str) -> Result<(usize, f32, f32), String> {
    let numbers: Option<Vec<u16>> = cell.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([led, row, column] | [led, row, column, 0]) if *led > 0 => {
            Ok((usize::from(*led) - 1, (*column).into(), (*row).into()))
        }
        Some([_, _, _, _]) => Err(LAYERS.into()),
        _ => Err(no_led(cell)),
    }
}

/// The value of an attribute of an XML element, unless it is empty.
fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let quoted = |quote: char| {
        let (_, rest) = text.split_once(&format!("{name}={quote}"))?;
        rest.split_once(quote).map(|(value, _)| value).filter(|value| !value.is_empty())
    };
    quoted('"').or_else(|| quoted('\''))
}

/// Points of LEDs that come in any order; each number from 0 on must be there once.
fn in_order(mut cells: Vec<(usize, f32, f32)>) -> Result<Vec<Point>, String> {
    cells.sort_by_key(|(led, ..)| *led);
    for (i, (led, ..)) in cells.iter().enumerate() {
        match led.cmp(&i) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => return Err(format!("LED {led} is in the map twice")),
            std::cmp::Ordering::Greater => return Err(format!("LED {i} is missing in the map")),
        }
    }
    cells.iter().map(|(_, x, y)| point(*x, *y).ok_or_else(|| "a point is not finite".into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xy(text: &str) -> Vec<(f32, f32)> {
        parse(text).unwrap_or_else(|e| panic!("{e}: {text}")).iter().map(|p| (p.x, 0.0 - p.y)).collect()
    }

    #[test]
    fn each_format_is_read() {
        let square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        for text in [
            "0,0\n1,0\n1,1\n0,1\n",
            "x;y\r\n# a square\r\n0;0\r\n1;0\r\n\r\n1;1\r\n0;1",
            "\u{feff}0 0 5\n1\t0\n1.0, 1.0\n0e0, 1",
            "[[0,0],[1,0],[1,1],[0,1]]",
            " [[0, 0, 3], [1, 0, 3], [1, 1, 3], [0, 1, 3]]",
            r#"{"n":"x","map":[0,1,3,2],"width":2,"height":2}"#,
            r#"{"map":[0,1,-1,3,2,-1],"width":3}"#,
            r#"<?xml version="1.0"?><custommodel name="a" CustomModel="1,2;4,3" />"#,
            "<custommodel CustomModel='1,2,;4,3,0;' CustomModelCompressed='' />",
            r#"<custommodel CustomModel="" CustomModelCompressed="4,1,0;1,0,0;3,1,1,0;2,0,1;" />"#,
            "x\ty\r0\t0,0\r1\t0\r1,0;1,0\r0,;1\r",
        ] {
            assert_eq!(xy(text), square, "{text}");
        }
        assert_eq!(xy(r#"{"map":[1,0]}"#), [(1.0, 0.0), (0.0, 0.0)]);
        // A comma is a decimal point where something else separates the columns.
        assert_eq!(xy("0,5;1\n1,\t2,25"), [(0.5, 1.0), (1.0, 2.25)]);
    }

    #[test]
    fn what_is_not_a_map_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "no point; write a line"),
            ("hello", "no point"),
            ("function (pixelCount) { return [] }", "no point"),
            ("0,0\n1", "line 2: write two numbers"),
            ("7\n0,0", "line 1: write two numbers"),
            ("0,0\rx,y\r", "line 2: write two numbers"),
            ("0,0\nnan,1", "line 2: not a finite number"),
            ("[[0],[1]]", "list of [x, y]"),
            ("[[0,1e99]]", "list of [x, y]"),
            ("[", "list of [x, y]"),
            ("{}", "WLED's"),
            (r#"{"map":[0,0]}"#, "LED 0 is in the map twice"),
            (r#"{"map":[0,2]}"#, "LED 1 is missing"),
            ("<a/>", "CustomModel"),
            (r#"<a CustomModel=""/>"#, "no attribute CustomModel"),
            (r#"<a CustomModel="1,x"/>"#, "“x” in the custom model is not the number of an LED"),
            (r#"<a CustomModel="1,-9223372036854775808,99999999999"/>"#, "LED 1 is missing"),
            (r#"<a CustomModel="1|2"/>"#, "several layers"),
            (r#"<a CustomModelCompressed="1,0,0,1"/>"#, "several layers"),
            (r#"<a CustomModelCompressed="0,0,0"/>"#, "“0,0,0” in the custom model"),
            (r#"<a CustomModelCompressed="1,0,0;1,0,1"/>"#, "LED 0 is in the map twice"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(parse(&"1,1\n".repeat(4_097)).unwrap_err().contains("4097 points"));
    }
}
