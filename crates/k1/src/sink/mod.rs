//! Outputs for light. A slow light drops frames and counts them, and K1 retries a missing one; neither delays other lights
//! or the renderer.

pub mod ddp;
pub mod file;
mod hosts;
pub mod light;
pub mod lookup;
mod multicast;
mod target;
pub mod terminal;

use std::path::Path;
use std::sync::Arc;

pub use light::Light;
pub use target::Target;

use k1_host::output::{Output, Spared};

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
/// A sentence if a file cannot be written or is the sound itself, or if there is no terminal.
pub fn open(target: &Target, name: Option<&str>, spared: &Spared) -> Result<Open, String> {
    let light = Arc::new(Light::new(name.map_or_else(|| target.to_string(), str::to_owned)));
    let (sink, is_kept): (Box<dyn Sink>, _) = match target {
        Target::Ddp { host, port } => {
            let resolve = Arc::new(lookup::Real);
            (Box::new(ddp::DdpSink::new(host, *port, light.clone(), resolve)), false)
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

fn record(path: &Path, spared: &Spared) -> Result<Output, String> {
    Output::record(path, spared).map_err(|e| e.to_string())
}
