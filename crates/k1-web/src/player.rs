//! The half that shows: snapshots → frames, and the messages of a live page.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use k1_device::answers::{LiveSound, Vitals};
use k1_device::api;
use k1_device::backend::VERSION;
use k1_device::error::{ErrorBody, Refusal};
use k1_device::exchange::{Crossing, SLOTS, Settings, SettingsRing, SoundRing, SoundWriter};
use k1_device::frame::{Showing, Zone};
use k1_device::live::{self, Figures, Hello, InForce, Refused, Say};
use k1_device::meter::{Count, Ledger, Meters};
use k1_device::routes::{Method, ROUTES};
use k1_device::settings::ColorOrder;
use k1_device::thumbnails::Thumbnails;
use k1_engine::audio::{SNAPSHOT_WORDS, Snapshot};
use k1_engine::light::{OutputSettings, Shape};
use k1_engine::patterns::PATTERNS;
use k1_engine::show::Show;
use k1_handoff::Mailbox;
use k1_http::rejection::Rejection;
use k1_http::route;
use k1_wire::serial;

use crate::backend::{MOST_LEDS, Tab, TheControls};

/// Frames per second that a browser aims at.
const FPS: u32 = 60;
/// Bins of the histograms of times, 50 µs each.
const BINS: usize = 2_048;
/// Seconds of figures that a page gets when it connects.
const PAST: usize = 120;

type Strip = Zone<Box<Show<MOST_LEDS>>, &'static Mailbox<SLOTS>, &'static SettingsRing>;

/// A strip, its settings and its figures. All times are in µs on the page's clock.
pub struct Player {
    showing: Showing<Strip, &'static SoundRing>,
    ears: SoundWriter<&'static SoundRing>,
    controls: TheControls,
    meters: Box<Meters<BINS>>,
    ledger: Box<Ledger<BINS>>,
    past: Vec<Vitals>,
    sound: Snapshot,
    screen: Vec<[u8; 3]>,
    wire: Vec<[u8; 3]>,
    thumbnails: Option<Thumbnails>,
    told: Option<Settings>,
    /// Name of the source.
    pub source: String,
    /// True if its sound is live.
    pub is_live: bool,
    /// Why a live source gives no sound; empty while it does.
    pub silence: String,
}

impl Player {
    /// A dark strip with the default settings and a pattern, by index; `None` if it has no or too many LEDs, or if there is
    /// no such pattern. Its hand-offs live as long as the page.
    pub fn new(leds: usize, pattern: usize) -> Option<Self> {
        if !(1..=MOST_LEDS).contains(&leds) || pattern >= PATTERNS.len() {
            return None;
        }
        let crossing: &'static Crossing = Box::leak(Box::default());
        let owner = crossing.take_owner(Settings { pattern, ..Settings::default() })?;
        let show = Box::new(Show::new(leds, OutputSettings::default()));
        Some(Self {
            showing: Showing::new(Zone::new(show, owner), crossing.sound(), 1_000_000 / u64::from(FPS)),
            ears: crossing.take_sound()?,
            controls: crossing.controls(),
            meters: Box::new(Meters::new()),
            ledger: Box::new(Ledger::new()),
            past: Vec::with_capacity(PAST),
            sound: Snapshot::EMPTY,
            screen: alloc::vec![[0; 3]; leds],
            wire: alloc::vec![[0; 3]; leds],
            thumbnails: None,
            told: None,
            source: String::new(),
            is_live: false,
            silence: String::new(),
        })
    }

    /// Takes a snapshot from an ear whose clock is `shift_us` behind the page's.
    pub fn hear(&mut self, words: &[u32; SNAPSHOT_WORDS], shift_us: i64) {
        let mut sound = Snapshot::from_words(words);
        sound.captured_us = sound.captured_us.saturating_add_signed(shift_us);
        if sound.next_beat_us > 0 {
            sound.next_beat_us = sound.next_beat_us.saturating_add_signed(shift_us);
        }
        self.ears.publish(&sound);
        self.sound = sound;
        self.meters.count(Count::Hops, 1);
    }

    /// Notes how long analysing and rendering took, in µs, as the page has measured it.
    pub fn took(&mut self, hear_us: u32, render_us: u32) {
        self.meters.count(Count::HearUs, hear_us);
        self.meters.count(Count::RenderUs, render_us);
    }

    /// Notes a gap in the sound.
    pub fn gap(&mut self) {
        self.meters.count(Count::Underruns, 1);
    }

    /// Renders the frame that begins at `now_us`, and returns its live message.
    pub fn frame(&mut self, now_us: u64, has_ended: bool) -> Vec<u8> {
        let Self { showing, meters, screen, wire, .. } = self;
        showing.frame(
            now_us,
            has_ended,
            meters,
            || now_us,
            |zone| {
                let picture = zone.picture();
                picture.screen(screen);
                picture.wire(wire);
                0
            },
        );
        live::frame(now_us, screen, &self.sound)
    }

    /// Begins again with another number of LEDs, without a fade; false, and nothing changes, if it is out of range.
    pub fn set_leds(&mut self, leds: usize) -> bool {
        let is_possible = (1..=MOST_LEDS).contains(&leds);
        if is_possible {
            self.showing.zones().restart(leds, Shape::Mirrored, OutputSettings::default());
            self.screen = alloc::vec![[0; 3]; leds];
            self.wire = alloc::vec![[0; 3]; leds];
        }
        is_possible
    }

    /// The last frame for a strip on a serial port: Adalight, with the colours in an order such as `GRB`; `None` if there is
    /// no such order.
    pub fn adalight(&self, order: &str) -> Option<Vec<u8>> {
        let (_, order) = ColorOrder::ALL.iter().find(|(name, _)| *name == order)?;
        let mut bytes = serial::adalight_header(self.wire.len())?.to_vec();
        bytes.extend(self.wire.iter().flat_map(|colour| order.place(*colour)));
        Some(bytes)
    }

    /// The last frame as bytes for LEDs: linear light, R, G, B.
    pub fn wire(&self) -> &[u8] {
        self.wire.as_flattened()
    }

    /// Thumbnails of every pattern.
    pub fn thumbnails(&mut self, now_us: u64) -> Vec<u8> {
        let params = self.controls.settings().params;
        self.thumbnails.get_or_insert_default().render(now_us, &self.sound, params)
    }

    /// Answers a request: its status, and its body.
    pub fn ask(&mut self, now_us: u64, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let tab = self.tab(now_us);
        let answer = route::find(&ROUTES, Method::named(method), path).map_err(Refusal::Http).and_then(
            |(_, found)| {
                if body.len() > found.max_body {
                    return Err(Refusal::Http(Rejection::TooLarge { max: found.max_body }));
                }
                let name = route::name_in(found.path, path).unwrap_or_default();
                api::answer(&tab, found.action, name, body)
            },
        );
        match answer {
            Ok(body) => (200, body),
            Err(refusal) => {
                (refusal.status(), api::json(&ErrorBody::new(refusal, now_us / 1000)).unwrap_or_default())
            }
        }
    }

    /// Carries out a page's message and returns the answer; empty if there is none.
    pub fn obey(&mut self, now_us: u64, message: &[u8]) -> Vec<u8> {
        match live::obey(&self.tab(now_us), message) {
            Err(refusal) => Say::Error(Refused(refusal)).json(),
            Ok(wishes) => match wishes.ping {
                Some(pong) => Say::Pong { pong, server_us: now_us }.json(),
                None => Vec::new(),
            },
        }
    }

    /// The first message to a page.
    pub fn hello(&mut self, now_us: u64) -> Vec<u8> {
        self.told = None;
        let hello = Hello {
            version: VERSION,
            leds: self.screen.len(),
            source: &self.source,
            fps: FPS,
            server_us: now_us,
            thumbnails: true,
            takes_firmware: false,
            has_show: false,
            history: &self.past,
        };
        Say::Hello(hello).json()
    }

    /// The settings in force, if the page does not know them; otherwise empty.
    pub fn changes(&mut self) -> Vec<u8> {
        let now = self.controls.settings();
        if self.told.replace(now) == Some(now) {
            Vec::new()
        } else {
            Say::Settings(InForce::new(&now)).json()
        }
    }

    /// The gain in force.
    pub fn gain(&mut self) -> f32 {
        self.controls.settings().gain
    }

    /// The figures of the last second; the page asks for them once a second.
    pub fn status(&mut self, now_us: u64) -> Vec<u8> {
        let vitals = self.ledger.vitals(&self.meters, now_us, FPS as f32);
        if self.past.len() == PAST {
            self.past.remove(0);
        }
        self.past.push(vitals);
        let figures = Figures {
            vitals,
            uptime_s: now_us / 1_000_000,
            sockets: 1,
            receiving: None,
            lights: None,
            source: Some(&self.source),
            live_sound: self.live_sound(),
        };
        Say::Status(figures).json()
    }

    fn live_sound(&self) -> Option<LiveSound<'static>> {
        let reason = (!self.silence.is_empty()).then(|| self.silence.clone().into());
        self.is_live.then(|| LiveSound {
            connected: reason.is_none(),
            name: self.source.clone().into(),
            reason,
            for_s: 0.0,
        })
    }

    fn tab(&mut self, now_us: u64) -> Tab {
        let mut past_fps = [0.0; 16];
        for (slot, vitals) in past_fps.iter_mut().rev().zip(self.past.iter().rev()) {
            *slot = vitals.fps;
        }
        Tab {
            now_us,
            settings: self.controls.settings(),
            controls: self.controls.clone(),
            leds: self.screen.len(),
            sound: self.sound,
            vitals: self.past.last().copied().unwrap_or_default(),
            past_fps,
            source: self.source.clone(),
            live_sound: self.live_sound(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k1_demo::Demo;
    use k1_engine::HOP;
    use k1_engine::audio::Ear;
    use k1_engine::patterns::FIRST_PATTERN;
    use serde_json::{Value, json};

    use super::*;

    fn said(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn frames_are_those_of_the_engine() {
        let mut player = Player::new(60, FIRST_PATTERN).unwrap();
        let mut show = Box::new(Show::<MOST_LEDS>::new(60, OutputSettings::default()));
        show.set_params(Settings::default().params);
        show.cut_to(Settings::default().pattern);
        let (mut ear, mut demo, mut hop) = (Ear::new(), Demo::default(), [0.0; HOP]);
        for n in 0..250 {
            demo.fill(&mut hop);
            let sound = *ear.push(&hop).unwrap();
            player.hear(&sound.to_words(), 0);
            let at = n * 8_000;
            let message = player.frame(at, false);
            show.render(at, &sound);
            let (mut screen, mut wire) = ([[0; 3]; 60], [[0; 3]; 60]);
            show.output.screen(&mut screen);
            show.output.wire(true, &mut wire);
            assert_eq!(message, live::frame(at, &screen, &sound));
            let dithered = wire;
            show.output.wire(false, &mut wire);
            assert!(player.wire() == wire.as_flattened() || player.wire() == dithered.as_flattened());
        }
        let status = said(&player.status(2_000_000));
        assert_eq!(status["status"]["vitals"]["frames"], 250);
        assert_eq!(status["status"]["vitals"]["hop_rate"], 125.0);
    }

    #[test]
    fn the_clocks_of_ear_and_page_are_reconciled() {
        let mut player = Player::new(8, FIRST_PATTERN).unwrap();
        let sound = Snapshot { sequence: 1, captured_us: 10_000, next_beat_us: 20_000, ..Snapshot::EMPTY };
        player.hear(&sound.to_words(), 5_000);
        assert_eq!((player.sound.captured_us, player.sound.next_beat_us), (15_000, 25_000));
        player.hear(&Snapshot { next_beat_us: 0, ..sound }.to_words(), -20_000);
        assert_eq!((player.sound.captured_us, player.sound.next_beat_us), (0, 0));
    }

    #[test]
    fn requests_are_answered_as_by_any_other_k1() {
        let mut player = Player::new(60, FIRST_PATTERN).unwrap();
        let (status, patterns) = player.ask(0, "GET", "/api/patterns", &[]);
        assert_eq!((status, said(&patterns)["patterns"].as_array().unwrap().len()), (200, 21));
        let (status, params) = player.ask(0, "POST", "/api/params", br#"{"warmth":0.75}"#);
        assert_eq!((status, said(&params)["warmth"].clone()), (200, json!(0.75)));
        // It is in force with the next frame, and the page is told once.
        player.frame(0, false);
        assert_eq!(said(&player.changes())["settings"]["params"]["warmth"], 0.75);
        assert!(player.changes().is_empty());
        for (method, path, body, want) in [
            ("GET", "/api/nothing", "", 404),
            ("PUT", "/api/patterns", "", 405),
            ("POST", "/api/params", "[1]", 400),
            ("POST", "/api/select", r#"{"id":"nothing"}"#, 404),
            ("GET", "/api/v1/firmware", "", 501),
            ("PUT", "/api/v1/power", r#"{"on":false}"#, 501),
            ("GET", "/api/v1/openapi.json", "", 501),
        ] {
            let (status, answer) = player.ask(5_000, method, path, body.as_bytes());
            let answer = said(&answer);
            assert_eq!(status, want, "{method} {path}: {answer}");
            assert!(answer["message"].as_str().unwrap().len() > 10 && answer["timestamp"] == 5, "{answer}");
        }
        let (status, _) = player.ask(0, "POST", "/api/params", &[b' '; 100_000]);
        assert_eq!(status, 413);
    }

    #[test]
    fn a_page_is_obeyed_or_told_why_not() {
        let mut player = Player::new(60, FIRST_PATTERN).unwrap();
        assert_eq!(said(&player.obey(7, br#"{"ping":3.5}"#)), json!({"pong": 3.5, "server_us": 7}));
        assert!(player.obey(7, br#"{"pattern":"bloom"}"#).is_empty());
        player.frame(10, false);
        assert_eq!(said(&player.changes())["settings"]["pattern"], "bloom");
        assert!(said(&player.obey(7, br#"{"pattern":"gloom"}"#))["error"]["message"].is_string());
    }

    #[test]
    fn a_live_source_says_whether_it_gives_sound() {
        let mut player = Player::new(60, FIRST_PATTERN).unwrap();
        assert!(said(&player.status(0))["status"]["live_sound"].is_null());
        (player.source, player.is_live) = ("microphone".into(), true);
        assert_eq!(said(&player.status(0))["status"]["live_sound"]["connected"], true);
        player.silence = "the microphone was unplugged".into();
        let (_, device) = player.ask(0, "GET", "/api/v1/device", &[]);
        assert_eq!(said(&device)["live_sound"]["reason"], "the microphone was unplugged");
        assert_eq!(said(&device)["healthy"], false);
    }

    #[test]
    fn a_strip_on_a_serial_port_gets_the_same_light() {
        let mut player = Player::new(60, FIRST_PATTERN).unwrap();
        assert!(player.set_leds(7) && !player.set_leds(0) && !player.set_leds(MOST_LEDS + 1));
        player.obey(0, br#"{"params":{"background":1}}"#);
        (0..300).for_each(|n| _ = player.frame(n * 16_000, false));
        let sent = player.adalight("BRG").unwrap();
        let (pixels, rest) = serial::read_adalight(&sent).unwrap();
        assert_eq!((pixels.len(), rest.len()), (21, 0));
        let want: Vec<u8> = player.wire().chunks(3).flat_map(|c| [c[2], c[0], c[1]]).collect();
        assert_eq!(pixels, want);
        assert!(pixels.iter().any(|byte| *byte > 0), "the light glows");
        assert!(player.adalight("RGBW").is_none());
    }

    #[test]
    fn a_strip_has_one_to_1024_leds() {
        assert!(
            Player::new(0, 0).is_none()
                && Player::new(MOST_LEDS + 1, 0).is_none()
                && Player::new(9, 99).is_none()
        );
        let mut player = Player::new(MOST_LEDS, 0).unwrap();
        assert_eq!(player.frame(0, false).len(), live::FRAME_HEAD + 3 * MOST_LEDS + live::FRAME_TAIL);
        assert_eq!(player.thumbnails(0).len(), 4 + 21 * 48 * 3);
    }
}
