//! What both validations, by network and by cable, do with their records.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use k1_host::Failure;
use k1_host::console::Text;
use k1_host::output::{self, Output};
use k1_host::signals::{self, EndRequest, EndRequests};
use serde::Serialize;

use crate::validate::verdict::{Row, Verdict};

/// A flag that becomes true when the user asks for the end.
pub(super) fn stop_on_end() -> Result<Arc<AtomicBool>, Failure> {
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
    Ok(stopped)
}

/// Prints and saves a record, whose table is `text`.
pub(super) fn keep(
    record: &impl Serialize,
    text: &Text,
    as_json: bool,
    kept: Option<Output>,
) -> Result<(), Failure> {
    match as_json {
        true => k1_host::console::json(record)?,
        false => text.print()?,
    }
    // Saved after printing, so that a full disk does not lose the result.
    if let Some(mut kept) = kept {
        let text = serde_json::to_vec_pretty(record).map_err(|e| Failure::new(e.to_string()))?;
        let written = kept.write_all(&text).map_err(|e| output::unwritten(kept.path(), e));
        written.and_then(|()| kept.commit()).map_err(unwritten)?;
    }
    Ok(())
}

/// How many criteria do not hold, how many could not be measured, and which; `None` if all hold.
pub(super) fn summary(rows: &[Row]) -> Option<String> {
    let part = |verdict: Verdict, words: &str| {
        let ids: Vec<_> = rows.iter().filter(|r| r.verdict == verdict).map(|r| r.id).collect();
        (!ids.is_empty()).then(|| format!("{} {words} ({})", ids.len(), ids.join(", ")))
    };
    let parts = [part(Verdict::Failed, "do not hold"), part(Verdict::NotMeasured, "could not be measured")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("of {} criteria, {}", rows.len(), parts.join(" and ")))
}

/// The failure of a record that cannot be saved.
pub(super) fn unwritten(why: output::Unwritten) -> Failure {
    Failure::new(format!("the record cannot be written: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_that_could_not_be_measured_are_counted_apart() {
        let rows = |verdicts: &[(&'static str, Verdict)]| -> Vec<_> {
            let row = |(id, verdict): &(&'static str, Verdict)| Row {
                id,
                criterion: String::new(),
                measured: String::new(),
                verdict: *verdict,
            };
            verdicts.iter().map(row).collect()
        };
        use Verdict::{Failed, NotMeasured, Passed};
        assert_eq!(summary(&rows(&[("age", Passed), ("light", Passed)])), None);
        assert_eq!(
            summary(&rows(&[("age", Passed), ("light", NotMeasured), ("heap", Failed), ("run", Failed)]))
                .unwrap(),
            "of 4 criteria, 2 do not hold (heap, run) and 1 could not be measured (light)"
        );
        assert_eq!(
            summary(&rows(&[("age", Passed), ("light", NotMeasured)])).unwrap(),
            "of 2 criteria, 1 could not be measured (light)"
        );
    }
}
