//! Makes updates, and a small lamp for tests.
#![allow(dead_code, reason = "each test uses what it needs")]

use ed25519_dalek::SigningKey;
use k1_update::envelope::PublicKey;
use k1_update::layout::{Layout, SECTOR};
use k1_update::manifest::{Manifest, Name};
use k1_update::session::Gate;
use k1_update::trust::{KeyStatement, Trust};
use sha2::{Digest, Sha256};

pub const BOARD: &str = "virt";
pub const CHIP: &str = "riscv32";

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Trusts only the key of seed 1.
pub fn trust() -> Trust {
    let mut trust = Trust::NOBODY;
    let statement = KeyStatement { keys: [Some(public(&key(1))), None], generation: 1 };
    trust.replace(&statement.envelope()).unwrap();
    trust
}

pub fn gate(trust: &Trust) -> Gate<'_> {
    Gate { trust, board: BOARD, chip: CHIP }
}

/// Bytes that differ for every number.
pub fn image(number: u32, size: usize) -> Vec<u8> {
    let mut x = u64::from(number) << 32 | 0x9e37_79b9;
    let words = std::iter::repeat_with(|| {
        x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        ((x >> 32) as u32).to_le_bytes()
    });
    words.flatten().take(size).collect()
}

pub fn manifest(image: &[u8]) -> Manifest {
    Manifest {
        patience_s: 300,
        size: image.len() as u32,
        hash: Sha256::digest(image).into(),
        board: Name::new(BOARD).unwrap(),
        chip: Name::new(CHIP).unwrap(),
        version: Name::new("1.2.3").unwrap(),
        counter: 5,
    }
}

/// A whole file: the manifest, signed with the key of seed 1, and the image.
pub fn update(image: &[u8]) -> Vec<u8> {
    [&manifest(image).envelope().sign(&key(1)).0[..], image].concat()
}

/// Two records, and two slots of `sectors` sectors.
pub fn layout(sectors: u32) -> Layout {
    Layout { otadata: 0, slots: [2 * SECTOR, (2 + sectors) * SECTOR], slot_size: sectors * SECTOR }
}
