//! Draws what K1 heard in a sound: a picture, or a page with tables.
//!
//! ```text
//! samples, snapshots, events ─▶ Record ─▶ layout ─▶ Surface ─┬▶ Raster ─▶ OUT.png
//!                               columns   rows of             └▶ Vector ─▶ page ─▶ OUT.html
//!                               of time   a strip
//! ```
//!
//! This module does not analyse sound. A [`Record`] only keeps what the ear has announced.

mod font;
mod ink;
mod layout;
mod page;
mod place;
mod raster;
mod record;
mod summary;
mod vector;

pub use place::{Form, Place};
pub use record::{Beat, Column, FINEST_HOPS, Figures, InBar, MOST_COLUMNS, Onset, Part, Record};
pub use summary::{Summary, Tempo};

/// The picture of a record as a PNG: strips of 1,500 columns, one below the other, 1,640 pixels wide and at most
/// 7,968 high.
///
/// # Errors
///
/// Those of the encoder.
pub fn png(record: &Record, title: &str) -> std::io::Result<Vec<u8>> {
    raster::picture(record, title)
}

/// The report as a self-contained page: strips, figures, tables.
///
/// # Errors
///
/// Those of the encoder of the heat maps.
pub fn html(record: &Record, title: &str) -> std::io::Result<String> {
    page::page(record, title)
}
