//! The patterns, one file each, and their registry.
//!
//! A pattern owns its state, moves by elapsed time, writes through [`Frame`], and knows nothing about
//! brightness, gamma or the wire. Without music it becomes calm, scaled by `background`.

use crate::audio::Snapshot;
use crate::light::{Frame, PaletteTable, Rhythm};
use crate::math::nearest;
use crate::params::{Param, Params};

mod analog;
mod bar_clock;
mod bars;
mod beat_tunnel;
mod bloom;
mod cascade;
mod chase;
mod departure;
mod field;
mod hype;
mod lava;
mod metronome;
mod octave;
mod perlin;
mod plasma;
mod pulse;
mod radar;
mod sparks;
mod spectrum;
mod tempiscope;
mod twilight;
mod void_trail;

/// Everything that a pattern may use for one frame: time, sound and settings, each as one consistent copy.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// Seconds since the last frame, 0 … 0.1.
    pub dt: f32,
    /// The user's settings.
    pub params: &'a Params,
    /// The palette with the user's colours, or the pattern's own.
    pub palette: &'a PaletteTable,
    /// The newest snapshot of the sound.
    pub sound: &'a Snapshot,
    /// Seconds from the capture of that snapshot to this frame.
    pub age: f32,
    /// The beat at the time of this frame.
    pub rhythm: &'a Rhythm,
    /// Presence of music: 1 with music, 0 in silence or when the sound is stale; smooth.
    pub presence: f32,
}

impl RenderContext<'_> {
    /// Value of a parameter.
    pub fn param(&self, p: Param) -> f32 {
        self.params.get(p)
    }

    /// Seconds of motion in this frame: `dt` times the user's speed.
    pub fn motion(&self) -> f32 {
        self.dt * self.params.speed_factor()
    }

    /// Beats in a bar, and beats since the bar began, below that number. Counts to four while the bar is unknown.
    #[inline(never)]
    pub fn bar(&self) -> (u32, f32) {
        let phase = self.rhythm.phase;
        let Some(heard) = self.sound.bar_position_after(self.rhythm.bpm * self.age * (1.0 / 60.0)) else {
            return (4, (self.rhythm.count % 4) as f32 + phase);
        };
        // The whole beats are the ear's; the phase is smoother.
        let beats = self.sound.beats_per_bar as f32;
        let since = nearest(heard - phase) + phase;
        (
            self.sound.beats_per_bar,
            if since < 0.0 {
                since + beats
            } else if since >= beats {
                since - beats
            } else {
                since
            },
        )
    }

    /// Strength of the calm: the `background` setting without music, 0 with music.
    pub fn calm(&self) -> f32 {
        self.param(Param::Background) * (1.0 - self.presence)
    }
}

/// A pattern: its state and its rendering.
pub trait Pattern: Default {
    /// Draws the next frame. Every LED must be written.
    fn render(&mut self, ctx: &RenderContext, frame: &mut Frame);
}

/// The description of a pattern, for interfaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatternInfo {
    /// Identifier, as in the lamps in the field.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub description: &'static str,
    /// The features of the sound that it uses.
    pub listens: &'static str,
    /// Whether music moves it; otherwise it moves by itself and music only colours it.
    pub is_audio_reactive: bool,
    /// Number of its own palette; `None` = the user's palette.
    pub own_palette: Option<usize>,
    /// Effects of the three custom parameters.
    pub knobs: [&'static str; 3],
}

/// Declares the registry once: table, enumeration and dispatch.
macro_rules! registry {
    ($($module:ident :: $kind:ident = $info:expr;)*) => {
        /// Every pattern, in the order of its index.
        pub static PATTERNS: [PatternInfo; [$(stringify!($kind)),*].len()] = [$($info),*];

        /// A running pattern of any kind.
        #[allow(clippy::large_enum_variant, reason = "there are two of these, side by side in the show, and no heap")]
        #[derive(Clone, Debug)]
        pub enum AnyPattern { $(#[doc = stringify!($kind)] $kind($module::$kind)),* }

        impl AnyPattern {
            /// All zeros: the first kind, without its settings.
            pub(crate) const BLANK: Self = Self::Departure(departure::Departure::BLANK);

            /// A new pattern by index; an index beyond the last gives the first pattern.
            pub fn new(index: usize) -> Self {
                const MAKE: [fn() -> AnyPattern; PATTERNS.len()] =
                    [$(|| AnyPattern::$kind($module::$kind::default())),*];
                MAKE.get(index).unwrap_or(&MAKE[0])()
            }

            /// Draws the next frame.
            pub fn render(&mut self, ctx: &RenderContext, frame: &mut Frame) {
                match self { $(Self::$kind(p) => p.render(ctx, frame)),* }
            }
        }
    };
}

registry! {
    departure::Departure = departure::INFO;
    lava::Lava = lava::INFO;
    twilight::Twilight = twilight::INFO;
    spectrum::Spectrum = spectrum::INFO;
    octave::Octave = octave::INFO;
    bloom::Bloom = bloom::INFO;
    pulse::Pulse = pulse::INFO;
    tempiscope::Tempiscope = tempiscope::INFO;
    beat_tunnel::BeatTunnel = beat_tunnel::INFO;
    perlin::Perlin = perlin::INFO;
    void_trail::VoidTrail = void_trail::INFO;
    analog::Analog = analog::INFO;
    metronome::Metronome = metronome::INFO;
    hype::Hype = hype::INFO;
    chase::Chase = chase::INFO;
    bar_clock::BarClock = bar_clock::INFO;
    bars::Bars = bars::INFO;
    plasma::Plasma = plasma::INFO;
    radar::Radar = radar::INFO;
    sparks::Sparks = sparks::INFO;
    cascade::Cascade = cascade::INFO;
}

/// Index of the pattern that a lamp starts with: the first that follows the music.
pub const FIRST_PATTERN: usize = 3;

/// Index of the pattern with this identifier.
pub fn pattern_by_id(id: &str) -> Option<usize> {
    PATTERNS.iter().position(|p| p.id == id)
}

/// A slow swell within 0 … 1. `clock` and `period` are in seconds of motion.
#[inline(never)]
fn breath(clock: f32, period: f32) -> f32 {
    0.5 - 0.5 * crate::math::cos_turns(clock / period)
}

/// Adds `amount` to a clock, in seconds of motion, and wraps it, so that an f32 keeps its precision after weeks.
///
/// The period is a multiple of every breath and loop that patterns derive from the clock. For noise, the period times
/// the rate must be a multiple of [`NOISE_PERIOD`](crate::light::NOISE_PERIOD), which holds for rates of whole
/// twentieths. So nothing jumps when the clock wraps.
#[inline(never)]
fn tick(clock: &mut f32, amount: f32) -> f32 {
    const PERIOD: f32 = 2_520.0;
    *clock += amount;
    if *clock >= PERIOD {
        *clock -= PERIOD;
    }
    *clock
}

/// Linear light of a loudness-like value: the square looks proportional to the eye.
fn lit(x: f32) -> f32 {
    x * x
}

/// Light of a band, 0 … 1: the loudest of its semitones times `lift`, to the power of `contrast`.
///
/// A function of its own, because arrays of bands would otherwise hold a copy of it for each band.
#[inline(never)]
fn band_light(semitones: &[f32], lift: f32, contrast: f32) -> f32 {
    let loudest = semitones.iter().fold(0.0_f32, |most, x| most.max(*x));
    crate::math::pow((loudest * lift).min(1.0), contrast)
}

/// Index of the strongest note.
fn strongest_note(sound: &Snapshot) -> usize {
    strongest(&sound.chroma)
}

/// Index of the largest value; the first of several.
fn strongest<T: PartialOrd, const N: usize>(values: &[T; N]) -> usize {
    (1..N).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
