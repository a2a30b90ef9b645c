//! `k1 validate --via usb`: examines a lamp by its cable alone, and makes a record that can be attached to a report.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k1_host::Failure;
use k1_host::output::{Output, Spared};

use super::cable::told;
use super::verdicts::{keep, stop_on_end, summary, unwritten};
use crate::cable::FLASH;
use crate::cable::admission;
use crate::cable::flash::CableFlash;
use crate::cable::rom_loader::{CONSOLE_BAUD, RomLoader};
use crate::cli::ValidateArgs;
use crate::validate::criteria::{row, unknown};
use crate::validate::record::{CableRecord, ChipFacts, Program, cable_table, spreads};
use crate::validate::transcript::Transcript;
use crate::validate::verdict::{Row, Verdict};

/// Longest wait for a line before the user's end is noticed.
const GLANCE: Duration = Duration::from_millis(500);

/// Examines the lamp on a cable for `length` seconds.
///
/// # Errors
///
/// A sentence that says what could not be done, or which criteria do not hold.
pub fn validate(args: &ValidateArgs, length: f64) -> Result<(), Failure> {
    let Some(port) = &args.port else {
        return Err(Failure::usage("name the port of the cable with --port".into()));
    };
    // A file that cannot be written is reported before the lamp restarts.
    let kept = args.record.as_deref().map(|path| Output::create(path, &Spared::default())).transpose();
    let kept = kept.map_err(unwritten)?;
    let stopped = stop_on_end()?;
    let mut wire = RomLoader::open(port, CONSOLE_BAUD, args.in_loader)?;
    let kind = wire.chip().to_string();
    let revision = wire.revision().ok().map(|r| format!("{}.{}", r / 100, r % 100));
    let flash_bytes = wire.flash_size().ok().flatten();
    let chip = ChipFacts { kind, revision, flash_bytes };
    let mut flash = CableFlash::new(wire);
    let inside = admission::look(&mut flash, &chip.kind);
    let secrets = admission::secrets(&mut flash);
    let (mut console, was_reset) = flash.into_loader().run();
    let press = if was_reset { "" } else { " Press RESET on the lamp, or unplug it and plug it in again." };
    let inside = inside.map_err(|why| Failure::new(format!("{port}: {why}.{press}")))?;
    let secrets = secrets.map_err(|why| Failure::new(format!("{port}: {why}.{press}")))?;
    k1_host::say(format_args!("k1: listening to the {} on {port} for {length:.0} s.{press}", chip.kind));

    let began = Instant::now();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let until = began + Duration::from_secs_f64(length);
    let mut transcript = Transcript::new(secrets);
    while !stopped.load(Relaxed) && Instant::now() < until {
        if let Some(line) = console.line(until.min(Instant::now() + GLANCE)) {
            transcript.take(began.elapsed(), &line);
        }
    }

    let mut rows = vec![size(&chip), image(&inside)];
    rows.extend(transcript.judge());
    let passed = rows.iter().all(|r| r.verdict == Verdict::Passed);
    let record = CableRecord {
        program: Program::this(),
        flash: told(&inside),
        chip,
        began: since,
        length_s: began.elapsed().as_secs_f64(),
        passed,
        rows,
        starts: transcript.starts,
        figures: spreads(transcript.seconds.iter().map(|s| &s.figures)),
        console: transcript.lines,
        console_left_out: transcript.left_out,
        seconds: transcript.seconds,
    };
    keep(&record, &cable_table(&record), args.json, kept)?;
    match summary(&record.rows) {
        Some(summary) => Err(Failure::new(format!("{port}: {summary}"))),
        None => Ok(()),
    }
}

fn size(chip: &ChipFacts) -> Row {
    let criterion = format!("{} MB of flash or more", FLASH >> 20);
    match chip.flash_bytes {
        Some(bytes) => row("flash_size", criterion, format!("{} MB", bytes >> 20), bytes >= FLASH),
        None => unknown("flash_size", criterion, "the chip does not report it"),
    }
}

fn image(inside: &admission::CableLamp) -> Row {
    let criterion = "the running slot holds a signed image";
    match (&inside.running, &inside.manifest) {
        (None, _) => row("image", criterion, "there is no K1 on this chip yet", false),
        (Some(slot), Some(m)) => {
            let measured = format!("{} for {} in {}", m.version.as_str(), m.board.as_str(), slot.name());
            row("image", criterion, measured, true)
        }
        // As after `espflash flash`.
        (Some(slot), None) => {
            unknown("image", criterion, format!("{} holds an image without a manifest", slot.name()))
        }
    }
}
