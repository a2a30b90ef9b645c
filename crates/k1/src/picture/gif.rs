//! The strip in motion, as an animated GIF: its LEDs with the glow around them.

use std::io::{self, BufWriter};

use k1_engine::light::srgb_byte;

use super::{Picture, commit};
use k1_host::output::{Output, Unwritten, unwritten};

/// An animation of the strip, at most 50 frames a second, which is what viewers play.
pub struct Gif {
    encoder: gif::Encoder<BufWriter<Output>>,
    glow: Glow,
    fps: u32,
    frames: u64,
    written: u64,
}

const GIF_FPS: u32 = 50;

impl Gif {
    /// Begins the file.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn new(output: Output, leds: usize, fps: u32) -> io::Result<Self> {
        let glow = Glow::new(leds);
        let file = BufWriter::new(output);
        let mut encoder =
            gif::Encoder::new(file, glow.width as u16, HEIGHT as u16, &[]).map_err(encoding_failed)?;
        encoder.set_repeat(gif::Repeat::Infinite).map_err(encoding_failed)?;
        Ok(Self { encoder, glow, fps, frames: 0, written: 0 })
    }
}

impl Picture for Gif {
    fn frame(&mut self, _: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()> {
        let shown = |frame: u64| frame * u64::from(GIF_FPS) / u64::from(self.fps);
        let due = self.frames == 0 || shown(self.frames) != shown(self.frames - 1);
        self.frames += 1;
        if !due {
            return Ok(());
        }
        let width = self.glow.width as u16;
        let mut frame = gif::Frame::from_rgb_speed(width, HEIGHT as u16, self.glow.draw(screen), 10);
        // A frame's time is a whole number of hundredths of a second; what rounding takes from one, the next gets.
        let due = |frame: u64| frame * 100 / u64::from(GIF_FPS.min(self.fps));
        frame.delay = (due(self.written + 1) - due(self.written)) as u16;
        self.written += 1;
        self.encoder.write_frame(&frame).map_err(encoding_failed)
    }

    fn finish(self: Box<Self>) -> Result<(), Unwritten> {
        let path = self.encoder.get_ref().get_ref().path().to_owned();
        commit(self.encoder.into_inner().map_err(|e| unwritten(&path, encoding_failed(e)))?)
    }
}

fn encoding_failed(e: gif::EncodingError) -> io::Error {
    match e {
        gif::EncodingError::Io(e) => e,
        other => io::Error::other(other),
    }
}

/// Pixels from top to bottom.
const HEIGHT: usize = 80;
/// Half of the height of an LED, in pixels.
const LED: usize = 4;
/// Light of the dark wall behind the strip, as linear light: the page's background, #08070b.
const WALL: [f32; 3] = [0.002_4, 0.002_1, 0.003_3];
/// The halo is a sum of Gaussians, as light that scatters in a diffuser and on a wall: radius in pixels, and share.
const HALO: [(f32, f32); 3] = [(4.5, 0.5), (12.0, 0.22), (24.0, 0.12)];

/// Draws LEDs as they look in a dark room. Light adds up, so all of this is linear until the last step.
struct Glow {
    width: usize,
    per_led: usize,
    /// Light of the LEDs along the strip, one value a pixel.
    row: Vec<[f32; 3]>,
    /// The row spread by each radius of [`HALO`].
    spread: [Vec<[f32; 3]>; HALO.len()],
    pixels: Vec<u8>,
}

impl Glow {
    fn new(leds: usize) -> Self {
        let per_led = (720 / leds.max(1)).clamp(1, 10);
        let width = leds * per_led;
        let row = vec![[0.0; 3]; width];
        Self {
            width,
            per_led,
            spread: std::array::from_fn(|_| row.clone()),
            row,
            pixels: vec![0; width * HEIGHT * 3],
        }
    }

    fn draw(&mut self, screen: &[[u8; 3]]) -> &[u8] {
        for (led, colour) in self.row.chunks_exact_mut(self.per_led).zip(screen) {
            led.fill(colour.map(linear));
        }
        for (spread, (radius, _)) in self.spread.iter_mut().zip(HALO) {
            blur(&self.row, radius, spread);
        }
        let middle = HEIGHT / 2;
        for y in 0..HEIGHT {
            let away = y as f32 + 0.5 - middle as f32;
            let shares = HALO.map(|(radius, share)| share * (-0.5 * (away / radius).powi(2)).exp());
            let is_lit = (middle - LED..middle + LED).contains(&y);
            let corner = y == middle - LED || y == middle + LED - 1;
            for x in 0..self.width {
                let place = x % self.per_led;
                let gap = self.per_led >= 6 && (place == 0 || place == self.per_led - 1);
                let round = self.per_led >= 6 && corner && (place <= 1 || place + 2 >= self.per_led);
                let led = is_lit && !gap && !round;
                for c in 0..3 {
                    let mut light = WALL[c];
                    for (spread, share) in self.spread.iter().zip(shares) {
                        light += spread[x][c] * share;
                    }
                    if led {
                        light += self.row[x][c];
                    }
                    self.pixels[(y * self.width + x) * 3 + c] = srgb_byte(light.min(1.0));
                }
            }
        }
        &self.pixels
    }
}

/// Linear light of an sRGB code (IEC 61966-2-1).
fn linear(code: u8) -> f32 {
    let v = f32::from(code) / 255.0;
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// `row` under a Gaussian of `radius` pixels. The strip ends where the row ends: beyond it is dark.
fn blur(row: &[[f32; 3]], radius: f32, out: &mut [[f32; 3]]) {
    let reach = (radius * 3.0) as usize;
    let weights: Vec<f32> = (0..=reach).map(|d| (-0.5 * (d as f32 / radius).powi(2)).exp()).collect();
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f32>();
    for (x, out) in out.iter_mut().enumerate() {
        let mut sum = [0.0; 3];
        let (from, to) = (x.saturating_sub(reach), (x + reach).min(row.len() - 1));
        for (at, light) in row[from..=to].iter().enumerate() {
            let weight = weights[(from + at).abs_diff(x)];
            for c in 0..3 {
                sum[c] += weight * light[c];
            }
        }
        *out = sum.map(|s| s / total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_led_shines_in_its_own_colour_and_its_halo_fades_without_steps() {
        let mut glow = Glow::new(60);
        let mut strip = [[0; 3]; 60];
        strip[30] = [255, 40, 0];
        let width = glow.width;
        let pixels = glow.draw(&strip);
        let at = |x: usize, y: usize| [0, 1, 2].map(|c| pixels[(y * width + x) * 3 + c]);
        let x = 30 * 10 + 5;
        let led = at(x, HEIGHT / 2);
        assert!(led[0] == 255 && led[0] > led[1] && led[1] > led[2], "{led:?}");
        let column: Vec<u8> = (HEIGHT / 2 + LED..HEIGHT).map(|y| at(x, y)[0]).collect();
        assert!(column[0] > 60 && column.windows(2).all(|p| p[1] <= p[0]), "{column:?}");
        assert!(column.windows(2).all(|p| p[0] - p[1] <= 24), "{column:?}");
        assert_eq!(
            at(6, HEIGHT / 2),
            at(width - 6, 2),
            "far from the light the wall is as dark as everywhere"
        );
    }
}
