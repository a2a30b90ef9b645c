//! Magnitudes of the transform of 1,024 real samples.
//!
//! Pairs of samples are one complex number, of which there are 512: a step by two and four by four, decimated in frequency
//! and in place, so that the results come out with their digits reversed; then the spectra of the even and the odd samples
//! are taken apart (Cooley & Tukey, "An algorithm for the machine calculation of complex Fourier series", Mathematics of
//! Computation 19, 1965; Brigham, "The Fast Fourier Transform", 1974, ch. 10). Real and imaginary parts lie apart, so that
//! a processor may compute four at once. For this length that takes half of the instructions of a general one (microfft
//! 0.6).

use wide::f32x4;

use super::looked_up::{APART, FOURS, REVERSED, TWOS};
use super::tables::FFT;
use crate::math::sqrt;

/// Complex numbers.
const N: usize = FFT / 2;
/// Lengths of the blocks that are quartered with a twist; what is left of them then is quartered without.
const QUARTERED: [usize; 3] = [256, 64, 16];

/// Room for the transform: 6 KiB, which would be half of the ear's stack on a lamp.
#[derive(Clone, Debug)]
pub(super) struct Fourier {
    re: [f32; N],
    im: [f32; N],
    magnitudes: [f32; N],
}

impl Fourier {
    /// Has transformed nothing.
    pub(super) const fn new() -> Self {
        Self { re: [0.0; N], im: [0.0; N], magnitudes: [0.0; N] }
    }

    /// Magnitudes of bins 1 to 511 of `samples`, each times its share of `window`; that of bin 0 is said to be 0.
    pub(super) fn magnitudes(&mut self, samples: &[f32; FFT], window: &[f32; FFT]) -> &[f32; N] {
        let pairs = samples.as_chunks::<2>().0.iter().zip(window.as_chunks::<2>().0);
        for ((re, im), (x, w)) in self.re.iter_mut().zip(&mut self.im).zip(pairs) {
            *re = x[0] * w[0];
            *im = x[1] * w[1];
        }
        self.halve();
        let mut from = 0;
        for length in QUARTERED {
            let twist = &FOURS[from..from + 6 * length / 4];
            for (re, im) in self.re.chunks_exact_mut(length).zip(self.im.chunks_exact_mut(length)) {
                quarter(re, im, twist);
            }
            from += twist.len();
        }
        for (re, im) in self.re.as_chunks_mut::<16>().0.iter_mut().zip(self.im.as_chunks_mut::<16>().0) {
            four_of_four(re, im);
        }
        self.take_apart();
        for m in &mut self.magnitudes {
            *m = sqrt(*m);
        }
        &self.magnitudes
    }

    fn halve(&mut self) {
        let ((re, re_far), (im, im_far)) = (self.re.split_at_mut(N / 2), self.im.split_at_mut(N / 2));
        let (cos, sin) = TWOS.split_at(N / 2);
        let near = quads(re).zip(quads(im));
        let far = quads(re_far).zip(quads(im_far));
        for (((a, b), (c, d)), (cos, sin)) in near.zip(far).zip(read(cos).zip(read(sin))) {
            let (x, y, u, v) = (f32x4::new(*a), f32x4::new(*b), f32x4::new(*c), f32x4::new(*d));
            (*a, *b) = ((x + u).to_array(), (y + v).to_array());
            let (p, q) = times((x - u, y - v), (cos, sin));
            (*c, *d) = (p.to_array(), q.to_array());
        }
    }

    /// Squares of the magnitudes, in their order.
    fn take_apart(&mut self) {
        let Self { re: even, im: odd, magnitudes: out } = self;
        out[0] = 0.0;
        for k in 1..=N / 2 {
            let (near, far) = (usize::from(REVERSED[k]) % N, usize::from(REVERSED[N - k]) % N);
            // Of z and its mirror image: half their sum is the spectrum of the even samples, half their difference i
            // times that of the odd.
            let (a, b) = (0.5 * (even[near] + even[far]), 0.5 * (odd[near] - odd[far]));
            let (c, d) = (0.5 * (odd[near] + odd[far]), 0.5 * (even[far] - even[near]));
            let [cos, sin] = APART[k];
            let (u, v) = (c * cos - d * sin, c * sin + d * cos);
            out[k] = (a + u) * (a + u) + (b + v) * (b + v);
            out[N - k] = (a - u) * (a - u) + (b - v) * (b - v);
        }
    }
}

fn quads(row: &mut [f32]) -> impl Iterator<Item = &mut [f32; 4]> {
    row.as_chunks_mut::<4>().0.iter_mut()
}

fn read(row: &[f32]) -> impl Iterator<Item = f32x4> {
    row.as_chunks::<4>().0.iter().map(|four| f32x4::new(*four))
}

/// Product of complex numbers.
fn times((x, y): (f32x4, f32x4), (cos, sin): (f32x4, f32x4)) -> (f32x4, f32x4) {
    (x * cos - y * sin, x * sin + y * cos)
}

/// The sums that a block's quarters become, before they are twisted.
fn sums(re: [f32x4; 4], im: [f32x4; 4]) -> [(f32x4, f32x4); 4] {
    let (a, b) = ((re[0] + re[2], im[0] + im[2]), (re[0] - re[2], im[0] - im[2]));
    let (c, d) = ((re[1] + re[3], im[1] + im[3]), (im[1] - im[3], re[3] - re[1]));
    [(a.0 + c.0, a.1 + c.1), (b.0 + d.0, b.1 + d.1), (a.0 - c.0, a.1 - c.1), (b.0 - d.0, b.1 - d.1)]
}

fn quarter(re: &mut [f32], im: &mut [f32], twist: &[f32]) {
    let q = re.len() / 4;
    let (re0, re) = re.split_at_mut(q);
    let (re1, re) = re.split_at_mut(q);
    let (re2, re3) = re.split_at_mut(q);
    let (im0, im) = im.split_at_mut(q);
    let (im1, im) = im.split_at_mut(q);
    let (im2, im3) = im.split_at_mut(q);
    let re = quads(re0).zip(quads(re1)).zip(quads(re2).zip(quads(re3)));
    let im = quads(im0).zip(quads(im1)).zip(quads(im2).zip(quads(im3)));
    for ((((re0, re1), (re2, re3)), ((im0, im1), (im2, im3))), twist) in
        re.zip(im).zip(twist.as_chunks::<24>().0)
    {
        let [y0, y1, y2, y3] =
            sums([*re0, *re1, *re2, *re3].map(f32x4::new), [*im0, *im1, *im2, *im3].map(f32x4::new));
        let (t, _) = twist.as_chunks::<4>();
        let y1 = times(y1, (f32x4::new(t[0]), f32x4::new(t[1])));
        let y2 = times(y2, (f32x4::new(t[2]), f32x4::new(t[3])));
        let y3 = times(y3, (f32x4::new(t[4]), f32x4::new(t[5])));
        (*re0, *re1, *re2, *re3) = (y0.0.to_array(), y1.0.to_array(), y2.0.to_array(), y3.0.to_array());
        (*im0, *im1, *im2, *im3) = (y0.1.to_array(), y1.1.to_array(), y2.1.to_array(), y3.1.to_array());
    }
}

/// The last step, on four blocks of four at once. What comes out lies across the blocks, which `REVERSED` knows.
fn four_of_four(re: &mut [f32; 16], im: &mut [f32; 16]) {
    let across = |x: &[f32; 16]| {
        let (x, _) = x.as_chunks::<4>();
        f32x4::transpose([x[0], x[1], x[2], x[3]].map(f32x4::new))
    };
    let y = sums(across(re), across(im));
    for (((re, im), y_re), y_im) in
        quads(re).zip(quads(im)).zip(y.map(|y| y.0.to_array())).zip(y.map(|y| y.1.to_array()))
    {
        *re = y_re;
        *im = y_im;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;

    fn magnitudes(samples: &[f32; FFT]) -> [f32; N] {
        *Fourier::new().magnitudes(samples, &[1.0; FFT])
    }

    #[test]
    fn every_bin_is_that_of_the_definition() {
        let mut seed = 7_u32;
        let samples: [f32; FFT] = core::array::from_fn(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        });
        let out = magnitudes(&samples);
        for (k, m) in out.iter().enumerate().skip(1) {
            let turn = |i: usize| TAU * ((i * k) % FFT) as f64 / FFT as f64;
            let re: f64 = samples.iter().enumerate().map(|(i, x)| f64::from(*x) * turn(i).cos()).sum();
            let im: f64 = samples.iter().enumerate().map(|(i, x)| f64::from(*x) * turn(i).sin()).sum();
            let exact = re.hypot(im);
            assert!((f64::from(*m) - exact).abs() < 2e-5 * exact + 2e-4, "bin {k}: {m} not {exact}");
        }
    }

    #[test]
    fn a_tone_is_in_its_own_bin_and_a_click_in_all() {
        for k in [1, 2, 3, 64, 255, 256, 257, 510, 511] {
            let out = magnitudes(&core::array::from_fn(|i| {
                (TAU * ((i * k) % FFT) as f64 / FFT as f64).cos() as f32
            }));
            for (bin, m) in out.iter().enumerate() {
                let want = if bin == k { 512.0 } else { 0.0 };
                assert!((m - want).abs() < 2e-3, "tone {k}, bin {bin}: {m}");
            }
        }
        for at in [0, 1, 2, 511, 512, 1023] {
            let out = magnitudes(&core::array::from_fn(|i| if i == at { 1.0 } else { 0.0 }));
            assert!(out[1..].iter().all(|m| (m - 1.0).abs() < 1e-5), "click at {at}");
        }
    }

    #[test]
    fn the_window_weighs_and_bin_0_is_left_out() {
        let mut window = [0.0; FFT];
        window[300] = 0.5;
        let mut fourier = Fourier::new();
        let out = fourier.magnitudes(&[2.0; FFT], &window);
        assert_eq!(out[0], 0.0);
        assert!(out[1..].iter().all(|m| (m - 1.0).abs() < 1e-5));
    }
}
