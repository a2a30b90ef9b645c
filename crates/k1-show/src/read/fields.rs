//! The fields of one table of a text.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml_edit::{Item, TableLike, Value};

use super::{Fault, line_of};
use crate::LONGEST_NAME;

/// A table that is being read. It remembers which fields were asked for.
pub struct Fields<'t> {
    table: &'t dyn TableLike,
    text: &'t str,
    /// Line of the table itself.
    pub own_line: usize,
    /// The table, for sentences.
    what: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Fields<'t> {
    /// A table that begins at line `own_line`.
    pub fn new(table: &'t dyn TableLike, text: &'t str, own_line: usize, what: &'static str) -> Self {
        Self { table, text, own_line, what, asked: RefCell::default() }
    }

    /// Line of a field, or of the table if the field is missing.
    pub fn line(&self, key: &str) -> usize {
        let span = self.table.key(key).and_then(toml_edit::Key::span);
        span.map_or(self.own_line, |span| line_of(self.text, span.start))
    }

    fn fault(&self, key: &str, sentence: String) -> Fault {
        Fault { line: self.line(key), sentence }
    }

    fn missing(&self, key: &str, example: &str) -> Fault {
        Fault { line: self.own_line, sentence: format!("{} needs `{key}`: {example}", self.what) }
    }

    /// A field of any kind.
    pub fn item(&self, key: &'static str) -> Option<&'t Item> {
        self.asked.borrow_mut().push(key);
        self.table.get(key).filter(|item| !item.is_none())
    }

    /// A text.
    pub fn text(&self, key: &'static str) -> Result<Option<String>, Fault> {
        let Some(item) = self.item(key) else { return Ok(None) };
        match item.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(Some(text.to_owned())),
            Some(_) => Err(self.fault(key, format!("`{key}` is empty; write a text, or delete the line"))),
            None => Err(self.fault(key, format!("`{key}` is a text in quotes, as in {key} = \"…\""))),
        }
    }

    /// A text that must be there; `example` shows one.
    pub fn required_text(&self, key: &'static str, example: &str) -> Result<String, Fault> {
        self.text(key)?.ok_or_else(|| self.missing(key, example))
    }

    /// The name of the table's part.
    pub fn name(&self) -> Result<String, Fault> {
        let name = self.required_text("name", "a name of your choice, as in name = \"Shelf\"")?;
        check_name(&name).map_err(|why| self.fault("name", why))?;
        Ok(name)
    }

    /// A number.
    pub fn number(&self, key: &'static str) -> Result<Option<f32>, Fault> {
        self.item(key)
            .map(|item| {
                number(item).ok_or_else(|| {
                    self.fault(key, format!("`{key}` is a number without quotes, as in {key} = 1.0"))
                })
            })
            .transpose()
    }

    /// A whole number within a range.
    pub fn count(&self, key: &'static str, range: RangeInclusive<usize>) -> Result<Option<usize>, Fault> {
        let Some(item) = self.item(key) else { return Ok(None) };
        let count = item.as_integer().and_then(|n| usize::try_from(n).ok()).filter(|n| range.contains(n));
        match count {
            Some(count) => Ok(Some(count)),
            None => Err(self
                .fault(key, format!("`{key}` is a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    /// A whole number that must be there.
    pub fn required_count(&self, key: &'static str, range: RangeInclusive<usize>) -> Result<usize, Fault> {
        let example = format!("a whole number from {} to {}", range.start(), range.end());
        self.count(key, range)?.ok_or_else(|| self.missing(key, &example))
    }

    /// Yes or no; no if it is missing.
    pub fn flag(&self, key: &'static str) -> Result<bool, Fault> {
        match self.item(key).map(Item::as_bool) {
            None => Ok(false),
            Some(Some(flag)) => Ok(flag),
            Some(None) => Err(self.fault(key, format!("`{key}` is true or false, without quotes"))),
        }
    }

    /// A list of texts; `expected` says what it may be.
    pub fn texts(&self, key: &'static str, expected: &str) -> Result<Option<Vec<String>>, Fault> {
        let Some(item) = self.item(key) else { return Ok(None) };
        let texts =
            item.as_array().map(|array| array.iter().map(|text| Some(text.as_str()?.to_owned())).collect());
        match texts.flatten() {
            Some(texts) => Ok(Some(texts)),
            None => Err(self.fault(key, format!("`{key}` is {expected}"))),
        }
    }

    /// The tables of a list: `[[key]]`, or `key = [{ … }, { … }]`.
    pub fn tables(&self, key: &'static str, what: &'static str) -> Result<Vec<Fields<'t>>, Fault> {
        let wrong = || {
            let example = match self.own_line {
                1 => format!("write [[{key}]] above each {what}"),
                _ => format!("write {key} = [{{ light = \"…\" }}]"),
            };
            self.fault(key, format!("`{key}` is a list of tables; {example}"))
        };
        let own = self.line(key);
        let at = |span: Option<std::ops::Range<usize>>| span.map_or(own, |s| line_of(self.text, s.start));
        let sub = |table: &'t dyn TableLike, line| Fields::new(table, self.text, line, what);
        match self.item(key) {
            None => Ok(Vec::new()),
            Some(Item::ArrayOfTables(tables)) => Ok(tables.iter().map(|t| sub(t, at(t.span()))).collect()),
            Some(Item::Value(Value::Array(array))) => {
                let table = |value: &'t Value| Some(sub(value.as_inline_table()?, at(value.span())));
                array.iter().map(|value| table(value).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// The fields that were not asked for, as texts.
    pub fn settings(&self) -> Result<Vec<(String, String)>, Fault> {
        self.others()
            .into_iter()
            .map(|(key, item)| {
                let text = match item {
                    Item::Value(Value::String(text)) => Some(text.value().clone()),
                    Item::Value(Value::Integer(n)) => Some(n.value().to_string()),
                    Item::Value(Value::Float(n)) => Some(n.value().to_string()),
                    Item::Value(Value::Boolean(b)) => Some(b.value().to_string()),
                    _ => None,
                };
                let text = text.ok_or_else(|| self.fault(key, format!("`{key}` is a text or a number")))?;
                Ok((key.to_owned(), text))
            })
            .collect()
    }

    /// A fault for each field that was not asked for.
    pub fn unknown(&self) -> Vec<Fault> {
        let all = self.asked.borrow().join(", ");
        self.others()
            .into_iter()
            .map(|(key, _)| {
                self.fault(key, format!("K1 does not know `{key}` here; {} takes {all}", self.what))
            })
            .collect()
    }

    /// The fields that were not asked for.
    pub fn others(&self) -> Vec<(&'t str, &'t Item)> {
        let asked = self.asked.borrow();
        self.table.iter().filter(|(key, _)| !asked.iter().any(|a| a == key)).collect()
    }
}

/// Checks the name of a light or a zone.
///
/// # Errors
///
/// A sentence that says which names are valid.
pub fn check_name(name: &str) -> Result<(), String> {
    let length = 1..=LONGEST_NAME;
    match length.contains(&name.len()) && !name.trim().is_empty() && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(format!("a name has 1 to {LONGEST_NAME} bytes and no control characters")),
    }
}

/// A number, written with or without a point.
pub fn number(item: &Item) -> Option<f32> {
    item.as_float().or_else(|| item.as_integer().map(|n| n as f64)).map(|n| n as f32)
}
