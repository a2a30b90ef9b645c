//! Changes of a show's text that keep its comments and layout.

mod edit;
mod palettes;
mod plan;
mod scenes;

use std::fmt;

use k1_engine::light::PALETTES;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::PATTERNS;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::Look;
use crate::VERSION;
use crate::model::{Light, Piece, Run};
use crate::palette::number_of;
use crate::read::{Fault, Forms, Reading, line_of, number, read};

/// Head of a new file.
const HEAD: &str = "# A show of K1: lights, zones and their looks.\n";

/// The text of a show.
#[derive(Clone, Debug)]
pub struct Text(DocumentMut);

impl Default for Text {
    fn default() -> Self {
        let mut document = DocumentMut::new();
        document.insert("version", toml_edit::value(VERSION));
        if let Some(mut key) = document.key_mut("version") {
            key.leaf_decor_mut().set_prefix(HEAD);
        }
        Self(document)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Text {
    /// A text that is to be changed.
    ///
    /// # Errors
    ///
    /// The fault of a text that is not TOML.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map(Self).map_err(|e: toml_edit::TomlError| Fault {
            line: line_of(text, e.span().map_or(0, |span| span.start)),
            sentence: format!("this is not TOML ({})", e.message().trim().replace('\n', ", ")),
        })
    }

    /// What the text says.
    pub fn read(&self, forms: &dyn Forms) -> Reading {
        read(&self.0.to_string(), forms)
    }

    /// Sets the microphone gain.
    pub fn set_gain(&mut self, gain: f32) {
        set(self.0.as_table_mut(), "gain", gain_of, &gain, f64_of(gain).into());
    }

    /// Sets where sound comes from.
    pub fn set_input(&mut self, input: &str) {
        let says = |item: &Item| item.as_str().map(str::to_owned);
        set(self.0.as_table_mut(), "input", says, &input.to_owned(), input.into());
    }

    /// Sets the look of a zone; `false` if there is no such zone. Values that are there already keep their form, and
    /// defaults are written only where another value was.
    pub fn set_look(&mut self, zone: &str, look: &Look) -> bool {
        let own = self.palette_names();
        let Some(table) = named(&mut self.0, "zone", zone) else { return false };
        let place = table.entry("look").or_insert_with(|| Item::Value(InlineTable::new().into()));
        let Some(place) = place.as_table_like_mut() else { return false };
        let before = place.len();
        write_look(place, look, &own);
        let has_grown = place.len() > before;
        if let Some(inline) = table.get_mut("look").and_then(Item::as_inline_table_mut).filter(|_| has_grown)
        {
            pad(inline);
        }
        true
    }

    /// Adds a light at the end of the lights.
    pub fn add_light(&mut self, light: &Light) {
        let mut table = Table::new();
        table.insert("name", toml_edit::value(&light.name));
        table.insert("to", toml_edit::value(&light.to));
        table.insert("leds", toml_edit::value(light.leds as i64));
        for (key, value) in &light.settings {
            table.insert(key, Item::Value(plain(value)));
        }
        self.push("light", table);
    }

    /// Adds pieces to a zone. A zone that does not exist yet is made, with the default look. `lights` has the names of
    /// the lights that the pieces refer to.
    pub fn add_pieces(&mut self, zone: &str, pieces: &[Piece], lights: &[&str]) {
        let new = pieces.iter().map(|piece| inline(piece, lights));
        if let Some(table) = named(&mut self.0, "zone", zone) {
            match table.entry("pieces").or_insert_with(|| Item::Value(Array::new().into())) {
                Item::Value(Value::Array(array)) => new.for_each(|piece| append(array, piece)),
                Item::ArrayOfTables(tables) => new.for_each(|piece| tables.push(piece.into_table())),
                _ => {}
            }
            return;
        }
        let mut table = Table::new();
        table.insert("name", toml_edit::value(zone));
        table.insert("pieces", toml_edit::value(new.collect::<Array>()));
        let mut look = InlineTable::new();
        look.insert("pattern", PATTERNS[Look::default().pattern].id.into());
        pad(&mut look);
        table.insert("look", toml_edit::value(look));
        self.push("zone", table);
    }

    /// Sets the shape of a zone, such as `matrix:16x16`; `false` if there is no such zone.
    pub fn set_shape(&mut self, zone: &str, shape: &str) -> bool {
        let Some(table) = named(&mut self.0, "zone", zone) else { return false };
        set(table, "shape", |item| item.as_str().map(str::to_owned), &shape.to_owned(), shape.into());
        true
    }

    fn push(&mut self, kind: &str, mut table: Table) {
        table.decor_mut().set_prefix("\n");
        let list = self.0.entry(kind).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        match list {
            Item::ArrayOfTables(tables) => tables.push(table),
            Item::Value(Value::Array(array)) => append(array, table.into_inline_table()),
            _ => {}
        }
    }
}

/// Writes a look into its table. Values that are there already keep their form. `own` are the names of the file's own
/// palettes.
fn write_look(place: &mut dyn TableLike, look: &Look, own: &[String]) {
    set(place, "pattern", pattern_of, &look.pattern, PATTERNS[look.pattern].id.into());
    let (palette, default) = (look.params.palette_id(), Params::new());
    if palette != default.palette_id() || place.contains_key("palette") {
        let name = match palette.checked_sub(PALETTES.len()) {
            None => PALETTES[palette].name,
            // A number that nobody has shows the last palette.
            Some(index) => own.get(index).map_or(PALETTES[PALETTES.len() - 1].name, String::as_str),
        };
        set(place, "palette", |item| palette_of(item, own), &palette, name.into());
    }
    for param in Param::ALL.iter().filter(|param| **param != Param::PaletteId) {
        let (id, value) = (param.spec().id, look.params.get(*param));
        if value != default.get(*param) || place.contains_key(id) {
            set(place, id, number, &value, f64_of(value).into());
        }
    }
}

/// The table of `[[kind]]` with a name.
fn named<'d>(document: &'d mut DocumentMut, kind: &str, name: &str) -> Option<&'d mut dyn TableLike> {
    let is_it = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match document.get_mut(kind)? {
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().find(|table| is_it(*table)).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(array)) => {
            let mut tables = array.iter_mut().filter_map(Value::as_inline_table_mut);
            tables.find(|table| is_it(*table)).map(|table| table as &mut dyn TableLike)
        }
        _ => None,
    }
}

/// Sets a field unless it says the same already. What stands around the old value stays.
fn set<T: PartialEq>(
    table: &mut dyn TableLike,
    key: &str,
    says: impl Fn(&Item) -> Option<T>,
    wanted: &T,
    mut value: Value,
) {
    match table.get_mut(key) {
        Some(old) if says(old).as_ref() == Some(wanted) => {}
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => _ = table.insert(key, Item::Value(value)),
    }
}

fn gain_of(item: &Item) -> Option<f32> {
    number(item)
}

fn pattern_of(item: &Item) -> Option<usize> {
    k1_engine::patterns::pattern_by_id(item.as_str()?)
}

fn palette_of(item: &Item, own: &[String]) -> Option<usize> {
    match item.as_str() {
        Some(name) => number_of(name, own.iter().map(String::as_str)),
        None => usize::try_from(item.as_integer()?).ok(),
    }
}

/// The shortest number that reads as `value`: 0.6, not 0.60000002384.
fn f64_of(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(value.into())
}

/// A setting as a number or a flag, if it reads as one.
fn plain(text: &str) -> Value {
    let number = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from));
    number.or_else(|_| text.parse::<bool>().map(Value::from)).unwrap_or_else(|_| text.into())
}

fn inline(piece: &Piece, lights: &[&str]) -> InlineTable {
    let mut table = InlineTable::new();
    match piece {
        Piece::Gap(pixels) => _ = table.insert("gap", (*pixels as i64).into()),
        Piece::Run(run) => write_run(run, lights, &mut table),
    }
    table
}

fn write_run(run: &Run, lights: &[&str], table: &mut InlineTable) {
    table.insert("light", lights[run.light].into());
    table.insert("from", (run.from as i64).into());
    table.insert("to", (run.to as i64).into());
    if run.reversed {
        table.insert("reversed", true.into());
    }
    for (key, n) in [("group", run.group), ("repeat", run.repeat)] {
        if n > 1 {
            table.insert(key, (n as i64).into());
        }
    }
}

/// Appends in the form of a list that has one element per line, if it has.
fn append(array: &mut Array, table: InlineTable) {
    let mut value = Value::from(table);
    match array.iter().last().map(|last| last.decor().clone()) {
        Some(decor) => {
            let prefix = decor.prefix().cloned().unwrap_or_default();
            // A comment in front of the last element belongs to that one.
            let space = prefix.as_str().filter(|text| text.trim().is_empty()).unwrap_or("\n  ").to_owned();
            value.decor_mut().set_prefix(if space.is_empty() { " ".to_owned() } else { space });
            array.push_formatted(value);
        }
        None => array.push(value),
    }
}

/// Spaces as in `{ a = 1, b = 2 }`, also where a value was added; line breaks and comments stay.
fn pad(table: &mut InlineTable) {
    let last = table.len().saturating_sub(1);
    for (i, (mut key, value)) in table.iter_mut().enumerate() {
        let is_plain = |text: Option<&toml_edit::RawString>| {
            text.is_none_or(|text| text.as_str().is_none_or(|text| text.chars().all(|c| c == ' ')))
        };
        if is_plain(key.leaf_decor().prefix()) {
            key.leaf_decor_mut().set_prefix(" ");
        }
        if is_plain(value.decor().suffix()) {
            value.decor_mut().set_suffix(if i == last { " " } else { "" });
        }
    }
}
