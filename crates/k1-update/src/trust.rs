//! The keys whose signatures count.
//!
//! A new lamp trusts no key. It accepts the first set from anybody who has the lamp's token. From then on only a
//! statement signed with a key of the set replaces the set. A statement is an envelope:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `K1KEYSET` |
//! | 8 | 2 | format of this table: 1 |
//! | 12 | 4 | generation: a set replaces only sets of lower generations |
//! | 16 | 32 | first public key |
//! | 48 | 32 | second public key, or zeros |
//! | 108 | 8 | first bytes of the SHA-256 of the signer's key |
//! | 128 | 64 | Ed25519 over all of this |
//!
//! All other bytes are zero.

use serde::{Deserialize, Serialize};

use crate::envelope::{BODY, ENVELOPE, Envelope, KeyId, PublicKey, number};
use crate::refusal::Refusal;

const MAGIC: &[u8; 8] = b"K1KEYSET";
const FORM: u32 = 1;

/// Keys whose signatures count. There can be two, so that one can replace the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    keys: [Option<PublicKey>; 2],
    /// Generation of the set; rises with each set.
    pub generation: u32,
    /// Lowest counter of an image that the lamp accepts.
    pub floor: u32,
}

/// A statement of a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// The keys; the first is always present.
    pub keys: [Option<PublicKey>; 2],
    /// Generation of the set; rises with each set.
    pub generation: u32,
}

impl KeyStatement {
    /// Reads a statement. Does not check its signature.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotAKeySet`], [`Refusal::UnknownForm`].
    pub fn read(envelope: &Envelope) -> Result<Self, Refusal> {
        if !envelope.0.starts_with(MAGIC) {
            return Err(Refusal::NotAKeySet);
        }
        if number::<2>(envelope, 8) != FORM {
            return Err(Refusal::UnknownForm);
        }
        let gaps = envelope.0[10..12].iter().chain(&envelope.0[80..108]).chain(&envelope.0[116..BODY]);
        if gaps.copied().any(|b| b != 0) {
            return Err(Refusal::NotAKeySet);
        }
        let key = |at: usize| {
            let mut key = [0; 32];
            key.copy_from_slice(&envelope.0[at..at + 32]);
            (key != [0; 32]).then_some(PublicKey(key))
        };
        let keys = [key(16), key(48)];
        match keys[0].is_some() && keys.iter().flatten().all(PublicKey::is_sound) {
            true => Ok(Self { keys, generation: number::<4>(envelope, 12) }),
            false => Err(Refusal::NotAKeySet),
        }
    }

    /// The unsigned envelope of this statement.
    pub fn envelope(&self) -> Envelope {
        let mut s = [0; ENVELOPE];
        s[..8].copy_from_slice(MAGIC);
        s[8] = FORM as u8;
        s[12..16].copy_from_slice(&self.generation.to_le_bytes());
        for (at, key) in [16, 48].into_iter().zip(&self.keys) {
            if let Some(key) = key {
                s[at..at + 32].copy_from_slice(&key.0);
            }
        }
        Envelope(s)
    }
}

impl Trust {
    /// A lamp without keys.
    pub const NOBODY: Self = Self { keys: [None; 2], generation: 0, floor: 0 };

    /// True if the lamp has no key yet.
    pub fn is_empty(&self) -> bool {
        self.keys.iter().flatten().next().is_none()
    }

    /// Ids of the keys.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().flatten().map(PublicKey::id)
    }

    /// Checks that a trusted key has signed an envelope.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoKeys`], [`Refusal::UnknownKey`], [`Refusal::BadSignature`].
    pub fn check(&self, envelope: &Envelope) -> Result<(), Refusal> {
        if self.is_empty() {
            return Err(Refusal::NoKeys);
        }
        let signer = envelope.signer();
        let key = self.keys.iter().flatten().find(|key| key.id() == signer).ok_or(Refusal::UnknownKey)?;
        if envelope.is_signed_by(key) { Ok(()) } else { Err(Refusal::BadSignature) }
    }

    /// Replaces the keys. The first set needs no signature, so the caller must check the sender's token.
    ///
    /// # Errors
    ///
    /// Those of [`KeyStatement::read`] and [`check`](Self::check). [`Refusal::OldKeys`] if the generation is not
    /// higher.
    pub fn replace(&mut self, envelope: &Envelope) -> Result<(), Refusal> {
        let statement = KeyStatement::read(envelope)?;
        if !self.is_empty() {
            self.check(envelope)?;
            if statement.generation <= self.generation {
                return Err(Refusal::OldKeys { generation: self.generation });
            }
        }
        self.keys = statement.keys;
        self.generation = statement.generation;
        Ok(())
    }
}
