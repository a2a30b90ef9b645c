//! `k1 validate` and `k1 soak`: the acceptance procedure, with every criterion measured on the lamp itself.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use k1_host::Failure;
use k1_host::output::{self, Output, Spared};
use k1_host::signals::{self, EndRequest, EndRequests};
use serde_json::{Value, json};

use crate::cli::ValidateArgs;
use crate::lamps::{Client, Trouble, find};
use crate::validate::criteria::{Budget, judge};
use crate::validate::measure::{Emulator, measure};
use crate::validate::raw::Raw;
use crate::validate::record::{Record, table};
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
    let budget = Budget::read()?;
    let length = args.length.unwrap_or(usual);
    // Report a file that cannot be written before measuring for a day. An existing record is kept until the new one is
    // complete.
    let raw = Raw::open(args.raw.as_deref())
        .map_err(|e| Failure::new(format!("the raw figures cannot be written: {e}")))?;
    let kept = args.record.as_deref().map(|path| Output::create(path, &Spared::default())).transpose();
    let kept = kept.map_err(unwritten)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let signal = stopped.clone();
    let requests = Arc::new(EndRequests::default());
    signals::on_end(move || match requests.take(Instant::now()) {
        EndRequest::End => signal.store(true, Relaxed),
        EndRequest::Same => {}
        // Does not wait for a verdict.
        EndRequest::EndNow => {
            let _ = output::abandon_all();
            std::process::exit(130);
        }
    })
    .map_err(Failure::new)?;
    let client = Client::new(find(&args.lamp, args.token.as_deref())?);
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
            Err(trouble) => format!("it could not be rolled back: {trouble}"),
        }
    });
    let record = Record {
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
    match as_json {
        true => k1_host::console::json(record)?,
        false => table(record).print()?,
    }
    // Saved after printing, so that a full disk does not lose the result.
    if let Some(mut kept) = kept {
        let text = serde_json::to_vec_pretty(record).map_err(|e| Failure::new(e.to_string()))?;
        let written = kept.write_all(&text).map_err(|e| output::unwritten(kept.path(), e));
        written.and_then(|()| kept.commit()).map_err(unwritten)?;
    }
    let failed: Vec<_> = record.rows.iter().filter(|r| r.verdict != Verdict::Passed).map(|r| r.id).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let back = record.rolled_back.as_ref().map(|b| format!("; {b}")).unwrap_or_default();
    Err(Failure::new(format!(
        "{} of {} criteria do not hold for {}: {}{back}",
        failed.len(),
        record.rows.len(),
        record.lamp,
        failed.join(", ")
    )))
}

fn unwritten(why: output::Unwritten) -> Failure {
    Failure::new(format!("the record cannot be written: {why}"))
}
