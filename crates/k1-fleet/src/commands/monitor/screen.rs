//! The dashboard as a picture: pure, so that tests draw it on a terminal that is none.

use std::collections::VecDeque;

use k1_device::harmless::harmless;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use crate::lamps::figures::{FIGURES, Figure, Reading};

/// Seconds of the past that are shown.
const PAST: f64 = 600.0;
/// Steps of a small graph.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns that the least and the most of the past take.
const RANGE: u16 = 22;
/// Columns of a window from which on there is room for them.
const WIDE: u16 = 100;
/// A lamp that has said nothing for so many seconds is not live.
const STALE: f64 = 5.0;

/// What is known of a lamp.
#[derive(Debug)]
struct Lamp {
    label: String,
    past: VecDeque<(f64, Reading)>,
    trouble: Option<String>,
}

/// What the dashboard shows.
#[derive(Debug)]
pub struct Board {
    lamps: Vec<Lamp>,
    selected: usize,
    now: f64,
}

/// A part of the past as one column: the mean of a figure in it, and whether it was ever beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    mean: f64,
    is_over: bool,
}

fn colour(is_over: bool) -> Color {
    if is_over { Color::Red } else { Color::Green }
}

impl Board {
    /// Lamps that have said nothing yet.
    pub fn new(labels: &[String]) -> Self {
        let lamp = |label: &String| Lamp {
            label: harmless(label).into_owned(),
            past: VecDeque::new(),
            trouble: None,
        };
        Self { lamps: labels.iter().map(lamp).collect(), selected: 0, now: 0.0 }
    }

    /// Takes news of a lamp at a time in seconds.
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

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame) {
        let heads = self.lamps.len() as u16 + 2;
        let [list, figures, foot] =
            Layout::vertical([Constraint::Length(heads), Constraint::Min(4), Constraint::Length(1)])
                .areas(frame.area());
        let lines: Vec<_> = self.lamps.iter().enumerate().map(|(i, lamp)| self.head(i, lamp)).collect();
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" lamps ")), list);
        if let Some(lamp) = self.lamps.get(self.selected) {
            let range = if figures.width >= WIDE { RANGE } else { 0 };
            // Name, value, limit, borders and gaps take 57 columns; the past has the rest.
            let columns = usize::from(figures.width.saturating_sub(57 + range)).max(8);
            let rows = FIGURES.iter().filter_map(|f| self.row(lamp, f, columns));
            let widths = [22, 14, 12, range].map(Constraint::Length).into_iter().chain([Constraint::Min(8)]);
            let head = Row::new(["figure", "now", "limit", "least … most", "the last ten minutes"])
                .style(Style::new().add_modifier(Modifier::BOLD));
            let title = format!(" {} ", lamp.label);
            frame.render_widget(
                Table::new(rows, widths).header(head).block(Block::bordered().title(title)),
                figures,
            );
        }
        frame.render_widget(Line::from("↑ ↓ choose a lamp · q ends · red: beyond the limit"), foot);
    }

    fn head(&self, i: usize, lamp: &Lamp) -> Line<'_> {
        let mark = if i == self.selected { "▸ " } else { "  " };
        let newest = lamp.past.back().filter(|(t, _)| self.now - t < STALE);
        let (text, style) = match (&lamp.trouble, newest) {
            (Some(trouble), _) => (trouble.clone(), Style::new().fg(Color::Red)),
            (None, None) => ("nothing has come yet".into(), Style::new().fg(Color::Yellow)),
            (None, Some((_, reading))) => {
                let over = reading.over();
                match over.is_empty() {
                    true => ("fine".into(), Style::new().fg(Color::Green)),
                    false => (format!("beyond its limit: {}", over.join(", ")), Style::new().fg(Color::Red)),
                }
            }
        };
        Line::from(vec![Span::raw(format!("{mark}{}  ", lamp.label)), Span::styled(text, style)])
    }

    /// The row of a figure; none if it was never measured.
    fn row(&self, lamp: &Lamp, figure: &Figure, columns: usize) -> Option<Row<'_>> {
        let (_, newest) = lamp.past.back()?;
        let buckets = self.buckets(lamp, figure, columns);
        if buckets.iter().all(Option::is_none) {
            return None;
        }
        let now = match newest.get(figure.id) {
            Some(x) => Cell::from(format!("{x:.*} {}", figure.decimals, figure.unit))
                .style(Style::new().fg(colour(!figure.limit.holds(x)))),
            None => Cell::from("–"),
        };
        let limit = match figure.limit.text() {
            text if text.is_empty() => text,
            text => format!("{text} {}", figure.unit),
        };
        let past = lamp.past.iter().filter_map(|(_, reading)| reading.get(figure.id));
        let (least, most) = extent(past);
        let range = format!("{least:.0$} … {most:.0$}", figure.decimals);
        Some(Row::new([
            Cell::from(figure.name),
            now,
            Cell::from(limit),
            Cell::from(range),
            Cell::from(graph(&buckets)),
        ]))
    }

    /// The last ten minutes in so many columns, oldest first.
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

/// The least and the most.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(least, most), x| (least.min(x), most.max(x)))
}

/// A small graph, from its own least to its own most; what was beyond the limit is red.
fn graph(buckets: &[Option<Bucket>]) -> Line<'static> {
    let (least, most) = extent(buckets.iter().flatten().map(|b| b.mean));
    let span = |bucket: &Option<Bucket>| match bucket {
        None => Span::raw(" "),
        Some(b) => {
            let height = if most > least { (b.mean - least) / (most - least) } else { 0.5 };
            let step = STEPS[(height * 7.0).round() as usize];
            Span::styled(step.to_string(), Style::new().fg(colour(b.is_over)))
        }
    };
    Line::from(buckets.iter().map(span).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn reading(fps: f64) -> Reading {
        let mut r = Reading::default();
        r.take([("fps", fps), ("age_ms", 8.0), ("heap_free", 120_000.0)]);
        r
    }

    fn drawn(board: &Board) -> (String, Terminal<TestBackend>) {
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|f| board.draw(f)).unwrap();
        (terminal.backend().to_string(), terminal)
    }

    #[test]
    fn a_dashboard_shows_what_came_and_marks_what_is_beyond() {
        let mut board = Board::new(&["shelf".into(), "desk".into()]);
        let (empty, _) = drawn(&board);
        assert!(empty.contains("nothing has come yet") && !empty.contains("frames"), "{empty}");
        for second in 0..700 {
            let fps = if (300..320).contains(&second) { 60.0 } else { 175.0 };
            board.take(0, f64::from(second), Ok(reading(fps)));
        }
        board.take(1, 699.0, Err("desk does not answer".into()));
        assert!(board.lamps[0].past.len() <= 601, "ten minutes are kept");
        let (text, terminal) = drawn(&board);
        for part in ["▸ shelf  fine", "desk does not answer", "175.0 /s", "≥ 100 /s", "8.0 ms", "120000 B"]
        {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(text.contains("60.0 … 175.0"), "between what a graph goes is said:\n{text}");
        assert!(!text.contains("temperature"), "what was not measured has no row:\n{text}");
        let red =
            terminal.backend().buffer().content.iter().filter(|c| c.fg == Color::Red && c.symbol() == "▁");
        assert!((1..=3).contains(&red.count()), "the twenty bad seconds are red:\n{text}");

        board.take(0, 700.0, Ok(reading(60.0)));
        assert!(drawn(&board).0.contains("beyond its limit: fps"));
        board.select(1);
        board.select(5);
        assert!(drawn(&board).0.contains("▸ desk"));
        board.select(-9);
        assert!(drawn(&board).0.contains("▸ shelf"));
        // Whatever a lamp calls itself and says.
        let mut hostile = Board::new(&["a\x1b[2J\u{202e}".into()]);
        hostile.take(0, 1.0, Err("b\x1b]0;title\x07\nforged".into()));
        let (text, _) = drawn(&hostile);
        assert!(text.contains("a\\u{1b}[2J\\u{202e}  b\\u{1b}]0;title\\u{7}\\u{a}forged"), "{text}");
        // However small the window is.
        for (w, h) in [(1, 1), (20, 5), (300, 100)] {
            let mut terminal = Terminal::new(TestBackend::new(w, h)).unwrap();
            terminal.draw(|f| board.draw(f)).unwrap();
        }
    }
}
