//! Cleans text from outside on arrival: lines of a console, answers of lamps.

use std::io::{self, BufRead, Read};

use k1_device::harmless::{harmless, harmless_line};
use serde_json::Value;

/// Longest line in bytes; longer ones are split.
const LONGEST: u64 = 4_096;

/// The lines of a console (an emulator's or a cable's) without line ends. Invalid UTF-8 becomes U+FFFD.
pub fn lines(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line_of(&line))),
            // Keep the part of a line that arrived before the timeout, as a line of its own.
            Err(e) if line.is_empty() => Some(Err(e)),
            Err(_) => Some(Ok(line_of(&line))),
        }
    })
}

/// Cleans one line.
pub fn line_of(bytes: &[u8]) -> String {
    harmless_line(String::from_utf8_lossy(bytes).trim_end()).into_owned()
}

/// Cleans all strings of a JSON value, including field names.
pub fn clean(value: &mut Value) {
    match value {
        Value::String(text) => clean_text(text),
        Value::Array(all) => all.iter_mut().for_each(clean),
        Value::Object(fields) => {
            let odd: Vec<_> = fields.keys().filter(|name| harmless(name) != name.as_str()).cloned().collect();
            for name in odd {
                if let Some(value) = fields.remove(&name) {
                    fields.insert(harmless(&name).into_owned(), value);
                }
            }
            fields.values_mut().for_each(clean);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cleans one string.
pub fn clean_text(text: &mut String) {
    if let std::borrow::Cow::Owned(clean) = harmless(text) {
        *text = clean;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_console_without_end_is_cut_and_one_without_sense_is_shown() {
        let endless = vec![b'x'; 10_000];
        let all: Vec<_> = lines(endless.as_slice()).map(|l| l.unwrap().len()).collect();
        assert_eq!(all, [4_096, 4_096, 1_808]);
        let odd: Vec<_> = lines(&b"[FPS] 1\x1b[2J\r\n\xff\xfe\n\nlast"[..]).map(Result::unwrap).collect();
        assert_eq!(odd, ["[FPS] 1\\u{1b}[2J", "\u{fffd}\u{fffd}", "", "last"]);
    }

    #[test]
    fn every_text_of_an_answer_is_cleaned() {
        let mut answer = json!({"a\n": ["\x1b[2J", {"b": "é\u{202e}"}], "n": 1.5});
        clean(&mut answer);
        assert_eq!(answer, json!({"a\\u{a}": ["\\u{1b}[2J", {"b": "é\\u{202e}"}], "n": 1.5}));
    }
}
