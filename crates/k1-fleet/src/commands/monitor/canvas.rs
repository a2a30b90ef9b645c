//! A grid of characters for a terminal: drawn whole each time, but only changed lines are written.

use std::io::{self, Write};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{execute, queue};
use unicode_width::UnicodeWidthChar;

/// The look of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// The terminal's default.
    #[default]
    Plain,
    /// Bold text.
    Bold,
    /// Red: beyond a limit, or wrong.
    Red,
    /// Green: fine.
    Green,
    /// Yellow: not known yet.
    Yellow,
}

/// A character and its look. The second column of a wide character is empty.
pub type Cell = (Option<char>, Ink);

/// A grid of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Numbers of columns and lines.
    pub size: (usize, usize),
    /// The cells, line by line.
    pub cells: Vec<Cell>,
}

impl Canvas {
    /// A blank canvas of this size.
    pub fn new(columns: usize, lines: usize) -> Self {
        Self { size: (columns, lines), cells: vec![(Some(' '), Ink::Plain); columns * lines] }
    }

    /// Writes text to a line from a column, in at most `room` columns. Leaves out the rest, and characters that take no
    /// column. Returns the next free column.
    pub fn text(&mut self, x: usize, y: usize, room: usize, text: &str, ink: Ink) -> usize {
        let end = (x + room).min(self.size.0);
        let mut at = x;
        if y >= self.size.1 {
            return at;
        }
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if width == 0 {
                continue;
            }
            if at + width > end {
                break;
            }
            let cells = &mut self.cells[y * self.size.0 + at..][..width];
            cells.fill((None, ink));
            cells[0].0 = Some(c);
            at += width;
        }
        at
    }

    /// Draws a box from line `top` to before line `bottom`, with a title in its upper edge.
    pub fn frame(&mut self, top: usize, bottom: usize, title: &str) {
        let columns = self.size.0;
        if bottom < top + 2 || columns < 2 {
            return;
        }
        let bar = "─".repeat(columns - 2);
        for (y, left, right) in [(top, "┌", "┐"), (bottom - 1, "└", "┘")] {
            let line = format!("{left}{bar}{right}");
            self.text(0, y, columns, &line, Ink::Plain);
        }
        for y in top + 1..bottom - 1 {
            self.text(0, y, 1, "│", Ink::Plain);
            self.text(columns - 1, y, 1, "│", Ink::Plain);
        }
        self.text(1, top, columns - 2, title, Ink::Plain);
    }

    /// The characters of a line.
    #[cfg(test)]
    pub fn line(&self, y: usize) -> String {
        self.row(y).iter().filter_map(|(c, _)| *c).collect()
    }

    fn row(&self, y: usize) -> &[Cell] {
        &self.cells[y * self.size.0..][..self.size.0]
    }

    /// Writes the lines that differ from what the terminal shows.
    fn write(&self, shown: Option<&Self>, out: &mut impl Write) -> io::Result<()> {
        let shown = shown.filter(|shown| shown.size == self.size);
        if shown.is_none() {
            queue!(out, Clear(ClearType::All))?;
        }
        for y in 0..self.size.1 {
            if shown.is_some_and(|shown| shown.row(y) == self.row(y)) {
                continue;
            }
            queue!(out, MoveTo(0, y as u16))?;
            for run in self.row(y).chunk_by(|a, b| a.1 == b.1) {
                let text: String = run.iter().filter_map(|(c, _)| *c).collect();
                match run[0].1 {
                    Ink::Plain => {}
                    Ink::Bold => queue!(out, SetAttribute(Attribute::Bold))?,
                    Ink::Red => queue!(out, SetForegroundColor(Color::DarkRed))?,
                    Ink::Green => queue!(out, SetForegroundColor(Color::DarkGreen))?,
                    Ink::Yellow => queue!(out, SetForegroundColor(Color::DarkYellow))?,
                }
                queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            }
        }
        out.flush()
    }
}

/// A terminal that shows a dashboard. Dropping this restores the terminal.
pub struct Screen {
    shown: Option<Canvas>,
}

impl Screen {
    /// Takes over the terminal.
    ///
    /// # Errors
    ///
    /// Those of the system, for example if standard output is not a terminal.
    pub fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self { shown: None };
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Draws on an empty canvas of the terminal's size, and shows it.
    ///
    /// # Errors
    ///
    /// Those of the system, for example if the terminal has gone.
    pub fn show(&mut self, draw: impl FnOnce(&mut Canvas)) -> io::Result<()> {
        let (columns, lines) = terminal::size()?;
        let mut canvas = Canvas::new(columns.into(), lines.into());
        draw(&mut canvas);
        canvas.write(self.shown.as_ref(), &mut io::stdout().lock())?;
        self.shown = Some(canvas);
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If this fails, the terminal has gone and needs no restoring.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_its_room_and_wide_characters_take_two_columns() {
        let mut canvas = Canvas::new(8, 2);
        assert_eq!(canvas.text(1, 0, 5, "灯e\u{301}灯灯", Ink::Red), 6);
        assert_eq!(canvas.line(0), " 灯e灯  ");
        assert_eq!(canvas.text(6, 1, 9, "abc", Ink::Plain), 8);
        assert_eq!(canvas.line(1), "      ab");
        canvas.text(0, 2, 8, "below", Ink::Plain);
        assert_eq!(canvas.text(9, 0, 8, "beside", Ink::Plain), 9);
    }

    #[test]
    fn only_lines_that_changed_are_written_and_all_after_a_change_of_size() {
        let written = |canvas: &Canvas, shown: Option<&Canvas>| {
            let mut out = Vec::new();
            canvas.write(shown, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let mut first = Canvas::new(6, 3);
        first.frame(0, 3, "ab");
        let all = written(&first, None);
        assert!(all.contains("┌ab──┐") && all.contains("└────┘"), "{all:?}");
        let mut second = first.clone();
        second.text(1, 1, 4, "hot", Ink::Red);
        let changed = written(&second, Some(&first));
        assert!(changed.contains("hot") && !changed.contains('┌'), "{changed:?}");
        assert_eq!(written(&second, Some(&second)), "");
        assert!(written(&second, Some(&Canvas::new(5, 3))).contains('┌'));
    }
}
