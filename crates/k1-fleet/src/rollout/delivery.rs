//! Firmware for one lamp: whether the lamp would accept it, and the result.

use std::time::{Duration, Instant};

use k1_device::firmware::{Firmware, Outcome, Rollback, Short, Standing};
use serde_json::Value;

use crate::lamps::Client;
use crate::signing::package::Update;

/// Time within which a lamp is back after an update, not counting trial and network.
pub const RESTART: Duration = Duration::from_secs(60);
/// Longest trial, not counting the network.
const TRIAL: Duration = Duration::from_secs(75);
/// Pause between two requests.
const LOOK: Duration = Duration::from_millis(500);

/// Whether a lamp would accept an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It already runs this image.
    Done,
    /// It would accept the update.
    Send {
        /// True if it could not roll a bad image back.
        unarmed: bool,
    },
}

/// Whether a lamp would accept an update, and its whole answer. To be asked before any byte is sent. `unarmed` also
/// permits lamps that could not roll a bad image back.
///
/// # Errors
///
/// A sentence with the reason if it would refuse the update.
pub fn readiness(client: &Client, update: &Update, unarmed: bool) -> Result<(Readiness, Value), String> {
    let (state, raw) = client.firmware().map_err(|e| e.without_name())?;
    Ok((judge(&state, update, unarmed)?, raw))
}

/// What a lamp in this state makes of an update, or the reason why it would refuse it.
fn judge(state: &Firmware, update: &Update, unarmed: bool) -> Result<Readiness, String> {
    let m = &update.manifest;
    // The same image for another board, or signed by a stranger, is still refused.
    let why = if state.board != m.board.as_str() {
        Some(format!("the image is for {}, but this is {}", m.board.as_str(), state.board))
    } else if state.keys.is_empty() {
        Some("it trusts no key yet: `k1 keys trust LAMP`".into())
    } else if !state.keys.contains(&Short(update.envelope.signer())) {
        Some("it does not trust the key that has signed this image".into())
    } else if state.running.as_ref().is_some_and(|i| i.hash == update.hash())
        && state.state != Standing::OnTrial
    {
        return Ok(Readiness::Done);
    } else if m.counter < state.counter_floor {
        Some(format!(
            "the image's counter is {}, but the lamp has already confirmed {}",
            m.counter, state.counter_floor
        ))
    } else if state.state == Standing::OnTrial {
        Some("its firmware is on trial: wait for the verdict".into())
    } else if let Some(r) = &state.receiving {
        Some(format!("it is taking another update ({} of {} bytes)", r.received, r.size))
    } else if state.rollback == Rollback::NotArmed && !unarmed {
        Some("its rollback is not armed, so a bad image would stay; --unarmed sends it anyway".into())
    } else {
        None
    };
    match why {
        Some(why) => Err(why),
        None => Ok(Readiness::Send { unarmed: state.rollback == Rollback::NotArmed }),
    }
}

/// Waits for a lamp's verdict on an update. Returns its whole answer, and its firmware if it confirmed the update.
///
/// # Errors
///
/// A sentence if the lamp rejects the update, or gives no verdict in time.
pub fn verdict(client: &Client, update: &Update) -> (Value, Result<Firmware, String>) {
    let hash = update.hash();
    let patience = RESTART + TRIAL + Duration::from_secs(update.manifest.patience_s.into());
    let went_back =
        |s: &Firmware| s.last.clone().filter(|l| l.hash == hash && l.outcome == Outcome::RolledBack);
    let judged = wait(client, patience, |s| {
        let runs = s.running.as_ref().is_some_and(|i| i.hash == hash);
        (runs && s.state == Standing::Confirmed) || (!runs && went_back(s).is_some())
    });
    match judged {
        Err(why) => (Value::Null, Err(why)),
        Ok((state, raw)) => match went_back(&state) {
            Some(last) => {
                let runs = state.running.map_or_else(|| "the image before".into(), |i| i.version.to_string());
                let why =
                    format!("it tried {} and took itself back to {runs}: {}", last.version, last.reason);
                (raw, Err(why))
            }
            None => (raw, Ok(state)),
        },
    }
}

/// Asks repeatedly until the firmware's state is the wanted one. A lamp that is restarting does not answer.
///
/// # Errors
///
/// A sentence if this does not happen in time.
pub fn wait(
    client: &Client,
    patience: Duration,
    is: impl Fn(&Firmware) -> bool,
) -> Result<(Firmware, Value), String> {
    let began = Instant::now();
    let mut last = "it does not answer".to_owned();
    while began.elapsed() < patience {
        match client.firmware() {
            Ok((state, raw)) if is(&state) => return Ok((state, raw)),
            Ok((state, _)) => {
                let version = state.running.map_or_else(|| "something".into(), |i| i.version.to_string());
                last = format!("it runs {version}, {:?}", state.state);
            }
            Err(trouble) => last = trouble.without_name(),
        }
        std::thread::sleep(LOOK);
    }
    Err(format!("no verdict after {} s: {last}", patience.as_secs()))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use k1_device::firmware::Image;

    use super::*;
    use crate::signing::package::{Statement, manifest};

    fn update(board: &str, key: &SigningKey) -> Update {
        let image = b"the image that already runs".to_vec();
        let statement = Statement { board, version: "2.0.0", counter: 1, patience_s: 0 };
        let manifest = manifest(&image, &statement).unwrap();
        Update { envelope: manifest.envelope().sign(key), manifest, image }
    }

    #[test]
    fn an_image_that_runs_already_must_still_be_for_this_board_and_of_a_trusted_key() {
        let [ours, theirs] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let good = update("virt", &ours);
        let mut lamp = Firmware {
            board: "virt".into(),
            chip: "virt".into(),
            slot: "a".into(),
            running: Some(Image { version: "2.0.0".parse().unwrap(), hash: good.hash(), counter: 1 }),
            state: Standing::Confirmed,
            rollback: Rollback::Armed,
            other: None,
            keys: [Short(good.envelope.signer())].into_iter().collect(),
            key_generation: 1,
            counter_floor: 1,
            receiving: None,
            refused: None,
            last: None,
        };
        let ask = |lamp: &Firmware, update: &Update| judge(lamp, update, false);
        let refused = |answer: Result<Readiness, String>, word: &str| {
            assert!(answer.as_ref().is_err_and(|why| why.contains(word)), "{word}: {answer:?}");
        };
        assert_eq!(ask(&lamp, &good), Ok(Readiness::Done));
        refused(ask(&lamp, &update("esp32s3", &ours)), "for esp32s3, but this is virt");
        refused(ask(&lamp, &update("virt", &theirs)), "does not trust the key");
        lamp.state = Standing::OnTrial;
        refused(ask(&lamp, &good), "on trial");
        lamp.keys.clear();
        refused(ask(&lamp, &good), "trusts no key");
    }
}
