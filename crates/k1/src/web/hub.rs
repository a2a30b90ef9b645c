//! Collects frames, sound and thumbnails on one thread and hands them to every connection.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use k1_device::live::{self, HeardHop};
use k1_device::thumbnails::{THUMBNAIL_US, Thumbnails};
use k1_engine::light::{Palette, srgb_byte};
use tokio::sync::{broadcast, watch};

use super::system::{Sampler, System};
use crate::runtime::{Controls, Frames, Playing, Runtime, Shared, SoundReader};

/// Hops in a sound message: 32 ms.
const HOPS_PER_MESSAGE: usize = 4;

/// The source of every connection's messages.
pub struct Hub {
    /// The newest frame, encoded.
    pub frames: watch::Receiver<Bytes>,
    /// The newest pixels of all zones, encoded.
    pub zones: watch::Receiver<Bytes>,
    /// Number of connections that want the zones; if it is 0, their pixels are not encoded.
    pub zone_viewers: Arc<AtomicUsize>,
    /// Every sound message, in order.
    pub sound: broadcast::Sender<Bytes>,
    /// The newest thumbnails, encoded.
    pub thumbnails: watch::Receiver<Bytes>,
    /// Number of connections that want thumbnails; if it is 0, thumbnails are not rendered.
    pub thumbnail_viewers: Arc<AtomicUsize>,
    /// Processor and memory use, sampled once a second.
    pub system: watch::Receiver<System>,
}

/// Starts the collecting thread.
pub fn start(runtime: &Runtime, tapped: rtrb::Consumer<HeardHop>, frames: Frames) -> std::io::Result<Hub> {
    let (frame_out, frame_in) = watch::channel(Bytes::new());
    let (zone_out, zones) = watch::channel(Bytes::new());
    let zone_viewers = Arc::new(AtomicUsize::new(0));
    let (sound_out, _) = broadcast::channel(64);
    let (thumbnail_out, thumbnails) = watch::channel(Bytes::new());
    let (system_out, system) = watch::channel(System::default());
    let viewers = Arc::new(AtomicUsize::new(0));
    let collector = Collector {
        shared: runtime.shared.clone(),
        controls: runtime.controls.clone(),
        sound: runtime.sound.clone(),
        zones: runtime.cast.zones(),
        frames,
        tapped,
        frame_out,
        zone_out,
        zone_viewers: zone_viewers.clone(),
        sound_out: sound_out.clone(),
        thumbnail_out,
        system_out,
        viewers: viewers.clone(),
    };
    let wakes = runtime.page_wakes.clone();
    std::thread::Builder::new().name("k1-page".into()).spawn(move || {
        let _ = wakes.set(std::thread::current());
        collector.run();
    })?;
    Ok(Hub {
        frames: frame_in,
        zones,
        zone_viewers,
        sound: sound_out,
        thumbnails,
        thumbnail_viewers: viewers,
        system,
    })
}

struct Collector {
    shared: Arc<Shared>,
    controls: Controls,
    sound: SoundReader,
    zones: Arc<Mutex<Vec<Playing>>>,
    frames: Frames,
    tapped: rtrb::Consumer<HeardHop>,
    frame_out: watch::Sender<Bytes>,
    zone_out: watch::Sender<Bytes>,
    zone_viewers: Arc<AtomicUsize>,
    sound_out: broadcast::Sender<Bytes>,
    thumbnail_out: watch::Sender<Bytes>,
    system_out: watch::Sender<System>,
    viewers: Arc<AtomicUsize>,
}

impl Collector {
    fn run(mut self) {
        let mut sampler = Sampler::default();
        let mut next_sample = 0;
        let mut next_thumbnail = 0;
        let mut thumbnails: Option<Thumbnails> = None;
        let mut waiting: Vec<HeardHop> = Vec::with_capacity(HOPS_PER_MESSAGE);
        let mut screen = Vec::new();
        while !self.shared.stop.load(Relaxed) {
            if let Some(frame) = self.frames.take() {
                // Without an open page, nobody takes it.
                if self.frame_out.receiver_count() > 0 {
                    screen.clear();
                    screen.extend(frame.light.iter().map(|c| [c.r, c.g, c.b].map(srgb_byte)));
                    let first = frame.zones.first().map_or(0, |n| *n);
                    let message = live::frame(frame.at_us, &screen[..first], self.sound.latest()).into();
                    let _ = self.frame_out.send(message);
                    // The first zone alone is in the frame already.
                    if frame.zones.len() > 1 && self.zone_viewers.load(Relaxed) > 0 {
                        let _ = self.zone_out.send(live::zones(&frame.zones, &screen).into());
                    }
                }
            } else {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            while let Ok(hop) = self.tapped.pop() {
                waiting.push(hop);
                if waiting.len() == HOPS_PER_MESSAGE {
                    if self.sound_out.receiver_count() > 0 {
                        let _ = self.sound_out.send(live::sound(&waiting).into());
                    }
                    waiting.clear();
                }
            }
            let now = self.shared.clock.now_us();
            if now >= next_sample {
                next_sample = now + 1_000_000;
                let _ = self.system_out.send(sampler.sample());
            }
            if self.viewers.load(Relaxed) == 0 {
                thumbnails = None;
            } else if now >= next_thumbnail {
                next_thumbnail = now + THUMBNAIL_US;
                let shows = thumbnails.get_or_insert_default();
                let params = self.controls.settings().params;
                shows.set_own_palettes(own_palettes(&self.zones));
                let message = shows.render(now, self.sound.latest(), params);
                let _ = self.thumbnail_out.send(message.into());
            }
        }
    }
}

/// The user's own palettes, which all zones share.
pub fn own_palettes(zones: &Mutex<Vec<Playing>>) -> &'static [Palette] {
    let zones = zones.lock().unwrap_or_else(PoisonError::into_inner);
    zones.first().map(|zone| zone.palettes).unwrap_or_default()
}
