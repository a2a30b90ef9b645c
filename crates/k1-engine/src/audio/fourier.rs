//! Magnitude spectrum of 1,024 real samples.
//!
//! Each pair of samples forms one of 512 complex numbers. One radix-2 step and four radix-4 steps, decimated in
//! frequency and in place, leave the results in digit-reversed order; then the spectra of even and odd samples are
//! separated (Cooley & Tukey, "An algorithm for the machine calculation of complex Fourier series", Mathematics of
//! Computation 19, 1965; Brigham, "The Fast Fourier Transform", 1974, ch. 10). Real and imaginary parts are stored
//! apart, so that SIMD can process four numbers at once. At this length it takes about half the instructions of a
//! general transform (microfft 0.6).

use super::looked_up::{RADIX2_TWIDDLES, RADIX4_TWIDDLES, REAL_TWIDDLES};
use super::tables::{FFT, RADIX4_LENGTHS};
use crate::lanes::{LANES, Lanes, groups, groups_mut, transpose};
use crate::math::sqrt;

/// Number of complex values.
const N: usize = FFT / 2;
/// Quarter lengths of each radix-4 step but the last.
const QUARTERS: [usize; 3] = [RADIX4_LENGTHS[0] / 4, RADIX4_LENGTHS[1] / 4, RADIX4_LENGTHS[2] / 4];

/// Index of each output after all steps: its digits (one of base two, four of base four) reversed. With SIMD, the
/// last step works on four blocks at once and stores its results transposed, which swaps the last two digits.
static REVERSED: [u16; N] = {
    let mut all = [0; N];
    let mut k = 0;
    while k < N {
        let (first, last) = (k / 32 % 4, k / 128);
        let (first, last) = if LANES == 1 { (first, last) } else { (last, first) };
        all[k] = (256 * (k % 2) + 64 * (k / 2 % 4) + 16 * (k / 8 % 4) + 4 * first + last) as u16;
        k += 1;
    }
    all
};

/// With SIMD, values that are adjacent in memory are this far apart in frequency.
const GROUPED: usize = 32;

/// The transform with its work space: 6 KiB, which would take half of the ear's stack on a lamp.
#[derive(Clone, Debug)]
pub(super) struct Fourier {
    re: [f32; N],
    im: [f32; N],
    magnitudes: [f32; N],
}

impl Fourier {
    /// Empty work space.
    pub(super) const fn new() -> Self {
        Self { re: [0.0; N], im: [0.0; N], magnitudes: [0.0; N] }
    }

    /// Magnitudes of bins 1 to 511 of the samples times twice `half_window`. Bin 0 is always 0. The samples come in two
    /// parts of even length, as a ring holds them.
    pub(super) fn magnitudes(&mut self, [early, late]: [&[f32]; 2], half_window: &[f32; FFT]) -> &[f32; N] {
        let (early_window, late_window) = half_window.split_at(early.len());
        let (early_re, late_re) = self.re.split_at_mut(early.len() / 2);
        let (early_im, late_im) = self.im.split_at_mut(early.len() / 2);
        pair_up(early, early_window, early_re, early_im);
        pair_up(late, late_window, late_re, late_im);
        self.radix2();
        let (twiddles, rest) = RADIX4_TWIDDLES.split_at(6 * QUARTERS[0]);
        radix4::<{ QUARTERS[0] }>(&mut self.re, &mut self.im, twiddles);
        let (twiddles, rest) = rest.split_at(6 * QUARTERS[1]);
        radix4::<{ QUARTERS[1] }>(&mut self.re, &mut self.im, twiddles);
        radix4::<{ QUARTERS[2] }>(&mut self.re, &mut self.im, rest);
        let blocks = self.re.as_chunks_mut::<{ 4 * LANES }>().0.iter_mut();
        for (re, im) in blocks.zip(self.im.as_chunks_mut::<{ 4 * LANES }>().0) {
            last_radix4(re, im);
        }
        self.split_even_odd();
        roots(&mut self.magnitudes);
        &self.magnitudes
    }

    fn radix2(&mut self) {
        let ((re, re_far), (im, im_far)) = (self.re.split_at_mut(N / 2), self.im.split_at_mut(N / 2));
        let (cos, sin) = RADIX2_TWIDDLES.split_at(N / 2);
        let near = groups_mut(re).zip(groups_mut(im));
        let far = groups_mut(re_far).zip(groups_mut(im_far));
        for (((a, b), (c, d)), (cos, sin)) in near.zip(far).zip(groups(cos).zip(groups(sin))) {
            let (x, y, u, v) = (Lanes::new(*a), Lanes::new(*b), Lanes::new(*c), Lanes::new(*d));
            (*a, *b) = ((x + u).to_array(), (y + v).to_array());
            let (p, q) = product((x - u, y - v), (cos, sin));
            (*c, *d) = (p.to_array(), q.to_array());
        }
    }

    /// Computes the squared magnitudes in their natural order.
    ///
    /// For a value z and its mirror image, half their sum is the spectrum of the even samples, and half their
    /// difference is i times that of the odd samples. The values are halves already.
    fn split_even_odd(&mut self) {
        self.magnitudes[0] = 0.0;
        // At a quarter turn, z is its own mirror image.
        let quarter = usize::from(REVERSED[N / 2]);
        let (re, im) = (2.0 * self.re[quarter], 2.0 * self.im[quarter]);
        self.magnitudes[N / 2] = re * re + im * im;
        (GROUPED..N / 2).step_by(GROUPED).for_each(|k| self.pair(k));
        for first in (1..GROUPED).chain(4 * GROUPED + 1..5 * GROUPED) {
            for part in 0..4 / LANES {
                self.pairs(first, part);
            }
        }
    }

    /// One value below a quarter turn, and its mirror image.
    fn pair(&mut self, k: usize) {
        let Self { re: even, im: odd, magnitudes: out } = self;
        let (near, far) = (usize::from(REVERSED[k]) % N, usize::from(REVERSED[N - k]) % N);
        let (a, b) = (even[near] + even[far], odd[near] - odd[far]);
        let (c, d) = (odd[near] + odd[far], even[far] - even[near]);
        let [cos, sin] =
            REAL_TWIDDLES[2 * (k % GROUPED) + k / (4 * GROUPED)].map(|part| part[k / GROUPED % 4]);
        let (u, v) = (c * cos - d * sin, c * sin + d * cos);
        out[k] = (a + u) * (a + u) + (b + v) * (b + v);
        out[N - k] = (a - u) * (a - u) + (b - v) * (b - v);
    }

    /// [`LANES`] values at once, a part of the four whose twiddle factors are adjacent. Every 32nd value from `first` on
    /// is adjacent in memory, and so are the mirror images, in reverse order.
    #[inline]
    fn pairs(&mut self, first: usize, part: usize) {
        let [cos, sin] = &REAL_TWIDDLES[2 * (first % GROUPED) + first / (4 * GROUPED)];
        let twiddle = |row: &[f32; 4]| Lanes::new(row.as_chunks().0[part]);
        let first = first + part * LANES * GROUPED;
        let last = first + (LANES - 1) * GROUPED;
        let (near, far) = (usize::from(REVERSED[first]), usize::from(REVERSED[N - last]));
        let at = |row: &[f32; N], from: usize| row[from..].as_chunks::<LANES>().0[0];
        let reversed = |mut group: [f32; LANES]| {
            group.reverse();
            Lanes::new(group)
        };
        let (even, odd) = (Lanes::new(at(&self.re, near)), Lanes::new(at(&self.im, near)));
        let (even_far, odd_far) = (reversed(at(&self.re, far)), reversed(at(&self.im, far)));
        let (a, b) = (even + even_far, odd - odd_far);
        let (c, d) = (odd + odd_far, even_far - even);
        let (u, v) = product((c, d), (twiddle(cos), twiddle(sin)));
        let (p, q, r, s) = (a + u, b + v, a - u, b - v);
        let (sum, difference) = ((p * p + q * q).to_array(), (r * r + s * s).to_array());
        for i in 0..LANES {
            self.magnitudes[first + i * GROUPED] = sum[i];
            self.magnitudes[N - first - i * GROUPED] = difference[i];
        }
    }
}

/// The square root of each number.
///
/// Not inlined, so that the address of a number takes one instruction.
#[inline(never)]
fn roots(all: &mut [f32; N]) {
    for x in all {
        *x = sqrt(*x);
    }
}

/// Weighs samples; the even ones become real, the odd ones imaginary parts.
fn pair_up(samples: &[f32], window: &[f32], re: &mut [f32], im: &mut [f32]) {
    let pairs = samples.as_chunks::<2>().0.iter().zip(window.as_chunks::<2>().0);
    for ((re, im), (x, w)) in re.iter_mut().zip(im).zip(pairs) {
        *re = x[0] * w[0];
        *im = x[1] * w[1];
    }
}

/// The product of complex numbers.
fn product((x, y): (Lanes, Lanes), (cos, sin): (Lanes, Lanes)) -> (Lanes, Lanes) {
    (x * cos - y * sin, x * sin + y * cos)
}

/// The radix-4 butterfly of a block's quarters, without twiddle factors.
fn butterfly(re: [Lanes; 4], im: [Lanes; 4]) -> [(Lanes, Lanes); 4] {
    let (a, b) = ((re[0] + re[2], im[0] + im[2]), (re[0] - re[2], im[0] - im[2]));
    let (c, d) = ((re[1] + re[3], im[1] + im[3]), (im[1] - im[3], re[3] - re[1]));
    [(a.0 + c.0, a.1 + c.1), (b.0 + d.0, b.1 + d.1), (a.0 - c.0, a.1 - c.1), (b.0 - d.0, b.1 - d.1)]
}

/// A radix-4 step over blocks of four quarters of `Q` values each.
fn radix4<const Q: usize>(re: &mut [f32; N], im: &mut [f32; N], twiddles: &[f32]) {
    let [cos1, sin1, cos2, sin2, cos3, sin3] = twiddles.as_chunks::<Q>().0 else { return };
    for (re, im) in re.chunks_exact_mut(4 * Q).zip(im.chunks_exact_mut(4 * Q)) {
        let [re0, re1, re2, re3] = re.as_chunks_mut::<Q>().0 else { return };
        let [im0, im1, im2, im3] = im.as_chunks_mut::<Q>().0 else { return };
        let re = groups_mut(re0).zip(groups_mut(re1)).zip(groups_mut(re2).zip(groups_mut(re3)));
        let im = groups_mut(im0).zip(groups_mut(im1)).zip(groups_mut(im2).zip(groups_mut(im3)));
        let one = groups(cos1).zip(groups(sin1));
        let two = groups(cos2).zip(groups(sin2));
        let three = groups(cos3).zip(groups(sin3));
        for (((((re0, re1), (re2, re3)), ((im0, im1), (im2, im3))), one), (two, three)) in
            re.zip(im).zip(one).zip(two.zip(three))
        {
            let [y0, y1, y2, y3] =
                butterfly([*re0, *re1, *re2, *re3].map(Lanes::new), [*im0, *im1, *im2, *im3].map(Lanes::new));
            let (y1, y2, y3) = (product(y1, one), product(y2, two), product(y3, three));
            (*re0, *re1, *re2, *re3) = (y0.0.to_array(), y1.0.to_array(), y2.0.to_array(), y3.0.to_array());
            (*im0, *im1, *im2, *im3) = (y0.1.to_array(), y1.1.to_array(), y2.1.to_array(), y3.1.to_array());
        }
    }
}

/// The last radix-4 step, on [`LANES`] blocks of four at once.
fn last_radix4(re: &mut [f32; 4 * LANES], im: &mut [f32; 4 * LANES]) {
    let across = |x: &[f32; 4 * LANES]| {
        let x = x.as_chunks::<LANES>().0;
        transpose([x[0], x[1], x[2], x[3]].map(Lanes::new))
    };
    let y = butterfly(across(re), across(im));
    for ((re, im), (y_re, y_im)) in groups_mut(re).zip(groups_mut(im)).zip(y) {
        (*re, *im) = (y_re.to_array(), y_im.to_array());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;

    fn magnitudes(samples: &[f32; FFT]) -> [f32; N] {
        let (early, late) = samples.split_at(384);
        *Fourier::new().magnitudes([early, late], &[0.5; FFT])
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
        window[300] = 0.25;
        let mut fourier = Fourier::new();
        let out = fourier.magnitudes([&[2.0; FFT], &[]], &window);
        assert_eq!(out[0], 0.0);
        assert!(out[1..].iter().all(|m| (m - 1.0).abs() < 1e-5));
    }
}
