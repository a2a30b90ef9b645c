//! Requests that the door refuses, both as the lamp reads them (from bytes) and as the program does (behind a server).

use std::net::{IpAddr, Ipv4Addr};

use k1_device::respond::Answer;
use k1_device::routes::{self, Action};
use k1_http::admission::{Admission, streamed_length};
use k1_http::body::{Framing, Intake};
use k1_http::etag::Tag;
use k1_http::head::{Head, Parsed, parse};
use k1_http::limits::{LAMP, Patience};
use k1_http::names::Names;
use k1_http::rejection::Rejection;
use k1_http::route::File;
use k1_sim::refused::{NOT_HTTP, REFUSED, Refused};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
static FILES: [File; 2] = [
    File { path: "/", media_type: "text/html", tag: Tag(1), content: b"<p>", packed: false },
    File { path: "/app.js", media_type: "text/javascript", tag: Tag(2), content: b"", packed: false },
];

fn admission(token: Option<&str>) -> Admission<Action, 8, 4> {
    Admission::new(routes::site(&FILES), Names::LOCAL, token.map(Into::into))
}

/// The reason for which a request is refused, decided from its bytes.
fn from_bytes(bytes: &[u8], token: Option<&str>) -> Result<(), Rejection> {
    let (head, length) = match parse(bytes, LAMP.head_bytes) {
        Parsed::Head(head, length) => (head, length),
        Parsed::Wrong(rejection) => return Err(rejection),
        Parsed::More => {
            let Patience::Reject(rejection) = LAMP.for_head(true, false, 0, LAMP.head_ms) else { panic!() };
            return Err(rejection);
        }
    };
    let judged = admission(token).judge(CLIENT, &head, 0);
    let mut intake = Intake::new(head.framing, judged.max_body());
    let mut keep = vec![0; judged.max_body()];
    let taken = intake.feed(&bytes[length..], &mut keep);
    judged.result?;
    taken?;
    intake.verdict()?;
    match LAMP.for_body(0, LAMP.body_ms) {
        Patience::Reject(rejection) if !intake.is_done() => Err(rejection),
        _ => Ok(()),
    }
}

/// The same for a request whose head a server has parsed; the server reads the bodies.
fn behind_a_server(text: &str, token: Option<&str>) -> Result<(), Rejection> {
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let fields = lines.map(|l| l.split_once(':').unwrap()).map(|(n, v)| (n, v.trim().as_bytes()));
    let head = Head::of(method, path, query, true, fields)?;
    admission(token).judge(CLIENT, &head, 0).result.map(drop)
}

#[test]
fn both_ways_in_refuse_the_same() {
    for (Refused { request, needs_token, status, rejection }, reaches_the_door) in
        REFUSED.map(|r| (r, true)).into_iter().chain(NOT_HTTP.map(|r| (r, false)))
    {
        let token = needs_token.then_some("a-token-of-tests-1");
        let request = request.replace("{host}", "k1.local");
        assert_eq!(from_bytes(request.as_bytes(), token), Err(rejection), "{request}");
        assert_eq!(rejection.status(), status, "{request}");
        // A server parses bodies itself.
        let is_of_the_body = matches!(rejection, Rejection::TooLarge { .. } | Rejection::BodyLate)
            || request.contains("chunked\r\n\r\nzz");
        if reaches_the_door && !is_of_the_body {
            assert_eq!(behind_a_server(&request, token), Err(rejection), "{request}");
        }
        let answer = Answer::refusal(rejection.into(), 7);
        let mut text = String::new();
        answer.write_head(&mut text, false).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.contains("x-content-type-options: nosniff\r\n"), "{text}");
        let body: serde_json::Value = serde_json::from_slice(&answer.into_body()).unwrap();
        assert_eq!((&body["error"], &body["status"]), (&rejection.code().into(), &status.into()));
        assert_eq!(body["message"], rejection.to_string());
    }
}

#[test]
fn whoever_is_let_in_is_let_in_both_ways() {
    for (request, token) in [
        ("GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n", None),
        ("GET /?x HTTP/1.1\r\nHost: {host}\r\n\r\n", Some("a-token-of-tests-1")),
        ("OPTIONS /api/nothing HTTP/1.1\r\nHost: {host}\r\n\r\n", Some("a-token-of-tests-1")),
        (
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: bearer a-token-of-tests-1\r\n\r\n",
            Some("a-token-of-tests-1"),
        ),
        (
            "GET /metrics?token=a-token-of-tests-1 HTTP/1.1\r\nHost: {host}\r\n\r\n",
            Some("a-token-of-tests-1"),
        ),
        // The page's scripts are sent to every client, because they are not secret.
        ("GET /app.js HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n", None),
    ] {
        let request = request.replace("{host}", "192.168.1.4:80");
        assert_eq!(from_bytes(request.as_bytes(), token), Ok(()), "{request}");
        assert_eq!(behind_a_server(&request, token), Ok(()), "{request}");
    }
}

#[test]
fn what_is_too_long_late_or_without_length_is_refused() {
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(LAMP.head_bytes));
    assert_eq!(from_bytes(long.as_bytes(), None), Err(Rejection::HeadTooLarge));
    assert_eq!(from_bytes(b"GET / HTTP/1.1\r\nHost: k1.local\r\n", None), Err(Rejection::HeadLate));
    let max = routes::MOST_FIRMWARE;
    assert_eq!(streamed_length(Framing::Chunked, max), Err(Rejection::LengthRequired));
    assert_eq!(streamed_length(Framing::Length(0), max), Err(Rejection::LengthRequired));
    assert_eq!(streamed_length(Framing::Length(max as u64 + 1), max), Err(Rejection::TooLarge { max }));
    assert_eq!(streamed_length(Framing::Length(u64::MAX), max), Err(Rejection::TooLarge { max }));
    assert_eq!(streamed_length(Framing::Length(max as u64), max), Ok(max as u32));
}

#[test]
fn wrong_tokens_are_slowed_down_and_the_right_one_is_not() {
    let mut admission = admission(Some("a-token-of-tests-1"));
    let mut ask = |token: &str, now_ms| {
        let text =
            format!("GET /metrics HTTP/1.1\r\nHost: k1.local\r\nAuthorization: Bearer {token}\r\n\r\n");
        let Parsed::Head(head, _) = parse(text.as_bytes(), LAMP.head_bytes) else { panic!("{text}") };
        let judged = admission.judge(CLIENT, &head, now_ms);
        (judged.result.map(drop), judged.is_trusted, judged.begins_burst)
    };
    for i in 0..8 {
        assert_eq!(ask(&format!("guess-{i}"), 1_000), (Err(Rejection::Unauthorized), false, i == 0));
    }
    let slowed = (Err(Rejection::TooManyGuesses { wait_ms: 1_000 }), false, false);
    assert_eq!(ask("guess-8", 1_000), slowed);
    assert_eq!(ask("a-token-of-tests-1", 1_000), (Ok(()), true, false), "from the same address");
    assert_eq!(
        ask("a-token-of-tests-1", 1_010).0,
        Err(Rejection::RateLimited { window_ms: 250, wait_ms: 240 })
    );
    assert_eq!(admission.ended_burst(12_000).map(|b| b.count), Some(9));
}
