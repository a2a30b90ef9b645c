//! Draws the dashboard on a canvas, without a terminal, so that tests can read it.

use std::collections::VecDeque;

use k1_device::harmless::harmless;

use super::canvas::{Canvas, Ink};
use crate::lamps::figures::{FIGURES, Figure, Reading};

/// Seconds of the past to show.
const PAST: f64 = 600.0;
/// Characters of a small graph, from low to high.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns for the lowest and highest value of the past.
const RANGE: usize = 22;
/// Width of the window, in columns, from which these columns are shown.
const WIDE: usize = 100;
/// Seconds without figures after which a lamp is not live.
const STALE: f64 = 5.0;

/// What the dashboard knows of a lamp.
#[derive(Debug)]
struct Lamp {
    label: String,
    past: VecDeque<(f64, Reading)>,
    trouble: Option<String>,
}

/// Content of the dashboard.
#[derive(Debug)]
pub struct Board {
    lamps: Vec<Lamp>,
    selected: usize,
    now: f64,
}

/// A part of the past as one column: the mean of a figure in it, and whether the figure was ever beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    mean: f64,
    is_over: bool,
}

fn ink(is_over: bool) -> Ink {
    if is_over { Ink::Red } else { Ink::Green }
}

/// Text in parts with different looks.
type Parts = Vec<(String, Ink)>;

impl Board {
    /// A dashboard for lamps that have not sent any figures yet.
    pub fn new(labels: &[String]) -> Self {
        let lamp = |label: &String| Lamp {
            label: harmless(label).into_owned(),
            past: VecDeque::new(),
            trouble: None,
        };
        Self { lamps: labels.iter().map(lamp).collect(), selected: 0, now: 0.0 }
    }

    /// Takes news of a lamp; `at` is the time in seconds.
    pub fn take(&mut self, lamp: usize, at: f64, what: Result<Reading, String>) {
        self.now = self.now.max(at);
        let Some(lamp) = self.lamps.get_mut(lamp) else { return };
        match what {
            Ok(reading) => {
                lamp.trouble = None;
                lamp.past.push_back((at, reading));
                while lamp.past.front().is_some_and(|(t, _)| *t < at - PAST) {
                    lamp.past.pop_front();
                }
            }
            Err(trouble) => lamp.trouble = Some(harmless(&trouble).into_owned()),
        }
    }

    /// Moves the selection.
    pub fn select(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by).min(self.lamps.len().saturating_sub(1));
    }

    /// Draws the dashboard.
    pub fn draw(&self, canvas: &mut Canvas) {
        let (columns, lines) = canvas.size;
        let inside = columns.saturating_sub(2);
        let foot = lines.saturating_sub(1);
        // Keeps four lines for the figures, if the window has that many.
        let list = (self.lamps.len() + 2).min(foot.saturating_sub(4));
        canvas.frame(0, list, " lamps ");
        for (i, lamp) in self.lamps.iter().enumerate().take(list.saturating_sub(2)) {
            let mark = if i == self.selected { "▸ " } else { "  " };
            let at = canvas.text(1, 1 + i, inside, &format!("{mark}{}  ", lamp.label), Ink::Plain);
            let (text, ink) = self.state(lamp);
            canvas.text(at, 1 + i, (1 + inside).saturating_sub(at), &text, ink);
        }
        if let Some(lamp) = self.lamps.get(self.selected) {
            canvas.frame(list, foot, &format!(" {} ", lamp.label));
            let range = if columns >= WIDE { RANGE } else { 0 };
            // Name, value, limit, borders and gaps take 57 columns; the past gets the rest.
            let past = columns.saturating_sub(57 + range).max(8);
            let widths = [22, 14, 12, range, past];
            let head = ["figure", "now", "limit", "least … most", "the last ten minutes"];
            let head = head.map(|text| vec![(text.to_owned(), Ink::Bold)]);
            // A reason in the list may be cut off at the edge of the window.
            let reason = lamp.trouble.as_deref().map_or_else(Vec::new, |trouble| wrapped(trouble, inside));
            let top = list + 1 + reason.len();
            for (y, line) in (list + 1..foot.saturating_sub(1)).zip(&reason) {
                canvas.text(1, y, inside, line, Ink::Red);
            }
            let rows = FIGURES.iter().filter_map(|figure| self.row(lamp, figure, past));
            for (y, row) in (top..foot.saturating_sub(1)).zip(std::iter::once(head).chain(rows)) {
                let mut x = 1;
                for (width, parts) in widths.into_iter().zip(row) {
                    let end = (x + width).min(1 + inside);
                    let mut at = x;
                    for (text, ink) in parts {
                        at = canvas.text(at, y, end.saturating_sub(at), &text, ink);
                    }
                    x += width + 1;
                }
            }
        }
        canvas.text(0, foot, columns, "↑ ↓ choose a lamp · q ends · red: beyond the limit", Ink::Plain);
    }

    /// State of a lamp in a few words.
    fn state(&self, lamp: &Lamp) -> (String, Ink) {
        let newest = lamp.past.back().filter(|(t, _)| self.now - t < STALE);
        match (&lamp.trouble, newest) {
            (Some(trouble), _) => (trouble.clone(), Ink::Red),
            (None, None) => ("no figures yet".into(), Ink::Yellow),
            (None, Some((_, reading))) => {
                let over = reading.over();
                match over.is_empty() {
                    true => ("fine".into(), Ink::Green),
                    false => (format!("beyond its limit: {}", over.join(", ")), Ink::Red),
                }
            }
        }
    }

    /// The row of a figure; `None` if it was never measured.
    fn row(&self, lamp: &Lamp, figure: &Figure, columns: usize) -> Option<[Parts; 5]> {
        let (_, newest) = lamp.past.back()?;
        let buckets = self.buckets(lamp, figure, columns);
        if buckets.iter().all(Option::is_none) {
            return None;
        }
        let plain = |text: String| vec![(text, Ink::Plain)];
        let now = match newest.get(figure.id) {
            Some(x) => {
                vec![(format!("{x:.*} {}", figure.decimals, figure.unit), ink(!figure.limit.holds(x)))]
            }
            None => plain("–".into()),
        };
        let limit = match figure.limit.text() {
            text if text.is_empty() => text,
            text => format!("{text} {}", figure.unit),
        };
        let past = lamp.past.iter().filter_map(|(_, reading)| reading.get(figure.id));
        let (least, most) = extent(past);
        let range = format!("{least:.0$} … {most:.0$}", figure.decimals);
        Some([plain(figure.name.to_string()), now, plain(limit), plain(range), graph(&buckets)])
    }

    /// The last ten minutes in `columns` columns, oldest first.
    fn buckets(&self, lamp: &Lamp, figure: &Figure, columns: usize) -> Vec<Option<Bucket>> {
        let mut sums = vec![(0.0, 0_u32, false); columns];
        for (t, reading) in &lamp.past {
            let Some(x) = reading.get(figure.id) else { continue };
            let place = (t - (self.now - PAST)) / PAST * columns as f64;
            let (sum, n, is_over) = &mut sums[(place.max(0.0) as usize).min(columns - 1)];
            *sum += x;
            *n += 1;
            *is_over |= !figure.limit.holds(x);
        }
        let bucket = |(sum, n, is_over)| (n > 0).then(|| Bucket { mean: sum / f64::from(n), is_over });
        sums.into_iter().map(bucket).collect()
    }
}

/// The words of a text in lines of at most `columns` characters; a longer word has a line of its own.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The lowest and the highest value.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(x), most.max(x)))
}

/// A small graph from its own lowest to its own highest value. Parts beyond the limit are red.
fn graph(buckets: &[Option<Bucket>]) -> Parts {
    let (least, most) = extent(buckets.iter().flatten().map(|b| b.mean));
    let part = |bucket: &Option<Bucket>| match bucket {
        None => (" ".to_owned(), Ink::Plain),
        Some(b) => {
            let height = if most > least { (b.mean - least) / (most - least) } else { 0.5 };
            (STEPS[(height * 7.0).round() as usize].to_string(), ink(b.is_over))
        }
    };
    buckets.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(fps: f64) -> Reading {
        let mut r = Reading::default();
        r.take([("fps", fps), ("age_ms", 8.0), ("heap_free", 120_000.0)]);
        r
    }

    fn drawn(board: &Board) -> (String, Canvas) {
        let mut canvas = Canvas::new(100, 30);
        board.draw(&mut canvas);
        let lines: Vec<_> = (0..30).map(|y| canvas.line(y)).collect();
        (lines.join("\n"), canvas)
    }

    #[test]
    fn a_dashboard_shows_what_came_and_marks_what_is_beyond() {
        let mut board = Board::new(&["shelf".into(), "desk".into()]);
        let (empty, _) = drawn(&board);
        assert!(empty.contains("no figures yet") && !empty.contains("frames"), "{empty}");
        for second in 0..700 {
            let fps = if (300..320).contains(&second) { 60.0 } else { 175.0 };
            board.take(0, f64::from(second), Ok(reading(fps)));
        }
        board.take(1, 699.0, Err("it does not answer".into()));
        assert!(board.lamps[0].past.len() <= 601, "ten minutes are kept");
        let (text, canvas) = drawn(&board);
        for part in
            ["▸ shelf  fine", "desk  it does not answer", "175.0 /s", "≥ 100 /s", "8.0 ms", "120000 B"]
        {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(text.contains("60.0 … 175.0"), "between what a graph goes is said:\n{text}");
        assert!(!text.contains("temperature"), "what was not measured has no row:\n{text}");
        let red = canvas.cells.iter().filter(|(c, ink)| *ink == Ink::Red && *c == Some('▁'));
        assert!((1..=3).contains(&red.count()), "the twenty bad seconds are red:\n{text}");

        board.take(0, 700.0, Ok(reading(60.0)));
        assert!(drawn(&board).0.contains("beyond its limit: fps"));
        board.select(1);
        board.select(5);
        assert!(drawn(&board).0.contains("▸ desk"));
        let reason = "it does not answer (".to_owned() + &"no route to its host ".repeat(6) + "); is it on?";
        board.take(1, 700.0, Err(reason.clone()));
        let (text, _) = drawn(&board);
        let panel = text.split_once(" desk ─").unwrap().1.replace('│', " ");
        let panel = panel.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(panel.contains(&reason), "the panel of a lamp says all of the reason:\n{text}");
        board.select(-9);
        assert!(drawn(&board).0.contains("▸ shelf"));
        // A lamp may have any name and send any text.
        let mut hostile = Board::new(&["a\x1b[2J\u{202e}".into()]);
        hostile.take(0, 1.0, Err("b\x1b]0;title\x07\nforged".into()));
        let (text, _) = drawn(&hostile);
        assert!(text.contains("a\\u{1b}[2J\\u{202e}  b\\u{1b}]0;title\\u{7}\\u{a}forged"), "{text}");
        // The window may be very small.
        for (w, h) in [(0, 0), (1, 1), (2, 3), (20, 5), (60, 12), (300, 100)] {
            board.draw(&mut Canvas::new(w, h));
        }
    }
}
