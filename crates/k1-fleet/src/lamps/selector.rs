//! How a user names a lamp: a name, an address, the page's whole address, or `virt`.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Port of a lamp's page.
const WEB: u16 = 80;

/// A lamp, as named by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The virtual lamp that runs on this machine.
    Virtual,
    /// A lamp by its name, as announced by multicast DNS.
    Named(String),
    /// A lamp by its address.
    At {
        /// Host, without brackets.
        host: String,
        /// Port of the lamp's page.
        port: u16,
        /// Token, if the address contains one.
        token: Option<String>,
    },
}

impl Selector {
    /// True if it contains a token.
    pub fn has_token(&self) -> bool {
        matches!(self, Self::At { token: Some(_), .. })
    }
}

const EXPECTED: &str = "a lamp is a name (k1-a3f0), an address (192.168.1.40, host:port), the address of its page \
                        (http://192.168.1.40/#token=…), or `virt`";

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{text}” is not a lamp: {EXPECTED}");
        if text == "virt" {
            return Ok(Self::Virtual);
        }
        let (rest, is_url) = match text.strip_prefix("http://") {
            Some(rest) => (rest, true),
            None if text.contains("://") => return Err(wrong()),
            None => (text, false),
        };
        let (rest, token) = match rest.split_once("#token=") {
            Some((rest, token)) if !token.is_empty() => (rest, Some(token.to_owned())),
            Some(_) => return Err(wrong()),
            None => (rest, None),
        };
        let (host_and_port, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return Err(wrong());
        }
        // The colons of an IPv6 address without brackets do not precede a port.
        let (host, port) = if let Ok(address) = host_and_port.parse::<IpAddr>() {
            (address.to_string(), None)
        } else if let Some(bracketed) = host_and_port.strip_prefix('[') {
            let (host, port) = bracketed.split_once(']').ok_or_else(wrong)?;
            host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or_else(wrong)?),
            };
            (host.to_owned(), port)
        } else {
            match host_and_port.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (host_and_port.to_owned(), None),
            }
        };
        let is_host =
            |h: &str| !h.is_empty() && h.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        if !is_host(&host) {
            return Err(wrong());
        }
        match port {
            None if !is_url && token.is_none() && !host.contains(['.', ':']) && host != "localhost" => {
                Ok(Self::Named(host))
            }
            None => Ok(Self::At { host, port: WEB, token }),
            Some(port) => {
                let port = port.parse().ok().filter(|p| *p > 0).ok_or_else(wrong)?;
                Ok(Self::At { host, port, token })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_way_of_naming_a_lamp_is_understood() {
        let at = |host: &str, port, token: Option<&str>| Selector::At {
            host: host.into(),
            port,
            token: token.map(Into::into),
        };
        for (text, selector) in [
            ("virt", Selector::Virtual),
            ("k1-a3f0", Selector::Named("k1-a3f0".into())),
            ("k1-a3f0.local", at("k1-a3f0.local", 80, None)),
            ("192.168.1.40", at("192.168.1.40", 80, None)),
            ("192.168.1.40:8080", at("192.168.1.40", 8080, None)),
            ("localhost", at("localhost", 80, None)),
            ("http://shelf/", at("shelf", 80, None)),
            ("http://127.0.0.1:8080/#token=abc", at("127.0.0.1", 8080, Some("abc"))),
            ("fe80::1", at("fe80::1", 80, None)),
            ("[fe80::1]:81", at("fe80::1", 81, None)),
        ] {
            assert_eq!(text.parse(), Ok(selector), "{text}");
        }
        for wrong in
            ["", "https://x", "http://x/page", "x:0", "x:99999", "[x]:1", "a b", "x/#token=", "[::1]9"]
        {
            let said = wrong.parse::<Selector>().unwrap_err();
            assert!(said.contains("k1-a3f0"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_selects_a_lamp_or_is_refused(text in ".{0,40}") {
            let _ = text.parse::<Selector>();
        }
    }
}
