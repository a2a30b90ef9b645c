//! Requests that every K1 refuses, in the same way: the door alone, the program behind its server, and the lamp.

use k1_http::rejection::Rejection;

/// A request and its refusal.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// The request as it is sent. `{host}` stands for a name under which the K1 may be asked.
    pub request: &'static str,
    /// True if it is refused only by a K1 that has a token.
    pub needs_token: bool,
    /// Status of the answer.
    pub status: u16,
    /// The refusal.
    pub rejection: Rejection,
}

const fn row(request: &'static str, status: u16, rejection: Rejection) -> Refused {
    Refused { request, needs_token: false, status, rejection }
}

const fn guarded(request: &'static str) -> Refused {
    Refused { request, needs_token: true, status: 401, rejection: Rejection::Unauthorized }
}

/// Requests that a server hands on to the door.
pub const REFUSED: [Refused; 24] = [
    row("GET /api/params HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, Rejection::Forbidden),
    row("GET / HTTP/1.1\r\nHost: k1.local.evil.example\r\n\r\n", 403, Rejection::Forbidden),
    row("GET /api/params HTTP/1.1\r\n\r\n", 403, Rejection::Forbidden),
    row("OPTIONS /api/params HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\n\r\n", 403, Rejection::Forbidden),
    row(
        "POST /api/select HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
        403,
        Rejection::Forbidden,
    ),
    row(
        "GET /api/params HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: http://{host}\r\n\r\n",
        403,
        Rejection::Forbidden,
    ),
    row("GET /api/params HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", 400, Rejection::NotHttp),
    row("GET /api/nothing HTTP/1.1\r\nHost: {host}\r\n\r\n", 404, Rejection::NotFound),
    row("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n", 404, Rejection::NotFound),
    row(
        "PATCH /api/reset HTTP/1.1\r\nHost: {host}\r\n\r\n",
        405,
        Rejection::MethodNotAllowed { allow: "POST, OPTIONS" },
    ),
    row(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{}",
        405,
        Rejection::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" },
    ),
    row("GET /ws HTTP/1.1\r\nHost: {host}\r\n\r\n", 501, Rejection::NotWebSocket),
    row(
        "POST /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        405,
        Rejection::MethodNotAllowed { allow: "GET, OPTIONS" },
    ),
    row(
        "POST /api/v1/live HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{}",
        405,
        Rejection::MethodNotAllowed { allow: "GET, OPTIONS" },
    ),
    row(
        "GET /api/v1/live HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        501,
        Rejection::NotWebSocket,
    ),
    row(
        "GET /api/v1/live HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        426,
        Rejection::WebSocketVersion,
    ),
    row(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
        400,
        Rejection::WebSocketKey,
    ),
    row(
        "POST /api/params HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9999999999\r\n\r\n",
        413,
        Rejection::TooLarge { max: 2_048 },
    ),
    row(
        "POST /api/config/restore HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
        Rejection::NotHttp,
    ),
    row(
        "POST /api/audio-config HTTP/1.1\r\nHost: {host}\r\nContent-Length: 20\r\n\r\n{\"gain\"",
        408,
        Rejection::BodyLate,
    ),
    guarded("GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    guarded("GET /api/nothing HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer\r\n\r\n"),
    guarded("GET /metrics?token=wrong HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    guarded("GET /ws HTTP/1.1\r\nHost: {host}\r\n\r\n"),
];

/// What the program's server refuses before the door sees it, in its own words.
pub const NOT_HTTP: [Refused; 6] = [
    row("\u{16}\u{3}\u{1}xxxx\r\n\r\n", 400, Rejection::NotHttp),
    row("GET / HTTP/9.9\r\n\r\n", 400, Rejection::NotHttp),
    row("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n", 400, Rejection::NotHttp),
    row(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\n",
        400,
        Rejection::NotHttp,
    ),
    row(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        Rejection::NotHttp,
    ),
    row(
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        400,
        Rejection::NotHttp,
    ),
];
