//! The parts of a show.

use k1_engine::light::{Point, Shape};

use crate::Look;
use crate::palette::OwnPalette;
use crate::playlist::Playlist;
use crate::scene::Scene;
use crate::timer::Timer;

/// A whole show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Show {
    /// Name of this K1.
    pub name: Option<String>,
    /// Where sound comes from, in the form of the command line.
    pub input: Option<String>,
    /// Microphone gain, as a factor.
    pub gain: Option<f32>,
    /// Frames per second.
    pub fps: Option<u32>,
    /// Largest current of each zone in mA; 0 is unlimited.
    pub max_ma: Option<u32>,
    /// Palettes of the user's own, in the order of the file.
    pub palettes: Vec<OwnPalette>,
    /// The lights, in the order of the file.
    pub lights: Vec<Light>,
    /// The zones, in the order of the file.
    pub zones: Vec<Zone>,
    /// The scenes, in the order of the file.
    pub scenes: Vec<Scene>,
    /// The playlist.
    pub playlist: Option<Playlist>,
    /// The timers, in the order of the file.
    pub timers: Vec<Timer>,
    /// What was set last.
    pub now: Now,
}

/// What is in force besides the looks of the zones.
#[derive(Clone, Debug, PartialEq)]
pub struct Now {
    /// False if the light is off.
    pub on: bool,
    /// Brightness of everything, 0 to 1.
    pub brightness: f32,
    /// Name of the scene that was recalled last.
    pub scene: Option<String>,
}

impl Default for Now {
    fn default() -> Self {
        Self { on: true, brightness: 1.0, scene: None }
    }
}

/// Something that takes pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// Its name, which no other light has.
    pub name: String,
    /// Its address, in the form of the command line's `--to`.
    pub to: String,
    /// Number of LEDs.
    pub leds: usize,
    /// Further settings, which belong to its kind: name and value.
    pub settings: Vec<(String, String)>,
}

/// A shape with a look, made of pieces of lights.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Its name, which no other zone has.
    pub name: String,
    /// How its pixels are arranged, unless it has points.
    pub shape: Shape<'static>,
    /// The point of each pixel, from a map file.
    pub points: Option<Vec<Point>>,
    /// How its pieces share its pixels.
    pub layout: Layout,
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
    /// Its pattern and parameters.
    pub look: Look,
    /// Where it hangs on the plan of the page, if somebody has hung it there.
    pub place: Option<Place>,
}

/// Where a zone hangs on a plan, which changes nothing but drawings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Its middle from the left (0) to the right edge (1).
    pub x: f32,
    /// Its middle from the upper (0) to the lower edge (1).
    pub y: f32,
    /// How far it is turned clockwise, in degrees, 0 to below 360.
    pub angle: f32,
}

impl Place {
    /// A place on the plan; `None` if a value is outside its range.
    pub fn new(x: f32, y: f32, angle: f32) -> Option<Self> {
        let is_on_it = [x, y].iter().all(|at| (0.0..=1.0).contains(at));
        (is_on_it && (0.0..360.0).contains(&angle)).then_some(Self { x, y, angle })
    }
}

/// How the pieces of a zone share its pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The pieces follow each other, and the zone spans all of them.
    #[default]
    Span,
    /// Each piece shows the whole zone, stretched to its own length.
    Stretch,
}

/// A part of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Pixels that no light shows.
    Gap(usize),
    /// LEDs of a light.
    Run(Run),
}

/// Neighbouring LEDs of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the light.
    pub light: usize,
    /// First LED, counted from 0.
    pub from: usize,
    /// Last LED, which belongs to the run.
    pub to: usize,
    /// True if the zone's beginning is at the last LED.
    pub reversed: bool,
    /// Number of neighbours that show the same pixel; at least 1.
    pub group: usize,
    /// Number of times that the run shows its pixels one after the other; at least 1.
    pub repeat: usize,
}

impl Run {
    /// Number of LEDs.
    pub fn leds(&self) -> usize {
        self.to - self.from + 1
    }

    /// Number of pixels of the zone that the run shows.
    pub fn pixels(&self) -> usize {
        self.leds().div_ceil(self.repeat).div_ceil(self.group)
    }
}

impl Show {
    /// The zones that have a piece of a light, which is given by its index.
    pub fn zones_of(&self, light: usize) -> impl Iterator<Item = &Zone> {
        self.zones.iter().filter(move |zone| zone.runs().any(|run| run.light == light))
    }
}

impl Zone {
    /// The runs among its pieces.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Run(run) => Some(run),
            Piece::Gap(_) => None,
        })
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        match self.layout {
            Layout::Span => {
                let of = |piece: &Piece| match piece {
                    Piece::Gap(pixels) => *pixels,
                    Piece::Run(run) => run.pixels(),
                };
                self.pieces.iter().map(of).sum()
            }
            Layout::Stretch => self.runs().map(Run::pixels).max().unwrap_or(0),
        }
    }
}
