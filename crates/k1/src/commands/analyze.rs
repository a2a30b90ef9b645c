//! `k1 analyze`: shows what K1 hears in a sound, as a summary, event by event, or as a drawing.

use k1_device::harmless::harmless;
use k1_engine::audio::{Ear, Section};
use k1_engine::{HOP, SAMPLE_RATE};

use super::{Failure, progress};
use crate::cli::AnalyzeArgs;
use crate::report::{self, Beat, Form, InBar, Onset, Part, Place, Record, Summary};
use crate::source::{self, Damage, Input, SONG_SECONDS, Source, Teller};
use k1_host::console::{self, Lines};

/// Change of the tempo that is reported, in BPM.
const TEMPO_STEP_BPM: f32 = 0.5;

/// Shows what K1 hears in a sound.
pub fn analyze(args: &AnalyzeArgs) -> Result<(), Failure> {
    if args.input.is_live() {
        return Err(Failure::usage(
            "k1 analyze needs a sound with an end: a file, demo or -; use k1 run for live sound".into(),
        ));
    }
    let rate = super::rate(&args.input, args.rate)?;
    let place = args.output.as_deref().map(|path| Place::new(path, &args.input)).transpose()?;
    let mut record = place.is_some().then(Record::default);
    let mut source = source::open(&args.input, rate)?;
    let demo = (args.input == Input::Demo).then_some(f64::from(SONG_SECONDS));
    let limit = args.duration.or(demo).map(|s| (s * f64::from(SAMPLE_RATE)) as u64);
    let bar = progress(args.duration.or(demo).or(source.seconds()), "listening");
    let title = harmless(&source.title()).into_owned();
    let mut summary = Box::new(Summary::default());
    let mut out = Lines::default();
    let mut ear = Box::new(Ear::new());
    ear.set_gain(args.gain);
    let mut bpm = 0.0_f32;
    let mut failed = None;
    let mut block = [0.0; HOP];
    loop {
        let left = limit.map_or(HOP as u64, |l| l.saturating_sub(ear.samples())).min(HOP as u64) as usize;
        let n = if left == 0 { 0 } else { source.read(&mut block[..left])? };
        if n == 0 {
            break;
        }
        summary.samples(&block[..n]);
        if let Some(record) = &mut record {
            record.samples(&block[..n]);
        }
        ear.feed(&block[..n], |s, heard| {
            let at = s.captured_us as f64 * 1e-6;
            summary.hop(s);
            if let Some(record) = &mut record {
                record.hop(s);
            }
            let mut tell = |event: Event, t: f64| {
                event.count(&mut summary);
                if let Some(record) = &mut record {
                    event.keep(record, t);
                }
                if (args.events || args.json)
                    && let Err(e) = out.line(event.line(args.json, t, at))
                {
                    failed.get_or_insert(e);
                }
            };
            // Report a tempo once it is believed.
            let now = s.tempo().unwrap_or(0.0);
            if (now - bpm).abs() > TEMPO_STEP_BPM {
                bpm = now;
                tell(Event::Tempo { bpm, confidence: s.confidence }, at);
            }
            if let Some(ago) = heard.onset_ago {
                tell(Event::Onset { strength: s.onset }, at - f64::from(ago));
            }
            if let Some((inn, confidence)) = heard.beat_in {
                // The ear's own word counts for the downbeat; the others follow from the position.
                let position = if heard.downbeat { Some(1) } else { s.beat_of_bar_after(inn * s.bpm / 60.0) };
                let bar = position.map(|position| InBar { position, beats: s.beats_per_bar });
                let t = at + f64::from(inn);
                tell(Event::Beat { bpm: s.bpm, confidence, bar }, t);
                if heard.downbeat {
                    let (beats_per_bar, confidence) = (s.beats_per_bar, s.bar_confidence);
                    tell(Event::Downbeat { beats_per_bar, confidence }, t);
                }
            }
            if let Some(section) = heard.section {
                tell(Event::Section { section }, at);
            }
        });
        // A block completes at most one hop, so no belief is missed.
        if let Some(record) = &mut record {
            record.belief(&ear.belief());
        }
        match failed.take() {
            // The reader has closed the pipe, as in `k1 analyze … | head`.
            Some(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Some(e) => return Err(e.into()),
            None => {}
        }
        bar.set_position(ear.samples() * 1000 / u64::from(SAMPLE_RATE));
    }
    match out.flush() {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => return Err(e.into()),
        _ => {}
    }
    bar.finish_and_clear();
    let written = match (&place, &record) {
        (Some(place), Some(record)) => Some(draw(place, record, &title)?),
        _ => None,
    };
    let damage = damage(source.as_ref());
    if args.json {
        damage.iter().for_each(|d| k1_host::say(format_args!("k1: {d}")));
        console::json_line(&summary.json(&title, &damage))?;
    } else if args.events {
        console::say_text(summary.text(&title, &damage).as_str());
    } else {
        summary.text(&title, &damage).print()?;
    }
    if let Some(written) = written {
        k1_host::say(written);
    }
    Ok(())
}

/// A sentence for each damaged piece of a sound.
fn damage(source: &dyn Source) -> Vec<String> {
    let all = source.damage();
    let mut told: Vec<String> = all.iter().take(Teller::LINES).map(Damage::to_string).collect();
    match all.len().saturating_sub(Teller::LINES) {
        0 => {}
        1 => told.push("1 more piece is damaged".into()),
        more => told.push(format!("{more} more pieces are damaged")),
    }
    told
}

/// Writes the report and returns a sentence about it.
fn draw(place: &Place, record: &Record, title: &str) -> Result<String, Failure> {
    let (what, bytes) = match place.form() {
        Form::Png => ("a picture", report::png(record, title)?),
        Form::Html => ("a page", report::html(record, title)?.into_bytes()),
    };
    place.write(&bytes)?;
    let (file, column) = (place.path().display(), 1e3 * record.column_s());
    Ok(format!("{file}: {what} of {} kB, {column:.0} ms of sound to a column", bytes.len().div_ceil(1000)))
}

enum Event {
    Beat { bpm: f32, confidence: f32, bar: Option<InBar> },
    Downbeat { beats_per_bar: u32, confidence: f32 },
    Section { section: Section },
    Onset { strength: f32 },
    Tempo { bpm: f32, confidence: f32 },
}

impl Event {
    /// Counts it.
    fn count(&self, summary: &mut Summary) {
        match self {
            Self::Beat { .. } => summary.beat(),
            Self::Downbeat { beats_per_bar, .. } => summary.downbeat(*beats_per_bar),
            Self::Section { section } => summary.section(*section),
            Self::Onset { .. } => summary.onset(),
            Self::Tempo { .. } => {}
        }
    }

    /// Adds it to a record. (A record's columns already contain the tempo, and its beats their places in the bar.)
    fn keep(&self, record: &mut Record, t: f64) {
        match *self {
            Self::Beat { bpm, confidence, bar } => record.beat(Beat { t, bpm, confidence, bar }),
            Self::Section { section } => record.part(Part { t, section }),
            Self::Onset { strength } => record.onset(Onset { t, strength }),
            Self::Downbeat { .. } | Self::Tempo { .. } => {}
        }
    }

    fn line(&self, json: bool, t: f64, at: f64) -> String {
        match (self, json) {
            (Self::Beat { bpm, confidence, bar }, true) => {
                let position = bar.map(|bar| format!(",\"position\":{}", bar.position)).unwrap_or_default();
                format!(
                    "{{\"t\":{t:.4},\"at\":{at:.4},\"kind\":\"beat\",\"bpm\":{bpm:.2},\"confidence\":{confidence:.3}{position}}}"
                )
            }
            (Self::Downbeat { beats_per_bar, confidence }, true) => format!(
                "{{\"t\":{t:.4},\"at\":{at:.4},\"kind\":\"downbeat\",\"beats_per_bar\":{beats_per_bar},\"confidence\":{confidence:.3}}}"
            ),
            (Self::Section { section }, true) => {
                format!(
                    "{{\"t\":{t:.4},\"at\":{at:.4},\"kind\":\"section\",\"section\":\"{}\"}}",
                    section.name()
                )
            }
            (Self::Onset { strength }, true) => {
                format!("{{\"t\":{t:.4},\"at\":{at:.4},\"kind\":\"onset\",\"strength\":{strength:.3}}}")
            }
            (Self::Tempo { bpm, confidence }, true) => format!(
                "{{\"t\":{t:.4},\"at\":{at:.4},\"kind\":\"tempo\",\"bpm\":{bpm:.2},\"confidence\":{confidence:.3}}}"
            ),
            (Self::Beat { bpm, confidence, bar }, false) => {
                let place = bar.map(|bar| format!("  {} of {}", bar.position, bar.beats)).unwrap_or_default();
                format!("{t:9.3} s  beat   {bpm:6.1} BPM  confidence {confidence:.2}{place}")
            }
            (Self::Downbeat { beats_per_bar, confidence }, false) => {
                format!("{t:9.3} s  downbeat  of {beats_per_bar} beats  confidence {confidence:.2}")
            }
            (Self::Section { section }, false) => format!("{t:9.3} s  section  {}", section.name()),
            (Self::Onset { strength }, false) => format!("{t:9.3} s  onset  strength {strength:.2}"),
            (Self::Tempo { bpm, .. }, false) if *bpm == 0.0 => format!("{t:9.3} s  tempo  none"),
            (Self::Tempo { bpm, confidence }, false) => {
                format!("{t:9.3} s  tempo  {bpm:6.1} BPM  confidence {confidence:.2}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn events_tell_the_bar_and_the_section() {
        let json = |event: &Event| serde_json::from_str::<Value>(&event.line(true, 1.5, 1.25)).unwrap();
        let beat = |bar| Event::Beat { bpm: 120.0, confidence: 0.8, bar };
        let known = beat(Some(InBar { position: 3, beats: 4 }));
        assert_eq!(
            json(&known),
            json!({"t": 1.5, "at": 1.25, "kind": "beat", "bpm": 120.0, "confidence": 0.8, "position": 3})
        );
        assert_eq!(known.line(false, 1.5, 1.25), "    1.500 s  beat    120.0 BPM  confidence 0.80  3 of 4");
        assert_eq!(json(&beat(None)).get("position"), None, "an unknown bar has no position");
        assert_eq!(beat(None).line(false, 1.5, 1.25), "    1.500 s  beat    120.0 BPM  confidence 0.80");
        let downbeat = Event::Downbeat { beats_per_bar: 3, confidence: 0.75 };
        assert_eq!(
            json(&downbeat),
            json!({"t": 1.5, "at": 1.25, "kind": "downbeat", "beats_per_bar": 3, "confidence": 0.75})
        );
        assert_eq!(downbeat.line(false, 1.5, 1.25), "    1.500 s  downbeat  of 3 beats  confidence 0.75");
        let section = Event::Section { section: Section::Drop };
        assert_eq!(json(&section), json!({"t": 1.5, "at": 1.25, "kind": "section", "section": "drop"}));
        assert_eq!(section.line(false, 1.5, 1.25), "    1.500 s  section  drop");
    }
}
