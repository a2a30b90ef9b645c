//! A running K1 refuses the requests in `k1_sim::refused` with the same status and sentence as the door alone.

use std::io::Write;

use k1_http::rejection::Rejection;
use k1_sim::refused::{NOT_HTTP, REFUSED, Refused};

use crate::k1::K1;
use crate::raw::{Raw, read};

/// Sends a request unchanged.
fn ask(k1: &K1, request: &str) -> Raw {
    let mut stream = k1.connect();
    stream.write_all(request.replace("{host}", &k1.host).as_bytes()).unwrap();
    read(&mut stream).unwrap_or_else(|| panic!("no answer to {request}"))
}

fn is_refused(k1: &K1, row: &Refused) {
    let raw = ask(k1, row.request);
    let body = raw.answer().body;
    assert_eq!((raw.status, &body["error"]), (row.status, &row.rejection.code().into()), "{}", row.request);
    assert_eq!(body["message"], row.rejection.to_string(), "{}", row.request);
    match row.rejection {
        Rejection::MethodNotAllowed { allow } => assert_eq!(raw.header("allow"), Some(allow)),
        Rejection::WebSocketVersion => assert_eq!(raw.header("sec-websocket-version"), Some("13")),
        _ => {}
    }
}

#[test]
fn a_k1_that_runs_refuses_what_the_door_refuses() {
    let k1 = K1::get_one();
    if k1.token.is_none() {
        REFUSED.iter().filter(|r| !r.needs_token).for_each(|row| is_refused(&k1, row));
    }
    // hyper refuses some requests in its own words, and parses some differently.
    for row in NOT_HTTP.iter().filter(|r| !r.request.contains("Transfer-Encoding")) {
        if k1.is_program() {
            let raw = ask(&k1, row.request);
            assert_eq!((raw.status, raw.body.len()), (row.status, 0), "{}", row.request);
        } else {
            is_refused(&k1, row);
        }
    }
    drop(k1);
    let token = ["--listen", "127.0.0.1:0", "--token", "a-token-of-tests-1"];
    if let Some(k1) = K1::start_here(&token) {
        REFUSED.iter().filter(|r| r.needs_token).for_each(|row| is_refused(&k1, row));
    }
}
