//! The program as a back end of the API.

use std::sync::PoisonError;
use std::time::Duration;

use k1_device::answers::{
    BootLog, Check, Device, FoundLights, Heard, InputSet, Inputs, Light, LightState, LightTested,
    LinkOptions, LiveSound, Performance, Plan, Playlist, SelfTest, Setup, ShowFile, ShowLight, ShowLights,
    ShowWritten, TestState, Timers, Vitals, Zone,
};
use k1_device::backend::{Backend, Description, Identity};
use k1_device::error::Refusal;
use k1_device::exchange::{Change, Settings};
use k1_device::firmware::{Firmware, GoingBack};
use k1_device::health::{checks, sound_arrives};
use k1_device::microphone::Hearing;
use k1_device::requests::{
    LightChange, LightTest, Listen, NewInput, NewLight, NewTimers, PlaylistPatch, SetupPatch, ShowText,
    ZoneChange,
};
use k1_device::routes::Action;
use k1_device::self_test::Reading;
use k1_device::shows::{self, Shows};
use k1_engine::audio::InputState;
use k1_engine::light::Palette;
use k1_engine::patterns::pattern_by_id;
use k1_update::envelope::Envelope;

use super::app::App;
use crate::runtime::Playing;
use crate::show::{Addition, Search, Stored, add, change, find, split, target};
use crate::sink::probe::Probe;

const NO_LAMP: Refusal = Refusal::NotHere(
    "this is the program k1, which is updated as it was installed; only a lamp takes firmware",
);

/// Duration of a search for lights.
const SEARCH: Duration = Duration::from_secs(2);

impl App {
    /// The show file as it is now.
    pub(super) fn stored(&self) -> Result<Stored, Refusal> {
        let path = self.show_file.as_deref().ok_or(Refusal::NotHere(
            "this K1 runs without a show file; `k1 lights add` makes one, and `k1 run --show FILE` takes another",
        ))?;
        Stored::open(path).map_err(|why| {
            k1_host::say(format_args!("k1: {why}"));
            Refusal::NotHere("the show file cannot be read; the console of K1 says why")
        })
    }
}

/// Mark of a text: the same for the same text, and another one for almost every other text (FNV-1a, 64 bits).
fn mark(text: &str) -> String {
    let step = |mark: u64, byte: u8| (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

impl Shows for App {
    fn show_lights(&self) -> Result<ShowLights, Refusal> {
        let show = self.stored()?.reading().show;
        let states: Vec<_> = self.shared.lights().iter().map(|light| light.report()).collect();
        let lights = show.lights.iter().enumerate().map(|(index, light)| ShowLight {
            name: light.name.clone(),
            to: light.to.clone(),
            leds: light.leds,
            order: target(light).map(|config| config.settings.order.to_string()).unwrap_or_default(),
            zones: show.zones_of(index).map(|zone| zone.name.clone()).collect(),
            state: states.iter().find(|state| state.name == light.name).cloned(),
        });
        Ok(ShowLights { lights: lights.collect() })
    }

    fn add_light(&self, new: &NewLight) -> Result<ShowWritten, Refusal> {
        let pattern = match new.pattern.as_deref().map(pattern_by_id) {
            Some(None) => return Err(Refusal::PatternNotFound),
            pattern => pattern.flatten(),
        };
        let mut stored = self.stored()?;
        let (to, settings) = split(&new.to);
        let light = k1_show::Light { name: new.name.clone(), to, leds: new.leds, settings };
        let zone = new.zone.clone().unwrap_or_else(|| new.name.clone());
        let matrix = new.matrix.map(|[columns, rows]| (columns, rows));
        let new = Addition { light, zone, reversed: new.reversed, matrix, pattern, palette: None };
        let faults: Vec<_> = add(&mut stored, &new).err().into_iter().collect();
        Ok(ShowWritten { written: faults.is_empty(), mark: mark(stored.text()), faults })
    }

    fn change_light(&self, wanted: &LightChange) -> Result<ShowWritten, Refusal> {
        let mut stored = self.stored()?;
        let faults: Vec<_> = change(&mut stored, wanted).err().into_iter().collect();
        Ok(ShowWritten { written: faults.is_empty(), mark: mark(stored.text()), faults })
    }

    fn test_light(&self, test: &LightTest) -> Result<LightTested, Refusal> {
        let probe = Probe::named(&test.picture).ok_or(Refusal::InvalidValue {
            field: "picture",
            expected: "blink, first, red, green or blue",
        })?;
        let until_us = self.now_us() + test.duration_us()?;
        let lights = self.shared.lights();
        let light = lights.iter().find(|light| light.name == test.light).ok_or(Refusal::LightNotFound)?;
        light.show_probe(probe, until_us);
        Ok(LightTested { light: test.light.clone(), until_ms: until_us / 1000 })
    }

    fn found_lights(&self) -> FoundLights {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find_lights(&self) -> FoundLights {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.searching {
            let place = self.found.clone();
            let search = move || {
                let Search { seen, trouble } = find(SEARCH);
                let mut found = place.lock().unwrap_or_else(PoisonError::into_inner);
                *found = FoundLights {
                    searching: false,
                    found: seen.into_iter().map(|seen| seen.light).collect(),
                    trouble,
                };
            };
            found.searching = std::thread::Builder::new().name("k1-search".into()).spawn(search).is_ok();
        }
        found.clone()
    }

    fn show_file(&self) -> Result<ShowFile, Refusal> {
        let stored = self.stored()?;
        let faults = stored.reading().faults.iter().map(ToString::to_string).collect();
        let (path, text) = (stored.path().display().to_string(), stored.text().to_owned());
        Ok(ShowFile { path, mark: mark(&text), text, faults })
    }

    fn set_show_file(&self, wanted: &ShowText) -> Result<ShowWritten, Refusal> {
        let mut stored = self.stored()?;
        let faults = k1_show::read(&wanted.text, &stored.forms()).faults;
        if !faults.is_empty() {
            let faults = faults.iter().map(ToString::to_string).collect();
            return Ok(ShowWritten { written: false, mark: mark(stored.text()), faults });
        }
        let mut has_changed = false;
        let written = stored.replace(|now| {
            has_changed = mark(now) != wanted.mark;
            (!has_changed).then(|| wanted.text.clone())
        });
        match written {
            _ if has_changed => Err(Refusal::Busy(
                "the show file has changed since it was read; read it again, and make the change in the new text",
            )),
            Ok(()) => Ok(ShowWritten { written: true, mark: mark(&wanted.text), faults: Vec::new() }),
            Err(why) => {
                k1_host::say(format_args!("k1: {why}"));
                Err(Refusal::NotHere("the show file cannot be written; the console of K1 says why"))
            }
        }
    }

    fn plan(&self) -> Result<Plan, Refusal> {
        self.plan_now()
    }

    fn change_zone(&self, name: &str, change: &ZoneChange) -> Result<ShowWritten, Refusal> {
        let mut stored = self.stored()?;
        let faults = super::plan::change(&mut stored, name, change)?;
        Ok(ShowWritten { written: faults.is_empty(), mark: mark(stored.text()), faults })
    }

    fn inputs(&self) -> Inputs {
        self.all_inputs()
    }

    fn listen_inputs(&self, listen: &Listen) -> Result<Inputs, Refusal> {
        self.listen_to_all(listen)
    }

    fn set_input(&self, input: &NewInput) -> InputSet {
        self.change_input(&input.source)
    }

    fn playlist(&self) -> Playlist {
        self.playlist_now()
    }

    fn set_playlist(&self, patch: &PlaylistPatch) -> Result<Playlist, Refusal> {
        self.change_playlist(patch)
    }

    fn next_scene(&self) -> Result<Playlist, Refusal> {
        self.pass_on()
    }

    fn timers(&self) -> Timers {
        self.timers_now()
    }

    fn set_timers(&self, timers: &NewTimers) -> Result<Timers, Refusal> {
        self.change_timers(timers)
    }
}

impl Backend for App {
    fn now_us(&self) -> u64 {
        self.shared.clock.now_us()
    }

    fn settings(&self) -> Settings {
        self.controls.clone().settings()
    }

    fn own_palettes(&self) -> &'static [Palette] {
        self.palettes()
    }

    fn post(&self, changes: &mut dyn Iterator<Item = Change>) {
        self.controls.post(changes);
    }

    fn zones(&self) -> Vec<Zone> {
        let zone = |zone: &mut Playing| {
            let Settings { params, pattern, .. } = zone.controls.settings();
            Zone::new(zone.name.clone(), zone.leds, pattern, params).on(zone.shape)
        };
        self.playing().iter_mut().map(zone).collect()
    }

    fn post_to(&self, zone: &str, changes: &mut dyn Iterator<Item = Change>) -> Result<(), Refusal> {
        let zones = self.playing();
        let zone = zones.iter().find(|playing| playing.name == zone).ok_or(Refusal::ZoneNotFound)?;
        zone.controls.post(changes);
        Ok(())
    }

    fn answer_of_show(&self, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        shows::answer(self, action, name, body)
    }

    fn identity(&self) -> Identity<'_> {
        let source = self.title().into();
        Identity { ip: &self.ip, mac: None, board: "program", leds: self.leds(), source }
    }

    fn id(&self) -> Option<&str> {
        Some(self.who.id.as_str()).filter(|id| !id.is_empty())
    }

    fn performance(&self) -> Performance {
        let system = *self.hub.system.borrow();
        let history = self.shared.lock_history();
        let mut fps_history = [0.0; 16];
        for (slot, v) in fps_history.iter_mut().rev().zip(history.iter().rev()) {
            *slot = v.fps;
        }
        let newest = history.back().copied().unwrap_or_default();
        let memory_percent = match (system.free_kb, system.total_kb) {
            (Some(free), Some(total)) if total > 0 => Some(100.0 * (1.0 - free as f32 / total as f32)),
            _ => None,
        };
        Performance {
            fps: newest.fps,
            frame_time_us: newest.render_us,
            cpu_percent: system.cpu_percent,
            memory_percent,
            memory_free_kb: system.free_kb,
            memory_total_kb: system.total_kb,
            fps_history,
        }
    }

    fn vitals(&self) -> Vitals {
        self.shared.vitals()
    }

    fn heard(&self) -> Heard {
        Heard::from(self.sound.clone().latest())
    }

    fn live_sound(&self) -> Option<LiveSound<'static>> {
        self.shared.presence().map(|presence| presence.answer())
    }

    fn lights(&self) -> Option<Vec<Light>> {
        Some(self.shared.lights().iter().map(|l| l.report()).collect())
    }

    fn link_options(&self) -> LinkOptions {
        LinkOptions::default()
    }

    fn set_link_options(&self, bg_only: Option<bool>, ht20: Option<bool>) -> Result<LinkOptions, Refusal> {
        if bg_only == Some(true) || ht20 == Some(true) {
            return Err(Refusal::NotHere(
                "this is the program k1, which uses the computer's network; only a lamp has Wi-Fi options",
            ));
        }
        Ok(LinkOptions::default())
    }

    fn device(&self) -> Device<'_> {
        let core = |seat: &crate::runtime::Seat| seat.core().flatten().and_then(|c| u32::try_from(c).ok());
        let presence = self.shared.presence();
        // A computer that plays nothing is silent, and that is fine; a microphone in a room is never quite silent.
        let microphone = presence.as_ref().filter(|p| p.is_microphone()).map(|p| {
            match self.sound.clone().latest().input {
                _ if p.reason().is_some() => Hearing::Absent,
                InputState::Dead => Hearing::Dead,
                _ => Hearing::Present,
            }
        });
        let lights = self.lights();
        let live_sound = self.live_sound();
        let mut checks = checks(&self.shared.vitals(), microphone, None);
        checks.extend(lights.as_deref().and_then(every_light_shines));
        checks.extend(live_sound.as_ref().map(sound_arrives));
        Device {
            board: "program".into(),
            slot: None,
            firmware_hash: None,
            rollback: None,
            hears_on_core: core(&self.shared.hear_seat),
            shows_on_core: core(&self.shared.show_seat),
            reset_reason: None,
            last_panic: None,
            render_stack: None,
            audio_stack: None,
            heap: None,
            core_busy: None,
            temperature_c: None,
            rssi_dbm: None,
            microphone: microphone.map(|m| m.name().into()),
            microphone_failures: None,
            live_sound,
            strip_underruns: None,
            wire_us: None,
            settings_writes: None,
            settings_errors: None,
            requests: None,
            malformed: None,
            image_bytes: None,
            static_ram_bytes: None,
            healthy: checks.iter().all(|c| c.ok),
            checks,
            lights,
        }
    }

    fn setup(&self) -> Setup<'_> {
        Setup::without_hardware(self.leds(), crate::MAX_LEDS, &self.who.name)
    }

    fn set_setup(&self, _: &SetupPatch) -> Result<(), Refusal> {
        Err(Refusal::NotHere(
            "the program k1 is set up on its command line (`k1 run --help`); only a lamp is set up here",
        ))
    }

    fn firmware(&self) -> Result<Firmware, Refusal> {
        Err(NO_LAMP)
    }

    fn roll_back(&self) -> Result<GoingBack, Refusal> {
        Err(NO_LAMP)
    }

    fn drill(&self) -> Result<GoingBack, Refusal> {
        Err(NO_LAMP)
    }

    fn set_keys(&self, _: &Envelope) -> Result<(), Refusal> {
        Err(NO_LAMP)
    }

    fn boot_log(&self) -> BootLog {
        BootLog::default()
    }

    fn self_test(&self) -> SelfTest {
        *self.self_test.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_self_test(&self, reads: u32) -> Result<(), Refusal> {
        let clock = self.shared.clone();
        let now_ms = move || clock.clock.now_us() / 1000;
        let mut reading = Reading::new(reads, now_ms());
        {
            let mut place = self.self_test.lock().unwrap_or_else(PoisonError::into_inner);
            if place.state == TestState::Running {
                return Err(Refusal::Busy("a self-test is running; GET returns its state"));
            }
            *place = SelfTest { state: TestState::Running, wanted: reads, ..SelfTest::default() };
        }
        let (place, mut reader) = (self.self_test.clone(), self.sound.clone());
        let run = move || {
            loop {
                let so_far = reading.batch(&mut reader, now_ms());
                *place.lock().unwrap_or_else(PoisonError::into_inner) = so_far;
                if so_far.state == TestState::Done {
                    break;
                }
                std::thread::yield_now();
            }
        };
        match std::thread::Builder::new().name("k1-self-test".into()).spawn(run) {
            Ok(_) => Ok(()),
            Err(_) => {
                *self.self_test.lock().unwrap_or_else(PoisonError::into_inner) = SelfTest::default();
                Err(Refusal::NotHere("K1 cannot start a thread for the self-test"))
            }
        }
    }

    fn description(&self) -> Result<Description, Refusal> {
        k1_device::api::json(&k1_device::description::description()).map(Description::Text)
    }
}

/// The check that every light shines; `None` if there is no light besides the page.
fn every_light_shines(lights: &[Light]) -> Option<Check> {
    let dark = lights.iter().filter(|l| l.state != LightState::Shining);
    let dark: Vec<_> = dark.map(|l| format!("{} ({})", l.name, l.state.name())).collect();
    let advice = match dark.as_slice() {
        [] => "".into(),
        dark => format!(
            "look whether it is on and in the same network, and whether its name is right: {}",
            dark.join(", ")
        ),
    };
    (!lights.is_empty()).then(|| Check {
        name: "every light is reached".into(),
        ok: dark.is_empty(),
        advice: advice.into(),
    })
}
