//! Every reason for which a request is refused, with its status, code and sentence.

use core::fmt;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The bytes are not an HTTP request, or the request can be read in two ways.
    NotHttp,
    /// The head of a request is too long.
    HeadTooLarge,
    /// The head of the request began but did not end in time.
    HeadLate,
    /// The body is larger than the path allows.
    TooLarge {
        /// Largest body in bytes.
        max: usize,
    },
    /// The body was announced but did not arrive in time.
    BodyLate,
    /// The path processes its body while it arrives and needs the length first.
    LengthRequired,
    /// The request names another host, or it comes from a page of another site.
    Forbidden,
    /// The request needs a token, and the token is missing or wrong.
    Unauthorized,
    /// Too many wrong tokens came from this client.
    TooManyGuesses {
        /// Milliseconds until K1 looks at the next guess.
        wait_ms: u32,
    },
    /// The path does not exist.
    NotFound,
    /// The path exists but does not take this method.
    MethodNotAllowed {
        /// The methods of the path, for `Allow`.
        allow: &'static str,
    },
    /// The path takes only WebSockets, and the request is not a WebSocket handshake.
    NotWebSocket,
    /// The WebSocket handshake names another version than 13, or none.
    WebSocketVersion,
    /// `Sec-WebSocket-Key` is missing or is not 16 bytes in base64.
    WebSocketKey,
    /// The same client sent the same request a moment ago.
    RateLimited {
        /// Milliseconds between two such requests.
        window_ms: u32,
        /// Milliseconds until the next one is allowed.
        wait_ms: u32,
    },
}

impl Rejection {
    /// Code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotHttp | Self::WebSocketKey => "bad_request",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadLate | Self::BodyLate => "request_timeout",
            Self::TooLarge { .. } => "payload_too_large",
            Self::LengthRequired => "length_required",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::TooManyGuesses { .. } => "too_many_guesses",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::NotWebSocket => "not_available",
            Self::WebSocketVersion => "upgrade_required",
            Self::RateLimited { .. } => "rate_limited",
        }
    }

    /// HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotHttp | Self::WebSocketKey => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::HeadLate | Self::BodyLate => 408,
            Self::LengthRequired => 411,
            Self::TooLarge { .. } => 413,
            Self::WebSocketVersion => 426,
            Self::RateLimited { .. } | Self::TooManyGuesses { .. } => 429,
            Self::HeadTooLarge => 431,
            Self::NotWebSocket => 501,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("this is not a valid HTTP/1.1 request"),
            Self::HeadTooLarge => {
                f.write_str("the head of the request is too long; send fewer or shorter header lines")
            }
            Self::HeadLate => f.write_str("the head of the request did not come in time; send it in one piece"),
            Self::TooLarge { max } => write!(f, "a body has at most {max} bytes here"),
            Self::BodyLate => f.write_str("the body was announced and did not come in time; send it again"),
            Self::LengthRequired => f.write_str("say how long the body is: Content-Length"),
            Self::Forbidden => f.write_str(
                "this K1 is not known by that name, or the page is another site's; open it by its address, or, if the \
                 name is yours, start the program k1 with --allow-host NAME",
            ),
            Self::Unauthorized => f.write_str(
                "this K1 needs its token: `Authorization: Bearer TOKEN`, or ?token=TOKEN on a WebSocket",
            ),
            Self::TooManyGuesses { wait_ms } => write!(
                f,
                "too many wrong tokens came from this address: try again in {} s",
                wait_ms.div_ceil(1000)
            ),
            Self::NotFound => f.write_str("there is no such path; /api/v1/openapi.json lists them"),
            Self::MethodNotAllowed { allow } => write!(f, "this path does not take that method; it takes {allow}"),
            Self::NotWebSocket => f.write_str("this path speaks WebSocket only; connect with ws://"),
            Self::WebSocketVersion => f.write_str("connect with version 13 of WebSocket"),
            Self::WebSocketKey => f.write_str("the handshake needs a Sec-WebSocket-Key: 16 bytes in base64"),
            Self::RateLimited { window_ms, wait_ms } => write!(
                f,
                "once every {window_ms} ms is enough; ask again in {wait_ms} ms, or use the WebSocket"
            ),
        }
    }
}

impl core::error::Error for Rejection {}
