//! The head of a request.

use super::body::Framing;
use crate::error::Refusal;

/// Longest head in bytes.
pub const MOST_HEAD: usize = 1_536;
const MOST_HEADERS: usize = 40;

/// The head of a request; everything of it that a lamp looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head<'a> {
    /// Method as it was sent.
    pub method: &'a str,
    /// Path without its query.
    pub path: &'a str,
    /// Query without its question mark.
    pub query: Option<&'a str>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`; one that is no text is "null".
    pub origin: Option<&'a str>,
    /// Token of `Authorization: Bearer`.
    pub bearer: Option<&'a str>,
    /// `If-None-Match`.
    pub known_tag: Option<&'a str>,
    /// `Sec-WebSocket-Key` of a request that is an upgrade to version 13.
    pub upgrade: Option<&'a str>,
    /// How the body comes.
    pub framing: Framing,
    /// True if the body waits for a word of ours.
    pub waits: bool,
    /// True if another request may follow on this connection.
    pub keep_alive: bool,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq)]
pub enum Parsed<'a> {
    /// Not yet a whole head.
    More,
    /// A head, and its length in bytes.
    Head(Head<'a>, usize),
    /// No head; after the refusal the connection ends.
    Wrong(Refusal),
}

/// Reads a head from the bytes that have come.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => match read(&request) {
            Ok(head) => Parsed::Head(head, length),
            Err(refusal) => Parsed::Wrong(refusal),
        },
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => Parsed::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Parsed::Wrong(Refusal::HeadTooLarge)
        }
        Err(_) => Parsed::Wrong(Refusal::NotHttp),
    }
}

fn read<'a>(request: &httparse::Request<'_, 'a>) -> Result<Head<'a>, Refusal> {
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Refusal::NotHttp);
    };
    // A proxy's form names the host twice; the part behind it is the path.
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut head = Head {
        method,
        path,
        query,
        host: None,
        origin: None,
        bearer: None,
        known_tag: None,
        upgrade: None,
        framing: Framing::Length(0),
        waits: false,
        keep_alive: version == 1,
    };
    let (mut key, mut is_upgrade, mut is_version) = (None, false, false);
    let (mut length, mut chunked) = (None, false);
    for header in request.headers.iter() {
        let text = core::str::from_utf8(header.value);
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let mut tokens = text.unwrap_or_default().split(',').map(str::trim);
        if is("host") {
            head.host = text.ok();
        } else if is("origin") {
            // One that is no text is no absent one: it is foreign.
            head.origin = Some(text.unwrap_or("null"));
        } else if is("authorization") {
            head.bearer = text.ok().and_then(|t| t.strip_prefix("Bearer "));
        } else if is("if-none-match") {
            head.known_tag = text.ok();
        } else if is("connection") {
            for token in tokens {
                head.keep_alive &= !token.eq_ignore_ascii_case("close");
            }
        } else if is("expect") {
            head.waits = text.is_ok_and(|t| t.eq_ignore_ascii_case("100-continue"));
        } else if is("upgrade") {
            is_upgrade = tokens.any(|t| t.eq_ignore_ascii_case("websocket"));
        } else if is("sec-websocket-version") {
            is_version = text == Ok("13");
        } else if is("sec-websocket-key") {
            key = text.ok().filter(|k| k.len() == 24);
        } else if is("content-length") {
            let n = text.ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
            // A number too large for 64 bits is too large.
            let n =
                n.filter(|t| !t.is_empty()).map(|t| t.parse().unwrap_or(u64::MAX)).ok_or(Refusal::NotHttp)?;
            if length.is_some_and(|l| l != n) {
                return Err(Refusal::NotHttp);
            }
            length = Some(n);
        } else if is("transfer-encoding") {
            if text.map(|t| t.eq_ignore_ascii_case("chunked")) != Ok(true) {
                return Err(Refusal::NotHttp);
            }
            chunked = true;
        }
    }
    head.framing = match (length, chunked) {
        // Both at once is how requests are smuggled (RFC 9112, 6.1).
        (Some(_), true) => return Err(Refusal::NotHttp),
        (None, true) => Framing::Chunked,
        (length, false) => Framing::Length(length.unwrap_or(0)),
    };
    if is_upgrade && is_version {
        head.upgrade = key;
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head<'_> {
        match parse(text.as_bytes()) {
            Parsed::Head(head, length) => {
                assert_eq!(length, text.len());
                head
            }
            other => panic!("{other:?} in {text}"),
        }
    }

    #[test]
    fn a_head_says_what_a_lamp_wants_to_know() {
        let h = head(
            "POST /api/params?token=x HTTP/1.1\r\nHost: k1.local\r\nOrigin: http://k1.local\r\nContent-Length: 7\r\n\
             Authorization: Bearer abc\r\nConnection: close\r\n\r\n",
        );
        assert_eq!((h.method, h.path, h.query), ("POST", "/api/params", Some("token=x")));
        assert_eq!((h.host, h.origin, h.bearer), (Some("k1.local"), Some("http://k1.local"), Some("abc")));
        assert_eq!((h.framing, h.keep_alive, h.upgrade), (Framing::Length(7), false, None));
        assert!(head("GET / HTTP/1.1\r\n\r\n").keep_alive);
        assert!(!head("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert_eq!(head("GET http://evil.example/x HTTP/1.1\r\n\r\n").path, "/x");
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let h = format!(
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        assert_eq!(head(&h).upgrade, Some(key));
    }

    #[test]
    fn what_is_no_head_is_told_and_what_is_half_a_head_waits() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: a"), Parsed::More);
        assert_eq!(parse(b""), Parsed::More);
        for wrong in [
            "\u{16}\u{3}\u{1}xxxx",
            "GET / HTTP/9.9\r\n\r\n",
            "GET\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ] {
            assert_eq!(parse(wrong.as_bytes()), Parsed::Wrong(Refusal::NotHttp), "{wrong}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST_HEAD));
        assert_eq!(parse(long.as_bytes()), Parsed::Wrong(Refusal::HeadTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(60));
        assert_eq!(parse(many.as_bytes()), Parsed::Wrong(Refusal::HeadTooLarge));
    }
}
