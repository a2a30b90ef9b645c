//! Live sound through the PulseAudio protocol, in pure Rust; PipeWire speaks it too.

use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use pulseaudio::protocol::{ProtocolError, PulseError};
use pulseaudio::{Client, ClientError, protocol};
use tokio::runtime::Runtime;

use super::{Device, Error, Kind, Source, choose, socket};

/// Sound that the server collects before it sends: 4 ms of mono f32 at 16 kHz.
const FRAGMENT_BYTES: u32 = 4 * k1_engine::SAMPLE_RATE * 4 / 1000;
/// Fragments that may wait between server and reader: over a second.
const QUEUE: usize = 256;
/// A server or device that says nothing for so long is asked whether it is still there: even silence is sent.
const PATIENCE: Duration = Duration::from_secs(3);

/// Lists microphones and monitors.
pub fn devices() -> Result<Vec<Device>, Error> {
    let runtime = runtime()?;
    let client = connect()?;
    runtime.block_on(async { list(&client).await })
}

fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| Error::NoServer(e.to_string()))
}

fn connect() -> Result<Client, Error> {
    let socket = socket::connect().map_err(Error::NoServer)?;
    // The library waits for its handshake without end; these end it, and mean nothing once the socket no longer blocks.
    let patient =
        socket.set_read_timeout(Some(PATIENCE)).and_then(|()| socket.set_write_timeout(Some(PATIENCE)));
    patient.map_err(|e| Error::NoServer(e.to_string()))?;
    let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
    Client::new_unix(c"k1", socket, cookie).map_err(refused)
}

/// What the library reports, in words.
fn refused(e: ClientError) -> Error {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    Error::NoServer(match e {
        ClientError::Io(e) | ClientError::Protocol(ProtocolError::Io(e)) => match e.kind() {
            WouldBlock | TimedOut => "the one that listens says nothing".into(),
            _ => e.to_string(),
        },
        ClientError::Protocol(ProtocolError::ServerError(PulseError::AccessDenied)) => {
            "it denies access".into()
        }
        ClientError::Protocol(e) => e.to_string(),
        ClientError::Disconnected => "it has closed the connection".into(),
        e => e.to_string(),
    })
}

async fn list(client: &Client) -> Result<Vec<Device>, Error> {
    let patience = tokio::time::timeout(PATIENCE, async {
        let info = client.server_info().await.map_err(refused)?;
        let sources = client.list_sources().await.map_err(refused)?;
        Ok::<_, Error>((info, sources))
    });
    let (info, sources) =
        patience.await.map_err(|_| Error::NoServer("the one that listens says nothing".into()))??;
    let text = |s: &CString| s.to_string_lossy().into_owned();
    let default_source = info.default_source_name.as_ref().map(text);
    let default_monitor = info.default_sink_name.as_ref().map(|s| format!("{}.monitor", s.to_string_lossy()));
    Ok(sources
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
        .collect())
}

/// A microphone or monitor, delivered by the server as mono f32 at the engine's rate.
pub struct PulseSource {
    title: String,
    incoming: Receiver<Vec<f32>>,
    fragment: Vec<f32>,
    taken: usize,
    lost: std::sync::Arc<std::sync::atomic::AtomicU64>,
    runtime: Runtime,
    // Dropping the stream or the client ends the recording.
    stream: pulseaudio::RecordStream,
    _client: Client,
}

impl PulseSource {
    /// Starts recording from the device that `name` means.
    pub fn open(kind: Kind, name: Option<&str>) -> Result<Self, Error> {
        let runtime = runtime()?;
        let client = connect()?;
        let (title, incoming, lost, stream) = runtime.block_on(async {
            let devices = list(&client).await?;
            let device = choose(&devices, kind, name)?.clone();
            let (send, incoming) = sync_channel(QUEUE);
            let lost = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
            let params = protocol::RecordStreamParams {
                source_name: CString::new(device.name.clone()).ok(),
                sample_spec: protocol::SampleSpec {
                    format: protocol::SampleFormat::Float32Le,
                    channels: 1,
                    sample_rate: k1_engine::SAMPLE_RATE,
                },
                channel_map: protocol::ChannelMap::mono(),
                cvolume: Some(protocol::ChannelVolume::norm(1)),
                buffer_attr: protocol::stream::BufferAttr {
                    fragment_size: FRAGMENT_BYTES,
                    max_length: FRAGMENT_BYTES * 64,
                    ..Default::default()
                },
                flags: protocol::stream::StreamFlags { adjust_latency: true, ..Default::default() },
                ..Default::default()
            };
            let sink = fragments_to(send, lost.clone());
            let stream = client.create_record_stream(params, sink).await.map_err(refused)?;
            Ok::<_, Error>((device.description, incoming, lost, stream))
        })?;
        Ok(Self { title, incoming, fragment: Vec::new(), taken: 0, lost, runtime, stream, _client: client })
    }

    /// Asks the server whether the recording still exists: it says nothing by itself when a device goes away.
    fn is_alive(&self) -> bool {
        let asked = async { tokio::time::timeout(PATIENCE, self.stream.timing_info()).await };
        matches!(self.runtime.block_on(asked), Ok(Ok(_)))
    }
}

/// Called by the library's thread with each fragment; it must never wait.
fn fragments_to(
    send: SyncSender<Vec<f32>>,
    lost: std::sync::Arc<std::sync::atomic::AtomicU64>,
) -> impl FnMut(&[u8]) + Send + 'static {
    move |bytes: &[u8]| {
        let samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if let Err(TrySendError::Full(_)) = send.try_send(samples) {
            lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl Source for PulseSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        while self.taken == self.fragment.len() {
            match self.incoming.recv_timeout(PATIENCE) {
                Ok(fragment) => {
                    self.fragment = fragment;
                    self.taken = 0;
                }
                // A suspended device sends nothing at all; to the light that is silence.
                Err(RecvTimeoutError::Timeout) if self.is_alive() => {
                    self.fragment = vec![0.0; k1_engine::HOP];
                    self.taken = 0;
                }
                Err(RecvTimeoutError::Timeout) => return Err(Error::Gone(self.title.clone())),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Gone("the sound server".into())),
            }
        }
        let n = out.len().min(self.fragment.len() - self.taken);
        out[..n].copy_from_slice(&self.fragment[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn is_live(&self) -> bool {
        true
    }

    fn skipped(&self) -> u64 {
        self.lost.load(std::sync::atomic::Ordering::Relaxed)
    }
}
