//! The door for everything that comes over TCP: heads and bodies of requests, and frames of WebSockets.

use k1_http::body::Intake;
use k1_http::head::{Parsed, parse};
use k1_http::limits::{LAMP, SMALL_BODY};
use k1_http::rejection::Rejection;
use k1_http::websocket::{Inbox, Incoming, MOST_MESSAGE};

/// Any bytes as a request and its body, whole and cut in two, and as what a client sends on a WebSocket.
pub fn request(bytes: &[u8]) {
    match parse(bytes, LAMP.head_bytes) {
        Parsed::More => assert!(bytes.len() < LAMP.head_bytes),
        Parsed::Wrong(why) => assert!(matches!(why, Rejection::NotHttp | Rejection::HeadTooLarge)),
        Parsed::Head(head, length) => {
            let mut kept = [0; SMALL_BODY];
            let mut whole = Intake::new(head.framing, SMALL_BODY);
            let used = whole.feed(&bytes[length..], &mut kept);
            let mut cut = Intake::new(head.framing, SMALL_BODY);
            let (first, second) = bytes[length..].split_at((bytes.len() - length) / 2);
            let mut kept_cut = [0; SMALL_BODY];
            let halves = cut.feed(first, &mut kept_cut).and_then(|used| {
                if used < first.len() { Ok(used) } else { Ok(used + cut.feed(second, &mut kept_cut)?) }
            });
            assert_eq!(used, halves, "a cut changes nothing");
            if used.is_ok() {
                assert_eq!((whole.kept(), whole.verdict()), (cut.kept(), cut.verdict()));
                assert_eq!(kept[..whole.kept()], kept_cut[..cut.kept()]);
            }
        }
    }
    let mut inbox = Inbox::default();
    inbox.take(bytes);
    while let Some(message) = inbox.message() {
        match message {
            Incoming::Text(text) => assert!(text.len() <= MOST_MESSAGE),
            Incoming::Pong(payload) => assert!(payload.len() <= 125),
            Incoming::Nothing => {}
            Incoming::Close(close) => {
                // The client's own code, if it may be sent (RFC 6455, 7.4), or the server's.
                assert!(matches!(close.code, 1000..=1003 | 1007..=1014 | 3000..=4999));
                break;
            }
        }
    }
}
