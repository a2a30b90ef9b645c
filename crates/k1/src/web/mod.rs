//! The live page and the API.
//!
//! Runs on threads of its own: nothing here can slow the two halves, whatever a browser or script does.

mod assets;
mod home;
mod hub;
mod live;
mod server;
mod system;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::stage::Stage;

/// The running server; ends when dropped.
pub struct Page {
    address: SocketAddr,
    token: Option<String>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Page {
    /// The address to open, with its token if one is needed.
    pub fn url(&self) -> String {
        let shown = match self.address {
            SocketAddr::V4(a) if a.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], a.port())),
            SocketAddr::V6(a) if a.ip().is_unspecified() => {
                SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, a.port()))
            }
            other => other,
        };
        match &self.token {
            // Behind the hash it never travels in a request line and ends in no log.
            Some(token) => format!("http://{shown}/#token={token}"),
            None => format!("http://{shown}/"),
        }
    }

    /// How this machine reaches the page.
    pub fn own_address(&self) -> crate::lamps::Address {
        let port = self.address.port();
        let host = match self.address.ip() {
            ip if ip.is_unspecified() && ip.is_ipv4() => "127.0.0.1".to_owned(),
            ip if ip.is_unspecified() => "::1".to_owned(),
            ip => ip.to_string(),
        };
        let authority = crate::lamps::place::authority(&host, port);
        let (label, token) = ("this K1".to_owned(), self.token.clone());
        crate::lamps::Address { label, authority, token, sound: None, ota: None }
    }

    /// The address as a code for phones; only where other machines can reach it.
    pub fn qr(&self) -> Option<String> {
        self.token.as_ref()?;
        let code = qrcode::QrCode::new(self.url()).ok()?;
        Some(code.render::<qrcode::render::unicode::Dense1x2>().build())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Takes the port.
pub fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "{address} is in use, perhaps by another k1; stop it, or choose another port: --listen {}:0",
            address.ip()
        ),
        std::io::ErrorKind::PermissionDenied => {
            format!("{address} needs more rights than this user has; choose a port above 1023 with --listen")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine; use 127.0.0.1, 0.0.0.0 or [::]", address.ip())
        }
        _ => format!("{address} cannot be opened: {e}"),
    })?;
    listener.set_nonblocking(true).map_err(|e| format!("{address} cannot be used: {e}"))?;
    Ok(listener)
}

/// Starts the server on its threads. On loopback no token is needed; elsewhere one is made up if none is given.
pub fn serve(
    listener: TcpListener,
    stage: &mut Stage,
    title: &str,
    token: Option<String>,
) -> Result<Page, String> {
    let address = listener.local_addr().map_err(|e| format!("the page has no address: {e}"))?;
    // It travels in addresses and headers, where other characters would arrive as something else.
    let fits =
        |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    if token.as_deref().is_some_and(|t| !fits(t)) {
        return Err("a token consists of letters, digits and - . _ ~, at least one".into());
    }
    let token = if address.ip().is_loopback() { token } else { Some(token.map_or_else(new_token, Ok)?) };
    let Some((tapped, frames)) = stage.page.take() else {
        return Err("the page was started twice".into());
    };
    let hub = hub::start(stage, tapped, frames).map_err(|e| format!("the page cannot start: {e}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("k1-web")
        .enable_all()
        .build()
        .map_err(|e| format!("the page cannot start: {e}"))?;
    let app = Arc::new(server::App::new(stage, hub, title, address, token.clone()));
    let _inside = runtime.enter();
    let listener =
        tokio::net::TcpListener::from_std(listener).map_err(|e| format!("the page cannot start: {e}"))?;
    runtime.spawn(server::run(listener, app));
    Ok(Page { address, token, runtime: Some(runtime) })
}

/// Sixteen characters that are easy to read and type: 80 bits.
fn new_token() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| format!("no random numbers for a token: {e}; give one with --token"))?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect())
}
