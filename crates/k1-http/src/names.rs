//! The names under which a K1 may be reached, and the pages that may send it requests.
//!
//! A web page anywhere can make its visitor's browser send requests into the visitor's network. Three checks stop it:
//! the token, the `Origin` (which page sends the request) and the `Host` (which name was resolved; DNS rebinding). K1
//! ignores what a proxy adds (`X-Forwarded-Host` and the like), because anybody can send it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Endings of names that only a network's own name server resolves: either the ending is not delegated (RFC 6762,
/// RFC 8375, and the endings that routers use), or it belongs to the router's maker.
const LOCAL_ENDINGS: [&str; 11] = [
    "local",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "localdomain",
    "fritz.box",
    "intranet",
    "private",
    "corp",
    "localhost",
];

/// What a `Host` header names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Named<'a> {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// A name without the dot at its end.
    Name(&'a str),
}

/// Reads `HOST[:PORT]`; `None` if the text does not have this form.
fn named(authority: &str) -> Option<Named<'_>> {
    // The brackets hold an IPv6 address, and only a port may follow them.
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return host.parse().ok().filter(|_| is_port(port)).map(Named::V6);
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    if !is_port(port) {
        return None;
    }
    if let Ok(address) = host.parse() {
        return Some(Named::V4(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    name.split('.').all(is_label).then_some(Named::Name(name))
}

/// True for the `:PORT` after a host, and for an empty text, because the port may be missing.
fn is_port(s: &str) -> bool {
    s.is_empty() || s.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_label(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `name` without `.ENDING`; `None` if the name has another ending or nothing before it.
fn before<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len() + 1)?;
    let (front, back) = (name.get(..at)?, name.get(at..)?);
    let fits = back.strip_prefix('.').is_some_and(|b| b.eq_ignore_ascii_case(ending));
    (fits && !front.is_empty()).then_some(front)
}

/// A name that requests may use although a foreign name server could resolve it: `home.example.org`, an address, or
/// `*.example.org` for every name below `example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedName(String);

impl AllowedName {
    /// Reads an allowed name.
    ///
    /// # Errors
    ///
    /// A sentence that tells what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str =
            "write a name without http://, port or path, such as home.example.org or *.example.org";
        if text.contains("//") || text.contains('/') {
            return Err(WRONG);
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        let inside = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']')).unwrap_or(bare);
        if let Ok(address) = inside.parse::<Ipv6Addr>() {
            return Ok(Self(alloc::format!("{address}")));
        }
        let below = bare.strip_prefix("*.");
        let name = below.unwrap_or(bare);
        if name == "*" || below.is_some_and(|n| !n.contains('.')) {
            return Err(
                "this would allow names that belong to others; name a domain of yours, such as *.example.org",
            );
        }
        if !name.is_ascii() {
            return Err("write a name with letters beyond ASCII as browsers send it, beginning with xn--");
        }
        if !name.split('.').all(is_label) {
            return Err(WRONG);
        }
        Ok(Self(bare.to_ascii_lowercase()))
    }

    fn allows(&self, host: Named<'_>) -> bool {
        match (host, self.0.strip_prefix("*.")) {
            (Named::Name(name), Some(domain)) => before(name, domain).is_some(),
            (Named::Name(name), None) => name.eq_ignore_ascii_case(&self.0),
            (Named::V4(address), _) => self.0.parse() == Ok(address),
            (Named::V6(address), _) => self.0.parse() == Ok(address),
        }
    }
}

/// The names under which a K1 may be reached.
#[derive(Clone, Debug)]
pub struct Names {
    /// True for a K1 without a token: then only names count that mean this machine to every browser, because a
    /// neighbour can answer for any `.local` or single-label name.
    pub loopback_only: bool,
    /// Further names that count.
    pub allowed: Vec<AllowedName>,
}

impl Names {
    /// Every name that only a network's own name server can resolve; for a K1 with a token.
    pub const LOCAL: Self = Self { loopback_only: false, allowed: Vec::new() };

    /// True if a request that names `host` can be meant for this K1. False without a `Host`.
    pub fn host(&self, host: Option<&str>) -> bool {
        let Some(host) = host.and_then(named) else { return false };
        let is_ours = match (host, self.loopback_only) {
            (Named::V4(address), true) => address.is_loopback(),
            (Named::V6(address), true) => address.is_loopback(),
            (Named::Name(name), true) => {
                name.eq_ignore_ascii_case("localhost") || before(name, "localhost").is_some()
            }
            (Named::V4(_) | Named::V6(_), false) => true,
            (Named::Name(name), false) => {
                !name.contains('.')
                    || LOCAL_ENDINGS.iter().any(|e| before(name, e).is_some_and(|front| !front.contains('.')))
            }
        };
        is_ours || self.allowed.iter().any(|a| a.allows(host))
    }

    /// True if a request with this `Origin` may act: no origin (not from a page in a browser), the page of this host,
    /// or a page under an allowed name, because a proxy may replace the `Host` by its own.
    pub fn origin(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let (Some(origin), Some(host)) = (origin, host) else { return origin.is_none() };
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|a| {
            a.eq_ignore_ascii_case(host)
                || named(a).is_some_and(|n| self.allowed.iter().any(|allowed| allowed.allows(n)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(names: &[&str]) -> Vec<AllowedName> {
        names.iter().map(|n| AllowedName::parse(n).unwrap()).collect()
    }

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
            "pi.lan",
            "pi.home:3330",
            "PI.Home.Arpa",
            "pi.fritz.box",
            "pi.internal.",
            "my_pi.localdomain",
            "k1.localhost",
        ] {
            assert!(Names::LOCAL.host(Some(ours)), "{ours}");
        }
        for foreign in [
            "evil.example",
            "k1.local.evil.example",
            "127.0.0.1.nip.io:80",
            "pi.lan.evil.example",
            "pi.evil.fritz.box",
            "pi.box",
            "evil.fritzebox.com",
            "evillan",
            "xfritz.box",
            "",
            ".",
            ".local",
            ".lan",
            "a.b.local",
            "a..local",
            "[::1].evil.example",
            "[localhost]",
            "[::1",
            "::1",
            "lamp:80:80",
            "lamp:evil",
            "lamp@evil",
            "user:80@lamp",
            "pi.lan/evil",
        ] {
            // A single label cannot be forged, whatever letters it has.
            let is_single = foreign == "evillan";
            assert_eq!(Names::LOCAL.host(Some(foreign)), is_single, "{foreign}");
        }
        assert!(!Names::LOCAL.host(None));
    }

    #[test]
    fn without_a_token_only_loopback_names_count() {
        let names = Names { loopback_only: true, allowed: Vec::new() };
        for ours in [
            "localhost",
            "localhost:3330",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:80",
            "k1.localhost",
            "a.b.LOCALHOST.",
        ] {
            assert!(names.host(Some(ours)), "{ours}");
        }
        for foreign in [
            "k1",
            "k1.local",
            "pi.lan",
            "192.168.1.4",
            "10.0.0.1:3330",
            "0.0.0.0",
            "[::]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.nip.io",
            ".localhost",
        ] {
            assert!(!names.host(Some(foreign)), "{foreign}");
        }
    }

    #[test]
    fn a_name_that_is_allowed_counts_and_its_neighbours_do_not() {
        let list = allowed(&["home.example.org", "*.Example.net", "10.1.1.1", "[fd00::1]"]);
        for loopback_only in [true, false] {
            let names = Names { loopback_only, allowed: list.clone() };
            for ours in [
                "home.example.org",
                "HOME.example.org:8443",
                "home.example.org.",
                "k1.example.net",
                "a.b.example.net:1",
                "10.1.1.1:80",
                "[fd00::1]:80",
                "[fd00:0::1]",
            ] {
                assert!(names.host(Some(ours)), "{ours}");
            }
            for foreign in [
                "example.org",
                "xhome.example.org",
                "home.example.org.evil.example",
                "a.home.example.org",
                "example.net",
                "evilexample.net",
                "k1.example.net.evil.example",
            ] {
                assert!(!names.host(Some(foreign)), "{foreign}");
            }
            // The proxy sends a host of its own; the browser sends the name that its user sees.
            let ours = ["http://home.example.org", "https://HOME.example.org:8443", "https://k1.example.net"];
            for origin in ours {
                assert!(names.origin(Some(origin), Some("127.0.0.1:3330")), "{origin}");
            }
            for origin in [
                "https://example.org",
                "ftp://home.example.org",
                "null",
                "",
                "home.example.org",
                "https://home.example.org.evil.example",
                "https://home.example.org@evil.example",
                "https://home.example.org/",
            ] {
                assert!(!names.origin(Some(origin), Some("127.0.0.1:3330")), "{origin}");
            }
        }
    }

    #[test]
    fn an_allowed_name_is_a_name() {
        for wrong in [
            "",
            "*",
            "*.",
            "*.org",
            "**.example.org",
            "a*.example.org",
            "http://home.example.org",
            "home.example.org/k1",
            "home.example.org:80",
            "häuschen.example",
            "a b",
            ".example.org",
        ] {
            assert!(AllowedName::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(AllowedName::parse("Home.Example.org."), AllowedName::parse("home.example.org"));
    }

    #[test]
    fn only_our_own_page_may_act() {
        assert!(Names::LOCAL.origin(None, Some("k1.local")));
        assert!(Names::LOCAL.origin(Some("http://k1.local:3330"), Some("k1.local:3330")));
        assert!(!Names::LOCAL.origin(Some("http://evil.example"), Some("k1.local")));
        assert!(!Names::LOCAL.origin(Some("null"), Some("k1.local")));
        assert!(!Names::LOCAL.origin(Some("http://k1.local:80"), Some("k1.local:3330")));
    }
}
