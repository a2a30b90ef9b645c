//! The live page and the API.
//!
//! Runs on threads of its own: nothing here can slow the two halves, whatever a browser or script does.
//!
//! | Room | What it does |
//! |---|---|
//! | `listen` | where the page listens: addresses, names, interfaces |
//! | `reach` | under which addresses others reach this machine |
//! | `announce` | what is printed about it, and for whom |
//! | [`token`] | where the token comes from, and where it is kept |
//! | `connections` | takes connections in, and limits them in time and number |
//! | `server` | takes requests to the door ([`k1_http`]) and its answers back |
//! | `app` | what every request and every WebSocket may use |
//! | `live`, `link`, `sockets` | what WebSockets say, how, and the places for them |
//! | `hub` | collects what pages show |
//! | `backend` | the program as a back end of the API |
//! | `assets`, `system` | the page's files; what the machine says about K1's use of it |

mod announce;
mod app;
mod assets;
mod backend;
mod connections;
mod hub;
mod link;
mod listen;
mod live;
mod reach;
mod server;
mod sockets;
mod system;
pub mod token;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use k1_http::names::AllowedName;

pub use announce::Reader;
pub use listen::Listen;
use token::Token;

use crate::runtime::Runtime;

/// What the server needs before anything starts: its ports, its token, the names that it may be asked by.
pub struct Bound {
    listeners: Vec<TcpListener>,
    token: Option<Token>,
    allowed: Vec<AllowedName>,
}

impl Bound {
    /// The first port that it listens at.
    pub fn port(&self) -> u16 {
        self.listeners.first().and_then(|l| l.local_addr().ok()).map_or(0, |a| a.port())
    }
}

/// The running server; ends when dropped.
pub struct Server {
    listening: Vec<Listening>,
    token: Option<Token>,
    told: Vec<SocketAddr>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Clone, Copy)]
struct Listening {
    address: SocketAddr,
    takes_both: bool,
}

impl Server {
    /// The lines that say where it is.
    pub fn opened(&mut self, reader: Reader) -> Vec<String> {
        self.told = self.places();
        let here = self.listening.first().map(|l| reach::from_here(l.address));
        let is_open = self.listening.iter().any(|l| !l.address.ip().is_loopback());
        here.map_or_else(Vec::new, |here| {
            announce::opened(here, &self.told, is_open, self.token.as_ref(), reader)
        })
    }

    /// How this machine reaches the page.
    pub fn own_address(&self) -> k1_fleet::lamps::Address {
        let here = self.listening.first().map(|l| reach::from_here(l.address));
        let (host, port) = here.map_or(("127.0.0.1".to_owned(), 0), |a| (a.ip().to_string(), a.port()));
        let authority = k1_fleet::lamps::address::authority(&host, port);
        let (label, token) = ("this K1".to_owned(), self.token.as_ref().map(|t| t.text().to_owned()));
        k1_fleet::lamps::Address { label, authority, token, sound: None, ota: None }
    }

    /// Lines for addresses that this machine has got since the last call.
    pub fn appeared(&mut self, reader: Reader) -> Vec<String> {
        // What listens at certain addresses is found at no others.
        if self.listening.iter().all(|l| !l.address.ip().is_unspecified()) {
            return Vec::new();
        }
        let new: Vec<_> = self.places().into_iter().filter(|p| !self.told.contains(p)).collect();
        let has_code = !self.told.is_empty();
        self.told.extend(&new);
        announce::appeared(&new, has_code, self.token.as_ref(), reader)
    }

    /// Where others reach it, best first.
    fn places(&self) -> Vec<SocketAddr> {
        self.listening.iter().flat_map(|l| reach::of_listener(l.address, l.takes_both)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Takes the port and finds the token. Where only this machine reaches the page, it needs none; elsewhere it has the one
/// that is given, or the one that K1 keeps.
///
/// # Errors
///
/// Why not, as a sentence.
pub fn open(
    listen: &Listen,
    token: Option<&str>,
    token_file: Option<&Path>,
    allowed: &[AllowedName],
) -> Result<Bound, String> {
    let given = token::given(token, token_file)?;
    let listeners = listen.bind()?;
    let is_open = listeners.iter().any(|l| l.local_addr().is_ok_and(|a| !a.ip().is_loopback()));
    let token = match given {
        None if is_open => Some(token::kept()?),
        given => given,
    };
    let mut allowed = allowed.to_vec();
    // A single name is ours anyway; what its owner has named in full, no stranger can choose.
    if token.is_some() {
        allowed.extend(host_name().and_then(|n| AllowedName::parse(&n).ok()));
    }
    Ok(Bound { listeners, token, allowed })
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// Starts the server on its threads.
///
/// # Errors
///
/// Why not, as a sentence.
pub fn serve(bound: Bound, runtime: &mut Runtime, title: &str) -> Result<Server, String> {
    let wrong = |e: std::io::Error| format!("the page cannot start: {e}");
    let Some((tapped, frames)) = runtime.page.take() else {
        return Err("the page was started twice".into());
    };
    let hub = hub::start(runtime, tapped, frames).map_err(wrong)?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("k1-web")
        .enable_all()
        .build()
        .map_err(wrong)?;
    let mut listening = Vec::new();
    for listener in &bound.listeners {
        let address = listener.local_addr().map_err(wrong)?;
        let takes_both = address.is_ipv6() && !socket2::SockRef::from(listener).only_v6().unwrap_or(true);
        listening.push(Listening { address, takes_both });
    }
    let mut running = Server { listening, token: bound.token, told: Vec::new(), runtime: None };
    let first = running.places().first().copied().or(running.listening.first().map(|l| l.address));
    let ip = first.map_or_else(String::new, |a| a.ip().to_string());
    let token = running.token.as_ref().map(|t| t.text().to_owned());
    let app = Arc::new(app::App::new(runtime, hub, title, ip, token, bound.allowed));
    let inside = threads.enter();
    let listeners: Result<Vec<_>, _> =
        bound.listeners.into_iter().map(tokio::net::TcpListener::from_std).collect();
    server::run(listeners.map_err(wrong)?, &app);
    drop(inside);
    running.runtime = Some(threads);
    Ok(running)
}
