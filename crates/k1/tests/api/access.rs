//! Access: requests with the token are let in, requests from other sites' pages are not.

use std::path::Path;

use crate::k1::{K1, program};
use crate::raw::{Raw, accepted, exchange};

/// The token in these tests.
pub const SECRET: &str = "k1-secret-of-tests";

/// Sends a request over a new connection, with these header lines.
#[track_caller]
fn ask(k1: &K1, request: &str, lines: &[String]) -> Raw {
    let first = format!("{request} HTTP/1.1");
    let token = k1.token.as_ref().map(|t| format!("Authorization: Bearer {t}"));
    let lines: Vec<_> = std::iter::once(&first).chain(lines).chain(&token).map(String::as_str).collect();
    exchange(&mut k1.connect(), &lines, b"")
}

/// The header lines that turn a request into a WebSocket.
pub const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[test]
fn another_sites_page_is_kept_out() {
    let k1 = K1::get_one();
    let host = format!("Host: {}", k1.host);
    let port = k1.address().port();
    let sockets = ["GET /ws", "GET /api/v1/live"];
    let foreign_origins = [
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://{}.evil.example", k1.host),
        "null".into(),
        format!("http://{}1", k1.host),
        "file://".into(),
        String::new(),
        format!("http://ev\u{ef}l.example:{port}"),
    ];
    for origin in &foreign_origins {
        let lines = [host.clone(), format!("Origin: {origin}")];
        for request in ["GET /api/params", "POST /api/reset", "GET /", "OPTIONS /api/params"] {
            let raw = ask(&k1, request, &lines);
            raw.answer().refused(403, "forbidden");
            assert_eq!(raw.header("access-control-allow-origin"), None);
        }
        for request in sockets {
            let lines: Vec<_> = lines.iter().cloned().chain(UPGRADE.map(String::from)).collect();
            ask(&k1, request, &lines).answer().refused(403, "forbidden");
        }
    }
    // A name that a foreign name server resolves to this address (DNS rebinding).
    let foreign_hosts = [
        format!("evil.example:{port}"),
        "evil.example".into(),
        format!("127.0.0.1.nip.io:{port}"),
        "k1.local.evil.example".into(),
        String::new(),
    ];
    for name in &foreign_hosts {
        // Such a page comes from that origin, so its origin and host agree.
        for lines in
            [vec![format!("Host: {name}")], vec![format!("Host: {name}"), format!("Origin: http://{name}")]]
        {
            for request in ["GET /api/params", "POST /api/reset", "GET /"] {
                ask(&k1, request, &lines).answer().refused(403, "forbidden");
            }
            for request in sockets {
                let lines: Vec<_> = lines.iter().cloned().chain(UPGRADE.map(String::from)).collect();
                ask(&k1, request, &lines).answer().refused(403, "forbidden");
            }
        }
    }
    for name in [format!("localhost:{port}"), "127.0.0.1".into(), "[::1]:80".into()] {
        assert_eq!(ask(&k1, "GET /api/nothing", &[format!("Host: {name}")]).status, 404, "{name}");
    }
    // Names that a neighbour could claim are accepted only if a token is required, too.
    let expected = if k1.token.is_some() { 404 } else { 403 };
    for name in ["k1-a3f0.local", "192.168.1.7", "pi", "pi.lan:80", "pi.fritz.box"] {
        assert_eq!(ask(&k1, "GET /api/nothing", &[format!("Host: {name}")]).status, expected, "{name}");
    }
}

#[test]
fn its_own_page_may_ask() {
    let k1 = K1::get_one();
    let host = format!("Host: {}", k1.host);
    let origin = format!("http://{}", k1.host);
    let own = [host.clone(), format!("Origin: {origin}")];
    let preflight = "Access-Control-Request-Method: POST".to_owned();
    for request in
        ["OPTIONS /api/params", "OPTIONS /api/nothing", "GET /api/params", "GET /api/nothing", "GET /"]
    {
        let raw = accepted(|| ask(&k1, request, &[own[0].clone(), own[1].clone(), preflight.clone()]));
        let expected = match request {
            _ if request.starts_with("OPTIONS") => 204,
            "GET /api/nothing" => 404,
            _ => 200,
        };
        assert_eq!(raw.status, expected, "{request}");
        assert_eq!(raw.header("access-control-allow-origin"), Some(origin.as_str()), "{request}");
        assert_eq!(
            raw.header("access-control-allow-methods"),
            Some("GET, POST, PUT, DELETE, OPTIONS"),
            "{request}"
        );
        assert!(raw.header("access-control-allow-headers").is_some_and(|h| h.contains("Content-Type")));
        assert_ne!(raw.header("access-control-allow-credentials"), Some("true"));
    }
    // A client that is not a page needs no CORS permission, and K1 never allows all origins.
    for request in ["GET /api/test-connection", "OPTIONS /api/params", "GET /"] {
        let raw = ask(&k1, request, std::slice::from_ref(&host));
        assert_eq!(raw.header("access-control-allow-origin"), None, "{request}");
    }
    let page = ask(&k1, "GET /", std::slice::from_ref(&host));
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    assert!(page.header("content-security-policy").is_some_and(|p| p.contains("frame-ancestors 'none'")));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let tag = format!("If-None-Match: {}", page.header("etag").unwrap());
    let again = ask(&k1, "GET /", &[host, tag]);
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn the_token_opens_the_door() {
    let options = ["--listen", "0.0.0.0:0", "--token", SECRET];
    let Some(mut k1) = K1::start_here(&options) else { return };
    k1.token = None;
    let with = |more: &[&str]| {
        let lines: Vec<_> =
            [format!("Host: {}", k1.host)].into_iter().chain(more.iter().map(|m| m.to_string())).collect();
        move |request: &str| (request.to_owned(), lines.clone())
    };
    let status = |(request, lines): (String, Vec<String>)| ask(&k1, &request, &lines).status;
    let none = with(&[]);
    let right = with(&[&format!("Authorization: Bearer {SECRET}")]);
    for route in &k1_device::routes::ROUTES {
        let request = format!("{} {}", route.method.name(), route.path);
        let (request, lines) = none(&request);
        ask(&k1, &request, &lines).answer().refused(401, "unauthorized");
        assert_ne!(status(right(&request)), 401, "{request}");
    }
    let wrong = [
        "Bearer wrong",
        &format!("Bearer {}", &SECRET[..SECRET.len() - 1]),
        &format!("Bearer {SECRET}1"),
        "Bearer",
        "Bearer ",
        "bearer",
        "Basic c2VjcmV0",
        SECRET,
        &format!("Bearer {}", SECRET.to_uppercase()),
    ];
    for wrong in wrong {
        let header = format!("Authorization: {wrong}");
        assert_eq!(status(with(&[&header])("GET /api/v1/status")), 401, "{wrong}");
    }
    assert_eq!(status(none("GET /api/nothing")), 401, "who may not ask is not told what is there");
    // The page itself asks for the token, so it is served without one.
    let page = ask(&k1, "GET /", &none("").1);
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with(b"<!doctype html>") || page.body.starts_with(b"<!DOCTYPE html>"));
    assert!(!String::from_utf8_lossy(&page.body).contains(SECRET));
    assert_eq!(status(none("GET /app.js")), 200);

    for path in ["/ws", "/api/v1/live"] {
        let near = ["?tok=", "?xtoken="].map(|name| format!("{name}{SECRET}"));
        for query in ["", "?token=", "?token=wrong", &near[0], &format!("?token={SECRET}x"), &near[1]] {
            assert_eq!(k1.try_socket(&format!("{path}{query}")).err(), Some(401), "{path}{query}");
        }
        let mut socket = k1.try_socket(&format!("{path}?token={SECRET}")).ok().unwrap();
        socket.wait_for("a greeting", |m| m["hello"].is_object() || m["type"] == "welcome");
    }
    k1.lives();
}

/// The program's folder of settings, and its output with these arguments.
fn said(settings: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> std::process::Output {
    let mut command = program();
    command.args(arguments).env("XDG_CONFIG_HOME", settings).envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn a_token_is_made_once_kept_and_not_told_to_a_log() {
    if std::env::var_os("K1_API_BASE").is_some() {
        return;
    }
    let settings = tempfile::tempdir().unwrap();
    let run = ["run", "demo", "--listen", "0.0.0.0:0", "--duration", "0.5"];
    let first = said(settings.path(), &run, &[]);
    let kept = std::fs::read_to_string(settings.path().join("k1/token")).unwrap();
    let token = kept.trim();
    assert!(token.len() == 16 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    let again = said(settings.path(), &run, &[]);
    assert_eq!(std::fs::read_to_string(settings.path().join("k1/token")).unwrap(), kept, "it lasts");
    for out in [first, again] {
        let printed = format!("{out:?}");
        assert!(out.status.success() && !printed.contains(token), "{printed}");
        assert!(printed.contains("k1 token"), "it says how to get it: {printed}");
    }
    assert_eq!(String::from_utf8(said(settings.path(), &["token"], &[]).stdout).unwrap().trim(), token);
    let new = String::from_utf8(said(settings.path(), &["token", "--new"], &[]).stdout).unwrap();
    assert_ne!(new.trim(), token);
    // A home folder in which nothing can be kept.
    std::fs::write(settings.path().join("file"), "").unwrap();
    let out = said(&settings.path().join("file"), &run, &[]);
    assert!(out.status.success() && format!("{out:?}").contains("this run only"), "{out:?}");
    let out = said(&settings.path().join("file"), &["token"], &[]);
    assert!(!out.status.success() && format!("{out:?}").contains("no token to print"), "{out:?}");
    // If the token comes from elsewhere, K1 neither makes nor keeps one.
    let empty = tempfile::tempdir().unwrap();
    let file = settings.path().join("k1-token");
    std::fs::write(&file, "from-a-file-12\n").unwrap();
    for (more, variables) in [
        (vec![], vec![("K1_TOKEN", "from-variable-12")]),
        (vec![], vec![("CREDENTIALS_DIRECTORY", settings.path().to_str().unwrap())]),
        (vec!["--token-file", file.to_str().unwrap()], vec![]),
    ] {
        let all: Vec<_> = run.iter().copied().chain(more).collect();
        let out = said(empty.path(), &all, &variables);
        assert!(out.status.success(), "{out:?}");
        assert!(!empty.path().join("k1/token").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_journal_gets_neither_token_nor_code() {
    use std::os::linux::fs::MetadataExt;
    let settings = tempfile::tempdir().unwrap();
    let run = |is_journal: bool| {
        let path = settings.path().join("out");
        let out = std::fs::File::create(&path).unwrap();
        let meta = out.metadata().unwrap();
        let mut command = program();
        command.args(["run", "demo", "--listen", "0.0.0.0:0", "--duration", "0.3"]);
        command.env("XDG_CONFIG_HOME", settings.path()).env_remove("JOURNAL_STREAM").stdout(out);
        if is_journal {
            command.env("JOURNAL_STREAM", format!("{}:{}", meta.st_dev(), meta.st_ino()));
        }
        assert!(command.status().unwrap().success());
        std::fs::read_to_string(path).unwrap()
    };
    let (log, journal) = (run(false), run(true));
    let token = std::fs::read_to_string(settings.path().join("k1/token")).unwrap();
    assert!(!log.contains(token.trim()) && !journal.contains(token.trim()) && !journal.contains('▀'));
    // If others can reach this machine, output to a file has a code with the address alone.
    assert_eq!(log.contains('▀'), !log.contains("No other machine"), "{log}");
}

#[test]
fn a_token_that_cannot_travel_or_is_guessed_easily_is_refused() {
    if std::env::var_os("K1_API_BASE").is_some() {
        return;
    }
    let settings = tempfile::tempdir().unwrap();
    for token in ["", "a b", "a&b", "sécret", "a%62", "x", "secret", "12345678", "aaaaaaaaaaaaaaaa"] {
        let run = ["run", "demo", "--listen", "0.0.0.0:0", "--duration", "1"];
        let option: Vec<_> = run.iter().copied().chain(["--token", token]).collect();
        for out in [said(settings.path(), &option, &[]), said(settings.path(), &run, &[("K1_TOKEN", token)])]
        {
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(!out.status.success(), "{token:?}");
            assert!(said.contains("token") && said.lines().count() == 1, "{token:?}: {said}");
        }
    }
}

#[test]
fn who_guesses_waits_is_told_of_and_keeps_nobody_out() {
    let options = ["--listen", "127.0.0.1:0", "--token", SECRET];
    let Some(k1) = K1::start_here(&options) else { return };
    let mut stream = k1.connect();
    let mut guess = |i: usize| {
        let lines = [
            "GET /api/v1/status HTTP/1.1".to_owned(),
            format!("Host: {}", k1.host),
            format!("Authorization: Bearer guess-{i}"),
        ];
        exchange(&mut stream, &lines.each_ref().map(String::as_str), b"")
    };
    let mut refused = 0;
    for i in 0..20 {
        let raw = guess(i);
        if raw.status == 429 {
            raw.answer().refused(429, "too_many_guesses");
            let header = |name: &str| raw.header(name).and_then(|v| v.parse::<u32>().ok()).expect(name);
            assert!((1..=30).contains(&header("retry-after")));
            assert!((1..=30_000).contains(&header("x-ratelimit-nextallowedms")));
            refused += 1;
        } else {
            raw.answer().refused(401, "unauthorized");
        }
    }
    assert!(refused >= 10, "{refused} of 20 guesses were told to wait");
    // The owner is let in at once, even from the same address.
    k1.get("/api/v1/status").ok();
    k1.socket("/api/v1/live").wait_for("a greeting", |m| m["hello"].is_object());
    let began = std::time::Instant::now();
    while !k1.said().contains("20 wrong tokens came from 127.0.0.1") {
        assert!(began.elapsed().as_secs() < 60, "{}", k1.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(k1.said().matches("a wrong token came from 127.0.0.1").count(), 1, "{}", k1.said());
}

/// Sends a request with this `Host` and `Origin`, and with the token if there is one.
fn named(k1: &K1, request: &str, host: &str, origin: Option<&str>) -> u16 {
    let mut lines = vec![format!("Host: {host}")];
    lines.extend(origin.map(|o| format!("Origin: {o}")));
    if request.contains("live") {
        lines.extend(UPGRADE.map(String::from));
    }
    ask(k1, request, &lines).status
}

#[test]
fn a_name_that_is_allowed_leads_in_through_a_proxy_too() {
    let options = ["--allow-host", "home.example.org", "--allow-host", "*.example.net"];
    let Some(k1) = K1::start_here(&options) else { return };
    for (host, origin) in [
        ("home.example.org", Some("http://home.example.org")),
        ("HOME.example.org:8443", Some("https://home.example.org:8443")),
        // As nginx forwards it by default.
        (k1.host.as_str(), Some("https://home.example.org")),
        ("k1.example.net", Some("https://k1.example.net")),
        ("a.b.example.net", None),
    ] {
        assert_eq!(named(&k1, "GET /api/nothing", host, origin), 404, "{host} {origin:?}");
        assert_eq!(named(&k1, "GET /api/v1/live", host, origin), 101, "{host} {origin:?}");
    }
    for (host, origin) in [
        ("example.org", None),
        ("home.example.org.evil.example", None),
        ("example.net", None),
        ("home.example.org", Some("https://evil.example")),
        (k1.host.as_str(), Some("https://example.org")),
        (k1.host.as_str(), Some("null")),
    ] {
        for request in ["GET /api/nothing", "POST /api/reset", "GET /", "GET /api/v1/live"] {
            assert_eq!(named(&k1, request, host, origin), 403, "{request} {host} {origin:?}");
        }
    }
    // The page's scripts are served, so that the page can show the error; other sites may not read them.
    let lines = [format!("Host: {}", k1.host), "Origin: https://evil.example".into()];
    let script = ask(&k1, "GET /app.js", &lines);
    assert_eq!((script.status, script.header("access-control-allow-origin")), (200, None));
    // Headers that anybody can send let nobody in.
    for forged in ["X-Forwarded-Host: localhost", "X-Forwarded-Proto: https", "Forwarded: host=localhost"] {
        let lines = ["Host: evil.example".to_owned(), forged.to_owned()];
        assert_eq!(ask(&k1, "GET /api/nothing", &lines).status, 403, "{forged}");
    }
    let out = program().args(["run", "--allow-host", "http://home.example.org/"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("home.example.org"), "{out:?}");
}

#[test]
fn with_a_token_the_names_of_the_home_lead_in() {
    let Some(k1) = K1::start_here(&["--listen", "0.0.0.0:0", "--token", SECRET]) else { return };
    for host in ["pi", "pi.local", "pi.lan", "pi.fritz.box:3330", "192.168.1.7", "[fd00::1]:80"] {
        let origin = format!("http://{host}");
        assert_eq!(named(&k1, "GET /api/nothing", host, Some(&origin)), 404, "{host}");
    }
    for host in ["pi.example", "a.pi.lan", "pi.box", "pi.lan.evil.example"] {
        assert_eq!(named(&k1, "GET /", host, None), 403, "{host}");
    }
}
