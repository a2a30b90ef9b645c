//! What comes from outside, cleaned where it comes in: lines of a console, answers of lamps.

use std::io::{self, BufRead, Read};

use k1_device::harmless::{harmless, harmless_line};
use serde_json::Value;

/// Bytes of a line that somebody writes; a longer one is cut into several.
const LONGEST: u64 = 4_096;

/// The lines of a console, of an emulator or of a cable, without their ends. What is not UTF-8 is shown as such.
pub fn lines(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line_of(&line))),
            // What has come of a line before the reader's patience ended is not lost: it is a line of its own.
            Err(e) if line.is_empty() => Some(Err(e)),
            Err(_) => Some(Ok(line_of(&line))),
        }
    })
}

/// One such line.
pub fn line_of(bytes: &[u8]) -> String {
    harmless_line(String::from_utf8_lossy(bytes).trim_end()).into_owned()
}

/// Cleans every text of a JSON value, the names of its fields too.
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

/// Cleans one text.
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
