//! `k1 validate` and `k1 soak`: the acceptance procedure, with every criterion measured on the lamp itself.

use std::time::{SystemTime, UNIX_EPOCH};

use k1_host::Failure;
use k1_host::output::{Output, Spared};
use serde_json::{Value, json};

use super::verdicts::{keep, stop_on_end, summary, unwritten};
use crate::cli::ValidateArgs;
use crate::lamps::virtual_lamp::{self, VirtualLamp};
use crate::lamps::{Client, Trouble, find};
use crate::validate::criteria::{Budget, judge};
use crate::validate::measure::{Emulator, measure};
use crate::validate::raw::Raw;
use crate::validate::record::{Program, Record, spreads, table};
use crate::validate::verdict::Verdict;

/// Default duration of `validate`, in seconds.
pub const TEN_MINUTES: f64 = 600.0;
/// Default duration of `soak`, in seconds.
pub const A_DAY: f64 = 86_400.0;

fn text(trouble: Trouble) -> Failure {
    Failure::new(trouble.to_string())
}

/// Judges a lamp; `usual` is the default duration in seconds.
///
/// # Errors
///
/// A sentence that says what could not be done, or which criteria do not hold.
pub fn validate(args: &ValidateArgs, usual: f64) -> Result<(), Failure> {
    let length = args.length.unwrap_or(usual);
    #[cfg(feature = "usb")]
    if args.via == crate::cli::ExamineVia::Usb {
        return super::validate_cable::validate(args, length);
    }
    let budget = Budget::read()?;
    // Report a file that cannot be written before measuring for a day. An existing record is kept until the new one is
    // complete.
    let raw = Raw::open(args.raw.as_deref())
        .map_err(|e| Failure::new(format!("the raw figures cannot be written: {e}")))?;
    let kept = args.record.as_deref().map(|path| Output::create(path, &Spared::default())).transpose();
    let kept = kept.map_err(unwritten)?;
    let stopped = stop_on_end()?;
    let client = Client::new(find(&args.lamp, args.token.as_deref())?);
    hears(virtual_lamp::at(&client.address().authority))?;
    let info = client.info().map_err(text)?;
    let name = client.name().map_err(text)?;
    let backup: Value = client.get("/api/config/backup").map_err(text)?;
    k1_host::say(format_args!(
        "k1: judging {name} at {} for {:.0} s; this changes its settings and restores them at the end",
        client.address().authority,
        length
    ));
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let emulator = Emulator::of(&info.board, client.address());
    let evidence = measure(&client, emulator, length, &raw, &stopped);
    let raw = raw.keep();
    let restored = client.post::<Value>("/api/config/restore", &backup);
    let evidence = evidence?;
    if let Err(trouble) = restored {
        k1_host::say(format_args!("k1: the settings of {name} could not be restored: {trouble}"));
    }
    let rows = judge(&evidence, &budget);
    let passed = rows.iter().all(|r| r.verdict == Verdict::Passed);
    let rolled_back = (!passed && args.rollback_on_fail).then(|| {
        match client.post::<Value>("/api/v1/rollback", &json!({})) {
            Ok(_) => "it returns to its previous firmware".to_owned(),
            Err(trouble) => format!("it could not be rolled back: {}", trouble.without_name()),
        }
    });
    let record = Record {
        program: Program::this(),
        lamp: name,
        address: client.address().authority.clone(),
        board: info.board.into_owned(),
        version: info.firmware.into_owned(),
        hash: evidence.device.firmware_hash.map(|h| h.to_string()),
        slot: evidence.device.slot.as_deref().map(str::to_owned),
        began,
        length_s: evidence.length_s,
        steady: emulator == Emulator::Steady,
        passed,
        rows,
        figures: spreads(evidence.seconds.iter().map(|s| &s.reading)),
        boot_log: evidence.boot_log,
        host: evidence.host,
        light: evidence.light.ok(),
        reads: evidence.reads,
        rolled_back,
    };
    tell(&record, args.json, kept)?;
    raw.map_err(|why| Failure::new(format!("all criteria hold, but the raw figures are lost: {why}")))
}

/// Prints and saves the record; an error if a criterion does not hold.
fn tell(record: &Record, as_json: bool, kept: Option<Output>) -> Result<(), Failure> {
    keep(record, &table(record), as_json, kept)?;
    let Some(summary) = summary(&record.rows) else { return Ok(()) };
    let back = record.rolled_back.as_ref().map(|b| format!("; {b}")).unwrap_or_default();
    Err(Failure::new(format!("{}: {summary}{back}", record.lamp)))
}

/// Checks that the lamp can hear this command's signal.
///
/// # Errors
///
/// A sentence if `k1 virt` plays music to it, because a lamp follows one source of sound.
fn hears(lamp: Option<VirtualLamp>) -> Result<(), Failure> {
    match lamp.is_some_and(|lamp| lamp.music) {
        false => Ok(()),
        true => Err(Failure::new(
            "`k1 virt` plays music to this lamp, which therefore does not hear the music and silence of this command; \
             start the lamp with `k1 virt --headless`"
                .into(),
        )),
    }
}
