//! The printed lines about the page: the addresses at which others open it, and a QR code for phones.

use std::net::SocketAddr;

use super::token::Token;
use k1_host::console;

/// The reader of the printed lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person at a terminal.
    Person,
    /// A file or another program, which must not get the token.
    Program,
    /// The system's journal, which many people can read for a long time: it gets neither the token nor the QR code.
    Journal,
}

impl Reader {
    /// The reader of this process's standard output, or of its standard error if `is_error`.
    pub fn of(is_error: bool) -> Self {
        let is_terminal = if is_error { console::errors_reach_a_terminal() } else { console::is_terminal() };
        match is_terminal {
            true => Self::Person,
            false if is_journal(is_error) => Self::Journal,
            false => Self::Program,
        }
    }
}

/// True if the stream leads to the journal. `JOURNAL_STREAM` holds the journal's device and inode numbers
/// (systemd.exec(5)).
#[cfg(target_os = "linux")]
fn is_journal(is_error: bool) -> bool {
    use std::os::linux::fs::MetadataExt;
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let file = std::fs::metadata(if is_error { "/proc/self/fd/2" } else { "/proc/self/fd/1" });
    file.is_ok_and(|f| format!("{}:{}", f.st_dev(), f.st_ino()) == stream)
}

#[cfg(not(target_os = "linux"))]
fn is_journal(_: bool) -> bool {
    false
}

/// The URL of the page at an address. A token goes into the fragment, which browsers do not send, so that it never
/// appears in a request line or a log.
fn url(place: SocketAddr, token: Option<&Token>) -> String {
    match token {
        Some(token) => format!("http://{place}/#token={}", token.text()),
        None => format!("http://{place}/"),
    }
}

fn code(url: &str) -> Option<String> {
    let code = qrcode::QrCode::new(url).ok()?;
    Some(code.render::<qrcode::render::unicode::Dense1x2>().build())
}

/// The lines for a page that has just been opened. `places` are the addresses that other machines can reach, best
/// first; `here` is the address for this machine; `is_open` is true if other machines are meant to reach the page.
pub fn opened(
    here: SocketAddr,
    places: &[SocketAddr],
    is_open: bool,
    token: Option<&Token>,
    reader: Reader,
) -> Vec<String> {
    let shown = token.filter(|_| reader == Reader::Person);
    let first = places.first().copied().unwrap_or(here);
    let mut lines = vec![format!("\n  Light is on: {}", url(first, shown))];
    lines.extend(places.iter().skip(1).map(|place| format!("           also: {}", url(*place, shown))));
    lines.push(String::new());
    if let (Some(token), None) = (token, shown) {
        lines.push(format!("  Not shown here: {}.", token.whereabouts()));
    }
    match places.first() {
        Some(place) if reader != Reader::Journal => lines.extend(code(&url(*place, shown))),
        None if is_open => lines.push(
            "  No other machine can open the page, because this one has no address on a network. An address is \
             printed when there is one."
                .into(),
        ),
        _ => {}
    }
    lines
}

/// The lines for addresses that this machine has got since; with a QR code if none was printed before.
pub fn appeared(places: &[SocketAddr], has_code: bool, token: Option<&Token>, reader: Reader) -> Vec<String> {
    let shown = token.filter(|_| reader == Reader::Person);
    let line = |p: &SocketAddr| format!("  Light is on: {} (a new address of this machine)", url(*p, shown));
    let mut lines: Vec<String> = places.iter().map(line).collect();
    if let Some(place) = places.first().filter(|_| !has_code && reader != Reader::Journal) {
        lines.extend(code(&url(*place, shown)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn token() -> Token {
        super::super::token::given(Some("a-token-of-tests-1"), None).unwrap().unwrap()
    }

    #[test]
    fn a_person_sees_the_token_and_a_log_does_not() {
        let places = [place("192.168.1.4:3330"), place("[fd00::4]:3330")];
        let said = |reader| opened(place("127.0.0.1:3330"), &places, true, Some(&token()), reader).join("\n");
        let person = said(Reader::Person);
        assert!(
            person.contains("Light is on: http://192.168.1.4:3330/#token=a-token-of-tests-1\n"),
            "{person}"
        );
        assert!(person.contains("also: http://[fd00::4]:3330/#token="), "{person}");
        assert!(person.contains('█') && !person.contains("127.0.0.1"), "{person}");
        for reader in [Reader::Program, Reader::Journal] {
            let log = said(reader);
            assert!(log.contains("Light is on: http://192.168.1.4:3330/\n"), "{log}");
            assert!(!log.contains("a-token-of-tests-1") && log.contains("--token"), "{log}");
            assert_eq!(log.contains('█'), reader == Reader::Program);
        }
        let later = |reader, has_code| appeared(&places[..1], has_code, Some(&token()), reader).join("\n");
        assert!(
            later(Reader::Person, true).contains("#token=") && !later(Reader::Person, true).contains('█')
        );
        assert!(later(Reader::Person, false).contains('█'));
        let journal = later(Reader::Journal, false);
        assert!(journal.contains("192.168.1.4") && !journal.contains("#token=") && !journal.contains('█'));
    }

    #[test]
    fn there_is_no_code_where_nobody_can_use_it() {
        let here = place("127.0.0.1:3330");
        let alone = opened(here, &[], true, Some(&token()), Reader::Person).join("\n");
        assert!(alone.contains("Light is on: http://127.0.0.1:3330/") && alone.contains("No other machine"));
        assert!(!alone.contains('█'));
        let local = opened(here, &[], false, None, Reader::Person);
        assert_eq!(local, ["\n  Light is on: http://127.0.0.1:3330/", ""]);
    }
}
