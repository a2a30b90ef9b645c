//! `k1 render`: runs the two halves in turns, deterministically.

use std::path::Path;
use std::time::Instant;

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::light::Shape;
use k1_engine::{HOP, SAMPLE_RATE};

use super::{Failure, print_json, progress};
use crate::cli::{Form, RenderArgs};
use crate::picture::{Gif, Npy, Picture, Png, Sheet};
use crate::source::{self, Input, SONG_SECONDS, Source};
use k1_host::output::{self, Output};

/// Renders a sound to a file.
pub fn render(args: &RenderArgs) -> Result<(), Failure> {
    if args.input.is_live() {
        return Err(Failure::usage(
            "k1 render needs a sound with an end: a file, demo or -; use k1 run for live sound".into(),
        ));
    }
    let rate = super::rate(&args.input, args.rate)?;
    let leds = args.look.leds().map_err(Failure::usage)?;
    let shape = args.look.shape;
    let form = form_of(&args.output)?;
    output::tidy_on_signals();
    // Before the sound is opened, so that a refusal takes no time.
    let output = Output::create(&args.output, &args.input.spared()).map_err(text)?;
    let mut source = source::open(&args.input, rate)?;
    let whole = if args.input == Input::Demo { Some(f64::from(SONG_SECONDS)) } else { source.seconds() };
    // The demo never ends by itself.
    let limit = args.duration.or(if args.input == Input::Demo { whole } else { None });
    let expected = match (whole, limit) {
        (Some(w), Some(l)) => Some((w - args.start).min(l).max(0.0)),
        (w, l) => l.or(w.map(|w| (w - args.start).max(0.0))),
    };
    if !args.then.is_empty() && expected.is_none() {
        return Err(Failure::usage(
            "this sound does not say how long it is; with --then, add --duration N, so that K1 knows when to change patterns"
                .into(),
        ));
    }
    let unwritten = |e: std::io::Error| text(output::unwritten(&args.output, e));
    let frames = expected.map(|s| (s * f64::from(args.fps)) as u64);
    let mut picture: Box<dyn Picture> = match form {
        Form::Png if shape.has_area() || shape == Shape::Ring => {
            Box::new(Sheet::new(output, &shape, leds, args.fps, frames))
        }
        Form::Png => Box::new(Png::new(output, leds, frames)),
        Form::Npy => Box::new(Npy::new(output, leds).map_err(unwritten)?),
        Form::Gif => Box::new(Gif::new(output, leds, args.fps).map_err(unwritten)?),
    };
    let bar = progress(expected.map(|s| s + args.start), "rendering");
    let began = Instant::now();
    let mut offline = Offline::new(args, leds);
    let mut written = 0_u64;
    let last = limit.map_or(u64::MAX, |s| (s * f64::from(args.fps)).round() as u64);
    let first = (args.start * f64::from(args.fps)).round() as u64;
    let patterns: Vec<usize> = std::iter::once(args.look.pattern).chain(args.then.iter().copied()).collect();
    // The next frame is rendered with the pattern whose turn it is then.
    let pattern_of = |frame: u64| {
        let turn = frame.saturating_sub(first) * patterns.len() as u64 / frames.unwrap_or(1).max(1);
        patterns[(turn as usize).min(patterns.len() - 1)]
    };
    let mut wire = vec![[0; 3]; leds];
    let mut screen = vec![[0; 3]; leds];
    let dithering = dithering(args);
    offline.play(source.as_mut(), |frame, show| {
        if frame >= first {
            if picture.is_for_eyes() {
                show.output.screen(&mut screen);
            } else {
                show.output.wire(dithering, &mut wire);
            }
            picture.frame(&wire, &screen).map_err(unwritten)?;
            written += 1;
        }
        show.select(pattern_of(frame + 1));
        if frame % 60 == 0 {
            bar.set_position(frame * 1000 / u64::from(args.fps));
        }
        Ok(written < last)
    })?;
    let heard = offline.ear.samples() as f64 / f64::from(SAMPLE_RATE);
    if written == 0 {
        bar.finish_and_clear();
        return Err(Failure::new(match offline.ear.samples() {
            0 => format!("{} is empty: there is no sound to render", named(&args.input)),
            _ => format!("{} ends after {heard:.1} s, before --start {}", named(&args.input), args.start),
        }));
    }
    picture.finish().map_err(text)?;
    bar.finish_and_clear();
    let took = began.elapsed().as_secs_f64();
    source::Teller::default().end(source.as_ref());
    if args.json {
        return print_json(&serde_json::json!({
            "output": args.output.to_string_lossy(), "frames": written, "leds": leds, "fps": args.fps,
            "heard_s": heard, "took_s": took, "times_real_time": heard / took,
            "skipped_pieces": source.skipped(),
        }));
    }
    k1_host::say(format_args!(
        "{}: {written} frames of {leds} LEDs from {heard:.1} s of sound in {took:.2} s ({} times real time)",
        args.output.display(),
        speed(heard / took)
    ));
    Ok(())
}

/// The sound in a sentence.
fn named(input: &Input) -> String {
    match input {
        Input::Stdin => "standard input".into(),
        input => input.to_string(),
    }
}

/// A factor with one decimal below 10.
fn speed(factor: f64) -> String {
    format!("{factor:.*}", usize::from(factor < 10.0))
}

fn text(unwritten: output::Unwritten) -> Failure {
    Failure::new(unwritten.to_string())
}

fn dithering(args: &RenderArgs) -> bool {
    args.look.params().get(k1_engine::params::Param::Dithering) >= 0.5
}

fn form_of(path: &Path) -> Result<Form, Failure> {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match ending.as_deref() {
        Some("png") => Ok(Form::Png),
        Some("npy") => Ok(Form::Npy),
        Some("gif") => Ok(Form::Gif),
        _ => Err(Failure::usage(format!("{}: the file must end in .png, .npy or .gif", path.display()))),
    }
}

/// Ear and renderer in step: a frame sees exactly the hops that ended before it.
struct Offline {
    ear: Box<Ear>,
    show: Box<crate::Show>,
    shape: Shape<'static>,
    fps: u32,
}

impl Offline {
    fn new(args: &RenderArgs, leds: usize) -> Self {
        let mut ear = Box::new(Ear::new());
        ear.set_gain(args.look.gain);
        let mut show = crate::new_show(leds, args.look.output());
        show.set_params(args.look.params());
        show.cut_to(args.look.pattern);
        Self { ear, show, shape: args.look.shape, fps: args.fps }
    }

    /// Plays the whole source. `each` gets the number of every frame and returns true to continue.
    fn play(
        &mut self,
        source: &mut dyn Source,
        mut each: impl FnMut(u64, &mut crate::Show) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut hop = [0.0; HOP];
        let mut frame = 0_u64;
        let mut snapshot = Snapshot::EMPTY;
        loop {
            let mut filled = 0;
            while filled < HOP {
                match source.read(&mut hop[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            if filled == 0 {
                return Ok(());
            }
            hop[filled..].fill(0.0);
            if let Some(s) = self.ear.push(&hop) {
                snapshot = *s;
            }
            // Frames that fall before the end of the next hop.
            let horizon = snapshot.captured_us + k1_engine::HOP_US;
            loop {
                let at = frame * 1_000_000 / u64::from(self.fps);
                if at >= horizon {
                    break;
                }
                self.show.render_on(&self.shape, at, &snapshot);
                if !each(frame, &mut self.show)? {
                    return Ok(());
                }
                frame += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::speed;

    #[test]
    fn a_slow_render_says_how_slow() {
        assert_eq!([0.04, 0.44, 9.9, 87.6].map(speed), ["0.0", "0.4", "9.9", "88"]);
    }
}
