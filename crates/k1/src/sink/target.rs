//! Targets for light, as given on the command line.

use std::ffi::OsStr;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use super::multicast::is_link_local;

/// The forms of a target, for errors.
const FORMS: &str = "ddp://HOST[:PORT], file:PATH or terminal";

/// A target for light, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A DDP receiver: WLED, ESPixelStick, Falcon, xLights and others.
    Ddp {
        /// Host name or address; a link-local IPv6 address includes its interface, `fe80::1%eth0`.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// A file of raw frames, LEDs × 3 bytes each as the wire carries them.
    File(PathBuf),
    /// This terminal, in 24-bit colour.
    Terminal,
}

impl Target {
    /// Reads a target whose path may be any name that the file system allows.
    ///
    /// # Errors
    ///
    /// A sentence with the valid forms.
    pub fn from_os(text: &OsStr) -> Result<Self, String> {
        match (text.to_str(), path_of(text)) {
            (Some(text), _) => text.parse(),
            (None, Some(path)) => Ok(Self::File(path)),
            (None, None) => Err(unknown(&text.to_string_lossy())),
        }
    }
}

/// The path of `file:PATH`; `None` for other forms.
#[cfg(unix)]
fn path_of(text: &OsStr) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let path = text.as_bytes().strip_prefix(b"file:").filter(|p| !p.is_empty())?;
    Some(OsStr::from_bytes(path).into())
}

#[cfg(windows)]
fn path_of(text: &OsStr) -> Option<PathBuf> {
    use std::os::windows::ffi::{OsStrExt, OsStringExt};
    let wide: Vec<u16> = text.encode_wide().collect();
    let prefix: Vec<u16> = "file:".encode_utf16().collect();
    let path = wide.strip_prefix(&*prefix).filter(|p| !p.is_empty())?;
    Some(std::ffi::OsString::from_wide(path).into())
}

fn unknown(text: &str) -> String {
    // Suggest a correction for common mistakes.
    let hint = match text.split_once("://") {
        Some((_, rest)) if !rest.is_empty() => format!(" (did you mean ddp://{rest}?)"),
        None if !text.is_empty() && is_name(text) => format!(" (did you mean ddp://{text}?)"),
        _ => String::new(),
    };
    format!("K1 does not know the target “{text}”{hint}; use {FORMS}")
}

/// True if `text` may be a host name.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.len() <= 253
        && text.split('.').all(|label| (1..64).contains(&label.len()) && label.chars().all(fits))
        // A name whose last label is a number is a malformed address.
        && text.rsplit('.').next().is_some_and(|last| !last.chars().all(|c| c.is_ascii_digit()))
}

/// Checks the host of a network light.
fn host(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("“{text}” {why}; use {FORMS}"));
    let inner = text.strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'));
    let Some(inner) = inner else { return wrong("has a bracket that is not closed") };
    if inner.is_empty() {
        return Err(format!("ddp:// needs a host; use {FORMS}"));
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
                Err(format!("“{ip}” is a link-local address; add the interface, as in ddp://[{ip}%eth0]"))
            }
            None => Ok(ip.to_string()),
        };
    }
    if inner.parse::<Ipv4Addr>().is_ok() || is_name(inner) {
        return Ok(inner.to_owned());
    }
    wrong("is neither a name nor an address")
}

impl FromStr for Target {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s == "terminal" {
            return Ok(Self::Terminal);
        }
        if let Some(path) = s.strip_prefix("file:") {
            return if path.is_empty() {
                Err(format!("file: needs a path; use {FORMS}"))
            } else {
                Ok(Self::File(path.into()))
            };
        }
        let scheme = s.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("ddp://"));
        let Some(rest) = scheme.map(|scheme| &s[scheme.len()..]) else { return Err(unknown(s)) };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // IPv6 addresses have brackets: [::1] or [::1]:4048.
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, port)) if !rest.ends_with(']') && (rest.starts_with('[') || !name.contains(':')) => {
                let number = port.parse().ok().filter(|port| *port > 0);
                (name, number.ok_or_else(|| format!("“{port}” is not a port; use {FORMS}"))?)
            }
            _ => (rest, k1_wire::ddp::PORT),
        };
        Ok(Self::Ddp { host: host(name)?, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ddp { host, port } if host.contains(':') => write!(f, "ddp://[{host}]:{port}"),
            Self::Ddp { host, port } => write!(f, "ddp://{host}:{port}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Terminal => write!(f, "terminal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written() {
        let ddp = |host: &str, port| Target::Ddp { host: host.into(), port };
        for (text, target) in [
            ("ddp://wled.local", ddp("wled.local", 4048)),
            ("DDP://wled", ddp("wled", 4048)),
            ("ddp://10.0.0.7:5000/", ddp("10.0.0.7", 5000)),
            ("ddp://[::1]:5000", ddp("::1", 5000)),
            ("ddp://[fe80::1%eth0]", ddp("fe80::1%eth0", 4048)),
            ("ddp://[fe80::1%25eth0]:7", ddp("fe80::1%eth0", 7)),
            ("ddp://::1", ddp("::1", 4048)),
            ("ddp://lampe-küche", ddp("lampe-küche", 4048)),
            ("file:/tmp/a", Target::File("/tmp/a".into())),
            ("terminal", Target::Terminal),
        ] {
            let parsed: Target = text.parse().unwrap();
            assert_eq!(parsed, target, "{text}");
            assert_eq!(parsed.to_string().parse::<Target>().unwrap(), target);
        }
    }

    #[test]
    fn what_can_never_shine_is_refused_with_the_forms_that_can() {
        for wrong in [
            "",
            "ddp://",
            "ddp:///",
            "ddp://x:99999",
            "ddp://x:0",
            "ddp://x:",
            "http://x",
            "dpp://x",
            "file:",
            "ddp:x",
            "ddp://a b",
            "ddp://a..b",
            "ddp://10.0.0.300",
            "ddp://10.0.0",
            "ddp://[::1",
            "ddp://[x]",
            "ddp://[fe80::1%]",
            "ddp://x/y",
            "ddp://me@x",
            "ddp://1:2:3",
            "wled.local",
            "Terminal",
        ] {
            assert!(wrong.parse::<Target>().unwrap_err().contains("ddp://HOST"), "{wrong}");
        }
        let refused = "ddp://[fe80::1]".parse::<Target>().unwrap_err();
        assert!(refused.contains("ddp://[fe80::1%eth0]"), "{refused}");
        assert!("wled.local".parse::<Target>().unwrap_err().contains("did you mean ddp://wled.local?"));
        assert!("dpp://x".parse::<Target>().unwrap_err().contains("did you mean ddp://x?"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_may_be_any_name() {
        use std::os::unix::ffi::OsStrExt;
        let text = OsStr::from_bytes(b"file:/tmp/\xff.bin");
        assert_eq!(Target::from_os(text), Ok(Target::File(OsStr::from_bytes(b"/tmp/\xff.bin").into())));
        assert!(Target::from_os(OsStr::from_bytes(b"ddp://\xff")).is_err());
        assert_eq!(Target::from_os(OsStr::new("terminal")), Ok(Target::Terminal));
    }
}
