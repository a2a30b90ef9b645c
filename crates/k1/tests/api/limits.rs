//! Limits: intervals, sizes and methods.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use k1_device::routes::{Action, Method, ROUTES, Route};

use crate::host::Host;
use crate::k1::{K1, PATIENCE};
use crate::raw::{Raw, accepted, exchange, read, say};

/// The head of a request from this client.
fn head(k1: &K1, request: &str) -> Vec<String> {
    let mut lines = vec![format!("{request} HTTP/1.1"), format!("Host: {}", k1.host)];
    lines.extend(k1.token.iter().map(|t| format!("Authorization: Bearer {t}")));
    lines
}

/// A connection that stays open for as long as the answers allow, because a lamp has few places.
struct Line<'a> {
    k1: &'a K1,
    open: fn(&K1) -> TcpStream,
    stream: Option<TcpStream>,
}

impl<'a> Line<'a> {
    fn to(k1: &'a K1) -> Self {
        Self { k1, open: K1::connect, stream: None }
    }

    #[track_caller]
    fn ask(&mut self, request: &str, more: &[&str], body: &[u8]) -> Raw {
        let head = head(self.k1, request);
        let lines: Vec<_> = head.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let raw = exchange(self.stream(), &lines, body);
        if raw.header("connection") == Some("close") {
            self.stream = None;
        }
        raw
    }

    fn stream(&mut self) -> &mut TcpStream {
        self.stream.get_or_insert_with(|| (self.open)(self.k1))
    }
}

/// Routes that a test may request. Firmware and routes that take a path's name are excluded, as are routes that restart a
/// lamp and would end the test.
fn is_harmless(route: &&Route) -> bool {
    matches!(route.method, Method::Get | Method::Post)
        && !matches!(route.action, Action::RollBack | Action::Drill)
}

#[test]
fn the_same_again_is_too_soon_and_says_when() {
    let k1 = K1::get_one();
    let mut line = Line::to(&k1);
    for route in ROUTES.iter().filter(is_harmless) {
        let request = format!("{} {}", route.method.name(), route.path);
        let mut began = Instant::now();
        let first = accepted(|| {
            began = Instant::now();
            line.ask(&request, &["Content-Length: 2"], b"{}")
        });
        assert!(
            (first.status < 429 || first.status == 501) && first.header("x-ratelimit-window").is_none(),
            "{request}: {}",
            first.status
        );
        let second = line.ask(&request, &["Content-Length: 2"], b"{}");
        if began.elapsed() >= Duration::from_millis(route.interval_ms.into()) {
            continue;
        }
        second.answer().refused(429, "rate_limited");
        let number = |name: &str| second.header(name).and_then(|v| v.parse::<u32>().ok()).expect(name);
        assert_eq!(number("x-ratelimit-window"), route.interval_ms);
        assert!((1..=route.interval_ms).contains(&number("x-ratelimit-nextallowedms")));
    }
    // After the wait K1 answers again, and refusals do not make the wait longer. Measured by K1's own clock.
    sleep(Duration::from_millis(210));
    let mut ask = || line.ask("GET /api/test-connection", &[], b"");
    let time_ms = |raw: Raw| raw.answer().ok()["timestamp"].as_u64().expect("a time");
    let host = Host::watch();
    let (first, began) = (time_ms(accepted(&mut ask)), Instant::now());
    let waited_ms = loop {
        let raw = ask();
        if raw.status == 200 {
            break time_ms(raw) - first;
        }
        raw.answer().refused(429, "rate_limited");
        assert!(began.elapsed() < PATIENCE, "starved by its own refusals");
        sleep(Duration::from_millis(20));
    };
    host.asserts("api-answer-after-refusals", waited_ms < 450, || format!("after {waited_ms} ms"));
}

/// A connection from another address of this machine, if it has one.
fn try_other_address(k1: &K1) -> std::io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 2], 0).into())?;
        socket.connect(k1.address()).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

#[test]
fn one_client_does_not_starve_another() {
    let k1 = K1::get_one();
    // A virtual lamp sees all clients on this machine at the same address.
    let is_virtual = !k1.is_program() && k1.address().ip().is_loopback();
    let Some(stream) = (if is_virtual { None } else { try_other_address(&k1).ok() }) else {
        println!("there is one address only from which this K1 can be asked");
        return;
    };
    let mut one = Line::to(&k1);
    let mut other =
        Line { k1: &k1, open: |k1| try_other_address(k1).expect("as before"), stream: Some(stream) };
    for path in ["GET /api/palettes", "GET /api/config/backup", "GET /api/patterns"] {
        assert_eq!(accepted(|| one.ask(path, &[], b"")).status, 200, "{path}");
        assert_eq!(one.ask(path, &[], b"").status, 429, "{path}");
        assert_eq!(other.ask(path, &[], b"").status, 200, "{path}");
        assert_eq!(other.ask(path, &[], b"").status, 429, "{path}");
    }
}

#[test]
fn a_refusal_waits_until_the_client_has_spoken() {
    let k1 = K1::get_one();
    let mut stream = k1.connect();
    // K1 carries out the first and refuses the others, each before its body arrives. The connection stays in sync.
    let host = format!("Host: {}", k1.host);
    let requests = [
        (&host, "POST /api/params"),
        (&host, "POST /api/params"),
        (&host, "POST /api/patterns"),
        (&host, "POST /api/nothing"),
        (&"Host: evil.example".to_owned(), "POST /api/select"),
    ];
    let mut speak = |host: &str, request: &str| {
        let mut lines = head(&k1, request);
        lines[1] = host.to_owned();
        lines.push("Content-Length: 12".into());
        stream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).unwrap();
        sleep(Duration::from_millis(30));
        stream.write_all(b"{\"speed\": 1}").unwrap();
        read(&mut stream).expect("an answer")
    };
    let limit = ROUTES.iter().find(|r| r.path == "/api/params" && r.method == Method::Post).unwrap();
    let limit = Duration::from_millis(limit.interval_ms.into());
    let mut began = Instant::now();
    for ((host, request), status) in requests.into_iter().zip([200, 429, 405, 404, 403]) {
        let mut got = match status {
            200 => accepted(|| {
                began = Instant::now();
                speak(host, request)
            }),
            _ => speak(host, request),
        }
        .status;
        // If this machine delayed a request until the limit was over, K1 accepts it, and the next one is too early.
        while status == 429 && got == 200 && began.elapsed() > limit {
            began = Instant::now();
            got = speak(host, request).status;
        }
        assert_eq!(got, status, "{request}");
    }
}

#[test]
fn a_body_that_is_too_large_gets_one_answer() {
    let k1 = K1::get_one();
    for size in [2_049, 4_097, 70_000, 300_000] {
        sleep(Duration::from_millis(310));
        let body = vec![b' '; size];
        let mut lines = head(&k1, "POST /api/params");
        lines.push(format!("Content-Length: {size}"));
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let mut stream = None;
        let raw = accepted(|| exchange(stream.insert(k1.connect()), &lines, &body));
        raw.answer().refused(413, "payload_too_large");
        assert_eq!(raw.answer().body["max_size"], 2_048);
        // The connection then works as before or is closed; there is no second answer to the same request. (A path that
        // does not exist has no limit.)
        sleep(Duration::from_millis(210));
        let mut stream = stream.expect("a connection");
        let head = head(&k1, "GET /api/nothing");
        let lines: Vec<_> = head.iter().map(String::as_str).collect();
        if say(&mut stream, &lines, b"").is_ok()
            && let Some(next) = read(&mut stream)
        {
            next.answer().refused(404, "not_found");
        }
        k1.get("/api/test-connection").ok();
    }
    // The same in chunks without a stated total, and with a stated total that never arrives.
    sleep(Duration::from_millis(310));
    let mut chunks = Vec::new();
    for _ in 0..40 {
        chunks.extend(format!("64\r\n{}\r\n", " ".repeat(100)).bytes());
    }
    chunks.extend(b"0\r\n\r\n");
    let raw = accepted(|| Line::to(&k1).ask("POST /api/params", &["Transfer-Encoding: chunked"], &chunks));
    raw.answer().refused(413, "payload_too_large");
    let raw = accepted(|| Line::to(&k1).ask("POST /api/select", &["Content-Length: 9999999999"], b""));
    raw.answer().refused(413, "payload_too_large");
    // The limit is exact.
    let fits = format!("{{{}}}", " ".repeat(2_046));
    k1.post_text("/api/params", &fits).ok();
    k1.post_text("/api/params", &format!("{fits} ")).refused(413, "payload_too_large");
}

/// Requests that say everything without a body.
const WITHOUT_BODY: [&str; 3] = ["/api/v1/inputs/listen", "/api/reset", "/api/v1/lights/find"];

#[test]
fn a_request_without_a_body_is_answered() {
    let k1 = K1::get_one();
    let mut line = Line::to(&k1);
    for route in ROUTES.iter().filter(is_harmless).filter(|r| r.method == Method::Post) {
        for more in [&[][..], &["Content-Length: 0"]] {
            let (host, began) = (Host::watch(), Instant::now());
            let raw = line.ask(&format!("POST {}", route.path), more, b"");
            match raw.status {
                // At once, as far as an emulated lamp keeps time.
                429 => {
                    let is_soon = !k1.is_program() || began.elapsed() < Duration::from_millis(500);
                    host.asserts("api-refusal-is-soon", is_soon, || {
                        format!("{} is refused late", route.path)
                    });
                }
                200 => assert!(WITHOUT_BODY.contains(&route.path), "{}", route.path),
                501 => raw.answer().refused(501, "not_available"),
                // These need no body, but there are no scenes here.
                404 if route.path.ends_with("/recall") => raw.answer().refused(404, "scene_not_found"),
                409 if route.path.ends_with("/next") => raw.answer().refused(409, "busy"),
                _ => raw.answer().refused(400, "invalid_json"),
            }
        }
    }
    // A body that is stated but does not arrive is refused, too.
    sleep(Duration::from_millis(310));
    drop(line);
    let half = b"{\"warmth\":";
    let raw = accepted(|| Line::to(&k1).ask("POST /api/params", &["Content-Length: 20"], half));
    raw.answer().refused(408, "request_timeout");
    // A body with invalid chunks.
    sleep(Duration::from_millis(310));
    let invalid = b"zz\r\n{}\r\n";
    let raw = accepted(|| Line::to(&k1).ask("POST /api/params", &["Transfer-Encoding: chunked"], invalid));
    assert_eq!(raw.status, 400);
}

#[test]
fn no_second_request_hides_in_a_chunked_one() {
    let Some(k1) = K1::start_here(&["--listen", "127.0.0.1:0"]) else { return };
    let hidden = format!("GET /api/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n", k1.host);
    let length = format!("Content-Length: {}", 5 + hidden.len());
    let host = format!("Host: {}", k1.host);
    let chunked = "Transfer-Encoding: chunked";
    for lengths in [[&*length, chunked], [chunked, &*length]] {
        let mut stream = k1.connect();
        let head = ["GET /api/v1/status HTTP/1.1", &host, lengths[0], lengths[1]];
        let raw = exchange(&mut stream, &head, format!("0\r\n\r\n{hidden}").as_bytes());
        assert_eq!(raw.header("connection"), Some("close"));
        assert!(read(&mut stream).is_none(), "one answer and no second");
    }
}

#[test]
fn a_method_that_does_not_fit_is_named() {
    let k1 = K1::get_one();
    let mut line = Line::to(&k1);
    let cases = [
        ("POST /api/patterns", "GET, OPTIONS"),
        ("GET /api/select", "POST, OPTIONS"),
        ("PUT /api/params", "GET, POST, OPTIONS"),
        ("DELETE /api/config/backup", "GET, OPTIONS"),
        ("PATCH /api/reset", "POST, OPTIONS"),
        ("BREW /api/v1/status", "GET, OPTIONS"),
        ("POST /", "GET, HEAD, OPTIONS"),
    ];
    for (request, allowed) in cases {
        let raw = line.ask(request, &["Content-Length: 2"], b"{}");
        raw.answer().refused(405, "method_not_allowed");
        assert_eq!(raw.header("allow"), Some(allowed), "{request}");
    }
    assert_eq!(line.ask("PUT /api/nothing", &["Content-Length: 0"], b"").status, 404);
    // Requests that are sent without waiting are answered in order.
    let mut both = String::new();
    for path in ["/api/v1/params", "/api/nothing", "/api/test-connection"] {
        both += &head(&k1, &format!("GET {path}")).join("\r\n");
        both += "\r\n\r\n";
    }
    let stream = line.stream();
    stream.write_all(both.as_bytes()).unwrap();
    let statuses = [(); 3].map(|()| read(stream).unwrap().status);
    assert_eq!(statuses, [200, 404, 200]);
    let backup = accepted(|| line.ask("GET /api/config/backup", &[], b""));
    assert_eq!(backup.header("content-disposition"), Some("attachment; filename=\"k1-config-backup.json\""));
    assert_eq!(backup.header("content-type"), Some("application/json"));
}
