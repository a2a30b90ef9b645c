//! Live sound through the PulseAudio protocol, in pure Rust; PipeWire speaks it too.

mod client;
mod socket;

use std::ffi::CString;
use std::time::{Duration, Instant};

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, ChannelVolume, Command, CreateRecordStreamReply, Prop, Props, PulseError, RecordStreamParams,
    SampleFormat, SampleSpec, ServerInfo, SourceInfoList, SubscriptionMask,
};

use self::client::{Client, Message, PATIENCE, Trouble};
use super::live::{Flow, Line, LiveSource};
use super::{Device, Error, Kind, choose};

/// Size of the pieces that the server sends: 4 ms of mono f32 at 16 kHz.
const FRAGMENT_BYTES: u32 = 4 * k1_engine::SAMPLE_RATE * 4 / 1000;
/// Size of the server's buffer for a late reader: 128 ms. Older sound is useless.
const KEPT_BYTES: u32 = FRAGMENT_BYTES * 32;
/// Longest wait for sound in one call.
const LOOK: Duration = Duration::from_millis(100);
/// Silence of the server after which K1 sends it a request, because a suspended device is silent, too.
const QUIET: Duration = Duration::from_secs(1);
/// Time without an answer after which K1 reconnects.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// Delay after the last of several events before K1 looks at their result.
const SETTLED: Duration = Duration::from_millis(100);

/// Time to look up a machine's name for a list of devices.
const NAMING: Duration = Duration::from_secs(5);
/// The same for an attempt to listen, so that a missing server is reported soon. The next attempt continues the lookup.
const NAMING_ON: Duration = Duration::from_secs(2);

/// Lists microphones and monitors.
pub fn devices() -> Result<Vec<Device>, Error> {
    let mut client = Client::connect(NAMING)?;
    Ok(list(&mut client)?.0)
}

/// Listens to the device that matches `name`.
pub fn open(kind: Kind, name: Option<&str>) -> Result<LiveSource, Error> {
    let wanted = name.map(str::to_owned);
    LiveSource::start(kind, name, Box::new(move || line(kind, wanted.as_deref())))
}

/// A connection to the device that matches `name`, for the thread that makes it.
pub fn line(kind: Kind, name: Option<&str>) -> Result<Box<dyn Line>, Error> {
    Ok(Box::new(PulseLine::open(kind, name)?))
}

fn list(client: &mut Client) -> Result<(Vec<Device>, SourceInfoList), Trouble> {
    let info: ServerInfo = client.ask(&Command::GetServerInfo)?;
    let sources: SourceInfoList = client.ask(&Command::GetSourceInfoList)?;
    Ok((devices_of(&info, &sources), sources))
}

fn devices_of(info: &ServerInfo, sources: &SourceInfoList) -> Vec<Device> {
    let text = |s: &CString| s.to_string_lossy().into_owned();
    let default_source = info.default_source_name.as_ref().map(text);
    let default_monitor = info.default_sink_name.as_ref().map(|s| format!("{}.monitor", s.to_string_lossy()));
    sources
        .iter()
        .map(|s| {
            let name = text(&s.name);
            let kind = if s.monitor_of_sink_index.is_some() || name.ends_with(".monitor") {
                Kind::Monitor
            } else {
                Kind::Mic
            };
            let default = match kind {
                Kind::Mic => default_source.as_deref() == Some(&name),
                Kind::Monitor => default_monitor.as_deref() == Some(&name),
            };
            Device {
                kind,
                description: s.description.as_ref().map_or_else(|| name.clone(), text),
                name,
                default,
            }
        })
        .collect()
}

/// A recording of a microphone or monitor, delivered by the server as mono f32 at the engine's rate.
struct PulseLine {
    client: Client,
    kind: Kind,
    wanted: Option<String>,
    channel: u32,
    /// The recorded device.
    device: Place,
    title: String,
    /// The device before a move, until K1 knows the reason for the move.
    moved_from: Option<Place>,
    /// The device that was the target when a person moved the recording. K1 leaves it there until another device is the
    /// target.
    moved_off: Option<Place>,
    /// Time of the last sound or answer. Other messages do not prove that the server works.
    heard_of: Instant,
    asked: Option<Asked>,
    look_again: Option<Instant>,
}

/// A device by its index: a device that is unplugged and returns has its old name but a new index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: String,
    index: u32,
}

/// The device of that name, if the server has one.
fn place(sources: &SourceInfoList, name: &str) -> Option<Place> {
    let source = sources.iter().find(|s| s.name.to_bytes() == name.as_bytes())?;
    Some(Place { name: name.to_owned(), index: source.index })
}

/// A pending request.
struct Asked {
    number: u32,
    at: Instant,
    /// The answer to the first request, while the second is pending.
    info: Option<ServerInfo>,
}

impl PulseLine {
    fn open(kind: Kind, name: Option<&str>) -> Result<Self, Error> {
        let mut client = Client::connect(NAMING_ON)?;
        // Subscribe first, so that changes during the start are reported, too.
        client.tell(&Command::Subscribe(
            SubscriptionMask::SERVER | SubscriptionMask::SOURCE | SubscriptionMask::SINK,
        ))?;
        let (devices, sources) = list(&mut client)?;
        let device = choose(&devices, kind, name)?.clone();
        let mut props = Props::new();
        props.set(Prop::MediaName, c"light");
        let recording = RecordStreamParams {
            source_name: CString::new(device.name.clone()).ok(),
            sample_spec: SampleSpec {
                format: SampleFormat::Float32Le,
                channels: 1,
                sample_rate: k1_engine::SAMPLE_RATE,
            },
            channel_map: ChannelMap::mono(),
            cvolume: Some(ChannelVolume::norm(1)),
            buffer_attr: BufferAttr {
                fragment_size: FRAGMENT_BYTES,
                max_length: KEPT_BYTES,
                ..Default::default()
            },
            flags: StreamFlags { adjust_latency: true, ..Default::default() },
            props,
            ..Default::default()
        };
        let made: CreateRecordStreamReply = client.ask(&Command::CreateRecordStream(recording))?;
        Ok(Self {
            client,
            kind,
            wanted: name.map(str::to_owned),
            channel: made.channel,
            title: device.title(&devices),
            device: place(&sources, &device.name).ok_or(Error::Gone(device.description))?,
            moved_from: None,
            moved_off: None,
            heard_of: Instant::now(),
            asked: None,
            look_again: None,
        })
    }

    /// Handles one message; true if another device is to be heard.
    fn take(&mut self, message: Message, sound: &mut Vec<f32>) -> Result<bool, Error> {
        match message {
            Message::Sound { channel, bytes } if channel == self.channel => {
                let samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                sound.extend(samples);
                if !bytes.is_empty() {
                    self.heard_of = Instant::now();
                }
            }
            Message::Event(event) => match *event {
                Command::RecordStreamKilled(channel) if channel == self.channel => return Err(self.gone()),
                Command::RecordStreamMoved(to) if to.stream_index == self.channel => {
                    let name = to.device_name.to_string_lossy().into_owned();
                    let to = Place { name, index: to.device_index };
                    let from = std::mem::replace(&mut self.device, to);
                    self.moved_from.get_or_insert(from);
                    self.look_again = Some(Instant::now());
                }
                Command::SubscribeEvent(_) => self.look_again = Some(Instant::now() + SETTLED),
                _ => {}
            },
            Message::Answer { to, body } => return self.answer(to, body),
            _ => {}
        }
        Ok(false)
    }

    fn answer(&mut self, to: u32, body: Result<Vec<u8>, PulseError>) -> Result<bool, Error> {
        let Some(asked) = self.asked.take_if(|a| a.number == to) else { return Ok(false) };
        self.heard_of = Instant::now();
        let body = body.map_err(Trouble::Refused)?;
        match asked.info {
            None => {
                let info = self.client.read(&body)?;
                let number = self.client.send(&Command::GetSourceInfoList)?;
                self.asked = Some(Asked { number, at: Instant::now(), info: Some(info) });
                Ok(false)
            }
            Some(info) => {
                let sources = self.client.read(&body)?;
                self.compare(&devices_of(&info, &sources), &sources)
            }
        }
    }

    /// Compares the recording with the devices; true if another device is to be heard.
    fn compare(&mut self, devices: &[Device], sources: &SourceInfoList) -> Result<bool, Error> {
        let wanted = choose(devices, self.kind, self.wanted.as_deref()).map_err(|_| self.gone())?;
        let wanted = place(sources, &wanted.name).ok_or_else(|| self.gone())?;
        if let Some(from) = self.moved_from.take() {
            // A server moves a recording away from an unplugged device, even if another one has its name by now. A person
            // moves it away from a device that is still there.
            let is_there = place(sources, &from.name).as_ref() == Some(&from);
            self.moved_off = is_there.then(|| wanted.clone());
        }
        // When a person chooses another default or plugs the device in again, follow it from then on.
        self.moved_off.take_if(|meant| *meant != wanted);
        self.device = place(sources, &self.device.name).ok_or_else(|| self.gone())?;
        if self.moved_off.is_none() && wanted != self.device {
            return Ok(true);
        }
        if let Some(device) = devices.iter().find(|d| d.name == self.device.name) {
            self.title = device.title(devices);
        }
        Ok(false)
    }

    fn gone(&self) -> Error {
        Error::Gone(self.title.clone())
    }

    fn ask(&mut self) -> Result<(), Error> {
        let number = self.client.send(&Command::GetServerInfo)?;
        self.asked = Some(Asked { number, at: Instant::now(), info: None });
        self.look_again = None;
        Ok(())
    }

    fn look(&mut self, sound: &mut Vec<f32>) -> Result<Flow, Error> {
        let heard_of = self.heard_of;
        let mut message = self.client.next(Instant::now() + LOOK)?;
        let has_come = message.is_some();
        // Treat everything that has arrived as one piece; its length shows whether it is too old.
        while let Some(one) = message {
            if self.take(one, sound)? {
                return Ok(Flow::Elsewhere);
            }
            message = self.client.ready()?;
        }
        let now = Instant::now();
        let is_heard = self.heard_of != heard_of;
        match &self.asked {
            None if self.look_again.is_some_and(|at| now >= at) || now - self.heard_of > QUIET => {
                self.ask()?
            }
            // Only silence of the whole server counts, because this program itself may have been stopped.
            Some(asked) if !is_heard && now - self.heard_of > PATIENCE => {
                if now - asked.at > GIVEN_UP {
                    return Err(Error::Hangs);
                }
                if has_come {
                    // Limit the time for messages that deliver no sound.
                    std::thread::sleep(LOOK / 10);
                }
                if now - asked.at > QUIET {
                    return Ok(Flow::Hangs);
                }
            }
            _ => {}
        }
        Ok(Flow::Fine)
    }
}

impl Line for PulseLine {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn hear(&mut self, sound: &mut Vec<f32>) -> Result<Flow, Error> {
        // A connection that breaks means that the server has gone, not that it was missing.
        self.look(sound).map_err(|e| match e {
            Error::NoServer(_) => Error::Gone("the sound server".into()),
            e => e,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::client::tests::welcomed;
    use super::*;
    use std::io::Write;

    fn line(client: Client) -> PulseLine {
        PulseLine {
            client,
            kind: Kind::Monitor,
            wanted: None,
            channel: 0,
            device: Place { name: "one.monitor".into(), index: 1 },
            title: "One".into(),
            moved_from: None,
            moved_off: None,
            heard_of: Instant::now(),
            asked: None,
            look_again: None,
        }
    }

    #[test]
    fn a_server_that_only_talks_hangs_and_is_given_up() {
        // Empty sound of the right channel, sound of another channel, and a malformed command.
        let other = [0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let none = [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let talks = [vec![0; 20], other.to_vec(), none.to_vec()];
        let lines: Vec<_> = talks
            .into_iter()
            .map(|says| {
                std::thread::spawn(move || {
                    let (client, mut server) = welcomed();
                    std::thread::spawn(move || while server.write_all(&says.repeat(100)).is_ok() {});
                    let (mut line, mut sound) = (line(client), Vec::new());
                    let began = Instant::now();
                    let mut noticed = None;
                    while began.elapsed() < Duration::from_secs(60) {
                        match line.look(&mut sound) {
                            Ok(Flow::Fine) => assert!(noticed.is_none(), "it hangs all the time"),
                            Ok(Flow::Hangs) => noticed = noticed.or(Some(began.elapsed())),
                            Err(Error::Hangs) => break,
                            other => panic!("{other:?}"),
                        }
                    }
                    (noticed, began.elapsed(), sound.len())
                })
            })
            .collect();
        for one in lines {
            let (noticed, given_up, sound) = one.join().unwrap();
            assert!(noticed.is_some_and(|n| n < Duration::from_secs(10)), "{noticed:?}");
            assert!(given_up < Duration::from_secs(30) && sound == 0, "{given_up:?}");
        }
    }
}
