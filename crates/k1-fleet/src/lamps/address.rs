//! Where a lamp is, and what opens it.

use std::net::Ipv6Addr;

/// A lamp that can be asked: what it is called here, its address, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// What the user called it.
    pub label: String,
    /// `HOST:PORT`, as a request names it.
    pub authority: String,
    /// Its token, if one is known.
    pub token: Option<String>,
    /// UDP port on this machine that leads to where it hears; virtual lamps have one.
    pub sound: Option<u16>,
    /// UDP port on this machine where it takes updates by espota; virtual lamps have one.
    pub ota: Option<u16>,
}

/// `HOST:PORT`, with the brackets that IPv6 wants.
pub fn authority(host: &str, port: u16) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{host}]:{port}"),
        Err(_) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        assert_eq!((authority("::1", 80), authority("lamp", 81)), ("[::1]:80".into(), "lamp:81".into()));
    }
}
