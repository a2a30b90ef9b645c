//! A small reverse proxy with a path prefix, and a real one if it is installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::need;

/// A proxy's treatment of `Host`.
#[derive(Clone, Copy, PartialEq)]
pub enum Host {
    /// Forwards it unchanged.
    Kept,
    /// Replaces it with the address of the server, as nginx does by default.
    Own,
}

/// Starts a proxy that serves `behind` (`ADDRESS:PORT`) below `/k1/`; returns its own `ADDRESS:PORT`.
pub fn start(behind: &str, host: Host) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let behind = behind.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behind = behind.clone();
            std::thread::spawn(move || pass(stream, &behind, host));
        }
    });
    here
}

/// Serves a connection with one request: rewrites its head, then forwards bytes both ways.
fn pass(client: TcpStream, behind: &str, host: Host) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let (method, rest) = head[0].split_once(' ')?;
    let Some(path) = rest.strip_prefix("/k1/") else {
        let mut client = client;
        return client
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .ok();
    };
    let is_socket = head.iter().any(|l| l.eq_ignore_ascii_case("upgrade: websocket"));
    let mut sent = format!("{method} /{path}\r\n");
    for line in &head[1..] {
        let name = line.split(':').next()?.to_ascii_lowercase();
        match name.as_str() {
            "host" if host == Host::Own => sent += &format!("Host: {behind}\r\n"),
            "connection" if !is_socket => {}
            _ => sent += &format!("{line}\r\n"),
        }
    }
    // Headers that such proxies add, and that K1 must not trust.
    sent += "X-Forwarded-Host: evil.example\r\nX-Forwarded-Prefix: /elsewhere\r\n";
    sent += if is_socket { "\r\n" } else { "Connection: close\r\n\r\n" };
    let mut server = TcpStream::connect(behind).ok()?;
    server.write_all(sent.as_bytes()).ok()?;
    let (mut to_client, mut from_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut block = [0; 4096];
    while let Ok(n @ 1..) = reader.read(&mut block) {
        server.write_all(&block[..n]).ok()?;
    }
    let _ = server.shutdown(Shutdown::Both);
    back.join().ok()
}

/// nginx with its own certificate, which serves `behind` below `/k1/` (with its own `Host`) and `/kept/`.
pub struct Nginx {
    process: Child,
    /// The `ADDRESS:PORT` at which it answers, with TLS.
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it; `None`, with the reason on the console, if nginx or openssl is not installed.
    pub fn start(behind: &str) -> Option<Self> {
        let runs = |tool: &str, flag: &str| {
            let mut command = Command::new(tool);
            command.arg(flag).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|s| s.success())
        };
        if !runs("nginx", "-v") || !runs("openssl", "version") {
            need::missing("nginx", "nginx or openssl");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=home.example.org",
            ])
            .args(["-keyout", &place("key"), "-out", &place("certificate")])
            .stderr(Stdio::null())
            .status();
        assert!(made.is_ok_and(|m| m.success()), "openssl makes no certificate");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let location = |path: &str, host: &str| {
            format!(
                "location {path} {{ proxy_pass http://{behind}/; proxy_http_version 1.1; proxy_set_header Host {host}; \
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; }}"
            )
        };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};", place(name)))
            .join(" ");
        let text = format!(
            "pid {}; error_log {}; daemon off; worker_processes 1; events {{}} http {{ access_log off; {temporary} \
             map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }} \
             server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {} {} }} }}",
            place("pid"),
            place("errors"),
            place("certificate"),
            place("key"),
            location("/k1/", "$proxy_host"),
            location("/kept/", "$http_host"),
        );
        std::fs::write(folder.path().join("conf"), text).unwrap();
        let process = start_nginx(folder.path());
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "nginx does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, address: format!("127.0.0.1:{port}"), _folder: folder })
    }
}

fn start_nginx(folder: &Path) -> Child {
    let mut command = Command::new("nginx");
    command.arg("-c").arg(folder.join("conf")).arg("-p").arg(folder).arg("-e").arg(folder.join("errors"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Ask it to end, so that its worker ends, too.
        let ended = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if ended.is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}
