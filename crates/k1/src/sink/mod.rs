//! Outputs for light. A slow light drops frames and counts them, and K1 retries a missing one; neither delays other lights
//! or the renderer.

mod address;
mod chip;
mod cid;
pub mod file;
mod fit;
mod hosts;
pub mod light;
pub mod lookup;
mod multicast;
pub mod poll;
pub mod probe;
mod protocol;
mod query;
mod serial;
mod settings;
#[cfg(all(feature = "spi", target_os = "linux"))]
mod spi;
mod target;
pub mod terminal;
pub mod udp;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

pub use fit::Fit;
pub use light::Light;
pub use settings::{LightSettings, Stop};
pub use target::{LightConfig, Target};

use address::Address;
use chip::Chip;
use k1_engine::light::Rgb;
use k1_host::output::{Output, Spared};
use k1_wire::pixel::Pixel;
use k1_wire::{artnet, sacn};
use lookup::{Host, Real};
use serial::SerialSink;
use udp::UdpSink;

/// A frame for one light.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Linear light of the strip.
    pub light: &'a [Rgb],
    /// The light's own channels.
    pub channels: &'a [u8],
}

/// Something that shows finished frames, on its own thread.
pub trait Sink: Send {
    /// Shows a frame. An error is counted, and the next frame is tried all the same.
    fn show(&mut self, frame: &Frame) -> std::io::Result<()>;

    /// True if a late frame is lost and showing one is quick; its thread then gets a higher priority.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Does due work between frames. Called regularly.
    fn tend(&mut self) {}

    /// Ends the light. `last` are the channels of the last frame, which is still to be shown if the light becomes dark.
    fn end(&mut self, stop: Stop, last: &[u8]) -> std::io::Result<()>;
}

/// An open light.
pub struct Open {
    /// Its state and figures.
    pub light: Arc<Light>,
    /// Shows its frames.
    pub sink: Box<dyn Sink>,
    /// Makes its channels of the strip.
    pub fit: Fit,
    /// True if the program waits at its end until this light is done, however long that takes (a file).
    pub is_kept: bool,
}

/// The strip that is shown on all lights.
#[derive(Clone, Copy, Debug)]
pub struct Strip {
    /// Number of LEDs.
    pub leds: usize,
    /// Greatest current in mA; `None` = unlimited.
    pub limit_ma: Option<f32>,
}

/// Checks that a light has a channel for each LED of a strip.
///
/// # Errors
///
/// A sentence if its protocol has too few universes.
pub fn fits(wanted: &LightConfig, strip: usize) -> Result<(), String> {
    let (universes, last) = match &wanted.target {
        Target::ArtNet { universes, .. } => (universes, artnet::LAST_UNIVERSE),
        Target::Sacn { universes, .. } => (universes, sacn::LAST_UNIVERSE),
        _ => return Ok(()),
    };
    let (target, channels) = (&wanted.target, wanted.settings.channels_of(strip));
    universes.check(channels, last).map_err(|e| {
        format!("{target} has no room for {channels} channels: {e}; use a lower universe or fewer LEDs")
    })
}

/// Opens a light. A light on the network is looked up later, by its own thread, so that K1 starts even if it is missing.
///
/// # Errors
///
/// A sentence if a file cannot be written or is the sound itself, if there is no terminal, or if the protocol has too few
/// channels for the LEDs.
pub fn open(wanted: &LightConfig, strip: Strip, spared: &Spared) -> Result<Open, String> {
    let LightConfig { target, settings } = wanted;
    let name = settings.name.clone().unwrap_or_else(|| target.to_string());
    let light = Arc::new(Light::with(name, settings.clone()));
    let via = |interface, address: &Address, protocol| {
        let host = Host::new(&address.host, address.port, Arc::new(Real));
        (Box::new(UdpSink::new(host, interface, protocol, light.clone())) as Box<dyn Sink>, false)
    };
    let udp = |address: &Address, protocol| via(None, address, protocol);
    let pixel = if settings.order.has_white() { Pixel::Rgbw } else { Pixel::Rgb };
    fits(wanted, strip.leds)?;
    let (sink, is_kept): (Box<dyn Sink>, _) = match target {
        Target::Ddp(address) => udp(address, Box::new(protocol::Ddp::new(pixel))),
        Target::ArtNet { address, universes, syncs } => {
            udp(address, Box::new(protocol::ArtNet::new(artnet::Sender::new(*universes, *syncs))))
        }
        Target::Sacn { address, interface, universes, priority, sync_universe } => {
            let identity = sacn::Identity::new(cid::cid(&format!("{}\n{target}", light.name))?, "K1");
            let sender = sacn::Sender::new(identity, *universes, *priority, *sync_universe);
            // The route to the first group is the route to all of them.
            let group = Ipv4Addr::from(sacn::group(universes.first()));
            let to = address.clone().unwrap_or(Address { host: group.to_string(), port: sacn::PORT });
            via(*interface, &to, Box::new(protocol::Sacn::new(sender, address.is_none())))
        }
        Target::Wled { address, timeout_s } => udp(address, Box::new(protocol::Wled::new(pixel, *timeout_s))),
        Target::Serial { speech, path, baud } => {
            (Box::new(SerialSink::new(path, *baud, *speech, light.clone())), false)
        }
        Target::Spi { path, chip } => (at_spi(path, *chip, light.clone())?, false),
        Target::File(path) => {
            let file = record(path, spared)?;
            let is_kept = file.is_file();
            (Box::new(file::FileSink::new(file, light.clone())), is_kept)
        }
        Target::Terminal => (Box::new(terminal::TerminalSink::new(&light)?), false),
    };
    let fit = Fit::new(settings.clone(), strip.leds, strip.limit_ma);
    Ok(Open { light, sink, fit, is_kept })
}

#[cfg(all(feature = "spi", target_os = "linux"))]
fn at_spi(path: &str, chip: Chip, light: Arc<Light>) -> Result<Box<dyn Sink>, String> {
    Ok(Box::new(spi::SpiSink::new(path, chip, light)))
}

#[cfg(not(all(feature = "spi", target_os = "linux")))]
fn at_spi(path: &str, _: Chip, _: Arc<Light>) -> Result<Box<dyn Sink>, String> {
    Err(format!(
        "this K1 was built without SPI, which spi:{path} needs; build one on Linux with `cargo build --release -p k1 --features \
         spi`"
    ))
}

fn record(path: &Path, spared: &Spared) -> Result<Output, String> {
    Output::record(path, spared).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spi_needs_its_feature() {
        let config: LightConfig = "spi:/dev/spidev0.0?chip=apa102".parse().unwrap();
        let opened = open(&config, Strip { leds: 3, limit_ma: None }, &Spared::default());
        let has_it = cfg!(all(feature = "spi", target_os = "linux"));
        assert_eq!(opened.is_ok(), has_it);
        let said = opened.err().unwrap_or_default();
        assert!(has_it || said.contains("--features spi"), "{said}");
    }
}
