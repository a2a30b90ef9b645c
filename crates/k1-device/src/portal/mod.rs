//! The lamp's own access point: its page lets a phone choose the lamp's network while none is set.
//!
//! The access point uses WPA2 and its password is the lamp's token. Only people who can read the lamp's console or
//! label can join it, and the password of the home network is encrypted on the air. An open access point would let any
//! neighbour take over the lamp and read that password. A device that has joined needs no other proof, so the page does
//! not ask for a token.

pub mod leases;

use alloc::string::String;
use core::fmt::Write;

use k1_http::head::Head;

/// Most networks that are kept from a scan.
pub const MOST_SEEN: usize = 12;
/// Address of the lamp on its access point.
pub const ADDRESS: [u8; 4] = [192, 168, 4, 1];
/// URL of the page.
const PAGE: &str = "http://192.168.4.1/";
/// Length of the longest form in bytes: a name of 32 and a password of 64 bytes, each byte written as three, and the
/// names of the fields.
pub const MOST_FORM: usize = 512;

/// A network that a scan has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Name of the network.
    pub ssid: heapless::String<32>,
    /// Signal strength in dBm.
    pub rssi_dbm: i8,
    /// True if the network needs a password.
    pub locked: bool,
}

/// Result of a scan: each name once, the strongest first.
pub type Scan = heapless::Vec<Seen, MOST_SEEN>;

/// Adds a network to the list if it is strong enough. Hidden networks are left out, because they have no name to
/// choose.
pub fn take_in(scan: &mut Scan, seen: Seen) {
    if seen.ssid.is_empty() {
        return;
    }
    if let Some(at) = scan.iter().position(|s| s.ssid == seen.ssid) {
        if scan[at].rssi_dbm >= seen.rssi_dbm {
            return;
        }
        scan.remove(at);
    }
    let at = scan.iter().position(|s| s.rssi_dbm < seen.rssi_dbm).unwrap_or(scan.len());
    if scan.is_full() && at < scan.len() {
        scan.pop();
    }
    // A full list of stronger networks refuses it.
    let _ = scan.insert(at, seen);
}

/// Content of the page.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Name of the lamp.
    pub name: &'a str,
    /// Networks from the last scan.
    pub networks: &'a [Seen],
    /// Name of a chosen network that could not be joined; empty if there is none.
    pub failed: &'a str,
}

/// A network that a user has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Name of the network.
    pub ssid: heapless::String<32>,
    /// Password of the network; empty for an open network.
    pub password: heapless::String<64>,
}

/// Answers a request. Returns the bytes to send, after which the connection ends, and the choice, if there was one.
///
/// `body` has at most [`MOST_FORM`] bytes; `None` if it could not be read.
pub fn answer(head: &Head<'_>, body: Option<&[u8]>, view: &View<'_>) -> (String, Option<Choice>) {
    // A foreign page that is open on the phone at the same time must not choose.
    let foreign =
        head.origin.is_some_and(|origin| !PAGE.starts_with(origin) || origin.len() + 1 != PAGE.len());
    match (head.method, head.path) {
        ("POST", "/join") if foreign => (say("403 Forbidden", "Open the lamp's own page to choose."), None),
        ("POST", "/join") => match body.and_then(choice) {
            Some(choice) => {
                let mut text = String::from("The lamp now leaves this network and joins ");
                escape(&mut text, &choice.ssid);
                text.push_str(".<p>If it cannot, this network comes back: join it and choose again.");
                (say("200 OK", &text), Some(choice))
            }
            None => (
                say(
                    "400 Bad Request",
                    "That is not a valid network: a name has 1 to 32 bytes, a password 8 to 63 or none. \
                     <a href=/>Choose again</a>.",
                ),
                None,
            ),
        },
        ("GET" | "HEAD", "/") => (say("200 OK", &form(view)), None),
        // A phone sends other requests to find out whether it is online; these lead to the page.
        _ => (
            "HTTP/1.1 302 Found\r\nLocation: http://192.168.4.1/\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n"
                .into(),
            None,
        ),
    }
}

/// The page around a text: the part before the style, the style, and the part after it.
const AROUND: [&str; 3] = [
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>K1</title>\
     <style>",
    "body{font:18px sans-serif;max-width:24em;margin:2em auto;padding:0 1em;background:#111;color:#eee}\
     label{display:block;margin:.6em 0}input,button{font:inherit;padding:.3em}a{color:#9cf}",
    "</style><h1>K1</h1>",
];
/// SHA-256 of the style in base64. A browser may apply only this style.
const STYLE_HASH: &str = "by9P5vlz1CgPgRfZRCTdL26M1Ue6c9Jg9h65A/qcqP8=";

/// A whole answer with a text.
fn say(status: &str, text: &str) -> String {
    let [before, style, behind] = AROUND;
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-{STYLE_HASH}'; \
         form-action 'self'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{before}{style}{behind}{text}",
        before.len() + style.len() + behind.len() + text.len()
    );
    out
}

fn form(view: &View<'_>) -> String {
    let mut out = String::new();
    if !view.failed.is_empty() {
        out.push_str("<p><b>The lamp could not join ");
        escape(&mut out, view.failed);
        out.push_str(".</b> Is its password right?");
    }
    out.push_str("<form method=post action=/join><p>Which Wi-Fi should ");
    escape(&mut out, view.name);
    out.push_str(" join?");
    for seen in view.networks {
        out.push_str("<label><input type=radio name=ssid value=\"");
        escape(&mut out, &seen.ssid);
        out.push_str("\"> ");
        escape(&mut out, &seen.ssid);
        let _ = write!(out, " ({} dBm{})</label>", seen.rssi_dbm, if seen.locked { "" } else { ", open" });
    }
    out.push_str(
        "<label>Another <input name=other maxlength=32 autocapitalize=off></label>\
         <label>Password <input name=password type=password maxlength=63></label><button>Join</button></form>\
         <p>2.4 GHz only. Is a network missing? <a href=/>Look again</a>.",
    );
    out
}

/// Escapes a text for HTML, so that a browser shows it unchanged, also within quotes.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// The choice from a form: `other` if something was typed there, otherwise `ssid`. WPA passwords have 8 to 63 ASCII
/// characters (IEEE 802.11, annex J.4); an empty password means an open network.
fn choice(form: &[u8]) -> Option<Choice> {
    let mut choice = Choice { ssid: heapless::String::new(), password: heapless::String::new() };
    let mut other = heapless::String::<32>::new();
    for field in form.split(|b| *b == b'&') {
        let at = field.iter().position(|b| *b == b'=')?;
        let (name, value) = (&field[..at], &field[at + 1..]);
        match name {
            b"ssid" => choice.ssid = decode(value)?,
            b"other" => other = decode(value)?,
            b"password" => choice.password = decode(value)?,
            _ => {}
        }
    }
    if !other.is_empty() {
        choice.ssid = other;
    }
    let password = choice.password.as_bytes();
    let right = password.is_empty()
        || (8..=63).contains(&password.len()) && password.iter().all(|b| (b' '..=b'~').contains(b));
    (right && !choice.ssid.is_empty()).then_some(choice)
}

/// Decodes a value of a form (application/x-www-form-urlencoded); `None` if it is not UTF-8 or too long.
fn decode<const N: usize>(value: &[u8]) -> Option<heapless::String<N>> {
    let mut bytes = heapless::Vec::<u8, N>::new();
    let mut rest = value;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, behind) = rest.split_first_chunk::<2>()?;
                rest = behind;
                let digit = |d: u8| char::from(d).to_digit(16).map(|d| d as u8);
                digit(digits[0])? << 4 | digit(digits[1])?
            }
            byte => *byte,
        };
        bytes.push(byte).ok()?;
    }
    heapless::String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_http::head::{self, Parsed};
    use proptest::prelude::*;
    use std::string::ToString;

    const VIEW: View<'static> = View { name: "k1-ab12", networks: &[], failed: "" };

    fn ask(request: &str, body: &[u8]) -> (String, Option<Choice>) {
        let Parsed::Head(head, _) = head::parse(request.as_bytes(), k1_http::limits::LAMP.head_bytes) else {
            panic!("{request}")
        };
        answer(&head, Some(body), &VIEW)
    }

    fn seen(ssid: &str, rssi_dbm: i8) -> Seen {
        Seen { ssid: ssid.try_into().unwrap(), rssi_dbm, locked: true }
    }

    #[test]
    fn a_browser_may_apply_the_style_and_no_other() {
        use base64::Engine as _;
        use sha2::Digest as _;
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(AROUND[1]));
        assert_eq!(hash, STYLE_HASH);
        let (said, _) = ask("GET / HTTP/1.1\r\nHost: k\r\n\r\n", b"");
        assert!(
            said.contains("style-src 'sha256-")
                && said.contains(&std::format!("<style>{}</style>", AROUND[1]))
        );
    }

    #[test]
    fn a_chosen_network_comes_through_and_its_password_is_not_shown() {
        let form = b"ssid=home&other=&password=never+shown%21";
        let (said, chosen) = ask("POST /join HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n", form);
        let chosen = chosen.unwrap();
        assert_eq!((&*chosen.ssid, &*chosen.password), ("home", "never shown!"));
        assert!(said.starts_with("HTTP/1.1 200") && said.contains("joins home") && !said.contains("never"));
        let (_, typed) =
            ask("POST /join HTTP/1.1\r\nHost: k\r\n\r\n", b"ssid=home&other=caf%C3%A9&password=");
        assert_eq!(typed.unwrap().ssid, "café");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let long = [&b"ssid="[..], &[b'x'; 33]].concat();
        for form in [
            &b""[..],
            b"ssid=",
            b"ssid=home&password=short",
            b"ssid=home&password=caf%C3%A9caf%C3%A9",
            b"ssid=%ff%fe",
            b"ssid=%4",
            b"ssid=%zz",
            &long,
        ] {
            let (said, chosen) = ask("POST /join HTTP/1.1\r\nHost: k\r\n\r\n", form);
            assert!(said.starts_with("HTTP/1.1 400") && chosen.is_none(), "{form:?}");
        }
    }

    #[test]
    fn another_page_cannot_choose() {
        let from = |origin: &str| {
            let request =
                std::format!("POST /join HTTP/1.1\r\nHost: 192.168.4.1\r\nOrigin: {origin}\r\n\r\n");
            ask(&request, b"ssid=home&password=")
        };
        for origin in ["http://evil.example", "http://192.168.4.1.evil.example", "http://192.168.4", "null"] {
            assert!(from(origin).1.is_none(), "{origin}");
        }
        assert!(from("http://192.168.4.1").1.is_some());
    }

    #[test]
    fn every_other_question_leads_to_the_page() {
        for path in ["/generate_204", "/hotspot-detect.html", "/join"] {
            let (said, _) = ask(&std::format!("GET {path} HTTP/1.1\r\nHost: captive.apple.com\r\n\r\n"), b"");
            assert!(said.starts_with("HTTP/1.1 302") && said.contains(PAGE), "{path}");
        }
    }

    #[test]
    fn the_page_shows_names_as_text() {
        let networks = [seen("<script>\"&'", -40)];
        let page = form(&View { networks: &networks, failed: "<b>", ..VIEW });
        assert!(page.contains("&lt;script&gt;&quot;&amp;&#39;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("could not join &lt;b&gt;"));
        let (said, _) = ask("GET / HTTP/1.1\r\nHost: k\r\n\r\n", b"");
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&std::format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn a_scan_keeps_the_strongest_once() {
        let mut scan = Scan::new();
        for i in 0..40_i32 {
            let name = (i % 20).to_string();
            take_in(&mut scan, seen(&name, (-90 + i) as i8));
        }
        take_in(&mut scan, seen("", -10));
        assert_eq!(scan.len(), MOST_SEEN);
        assert_eq!((&*scan[0].ssid, scan[0].rssi_dbm), ("19", -51));
        assert!(scan.windows(2).all(|w| w[0].rssi_dbm > w[1].rssi_dbm), "{scan:?}");
    }

    proptest! {
        #[test]
        fn any_form_is_borne(form in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(choice) = choice(&form) {
                prop_assert!(!choice.ssid.is_empty());
            }
        }

        #[test]
        fn any_network_comes_through_a_form(ssid in "[^\u{0}]{1,8}", password in "[ -~]{8,63}") {
            let coded = |text: &str| text.bytes().map(|b| std::format!("%{b:02X}")).collect::<String>();
            let form = std::format!("password={}&ssid={}", coded(&password), coded(&ssid));
            let chosen = choice(form.as_bytes()).unwrap();
            prop_assert_eq!((&*chosen.ssid, &*chosen.password), (&*ssid, &*password));
        }
    }
}
