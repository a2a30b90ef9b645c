//! Light: colour, palettes, shapes, rhythm for the eye, and the one output stage.
//!
//! Colours are linear in light: 0.5 is half the photons of 1. A WS2812's PWM is linear too, so its wire needs no
//! gamma; sinks that expect sRGB get its transfer function.

mod colour;
mod frame;
mod noise;
mod output;
mod palette;
mod palette_table;
mod palettes;
mod rhythm;
mod shape;
mod shape_text;
mod white;

pub use colour::{Oklab, Oklch, Rgb, srgb_byte};
pub use frame::Frame;
pub use noise::{NOISE_PERIOD, gradient_noise, hash};
pub use output::{
    CHANNEL_MA, IDLE_MA, OutputSettings, OutputStage, WHITE_BALANCE, dither_threshold, limited_to, perceptual,
};
pub use palette::{Palette, Stop};
pub use palette_table::PaletteTable;
pub use palettes::{PALETTES, palette_by_name};
pub use rhythm::Rhythm;
pub use shape::{Matrix, Place, Point, Points, Shape};
pub use shape_text::ShapeError;
pub use white::White;
