//! The address of a lamp, and its token.

use std::net::Ipv6Addr;

/// A lamp that can be asked: its name here, its address, and its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The lamp's name, as given by the user.
    pub label: String,
    /// `HOST:PORT`, as in a request.
    pub authority: String,
    /// Its token, if known.
    pub token: Option<String>,
    /// UDP port on this machine for the sound that the lamp hears; only for a virtual lamp.
    pub sound: Option<u16>,
    /// UDP port on this machine for updates by espota; only for a virtual lamp.
    pub ota: Option<u16>,
}

/// `HOST:PORT`, with brackets around an IPv6 address.
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
