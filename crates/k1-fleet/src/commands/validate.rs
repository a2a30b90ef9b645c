//! `k1 validate` and `k1 soak`: the acceptance procedure, every criterion measured on the lamp itself.

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

/// How long `validate` takes if nothing else is said, in seconds.
pub const TEN_MINUTES: f64 = 600.0;
/// How long `soak` takes if nothing else is said, in seconds.
pub const A_DAY: f64 = 86_400.0;

fn text(trouble: Trouble) -> Failure {
    Failure(trouble.to_string())
}

/// Judges a lamp; `usual` is how long that takes if nothing else is said, in seconds.
///
/// # Errors
///
/// A sentence: what could not be done, or which criteria do not hold.
pub fn validate(args: &ValidateArgs, usual: f64) -> Result<(), Failure> {
    let budget = Budget::read()?;
    let length = args.length.unwrap_or(usual);
    // What cannot be kept is said before a day is measured; a record that is there stays until there is a new one.
    let raw = Raw::open(args.raw.as_deref())
        .map_err(|e| Failure(format!("the raw figures cannot be written: {e}")))?;
    let kept = args.record.as_deref().map(|path| Output::create(path, &Spared::default())).transpose();
    let kept = kept.map_err(unwritten)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let signal = stopped.clone();
    let requests = Arc::new(EndRequests::default());
    signals::on_end(move || match requests.take(Instant::now()) {
        EndRequest::End => signal.store(true, Relaxed),
        EndRequest::Same => {}
        // It does not wait for a verdict.
        EndRequest::EndNow => {
            let _ = output::abandon_all();
            std::process::exit(130);
        }
    })
    .map_err(Failure)?;
    let client = Client::new(find(&args.lamp, args.token.as_deref())?);
    let info = client.info().map_err(text)?;
    let name = client.name().map_err(text)?;
    let backup: Value = client.get("/api/config/backup").map_err(text)?;
    k1_host::say(format_args!(
        "k1: judging {name} at {} for {:.0} s; its patterns change meanwhile, and its look comes back",
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
        k1_host::say(format_args!("k1: the look that {name} had could not be put back: {trouble}"));
    }
    let rows = judge(&evidence, &budget);
    let passed = rows.iter().all(|r| r.verdict == Verdict::Passed);
    let rolled_back = (!passed && args.rollback_on_fail).then(|| {
        match client.post::<Value>("/api/v1/rollback", &json!({})) {
            Ok(_) => "it goes back to the firmware before".to_owned(),
            Err(trouble) => format!("it could not be sent back: {trouble}"),
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
    raw.map_err(|why| Failure(format!("it holds, but the raw figures are lost: {why}")))
}

/// Prints and keeps the record, and ends with what it says.
fn tell(record: &Record, as_json: bool, kept: Option<Output>) -> Result<(), Failure> {
    match as_json {
        true => k1_host::console::json(record)?,
        false => table(record).print()?,
    }
    // After it was shown: a disk that is full takes nothing away.
    if let Some(mut kept) = kept {
        let text = serde_json::to_vec_pretty(record).map_err(|e| Failure(e.to_string()))?;
        let written = kept.write_all(&text).map_err(|e| output::unwritten(kept.path(), e));
        written.and_then(|()| kept.commit()).map_err(unwritten)?;
    }
    let failed: Vec<_> = record.rows.iter().filter(|r| r.verdict != Verdict::Passed).map(|r| r.id).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let back = record.rolled_back.as_ref().map(|b| format!("; {b}")).unwrap_or_default();
    Err(Failure(format!(
        "{} of {} criteria do not hold for {}: {}{back}",
        failed.len(),
        record.rows.len(),
        record.lamp,
        failed.join(", ")
    )))
}

fn unwritten(why: output::Unwritten) -> Failure {
    Failure(format!("the record cannot be written: {why}"))
}
