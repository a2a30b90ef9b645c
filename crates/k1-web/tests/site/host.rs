//! A static host, as simple as the simplest: files of a folder under a path, and nothing else.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{chromium, need};

/// Lets one browser run at a time, because a browser uses all of a machine.
static TURN: Mutex<()> = Mutex::new(());

/// The folder of the site, the browser's program, and the turn to run it. `None`, with the reason on the console, if the site
/// has no file of this name, or if there is no browser.
pub fn site_with(file: &str) -> Option<(PathBuf, String, MutexGuard<'static, ()>)> {
    let folder = std::env::var_os("K1_SITE")
        .map_or_else(|| std::path::absolute("../../target/site").unwrap_or_default(), PathBuf::from);
    if !folder.join(file).exists() {
        need::missing("site", &folder.display().to_string());
        return None;
    }
    let Some(program) = chromium::find() else {
        need::missing("browser", "chromium");
        return None;
    };
    Some((folder, program, TURN.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// The path under which it serves the site.
const BENEATH: &str = "/some/where/";

/// Serves a connection to [`SOCKET`].
pub type Socket = Arc<dyn Fn(TcpStream) + Send + Sync>;
/// The path of a WebSocket of a test. The site itself has none.
const SOCKET: &[u8] = b"GET /socket ";

/// A host that answers until it is dropped.
pub struct StaticHost {
    address: SocketAddr,
    more: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    is_over: Arc<AtomicBool>,
}

impl StaticHost {
    /// Serves a folder.
    pub fn serve(folder: PathBuf) -> Self {
        Self::serve_with(folder, Arc::new(drop))
    }

    /// The same, with a WebSocket for a test, whose handshake is `socket`'s.
    pub fn serve_with(folder: PathBuf, socket: Socket) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (more, is_over) =
            (Arc::<Mutex<HashMap<String, Vec<u8>>>>::default(), Arc::<AtomicBool>::default());
        let (files, over) = (more.clone(), is_over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Relaxed) {
                    return;
                }
                let (folder, files, over) = (folder.clone(), files.clone(), over.clone());
                let socket = socket.clone();
                std::thread::spawn(move || {
                    let find = |name: &str| {
                        let kept = files.lock().unwrap().get(name).cloned();
                        kept.or_else(|| std::fs::read(folder.join(name)).ok())
                    };
                    let mut first = [0; SOCKET.len()];
                    if stream.as_ref().is_ok_and(|s| s.peek(&mut first).is_ok()) && first == *SOCKET {
                        return stream.map_or((), |stream| socket(stream));
                    }
                    // A browser that closes a connection is not an error.
                    let _ = stream.and_then(|stream| answer(stream, &over, find));
                });
            }
        });
        Self { address, more, is_over }
    }

    /// Serves a file in addition.
    pub fn add(&self, name: &str, content: Vec<u8>) {
        self.more.lock().unwrap().insert(name.into(), content);
    }

    /// Address of the site.
    pub fn url(&self) -> String {
        format!("http://{}{BENEATH}", self.address)
    }
}

impl Drop for StaticHost {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // The listener waits for one more connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(
    stream: TcpStream,
    over: &AtomicBool,
    find: impl Fn(&str) -> Option<Vec<u8>>,
) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next() {
        let first = first?;
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        if over.load(Relaxed) {
            return Ok(());
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let name = path.strip_prefix(BENEATH).map(|name| if name.is_empty() { "index.html" } else { name });
        let (status, body) = match name.and_then(&find) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", Vec::new()),
        };
        let kind = match path.rsplit('.').next().unwrap_or_default() {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            "wasm" => "application/wasm",
            "webmanifest" => "application/manifest+json",
            "wav" => "audio/wav",
            "json" => "application/json",
            _ => "text/html; charset=utf-8",
        };
        write!(out, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        out.write_all(&body)?;
    }
    Ok(())
}
