//! Makes foreign text harmless before a terminal, a log or a page shows it.
//!
//! A terminal obeys the text that it shows: an escape sequence in a lamp's name can change the window's title, write to
//! the clipboard or hide a line; a newline can forge a line. Such characters are shown as `\u{1b}`, so that no
//! character is lost and none is obeyed. Ordinary text in any script stays as it is.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write as _;

/// Most characters of one foreign text that are shown; for a longer text, the number of omitted characters follows.
pub const LONGEST: usize = 400;
/// Most combining marks on one letter; more of them would cover the lines above and below.
const MOST_MARKS: usize = 4;

/// A foreign text in a form that can be shown within a line. Controls, escapes, newlines, and characters that are
/// invisible, unassigned or change the direction of the text are written as `\u{…}`. The result shows at most
/// [`LONGEST`] characters of the text.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else { return cleaned(text, |_| false) };
    let mut short = cleaned(&text[..end], |_| false).into_owned();
    // Writing to a string cannot fail.
    let _ = write!(short, "… ({} more characters)", text[end..].chars().count());
    short.into()
}

/// The same for a text of several lines and any length: newlines stay.
pub fn harmless_lines(text: &str) -> Cow<'_, str> {
    cleaned(text, |c| c == '\n')
}

/// The same for one line of any length.
pub fn harmless_line(text: &str) -> Cow<'_, str> {
    cleaned(text, |_| false)
}

/// JSON with the same meaning whose strings contain only harmless characters. `text` must be JSON, so that only its
/// strings can contain other characters; newlines between them stay.
pub fn harmless_json(text: &str) -> Cow<'_, str> {
    rewritten(
        text,
        |c| c == '\n',
        |c, out| {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

fn cleaned(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    rewritten(text, stays, |c, out| {
        let _ = write!(out, "{}", c.escape_unicode());
    })
}

/// The text, in which `escape` writes the characters that are not harmless.
fn rewritten<'a>(
    text: &'a str,
    stays: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'a, str> {
    let mut judge = Judge::default();
    let Some(first) = text.char_indices().find(|(at, c)| !stays(*c) && !judge.passes(*c, &text[*at..]))
    else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    let (before, rest) = text.split_at(first.0);
    out.push_str(before);
    let mut judge = Judge::after(before);
    for (at, c) in rest.char_indices() {
        if stays(c) || judge.passes(c, &rest[at..]) {
            out.push(c);
        } else {
            escape(c, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Judges a character by the characters before it.
#[derive(Default)]
struct Judge {
    before: Option<char>,
    marks: usize,
}

impl Judge {
    fn after(text: &str) -> Self {
        let mut judge = Self::default();
        for (at, c) in text.char_indices() {
            judge.passes(c, &text[at..]);
        }
        judge
    }

    /// True if a character may be shown; `rest` begins with it.
    fn passes(&mut self, c: char, rest: &str) -> bool {
        let is_mark = !c.is_ascii() && is_mark(c);
        self.marks = if is_mark { self.marks + 1 } else { 0 };
        let before = self.before.replace(c);
        match c {
            ' '..='~' => true,
            // Joins emoji into one; valid only between two of them.
            '\u{200d}' => before.is_some_and(is_picture) && rest.chars().nth(1).is_some_and(is_picture),
            // Selects the form of the sign before it; a text of these alone hides bytes.
            '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(takes_variation),
            _ if is_invisible(c) => false,
            // Spaces of other widths.
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => true,
            _ => is_printable(c) && self.marks <= MOST_MARKS,
        }
    }
}

/// True unless the tables of the standard library call the character a control, a formatter, private, unassigned or a
/// separator.
fn is_printable(c: char) -> bool {
    let mut utf8 = [0; 5];
    // `escape_debug` keeps a mark after a letter and escapes it alone.
    utf8[0] = b'x';
    let end = 1 + c.encode_utf8(&mut utf8[1..]).len();
    core::str::from_utf8(&utf8[..end]).is_ok_and(|s| s.escape_debug().count() == 2)
}

/// True for a mark that combines with the letter before it.
fn is_mark(c: char) -> bool {
    is_printable(c) && c.escape_debug().count() > 1 && !matches!(c, '\'' | '"' | '\\')
}

/// True for a sign that may have another form.
fn takes_variation(c: char) -> bool {
    !matches!(c, '\u{fe0e}' | '\u{fe0f}') && is_printable(c)
}

/// True for a character that may be part of an emoji.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// True for letters and marks that show nothing, with which bytes and look-alikes are hidden (Unicode's
/// Default_Ignorable_Code_Point, as far as the standard library calls them printable).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// True if the text has nothing that a terminal obeys, hides or reverses.
    fn is_safe(text: &str) -> bool {
        text.chars().all(|c| {
            !c.is_control()
                && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        })
    }

    #[test]
    fn what_a_terminal_obeys_is_shown_and_not_obeyed() {
        for (hostile, shown) in [
            ("\x1b[2J", "\\u{1b}[2J"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\x1b]52;c;ZXZpbA==\x1b\\", "\\u{1b}]52;c;ZXZpbA==\\u{1b}\\"),
            ("a\nk1: forged", "a\\u{a}k1: forged"),
            ("a\rb\tc\0d\x7f", "a\\u{d}b\\u{9}c\\u{0}d\\u{7f}"),
            ("\u{9b}31m\u{85}\u{90}", "\\u{9b}31m\\u{85}\\u{90}"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{e0041}\u{e007f}", "\\u{e0041}\\u{e007f}"),
            ("\u{e000}\u{378}\u{fffe}", "\\u{e000}\\u{378}\\u{fffe}"),
            ("a\u{3164}b\u{115f}", "a\\u{3164}b\\u{115f}"),
            ("a\u{200d}b", "a\\u{200d}b"),
            ("\u{fe0f}\u{fe00}", "\\u{fe0f}\\u{fe00}"),
        ] {
            assert_eq!(harmless(hostile), shown, "{}", hostile.escape_unicode());
        }
        assert_eq!(harmless_lines("a\nb\x1b"), "a\nb\\u{1b}");
    }

    #[test]
    fn ordinary_text_of_any_script_stays_as_it_is() {
        for text in [
            "",
            "Café – “Größe” 5 µs ≥ 3 °C",
            "cafe\u{301}",
            "سلام دنیا",
            "שלום",
            "日本語のランプ　全角",
            "हिन्दी",
            "ไทย",
            "Tiếng Việt",
            "👩\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 👍🏽 ❤\u{fe0f}",
            "12\u{202f}345\u{a0}km",
            "\\ \" ' & < >",
        ] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{}", harmless(text));
        }
    }

    #[test]
    fn a_text_without_end_and_marks_without_end_are_cut() {
        let long = harmless(&"x".repeat(1 << 20)).into_owned();
        assert!(
            long.chars().count() < LONGEST + 40 && long.ends_with("… (1048176 more characters)"),
            "{long}"
        );
        let tower = harmless(&alloc::format!("a{}", "\u{301}".repeat(50))).into_owned();
        assert_eq!(tower.matches('\u{301}').count(), MOST_MARKS, "{tower}");
    }

    #[test]
    fn json_says_the_same_and_is_harmless() {
        let value = serde_json::json!({"na\u{7f}me": "a\x1b\u{202e}\u{e0041}é\u{9b}", "n": [1, "\n"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let clean = harmless_json(&text).into_owned();
        assert!(is_safe(&clean.replace('\n', "")), "{clean}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).unwrap(), value);
    }

    proptest! {
        #[test]
        fn any_text_is_safe_and_stays_so(text in "\\PC{0,20}|.{0,40}|[\\x00-\\x7f\\u{80}-\\u{a0}\\u{2000}-\\u{2070}]{0,40}") {
            let once = harmless(&text).into_owned();
            prop_assert!(is_safe(&once), "{}", once.escape_unicode());
            prop_assert_eq!(harmless_line(&once), once.as_str(), "what is harmless stays");
        }
    }
}
