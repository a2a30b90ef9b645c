//! The interfaces for firmware: envelopes, records in flash, and packets of espota clients.

use k1_update::envelope::{ENVELOPE, Envelope};
use k1_update::manifest::Manifest;
use k1_update::otadata::{ENTRY, Entry, Records};
use k1_update::trust::{KeyStatement, Trust};
use k1_wire::espota::{self, Request};

use crate::choices::Choices;

/// Any bytes as an espota packet, as an envelope (of an image or of keys) and as a pair of records.
pub fn update(bytes: &[u8]) {
    packet(bytes);
    let mut choices = Choices::new(bytes);
    envelope(&mut choices);
    records(&mut choices);
}

fn packet(bytes: &[u8]) {
    match espota::parse(bytes) {
        Some(Request::Invite(invitation)) => assert_ne!(invitation.port, 0, "there is somewhere to dial"),
        Some(Request::Proof { cnonce, response }) => {
            assert!(cnonce.len() == response.len() && matches!(cnonce.len(), 32 | 64));
        }
        None => {}
    }
}

/// Fills an array from the choices, padded with zeros.
fn filled<const N: usize>(choices: &mut Choices<'_>) -> [u8; N] {
    let mut place = [0; N];
    let bytes = choices.take(N);
    place[..bytes.len()].copy_from_slice(bytes);
    place
}

fn envelope(choices: &mut Choices<'_>) {
    let envelope = Envelope(filled::<ENVELOPE>(choices));
    match Manifest::read(&envelope) {
        Ok(manifest) => {
            // Parsing loses nothing: written again, it is the same statement.
            let again = manifest.envelope();
            assert_eq!((&again.0[..108], &again.0[116..128]), (&envelope.0[..108], &envelope.0[116..128]));
            assert!(manifest.size > 0 && !manifest.board.as_str().is_empty());
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
    match KeyStatement::read(&envelope) {
        Ok(statement) => {
            let again = statement.envelope();
            assert_eq!((&again.0[..108], &again.0[116..128]), (&envelope.0[..108], &envelope.0[116..128]));
            let mut trust = Trust::NOBODY;
            assert_eq!(trust.replace(&envelope), Ok(()), "the first set is taken");
            assert!(!trust.is_empty());
        }
        Err(e) => {
            let mut nobody = Trust::NOBODY;
            assert_eq!(nobody.replace(&envelope), Err(e));
            assert!(nobody.is_empty());
        }
    }
}

fn records(choices: &mut Choices<'_>) {
    let raw = [filled::<ENTRY>(choices), filled::<ENTRY>(choices)];
    let records = Records([Entry::read(&raw[0]), Entry::read(&raw[1])]);
    for entry in records.0.iter().flatten() {
        assert_eq!(Entry::read(&entry.bytes()), Some(*entry), "what is written is what is read");
    }
    if let Some(chosen) = records.chosen() {
        assert!(records.0[chosen].is_some(), "only a record that counts is chosen");
    }
}
