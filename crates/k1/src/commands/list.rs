//! `k1 patterns | palettes | params | sources`.

use k1_device::harmless::harmless;
use k1_engine::light::PALETTES;
use k1_engine::params::PARAMS;
use k1_engine::patterns::PATTERNS;
use serde_json::json;

use super::{Failure, print_json};
use crate::source::{self, Input};
use k1_host::console::{self, Text};

/// Lists the patterns.
pub fn patterns(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<_> = PATTERNS
            .iter()
            .enumerate()
            .map(|(index, p)| {
                json!({"index": index, "id": p.id, "name": p.name, "description": p.description,
                       "listens": p.listens, "is_audio_reactive": p.is_audio_reactive, "knobs": p.knobs})
            })
            .collect();
        return print_json(&all);
    }
    let mut text = Text::default();
    for p in &PATTERNS {
        text.line(format_args!("{:<12} {}", p.id, p.description));
        text.line(format_args!("{:<12} listens to {}", "", p.listens));
        text.line(format_args!("{:<12} custom 1–3: {}", "", p.knobs.join("; ")));
        text.line("");
    }
    Ok(text.print()?)
}

/// Lists the palettes, with a swatch where the output is a terminal.
pub fn palettes(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<_> = PALETTES
            .iter()
            .enumerate()
            .map(|(id, p)| json!({"id": id, "name": p.name, "about": p.about, "stops": p.stops.len()}))
            .collect();
        return print_json(&all);
    }
    let swatches = console::is_terminal();
    let mut text = Text::default();
    for (id, p) in PALETTES.iter().enumerate() {
        let mut colours = String::new();
        if swatches {
            let mut line = Vec::new();
            let screen: Vec<[u8; 3]> = (0..48)
                .map(|i| {
                    let c = p.at(i as f32 / 47.0).to_rgb();
                    [c.r, c.g, c.b].map(k1_engine::light::srgb_byte)
                })
                .collect();
            k1_host::strip_line::cells(&screen, 24, &mut line);
            colours.push_str(String::from_utf8_lossy(&line).trim_start_matches('\r'));
            colours.push(' ');
        }
        text.line_with_colours(format_args!("{id:>2} {:<14} ", p.name), &colours, p.about);
    }
    Ok(text.print()?)
}

/// Lists the parameters.
pub fn params(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<_> = PARAMS
            .iter()
            .map(|p| {
                json!({"id": p.id, "name": p.name, "unit": p.unit, "min": p.min, "max": p.max,
                       "default": p.default, "step": p.step, "help": p.help})
            })
            .collect();
        return print_json(&all);
    }
    let mut text = Text::default();
    for p in &PARAMS {
        text.line(format_args!("{:<15} {} … {:<3} default {:<5} {}", p.id, p.min, p.max, p.default, p.help));
    }
    Ok(text.print()?)
}

/// Lists what can be heard.
pub fn sources(as_json: bool) -> Result<(), Failure> {
    let found = source::devices();
    if as_json {
        let (devices, problem) = match &found {
            Ok(d) => (d.as_slice(), None),
            Err(e) => (&[][..], Some(e.to_string())),
        };
        let devices: Vec<_> = devices
            .iter()
            .map(|d| json!({"input": input_of(d), "description": d.description, "default": d.default}))
            .collect();
        return print_json(&json!({"always": ["demo", "FILE", "-"], "live": devices, "problem": problem}));
    }
    let mut text = Text::default();
    text.line("demo            built-in music");
    text.line(format_args!("FILE            a sound file: {}", source::FORMATS));
    text.line("-               raw f32 mono samples on standard input");
    match found {
        Ok(devices) => {
            for d in &devices {
                let star = if d.default { "  (default)" } else { "" };
                text.line(input_of(d));
                text.line(format_args!("                {}{star}", harmless(&d.description)));
            }
            if devices.is_empty() {
                text.line("No live sound: the sound server has no sources.");
            }
        }
        Err(e) => {
            text.line(format_args!("No live sound: {e}"));
        }
    }
    Ok(text.print()?)
}

fn input_of(d: &source::Device) -> String {
    Input::from(d).to_string()
}
