//! Targets for light, as given on the command line.

use std::ffi::OsStr;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use k1_wire::universes::Universes;
use k1_wire::{artnet, ddp, sacn, wled};

use super::address::{Address, FORMS, is_name};
use super::hosts::is_one_host;
use super::query::Query;
use super::serial::Speech;
use super::settings::{LightSettings, Stop};

/// Channels of a universe by default: 170 RGB pixels, so that none lies in two universes.
const WHOLE_PIXELS: u16 = 510;

/// A target for light, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A DDP receiver: WLED, ESPixelStick, Falcon, xLights and others.
    Ddp(Address),
    /// An Art-Net node.
    ArtNet {
        /// Its address.
        address: Address,
        /// The universes of its channels.
        universes: Universes,
        /// True if all universes are to be shown at the same moment, by `ArtSync`.
        syncs: bool,
    },
    /// sACN receivers.
    Sacn {
        /// Address of one receiver; `None` for the multicast groups of the universes.
        address: Option<Address>,
        /// Address of this machine from whose network multicast leaves; `None` = as the system routes it.
        interface: Option<Ipv4Addr>,
        /// The universes of the channels.
        universes: Universes,
        /// Priority, 0 … 200.
        priority: u8,
        /// Synchronisation universe, if all universes are to be shown at the same moment.
        sync_universe: Option<u16>,
    },
    /// WLED, by its own realtime protocol.
    Wled {
        /// Its address.
        address: Address,
        /// Seconds after which WLED returns to its own effects if no frame arrives; 255 = never.
        timeout_s: u8,
    },
    /// A light on a serial port.
    Serial {
        /// What it speaks.
        speech: Speech,
        /// The port.
        path: String,
        /// Speed in baud.
        baud: u32,
    },
    /// A file of raw frames, LEDs × 3 bytes each as the wire carries them.
    File(PathBuf),
    /// This terminal, in 24-bit colour.
    Terminal,
}

/// A target and how the light there is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct LightConfig {
    /// Where the light is.
    pub target: Target,
    /// How it is driven.
    pub settings: LightSettings,
}

impl From<Target> for LightConfig {
    /// A light with the usual settings. A recording has every frame.
    fn from(target: Target) -> Self {
        Self { target, settings: LightSettings { keep_alive_ms: 0, ..LightSettings::default() } }
    }
}

impl LightConfig {
    /// Reads a target whose path may be any name that the file system allows.
    ///
    /// # Errors
    ///
    /// A sentence with the valid forms.
    pub fn from_os(text: &OsStr) -> Result<Self, String> {
        match (text.to_str(), path_of(text)) {
            (Some(text), _) => text.parse(),
            (None, Some(path)) => Ok(Target::File(path).into()),
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

/// Seconds after which WLED returns to its own effects by default: several frames of a light that stands still.
const WLED_TIMEOUT_S: u8 = 5;
/// Speed of a serial port by default, in baud.
const BAUD: u32 = 115_200;
/// The universes of sACN.
const SACN_UNIVERSES: RangeInclusive<u16> = sacn::FIRST_UNIVERSE..=sacn::LAST_UNIVERSE;

/// Reads the port and the settings of a light on a serial port.
fn serial(speech: Speech, text: &str) -> Result<LightConfig, String> {
    let (path, mut query) = Query::split(text)?;
    let scheme = speech.scheme();
    if path.is_empty() || path.starts_with("//") {
        return Err(format!("{scheme}: needs a serial port, as in {scheme}:/dev/ttyUSB0; use {FORMS}"));
    }
    let baud = query.number("baud", 1_200..=4_000_000)?.unwrap_or(BAUD);
    let settings = LightSettings::take(&mut query, Stop::Dark)?;
    query.end()?;
    if settings.order.has_white() {
        return Err(format!("{scheme} carries red, green and blue only; write an order without w"));
    }
    Ok(LightConfig { target: Target::Serial { speech, path: path.to_owned(), baud }, settings })
}

/// The universes that a query asks for.
fn universes(query: &mut Query, all: RangeInclusive<u16>, first: u16) -> Result<Universes, String> {
    let first = query.number("universe", all)?.unwrap_or(first);
    let channels = query.number("channels", 1..=512)?.unwrap_or(WHOLE_PIXELS);
    Universes::new(first, channels).map_err(|e| e.to_string())
}

/// The interface that a query asks for, for sACN to `place`, or to all if that is empty.
fn interface(query: &mut Query, place: &str) -> Result<Option<Ipv4Addr>, String> {
    let Some(text) = query.text("interface") else { return Ok(None) };
    if !place.is_empty() {
        return Err(format!("interface is for multicast; write sacn://?interface={text}, without a host"));
    }
    match text.parse::<Ipv4Addr>() {
        Ok(ip) if is_one_host(ip.into()) => Ok(Some(ip)),
        _ => Err(format!("interface is an IPv4 address of this machine, such as 192.168.1.10, not “{text}”")),
    }
}

impl FromStr for LightConfig {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s == "terminal" {
            return Ok(Target::Terminal.into());
        }
        if let Some(path) = s.strip_prefix("file:") {
            return if path.is_empty() {
                Err(format!("file: needs a path; use {FORMS}"))
            } else {
                Ok(Target::File(path.into()).into())
            };
        }
        for speech in [Speech::Adalight, Speech::Tpm2] {
            if let Some(rest) = s.strip_prefix(speech.scheme()).and_then(|rest| rest.strip_prefix(':')) {
                return serial(speech, rest);
            }
        }
        let Some((scheme, rest)) = s.split_once("://") else { return Err(unknown(s)) };
        let (place, mut query) = Query::split(rest)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let address = |port| Address::parse(place, &format!("{scheme}://"), port);
        let mut stop = Stop::Dark;
        let target = match &*scheme.to_ascii_lowercase() {
            "ddp" => Target::Ddp(address(ddp::PORT)?),
            "artnet" => Target::ArtNet {
                address: address(artnet::PORT)?,
                universes: universes(&mut query, 0..=artnet::LAST_UNIVERSE, 0)?,
                syncs: query.flag("sync")?.unwrap_or(false),
            },
            "sacn" => Target::Sacn {
                address: if place.is_empty() { None } else { Some(address(sacn::PORT)?) },
                interface: interface(&mut query, place)?,
                universes: universes(&mut query, SACN_UNIVERSES, sacn::FIRST_UNIVERSE)?,
                priority: query.number("priority", 0..=sacn::MAX_PRIORITY)?.unwrap_or(sacn::DEFAULT_PRIORITY),
                sync_universe: query.number("sync_universe", SACN_UNIVERSES)?,
            },
            "wled" => {
                stop = Stop::Release;
                let timeout_s = query.number("timeout", 1..=wled::FOR_EVER)?.unwrap_or(WLED_TIMEOUT_S);
                Target::Wled { address: address(wled::PORT)?, timeout_s }
            }
            _ => return Err(unknown(s)),
        };
        let settings = LightSettings::take(&mut query, stop)?;
        query.end()?;
        Ok(Self { target, settings })
    }
}

fn write_universes(universes: Universes, f: &mut fmt::Formatter) -> fmt::Result {
    write!(f, "?universe={}", universes.first())?;
    if universes.channels() == WHOLE_PIXELS {
        Ok(())
    } else {
        write!(f, "&channels={}", universes.channels())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Ddp(address) => write!(f, "ddp://{address}"),
            Self::ArtNet { address, universes, syncs } => {
                write!(f, "artnet://{address}")?;
                write_universes(*universes, f)?;
                if *syncs { write!(f, "&sync=yes") } else { Ok(()) }
            }
            Self::Sacn { address, interface, universes, priority, sync_universe } => {
                f.write_str("sacn://")?;
                address.iter().try_for_each(|address| write!(f, "{address}"))?;
                write_universes(*universes, f)?;
                if *priority != sacn::DEFAULT_PRIORITY {
                    write!(f, "&priority={priority}")?;
                }
                sync_universe.iter().try_for_each(|universe| write!(f, "&sync_universe={universe}"))?;
                interface.iter().try_for_each(|address| write!(f, "&interface={address}"))
            }
            Self::Wled { address, timeout_s } => {
                write!(f, "wled://{address}")?;
                if *timeout_s == WLED_TIMEOUT_S { Ok(()) } else { write!(f, "?timeout={timeout_s}") }
            }
            Self::Serial { speech, path, baud } => {
                write!(f, "{}:{path}", speech.scheme())?;
                if *baud == BAUD { Ok(()) } else { write!(f, "?baud={baud}") }
            }
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
        let at = |host: &str, port| Address { host: host.into(), port };
        let ddp = |host: &str, port| Target::Ddp(at(host, port));
        let artnet = |first, channels, syncs| {
            let universes = Universes::new(first, channels).unwrap();
            Target::ArtNet { address: at("10.0.0.5", 6454), universes, syncs }
        };
        let sacn = |address, first, priority, sync_universe| {
            let universes = Universes::new(first, 510).unwrap();
            Target::Sacn { address, interface: None, universes, priority, sync_universe }
        };
        let leaving = |last| {
            let universes = Universes::new(1, 510).unwrap();
            let interface = Some([10, 0, 0, last].into());
            Target::Sacn { address: None, interface, universes, priority: 100, sync_universe: None }
        };
        let serial = |speech, path: &str, baud| Target::Serial { speech, path: path.into(), baud };
        for (text, target) in [
            ("ddp://wled.local", ddp("wled.local", 4048)),
            ("DDP://wled", ddp("wled", 4048)),
            ("ddp://10.0.0.7:5000/", ddp("10.0.0.7", 5000)),
            ("ddp://[::1]:5000", ddp("::1", 5000)),
            ("ddp://[fe80::1%eth0]", ddp("fe80::1%eth0", 4048)),
            ("ddp://[fe80::1%25eth0]:7", ddp("fe80::1%eth0", 7)),
            ("ddp://::1", ddp("::1", 4048)),
            ("ddp://lampe-küche", ddp("lampe-küche", 4048)),
            ("artnet://10.0.0.5", artnet(0, 510, false)),
            ("artnet://10.0.0.5/?universe=3&channels=512&sync=yes", artnet(3, 512, true)),
            ("sacn://", sacn(None, 1, 100, None)),
            ("sacn://?universe=7&priority=150&sync_universe=8", sacn(None, 7, 150, Some(8))),
            ("sacn://?interface=10.0.0.2", leaving(2)),
            ("sacn://10.0.0.5", sacn(Some(at("10.0.0.5", 5568)), 1, 100, None)),
            ("wled://wled.local", Target::Wled { address: at("wled.local", 21_324), timeout_s: 5 }),
            (
                "wled://wled.local?timeout=255",
                Target::Wled { address: at("wled.local", 21_324), timeout_s: 255 },
            ),
            ("adalight:/dev/ttyUSB0", serial(Speech::Adalight, "/dev/ttyUSB0", 115_200)),
            ("tpm2:COM3?baud=1000000", serial(Speech::Tpm2, "COM3", 1_000_000)),
            ("file:/tmp/a", Target::File("/tmp/a".into())),
            ("terminal", Target::Terminal),
        ] {
            assert_eq!(text.parse::<LightConfig>().unwrap().target, target, "{text}");
            assert_eq!(target.to_string().parse::<LightConfig>().unwrap().target, target);
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
            "adalight:",
            "tpm2://x",
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
            assert!(wrong.parse::<LightConfig>().unwrap_err().contains("ddp://HOST"), "{wrong}");
        }
        let refused = "ddp://[fe80::1]".parse::<LightConfig>().unwrap_err();
        assert!(refused.contains("ddp://[fe80::1%eth0]"), "{refused}");
        assert!("wled.local".parse::<LightConfig>().unwrap_err().contains("did you mean ddp://wled.local?"));
        assert!("dpp://x".parse::<LightConfig>().unwrap_err().contains("did you mean ddp://x?"));
    }

    #[test]
    fn a_setting_that_a_light_does_not_have_is_refused_with_those_that_it_has() {
        for (wrong, says) in [
            ("artnet://x?universe=40000", "universe is 0 … 32767, not “40000”"),
            ("artnet://x?channels=0", "channels is 1 … 512, not “0”"),
            ("sacn://x?universe=0", "universe is 1 … 63999, not “0”"),
            ("sacn://x?priority=201", "priority is 0 … 200, not “201”"),
            (
                "sacn://?interface=eth0",
                "interface is an IPv4 address of this machine, such as 192.168.1.10, not “eth0”",
            ),
            (
                "sacn://?interface=239.255.0.1",
                "interface is an IPv4 address of this machine, such as 192.168.1.10, not “239.255.0.1”",
            ),
            (
                "sacn://x?interface=10.0.0.2",
                "interface is for multicast; write sacn://?interface=10.0.0.2, without a host",
            ),
            ("artnet://x?sync=maybe", "sync is yes or no, not “maybe”"),
            ("wled://x?timeout=0", "timeout is 1 … 255, not “0”"),
            ("tpm2:COM3?baud=9", "baud is 1200 … 4000000, not “9”"),
            (
                "adalight:COM3?order=rgbw",
                "adalight carries red, green and blue only; write an order without w",
            ),
            ("ddp://x?brightness=3", "brightness is 0 … 1, not “3”"),
            ("artnet://x?universe=3&universe=4", "universe is given twice"),
            ("artnet://x?universe", "write NAME=VALUE in place of “universe”"),
        ] {
            assert_eq!(wrong.parse::<LightConfig>().unwrap_err(), says, "{wrong}");
        }
        let said = "artnet://x?univers=3".parse::<LightConfig>().unwrap_err();
        assert!(
            said.starts_with("there is no setting “univers”; use universe, channels, sync, name, leds"),
            "{said}"
        );
        assert_eq!("ddp://x?".parse::<LightConfig>(), "ddp://x".parse());
        let stop = |text: &str| text.parse::<LightConfig>().unwrap().settings.stop;
        assert_eq!(
            ["ddp://x", "wled://x", "wled://x?stop=dark"].map(stop),
            [Stop::Dark, Stop::Release, Stop::Dark]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_path_may_be_any_name() {
        use std::os::unix::ffi::OsStrExt;
        let text = OsStr::from_bytes(b"file:/tmp/\xff.bin");
        let file = Target::File(OsStr::from_bytes(b"/tmp/\xff.bin").into());
        assert_eq!(LightConfig::from_os(text), Ok(file.into()));
        assert!(LightConfig::from_os(OsStr::from_bytes(b"ddp://\xff")).is_err());
        assert_eq!(LightConfig::from_os(OsStr::new("terminal")), Ok(Target::Terminal.into()));
    }
}
