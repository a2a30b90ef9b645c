//! The live page and the API.
//!
//! It runs on threads of its own, so that no browser or script can slow the two halves.
//!
//! | Room | What it does |
//! |---|---|
//! | `listen` | where the page listens: addresses, names, interfaces |
//! | `reach` | the addresses at which other machines reach this one |
//! | `announce` | the lines printed about the page, for each kind of reader |
//! | [`token`] | where the token comes from, and where it is kept |
//! | `connections` | accepts connections, and limits their duration and number |
//! | `server` | passes requests to the door ([`k1_http`]) and sends its answers |
//! | `app` | the state that all requests and WebSockets share |
//! | `live`, `link`, `sockets` | messages on WebSockets, their frames, and their number |
//! | `hub` | collects the live messages for all pages |
//! | `backend`, `inputs`, `plan`, `scenes`, `timers` | the program as a back end of the API |
//! | `assets`, `system` | the page's files; processor and memory use |

mod announce;
mod app;
mod assets;
mod backend;
mod connections;
mod hub;
mod inputs;
mod link;
mod listen;
mod live;
mod news;
mod others;
mod plan;
mod reach;
mod scenes;
mod server;
mod sockets;
mod system;
mod timers;
pub mod token;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use k1_http::names::AllowedName;

pub use announce::Reader;
pub use listen::Listen;
use token::Token;

use crate::runtime::Runtime;
use crate::show::{Director, Sound};

/// What the server needs before anything starts: its ports, its token, and the host names that it accepts.
pub struct Bound {
    listeners: Vec<TcpListener>,
    token: Option<Token>,
    allowed: Vec<AllowedName>,
}

impl Bound {
    /// The first port at which the server listens.
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
    /// The lines that say where the page is.
    pub fn opened(&mut self, reader: Reader) -> Vec<String> {
        self.told = self.places();
        let here = self.listening.first().map(|l| reach::from_here(l.address));
        let is_open = self.listening.iter().any(|l| !l.address.ip().is_loopback());
        here.map_or_else(Vec::new, |here| {
            announce::opened(here, &self.told, is_open, self.token.as_ref(), reader)
        })
    }

    /// The page's address on this machine.
    pub fn own_address(&self) -> k1_fleet::lamps::Address {
        let here = self.listening.first().map(|l| reach::from_here(l.address));
        let (host, port) = here.map_or(("127.0.0.1".to_owned(), 0), |a| (a.ip().to_string(), a.port()));
        let authority = k1_fleet::lamps::address::authority(&host, port);
        let (label, token) = ("this K1".to_owned(), self.token.as_ref().map(|t| t.text().to_owned()));
        k1_fleet::lamps::Address { label, authority, token, sound: None, ota: None }
    }

    /// Lines for addresses that this machine has got since the last call.
    pub fn appeared(&mut self, reader: Reader) -> Vec<String> {
        // A server that listens at fixed addresses does not get new ones.
        if self.listening.iter().all(|l| !l.address.ip().is_unspecified()) {
            return Vec::new();
        }
        let new: Vec<_> = self.places().into_iter().filter(|p| !self.told.contains(p)).collect();
        let has_code = !self.told.is_empty();
        self.told.extend(&new);
        announce::appeared(&new, has_code, self.token.as_ref(), reader)
    }

    /// The addresses at which other machines reach the page, best first.
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

/// Binds the port and finds the token. A page that only this machine can reach needs no token; any other page uses the
/// given token, or the one that K1 keeps.
///
/// # Errors
///
/// A sentence, if the port cannot be used or the token is not acceptable.
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
    // A name without dots is always accepted. A full name that the owner gave cannot have been chosen by a stranger.
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
/// A sentence, if the server cannot start.
pub fn serve(
    bound: Bound,
    runtime: &mut Runtime,
    director: Arc<Director>,
    ear: Arc<Sound>,
) -> Result<Server, String> {
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
    let app = Arc::new(app::App::new(runtime, director, ear, hub, ip, token, bound.allowed));
    let inside = threads.enter();
    let listeners: Result<Vec<_>, _> =
        bound.listeners.into_iter().map(tokio::net::TcpListener::from_std).collect();
    server::run(listeners.map_err(wrong)?, &app);
    drop(inside);
    running.runtime = Some(threads);
    Ok(running)
}
