//! The host of a light on the network, as given on the command line.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::multicast::is_link_local;

/// The forms of a target, for errors.
pub const FORMS: &str = "ddp://HOST[:PORT], artnet://HOST[:PORT], sacn://[HOST[:PORT]], wled://HOST[:PORT], adalight:PORT, tpm2:PORT, spi:DEVICE, file:PATH or terminal";

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host name or address; a link-local IPv6 address includes its interface, `fe80::1%eth0`.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

impl Address {
    /// Reads `HOST[:PORT]`, from a target that begins with `scheme`.
    ///
    /// # Errors
    ///
    /// A sentence with the valid forms.
    pub fn parse(text: &str, scheme: &str, port: u16) -> Result<Self, String> {
        // IPv6 addresses have brackets: [::1] or [::1]:4048.
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !text.ends_with(']') && (text.starts_with('[') || !name.contains(':')) => {
                let number = port.parse().ok().filter(|port| *port > 0);
                (name, number.ok_or_else(|| format!("“{port}” is not a port; use {FORMS}"))?)
            }
            _ => (text, port),
        };
        Ok(Self { host: host(name, scheme)?, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// True if `text` may be a host name.
pub fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.len() <= 253
        && text.split('.').all(|label| (1..64).contains(&label.len()) && label.chars().all(fits))
        // A name whose last label is a number is a malformed address.
        && text.rsplit('.').next().is_some_and(|last| !last.chars().all(|c| c.is_ascii_digit()))
}

/// Checks the host of a network light.
fn host(text: &str, scheme: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("“{text}” {why}; use {FORMS}"));
    let inner = text.strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'));
    let Some(inner) = inner else { return wrong("has a bracket that is not closed") };
    if inner.is_empty() {
        return Err(format!("{scheme} needs a host; use {FORMS}"));
    }
    if inner.contains(':') || inner.len() < text.len() {
        // In a URL, the percent sign before the interface is written %25 (RFC 6874).
        let (ip, interface) = match inner.split_once('%') {
            Some((ip, i)) => (ip, Some(i.strip_prefix("25").filter(|rest| !rest.is_empty()).unwrap_or(i))),
            None => (inner, None),
        };
        let Ok(ip) = ip.parse::<Ipv6Addr>() else { return wrong("is not an IPv6 address") };
        return match interface {
            Some("") => wrong("needs an interface after the percent sign"),
            Some(interface) => Ok(format!("{ip}%{interface}")),
            None if is_link_local(IpAddr::V6(ip)) => {
                Err(format!("“{ip}” is a link-local address; add the interface, as in {scheme}[{ip}%eth0]"))
            }
            None => Ok(ip.to_string()),
        };
    }
    if inner.parse::<Ipv4Addr>().is_ok() || is_name(inner) {
        return Ok(inner.to_owned());
    }
    wrong("is neither a name nor an address")
}
