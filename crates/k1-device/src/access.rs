//! Who may ask.
//!
//! A web page anywhere can make its visitor's browser send requests into the visitor's network. Three checks stop it:
//! the token, the `Origin` (which page asks) and the `Host` (which name was resolved; DNS rebinding).

use core::net::{Ipv4Addr, Ipv6Addr};

/// Compares two secrets without telling by its time how much of them is equal.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}

/// True if a request shows the token: as a bearer, or in its query, because a browser cannot put a header on a
/// WebSocket.
pub fn shows_token(token: &str, bearer: Option<&str>, query: Option<&str>) -> bool {
    let query = query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("token=")));
    [bearer, query].into_iter().flatten().any(|t| same_secret(t.as_bytes(), token.as_bytes()))
}

/// What the page may load: nothing from elsewhere, and it runs in nobody's frame.
pub const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'";

/// True for the `:PORT` behind a host, which may be missing.
fn is_port(s: &str) -> bool {
    s.is_empty() || s.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

/// True if a request that names `host` can be meant for this device: an address, `localhost`, or a `.local` or
/// single-label name, none of which a foreign DNS server can point here. No `Host` at all is refused.
pub fn host_is_ours(host: Option<&str>) -> bool {
    let Some(authority) = host else { return false };
    // In brackets stands an IPv6 address and nothing else, and behind them a port and nothing else.
    if let Some(rest) = authority.strip_prefix('[') {
        return rest
            .split_once(']')
            .is_some_and(|(host, port)| host.parse::<Ipv6Addr>().is_ok() && is_port(port));
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let bare = host.strip_suffix('.').unwrap_or(host);
    let label = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let local = match bare.len().checked_sub(6).and_then(|n| Some((bare.get(..n)?, bare.get(n..)?))) {
        Some((name, ending)) => ending.eq_ignore_ascii_case(".local") && label(name),
        None => false,
    };
    is_port(port) && (host.parse::<Ipv4Addr>().is_ok() || local || label(bare))
}

/// True if a request with this `Origin` may act: none (not a browser's page), or the page of this very host.
pub fn origin_is_ours(origin: Option<&str>, host: Option<&str>) -> bool {
    match (origin, host) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|a| a.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_hosts_are_those_no_foreign_name_server_can_forge() {
        for ours in [
            "127.0.0.1:3330",
            "localhost",
            "LOCALHOST:1",
            "[::1]:80",
            "192.168.1.4",
            "k1-a3f0.local",
            "K1.local:80",
            "lamp",
        ] {
            assert!(host_is_ours(Some(ours)), "{ours}");
        }
        for foreign in [
            "evil.example",
            "k1.local.evil.example",
            "127.0.0.1.nip.io:80",
            "",
            ".local",
            "a.b.local",
            "[::1].evil.example",
            "[localhost]",
            "[::1",
            "::1",
            "lamp:80:80",
            "lamp:evil",
        ] {
            assert!(!host_is_ours(Some(foreign)), "{foreign}");
        }
        assert!(!host_is_ours(None));
    }

    #[test]
    fn only_our_own_page_may_act() {
        assert!(origin_is_ours(None, Some("k1.local")));
        assert!(origin_is_ours(Some("http://k1.local:3330"), Some("k1.local:3330")));
        assert!(!origin_is_ours(Some("http://evil.example"), Some("k1.local")));
        assert!(!origin_is_ours(Some("null"), Some("k1.local")));
        assert!(!origin_is_ours(Some("http://k1.local:80"), Some("k1.local:3330")));
    }

    #[test]
    fn secrets_compare() {
        assert!(same_secret(b"abc", b"abc"));
        assert!(!same_secret(b"abc", b"abd"));
        assert!(!same_secret(b"abc", b"ab"));
    }
}
