//! The head of an answer: its status and its header lines. The program and the lamp write the same lines in the same
//! order.

use core::fmt::{self, Arguments, Write};

use crate::etag::Tag;
use crate::rejection::Rejection;
use crate::websocket;

/// The page may load nothing from other sites, and other pages may not show it in a frame.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'";
/// Media type of JSON answers.
pub const JSON: &str = "application/json";

/// What an answer contains.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Nothing: the answer to a preflight request.
    Nothing,
    /// A body of this media type.
    Of(&'static str),
    /// JSON that a browser saves as a file of this name.
    Attachment(&'static str),
    /// A file of the page.
    File {
        /// Media type.
        media_type: &'static str,
        /// Entity tag; it changes with the content.
        tag: Tag,
        /// True if the content is compressed with gzip.
        packed: bool,
    },
    /// A refusal.
    Rejected(Rejection),
    /// The connection becomes a WebSocket; the value is the key from the handshake.
    WebSocket(&'a str),
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerHead<'a> {
    /// HTTP status code.
    pub status: u16,
    /// What the answer contains.
    pub content: Content<'a>,
    /// Origin of the page that may read the answer.
    pub origin: Option<&'a str>,
}

impl AnswerHead<'_> {
    /// Passes the name and the value of every header line to `put`, except those that tell where the answer ends.
    ///
    /// # Errors
    ///
    /// The error of `put`.
    pub fn fields(&self, put: &mut dyn FnMut(&'static str, Arguments<'_>) -> fmt::Result) -> fmt::Result {
        match self.content {
            Content::Nothing => {}
            Content::Of(media_type) => put("content-type", format_args!("{media_type}"))?,
            Content::Attachment(name) => {
                put("content-type", format_args!("{JSON}"))?;
                put("content-disposition", format_args!("attachment; filename=\"{name}\""))?;
            }
            Content::File { media_type, tag, packed } => {
                put("content-type", format_args!("{media_type}"))?;
                put("etag", format_args!("{tag}"))?;
                put("cache-control", format_args!("no-cache"))?;
                if packed {
                    put("content-encoding", format_args!("gzip"))?;
                }
                put("content-security-policy", format_args!("{PAGE_POLICY}"))?;
            }
            Content::Rejected(rejection) => {
                put("content-type", format_args!("{JSON}"))?;
                match rejection {
                    Rejection::MethodNotAllowed { allow } => put("allow", format_args!("{allow}"))?,
                    Rejection::RateLimited { window_ms, wait_ms } => {
                        put("x-ratelimit-window", format_args!("{window_ms}"))?;
                        put("x-ratelimit-nextallowedms", format_args!("{wait_ms}"))?;
                    }
                    Rejection::TooManyGuesses { wait_ms } => {
                        put("retry-after", format_args!("{}", wait_ms.div_ceil(1000)))?;
                        put("x-ratelimit-nextallowedms", format_args!("{wait_ms}"))?;
                    }
                    Rejection::WebSocketVersion => {
                        put("upgrade", format_args!("websocket"))?;
                        put("connection", format_args!("Upgrade"))?;
                        put("sec-websocket-version", format_args!("13"))?;
                    }
                    _ => {}
                }
            }
            Content::WebSocket(key) => {
                put("upgrade", format_args!("websocket"))?;
                put("connection", format_args!("Upgrade"))?;
                return put("sec-websocket-accept", format_args!("{}", websocket::accept(key)));
            }
        }
        if let Some(origin) = self.origin {
            put("access-control-allow-origin", format_args!("{origin}"))?;
            put("access-control-allow-methods", format_args!("GET, POST, PUT, DELETE, OPTIONS"))?;
            put("access-control-allow-headers", format_args!("Content-Type, Authorization"))?;
        }
        put("x-content-type-options", format_args!("nosniff"))
    }

    /// Writes the head of an answer with a body of `length` bytes.
    ///
    /// # Errors
    ///
    /// The error of the writer.
    pub fn write(&self, w: &mut dyn Write, length: usize, keep_alive: bool) -> fmt::Result {
        write!(w, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        self.fields(&mut |name, value| write!(w, "{name}: {value}\r\n"))?;
        if !keep_alive && self.status != 101 {
            w.write_str("connection: close\r\n")?;
        }
        if self.has_body() {
            write!(w, "content-length: {length}\r\n")?;
        }
        w.write_str("\r\n")
    }

    /// False for an answer that never has a body (RFC 9110, 15).
    pub const fn has_body(&self) -> bool {
        !matches!(self.status, 101 | 204 | 304)
    }
}

/// The name of a status (RFC 9110).
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: Content, status: u16, origin: Option<&str>, keep_alive: bool) -> String {
        let mut text = String::new();
        AnswerHead { status, content, origin }.write(&mut text, 7, keep_alive).unwrap();
        text
    }

    #[test]
    fn heads_are_written_as_browsers_and_scripts_know_them() {
        assert_eq!(
            written(Content::Of(JSON), 200, Some("http://k1.local"), true),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\naccess-control-allow-origin: http://k1.local\r\n\
             access-control-allow-methods: GET, POST, PUT, DELETE, OPTIONS\r\n\
             access-control-allow-headers: Content-Type, Authorization\r\nx-content-type-options: nosniff\r\n\
             content-length: 7\r\n\r\n"
        );
        assert_eq!(
            written(Content::File { media_type: "text/css", tag: Tag(1), packed: true }, 304, None, false),
            "HTTP/1.1 304 Not Modified\r\ncontent-type: text/css\r\netag: \"0000000000000001\"\r\n\
             cache-control: no-cache\r\ncontent-encoding: gzip\r\n\
             content-security-policy: default-src 'self'; img-src 'self' data:; frame-ancestors 'none'\r\n\
             x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            written(Content::WebSocket("dGhlIHNhbXBsZSBub25jZQ=="), 101, Some("http://k1.local"), false),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
        assert_eq!(
            written(Content::Nothing, 204, None, true),
            "HTTP/1.1 204 No Content\r\nx-content-type-options: nosniff\r\n\r\n"
        );
    }

    #[test]
    fn a_refusal_tells_when_to_come_again() {
        let lines =
            |rejection: Rejection| written(Content::Rejected(rejection), rejection.status(), None, true);
        let soon = lines(Rejection::RateLimited { window_ms: 300, wait_ms: 120 });
        assert!(soon.contains("x-ratelimit-window: 300\r\nx-ratelimit-nextallowedms: 120\r\n"), "{soon}");
        let guessed = lines(Rejection::TooManyGuesses { wait_ms: 1_001 });
        assert!(guessed.contains("retry-after: 2\r\nx-ratelimit-nextallowedms: 1001\r\n"), "{guessed}");
        let method = lines(Rejection::MethodNotAllowed { allow: "GET, OPTIONS" });
        assert!(method.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{method}");
        assert!(method.contains("allow: GET, OPTIONS\r\n"), "{method}");
        let version = lines(Rejection::WebSocketVersion);
        assert!(version.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{version}");
        assert!(version.contains("sec-websocket-version: 13\r\n"), "{version}");
    }
}
