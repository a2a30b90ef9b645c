//! `k1 deploy --via usb`: firmware through a cable.

use std::time::{Duration, Instant};

use k1_bundle::chip::Chip;
use k1_device::console::{self as lines, Said};
use k1_device::firmware::Short;
use serde_json::json;

use super::report::Report;
use crate::cable::admission::{self, CableLamp};
use crate::cable::flash::CableFlash;
use crate::cable::rom_loader::{Console, RomLoader};
use crate::cli::{CableArgs, DeployArgs};
use crate::signing::package::Update;
use k1_host::Failure;
use k1_host::console;
use k1_host::progress::sending;

/// Time within which a lamp with a console prints its first line.
pub(super) const FIRST_WORD: Duration = Duration::from_secs(15);

/// Result for a lamp that was found and would not refuse.
enum Done {
    /// It already runs this image.
    Already,
    /// It would accept the update. `armed` is true if it could roll a bad image back.
    WouldTake { armed: bool },
    /// It has the update, for a trial at the next start.
    Sent { slot: &'static str, seconds: f64 },
}

/// Sends an update to the lamp on a cable.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn deploy(args: &DeployArgs, update: &Update) -> Result<(), Failure> {
    let report = &mut Report::open(args.report.as_deref(), &args.image)?;
    let Some(port) = &args.port else {
        return Err(Failure::usage("name the port of the cable with --port".into()));
    };
    if !args.lamps.is_empty() || args.all || args.canary > 0 {
        return Err(Failure::usage(
            "a cable reaches only the lamp on --port: leave --to, --all and --canary out".into(),
        ));
    }
    let chip = chip(update)?;
    let wire = open(port, &args.cable, chip)?;
    let mut flash = CableFlash::new(wire);
    let done = update_lamp(&mut flash, chip, args, update, report, port);
    let (mut cable, press) = start(flash.into_loader());
    let done = done.map_err(|why| Failure::new(format!("{port}: {why}.{press}")))?;
    match done {
        Done::Already => console::line(format_args!("{port}: runs this image already.{press}"))?,
        Done::WouldTake { armed: true } => console::line(format_args!("{port}: would take it.{press}"))?,
        Done::WouldTake { armed: false } => {
            console::line(format_args!(
                "{port}: would take it, but could not roll back by itself, because its rollback is not armed.{press}"
            ))?;
        }
        Done::Sent { slot, seconds } => {
            console::line(format_args!(
                "{port}: sent in {seconds:.1} s to {slot}, to be tried at the next start.{press}"
            ))?;
            let hash = update.hash();
            let verdict = verdict(&mut cable, Duration::from_secs_f64(args.cable.console), &hash)?;
            report.note(port, "verdict", &json!(format!("{verdict:?}")))?;
            match verdict {
                TrialResult::Confirmed => {
                    console::line(format_args!("{port}: confirmed by itself; runs {hash} from {slot}"))?
                }
                TrialResult::TakenBack(why) => {
                    return Err(Failure::new(format!("{port}: it took itself back: {why}")));
                }
                TrialResult::Unheard => console::line(format_args!(
                    "{port}: there was no verdict on the cable. The lamp judges the image by itself; `k1 devices` shows \
                     which one runs, and whether it stays"
                ))?,
            }
        }
    }
    Ok(())
}

/// The chip that an update is for.
pub(super) fn chip(update: &Update) -> Result<&'static Chip, Failure> {
    Chip::named(update.manifest.chip.as_str()).ok_or_else(|| {
        Failure::new(format!(
            "the image is for the board {}, which has no cable",
            update.manifest.board.as_str()
        ))
    })
}

/// Opens a port, on which there must be a `wanted` chip.
pub(super) fn open(port: &str, cable: &CableArgs, wanted: &Chip) -> Result<RomLoader, Failure> {
    let wire = RomLoader::open(port, cable.baud, cable.in_loader)?;
    let chip = wire.chip();
    if chip.id() != wanted.id {
        let _ = wire.run();
        return Err(Failure::new(format!(
            "the image is for an {wanted}, but the chip on {port} is an {chip}; nothing was written"
        )));
    }
    Ok(wire)
}

/// Starts the firmware in the flash. Returns the console, and what the user must still do.
pub(super) fn start(wire: RomLoader) -> (Console, &'static str) {
    let (console, was_reset) = wire.run();
    let press = if was_reset { "" } else { " Press RESET on the lamp, or unplug it and plug it in again." };
    (console, press)
}

fn update_lamp(
    flash: &mut CableFlash<RomLoader>,
    chip: &Chip,
    args: &DeployArgs,
    update: &Update,
    report: &mut Report,
    port: &str,
) -> Result<Done, String> {
    console::line(format_args!(
        "{} {update}, hash {}, to the {chip} on {port}",
        args.image.display(),
        update.hash()
    ))
    .map_err(|e| e.to_string())?;
    let stays = |why: String| format!("{why}; the lamp starts with its previous firmware");
    let inside = admission::look(flash, chip.name).map_err(stays)?;
    report.note(port, "before", &told(&inside)).map_err(|e| e.to_string())?;
    admission::admit(&inside, update).map_err(stays)?;
    if inside.manifest.is_some_and(|m| m.hash == update.manifest.hash) {
        return Ok(Done::Already);
    }
    let armed = inside.is_armed();
    if !armed && !args.unarmed {
        return Err("its rollback is not armed, so a bad image would stay; --unarmed sends it anyway".into());
    }
    if args.dry_run {
        return Ok(Done::WouldTake { armed });
    }
    let began = Instant::now();
    let bar = sending(port, update.bytes().len());
    let sent = admission::send(flash, &inside, update, |n| bar.set_position(n as u64));
    bar.finish_and_clear();
    let whole = sent.map_err(stays)?;
    // The last word may have been written before the chip stopped answering.
    admission::activate(flash, &inside, &whole).map_err(|why| {
        format!(
            "{why}; the image was written completely, and `k1 devices` shows whether the lamp tries it at its next \
             start"
        )
    })?;
    let slot = whole.slot().name();
    report.note(port, "sent", &json!({"via": "usb", "slot": slot})).map_err(|e| e.to_string())?;
    Ok(Done::Sent { slot, seconds: began.elapsed().as_secs_f64() })
}

/// The state of a lamp, for a report.
pub(super) fn told(inside: &CableLamp) -> serde_json::Value {
    let keys: Vec<_> = inside.trust.ids().map(|id| Short(id).to_string()).collect();
    json!({
        "board": inside.board(), "chip": inside.chip, "slot": inside.running.map(|s| s.name()),
        "version": inside.manifest.as_ref().map(|m| m.version.as_str()),
        "hash": inside.manifest.as_ref().map(|m| Short(m.short_hash()).to_string()),
        "standing": format!("{:?}", inside.standing), "armed": inside.is_armed(),
        "keys": keys, "counter_floor": inside.trust.floor,
    })
}

/// The lamp's own report on the image that it tries.
#[derive(Debug, PartialEq, Eq)]
enum TrialResult {
    Confirmed,
    TakenBack(String),
    Unheard,
}

/// Listens to a lamp that has started, prints its lines except figures, and waits for its verdict.
fn verdict(cable: &mut Console, patience: Duration, hash: &Short) -> Result<TrialResult, Failure> {
    let began = Instant::now();
    let mut until = began + patience.min(FIRST_WORD);
    let mut listener = Listener { hash: hash.to_string(), has_started: false };
    while let Some(line) = cable.line(until) {
        if !line.starts_with('[') {
            continue;
        }
        until = began + patience;
        if !matches!(lines::read(&line), Some(Said::Figures(_))) {
            console::line(format_args!("  {line}"))?;
        }
        if let Some(verdict) = listener.hear(&line) {
            return Ok(verdict);
        }
    }
    Ok(TrialResult::Unheard)
}

/// Derives a verdict from a console's lines.
struct Listener {
    hash: String,
    /// True if the new image has reported its start.
    has_started: bool,
}

impl Listener {
    fn hear(&mut self, line: &str) -> Option<TrialResult> {
        if let Some(said) = line.strip_prefix("[UPDATE] ") {
            if said.starts_with("confirmed") && self.has_started {
                return Some(TrialResult::Confirmed);
            }
            return Some(TrialResult::TakenBack(said.split_once("taken back: ")?.1.to_owned()));
        }
        let start = line.strip_prefix(lines::BOOT_ORDER[0])?;
        let is_new = start.contains(&format!("hash {}", self.hash));
        if self.has_started && !is_new {
            return Some(TrialResult::TakenBack(
                "it restarted during its trial, and runs its previous firmware again".into(),
            ));
        }
        self.has_started |= is_new;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_what_the_image_itself_says() {
        let hash = "00112233aabbccdd";
        let hear = |lines: &[&str]| {
            let mut listener = Listener { hash: hash.into(), has_started: false };
            lines.iter().find_map(|line| listener.hear(line))
        };
        let boot =
            |hash: &str| format!("[BOOT] K1 1.2.0 on esp32s3, hash {hash}, slot app1, reset: software");
        let (new, old) = (boot(hash), boot("ffffffffffffffff"));
        assert_eq!(hear(&[&new, "[UPDATE] on trial"]), None);
        assert_eq!(
            hear(&[&new, "[UPDATE] on trial", "[UPDATE] confirmed after 11 s"]),
            Some(TrialResult::Confirmed)
        );
        assert_eq!(hear(&["[UPDATE] confirmed after 11 s"]), None, "of whom?");
        let back = |why: &str| Some(TrialResult::TakenBack(why.into()));
        assert_eq!(
            hear(&[&new, "[UPDATE] taken back: trial: frames were late"]),
            back("trial: frames were late")
        );
        assert_eq!(hear(&[&old, "[UPDATE] 1.2.0 was taken back: it fell silent"]), back("it fell silent"));
        assert!(matches!(hear(&[&new, &old]), Some(TrialResult::TakenBack(_))));
        assert_eq!(hear(&[&new, &new]), None, "somebody pressed RESET");
    }
}
