//! The whole lamp on two LX7 cores: it starts, answers over its network, and remembers over a restart.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::root;

/// Size of the machine's flash and of the part that the lamp uses, which begins erased.
const FLASH: [u64; 2] = [128 << 20, 32 << 20];
/// Time that a start, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Starts the lamp twice with the same flash, and asks it about itself.
///
/// # Errors
/// A sentence, if it does not start, does not answer, says something else than it should, or forgets its token.
pub fn prove(program: &Path) -> Result<(), String> {
    let folder = root().join("target/cores");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let flash = folder.join("flash");
    let erased = vec![0xff; FLASH[1] as usize];
    std::fs::write(&flash, erased)
        .and_then(|()| std::fs::OpenOptions::new().write(true).open(&flash)?.set_len(FLASH[0]))
        .map_err(|e| format!("{}: {e}", flash.display()))?;
    let first = Running::start(program, &flash)?;
    let token = first.token()?;
    let device = first.device(&token)?;
    println!("GET /api/v1/device: {device}");
    for (key, value) in
        [("board", "virt-xtensa".into()), ("hears_on_core", Value::from(1)), ("shows_on_core", 0.into())]
    {
        if device[key] != value {
            return Err(format!("the lamp says {key} = {}", device[key]));
        }
    }
    drop(first);
    let second = Running::start(program, &flash)?;
    if second.token()? != token {
        return Err("the lamp has forgotten its token".into());
    }
    second.device(&token).map(|_| println!("after a restart the lamp still knows its token"))
}

/// A lamp in the emulator, which ends with this.
struct Running {
    emulator: Child,
    said: Receiver<String>,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.emulator.kill().and_then(|()| self.emulator.wait());
    }
}

impl Running {
    fn start(program: &Path, flash: &Path) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = listener.map_err(|e| format!("no free port: {e}"))?.port();
        let mut emulator = Command::new("qemu-system-xtensa")
            .args(super::EMULATOR)
            .args(["-m", "64M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-nic"])
            .arg(format!("user,model=open_eth,hostfwd=tcp:127.0.0.1:{port}-:80"))
            .arg("-drive")
            .arg(format!("if=pflash,format=raw,file={}", flash.display()))
            .arg("-kernel")
            .arg(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("qemu-system-xtensa: {e}"))?;
        let out = emulator.stdout.take().ok_or("the emulator has no output")?;
        let (send, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // Nobody listens any more.
                if send.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { emulator, said, port })
    }

    /// Prints what the lamp says until it has an address, and returns its token.
    fn token(&self) -> Result<String, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line =
                self.said.recv_timeout(left).map_err(|e| format!("the lamp does not get an address: {e}"))?;
            println!("{line}");
            if line.contains("PANIC") {
                return Err("the lamp panicked".into());
            }
            if let Some((_, token)) = line.split_once("#token=") {
                return Ok(token.to_owned());
            }
        }
    }

    /// What the lamp says about itself.
    fn device(&self, token: &str) -> Result<Value, String> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let host = "Host: lamp\r\nConnection: close\r\n";
            write!(stream, "GET /api/v1/device HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|e| format!("the lamp does not answer: {e}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("the lamp's answer has no body")?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("the lamp answers {head}"));
        }
        serde_json::from_str(body).map_err(|e| format!("{e}: {body}"))
    }
}
