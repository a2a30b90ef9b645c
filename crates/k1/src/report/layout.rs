//! Layout of a strip: rows over a shared time axis.

use k1_engine::audio::{TEMPI, tempo_bpm};

use super::ink::Ink;
use super::record::{Column, Record};

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width of the rectangle.
    pub w: f32,
    /// Height of the rectangle.
    pub h: f32,
}

/// Horizontal alignment of a text at its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The text begins at x.
    Left,
    /// The text is centred at x.
    Middle,
    /// The text ends at x.
    Right,
}

/// A surface to draw on. A unit is a pixel of the PNG; a column is one unit wide.
pub trait Surface {
    /// A filled rectangle.
    fn rect(&mut self, area: Area, ink: Ink, opacity: f32);
    /// Fills the area between the upper and lower edge of each column, from `x` on.
    fn spans(&mut self, x: f32, spans: &[(f32, f32)], ink: Ink, opacity: f32);
    /// A line through the heights of the columns, from `x` on, with gaps at `None`.
    fn line(&mut self, x: f32, heights: &[Option<f32>], ink: Ink);
    /// Belief in each tempo (see [`super::ink::heat`]), from (x, y) on, with the fastest tempo at the top.
    fn heat(&mut self, x: f32, y: f32, columns: &[[f32; HEAT_ROWS]]);
    /// A short text, [`LETTER`] units high, with its upper edge at `y`.
    fn text(&mut self, x: f32, y: f32, align: Align, ink: Ink, text: &str);
}

/// Height of text.
pub const LETTER: f32 = 14.0;
/// Width of the left margin, for names and numbers of the rows.
pub const LEFT: f32 = 116.0;
/// Width of the right margin.
pub const RIGHT: f32 = 24.0;
/// Height of a strip, including the axis and the space below it.
pub const HEIGHT: f32 = 328.0;
/// Height of the tempo map, one unit per row.
pub const HEAT_ROWS: usize = 120;

const SOUND: (f32, f32) = (0.0, 64.0);
const ONSET: (f32, f32) = (70.0, 50.0);
const TEMPO: (f32, f32) = (126.0, HEAT_ROWS as f32);
const CONFIDENCE: (f32, f32) = (252.0, 32.0);
/// Lower edge of the rows, where the axis begins.
pub const BOTTOM: f32 = CONFIDENCE.0 + CONFIDENCE.1;

/// Tempi at the edges of the row: slightly beyond those that the tracker can announce.
const SLOWEST_BPM: f32 = 47.0;
const FASTEST_BPM: f32 = 218.0;
/// A change of tempo beyond this ratio interrupts the line.
const JUMP: f32 = 8.0;

/// Number of strips of a record with `columns` columns each; at least 1.
pub fn strips(record: &Record, columns: usize) -> usize {
    record.columns().len().div_ceil(columns).max(1)
}

/// Width of a strip with `columns` columns.
pub fn width(columns: usize) -> f32 {
    LEFT + columns as f32 + RIGHT
}

/// Draws one strip of a record, `columns` to each, from (0, 0) on.
pub fn strip(surface: &mut impl Surface, record: &Record, columns: usize, strip: usize) {
    let first = strip * columns;
    let all = record.columns();
    let shown = &all[first.min(all.len())..(first + columns).min(all.len())];
    let view = View { record, shown, begin: first as f64 * record.column_s() };
    view.ground(surface);
    view.sound(surface);
    view.onset_strength(surface);
    view.tempo(surface);
    view.confidence(surface);
    view.events(surface);
}

/// The part of a record that a strip shows.
struct View<'a> {
    record: &'a Record,
    shown: &'a [Column],
    /// Seconds at the left edge.
    begin: f64,
}

impl View<'_> {
    fn x(&self, t: f64) -> f32 {
        LEFT + ((t - self.begin) / self.record.column_s()) as f32
    }

    fn width(&self) -> f32 {
        self.shown.len() as f32
    }

    fn ground(&self, surface: &mut impl Surface) {
        for (name, row) in [("SOUND", SOUND), ("ONSET", ONSET), ("TEMPO", TEMPO), ("CONF.", CONFIDENCE)] {
            surface.rect(Area { x: LEFT, y: row.0, w: self.width(), h: row.1 }, Ink::Panel, 1.0);
            surface.text(8.0, row.0 + 0.5 * (row.1 - LETTER), Align::Left, Ink::Dim, name);
        }
        let step = tick_s(self.record.column_s());
        let end = self.begin + self.shown.len() as f64 * self.record.column_s();
        let mut tick = (self.begin / step).ceil() as u64;
        // The end of a strip is the beginning of the next.
        while (tick as f64 * step) < end - 1e-6 {
            let x = self.x(tick as f64 * step).round();
            for row in [SOUND, ONSET, TEMPO, CONFIDENCE] {
                surface.rect(Area { x, y: row.0, w: 1.0, h: row.1 }, Ink::Grid, 1.0);
            }
            surface.rect(Area { x, y: BOTTOM, w: 1.0, h: 5.0 }, Ink::Dim, 1.0);
            surface.text(x, BOTTOM + 8.0, Align::Middle, Ink::Dim, &clock(tick as f64 * step));
            tick += 1;
        }
    }

    fn sound(&self, surface: &mut impl Surface) {
        // Scale to the loudest sample of the whole sound, so that quiet recordings are visible.
        let scale = 0.5 * SOUND.1 / self.record.peak().max(1e-4);
        let middle = SOUND.0 + 0.5 * SOUND.1;
        let spans: Vec<_> = self
            .shown
            .iter()
            .map(|c| {
                ((middle - c.high * scale).min(middle - 0.5), (middle - c.low * scale).max(middle + 0.5))
            })
            .collect();
        surface.spans(LEFT, &spans, Ink::Sound, 1.0);
    }

    fn onset_strength(&self, surface: &mut impl Surface) {
        let floor = ONSET.0 + ONSET.1;
        // Leave room above for the marks of the onsets.
        let spans: Vec<_> = self.shown.iter().map(|c| (floor - c.onset * (ONSET.1 - 10.0), floor)).collect();
        surface.spans(LEFT, &spans, Ink::Onset, 0.75);
    }

    fn tempo(&self, surface: &mut impl Surface) {
        let rows = heat_rows();
        let columns: Vec<_> = self
            .shown
            .iter()
            .map(|c| {
                rows.map(|row| {
                    let Some((tempo, share)) = row else { return 0.0 };
                    let (faster, slower) = (f32::from(c.belief[tempo]), f32::from(c.belief[tempo + 1]));
                    faster + (slower - faster) * share
                })
            })
            .collect();
        surface.heat(LEFT, TEMPO.0, &columns);
        for bpm in [60.0, 90.0, 120.0, 180.0] {
            let y = tempo_y(bpm);
            surface.rect(Area { x: LEFT, y: y.round(), w: self.width(), h: 1.0 }, Ink::Dim, 0.25);
            surface.text(LEFT - 6.0, y - 0.5 * LETTER, Align::Right, Ink::Dim, &format!("{bpm:.0}"));
        }
        let mut before = None;
        let heights: Vec<_> = self
            .shown
            .iter()
            .map(|c| {
                let y = (c.heard && c.bpm > 0.0).then(|| tempo_y(c.bpm));
                let jumped = matches!((before, y), (Some(a), Some(b)) if f32::abs(a - b) > JUMP);
                before = y;
                y.filter(|_| !jumped)
            })
            .collect();
        surface.line(LEFT, &heights, Ink::Beat);
    }

    fn confidence(&self, surface: &mut impl Surface) {
        let (top, height) = (CONFIDENCE.0 + 1.0, CONFIDENCE.1 - 2.0);
        let floor = CONFIDENCE.0 + CONFIDENCE.1;
        let height_of = |c: &Column| top + (1.0 - c.confidence) * height;
        let some = |c: &Column| c.heard && c.confidence > 0.0;
        let spans: Vec<_> =
            self.shown.iter().map(|c| (if some(c) { height_of(c) } else { floor }, floor)).collect();
        surface.spans(LEFT, &spans, Ink::Confidence, 0.25);
        let line: Vec<_> = self.shown.iter().map(|c| some(c).then(|| height_of(c))).collect();
        surface.line(LEFT, &line, Ink::Confidence);
        surface.text(LEFT - 6.0, CONFIDENCE.0, Align::Right, Ink::Dim, "100");
        surface.text(LEFT - 6.0, floor - LETTER, Align::Right, Ink::Dim, "0");
    }

    fn events(&self, surface: &mut impl Surface) {
        let end = self.begin + self.shown.len() as f64 * self.record.column_s();
        // An event at the border belongs to the strip in which it begins.
        let here = |t: f64| (self.begin..end).contains(&t) || (t >= end && self.is_last());
        let edge = LEFT + (self.width() - 1.0).max(0.0);
        // In a long sound, draw events thinner and beats fainter, so that they do not cover everything.
        let room = |events: usize| self.width() / events.max(1) as f32;
        let onsets: Vec<_> = self.record.onsets().iter().filter(|o| here(o.t.max(0.0))).collect();
        let aside = if room(onsets.len()) < 8.0 { 0.0 } else { 1.0 };
        for onset in onsets {
            let x = self.x(onset.t).round().clamp(LEFT, edge);
            let h = 3.0 + 5.0 * onset.strength.clamp(0.0, 1.0);
            surface.rect(Area { x: x - aside, y: ONSET.0 + 1.0, w: 1.0 + 2.0 * aside, h }, Ink::Onset, 1.0);
        }
        let beats: Vec<_> = self.record.beats().iter().filter(|b| here(b.t.max(0.0))).collect();
        let room = room(beats.len());
        let (w, faint) = (if room < 8.0 { 1.0 } else { 2.0 }, (0.1 * room).clamp(0.4, 1.0));
        for beat in beats {
            let x = self.x(beat.t).round().clamp(LEFT, edge);
            // In a bar, the downbeat has a wide line and the other beats have faint ones.
            let (w, weight) = match beat.bar {
                None => (w, faint),
                Some(_) if beat.is_downbeat() => (w + 1.5, faint.max(0.8)),
                Some(_) => (w, 0.7 * faint),
            };
            let opacity = (0.25 + 0.65 * beat.confidence) * weight;
            surface.rect(Area { x, y: SOUND.0, w, h: ONSET.0 + ONSET.1 - SOUND.0 }, Ink::Beat, opacity);
        }
        for part in self.record.parts().iter().filter(|p| here(p.t)) {
            let (x, name) = (self.x(part.t).round().clamp(LEFT, edge), part.section.name());
            surface.rect(Area { x, y: SOUND.0, w: 2.0, h: SOUND.1 }, Ink::Text, 1.0);
            let w = 12.0 * name.len() as f32 + 6.0;
            surface.rect(Area { x: x + 2.0, y: SOUND.0, w, h: LETTER + 4.0 }, Ink::Panel, 0.8);
            surface.text(x + 6.0, SOUND.0 + 2.0, Align::Left, Ink::Text, name);
        }
    }

    fn is_last(&self) -> bool {
        let shown_to = (self.begin / self.record.column_s()).round() as usize + self.shown.len();
        shown_to >= self.record.columns().len()
    }
}

/// Vertical position of a tempo, on a logarithmic scale.
fn tempo_y(bpm: f32) -> f32 {
    let share = (bpm / SLOWEST_BPM).log2() / (FASTEST_BPM / SLOWEST_BPM).log2();
    TEMPO.0 + TEMPO.1 * (1.0 - share.clamp(0.0, 1.0))
}

/// For each row of the map, from the top: the faster of its two neighbouring tempi and the weight of the slower one; `None`
/// outside the tracker's range.
fn heat_rows() -> [Option<(usize, f32)>; HEAT_ROWS] {
    std::array::from_fn(|row| {
        let y = TEMPO.0 + row as f32 + 0.5;
        let slower = (1..TEMPI).find(|tempo| tempo_y(tempo_bpm(*tempo)) >= y)?;
        let (above, below) = (tempo_y(tempo_bpm(slower - 1)), tempo_y(tempo_bpm(slower)));
        (above <= y).then(|| (slower - 1, (y - above) / (below - above)))
    })
}

/// Seconds between two labels of the axis, so that they do not touch.
fn tick_s(column_s: f64) -> f64 {
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
    let enough = 100.0 * column_s;
    steps.into_iter().find(|s| *s >= enough).unwrap_or_else(|| 3_600.0 * (enough / 3_600.0).ceil())
}

/// A time as m:ss, or as h:mm:ss for an hour or more.
pub fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Beat, InBar, Part};
    use super::*;
    use k1_engine::audio::Section;

    #[test]
    fn times_are_written_as_on_a_clock() {
        let written = [0.0, 59.4, 61.0, 3_599.0, 3_600.0, 36_061.0].map(clock);
        assert_eq!(written, ["0:00", "0:59", "1:01", "59:59", "1:00:00", "10:01:01"]);
    }

    /// Keeps the rectangles and texts.
    #[derive(Default)]
    struct Kept(Vec<(Ink, Area, f32)>, Vec<String>);

    impl Surface for Kept {
        fn rect(&mut self, area: Area, ink: Ink, opacity: f32) {
            self.0.push((ink, area, opacity));
        }
        fn spans(&mut self, _: f32, _: &[(f32, f32)], _: Ink, _: f32) {}
        fn line(&mut self, _: f32, _: &[Option<f32>], _: Ink) {}
        fn heat(&mut self, _: f32, _: f32, _: &[[f32; HEAT_ROWS]]) {}
        fn text(&mut self, _: f32, _: f32, _: Align, _: Ink, text: &str) {
            self.1.push(text.into());
        }
    }

    #[test]
    fn a_downbeat_has_the_strongest_line_and_a_section_has_its_name() {
        let drawn = |bars: &[Option<u32>]| {
            let mut record = Record::default();
            record.samples(&[0.1; 16_000 * 4]);
            for (i, position) in bars.iter().enumerate() {
                let bar = position.map(|position| InBar { position, beats: 3 });
                record.beat(Beat { t: 0.5 * i as f64, bpm: 120.0, confidence: 0.8, bar });
            }
            record.part(Part { t: 1.0, section: Section::Drop });
            let mut kept = Kept::default();
            strip(&mut kept, &record, 750, 0);
            let beats: Vec<_> = kept.0.iter().filter(|(ink, ..)| *ink == Ink::Beat).copied().collect();
            assert_eq!(beats.len(), bars.len(), "a line for each beat");
            (beats, kept.1)
        };
        let (unknown, texts) = drawn(&[None; 6]);
        assert!(
            unknown.iter().all(|(_, area, opacity)| (area.w, *opacity) == (unknown[0].1.w, unknown[0].2))
        );
        assert!(texts.iter().any(|text| text == "drop"), "{texts:?}");
        let (known, _) = drawn(&[1, 2, 3, 1, 2, 3].map(Some));
        for (i, (_, area, opacity)) in known.iter().enumerate() {
            let is_stronger = area.w > unknown[i].1.w && *opacity >= unknown[i].2;
            assert_eq!(is_stronger, i % 3 == 0, "beat {i}: {area:?} {opacity}");
        }
    }

    #[test]
    fn numbers_of_the_axis_do_not_touch() {
        for column_s in [0.016, 0.032, 0.128, 1.024, 40.0, 900.0] {
            assert!(tick_s(column_s) / column_s >= 100.0, "{column_s}");
        }
    }

    #[test]
    fn every_tempo_that_can_be_announced_has_a_place_of_its_own() {
        let range = k1_engine::audio::BPM_RANGE;
        let (low, high) = (tempo_y(*range.start()), tempo_y(*range.end()));
        assert!(low < TEMPO.0 + TEMPO.1 && high > TEMPO.0 && low > high, "{low} {high}");
        let rows = heat_rows();
        assert!(rows.iter().flatten().all(|(tempo, share)| tempo + 1 < TEMPI && (0.0..=1.0).contains(share)));
        // A row of the map and the line of the announced tempo mean the same height.
        let row = rows.iter().position(|r| r.is_some_and(|(tempo, _)| tempo == 30)).unwrap();
        assert!((TEMPO.0 + row as f32 - tempo_y(tempo_bpm(30))).abs() <= 1.0);
    }
}
