//! Which pixel of which zone each LED of a light shows, computed once.

use crate::model::{Layout, Piece, Run, Show};

/// What an LED shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    zone: u16,
    pixel: u16,
}

impl Cell {
    /// An LED that belongs to no zone and stays dark.
    pub const DARK: Self = Self { zone: u16::MAX, pixel: 0 };

    /// Pixel `pixel` of zone `zone`. Both are below 65,535.
    pub const fn new(zone: usize, pixel: usize) -> Self {
        Self { zone: zone as u16, pixel: pixel as u16 }
    }

    /// The zone and its pixel; `None` for an LED that stays dark.
    pub fn get(self) -> Option<(usize, usize)> {
        (self.zone != u16::MAX).then_some((self.zone.into(), self.pixel.into()))
    }
}

/// The LEDs of each light, in the order of the show.
pub fn map(show: &Show) -> Vec<Vec<Cell>> {
    let mut lights: Vec<Vec<Cell>> = show.lights.iter().map(|light| vec![Cell::DARK; light.leds]).collect();
    for (index, zone) in show.zones.iter().enumerate() {
        let pixels = zone.pixels();
        let mut begin = 0;
        for piece in &zone.pieces {
            match (piece, zone.layout) {
                (Piece::Gap(gap), _) => begin += gap,
                (Piece::Run(run), Layout::Span) => {
                    place(run, &mut lights[run.light], |pixel| Cell::new(index, begin + pixel));
                    begin += run.pixels();
                }
                (Piece::Run(run), Layout::Stretch) => {
                    let own = run.pixels();
                    // The middle of each of the run's pixels, in pixels of the zone.
                    place(run, &mut lights[run.light], |pixel| {
                        Cell::new(index, (2 * pixel + 1) * pixels / (2 * own))
                    });
                }
            }
        }
    }
    lights
}

/// Writes a run into its light; `cell` is called with the run's own pixels.
fn place(run: &Run, light: &mut [Cell], cell: impl Fn(usize) -> Cell) {
    let leds = run.leds();
    let each = leds.div_ceil(run.repeat);
    for (i, led) in light[run.from..=run.to].iter_mut().enumerate() {
        let along = if run.reversed { leds - 1 - i } else { i };
        *led = cell(along % each / run.group);
    }
}
