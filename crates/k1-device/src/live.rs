//! Messages of the live WebSocket. The program and the lamp send the same ones.
//!
//! Text messages are JSON; binary messages begin with their kind. All numbers are little-endian.

use alloc::string::String;
use alloc::vec::Vec;

use k1_engine::HOP;
use k1_engine::audio::Snapshot;
use k1_engine::patterns::PATTERNS;
use serde::Serialize;

use crate::answers::{Light, LiveSound, ParamValues, Playlist, Power, Realtime, Vitals, Zone};
use crate::api;
use crate::backend::Backend;
use crate::error::{Refusal, Sentence};
use crate::exchange::{Change, Settings};
use crate::firmware::Receiving;
use crate::requests::Command;

/// Kinds of binary messages.
pub mod kind {
    /// A frame and the sound analysis at its time.
    pub const FRAME: u8 = 1;
    /// Samples of the sound.
    pub const SOUND: u8 = 2;
    /// Small moving pictures of every pattern.
    pub const THUMBNAILS: u8 = 3;
    /// Pixels of all zones.
    pub const ZONES: u8 = 4;
}

/// Bytes of a frame message before its pixels.
pub const FRAME_HEAD: usize = 140;
/// Bytes of a frame message behind its pixels. Messages of K1 0.1 end with the pixels.
pub const FRAME_TAIL: usize = 8;

/// A frame that shows at `at_us`, and the sound analysis at that time:
///
/// | bytes | content |
/// |---|---|
/// | 0 | kind 1 |
/// | 1 | 1 = silent |
/// | 2–3 | LEDs, u16 |
/// | 4–11 | time of the frame in µs, f64 |
/// | 12–51 | f32: level, RMS dB, peak dB, floor dB, BPM of the beats, phase, confidence, onset, seconds to the next beat, BPM that is believed |
/// | 52–59 | u32: beats, onsets |
/// | 60 | input state (0 fine, 1 clipping, 2 dead) |
/// | 61–63 | onset strength of low, middle, high sound, u8 |
/// | 64–127 | spectrum, u8 |
/// | 128–139 | chroma, u8 |
/// | 140– | R, G, B of each LED, sRGB |
///
/// Behind the pixels:
///
/// | bytes | content |
/// |---|---|
/// | 0–3 | position in the bar in beats, f32: 0 on the downbeat; 0 while the bar is unknown |
/// | 4 | beats in a bar, 0 while the bar is unknown |
/// | 5 | confidence of the downbeats, u8 |
/// | 6 | section (0 unknown, 1 steady, 2 build, 3 drop, 4 break) |
/// | 7 | how strongly the energy builds, u8 |
pub fn frame(at_us: u64, screen: &[[u8; 3]], s: &Snapshot) -> Vec<u8> {
    let mut m = Vec::with_capacity(FRAME_HEAD + screen.len() * 3 + FRAME_TAIL);
    m.extend([kind::FRAME, u8::from(s.silent)]);
    m.extend((screen.len() as u16).to_le_bytes());
    m.extend((at_us as f64).to_le_bytes());
    // Negative if the snapshot is newer than the frame: the phase must be the one at the frame's time.
    let age = at_us.wrapping_sub(s.captured_us).cast_signed() as f32 * 1e-6;
    let rate = s.bpm / 60.0;
    let phase = k1_engine::math::fract(s.beat_phase + age * rate);
    let tempo = s.tempo().unwrap_or(0.0);
    let next = if rate > 0.0 { (1.0 - phase) / rate } else { 0.0 };
    for x in [s.level, s.rms_db, s.peak_db, s.floor_db, s.bpm, phase, s.confidence, s.onset, next, tempo] {
        m.extend(x.to_le_bytes());
    }
    m.extend(s.beats.to_le_bytes());
    m.extend(s.onsets.to_le_bytes());
    m.push(s.input.code() as u8);
    let byte = |x: &f32| (x.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    m.extend(s.onset_bands.iter().map(byte));
    m.extend(s.smooth.iter().map(byte));
    m.extend(s.chroma.iter().map(byte));
    m.extend_from_slice(screen.as_flattened());
    m.extend(s.bar_position_after(age * rate).unwrap_or(0.0).to_le_bytes());
    m.extend([s.beats_per_bar as u8, byte(&s.bar_confidence), s.section.code() as u8, byte(&s.build)]);
    m
}

/// Pixels of all zones, which lie one after the other in `screen`: kind 4, number of zones u8, pixels of each u16, then R, G
/// and B of each pixel, sRGB.
pub fn zones(lengths: &[usize], screen: &[[u8; 3]]) -> Vec<u8> {
    let mut m = Vec::with_capacity(2 + 2 * lengths.len() + 3 * screen.len());
    m.extend([kind::ZONES, lengths.len() as u8]);
    lengths.iter().for_each(|n| m.extend((*n as u16).to_le_bytes()));
    m.extend_from_slice(screen.as_flattened());
    m
}

/// One hop of sound for the pages that listen.
#[derive(Clone, Copy, Debug)]
pub struct HeardHop {
    /// Time at which the first sample was captured, in µs.
    pub at_us: u64,
    /// The samples, −32,768 … 32,767.
    pub samples: [i16; HOP],
}

impl HeardHop {
    /// A hop made from samples −1 … 1.
    pub fn new(at_us: u64, samples: &[f32; HOP]) -> Self {
        Self { at_us, samples: core::array::from_fn(|i| (samples[i].clamp(-1.0, 1.0) * 32_767.0) as i16) }
    }
}

/// Sound: kind 2, 0, number of samples u16, capture time of the first sample in µs f64, then i16 samples at 16 kHz.
pub fn sound(hops: &[HeardHop]) -> Vec<u8> {
    let mut m = Vec::with_capacity(12 + hops.len() * HOP * 2);
    m.extend([kind::SOUND, 0]);
    m.extend(((hops.len() * HOP) as u16).to_le_bytes());
    m.extend((hops.first().map_or(0, |h| h.at_us) as f64).to_le_bytes());
    for hop in hops {
        hop.samples.iter().for_each(|s| m.extend(s.to_le_bytes()));
    }
    m
}

/// The first message to a page.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Hello<'a> {
    /// Version of K1.
    pub version: &'a str,
    /// Number of LEDs.
    pub leds: usize,
    /// Name of the source.
    pub source: &'a str,
    /// Target frame rate in frames per second.
    pub fps: u32,
    /// Time on K1's clock, in µs.
    pub server_us: u64,
    /// True if this K1 can send small moving pictures of every pattern.
    pub thumbnails: bool,
    /// True if this K1 takes firmware updates.
    pub takes_firmware: bool,
    /// True if this K1 keeps lights and zones in a show file.
    pub has_show: bool,
    /// Figures of the last seconds, oldest first.
    pub history: &'a [Vitals],
}

/// The settings in force, when they change.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct InForce<'a> {
    params: ParamValues<'a>,
    pattern: &'static str,
    gain: f32,
}

impl InForce<'_> {
    /// The message for these settings.
    pub fn new(s: &Settings) -> Self {
        let params = ParamValues { params: s.params, patch: None };
        Self { params, pattern: PATTERNS[s.pattern].id, gain: s.gain }
    }
}

/// The scene that is shown, when it changes, and the names of all scenes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "read", derive(serde::Deserialize))]
pub struct SceneNow {
    /// Name of the scene that is shown; null if there was none, or if a look was changed since.
    pub current: Option<String>,
    /// Names of all scenes, in the order of the show file.
    pub scenes: Vec<String>,
}

/// Measured figures, sent once a second.
#[derive(Clone, Debug, Serialize)]
pub struct Figures<'a> {
    /// Measured figures.
    pub vitals: Vitals,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Open WebSockets.
    pub sockets: usize,
    /// An update that is arriving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving: Option<Receiving>,
    /// The lights besides the page; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lights: Option<&'a [Light]>,
    /// Name of the sound that plays; absent on a lamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    /// Whether live sound arrives; absent if the sound is not live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_sound: Option<LiveSound<'static>>,
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused(pub Refusal);

impl Serialize for Refused {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("code", self.0.code())?;
        map.serialize_entry("message", &Sentence(self.0))?;
        map.end()
    }
}

/// A text message to a page.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Say<'a> {
    /// The first message.
    Hello(Hello<'a>),
    /// The settings in force.
    Settings(InForce<'a>),
    /// The zones and their looks.
    Zones(&'a [Zone]),
    /// Measured figures.
    Status(Figures<'a>),
    /// The scene that is shown.
    Scene(SceneNow),
    /// Whether the light is on, and its brightness.
    Power(Power),
    /// The playlist.
    Playlist(Playlist),
    /// A command was refused.
    Error(Refused),
    /// Answer to a ping, with the clock.
    #[serde(untagged)]
    Pong {
        /// Value from the page's ping.
        pong: f64,
        /// Time on K1's clock, in µs.
        server_us: u64,
    },
}

impl Say<'_> {
    /// The message as JSON.
    pub fn json(&self) -> Vec<u8> {
        api::json(self).unwrap_or_default()
    }
}

/// What a page wants K1 to send from now on; `None` = unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wishes {
    /// True to send sound.
    pub audio: Option<bool>,
    /// True to send small moving pictures of every pattern.
    pub thumbnails: Option<bool>,
    /// True to send the zones, their looks and their pixels.
    pub zones: Option<bool>,
    /// Minimum time between two frames, in µs.
    pub frame_interval_us: Option<u64>,
    /// Value of a ping, which K1 must answer.
    pub ping: Option<f64>,
}

/// Carries out a command as a whole, or changes nothing.
///
/// # Errors
///
/// The [`Refusal`] of the first wrong value.
pub fn obey(backend: &dyn Backend, message: &[u8]) -> Result<Wishes, Refusal> {
    let command: Command = api::parse(message)?;
    let (audio, thumbnails, fps) = (command.audio()?, command.thumbnails()?, command.fps()?);
    let (pattern, gain, zones) = (command.pattern()?, command.gain()?, command.zones()?);
    let own = backend.own_palettes().len();
    let params = command.params.map(|params| params.with_own_palettes(own));
    let params = params.as_ref().map(|p| p.changes()).transpose()?;
    let rest = pattern.map(Change::Pattern).into_iter().chain(gain.map(Change::Gain));
    let mut changes = params.into_iter().flatten().map(|(p, v)| Change::Param(p, v)).chain(rest);
    match command.zone()? {
        Some(zone) => backend.post_to(zone, &mut changes)?,
        None => backend.post(&mut changes),
    }
    Ok(Wishes {
        audio,
        thumbnails,
        zones,
        // Slightly less than the period, so that a frame that is a little early is not skipped.
        frame_interval_us: fps.map(|fps| (930_000.0 / fps) as u64),
        ping: command.ping,
    })
}

/// The message that `/ws` sends ten times per second.
pub fn realtime(backend: &dyn Backend) -> Vec<u8> {
    let s = backend.settings();
    let message = Realtime {
        kind: "realtime",
        timestamp: backend.now_us() / 1000,
        performance: backend.performance(),
        parameters: ParamValues { params: s.params, patch: None },
        current_pattern: s.pattern,
    };
    api::json(&message).unwrap_or_default()
}

/// The first message of `/ws`, and its answers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Legacy<'a> {
    /// The first message.
    Welcome {
        /// Number of the client; numbers are not reused.
        client_id: usize,
        /// Milliseconds since the start.
        timestamp: u64,
    },
    /// Answer to any text.
    Echo {
        /// The text.
        message: &'a str,
        /// Milliseconds since the start.
        timestamp: u64,
    },
}

impl Legacy<'_> {
    /// The message as JSON.
    pub fn json(&self) -> Vec<u8> {
        api::json(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_engine::audio::Section;

    #[test]
    fn messages_have_the_form_that_pages_know() {
        let text = |say: Say| String::from_utf8(say.json()).unwrap();
        assert_eq!(text(Say::Pong { pong: 1.5, server_us: 7 }), r#"{"pong":1.5,"server_us":7}"#);
        let settings = text(Say::Settings(InForce::new(&Settings::default())));
        assert!(settings.starts_with(r#"{"settings":{"params":{"brightness":1.0,"#), "{settings}");
        assert!(settings.contains(r#""color":0.33,"#), "not 0.33000001311302185: {settings}");
        let error = text(Say::Error(Refused(Refusal::PatternNotFound)));
        assert!(error.starts_with(r#"{"error":{"code":"pattern_not_found","message":"there"#), "{error}");
        let welcome = Legacy::Welcome { client_id: 3, timestamp: 9 }.json();
        assert_eq!(welcome, br#"{"type":"welcome","client_id":3,"timestamp":9}"#);
    }

    #[test]
    fn phase_and_next_beat_are_those_of_the_frames_own_time() {
        // A beat at 10.1 s at 120 BPM; the snapshot is older or newer than the frame.
        let s = |captured_us, beat_phase| Snapshot { captured_us, beat_phase, bpm: 120.0, ..Snapshot::EMPTY };
        for heard in [s(9_900_000, 0.6), s(10_000_000, 0.8), s(10_150_000, 0.1)] {
            let m = frame(10_000_000, &[], &heard);
            let f = |i: usize| f32::from_le_bytes(m[12 + 4 * i..16 + 4 * i].try_into().unwrap());
            assert!((f(5) - 0.8).abs() < 1e-4 && (f(8) - 0.1).abs() < 1e-4, "{} {}", f(5), f(8));
        }
    }

    #[test]
    fn a_frame_has_its_pixels_behind_its_head() {
        let m = frame(1_000, &[[1, 2, 3], [4, 5, 6]], &Snapshot::EMPTY);
        assert_eq!((m.len(), m[0], &m[2..4]), (FRAME_HEAD + 6 + FRAME_TAIL, kind::FRAME, &[2, 0][..]));
        assert_eq!(m[FRAME_HEAD..FRAME_HEAD + 6], [1, 2, 3, 4, 5, 6]);
        assert_eq!(m[FRAME_HEAD + 6..], [0; FRAME_TAIL], "an unknown bar and section");
    }

    #[test]
    fn a_frame_tells_the_bar_at_its_own_time() {
        // The last beat of a bar of three, a quarter of a beat before the downbeat; the frame is half a beat later.
        let heard = Snapshot {
            captured_us: 1_000_000,
            bpm: 120.0,
            beat_phase: 0.75,
            bar_position: 2.75,
            beats_per_bar: 3,
            bar_confidence: 1.0,
            section: Section::Break,
            build: 0.2,
            ..Snapshot::EMPTY
        };
        let m = frame(1_250_000, &[[0; 3]; 5], &heard);
        let tail = &m[FRAME_HEAD + 15..];
        let position = f32::from_le_bytes(tail[..4].try_into().unwrap());
        assert!((position - 0.25).abs() < 1e-4, "{position}");
        assert_eq!(tail[4..], [3, 255, 4, 51]);
    }
}
