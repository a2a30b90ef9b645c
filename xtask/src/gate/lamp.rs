//! Runs the API's tests, and Prometheus' own check of the metrics, against the lamp's firmware on the emulated machine.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::runner;
use super::targets::{self, Table, Target};
use super::{built, notes, required, second_attempt, stage};

/// The lamp's ports for HTTP and for sound.
const PORTS: [u16; 2] = [18_080, 15_004];
/// Time limit for the lamp's start.
const START: Duration = Duration::from_secs(90);

/// The running emulator; dropping it ends the emulator.
struct Lamp(Child);

impl Drop for Lamp {
    fn drop(&mut self) {
        // On SIGINT, `k1 virt` also ends QEMU.
        let _ = Command::new("sh").args(["-c", &format!("kill -s INT {}", self.0.id())]).status();
        let began = Instant::now();
        while self.0.try_wait().is_ok_and(|end| end.is_none()) && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the tests and the check.
///
/// # Errors
/// A sentence, if the lamp does not start, or if a test or the check fails.
pub fn run() -> Result<(), String> {
    let table = Table::read()?;
    let api = targets::all()?.into_iter().find(|t| t.name == "api").ok_or("there is no test target api")?;
    let cases = targets::build(&[api, program()], Duration::from_secs(table.required_seconds))?;
    let log = notes().join("lamp.console");
    let console = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let [http, sound] = PORTS.map(|port| port.to_string());
    let child = Command::new(built().join("debug/k1"))
        .args(["virt", "--headless", "--http", &http, "--sound", &sound])
        .stderr(console.try_clone().map_err(|e| format!("{}: {e}", log.display()))?)
        .stdout(console)
        .stdin(Stdio::null())
        .spawn();
    let _lamp = Lamp(child.map_err(|e| format!("k1 virt: {e}"))?);
    let token = token(&log)?;
    let base = format!("http://127.0.0.1:{http}/#token={token}");
    let cases: Vec<_> = cases.into_iter().filter(|c| c.target.name == "api").collect();
    let env = [("K1_API_BASE", base)];
    let mut reports = runner::all(&cases, &env, 1, |_| true);
    let most = stage::Table::read()?.second_attempts;
    second_attempt::of_failed(&cases, &mut reports, most, |case| runner::one(case, &env));
    required::judge(&mut reports)?;
    check_metrics(&token)?;
    runner::tell(&reports, 0, 0)
}

/// The target of the program that starts the lamp.
fn program() -> Target {
    Target { package: "k1".into(), name: "bin".into() }
}

/// Waits until the lamp is up and returns the token that it prints.
fn token(log: &std::path::Path) -> Result<String, String> {
    let began = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let token: Option<String> = said.split_once("#token=").map(|(_, rest)| {
            rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit()).collect()
        });
        match token.filter(|t| t.len() >= 16) {
            Some(token) => return Ok(token),
            None if began.elapsed() > START => return Err(format!("the lamp did not start:\n{said}")),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn check_metrics(token: &str) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("/metrics of the lamp: {e}");
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", PORTS[0]))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let began = Instant::now();
    let mut answer = ask().map_err(wrong)?;
    // The last test may have asked for the metrics a moment ago.
    while answer.starts_with("HTTP/1.1 429") && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(500));
        answer = ask().map_err(wrong)?;
    }
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("/metrics of the lamp has no body")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("/metrics of the lamp: {head}"));
    }
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| format!("promtool: {e}"))?;
    tool.stdin.take().ok_or("promtool has no standard input")?.write_all(body.as_bytes()).map_err(wrong)?;
    let status = tool.wait().map_err(wrong)?;
    println!("promtool check metrics: {status}, {} lines", body.lines().count());
    if status.success() { Ok(()) } else { Err("promtool rejects the lamp's metrics".into()) }
}
