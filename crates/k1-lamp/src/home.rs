//! The lamp as a back end of the API.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use k1_device::answers::{
    Arranged, BootLog, Device, Heard, LinkOptions, Performance, Place, SelfTest, Setup, TestState, Vitals,
    Wired,
};
use k1_device::backend::{Backend, Description, Identity};
use k1_device::error::Refusal;
use k1_device::exchange::{Change, Settings};
use k1_device::firmware::{Firmware, GoingBack, LastTrial, Short, Standing};
use k1_device::health::checks;
use k1_device::microphone::Hearing;
use k1_device::requests::SetupPatch;
use k1_device::routes::Action;
use k1_device::scenery;
use k1_device::settings::{MOST_LEDS, Memory};
use k1_engine::audio::InputState;
use k1_engine::light::White;
use k1_update::envelope::Envelope;
use k1_update::refusal::Refusal as Why;

use crate::pages::DESCRIPTION;
use crate::state::FirmwareCommand;
use crate::{Lamp, now_us};

/// The state of the lamp for one request.
pub struct LampHome {
    pub(crate) lamp: &'static Lamp,
    ip: String,
    mac: String,
    name: String,
    ssid: String,
    last_panic: Option<String>,
    board: &'static str,
    source: &'static str,
    reset_reason: &'static str,
}

/// The lamp's name: the one that its owner has set, or `k1-` and the end of its hardware address.
pub fn name(memory: &Memory, mac: [u8; 6]) -> String {
    let mut name = String::new();
    if memory.hardware.name.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(name, "k1-{:02x}{:02x}", mac[4], mac[5]);
    } else {
        name.push_str(&memory.hardware.name);
    }
    name
}

impl LampHome {
    /// The lamp as it is now.
    pub fn new(lamp: &'static Lamp) -> Self {
        lamp.look(|s| {
            let mut mac = String::with_capacity(17);
            for (i, byte) in s.facts.mac.iter().enumerate() {
                let _ = write!(mac, "{}{byte:02x}", if i > 0 { ":" } else { "" });
            }
            Self {
                lamp,
                ip: s.ip.as_str().into(),
                mac,
                name: name(&s.memory, s.facts.mac),
                ssid: s.memory.wifi.ssid.as_str().into(),
                last_panic: s.facts.last_panic.as_ref().map(|p| p.as_str().into()),
                board: s.facts.board,
                source: s.facts.source,
                reset_reason: s.facts.reset_reason,
            }
        })
    }

    fn microphone(&self) -> Hearing {
        let heard = self.lamp.crossing.sound().latest().input;
        match self.lamp.microphone.load(Relaxed) {
            false => Hearing::Absent,
            true if heard != InputState::Dead => Hearing::Present,
            true if self.lamp.speaks_elsewhere.load(Relaxed) => Hearing::WrongSlot,
            true => Hearing::Dead,
        }
    }
}

impl Backend for LampHome {
    fn now_us(&self) -> u64 {
        now_us()
    }

    fn settings(&self) -> Settings {
        self.lamp.crossing.controls().settings()
    }

    fn post(&self, changes: &mut dyn Iterator<Item = Change>) {
        self.lamp.crossing.controls().post(changes);
    }

    fn answer_of_show(&self, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        scenery::answer(self, action, name, body)
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            ip: &self.ip,
            mac: Some(&self.mac),
            board: self.board,
            leds: self.lamp.leds.load(Relaxed) as usize,
            source: self.source.into(),
        }
    }

    fn performance(&self) -> Performance {
        let mut fps_history = [0.0; 16];
        self.lamp.past(|history| {
            for (slot, v) in fps_history.iter_mut().rev().zip(history.iter().rev()) {
                *slot = v.fps;
            }
        });
        let newest = self.lamp.newest();
        let heap = self.lamp.look(|s| s.heap);
        Performance {
            fps: newest.fps,
            frame_time_us: newest.render_us,
            cpu_percent: None,
            memory_percent: heap.map(|h| 100.0 * (1.0 - h.free as f32 / h.size.max(1) as f32)),
            memory_free_kb: heap.map(|h| u64::from(h.free / 1024)),
            memory_total_kb: heap.map(|h| u64::from(h.size / 1024)),
            fps_history,
        }
    }

    fn vitals(&self) -> Vitals {
        self.lamp.newest()
    }

    fn heard(&self) -> Heard {
        Heard::from(self.lamp.crossing.sound().latest())
    }

    fn link_options(&self) -> LinkOptions {
        self.lamp
            .look(|s| LinkOptions { force_bg_only: s.memory.wifi.bg_only, force_ht20: s.memory.wifi.ht20 })
    }

    fn set_link_options(&self, bg_only: Option<bool>, ht20: Option<bool>) -> Result<LinkOptions, Refusal> {
        self.lamp.note(|s| {
            let wifi = &mut s.memory.wifi;
            wifi.bg_only = bg_only.unwrap_or(wifi.bg_only);
            wifi.ht20 = ht20.unwrap_or(wifi.ht20);
        });
        self.lamp.changed.signal(());
        Ok(self.link_options())
    }

    fn device(&self) -> Device<'_> {
        let core = |seen: u32| seen.checked_sub(1);
        let microphone = self.microphone();
        let lamp = self.lamp;
        let vitals = lamp.newest();
        lamp.look(|s| {
            let checks = checks(&vitals, Some(microphone), Some(s.settings_errors));
            Device {
                board: self.board.into(),
                slot: Some(s.facts.slot.into()),
                firmware_hash: s.firmware.running.as_ref().map(|i| i.hash),
                rollback: Some(s.firmware.rollback),
                hears_on_core: core(lamp.hears_on.load(Relaxed)),
                shows_on_core: core(lamp.shows_on.load(Relaxed)),
                reset_reason: Some(self.reset_reason.into()),
                last_panic: self.last_panic.as_deref().map(Into::into),
                render_stack: s.render_stack,
                audio_stack: s.audio_stack,
                heap: s.heap,
                core_busy: s.core_busy,
                temperature_c: s.temperature_c,
                rssi_dbm: s.rssi_dbm,
                microphone: Some(microphone.name().into()),
                microphone_failures: Some(lamp.microphone_failures.load(Relaxed)),
                live_sound: None,
                strip_underruns: Some(lamp.strip_underruns.load(Relaxed)),
                wire_us: Some(lamp.wire_us.load(Relaxed)),
                settings_writes: Some(s.settings_writes),
                settings_errors: Some(s.settings_errors),
                requests: Some(lamp.requests.load(Relaxed)),
                malformed: Some(lamp.malformed.load(Relaxed)),
                image_bytes: s.facts.image_bytes,
                static_ram_bytes: s.facts.static_ram_bytes,
                healthy: checks.iter().all(|c| c.ok),
                checks,
                lights: None,
            }
        })
    }

    fn setup(&self) -> Setup<'_> {
        self.lamp.look(|s| {
            let (h, strip) = (&s.memory.hardware, &s.memory.strip);
            Setup {
                leds: usize::from(h.leds),
                most_leds: MOST_LEDS,
                shape: Some(Arranged(strip.shape)),
                color_order: Some(Wired { order: h.order, has_white: strip.white.is_some() }),
                white: strip.white.map(White::name),
                reset_us: Some(h.reset_us),
                current_limit_ma: Some(h.limit_ma),
                noise_floor_db: h.floor_db,
                name: &self.name,
                mirror: h.mirror().map(Place),
                wifi_ssid: (!self.ssid.is_empty()).then_some(&*self.ssid),
            }
        })
    }

    fn set_setup(&self, patch: &SetupPatch) -> Result<(), Refusal> {
        self.lamp.note(|s| {
            patch.apply(&mut s.memory.hardware, &mut s.memory.strip)?;
            patch.apply_wifi(&mut s.memory.wifi)
        })?;
        self.lamp.changed.signal(());
        Ok(())
    }

    fn firmware(&self) -> Result<Firmware, Refusal> {
        Ok(self.lamp.look(|s| Firmware {
            board: self.board.into(),
            chip: s.firmware.chip.into(),
            slot: s.facts.slot.into(),
            running: s.firmware.running.clone(),
            state: s.firmware.standing,
            rollback: s.firmware.rollback,
            other: s.firmware.other.clone(),
            keys: s.memory.trust.ids().map(Short).collect(),
            key_generation: s.memory.trust.generation,
            counter_floor: s.memory.trust.floor,
            receiving: s.firmware.receiving,
            refused: s.firmware.refused.map(|why| why.to_string()),
            last: s.memory.journal.as_ref().map(LastTrial::from),
        }))
    }

    fn roll_back(&self) -> Result<GoingBack, Refusal> {
        let to = self.lamp.look(|s| match (&s.firmware.receiving, &s.firmware.other, s.firmware.standing) {
            (Some(_), ..) => Err(Why::Busy),
            (None, None, Standing::Confirmed | Standing::NotTried) => Err(Why::NothingThere),
            (None, other, _) => Ok(other.clone()),
        });
        let to = to.map_err(Refusal::Update)?;
        self.lamp.command.signal(FirmwareCommand::RollBack);
        Ok(GoingBack { to })
    }

    fn drill(&self) -> Result<GoingBack, Refusal> {
        let to = self.lamp.look(|s| match (&s.firmware.receiving, s.firmware.standing) {
            (Some(_), _) => Err(Why::Busy),
            (None, Standing::OnTrial) => Err(Why::OnTrial),
            _ => Ok(s.firmware.running.clone()),
        });
        let to = to.map_err(Refusal::Update)?;
        self.lamp.command.signal(FirmwareCommand::Drill);
        Ok(GoingBack { to })
    }

    fn set_keys(&self, statement: &Envelope) -> Result<(), Refusal> {
        self.lamp.note(|s| s.memory.trust.replace(statement)).map_err(Refusal::Update)?;
        self.lamp.changed.signal(());
        Ok(())
    }

    fn boot_log(&self) -> BootLog {
        self.lamp.look(|s| s.log.clone())
    }

    fn self_test(&self) -> SelfTest {
        self.lamp.look(|s| s.self_test)
    }

    fn start_self_test(&self, reads: u32) -> Result<(), Refusal> {
        self.lamp.note(|s| {
            if s.self_test.state == TestState::Running {
                return Err(Refusal::Busy("a self-test is running; GET returns its state"));
            }
            s.self_test = SelfTest { state: TestState::Running, wanted: reads, ..SelfTest::default() };
            Ok(())
        })?;
        self.lamp.test_wanted.signal(reads);
        Ok(())
    }

    fn description(&self) -> Result<Description, Refusal> {
        Ok(Description::Packed(DESCRIPTION))
    }
}
