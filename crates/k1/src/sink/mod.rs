//! Outputs for light. A slow light drops frames and counts them, and K1 retries a missing one; neither delays other lights
//! or the renderer.

mod address;
pub mod file;
mod hosts;
pub mod light;
pub mod lookup;
mod multicast;
mod protocol;
mod query;
mod target;
pub mod terminal;
pub mod udp;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

pub use light::Light;
pub use target::Target;

use address::Address;
use k1_host::output::{Output, Spared};
use k1_wire::universes::Universes;
use k1_wire::{artnet, sacn};
use lookup::{Host, Real};
use udp::UdpSink;

/// Something that shows finished frames, on its own thread.
pub trait Sink: Send {
    /// Shows a frame, given as values for a wire and as values for a screen. An error is counted, and the next frame is
    /// tried all the same.
    fn show(&mut self, wire: &[[u8; 3]], screen: &[[u8; 3]]) -> std::io::Result<()>;

    /// True if a late frame is lost and showing one is quick; its thread then gets a higher priority.
    fn is_urgent(&self) -> bool {
        false
    }

    /// True if it shows values for a screen.
    fn is_screen(&self) -> bool {
        false
    }

    /// Does due work between frames. Called regularly.
    fn tend(&mut self) {}

    /// Turns the lights off and cleans up.
    fn dark(&mut self, leds: usize) -> std::io::Result<()>;
}

/// An open light.
pub struct Open {
    /// Its state and figures.
    pub light: Arc<Light>,
    /// Shows its frames.
    pub sink: Box<dyn Sink>,
    /// True if the program waits at its end until this light is done, however long that takes (a file).
    pub is_kept: bool,
}

/// Opens a light; without a name, its target is its name. A light on the network is looked up later, by its own thread, so that K1 starts even if it is missing.
///
/// # Errors
///
/// A sentence if a file cannot be written or is the sound itself, if there is no terminal, or if the protocol has too few
/// channels for so many LEDs.
pub fn open(target: &Target, name: Option<&str>, leds: usize, spared: &Spared) -> Result<Open, String> {
    let light = Arc::new(Light::new(name.map_or_else(|| target.to_string(), str::to_owned)));
    let udp = |address: &Address, protocol| {
        let host = Host::new(&address.host, address.port, Arc::new(Real));
        (Box::new(UdpSink::new(host, protocol, light.clone())) as Box<dyn Sink>, false)
    };
    let (sink, is_kept): (Box<dyn Sink>, _) = match target {
        Target::Ddp(address) => udp(address, Box::new(protocol::Ddp::default())),
        Target::ArtNet { address, universes, syncs } => {
            has_room(target, *universes, leds, artnet::LAST_UNIVERSE)?;
            udp(address, Box::new(protocol::ArtNet::new(artnet::Sender::new(*universes, *syncs))))
        }
        Target::Sacn { address, universes, priority, sync_universe } => {
            has_room(target, *universes, leds, sacn::LAST_UNIVERSE)?;
            let identity = sacn::Identity::new(cid()?, "K1");
            let sender = sacn::Sender::new(identity, *universes, *priority, *sync_universe);
            // The route to the first group is the route to all of them.
            let group = || Address {
                host: Ipv4Addr::from(sacn::group(universes.first())).to_string(),
                port: sacn::PORT,
            };
            let to = address.clone().unwrap_or_else(group);
            udp(&to, Box::new(protocol::Sacn::new(sender, address.is_none())))
        }
        Target::File(path) => {
            let file = record(path, spared)?;
            let is_kept = file.is_file();
            (Box::new(file::FileSink::new(file, light.clone())), is_kept)
        }
        Target::Terminal => (Box::new(terminal::TerminalSink::new(&light)?), false),
    };
    Ok(Open { light, sink, is_kept })
}

/// Checks that a protocol has universes for so many LEDs.
fn has_room(target: &Target, universes: Universes, leds: usize, last: u16) -> Result<(), String> {
    universes
        .check(leds * 3, last)
        .map_err(|e| format!("{target} has no room for {leds} LEDs: {e}; use a lower universe or fewer LEDs"))
}

/// A random id, as a version 4 UUID.
fn cid() -> Result<[u8; 16], String> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| format!("this system provides no random numbers: {e}"))?;
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    Ok(id)
}

fn record(path: &Path, spared: &Spared) -> Result<Output, String> {
    Output::record(path, spared).map_err(|e| e.to_string())
}
