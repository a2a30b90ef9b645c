//! Mixes all channels to one without losing any sound.
//!
//! All channels are first mixed to left and right by their positions: centre channels go to both, and rear and low-frequency
//! channels are softer. K1 then hears exactly the mean of the two, `(left + right) / 2`, unless they cancel each other. In that
//! case the mean is thin or silent, so K1 adds their difference, the more the stronger they cancel, up to the whole left
//! channel.

use symphonia::core::audio::{Channels, Position};

/// Correlation of left and right below which the difference is added, and at which it is added in full.
const AGAINST: (f32, f32) = (-0.2, -0.7);
/// Updates of the correlation per second.
const STEPS: u32 = 200;
/// Share of the correlation that is kept per step, for an average over about 50 ms.
const KEEP: f32 = 0.9;

/// Mixes to one channel.
pub struct Mix {
    channels: Channels,
    /// Weight of each channel in left and right.
    shares: Vec<(f32, f32)>,
    /// Frames in a step.
    step: usize,
    /// Products of left and right, and half the sum of their squares.
    product: f32,
    power: f32,
    /// Share of the difference that is added.
    side: f32,
    heard: bool,
    pairs: Vec<(f32, f32)>,
}

impl Mix {
    /// A mixer for channels at these positions, at a rate in Hz.
    pub fn new(channels: &Channels, rate: u32) -> Self {
        Self {
            channels: channels.clone(),
            shares: shares(channels),
            step: (rate / STEPS).max(1) as usize,
            product: 0.0,
            power: 0.0,
            side: 0.0,
            heard: false,
            pairs: Vec::new(),
        }
    }

    /// True if the mixer suits channels at these positions.
    pub fn fits(&self, channels: &Channels) -> bool {
        self.channels == *channels
    }

    /// Mixes interleaved samples and appends the result.
    pub fn add(&mut self, interleaved: &[f32], mono: &mut Vec<f32>) {
        match self.shares.len() {
            0 => {}
            1 => mono.extend_from_slice(interleaved),
            2 => {
                let pairs = std::mem::take(&mut self.pairs);
                for piece in interleaved.chunks(2 * self.step) {
                    self.piece(piece.chunks_exact(2).map(|f| (f[0], f[1])), mono);
                }
                self.pairs = pairs;
            }
            n => {
                let mut pairs = std::mem::take(&mut self.pairs);
                for piece in interleaved.chunks(n * self.step) {
                    pairs.clear();
                    pairs.extend(piece.chunks_exact(n).map(|frame| {
                        frame
                            .iter()
                            .zip(&self.shares)
                            .fold((0.0, 0.0), |(l, r), (x, (to_l, to_r))| (l + x * to_l, r + x * to_r))
                    }));
                    self.piece(pairs.iter().copied(), mono);
                }
                self.pairs = pairs;
            }
        }
    }

    /// Mixes one step of left and right.
    fn piece(&mut self, pairs: impl Iterator<Item = (f32, f32)> + Clone, mono: &mut Vec<f32>) {
        let (mut product, mut power, mut n) = (0.0, 0.0, 0_u32);
        for (l, r) in pairs.clone() {
            product += l * r;
            power += l * l + r * r;
            n += 1;
        }
        let before = self.side;
        // NaN says nothing about the channels.
        if power > 0.0 && f32::is_finite(power) && f32::is_finite(product) {
            self.product = KEEP * self.product + product;
            self.power = KEEP * self.power + power / 2.0;
            let (from, to) = AGAINST;
            self.side = ((self.product / self.power - from) / (to - from)).clamp(0.0, 1.0);
        }
        // Begin with the full share, so that the first sample is heard.
        let before = if self.heard { before } else { self.side };
        self.heard |= power > 0.0;
        if before == 0.0 && self.side == 0.0 {
            mono.extend(pairs.map(|(l, r)| (l + r) * 0.5));
            return;
        }
        let slope = (self.side - before) / n.max(1) as f32;
        mono.extend(pairs.enumerate().map(|(i, (l, r))| {
            let side = before + slope * (i + 1) as f32;
            (l + r) * 0.5 + side * (l - r) * 0.5
        }));
    }
}

/// Weights of each channel in left and right, scaled so that the sum never exceeds full scale.
fn shares(channels: &Channels) -> Vec<(f32, f32)> {
    const SOFT: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let n = channels.count();
    if n <= 2 {
        return [(1.0, 0.0), (0.0, 1.0)][..n].to_vec();
    }
    let raw: Vec<(f32, f32)> = match channels {
        Channels::Positioned(positions) => positions
            .iter()
            .map(|p| match p {
                Position::FRONT_LEFT | Position::FRONT_LEFT_CENTER | Position::FRONT_LEFT_WIDE => (1.0, 0.0),
                Position::FRONT_RIGHT | Position::FRONT_RIGHT_CENTER | Position::FRONT_RIGHT_WIDE => {
                    (0.0, 1.0)
                }
                Position::REAR_LEFT
                | Position::SIDE_LEFT
                | Position::TOP_FRONT_LEFT
                | Position::TOP_REAR_LEFT
                | Position::TOP_SIDE_LEFT
                | Position::BOTTOM_FRONT_LEFT => (SOFT, 0.0),
                Position::REAR_RIGHT
                | Position::SIDE_RIGHT
                | Position::TOP_FRONT_RIGHT
                | Position::TOP_REAR_RIGHT
                | Position::TOP_SIDE_RIGHT
                | Position::BOTTOM_FRONT_RIGHT => (0.0, SOFT),
                // Centre, low frequencies, and channels straight behind or above.
                _ => (SOFT, SOFT),
            })
            .collect(),
        // Unknown positions: each channel has the same weight, and every second one may be the other side of a pair.
        _ => (0..n).map(|i| if i % 2 == 0 { (1.0, 0.0) } else { (0.0, 1.0) }).collect(),
    };
    let (left, right) = raw.iter().fold((0.0_f32, 0.0_f32), |(l, r), (a, b)| (l + a, r + b));
    let whole = left.max(right).max(1.0);
    raw.into_iter().map(|(l, r)| (l / whole, r / whole)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEREO: Channels = symphonia::core::audio::layouts::CHANNEL_LAYOUT_STEREO;

    fn mixed(channels: &Channels, frames: impl Iterator<Item = Vec<f32>>) -> Vec<f32> {
        let mut mix = Mix::new(channels, 48_000);
        let (mut out, all) = (Vec::new(), frames.collect::<Vec<_>>().concat());
        let n = channels.count();
        // Pieces of any length.
        for piece in all.chunks(n.max(1) * 1111) {
            mix.add(piece, &mut out);
        }
        out
    }

    fn tone(i: usize, hz: f32) -> f32 {
        (i as f32 * hz * std::f32::consts::TAU / 48_000.0).sin()
    }

    fn rms(x: &[f32]) -> f32 {
        (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt()
    }

    #[test]
    fn one_channel_passes_and_two_that_agree_are_exactly_their_middle() {
        let mono = Channels::Positioned(Position::FRONT_LEFT);
        let out = mixed(&mono, (0..5000).map(|i| vec![tone(i, 440.0)]));
        assert!(out.iter().enumerate().all(|(i, x)| *x == tone(i, 440.0)));
        // The same on both sides, one side silent, and sides that have nothing to do with each other.
        let pairs: [fn(usize) -> (f32, f32); 4] = [
            |i| (tone(i, 440.0), tone(i, 440.0)),
            |i| (tone(i, 440.0), 0.0),
            |i| (tone(i, 3000.0), 0.7 * tone(i, 5000.0)),
            |i| (tone(i, 440.0), 0.3 * tone(i + 20, 440.0)),
        ];
        for pair in pairs {
            let out = mixed(&STEREO, (0..20_000).map(|i| vec![pair(i).0, pair(i).1]));
            for (i, x) in out.iter().enumerate() {
                let (l, r) = pair(i);
                assert_eq!(*x, (l + r) * 0.5);
            }
        }
    }

    #[test]
    fn two_that_cancel_are_heard_from_the_first_sample_on_as_loud_as_one() {
        let out = mixed(&STEREO, (0..9600).map(|i| vec![tone(i, 440.0), -tone(i, 440.0)]));
        assert!(out.iter().enumerate().all(|(i, x)| (x - tone(i, 440.0)).abs() < 1e-6));
        // Nearly against each other, and against each other after a second of agreement.
        let out = mixed(&STEREO, (0..9600).map(|i| vec![tone(i, 440.0), -0.8 * tone(i + 5, 440.0)]));
        assert!(rms(&out[480..]) > 0.5, "{}", rms(&out[480..]));
        let turn = |i: usize| if i < 48_000 { 1.0 } else { -1.0 };
        let out = mixed(&STEREO, (0..96_000).map(|i| vec![tone(i, 440.0), turn(i) * tone(i, 440.0)]));
        assert!(rms(&out[..48_000]) > 0.7 && rms(&out[52_800..]) > 0.69, "{}", rms(&out[52_800..]));
    }

    #[test]
    fn every_place_is_heard_alone_and_all_together_do_not_clip() {
        for n in 3..=18 {
            let Some(positions) = Position::from_wave_channel_count(n) else { continue };
            let all = Channels::Positioned(positions);
            for only in 0..n as usize {
                let frame = |i| {
                    let mut frame = vec![0.0; n as usize];
                    frame[only] = tone(i, 440.0);
                    frame
                };
                assert!(rms(&mixed(&all, (0..4800).map(frame))) > 0.02, "{n} channels, only {only}");
            }
            let out = mixed(&all, (0..4800).map(|i| vec![tone(i, 440.0); n as usize]));
            assert!(out.iter().all(|x| x.abs() <= 1.0001));
        }
        let many = Channels::Discrete(64);
        let out = mixed(&many, (0..4800).map(|i| vec![tone(i, 440.0); 64]));
        assert!(rms(&out) > 0.7);
        assert!(mixed(&Channels::None, (0..10).map(|_| vec![])).is_empty());
    }

    #[test]
    fn what_is_no_number_does_not_spoil_what_comes_after_it() {
        let out = mixed(
            &STEREO,
            (0..9600).map(|i| match i {
                100 => vec![f32::NAN, 1.0],
                200 => vec![f32::INFINITY, f32::MAX],
                _ => vec![tone(i, 440.0), -tone(i, 440.0)],
            }),
        );
        assert!(out[480..].iter().enumerate().all(|(i, x)| (x - tone(i + 480, 440.0)).abs() < 1e-5));
    }
}
