//! The report as a self-contained page that needs no network, dark or light as the reader's device prefers.

use std::fmt::Write;
use std::io;

use super::ink::Ink;
use super::record::{Column, Part, Record};
use super::{layout, vector};

/// Columns of a strip: 12 s while a column is 16 ms. Half of the picture's, because screens are narrower.
const COLUMNS: usize = 750;

/// The page of a record.
pub fn page(record: &Record, title: &str) -> io::Result<String> {
    let title = escaped(title);
    let mut strips = String::new();
    for strip in 0..layout::strips(record, COLUMNS) {
        let _ = writeln!(
            strips,
            "<figure tabindex=\"0\" aria-label=\"Strip {}\">{}</figure>",
            strip + 1,
            vector::strip(record, COLUMNS, strip)?
        );
    }
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}, as K1 heard it</title>\n\
         <style>\n{colours}{css}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p>As K1 heard it live: all of this was announced while the sound played, without knowing what came next.</p>\n\
         {figures}{LEGEND}{strips}{beats}{sections}{onsets}\
         <footer>k1 {version}. Times are seconds of the sound. {column} of sound to a column; \
         the loudest sample fills the row.</footer>\n\
         </main>\n<div id=\"hair\" hidden></div><div id=\"tip\" hidden></div>\n\
         <script>\n{series}{js}</script>\n</body>\n</html>\n",
        colours = colours(),
        css = include_str!("page.css"),
        figures = figures(record),
        beats = beats(record),
        sections = sections(record),
        onsets = onsets(record),
        version = env!("CARGO_PKG_VERSION"),
        column = format_args!("{:.0} ms", 1e3 * record.column_s()),
        series = series(record),
        js = include_str!("page.js"),
    ))
}

const LEGEND: &str = "<div class=\"legend\">\
    <span><i class=\"sound\"></i>waveform</span>\
    <span><i class=\"onset\"></i>onset strength, onsets</span>\
    <span><i class=\"heat\"></i>belief in each tempo</span>\
    <span><i class=\"beat\"></i>announced beats, downbeats wider, and tempo</span>\
    <span><i class=\"confidence\"></i>confidence</span></div>\n";

fn colours() -> String {
    let variables = |of: fn(Ink) -> [u8; 3]| {
        Ink::ALL
            .map(|ink| {
                format!("--{}: rgb{:?};", ink.name(), {
                    let [r, g, b] = of(ink);
                    (r, g, b)
                })
            })
            .join(" ")
    };
    let classes = Ink::ALL.map(|ink| format!(".{0} {{ color: var(--{0}); }}\n", ink.name())).concat();
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n{classes}",
        variables(Ink::light),
        variables(Ink::dark)
    )
}

fn figures(record: &Record) -> String {
    let f = record.figures();
    let tempo = f.bpm.map_or("none".to_owned(), |bpm| format!("{bpm:.1} <small>BPM</small>"));
    let all = [
        ("Duration", format!("{} <small>{:.1} s</small>", layout::clock(f.seconds), f.seconds)),
        ("Tempo (median)", tempo),
        ("Time with a beat", format!("{:.0} <small>%</small>", 100.0 * f.with_beat)),
        ("Beats", f.beats.to_string()),
        ("Beats a minute", format!("{:.1}", f.beats_per_minute)),
        ("Onsets", f.onsets.to_string()),
        ("Mean confidence", format!("{:.0} <small>%</small>", 100.0 * f.confidence)),
    ];
    let bars = f.beats_per_bar.map(|n| ("Bars", format!("{} <small>of {n} beats</small>", f.bars)));
    let each = |(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    format!("<dl>{}</dl>\n", all.into_iter().chain(bars).map(each).collect::<String>())
}

fn beats(record: &Record) -> String {
    let rows = record.beats().iter().map(|b| {
        let place = b.bar.map_or("–".into(), |bar| bar.position.to_string());
        let (t, bpm, confidence) = (b.t, b.bpm, b.confidence);
        format!("<tr><td>{t:.4}</td><td>{bpm:.2}</td><td>{confidence:.3}</td><td>{place}</td></tr>\n")
    });
    table("beats", "Beats", record.beats().len(), ["Time, s", "BPM", "Confidence", "Beat of the bar"], rows)
}

/// The sections; empty if none began.
fn sections(record: &Record) -> String {
    if record.parts().is_empty() {
        return String::new();
    }
    let row = |p: &Part| format!("<tr><td>{:.4}</td><td>{}</td></tr>\n", p.t, p.section.name());
    let rows = record.parts().iter().map(row);
    table("sections", "Sections", record.parts().len(), ["Time, s", "Section"], rows)
}

fn onsets(record: &Record) -> String {
    let rows =
        record.onsets().iter().map(|o| format!("<tr><td>{:.4}</td><td>{:.3}</td></tr>\n", o.t, o.strength));
    table("onsets", "Onsets", record.onsets().len(), ["Time, s", "Strength"], rows)
}

fn table(
    id: &str,
    name: &str,
    count: usize,
    head: impl IntoIterator<Item = &'static str>,
    rows: impl Iterator<Item = String>,
) -> String {
    let head: String = head.into_iter().map(|h| format!("<th scope=\"col\">{h}</th>")).collect();
    format!(
        "<details><summary>{name} <small>{count}</small></summary><div class=\"scroll\" tabindex=\"0\" aria-label=\"{name}\"><table id=\"{id}\">\
         <thead><tr>{head}</tr></thead><tbody>\n{}</tbody></table></div></details>\n",
        rows.collect::<String>()
    )
}

/// Data that the script shows under the pointer.
fn series(record: &Record) -> String {
    let numbers = |of: fn(&Column) -> f32| {
        record.columns().iter().map(|c| of(c).round().to_string()).collect::<Vec<_>>().join(",")
    };
    format!(
        "const SERIES = {{ left: {}, rows: {}, column_s: {},\ntempi: [{}],\nconfidence: [{}] }};\n",
        layout::LEFT,
        layout::BOTTOM,
        record.column_s(),
        numbers(|c| 10.0 * c.bpm),
        numbers(|c| 100.0 * c.confidence)
    )
}

/// Escapes text for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_part_of_the_page() {
        let page = page(&Record::default(), "<script>alert(\"&\")</script>").unwrap();
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(&quot;&amp;&quot;)"));
    }

    #[test]
    fn nothing_in_a_page_comes_from_elsewhere() {
        let mut record = Record::default();
        record.samples(&[0.5; 4_000]);
        let page = page(&record, "x").unwrap();
        for foreign in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert_eq!(page.matches("<figure").count(), 1);
    }
}
