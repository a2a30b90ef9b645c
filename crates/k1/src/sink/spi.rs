//! Strips at an SPI interface of this machine, such as a Raspberry Pi's.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k1_device::answers::LightState;
use k1_wire::spi::{apa102, ws2812};
use spidev::{SpiModeFlags, Spidev, SpidevOptions};

use super::chip::Chip;
use super::light::{Light, LightStatus};
use super::{Frame, Sink, Stop};

/// Pause between two attempts to open the interface.
const AGAIN: Duration = Duration::from_secs(2);
/// Most bytes that spidev takes at once, unless the system is set up otherwise.
const USUAL_BUFFER: usize = 4_096;
/// The file that says how many it takes.
const BUFFER: &str = "/sys/module/spidev/parameters/bufsiz";

/// The data line of a strip.
trait Line: Send {
    /// Most bytes of one transfer.
    fn longest(&self) -> usize;

    /// Sends bytes in one transfer, and returns once they are out.
    fn transfer(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// An interface of the Linux driver `spidev`.
struct Device {
    device: Spidev,
    longest: usize,
}

impl Line for Device {
    fn longest(&self) -> usize {
        self.longest
    }

    fn transfer(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The driver takes all of it in one transfer, or refuses it.
        self.device.write_all(bytes)
    }
}

/// Opens an interface.
fn open(path: &str, speed_hz: u32) -> Result<Box<dyn Line>, String> {
    let mut device = Spidev::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            format!("there is no {path}; on a Raspberry Pi, write dtparam=spi=on into config.txt and restart")
        }
        ErrorKind::PermissionDenied => format!("this user may not use {path}; add it to the group spi"),
        _ => format!("{path} cannot be opened: {e}"),
    })?;
    let options =
        SpidevOptions::new().bits_per_word(8).max_speed_hz(speed_hz).mode(SpiModeFlags::SPI_MODE_0).build();
    device
        .configure(&options)
        .map_err(|e| format!("{path} is not an SPI interface of {speed_hz} Hz: {e}"))?;
    let buffer = std::fs::read_to_string(BUFFER).ok().and_then(|text| text.trim().parse().ok());
    Ok(Box::new(Device { device, longest: buffer.unwrap_or(USUAL_BUFFER) }))
}

/// A strip at an interface, or at one that is not there yet.
pub struct SpiSink {
    light: Arc<Light>,
    path: String,
    chip: Chip,
    line: Option<Box<dyn Line>>,
    open_at: Instant,
    bytes: Vec<u8>,
}

impl SpiSink {
    /// A strip at an interface, which is opened later.
    pub fn new(path: &str, chip: Chip, light: Arc<Light>) -> Self {
        let (line, bytes) = (None, Vec::new());
        Self { light, path: path.to_owned(), chip, line, open_at: Instant::now(), bytes }
    }

    /// Opens the interface when that is due.
    fn open(&mut self) {
        if self.line.is_some() || Instant::now() < self.open_at {
            return;
        }
        self.open_at = Instant::now() + AGAIN;
        let speed_hz = match self.chip {
            Chip::Ws2812(expansion) => expansion.speed_hz(),
            Chip::Apa102 { speed_hz } => speed_hz,
        };
        match open(&self.path, speed_hz) {
            Ok(line) => self.opened(line),
            Err(why) => self.is_away(why),
        }
    }

    fn opened(&mut self, line: Box<dyn Line>) {
        let (needed, longest) = (self.bytes.len(), line.longest());
        if matches!(self.chip, Chip::Ws2812(_)) && needed > longest {
            self.is_away(format!(
                "a frame has {needed} bytes, and this system sends at most {longest} at once; write spidev.bufsiz={} into \
                 cmdline.txt and restart, or use fewer LEDs",
                needed.next_power_of_two()
            ));
            return;
        }
        self.line = Some(line);
        let address = Some(self.path.clone());
        self.light.stands(LightStatus { state: LightState::Shining, reason: None, address });
    }

    fn is_away(&mut self, why: String) {
        self.line = None;
        self.light.stands(LightStatus { state: LightState::Unreachable, reason: Some(why), address: None });
    }

    fn send(&mut self, channels: &[u8]) -> io::Result<()> {
        self.bytes.clear();
        match self.chip {
            Chip::Ws2812(expansion) => self.bytes.extend(ws2812(channels, expansion)),
            Chip::Apa102 { .. } => self.bytes.extend(apa102(channels)),
        }
        self.open();
        let Some(line) = &mut self.line else { return Err(ErrorKind::NotConnected.into()) };
        // A strip with a clock waits between two parts of a frame; one without takes a frame that fits as a whole.
        let longest = line.longest();
        let sent = self.bytes.chunks(longest.max(1)).try_for_each(|part| line.transfer(part));
        match &sent {
            Ok(()) => self.light.sent(),
            Err(e) => self.is_away(format!("{} does not take frames any longer: {e}", self.path)),
        }
        sent
    }
}

impl Sink for SpiSink {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        self.send(frame.channels)
    }

    fn tend(&mut self) {
        self.light.tick();
    }

    fn end(&mut self, stop: Stop, last: &[u8]) -> io::Result<()> {
        if stop == Stop::Dark && self.line.is_some() { self.send(last) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_wire::spi::Expansion;
    use std::io::{PipeReader, PipeWriter, Read, pipe};

    /// A pipe in place of an interface, and the most bytes that it takes at once.
    struct Pipe(PipeWriter, usize);

    impl Line for Pipe {
        fn longest(&self) -> usize {
            self.1
        }

        fn transfer(&mut self, bytes: &[u8]) -> io::Result<()> {
            assert!(bytes.len() <= self.1);
            self.0.write_all(bytes)
        }
    }

    /// A strip with a line of this length.
    fn strip(path: &str, chip: Chip, longest: usize) -> (SpiSink, PipeReader, Arc<Light>) {
        let light = Arc::new(Light::new("spi".into()));
        let mut sink = SpiSink::new(path, chip, light.clone());
        let (reader, writer) = pipe().unwrap();
        sink.open_at = Instant::now() + Duration::from_secs(3_600);
        sink.bytes.resize(1, 0);
        sink.opened(Box::new(Pipe(writer, longest)));
        (sink, reader, light)
    }

    fn show(sink: &mut SpiSink, channels: &[u8]) -> io::Result<()> {
        sink.show(&Frame { light: &[], channels })
    }

    #[test]
    fn every_frame_and_a_dark_one_at_the_end_go_out_whole() {
        let ws2812_four = Chip::Ws2812(Expansion::Four);
        for (chip, longest) in [(ws2812_four, 4_096), (Chip::Apa102 { speed_hz: 1_000_000 }, 10)] {
            let (mut sink, mut reader, light) = strip("x", chip, longest);
            let channels: Vec<u8> = (1..=90).collect();
            show(&mut sink, &channels).unwrap();
            sink.end(Stop::Dark, &[0; 90]).unwrap();
            assert_eq!(light.status().state, LightState::Shining);
            drop(sink);
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            let frame = |channels: &[u8]| -> Vec<u8> {
                match chip {
                    Chip::Ws2812(expansion) => ws2812(channels, expansion).collect(),
                    Chip::Apa102 { .. } => apa102(channels).collect(),
                }
            };
            assert_eq!(bytes, [frame(&channels), frame(&[0; 90])].concat());
        }
    }

    #[test]
    fn an_interface_that_fails_is_unreachable_with_a_remedy() {
        let (mut sink, reader, light) = strip("x", Chip::Apa102 { speed_hz: 1_000_000 }, 4_096);
        drop(reader);
        assert!(show(&mut sink, &[1, 2, 3]).is_err());
        assert!(light.status().reason.unwrap().contains("does not take frames any longer"));
        assert!(show(&mut sink, &[1, 2, 3]).is_err(), "it is not there");

        let reason = |path: &str, channels: usize| {
            let light = Arc::new(Light::new("spi".into()));
            let mut sink = SpiSink::new(path, Chip::Ws2812(Expansion::Three), light.clone());
            assert!(show(&mut sink, &vec![1; channels]).is_err());
            assert!(sink.end(Stop::Dark, &[0; 3]).is_ok(), "an absent light does not delay the end");
            light.status().reason.unwrap()
        };
        assert!(reason("/dev/no-such-interface", 3).contains("dtparam=spi=on"));
        assert!(reason("/dev/null", 3).contains("/dev/null is not an SPI interface of 2400000 Hz"));
        // A WS2812 shows half a frame if the other half comes later.
        let light = Arc::new(Light::new("spi".into()));
        let mut sink = SpiSink::new("x", Chip::Ws2812(Expansion::Three), light.clone());
        sink.bytes.resize(5_490, 0);
        sink.opened(Box::new(Pipe(pipe().unwrap().1, USUAL_BUFFER)));
        let why = light.status().reason.unwrap();
        assert!(why.contains("has 5490 bytes") && why.contains("spidev.bufsiz=8192"), "{why}");
    }
}
