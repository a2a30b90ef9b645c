//! HTTP by hand, for requests that an ordinary client cannot send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::k1::{Answer, Waits};

/// An answer with its head.
pub struct Raw {
    /// The status code.
    pub status: u16,
    /// Headers: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl Raw {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    pub fn answer(&self) -> Answer {
        Answer { status: self.status, body: serde_json::from_slice(&self.body).unwrap_or(Value::Null) }
    }
}

/// Sends `head` (lines without line ends) and a body, and reads the answer.
#[track_caller]
pub fn exchange(stream: &mut TcpStream, head: &[&str], body: &[u8]) -> Raw {
    say(stream, head, body).unwrap();
    read(stream).expect("an answer and not the end")
}

/// Asks until the answer is not that the request comes too early, and waits in between for as long as K1 says. For tests
/// that have waited for the limit: see [`Waits`].
#[track_caller]
pub fn accepted(mut ask: impl FnMut() -> Raw) -> Raw {
    let waits = Waits::begin();
    loop {
        let raw = ask();
        if raw.status != 429 {
            return raw;
        }
        raw.answer().refused(429, "rate_limited");
        waits.wait(raw.header("x-ratelimit-nextallowedms"));
    }
}

/// Sends `head` (lines without line ends) and a body.
pub fn say(stream: &mut TcpStream, head: &[&str], body: &[u8]) -> std::io::Result<()> {
    stream.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
    stream.write_all(body)
}

/// Reads an answer; `None` at the end of the connection.
#[track_caller]
pub fn read(stream: &mut TcpStream) -> Option<Raw> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => return None,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => {
                eprintln!("the other end has reset the connection");
                return None;
            }
            Err(e) => panic!("no answer: {e}"),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().and_then(|l| l.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()).expect(&head);
    let headers: Vec<_> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let mut raw = Raw { status, headers, body: Vec::new() };
    let length = raw.header("content-length").map_or(0, |l| l.parse().unwrap());
    raw.body.resize(length, 0);
    stream.read_exact(&mut raw.body).unwrap();
    Some(raw)
}
