//! A show: lights, zones and their looks, in one file that people read and edit. No I/O.
//!
//! | Room | What it does |
//! |---|---|
//! | [`model`] | lights, zones and pieces |
//! | [`palette`], [`import`] | palettes of the user's own, and gradients of other programs |
//! | [`scene`], [`playlist`], [`timer`] | looks under a name, and what changes them by itself |
//! | [`read`](mod@read) | a show from its text, with a sentence for each fault |
//! | [`text`] | changes of the text that keep comments and layout |
//! | [`points`] | files that say where each LED is |
//! | [`map`] | which pixel of which zone each LED of a light shows |

#![forbid(unsafe_code)]

pub mod import;
pub mod map;
pub mod model;
pub mod palette;
pub mod playlist;
pub mod points;
pub mod read;
pub mod scene;
pub mod text;
pub mod timer;

pub use k1_engine::show::Look;
pub use model::{Layout, Light, Now, Piece, Place, Run, Show, Zone};
pub use palette::OwnPalette;
pub use playlist::{Every, Playlist};
pub use read::{Fault, Forms, Reading, read};
pub use scene::Scene;
pub use text::Text;
pub use timer::{Days, Task, TimeOfDay, Timer};

/// Version of the format that this program reads and writes.
pub const VERSION: i64 = 1;
/// Largest number of LEDs of a light, and of pixels of a zone.
pub const MOST_LEDS: usize = 4_096;
/// Longest name of a light or a zone, in bytes.
pub const LONGEST_NAME: usize = 64;
/// Largest number of lights, and of zones.
pub const MOST_PARTS: usize = 256;
