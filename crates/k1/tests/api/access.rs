//! Who may ask: the token, and no other site's page.

use serde_json::Value;

use crate::judged;
use crate::k1::K1;
use crate::raw::{Raw, exchange};

/// One request over a connection of its own, with these lines after the first.
#[track_caller]
fn ask(k1: &K1, request: &str, lines: &[String]) -> Raw {
    let first = format!("{request} HTTP/1.1");
    let token = k1.token.as_ref().map(|t| format!("Authorization: Bearer {t}"));
    let lines: Vec<_> = std::iter::once(&first).chain(lines).chain(&token).map(String::as_str).collect();
    exchange(&mut k1.connect(), &lines, b"")
}

/// What turns a request into a WebSocket.
pub const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[test]
fn another_sites_page_is_kept_out() {
    judged(|| {
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
        // A name that a foreign server made to mean this address.
        let foreign_hosts = [
            format!("evil.example:{port}"),
            "evil.example".into(),
            format!("127.0.0.1.nip.io:{port}"),
            "k1.local.evil.example".into(),
            String::new(),
        ];
        for name in &foreign_hosts {
            // Such a page is of that origin, so that its origin and host agree.
            for lines in [
                vec![format!("Host: {name}")],
                vec![format!("Host: {name}"), format!("Origin: http://{name}")],
            ] {
                for request in ["GET /api/params", "POST /api/reset", "GET /"] {
                    ask(&k1, request, &lines).answer().refused(403, "forbidden");
                }
                for request in sockets {
                    let lines: Vec<_> = lines.iter().cloned().chain(UPGRADE.map(String::from)).collect();
                    ask(&k1, request, &lines).answer().refused(403, "forbidden");
                }
            }
        }
        for name in
            [format!("localhost:{port}"), "k1-a3f0.local".into(), "192.168.1.7".into(), "[::1]:80".into()]
        {
            assert_eq!(ask(&k1, "GET /api/nothing", &[format!("Host: {name}")]).status, 404, "{name}");
        }
    });
}

#[test]
fn its_own_page_may_ask() {
    judged(|| {
        let k1 = K1::get_one();
        let host = format!("Host: {}", k1.host);
        let origin = format!("http://{}", k1.host);
        let own = [host.clone(), format!("Origin: {origin}")];
        let preflight = "Access-Control-Request-Method: POST".to_owned();
        for request in
            ["OPTIONS /api/params", "OPTIONS /api/nothing", "GET /api/params", "GET /api/nothing", "GET /"]
        {
            let raw = ask(&k1, request, &[own[0].clone(), own[1].clone(), preflight.clone()]);
            let expected = match request {
                _ if request.starts_with("OPTIONS") => 204,
                "GET /api/nothing" => 404,
                _ => 200,
            };
            assert_eq!(raw.status, expected, "{request}");
            assert_eq!(raw.header("access-control-allow-origin"), Some(origin.as_str()), "{request}");
            assert_eq!(
                raw.header("access-control-allow-methods"),
                Some("GET, POST, PUT, OPTIONS"),
                "{request}"
            );
            assert!(raw.header("access-control-allow-headers").is_some_and(|h| h.contains("Content-Type")));
            assert_ne!(raw.header("access-control-allow-credentials"), Some("true"));
        }
        // Who is no page needs no permission, and nobody gets the permission of all.
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
    });
}

#[test]
fn the_token_opens_the_door() {
    judged(|| {
        let Some(mut k1) = K1::start_here(&["--listen", "0.0.0.0:0", "--token", "secret"]) else { return };
        assert_eq!(k1.token.take().as_deref(), Some("secret"), "the printed address has the token");
        let with = |more: &[&str]| {
            let lines: Vec<_> = [format!("Host: {}", k1.host)]
                .into_iter()
                .chain(more.iter().map(|m| m.to_string()))
                .collect();
            move |request: &str| (request.to_owned(), lines.clone())
        };
        let status = |(request, lines): (String, Vec<String>)| ask(&k1, &request, &lines).status;
        let none = with(&[]);
        let right = with(&["Authorization: Bearer secret"]);
        for route in &k1_device::routes::ROUTES {
            let request = match route.method {
                k1_device::routes::Method::Get => format!("GET {}", route.path),
                k1_device::routes::Method::Post => format!("POST {}", route.path),
                k1_device::routes::Method::Put => format!("PUT {}", route.path),
            };
            let (request, lines) = none(&request);
            ask(&k1, &request, &lines).answer().refused(401, "unauthorized");
            assert_ne!(status(right(&request)), 401, "{request}");
        }
        let wrong = [
            "Bearer wrong",
            "Bearer secre",
            "Bearer secret1",
            "Bearer",
            "Bearer ",
            "bearer",
            "Basic c2VjcmV0",
            "secret",
            "Bearer Secret",
        ];
        for wrong in wrong {
            let header = format!("Authorization: {wrong}");
            assert_eq!(status(with(&[&header])("GET /api/v1/status")), 401, "{wrong}");
        }
        assert_eq!(status(none("GET /api/nothing")), 401, "who may not ask is not told what is there");
        // The page asks for the token; so it comes without.
        let page = ask(&k1, "GET /", &none("").1);
        assert_eq!(page.status, 200);
        assert!(page.body.starts_with(b"<!doctype html>") || page.body.starts_with(b"<!DOCTYPE html>"));
        assert!(!String::from_utf8_lossy(&page.body).contains("secret"));
        assert_eq!(status(none("GET /app.js")), 200);

        for path in ["/ws", "/api/v1/live"] {
            for query in ["", "?token=", "?token=wrong", "?tok=secret", "?token=secretx", "?xtoken=secret"] {
                assert_eq!(k1.try_socket(&format!("{path}{query}")).err(), Some(401), "{path}{query}");
            }
            let mut socket = k1.try_socket(&format!("{path}?token=secret")).ok().unwrap();
            socket.wait_for("a greeting", |m| m["hello"].is_object() || m["type"] == "welcome");
        }
        k1.lives();
    });
}

#[test]
fn a_token_is_made_up_where_none_is_given_and_one_that_cannot_travel_is_refused() {
    judged(|| {
        let Some(k1) = K1::start_here(&["--listen", "0.0.0.0:0"]) else { return };
        let token = k1.token.clone().expect("a token in the printed address");
        assert!(token.len() >= 16 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
        k1.get("/api/test-connection").ok();
        assert_ne!(k1.get("/api/v1/status").ok()["version"], Value::Null);
        for token in ["", "a b", "a&b", "sécret", "a%62"] {
            let out = std::process::Command::new(env!("CARGO_BIN_EXE_k1"))
                .args(["run", "demo", "--listen", "0.0.0.0:0", "--duration", "1", "--token", token])
                .output()
                .unwrap();
            assert!(!out.status.success(), "{token:?}");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(said.contains("token"), "{token:?}: {said}");
        }
    });
}
