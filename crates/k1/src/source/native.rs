//! Live sound through the operating system's own interface (CoreAudio, WASAPI, ALSA), behind the feature `native-audio`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, SupportedStreamConfig};

use super::resample::Resampler;
use super::{Device, Error, Kind, Source, choose};

/// Pieces of sound that may wait between the system and the reader.
const QUEUE: usize = 256;
/// A system that says nothing for so long is silent.
const PATIENCE: Duration = Duration::from_secs(3);

fn failed(e: impl std::fmt::Display) -> Error {
    Error::NoServer(e.to_string())
}

/// Lists microphones, and outputs whose sound the system lets programs hear (WASAPI loopback).
pub fn devices() -> Result<Vec<Device>, Error> {
    Ok(found()?.into_iter().map(|(device, _)| device).collect())
}

fn found() -> Result<Vec<(Device, cpal::Device)>, Error> {
    let host = cpal::default_host();
    let name = |d: &cpal::Device| d.description().map(|d| d.to_string()).unwrap_or_default();
    let default_in = host.default_input_device().map(|d| name(&d));
    let default_out = host.default_output_device().map(|d| name(&d));
    let mut all = Vec::new();
    for device in host.input_devices().map_err(failed)? {
        let n = name(&device);
        let default = default_in.as_deref() == Some(&n);
        all.push((Device { kind: Kind::Mic, name: n.clone(), description: n, default }, device));
    }
    // Windows alone records from an output as if it were an input.
    if cfg!(windows) {
        for device in host.output_devices().map_err(failed)? {
            let n = name(&device);
            let default = default_out.as_deref() == Some(&n);
            all.push((Device { kind: Kind::Monitor, name: n.clone(), description: n, default }, device));
        }
    }
    Ok(all)
}

/// Starts recording from the device that `name` means.
pub fn open(kind: Kind, name: Option<&str>) -> Result<Box<dyn Source>, Error> {
    let found = found()?;
    let listed: Vec<Device> = found.iter().map(|(d, _)| d.clone()).collect();
    let wanted = choose(&listed, kind, name)?.clone();
    let device = found
        .into_iter()
        .find_map(|(d, device)| (d == wanted).then_some(device))
        .ok_or_else(|| Error::Gone(wanted.name.clone()))?;
    let config = match kind {
        Kind::Mic => device.default_input_config(),
        Kind::Monitor => device.default_output_config(),
    }
    .map_err(failed)?;
    let resampler = Resampler::new(config.sample_rate())?;
    let (send, incoming) = sync_channel(QUEUE);
    let (started, ready) = sync_channel(1);
    // On some systems a stream must stay on the thread that made it.
    let (alive, ended) = sync_channel::<()>(0);
    std::thread::Builder::new()
        .name("k1-native".into())
        .spawn(move || {
            let stream = build(&device, &config, send);
            let playing = stream.and_then(|s| s.play().map_err(failed).map(|()| s));
            match playing {
                Ok(stream) => {
                    let _ = started.send(Ok(()));
                    // Until the source is dropped.
                    let _ = ended.recv();
                    drop(stream);
                }
                Err(e) => {
                    let _ = started.send(Err(e));
                }
            }
        })
        .map_err(failed)?;
    ready.recv().map_err(failed)??;
    Ok(Box::new(NativeSource {
        title: wanted.description,
        incoming,
        resampler,
        ready: Vec::new(),
        taken: 0,
        _alive: alive,
    }))
}

fn build(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    send: SyncSender<Vec<f32>>,
) -> Result<cpal::Stream, Error> {
    match config.sample_format() {
        SampleFormat::F32 => stream::<f32>(device, config, send),
        SampleFormat::I16 => stream::<i16>(device, config, send),
        SampleFormat::U16 => stream::<u16>(device, config, send),
        SampleFormat::I32 => stream::<i32>(device, config, send),
        other => Err(failed(format!("its sample format {other} is not known"))),
    }
}

fn stream<T: SizedSample>(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    send: SyncSender<Vec<f32>>,
) -> Result<cpal::Stream, Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels()).max(1);
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        let share = 1.0 / channels as f32;
        let mono =
            data.chunks_exact(channels).map(|f| f.iter().map(|x| f32::from_sample(*x)).sum::<f32>() * share);
        // The system's thread must never wait; what has no room is lost.
        let _ = send.try_send(mono.collect());
    };
    let complain = |e: cpal::Error| crate::say(format_args!("k1: the sound device says: {e}"));
    device.build_input_stream(config.config(), heard, complain, None).map_err(failed)
}

/// A microphone or output of the system.
struct NativeSource {
    title: String,
    incoming: Receiver<Vec<f32>>,
    resampler: Resampler,
    ready: Vec<f32>,
    taken: usize,
    _alive: SyncSender<()>,
}

impl Source for NativeSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        while self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
            match self.incoming.recv_timeout(PATIENCE) {
                Ok(samples) => self.resampler.push(&samples, &mut self.ready),
                Err(RecvTimeoutError::Timeout) => self.ready.resize(k1_engine::HOP, 0.0),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Gone(self.title.clone())),
            }
        }
        let n = out.len().min(self.ready.len() - self.taken);
        out[..n].copy_from_slice(&self.ready[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn title(&self) -> String {
        self.title.clone()
    }

    fn is_live(&self) -> bool {
        true
    }
}
