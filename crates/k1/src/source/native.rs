//! Live sound through the operating system's own interface (CoreAudio, WASAPI, ALSA), behind the feature `native-audio`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, SupportedStreamConfig};

use super::live::{Flow, Line, LiveSource};
use super::resample::Resampler;
use super::{Device, Error, Kind, choose};

/// Largest number of pieces of sound that wait between the system and the reader.
const QUEUE: usize = 256;
/// Longest wait for sound in one call.
const LOOK: Duration = Duration::from_millis(100);
/// Interval between checks whether the default device has changed or a silent device has gone.
const LOOK_AROUND: Duration = Duration::from_secs(1);

fn failed(e: impl std::fmt::Display) -> Error {
    Error::NoServer(e.to_string())
}

/// Lists microphones, and outputs whose sound the system lets programs hear (WASAPI loopback).
pub fn devices() -> Result<Vec<Device>, Error> {
    Ok(found()?.into_iter().map(|(device, _)| device).collect())
}

fn found() -> Result<Vec<(Device, cpal::Device)>, Error> {
    let host = cpal::default_host();
    let default_in = host.default_input_device().map(|d| name(&d));
    let default_out = host.default_output_device().map(|d| name(&d));
    let mut all = Vec::new();
    for device in host.input_devices().map_err(failed)? {
        let n = name(&device);
        let default = default_in.as_deref() == Some(&n);
        all.push((Device { kind: Kind::Mic, name: n.clone(), description: n, default }, device));
    }
    // Only Windows can record from an output as from an input.
    if cfg!(windows) {
        for device in host.output_devices().map_err(failed)? {
            let n = name(&device);
            let default = default_out.as_deref() == Some(&n);
            all.push((Device { kind: Kind::Monitor, name: n.clone(), description: n, default }, device));
        }
    }
    Ok(all)
}

fn name(device: &cpal::Device) -> String {
    device.description().map(|d| d.to_string()).unwrap_or_default()
}

/// Name of the system's default device of a kind, if it has one.
fn default_of(kind: Kind) -> Option<String> {
    let host = cpal::default_host();
    let device = match kind {
        Kind::Mic => host.default_input_device(),
        Kind::Monitor => host.default_output_device(),
    };
    device.map(|d| name(&d))
}

/// Listens to the device that matches `name`.
pub fn open(kind: Kind, name: Option<&str>) -> Result<LiveSource, Error> {
    let wanted = name.map(str::to_owned);
    LiveSource::start(kind, name, Box::new(move || line(kind, wanted.as_deref())))
}

/// A connection to the device that matches `name`, for the thread that makes it.
pub fn line(kind: Kind, name: Option<&str>) -> Result<Box<dyn Line>, Error> {
    Ok(Box::new(NativeLine::open(kind, name)?))
}

/// Messages from the system's threads.
enum Said {
    Sound(Vec<f32>),
    /// The stream can no longer be used.
    Ended,
}

/// A microphone or output of the system. On some systems its stream must stay on the thread that made it, and it does.
struct NativeLine {
    kind: Kind,
    is_named: bool,
    name: String,
    title: String,
    said: Receiver<Said>,
    resampler: Resampler,
    looked: Instant,
    heard_of: Instant,
    _stream: cpal::Stream,
}

impl NativeLine {
    fn open(kind: Kind, name: Option<&str>) -> Result<Self, Error> {
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
        let (say, said) = sync_channel(QUEUE);
        let stream = build(&device, &config, say)?;
        stream.play().map_err(failed)?;
        let now = Instant::now();
        Ok(Self {
            kind,
            is_named: name.is_some(),
            title: wanted.title(&listed),
            name: wanted.name,
            said,
            resampler,
            looked: now,
            heard_of: now,
            _stream: stream,
        })
    }

    /// True if another device is to be heard.
    fn look_around(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        if now - self.looked < LOOK_AROUND {
            return Ok(false);
        }
        self.looked = now;
        // Without a default device, stay with the current one.
        if !self.is_named && default_of(self.kind).is_some_and(|name| name != self.name) {
            return Ok(true);
        }
        // Not every system reports a removed device, so check for silent ones.
        if now - self.heard_of > 3 * LOOK_AROUND && !devices()?.iter().any(|d| d.name == self.name) {
            return Err(Error::Gone(self.title.clone()));
        }
        Ok(false)
    }
}

impl Line for NativeLine {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn hear(&mut self, sound: &mut Vec<f32>) -> Result<Flow, Error> {
        let mut said = self.said.recv_timeout(LOOK);
        loop {
            match said {
                Ok(Said::Sound(samples)) => {
                    self.heard_of = Instant::now();
                    self.resampler.push(&samples, sound);
                }
                Ok(Said::Ended) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Gone(self.title.clone()));
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
            match self.said.try_recv() {
                Ok(more) => said = Ok(more),
                Err(_) => break,
            }
        }
        Ok(if self.look_around()? { Flow::Elsewhere } else { Flow::Fine })
    }
}

fn build(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    say: SyncSender<Said>,
) -> Result<cpal::Stream, Error> {
    match config.sample_format() {
        SampleFormat::F32 => stream::<f32>(device, config, say),
        SampleFormat::I16 => stream::<i16>(device, config, say),
        SampleFormat::U16 => stream::<u16>(device, config, say),
        SampleFormat::I32 => stream::<i32>(device, config, say),
        other => Err(failed(format!("K1 does not support its sample format {other}"))),
    }
}

fn stream<T: SizedSample>(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    say: SyncSender<Said>,
) -> Result<cpal::Stream, Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels()).max(1);
    let ends = say.clone();
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        let share = 1.0 / channels as f32;
        let mono =
            data.chunks_exact(channels).map(|f| f.iter().map(|x| f32::from_sample(*x)).sum::<f32>() * share);
        // The system's thread must never wait; drop sound if the queue is full.
        let _ = say.try_send(Said::Sound(mono.collect()));
    };
    let fails = move |e: cpal::Error| {
        if !is_passing(&e) {
            // If the queue is full, the ended stream will be silent, which is noticed as well.
            let _ = ends.try_send(Said::Ended);
        }
    };
    device.build_input_stream(config.config(), heard, fails, None).map_err(failed)
}

/// True for an error that loses a piece of sound but not the stream.
fn is_passing(e: &cpal::Error) -> bool {
    matches!(
        e.kind(),
        cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged
    )
}
