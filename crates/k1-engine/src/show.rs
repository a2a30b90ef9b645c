//! The renderer: everything between a snapshot and finished light, in order.

use crate::audio::Snapshot;
use crate::light::{Frame, OutputSettings, OutputStage, Palette, PaletteTable, Rgb, Rhythm, Shape};
use crate::math::{Follower, choose, decay, smoothstep};
use crate::params::{Param, Params};
use crate::patterns::{AnyPattern, FIRST_PATTERN, PATTERNS, RenderContext};

/// Duration of a cross-fade between patterns in seconds.
pub const CROSS_FADE_S: f32 = 0.7;
/// Duration of a fade to a scene, to on or to off in seconds, if nobody says another one.
pub const FADE_S: f32 = 1.0;
/// Longest fade in seconds.
pub const LONGEST_FADE_S: f32 = 3_600.0;
/// Sound older than this many seconds is stale: the light becomes calm.
const STALE_S: f32 = 0.25;
/// A longer frame, in seconds, is a pause rather than a step: motion continues where it stopped.
const LONGEST_DT_S: f32 = 0.1;

/// What a zone shows: a pattern and its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Index of the pattern.
    pub pattern: usize,
    /// Values of the parameters.
    pub params: Params,
}

impl Default for Look {
    fn default() -> Self {
        Self { pattern: FIRST_PATTERN, params: Params::new() }
    }
}

struct Layer {
    index: usize,
    pattern: AnyPattern,
    palette: PaletteTable,
}

impl Layer {
    /// All zeros.
    const BLANK: Self = Self { index: 0, pattern: AnyPattern::BLANK, palette: PaletteTable::BLANK };

    /// Replaces what was here by a new pattern.
    fn start(&mut self, index: usize) {
        self.index = index;
        self.pattern = AnyPattern::new(index);
        self.palette = PaletteTable::BLANK;
    }
}

/// Renders frames for up to `N` LEDs. About `48·N` bytes plus 7 KiB: a chip puts [`BLANK`](Self::BLANK) into a `static`
/// and [`start`](Self::start)s it there.
pub struct Show<const N: usize> {
    leds: usize,
    params: Params,
    now: Layer,
    /// The outgoing pattern, which keeps moving if `before_moves`. During a fade without it, `fading` is a still picture.
    before: Layer,
    before_moves: bool,
    /// The settings that are faded out; those in force without a fade of settings.
    before_params: Params,
    /// Duration of the fade in seconds.
    fade_s: f32,
    /// Progress of the fade, 0 … 1; 1 without a fade.
    fade: f32,
    pixels: [Rgb; N],
    fading: [Rgb; N],
    rhythm: Rhythm,
    presence: Follower,
    ambient: f32,
    last_us: Option<u64>,
    /// The user's own palettes. (An empty list would not be zeros.)
    own_palettes: Option<&'static [Palette]>,
    /// The output stage, which holds the finished light.
    pub output: OutputStage<N>,
}

impl<const N: usize> Show<N> {
    /// All zeros, so that a `static` with it takes no flash. Must be [started](Self::start) before it renders.
    pub const BLANK: Self = Self {
        leds: 0,
        params: Params::BLANK,
        now: Layer::BLANK,
        before: Layer::BLANK,
        before_moves: false,
        before_params: Params::BLANK,
        fade_s: 0.0,
        fade: 0.0,
        pixels: [Rgb::BLACK; N],
        fading: [Rgb::BLACK; N],
        rhythm: Rhythm::BLANK,
        presence: Follower::at(0.0),
        ambient: 0.0,
        last_us: None,
        own_palettes: None,
        output: OutputStage::BLANK,
    };

    /// A dark strip of `leds` LEDs (at most `N`) with the first audio-reactive pattern.
    pub fn new(leds: usize, settings: OutputSettings) -> Self {
        let mut show = Self::BLANK;
        show.start(leds, settings);
        show
    }

    /// Makes a renderer as [`new`](Self::new) does of [`BLANK`](Self::BLANK), in its place: a chip's stack has little
    /// room.
    #[inline(never)]
    pub fn start(&mut self, leds: usize, settings: OutputSettings) {
        self.leds = leds.min(N);
        self.params = Params::default();
        self.before_params = self.params;
        self.now.start(FIRST_PATTERN);
        (self.fade, self.fade_s) = (1.0, CROSS_FADE_S);
        self.rhythm = Rhythm::default();
        self.presence = Follower::at(0.0).rise_s(0.06).fall_s(0.9);
        self.output.start(settings);
    }

    /// Number of LEDs.
    pub fn leds(&self) -> usize {
        self.leds
    }

    /// The settings in force.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Replaces the settings from the next frame on. What changes is in force at once, even during a fade.
    pub fn set_params(&mut self, params: Params) {
        for param in Param::ALL {
            if self.params.get(*param) != params.get(*param) {
                self.before_params.set(*param, params.get(*param));
            }
        }
        self.params = params;
    }

    /// Replaces the user's own palettes from the next frame on. Their numbers follow those of [`PALETTES`].
    ///
    /// [`PALETTES`]: crate::light::PALETTES
    pub fn set_own_palettes(&mut self, own: &'static [Palette]) {
        if self.own_palettes != Some(own) {
            self.own_palettes = Some(own);
            self.now.palette.forget();
            self.before.palette.forget();
        }
    }

    /// Index of the pattern that is shown or faded in.
    pub fn pattern(&self) -> usize {
        self.now.index
    }

    /// The beat at the last frame.
    pub fn rhythm(&self) -> &Rhythm {
        &self.rhythm
    }

    /// Fades to the pattern with this index. Returns `false` if there is no such pattern.
    ///
    /// A change during a fade starts a new fade from the present picture, which stands still while it fades out.
    pub fn select(&mut self, index: usize) -> bool {
        if index >= PATTERNS.len() {
            return false;
        }
        if index != self.now.index {
            self.begin_fade(index, self.params, CROSS_FADE_S);
        }
        true
    }

    /// Fades to a pattern and settings together, within `seconds`; below 0.01 s it is a cut. Returns `false` if there is
    /// no such pattern.
    ///
    /// The outgoing pattern keeps its settings. During a fade, the present picture fades out as in
    /// [`select`](Self::select).
    pub fn fade_to(&mut self, index: usize, params: Params, seconds: f32) -> bool {
        if index >= PATTERNS.len() {
            return false;
        }
        if (index, &params) == (self.now.index, &self.params) {
            return true;
        }
        if seconds < 0.01 {
            (self.params, self.before_params) = (params, params);
            return self.cut_to(index);
        }
        self.begin_fade(index, self.output_params(), seconds);
        self.params = params;
        true
    }

    fn begin_fade(&mut self, index: usize, before: Params, seconds: f32) {
        self.before_moves = self.fade >= 1.0;
        if self.before_moves {
            core::mem::swap(&mut self.now, &mut self.before);
        } else {
            // The picture consists of two patterns, and there is no room for a third. A fade from either alone would
            // jump.
            self.fading = self.pixels;
        }
        self.before_params = before;
        self.now.start(index);
        (self.fade, self.fade_s) = (0.0, seconds);
    }

    /// The settings with those of the output stage as far as the fade has come.
    fn output_params(&self) -> Params {
        let mut params = self.params;
        if self.fade < 1.0 {
            let t = smoothstep(0.0, 1.0, self.fade);
            for param in [Param::Softness, Param::Warmth, Param::Brightness] {
                let (before, now) = (self.before_params.get(param), self.params.get(param));
                params.set(param, before + (now - before) * t);
            }
        }
        params
    }

    /// Switches to a pattern at once, without a fade and with fresh state. For still pictures and tests.
    pub fn cut_to(&mut self, index: usize) -> bool {
        let known = index < PATTERNS.len();
        if known {
            self.now.start(index);
            self.before_moves = false;
            self.fade = 1.0;
        }
        known
    }

    /// Multiplies the light of the frame that was rendered last by `factor` (0 to 1), after everything else.
    pub fn dim(&mut self, factor: f32) {
        self.output.dim(self.leds, factor);
    }

    /// Renders a frame on a mirrored line; see [`render_on`](Self::render_on).
    pub fn render(&mut self, now_us: u64, sound: &Snapshot) {
        self.render_on(&Shape::Mirrored, now_us, sound);
    }

    /// Renders the frame for `now_us` (µs) from the newest snapshot into [`Self::output`], for LEDs that are arranged in
    /// `shape`.
    ///
    /// If time stands still or runs backwards, the frame has no motion. A snapshot that no ear can have made counts
    /// as silence.
    pub fn render_on(&mut self, shape: &Shape, now_us: u64, sound: &Snapshot) {
        // A single NaN would stay in a pattern's memory for ever.
        let sound = if sound.is_plausible() { sound } else { &Snapshot::EMPTY };
        let dt = match self.last_us {
            Some(last) => now_us.saturating_sub(last) as f32 * 1e-6,
            None => 0.0,
        };
        self.last_us = Some(now_us);
        let dt = dt.min(LONGEST_DT_S);
        let age = now_us.saturating_sub(sound.captured_us).min(10_000_000) as f32 * 1e-6;
        let alive = sound.sequence > 0 && !sound.silent && age < STALE_S;
        let presence = self.presence.step(choose(alive, &[0.0, 1.0]), dt);
        self.rhythm.step(sound, now_us, dt);

        let target = self.params.get(Param::Background);
        self.ambient = target + (self.ambient - target) * decay(dt, 0.2);

        let n = self.leds;
        let inputs = FrameInputs {
            shape,
            dt,
            sound,
            age: age.min(STALE_S),
            rhythm: &self.rhythm,
            presence,
            ambient: self.ambient,
            own_palettes: self.own_palettes.unwrap_or_default(),
        };
        inputs.draw(&mut self.now, &self.params, &mut self.pixels[..n]);
        if self.fade < 1.0 {
            self.fade += dt / self.fade_s;
            if self.fade >= 1.0 {
                self.fade = 1.0;
                self.before_moves = false;
            } else {
                if self.before_moves {
                    inputs.draw(&mut self.before, &self.before_params, &mut self.fading[..n]);
                }
                let t = smoothstep(0.0, 1.0, self.fade);
                for (p, old) in self.pixels.iter_mut().zip(&self.fading).take(n) {
                    *p = old.mix(*p, t);
                }
            }
        }
        let params = self.output_params();
        self.output.process(&self.pixels[..n], &params, dt);
    }
}

/// The inputs of one frame, shared by both patterns of a cross-fade.
struct FrameInputs<'a> {
    shape: &'a Shape<'a>,
    dt: f32,
    sound: &'a Snapshot,
    age: f32,
    rhythm: &'a Rhythm,
    presence: f32,
    ambient: f32,
    own_palettes: &'a [Palette],
}

impl FrameInputs<'_> {
    /// Draws a pattern and, in its palette, the ambient light, so that both fade together.
    fn draw(&self, layer: &mut Layer, params: &Params, pixels: &mut [Rgb]) {
        let id = PATTERNS[layer.index].own_palette.unwrap_or(params.palette_id());
        layer.palette.update(id, self.own_palettes, params);
        let ctx = RenderContext {
            dt: self.dt,
            params,
            palette: &layer.palette,
            sound: self.sound,
            age: self.age,
            rhythm: self.rhythm,
            presence: self.presence,
        };
        let mut frame = Frame::new(pixels, self.shape);
        layer.pattern.render(&ctx, &mut frame);
        // The ambient light: a faint glow from the centre, so that a dark room is never completely dark.
        if self.ambient >= 1e-3 {
            frame.add_glow(&layer.palette, self.ambient * self.ambient * 0.11);
        }
    }
}
