//! The network: a dense layer, two recurrent layers, and what they say about each moment.

use crate::lanes::{LANES, Lane, ZERO, exp};
use crate::layers::{Gru, Passed, Weights};
use crate::music::{CLASSES, EITHER, FRAMES, IGNORED, TEMPI, Window};
use crate::random::Random;

/// Outputs of a moment: the classes of each of its frames, then the tempi.
pub const OUTPUTS: usize = FRAMES * CLASSES + TEMPI;
/// Weight of the tempo in the loss: it only helps the rest to learn.
const TEMPO_WEIGHT: f32 = 0.05;
/// Weight of a frame with a beat; one without weighs 1.
const BEAT_WEIGHT: f32 = 2.0;
/// Moments at the beginning that do not count, and those before the tempo counts.
const FIRST: usize = 16;
const TEMPO_FIRST: usize = 94;
/// Most fraction bits of a weight.
const MOST_WEIGHT_FRACTION: f32 = 11.0;
/// Width of the tempo's target in tempi.
const SPREAD: f32 = 0.7;

/// The network, or how much the loss changes with each of its weights.
#[derive(Clone, Debug)]
pub struct Model {
    /// From the input.
    pub dense: Weights,
    /// The recurrent layers.
    pub recurrent: Vec<Gru>,
    /// To the outputs.
    pub out: Weights,
}

/// Mean loss over what counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    /// Of the frames, in natural logarithms.
    pub frames: f64,
    /// Of the tempi.
    pub tempi: f64,
}

impl Model {
    /// All zeros.
    pub fn zeros(inputs: usize, dense: usize, units: &[usize]) -> Self {
        let mut width = dense;
        let recurrent =
            units.iter().map(|units| Gru::zeros(std::mem::replace(&mut width, *units), *units)).collect();
        Self { dense: Weights::zeros(dense, inputs), recurrent, out: Weights::zeros(OUTPUTS, width) }
    }

    /// Random weights. Update gates begin with memories from one moment to half a minute, because beats need long ones.
    pub fn random(inputs: usize, dense: usize, units: &[usize], random: &mut Random) -> Self {
        let mut model = Self::zeros(inputs, dense, units);
        let mut fill = |weights: &mut Weights, scale: f32| {
            let spread = scale / (weights.columns() as f32).sqrt();
            weights.w.iter_mut().for_each(|w| *w = spread * random.normal());
        };
        fill(&mut model.dense, 1.0);
        for gru in &mut model.recurrent {
            fill(&mut gru.input, 1.0);
            fill(&mut gru.state, 1.0);
            let units = gru.state.columns();
            for (u, b) in gru.input.b[..units].iter_mut().enumerate() {
                *b = 3.5 * u as f32 / (units - 1) as f32;
            }
        }
        fill(&mut model.out, 0.3);
        for frame in 0..FRAMES {
            model.out.b[frame * CLASSES..][..CLASSES].copy_from_slice(&[1.5, -1.0, -2.0, -1.0]);
        }
        model
    }

    /// All weights in a fixed order, with the number of columns of each matrix (0 for constants).
    pub fn parts(&mut self) -> Vec<(&mut Vec<f32>, usize)> {
        let mut all = Vec::new();
        let recurrent = self.recurrent.iter_mut().flat_map(|gru| [&mut gru.input, &mut gru.state]);
        for weights in std::iter::once(&mut self.dense).chain(recurrent).chain([&mut self.out]) {
            let columns = weights.columns();
            all.push((&mut weights.w, columns));
            all.push((&mut weights.b, 0));
        }
        all
    }

    /// Number of weights.
    pub fn size(&self) -> usize {
        self.clone().parts().iter().map(|(part, _)| part.len()).sum()
    }

    /// The network with weights of 8 bits: each row of a matrix has a power of two as its unit, as
    /// `xtask/fit/whole_numbers.py` has it.
    pub fn in_whole_numbers(&self) -> Self {
        let mut model = self.clone();
        for (part, columns) in model.parts() {
            for row in part.chunks_exact_mut(columns.max(1)).filter(|_| columns > 0) {
                let most = row.iter().fold(1e-6_f32, |most, w| most.max(w.abs()));
                let unit = (-(127.49 / most).log2().floor().clamp(0.0, MOST_WEIGHT_FRACTION)).exp2();
                row.iter_mut().for_each(|w| *w = (*w / unit).round().clamp(-127.0, 127.0) * unit);
            }
        }
        model
    }

    /// The outputs of each moment.
    pub fn outputs(&self, x: &[Lane]) -> Vec<Lane> {
        self.pass(x).2
    }

    fn pass(&self, x: &[Lane]) -> (Vec<Lane>, Vec<Passed>, Vec<Lane>) {
        let mut first = self.dense.forward(x);
        first.iter_mut().flatten().for_each(|v| *v = v.max(0.0));
        let mut passed: Vec<Passed> = Vec::new();
        for gru in &self.recurrent {
            let x = passed.last().map_or(&first[..], |p| p.after());
            passed.push(gru.forward(x));
        }
        let out = self.out.forward(passed.last().map_or(&first[..], |p| p.after()));
        (first, passed, out)
    }

    /// The loss over windows, one per lane; adds its slope to `gradient`.
    pub fn learn(&self, window: &Window, gradient: &mut Self) -> Loss {
        let (first, passed, mut out) = self.pass(&window.inputs);
        let loss = judge(&mut out, window);
        let x = passed.last().map_or(&first[..], |p| p.after());
        Weights::learn(&mut gradient.out, &out, x);
        let mut d = self.out.backward(&out);
        for k in (0..self.recurrent.len()).rev() {
            let x = if k > 0 { passed[k - 1].after() } else { &first[..] };
            d = self.recurrent[k].backward(&passed[k], x, &d, &mut gradient.recurrent[k]);
        }
        for (d, first) in d.iter_mut().zip(&first) {
            for l in 0..LANES {
                if first[l] <= 0.0 {
                    d[l] = 0.0;
                }
            }
        }
        Weights::learn(&mut gradient.dense, &d, &window.inputs);
        loss
    }
}

/// The loss; replaces each output by the slope of the loss.
fn judge(out: &mut [Lane], window: &Window) -> Loss {
    let (mut loss, mut weight, mut tempo_loss, mut tempo_weight) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    let moments = out.len() / OUTPUTS;
    // Weights first: the slope is that of the mean.
    for (t, labels) in window.labels.iter().enumerate() {
        for label in labels.iter().filter(|label| **label != IGNORED && t / FRAMES >= FIRST) {
            weight += f64::from(weight_of(*label));
        }
    }
    for tempi in window.tempi.iter().skip(TEMPO_FIRST) {
        tempo_weight += tempi.iter().filter(|tempo| **tempo >= 0.0).count() as f64;
    }
    let (each, each_tempo) = (1.0 / weight.max(1.0) as f32, TEMPO_WEIGHT / tempo_weight.max(1.0) as f32);
    for t in 0..moments {
        let outputs = &mut out[t * OUTPUTS..(t + 1) * OUTPUTS];
        for frame in 0..FRAMES {
            let logits = &mut outputs[frame * CLASSES..(frame + 1) * CLASSES];
            let shares = softmax(logits);
            for l in 0..LANES {
                let label = window.labels[t * FRAMES + frame][l];
                if label == IGNORED || t < FIRST {
                    logits.iter_mut().for_each(|x| x[l] = 0.0);
                    continue;
                }
                let w = weight_of(label);
                // Of a beat in an unknown bar, the share of both kinds of beat counts.
                let is_right = |class: usize| {
                    if label == EITHER { class == 1 || class == 2 } else { class == usize::from(label) }
                };
                let right: f32 =
                    (0..CLASSES).filter(|c| is_right(*c)).map(|c| shares[c][l]).sum::<f32>().max(1e-9);
                loss -= f64::from(w) * f64::from(right).ln();
                for class in 0..CLASSES {
                    let target = if is_right(class) { shares[class][l] / right } else { 0.0 };
                    logits[class][l] = w * each * (shares[class][l] - target);
                }
            }
        }
        let logits = &mut outputs[FRAMES * CLASSES..];
        let shares = softmax(logits);
        for l in 0..LANES {
            let tempo = window.tempi[t][l];
            if tempo < 0.0 || t < TEMPO_FIRST {
                logits.iter_mut().for_each(|x| x[l] = 0.0);
                continue;
            }
            let near: [f32; TEMPI] = std::array::from_fn(|k| {
                let off = (k as f32 - tempo) / SPREAD;
                exp(-0.5 * off * off)
            });
            let sum: f32 = near.iter().sum();
            for k in 0..TEMPI {
                tempo_loss -= f64::from(near[k] / sum) * f64::from(shares[k][l].max(1e-9)).ln();
                logits[k][l] = each_tempo * (shares[k][l] - near[k] / sum);
            }
        }
    }
    Loss { frames: loss / weight.max(1.0), tempi: tempo_loss / tempo_weight.max(1.0) }
}

fn weight_of(label: u8) -> f32 {
    if label == 0 { 1.0 } else { BEAT_WEIGHT }
}

fn softmax(logits: &[Lane]) -> Vec<Lane> {
    let mut most = [f32::MIN; LANES];
    for x in logits {
        for l in 0..LANES {
            most[l] = most[l].max(x[l]);
        }
    }
    let mut sum = ZERO;
    let mut shares = logits.to_vec();
    for x in &mut shares {
        for l in 0..LANES {
            x[l] = exp(x[l] - most[l]);
            sum[l] += x[l];
        }
    }
    for x in &mut shares {
        for l in 0..LANES {
            x[l] /= sum[l];
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_small_steps() {
        let mut random = Random::new(3);
        let mut model = Model::random(5, 6, &[8, 4], &mut random);
        let moments = 110;
        let window = Window {
            inputs: (0..moments * 5).map(|_| std::array::from_fn(|_| random.normal())).collect(),
            labels: (0..moments * FRAMES)
                .map(|_| std::array::from_fn(|_| [0, 1, 2, 3, EITHER, IGNORED][random.below(6)]))
                .collect(),
            tempi: (0..moments).map(|_| std::array::from_fn(|_| random.below(27) as f32 - 1.0)).collect(),
        };
        let mut gradient = Model::zeros(5, 6, &[8, 4]);
        model.learn(&window, &mut gradient);
        let mut slopes = gradient.clone();
        let parts = slopes.parts().len();
        for part in 0..parts {
            let n = slopes.parts()[part].0.len();
            for i in (0..n).step_by(n / 5 + 1) {
                let loss = |model: &Model| {
                    let loss = model.learn(&window, &mut gradient.clone());
                    loss.frames + f64::from(TEMPO_WEIGHT) * loss.tempi
                };
                let step = 4e-3;
                let kept = model.parts()[part].0[i];
                model.parts()[part].0[i] = kept + step;
                let above = loss(&model);
                model.parts()[part].0[i] = kept - step;
                let below = loss(&model);
                model.parts()[part].0[i] = kept;
                let (slope, said) =
                    ((above - below) / f64::from(2.0 * step), f64::from(slopes.parts()[part].0[i]));
                assert!((slope - said).abs() < 2e-4 + 0.02 * slope.abs(), "{part} {i}: {slope} {said}");
            }
        }
    }
}
