//! The head of a request.

use crate::body::Framing;
use crate::rejection::Rejection;
use crate::websocket;

/// Most header lines of a head.
const MOST_FIELDS: usize = 40;

/// The head of a request, as far as K1 uses it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head<'a> {
    /// Method as it was sent.
    pub method: &'a str,
    /// Path without its query.
    pub path: &'a str,
    /// Query without its question mark.
    pub query: Option<&'a str>,
    /// Value of `Host`.
    pub host: Option<&'a str>,
    /// Value of `Origin`; "null" if it is not UTF-8 or occurs twice.
    pub origin: Option<&'a str>,
    /// Token from `Authorization: Bearer`.
    pub bearer: Option<&'a str>,
    /// Value of `If-None-Match`.
    pub known_tag: Option<&'a str>,
    /// `Sec-WebSocket-Key` of a request for an upgrade to WebSocket, or what is wrong with its handshake.
    pub upgrade: Option<Result<&'a str, Rejection>>,
    /// How the body is framed.
    pub framing: Framing,
    /// True if the client sends the body only after `100 Continue`.
    pub waits: bool,
    /// True if another request may follow on this connection.
    pub keep_alive: bool,
}

/// Result of parsing the bytes that have arrived so far.
#[derive(Debug, PartialEq)]
pub enum Parsed<'a> {
    /// The head is not complete yet.
    More,
    /// A complete head, and its length in bytes.
    Head(Head<'a>, usize),
    /// The bytes are not a valid head; after the refusal the connection ends.
    Wrong(Rejection),
}

/// Reads a head of at most `most` bytes from the bytes that have arrived.
pub fn parse(bytes: &[u8], most: usize) -> Parsed<'_> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => match read(&request) {
            Ok(head) => Parsed::Head(head, length),
            Err(rejection) => Parsed::Wrong(rejection),
        },
        Ok(httparse::Status::Partial) if bytes.len() < most => Parsed::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Parsed::Wrong(Rejection::HeadTooLarge)
        }
        Err(_) => Parsed::Wrong(Rejection::NotHttp),
    }
}

fn read<'a>(request: &httparse::Request<'_, 'a>) -> Result<Head<'a>, Rejection> {
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Rejection::NotHttp);
    };
    // A request to a proxy repeats the host before the path.
    let target = match target.strip_prefix("http://").or_else(|| target.strip_prefix("https://")) {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Head::of(method, path, query, version == 1, request.headers.iter().map(|f| (f.name, f.value)))
}

impl<'a> Head<'a> {
    /// Reads the header lines of a request whose first line was already read.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotHttp`] for a request that two parsers could read in two ways.
    pub fn of(
        method: &'a str,
        path: &'a str,
        query: Option<&'a str>,
        is_1_1: bool,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, Rejection> {
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
            keep_alive: is_1_1,
        };
        let (mut key, mut is_websocket, mut is_upgrade, mut is_version) = (None, false, false, false);
        let (mut length, mut chunked) = (None, false);
        for (name, value) in fields {
            let text = core::str::from_utf8(value);
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let mut tokens = text.unwrap_or_default().split(',').map(str::trim);
            if is("host") {
                // With two `Host` lines a proxy and K1 might see different names (RFC 9112, 3.2).
                if head.host.is_some() {
                    return Err(Rejection::NotHttp);
                }
                head.host = Some(text.unwrap_or_default());
            } else if is("origin") {
                // An origin that is not UTF-8 counts as foreign, not as absent. So do two origins.
                head.origin = Some(if head.origin.is_none() { text.unwrap_or("null") } else { "null" });
            } else if is("authorization") {
                head.bearer = text.ok().and_then(bearer);
            } else if is("if-none-match") {
                head.known_tag = text.ok();
            } else if is("connection") {
                for token in tokens {
                    head.keep_alive &= !token.eq_ignore_ascii_case("close");
                    is_upgrade |= token.eq_ignore_ascii_case("upgrade");
                }
            } else if is("expect") {
                head.waits = text.is_ok_and(|t| t.eq_ignore_ascii_case("100-continue"));
            } else if is("upgrade") {
                is_websocket = tokens.any(|t| t.eq_ignore_ascii_case("websocket"));
            } else if is("sec-websocket-version") {
                is_version = text == Ok("13");
            } else if is("sec-websocket-key") {
                key = text.ok().filter(|k| websocket::is_key(k));
            } else if is("content-length") {
                let n = text.ok().filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
                // A number that does not fit into 64 bits exceeds every limit.
                let n = n.map(|t| t.parse().unwrap_or(u64::MAX)).ok_or(Rejection::NotHttp)?;
                if length.is_some_and(|l| l != n) {
                    return Err(Rejection::NotHttp);
                }
                length = Some(n);
            } else if is("transfer-encoding") {
                if text.map(|t| t.eq_ignore_ascii_case("chunked")) != Ok(true) {
                    return Err(Rejection::NotHttp);
                }
                chunked = true;
            }
        }
        head.framing = match (length, chunked) {
            // Requests are smuggled with both at once (RFC 9112, 6.1).
            (Some(_), true) => return Err(Rejection::NotHttp),
            (None, true) => Framing::Chunked,
            (length, false) => Framing::Length(length.unwrap_or(0)),
        };
        if is_websocket && is_upgrade {
            head.upgrade = Some(match is_version {
                true => key.ok_or(Rejection::WebSocketKey),
                false => Err(Rejection::WebSocketVersion),
            });
        }
        Ok(head)
    }
}

/// The token after `Bearer`, whose case does not matter (RFC 9110, 11.1).
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 1_536;

    fn head(text: &str) -> Head<'_> {
        match parse(text.as_bytes(), MOST) {
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
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\n\r\n"
        );
        assert_eq!(head(&h).upgrade, Some(Ok(key)));
        for (version, why) in [("Version: 8", "old"), ("Version: 130", "new"), ("X: x", "missing")] {
            let h = h.replace("Version: 13", version);
            assert_eq!(head(&h).upgrade, Some(Err(Rejection::WebSocketVersion)), "{why}");
        }
        for bad in ["", "c2hvcnQ=", "dGhlIHNhbXBsZSBub25jZSEh", "dGhlIHNhbXBsZSB?b25jZQ=="] {
            assert_eq!(head(&h.replace(key, bad)).upgrade, Some(Err(Rejection::WebSocketKey)), "{bad}");
        }
        for missing in ["Upgrade: websocket", ", Upgrade"] {
            assert_eq!(head(&h.replace(missing, "X: x")).upgrade, None, "{missing}");
        }
        assert_eq!(head("GET / HTTP/1.1\r\nAuthorization: bearer abc\r\n\r\n").bearer, Some("abc"));
        for none in ["abc", "Basic abc", "Bearer", "Bearerabc"] {
            assert_eq!(
                head(&format!("GET / HTTP/1.1\r\nAuthorization: {none}\r\n\r\n")).bearer,
                None,
                "{none}"
            );
        }
        let two = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n";
        assert_eq!(head(two).origin, Some("null"));
    }

    #[test]
    fn what_is_no_head_is_told_and_what_is_half_a_head_waits() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: a", MOST), Parsed::More);
        assert_eq!(parse(b"", MOST), Parsed::More);
        for wrong in [
            "\u{16}\u{3}\u{1}xxxx",
            "GET / HTTP/9.9\r\n\r\n",
            "GET\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: k1.local\r\nHost: evil.example\r\n\r\n",
        ] {
            assert_eq!(parse(wrong.as_bytes(), MOST), Parsed::Wrong(Rejection::NotHttp), "{wrong}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST));
        assert_eq!(parse(long.as_bytes(), MOST), Parsed::Wrong(Rejection::HeadTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(60));
        assert_eq!(parse(many.as_bytes(), MOST), Parsed::Wrong(Rejection::HeadTooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_none(bytes in prop::collection::vec(any::<u8>(), 0..MOST + 200)) {
            match parse(&bytes, MOST) {
                Parsed::More => prop_assert!(bytes.len() < MOST),
                Parsed::Head(_, length) => prop_assert!(length <= bytes.len()),
                Parsed::Wrong(why) => prop_assert!(matches!(why, Rejection::NotHttp | Rejection::HeadTooLarge)),
            }
        }

        #[test]
        fn a_head_is_the_same_wherever_it_is_cut(
            path in "/[a-z/]{0,20}", query in "[a-z=&]{0,12}", host in "[a-z.]{1,20}", length in 0_u64..100_000, cut in 0_usize..60,
        ) {
            let text = format!("POST {path}?{query} HTTP/1.1\r\nhOsT: {host}\r\nContent-Length: {length}\r\n\r\n");
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(parse(&text.as_bytes()[..cut], MOST), Parsed::More);
            let with_more = format!("{text}{{}}GET / HTTP/1.1\r\n\r\n");
            let Parsed::Head(head, used) = parse(with_more.as_bytes(), MOST) else { panic!("{text}") };
            prop_assert_eq!(used, text.len(), "the bytes after the head are left alone");
            prop_assert_eq!((head.path, head.query, head.host), (&*path, Some(&*query), Some(&*host)));
            prop_assert_eq!(head.framing, Framing::Length(length));
        }
    }
}
