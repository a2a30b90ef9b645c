//! The interfaces for firmware: sheets, records in flash, and packets of espota clients.

use k1_update::manifest::Manifest;
use k1_update::otadata::{ENTRY, Entry, Records};
use k1_update::sheet::{SHEET, Sheet};
use k1_update::trust::{KeyStatement, Trust};
use k1_wire::espota::{self, Request};

use crate::choices::Choices;

/// Any bytes as an espota packet, as a sheet (of an image or of keys) and as a pair of records.
pub fn update(bytes: &[u8]) {
    packet(bytes);
    let mut choices = Choices::new(bytes);
    sheet(&mut choices);
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

fn sheet(choices: &mut Choices<'_>) {
    let sheet = Sheet(filled::<SHEET>(choices));
    match Manifest::read(&sheet) {
        Ok(manifest) => {
            // Parsing loses nothing: written again, it is the same statement.
            let again = manifest.sheet();
            assert_eq!((&again.0[..108], &again.0[116..128]), (&sheet.0[..108], &sheet.0[116..128]));
            assert!(manifest.size > 0 && !manifest.board.as_str().is_empty());
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
    match KeyStatement::read(&sheet) {
        Ok(statement) => {
            let again = statement.sheet();
            assert_eq!((&again.0[..108], &again.0[116..128]), (&sheet.0[..108], &sheet.0[116..128]));
            let mut trust = Trust::NOBODY;
            assert_eq!(trust.replace(&sheet), Ok(()), "the first set is taken");
            assert!(!trust.is_empty());
        }
        Err(e) => {
            let mut nobody = Trust::NOBODY;
            assert_eq!(nobody.replace(&sheet), Err(e));
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
