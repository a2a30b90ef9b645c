//! web
use std::net::{SocketAddr, TcpListener};
use crate::stage::Stage;
pub struct Page;
impl Page { pub fn url(&self) -> String { String::new() } pub fn qr(&self) -> Option<String> { None } }
pub fn bind(a: SocketAddr) -> Result<TcpListener, String> { TcpListener::bind(a).map_err(|e| e.to_string()) }
pub fn serve(_: TcpListener, _: &mut Stage, _: &str, _: Option<String>) -> Result<Page, String> { Ok(Page) }
