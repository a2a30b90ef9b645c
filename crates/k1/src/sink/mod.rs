//! Where light goes. A slow light drops frames and counts them, and one that is not there is tried again; neither delays
//! another or the renderer.

pub mod ddp;
pub mod file;
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

/// Something that shows finished frames, on a thread of its own.
pub trait Sink: Send {
    /// Shows a frame: what the wire carries and what a screen should show. An error is counted; the next frame is tried
    /// again.
    fn show(&mut self, wire: &[[u8; 3]], screen: &[[u8; 3]]) -> std::io::Result<()>;

    /// True if a frame that comes late is lost, and a frame takes no time: its thread goes before ordinary ones.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Does what is due between frames; called now and then.
    fn tend(&mut self) {}

    /// Leaves the lights dark and the place tidy.
    fn dark(&mut self, leds: usize) -> std::io::Result<()>;
}

/// A place for light that is open.
pub struct Open {
    /// How it is.
    pub light: Arc<Light>,
    /// What shows frames there.
    pub sink: Box<dyn Sink>,
    /// True if the end of the program waits until it is done, however long that takes: a file.
    pub is_kept: bool,
}

/// Opens a place for light. A light on the network is looked for later, by its own thread: whether it is there is no
/// reason not to start.
///
/// # Errors
///
/// A sentence: a file cannot be written, or is the sound, or there is no terminal.
pub fn open(target: &Target, spared: &Spared) -> Result<Open, String> {
    let light = Arc::new(Light::new(target.to_string()));
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
