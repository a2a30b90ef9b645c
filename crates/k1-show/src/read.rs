//! A show from its text, with a sentence for each fault. What has no fault is valid without the rest.

mod fields;
mod look;
mod palettes;
mod scenes;
mod zone;

use std::fmt;

use toml_edit::{Document, Item};

use crate::model::{Light, Show};
use crate::palette::OwnPalette;
use crate::{MOST_LEDS, MOST_PARTS, VERSION};
use fields::Fields;
pub use fields::check_name;
pub(crate) use fields::number;

/// Something wrong in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

/// Checks of the forms that a program knows and this crate does not.
pub trait Forms {
    /// Checks where sound comes from.
    ///
    /// # Errors
    ///
    /// A sentence that says what would be valid.
    fn input(&self, text: &str) -> Result<(), String>;
    /// Reads the text of a map file.
    ///
    /// # Errors
    ///
    /// A sentence that says why it cannot be read.
    fn map(&self, file: &str) -> Result<String, String>;
    /// Checks the address and the settings of a light.
    ///
    /// # Errors
    ///
    /// A sentence that says what would be valid.
    fn light(&self, light: &Light) -> Result<(), String>;
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The parts without a fault.
    pub show: Show,
    /// The faults, in the order of their lines.
    pub faults: Vec<Fault>,
    /// The map files that it names, also those that cannot be read.
    pub maps: Vec<String>,
}

impl Reading {
    /// The show, if the text has no fault.
    ///
    /// # Errors
    ///
    /// The faults.
    pub fn whole(self) -> Result<Show, Vec<Fault>> {
        if self.faults.is_empty() { Ok(self.show) } else { Err(self.faults) }
    }
}

/// Reads a show. A text without a version, of another version or that is not TOML has no valid part.
pub fn read(text: &str, forms: &dyn Forms) -> Reading {
    let mut reader = Reader {
        text,
        forms,
        faults: Vec::new(),
        faulty: Vec::new(),
        maps: Vec::new(),
        palettes: Vec::new(),
    };
    let mut show = reader.show().unwrap_or_default();
    reader.faults.sort_by_key(|fault| fault.line);
    show.zones.retain(|zone| zone.pixels() > 0);
    Reading { show, faults: reader.faults, maps: reader.maps }
}

/// A text that is being read.
struct Reader<'a> {
    text: &'a str,
    forms: &'a dyn Forms,
    faults: Vec<Fault>,
    /// Names of lights that have a fault.
    faulty: Vec<String>,
    /// The map files that zones name.
    maps: Vec<String>,
    /// The user's own palettes, which looks name.
    palettes: Vec<OwnPalette>,
}

/// Line of a byte, counted from 1.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
}

impl<'a> Reader<'a> {
    /// The whole text.
    fn text(&self) -> &'a str {
        self.text
    }

    fn fault(&mut self, line: usize, sentence: impl Into<String>) {
        self.faults.push(Fault { line, sentence: sentence.into() });
    }

    fn show(&mut self) -> Option<Show> {
        let document = match Document::parse(self.text) {
            Ok(document) => document,
            Err(e) => {
                let line = line_of(self.text, e.span().map_or(0, |span| span.start));
                let why = e.message().trim().replace('\n', ", ");
                self.fault(line, format!("this is not TOML ({why})"));
                return None;
            }
        };
        let text = self.text;
        let mut fields = Fields::new(document.as_table(), text, 1, "the file");
        self.version(&mut fields)?;
        let mut show = Show {
            name: self.optional(fields.text("name")),
            input: self.optional(fields.text("input")),
            gain: self.gain(&mut fields),
            ..Show::default()
        };
        if let (Some(input), line) = (&show.input, fields.line("input"))
            && let Err(why) = self.forms.input(input)
        {
            self.fault(line, why);
            show.input = None;
        }
        self.limits(&mut fields, &mut show);
        self.own_palettes(&mut fields);
        // Lights first, whatever the order in the file, because zones name them.
        let lights = self.parts(&mut fields, "light");
        for table in lights {
            let name = table.item("name").and_then(Item::as_str);
            match self.light(table, &show.lights) {
                Some(light) => show.lights.push(light),
                None => self.faulty.extend(name.map(str::to_owned)),
            }
        }
        let mut taken = show.lights.iter().map(|light| vec![None; light.leds]).collect();
        for table in self.parts(&mut fields, "zone") {
            if let Some(zone) = self.zone(table, &show, &mut taken) {
                show.zones.push(zone);
            }
        }
        self.scenes(&mut fields, &mut show);
        self.rest(fields);
        show.palettes = std::mem::take(&mut self.palettes);
        Some(show)
    }

    fn version(&mut self, fields: &mut Fields) -> Option<()> {
        let line = fields.line("version");
        match fields.item("version").map(Item::as_integer) {
            Some(Some(VERSION)) => Some(()),
            Some(Some(newer)) if newer > VERSION => {
                self.fault(
                    line,
                    format!(
                        "version {newer} is newer than this program, which reads version {VERSION}; install a newer K1"
                    ),
                );
                None
            }
            Some(_) => {
                self.fault(line, format!("K1 does not know this version; write version = {VERSION}"));
                None
            }
            None => {
                self.fault(1, format!("the version is missing; begin the file with version = {VERSION}"));
                None
            }
        }
    }

    fn gain(&mut self, fields: &mut Fields) -> Option<f32> {
        let line = fields.line("gain");
        let gain = self.optional(fields.number("gain"))?;
        let range = k1_engine::audio::GAIN_RANGE;
        if range.contains(&gain) {
            return Some(gain);
        }
        self.fault(line, format!("gain is {} to {}, not {gain}", range.start(), range.end()));
        None
    }

    fn limits(&mut self, fields: &mut Fields, show: &mut Show) {
        let line = fields.line("limits");
        let Some(item) = fields.item("limits") else { return };
        let Some(table) = item.as_table_like() else {
            self.fault(line, "limits is a table; write [limits] and below it fps = 60");
            return;
        };
        let limits = Fields::new(table, self.text, line, "[limits]");
        show.fps = self.optional(limits.count("fps", 1..=500)).map(|n| n as u32);
        show.max_ma = self.optional(limits.count("max_ma", 0..=u32::MAX as usize)).map(|n| n as u32);
        self.rest(limits);
    }

    fn light(&mut self, fields: Fields, others: &[Light]) -> Option<Light> {
        let (name_line, to_line) = (fields.line("name"), fields.line("to"));
        let name = self.required(fields.name());
        let to = self.required(fields.required_text("to", "its address, as in to = \"ddp://192.168.1.40\""));
        let leds = self.required(fields.required_count("leds", 1..=MOST_LEDS));
        let settings = fields.settings();
        let settings = self.required(settings);
        let light = Light { name: name?, to: to?, leds: leds?, settings: settings? };
        if others.iter().any(|other| other.name == light.name) {
            self.fault(name_line, format!("two lights have the name “{}”; give each its own", light.name));
            return None;
        }
        if let Err(why) = self.forms.light(&light) {
            self.fault(to_line, format!("the light “{}”: {why}", light.name));
            return None;
        }
        Some(light)
    }

    /// The tables of `[[kind]]`.
    fn parts<'t>(&mut self, fields: &mut Fields<'t>, kind: &'static str) -> Vec<Fields<'t>> {
        let line = fields.line(kind);
        let what = match kind {
            "light" => "a light",
            "zone" => "a zone",
            "scene" => "a scene",
            "palette" => "a palette",
            _ => "a timer",
        };
        let mut tables = match fields.tables(kind, what) {
            Ok(tables) => tables,
            Err(fault) => {
                self.faults.push(fault);
                return Vec::new();
            }
        };
        if tables.len() > MOST_PARTS {
            self.fault(line, format!("there are {} of [[{kind}]]; at most {MOST_PARTS} fit", tables.len()));
            tables.truncate(MOST_PARTS);
        }
        tables
    }

    /// The value of a field that may be missing.
    fn optional<T>(&mut self, field: Result<Option<T>, Fault>) -> Option<T> {
        self.required(field).flatten()
    }

    /// The value of a field; `None` after a fault.
    fn required<T>(&mut self, field: Result<T, Fault>) -> Option<T> {
        field.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// Reports the fields that nobody has read.
    fn rest(&mut self, fields: Fields) {
        self.faults.extend(fields.unknown());
    }
}
