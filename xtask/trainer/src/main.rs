//! Trains the ear's network: see `xtask/fit/README.md`.

mod lanes;
mod layers;
mod model;
mod music;
mod random;

use std::path::{Path, PathBuf};
use std::time::Instant;

use lanes::{LANES, ZERO};
use model::{Loss, Model};
use music::{INPUTS, Piece, Window, choose, columns};
use random::Random;

/// What the command line says.
struct Options {
    music: PathBuf,
    validation: Option<PathBuf>,
    out: PathBuf,
    from: Option<PathBuf>,
    seed: u64,
    steps: usize,
    chunks: usize,
    threads: usize,
    moments: usize,
    dense: usize,
    units: Vec<usize>,
    rate: f32,
    without: Vec<std::ops::Range<usize>>,
    whole_from: f32,
}

const USAGE: &str = "k1-trainer train --music LIST --out FILE [--validation LIST] [--from FILE] [--seed N] [--steps N] [--chunks N] \
[--threads N] [--moments N] [--dense N] [--units N,N] [--rate X] [--without levels|rises|slow|harmony,...] [--whole-from SHARE]
k1-trainer say --weights FILE[,FILE] --inputs FOLDER --out FOLDER [--whole] [--without ...]

A LIST has a line per excerpt: inputs, beats, weight. Built with RUSTFLAGS=\"-C target-cpu=native\" it is ten times as fast.";

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let without = value("--without").map_or(Ok(Vec::new()), |names| {
        let each =
            names.split(',').map(|name| columns(name).ok_or_else(|| format!("--without {name}: unknown")));
        each.collect::<Result<Vec<_>, _>>().map(|all| all.concat())
    })?;
    let number = |name: &str, usual: f64| {
        value(name)
            .map_or(Ok(usual), |text| text.parse::<f64>().map_err(|_| format!("{name} {text}: not a number")))
    };
    let needed =
        |name: &str| value(name).map(PathBuf::from).ok_or_else(|| format!("{name} is missing\n{USAGE}"));
    match arguments.first().map(String::as_str) {
        Some("train") => train(&Options {
            music: needed("--music")?,
            validation: value("--validation").map(PathBuf::from),
            out: needed("--out")?,
            from: value("--from").map(PathBuf::from),
            seed: number("--seed", 1.0)? as u64,
            steps: number("--steps", 2_000.0)? as usize,
            chunks: number("--chunks", 1.0)? as usize,
            threads: number("--threads", 1.0)? as usize,
            moments: number("--moments", 640.0)? as usize,
            dense: number("--dense", 48.0)? as usize,
            units: value("--units")
                .unwrap_or("64,64".into())
                .split(',')
                .map(|u| u.parse().map_err(|_| format!("--units {u}: not a number")))
                .collect::<Result<_, _>>()?,
            rate: number("--rate", 4e-3)? as f32,
            without,
            whole_from: number("--whole-from", 0.8)? as f32,
        }),
        Some("say") => {
            let whole = arguments.iter().any(|a| a == "--whole");
            say(&needed("--weights")?, &needed("--inputs")?, &needed("--out")?, whole, &without)
        }
        _ => Err(USAGE.into()),
    }
}

fn list(path: &Path) -> Result<Vec<Piece>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut pieces = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [inputs, beats, weight] = words[..] else { return Err(format!("{}: {line}", path.display())) };
        let weight = weight.parse().map_err(|_| format!("{}: {line}", path.display()))?;
        pieces.push(Piece::read(Path::new(inputs), Path::new(beats), weight)?);
    }
    Ok(pieces)
}

/// Learning with a rate for each weight. After Kingma & Ba, "Adam: a method for stochastic optimization" (ICLR 2015), with
/// decay of the weights apart from the slope (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019).
#[derive(Clone)]
struct Adam {
    mean: Model,
    square: Model,
    steps: i32,
    /// Usual length of the slope.
    usual: f64,
}

/// Length of a slope, relative to the usual one, to which a longer one is cut, and from which it is not followed at all.
const LONGER: f64 = 1.3;
const LONGEST: f64 = 3.0;
/// Most that counts as usual: beyond it, learning runs away with the slope.
const USUAL_MOST: f64 = 0.5;
/// A hundred steps with this many times the loss of the best ones mean that learning ran away: it goes back to the best, and on at
/// a lower rate.
const WORSE: f64 = 1.04;
const CALMER: f32 = 0.7;

impl Adam {
    fn step(&mut self, model: &mut Model, gradient: &mut Model, rate: f32) {
        self.steps += 1;
        let length = gradient
            .parts()
            .iter()
            .flat_map(|(p, _)| p.iter())
            .map(|g| f64::from(*g).powi(2))
            .sum::<f64>()
            .sqrt();
        // A slope much longer than usual comes from a state that runs away, and would undo what was learned.
        let usual = if self.steps == 1 { length } else { self.usual };
        self.usual = (usual + 0.02 * (length.min(LONGER * usual) - usual)).min(USUAL_MOST);
        if length > LONGEST * usual {
            return;
        }
        let clip = (LONGER * usual / length.max(1e-12)).min(1.0) as f32;
        let (b1, b2) = (0.9_f32, 0.999_f32);
        let (c1, c2) = (1.0 - b1.powi(self.steps), 1.0 - b2.powi(self.steps));
        let parts =
            model.parts().into_iter().zip(gradient.parts()).zip(self.mean.parts()).zip(self.square.parts());
        for ((((w, columns), (g, _)), (m, _)), (s, _)) in parts {
            let decay = if columns > 0 { 1e-3 } else { 0.0 };
            for (((w, g), m), s) in w.iter_mut().zip(g).zip(m).zip(s) {
                let g = *g * clip;
                *m = b1 * *m + (1.0 - b1) * g;
                *s = b2 * *s + (1.0 - b2) * g * g;
                *w -= rate * ((*m / c1) / ((*s / c2).sqrt() + 1e-8) + decay * *w);
            }
        }
    }
}

fn train(options: &Options) -> Result<(), String> {
    let mut random = Random::new(options.seed);
    let pieces = list(&options.music)?;
    let held = options.validation.as_deref().map(list).transpose()?.unwrap_or_default();
    let hours = |pieces: &[Piece]| pieces.iter().map(Piece::seconds).sum::<f64>() / 3_600.0;
    let mut model = match &options.from {
        Some(path) => read(path)?,
        None => Model::random(INPUTS, options.dense, &options.units, &mut random),
    };
    println!(
        "{} excerpts, {:.2} hours; validation {}, {:.2} hours; {} weights",
        pieces.len(),
        hours(&pieces),
        held.len(),
        hours(&held),
        model.size()
    );
    let zeros = || {
        Model::zeros(
            INPUTS,
            model.dense.rows(),
            &model.recurrent.iter().map(|g| g.state.columns()).collect::<Vec<_>>(),
        )
    };
    let mut adam = Adam { mean: zeros(), square: zeros(), steps: 0, usual: 0.0 };
    let blank = zeros();
    let mut chosen = Random::new(77);
    let check: Vec<_> = if held.is_empty() {
        Vec::new()
    } else {
        (0..3).map(|_| choose(&held, options.moments, &options.without, &mut chosen)).collect()
    };
    let began = Instant::now();
    let (mut sum, mut counted) = (Loss::default(), 0.0);
    // The loss of the best hundred steps, what was learned then, and a factor on the rate.
    let (mut best, mut kept, mut calmed) = (f64::MAX, (model.clone(), adam.clone()), 1.0);
    for step in 0..options.steps {
        let done = step as f32 / options.steps as f32;
        let warm = ((step + 1) as f32 / 50.0).min(1.0);
        let rate =
            options.rate * calmed * warm * (0.02 + 0.98 * 0.5 * (1.0 + (std::f32::consts::PI * done).cos()));
        let now = if done >= options.whole_from { model.in_whole_numbers() } else { model.clone() };
        let windows: Vec<_> = (0..options.chunks)
            .map(|_| choose(&pieces, options.moments, &options.without, &mut random))
            .collect();
        let mut gradient = blank.clone();
        for some in windows.chunks(options.threads.max(1)) {
            let learned: Vec<_> = std::thread::scope(|scope| {
                let workers: Vec<_> = some
                    .iter()
                    .map(|window| {
                        let (now, blank) = (&now, &blank);
                        scope.spawn(move || {
                            let mut gradient = blank.clone();
                            let loss = now.learn(window, &mut gradient);
                            (loss, gradient)
                        })
                    })
                    .collect();
                workers.into_iter().map(|worker| worker.join().expect("a worker ended early")).collect()
            });
            for (loss, mut of_it) in learned {
                sum.frames += loss.frames;
                sum.tempi += loss.tempi;
                counted += 1.0;
                for ((all, _), (one, _)) in gradient.parts().into_iter().zip(of_it.parts()) {
                    all.iter_mut().zip(one).for_each(|(a, o)| *a += *o / options.chunks as f32);
                }
            }
        }
        adam.step(&mut model, &mut gradient, rate);
        if (step + 1) % 100 == 0 || step == 5 || step + 1 == options.steps {
            let of_held = mean_loss(&now, &check, &blank);
            println!(
                "{:5} {:6.0} s  slope {:.3}  training {:.4} {:.4}  validation {:.4} {:.4}",
                step + 1,
                began.elapsed().as_secs_f64(),
                adam.usual,
                sum.frames / counted,
                sum.tempi / counted,
                of_held.frames,
                of_held.tempi
            );
            let loss = sum.frames / counted;
            (sum, counted) = (Loss::default(), 0.0);
            if loss < best {
                (best, kept) = (loss, (model.clone(), adam.clone()));
            } else if loss > WORSE * best {
                (model, adam) = kept.clone();
                calmed *= CALMER;
                println!("{:5} worse than {best:.4}: back, and calmer by {calmed:.2}", step + 1);
            }
            write(&mut model, &options.out)?;
        }
    }
    let [floats, whole] = [&model, &model.in_whole_numbers()].map(|model| mean_loss(model, &check, &blank));
    println!("validation in floats {:.4}, in whole numbers {:.4}", floats.frames, whole.frames);
    Ok(())
}

/// The mean loss over windows.
fn mean_loss(model: &Model, windows: &[Window], blank: &Model) -> Loss {
    let mut mean = Loss::default();
    for window in windows {
        let loss = model.learn(window, &mut blank.clone());
        mean.frames += loss.frames / windows.len() as f64;
        mean.tempi += loss.tempi / windows.len() as f64;
    }
    mean
}

/// Writes the sizes and the weights: a line of JSON, then 32-bit numbers.
fn write(model: &mut Model, path: &Path) -> Result<(), String> {
    let units: Vec<usize> = model.recurrent.iter().map(|gru| gru.state.columns()).collect();
    let head = serde_json::json!({"inputs": model.dense.columns(), "dense": model.dense.rows(), "units": units, "outputs": model.out.rows()});
    let mut bytes = format!("{head}\n").into_bytes();
    bytes.extend(model.parts().into_iter().flat_map(|(part, _)| part.iter()).flat_map(|w| w.to_le_bytes()));
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn read(path: &Path) -> Result<Model, String> {
    let said = |e: String| format!("{}: {e}", path.display());
    let bytes = std::fs::read(path).map_err(|e| said(e.to_string()))?;
    let line = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| said("no head".into()))?;
    let head: serde_json::Value = serde_json::from_slice(&bytes[..line]).map_err(|e| said(e.to_string()))?;
    let size = |name: &str| head[name].as_u64().map(|n| n as usize).ok_or_else(|| said(format!("no {name}")));
    let units: Vec<usize> = head["units"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|u| u.as_u64())
        .map(|u| u as usize)
        .collect();
    let mut model = Model::zeros(size("inputs")?, size("dense")?, &units);
    let mut numbers = bytes[line + 1..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    for (part, _) in model.parts() {
        for w in part {
            *w = numbers.next().ok_or_else(|| said("too short".into()))?;
        }
    }
    Ok(model)
}

/// Writes for each file of inputs the outputs of each moment, as 32-bit numbers; of several networks, their mean.
fn say(
    weights: &Path,
    inputs: &Path,
    out: &Path,
    whole: bool,
    without: &[std::ops::Range<usize>],
) -> Result<(), String> {
    let names = weights.to_string_lossy();
    let models: Vec<Model> = names.split(',').map(|path| read(Path::new(path))).collect::<Result<_, _>>()?;
    let models: Vec<Model> =
        if whole { models.iter().map(Model::in_whole_numbers).collect() } else { models };
    std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(inputs)
        .map_err(|e| format!("{}: {e}", inputs.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "inputs"))
        .collect();
    files.sort();
    for files in files.chunks(LANES) {
        let all: Vec<_> = files.iter().map(|file| music::inputs(file)).collect::<Result<_, _>>()?;
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        let mut x = vec![ZERO; longest * INPUTS];
        for (lane, moments) in all.iter().enumerate() {
            for (t, moment) in moments.iter().enumerate() {
                for (i, v) in
                    moment.iter().enumerate().filter(|(i, _)| !without.iter().any(|w| w.contains(i)))
                {
                    x[t * INPUTS + i][lane] = *v;
                }
            }
        }
        let said: Vec<_> = models.iter().map(|model| model.outputs(&x)).collect();
        for (lane, (file, moments)) in files.iter().zip(&all).enumerate() {
            let outputs = said[0].len() / longest.max(1);
            let bytes: Vec<u8> = (0..moments.len() * outputs)
                .flat_map(|k| {
                    (said.iter().map(|s| s[k][lane]).sum::<f32>() / said.len() as f32).to_le_bytes()
                })
                .collect();
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let to = out.join(format!("{name}.said"));
            std::fs::write(&to, bytes).map_err(|e| format!("{}: {e}", to.display()))?;
        }
    }
    Ok(())
}
