//! Files that say where each LED is: lists of points, and the maps of WLED, Pixelblaze and xLights.
//!
//! In all of them x grows to the right and y downwards, as in a picture.

use k1_engine::light::Point;

use crate::MOST_LEDS;

/// The points of a map file, one for each LED.
///
/// | Format | Content |
/// |---|---|
/// | CSV | a line `x,y` for each LED; commas, semicolons, tabs or spaces; a heading and lines with `#` are skipped |
/// | Pixelblaze | JSON: `[[x, y], …]`, one pair (or triple, whose third number is left out) for each LED |
/// | WLED | `ledmap.json`: `{"map": [LED, …], "width": W}`, the LED in each cell row by row, −1 for none |
/// | xLights | `.xmodel`: the attribute `CustomModel` with rows behind `;` and the number of an LED in each cell |
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
        0 => Err("the map has no point".into()),
        n if n > MOST_LEDS => Err(format!("the map has {n} points; a zone has at most {MOST_LEDS} pixels")),
        _ => Ok(points),
    }
}

fn point(x: f32, y: f32) -> Option<Point> {
    (x.is_finite() && y.is_finite()).then_some(Point { x, y: -y })
}

fn csv(text: &str) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    for (n, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let separated = |c: char| matches!(c, ',' | ';' | '\t' | ' ');
        let mut numbers = line.split(separated).filter(|word| !word.is_empty()).map(str::parse::<f32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(x)), Some(Ok(y))) => {
                points.push(point(x, y).ok_or_else(|| format!("line {}: not a finite number", n + 1))?);
            }
            _ if points.is_empty() => {}
            _ => return Err(format!("line {}: write two numbers, x and y, as in 1.5, 2", n + 1)),
        }
    }
    Ok(points)
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
    let wrong = || "xLights' model has no attribute CustomModel with numbers of LEDs".to_owned();
    let (_, rest) = text.split_once("CustomModel=\"").ok_or_else(wrong)?;
    let (model, _) = rest.split_once('"').ok_or_else(wrong)?;
    let mut cells = Vec::new();
    for (y, row) in model.split(';').enumerate() {
        for (x, cell) in row.split(',').enumerate().filter(|(_, cell)| !cell.trim().is_empty()) {
            let led: usize = cell.trim().parse().ok().filter(|led| *led > 0).ok_or_else(wrong)?;
            cells.push((led - 1, x as f32, y as f32));
        }
    }
    in_order(cells)
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
        ] {
            assert_eq!(xy(text), square, "{text}");
        }
        assert_eq!(xy(r#"{"map":[1,0]}"#), [(1.0, 0.0), (0.0, 0.0)]);
    }

    #[test]
    fn what_is_not_a_map_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "no point"),
            ("hello", "no point"),
            ("0,0\n1", "line 2: write two numbers"),
            ("0,0\nnan,1", "line 2: not a finite number"),
            ("[[0],[1]]", "list of [x, y]"),
            ("[[0,1e99]]", "list of [x, y]"),
            ("[", "list of [x, y]"),
            ("{}", "WLED's"),
            (r#"{"map":[0,0]}"#, "LED 0 is in the map twice"),
            (r#"{"map":[0,2]}"#, "LED 1 is missing"),
            ("<a/>", "CustomModel"),
            (r#"<a CustomModel="1,x"/>"#, "CustomModel"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(parse(&"1,1\n".repeat(4_097)).unwrap_err().contains("4097 points"));
    }
}
