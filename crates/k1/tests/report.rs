//! `k1 analyze -o` draws exactly the data that `k1 analyze --json` prints.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{folder, run};

const SECONDS: &str = "30";
/// The picture's documented layout: names and header, then strips of 1,500 columns of 16 ms.
const LEFT: usize = 116;
const HEADER: usize = 96;
const STRIP: usize = 328;
const COLUMNS: usize = 1_500;

fn announced(kind: &str) -> Vec<Value> {
    let said = run(["analyze", "demo", "--duration", SECONDS, "--json"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    said.json_lines().into_iter().filter(|e| e["kind"] == kind).collect()
}

fn draw(path: &Path) -> support::Said {
    run([
        "analyze".as_ref(),
        "demo".as_ref(),
        "--duration".as_ref(),
        SECONDS.as_ref(),
        "-o".as_ref(),
        path.as_os_str(),
    ])
}

#[test]
fn the_picture_has_a_line_where_each_beat_was_announced_and_nowhere_else() {
    let dir = folder();
    let path = dir.path().join("x.png");
    let said = draw(&path);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(
        said.out.contains("30.0 s") && said.out.contains("BPM") && !said.out.contains("onset "),
        "{said:?}"
    );
    let lines: Vec<_> = said.err.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains("x.png: a picture"), "{said:?}");

    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(&path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let width = info.width as usize;
    assert_eq!((width, info.height as usize), (1_640, HEADER + 2 * STRIP));
    // Between waveform and onsets there are only the lines of the beats.
    let lit = |strip: usize, x: usize| {
        let at = 3 * ((HEADER + strip * STRIP + 67) * width + x);
        pixels[at..at + 3] != pixels[..3]
    };
    let beats = announced("beat");
    assert!(beats.len() > 40);
    for beat in &beats {
        let column = (beat["t"].as_f64().unwrap() / 0.016).max(0.0);
        let (strip, x) = (column as usize / COLUMNS, LEFT + (column % COLUMNS as f64).round() as usize);
        // The times of the lines are printed with four digits.
        assert!((x - 1..=x + 1).any(|x| lit(strip, x)), "{beat}");
    }
    let drawn: usize =
        (0..2).map(|strip| (1..width).filter(|x| lit(strip, *x) && !lit(strip, x - 1)).count()).sum();
    assert_eq!(drawn, beats.len());
    // No row is empty.
    let shades = |from: usize, to: usize| {
        let rows = &pixels[3 * (HEADER + from) * width..3 * (HEADER + to) * width];
        rows.chunks(3).collect::<std::collections::HashSet<_>>().len()
    };
    for (from, to) in [(0, 64), (70, 120), (126, 246), (252, 284)] {
        assert!(shades(from, to) > 8, "rows {from} … {to}: {} colours", shades(from, to));
    }
}

#[test]
fn the_page_has_each_beat_and_each_onset() {
    let dir = folder();
    let path = dir.path().join("x.html");
    let said = draw(&path);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let page = fs::read_to_string(&path).unwrap();
    let rows = |table: &str| -> Vec<Vec<String>> {
        let from = page.find(&format!("<table id=\"{table}\">")).unwrap();
        let body = page[from..].split("</table>").next().unwrap().split("<tbody>").nth(1).unwrap();
        let row = |row: &str| {
            row.split("<td>").skip(1).map(|cell| cell.split('<').next().unwrap().to_owned()).collect()
        };
        body.split("<tr>").skip(1).map(row).collect()
    };
    let number = |e: &Value, field: &str, digits: usize| format!("{:.digits$}", e[field].as_f64().unwrap());
    let beats = announced("beat");
    let expected: Vec<_> = beats
        .iter()
        .map(|b| {
            let place = b["position"].as_u64().map_or("–".into(), |n| n.to_string());
            vec![number(b, "t", 4), number(b, "bpm", 2), number(b, "confidence", 3), place]
        })
        .collect();
    assert!(expected.len() > 40);
    assert_eq!(rows("beats"), expected);
    let onsets = announced("onset");
    let expected: Vec<_> = onsets.iter().map(|o| vec![number(o, "t", 4), number(o, "strength", 3)]).collect();
    assert_eq!(rows("onsets"), expected);
    assert_eq!(page.matches("<figure").count(), 3, "strips of 12 s");
    // A beat is a line in exactly one strip.
    assert_eq!(page.matches("<rect class=\"beat\"").count(), beats.len());
}

#[test]
fn what_cannot_be_a_report_is_refused_before_anything_is_heard() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for name in ["x.jpg", "x", "x.wav"] {
        let said = run(["analyze", "demo", "-o", &path(name)]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        said.is_one_sentence();
        assert!(said.err.contains(name) && said.err.contains(".png or .html"), "{said:?}");
    }
    run(["analyze", "demo", "-o", &path("no/such/x.png")]).failed_saying(&["x.png cannot be written"]);
    fs::create_dir(path("folder.html")).unwrap();
    run(["analyze", "demo", "-o", &path("folder.html")])
        .failed_saying(&["folder.html cannot be written", "a folder"]);
    fs::write(path("sound.png"), "my only recording").unwrap();
    run(["analyze", &path("sound.png"), "-o", &path("sound.png")]).failed_saying(&["is the sound itself"]);
    // If there is nothing to hear, an older report stays.
    run(["analyze", &path("missing.wav"), "-o", &path("sound.png")]).failed_saying(&["there is no file"]);
    assert_eq!(fs::read_to_string(path("sound.png")).unwrap(), "my only recording");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "and nothing else is left");
    let both = run(["analyze", "demo", "--json", "-o", &path("x.png")]);
    assert!(both.code() == Some(2) && both.err.contains("--json"), "{both:?}");
}

#[test]
fn nothing_heard_is_an_empty_report_and_no_panic() {
    let dir = folder();
    for ending in ["png", "html"] {
        let path = dir.path().join(format!("x.{ending}"));
        // Standard input is empty.
        let said = run(["analyze".as_ref(), "-".as_ref(), "-o".as_ref(), path.as_os_str()]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        assert!(
            said.out.contains("0.0 s")
                && said.out.contains("no steady tempo")
                && fs::metadata(&path).unwrap().len() > 500,
            "{said:?}"
        );
    }
}
