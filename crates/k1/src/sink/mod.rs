//! Where light goes. A slow sink drops frames and counts them; it never delays another or the renderer.

pub mod ddp;
pub mod file;
pub mod terminal;

use std::fmt;
use std::path::PathBuf;

/// A place for light, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A DDP receiver: WLED, ESPixelStick, Falcon, xLights and others.
    Ddp {
        /// Host name or address.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// A file of raw frames, LEDs × 3 bytes each as the wire carries them.
    File(PathBuf),
    /// This terminal, in 24-bit colour.
    Terminal,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        const FORMS: &str = "ddp://HOST[:PORT], file:PATH or terminal";
        if s == "terminal" {
            return Ok(Self::Terminal);
        }
        if let Some(path) = s.strip_prefix("file:") {
            return if path.is_empty() {
                Err(format!("file: needs a path; {FORMS}"))
            } else {
                Ok(Self::File(path.into()))
            };
        }
        let Some(rest) = s.strip_prefix("ddp://") else {
            return Err(format!("“{s}” is no place for light that K1 knows; use {FORMS}"));
        };
        let rest = rest.trim_end_matches('/');
        // An IPv6 address stands in brackets: [::1] or [::1]:4048.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') && (rest.starts_with('[') || !host.contains(':')) => {
                let port = port.parse().map_err(|_| format!("“{port}” is not a port; use {FORMS}"))?;
                (host, port)
            }
            _ => (rest, k1_wire::ddp::PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(format!("ddp:// needs a host; use {FORMS}"));
        }
        Ok(Self::Ddp { host: host.to_owned(), port })
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

/// Something that shows finished frames, on a thread of its own.
pub trait Sink: Send {
    /// Shows a frame: what the wire carries and what a screen should show. An error is reported and counted; the next
    /// frame is tried again.
    fn show(&mut self, wire: &[[u8; 3]], screen: &[[u8; 3]]) -> std::io::Result<()>;

    /// Leaves the lights dark and the place tidy.
    fn dark(&mut self, leds: usize) -> std::io::Result<()>;
}

/// Opens a place for light.
pub fn open(target: &Target) -> Result<Box<dyn Sink>, String> {
    match target {
        Target::Ddp { host, port } => Ok(Box::new(ddp::DdpSink::open(host, *port)?)),
        Target::File(path) => Ok(Box::new(
            file::FileSink::create(path).map_err(|e| format!("{} cannot be written: {e}", path.display()))?,
        )),
        Target::Terminal => Ok(Box::new(terminal::TerminalSink::new()?)),
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
            ("ddp://10.0.0.7:5000/", ddp("10.0.0.7", 5000)),
            ("ddp://[::1]:5000", ddp("::1", 5000)),
            ("ddp://[fe80::1]", ddp("fe80::1", 4048)),
            ("ddp://::1", ddp("::1", 4048)),
            ("file:/tmp/a", Target::File("/tmp/a".into())),
            ("terminal", Target::Terminal),
        ] {
            let parsed: Target = text.parse().unwrap();
            assert_eq!(parsed, target, "{text}");
            assert_eq!(parsed.to_string().parse::<Target>().unwrap(), target);
        }
        for wrong in ["", "ddp://", "ddp://x:99999", "ddp://x:", "http://x", "file:"] {
            assert!(wrong.parse::<Target>().unwrap_err().contains("ddp://HOST"), "{wrong}");
        }
    }
}
