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
use super::chip::Chip;
use super::hosts::is_one_host;
use super::query::Query;
use super::serial::Speech;
use super::settings::{LightSettings, Order, Stop};

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
    /// A strip at an SPI interface.
    Spi {
        /// The interface.
        path: String,
        /// The chips of the strip.
        chip: Chip,
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
    let settings = LightSettings::take(&mut query, Stop::Dark, Order::RGB)?;
    query.end()?;
    if settings.order.has_white() {
        return Err(format!("{scheme} carries red, green and blue only; write an order without w"));
    }
    Ok(LightConfig { target: Target::Serial { speech, path: path.to_owned(), baud }, settings })
}

/// Reads the interface and the settings of a strip at an SPI interface.
fn spi(text: &str) -> Result<LightConfig, String> {
    let (path, mut query) = Query::split(text)?;
    if path.is_empty() || path.starts_with("//") {
        return Err(format!("spi: needs an interface, as in spi:/dev/spidev0.0; use {FORMS}"));
    }
    let chip = Chip::take(&mut query)?;
    let settings = LightSettings::take(&mut query, Stop::Dark, chip.order())?;
    query.end()?;
    if settings.order.has_white() && matches!(chip, Chip::Apa102 { .. }) {
        return Err("an APA102 has red, green and blue only; write an order without w".into());
    }
    Ok(LightConfig { target: Target::Spi { path: path.to_owned(), chip }, settings })
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
        if let Some(rest) = s.strip_prefix("spi:") {
            return spi(rest);
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
        let settings = LightSettings::take(&mut query, stop, Order::RGB)?;
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
            Self::Spi { path, chip } => write!(f, "spi:{path}{}", chip.query()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Terminal => write!(f, "terminal"),
        }
    }
}

#[cfg(test)]
mod tests;
