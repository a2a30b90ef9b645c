//! An envelope: a statement of 128 bytes, and the operator's signature.
//!
//! The signature is Ed25519 (RFC 8032) over the unchanged 128 bytes, so that a standard tool can check it. The signer's
//! key is named at the same place in every envelope.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Size of the signed statement in bytes.
pub const BODY: usize = 128;
/// Size of an envelope in bytes: the statement and 64 bytes of signature.
pub const ENVELOPE: usize = BODY + 64;
/// Offset of the signer's [`KeyId`].
const SIGNER: usize = 108;

/// First 8 bytes of the SHA-256 of a public key.
pub type KeyId = [u8; 8];

/// An Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Its id in envelopes.
    pub fn id(&self) -> KeyId {
        let hash: [u8; 32] = Sha256::digest(self.0).into();
        let mut id = KeyId::default();
        id.copy_from_slice(&hash[..8]);
        id
    }

    /// False if the bytes are not a point of the curve, or are a point of small order, for which every signature
    /// verifies.
    pub fn is_sound(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }
}

/// An envelope as received; its content has not been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope(pub [u8; ENVELOPE]);

impl Envelope {
    /// The signed statement.
    pub fn body(&self) -> &[u8] {
        &self.0[..BODY]
    }

    /// Id of the key that claims to have signed.
    pub fn signer(&self) -> KeyId {
        let mut id = KeyId::default();
        id.copy_from_slice(&self.0[SIGNER..SIGNER + 8]);
        id
    }

    /// True if `key` has signed exactly this statement.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let mut signature = [0; 64];
        signature.copy_from_slice(&self.0[BODY..]);
        let Ok(key) = VerifyingKey::from_bytes(&key.0) else { return false };
        // Strict: one message has one signature, and weak keys have none (RFC 8032, 5.1.7; Chalkias et al. 2020).
        key.verify_strict(self.body(), &Signature::from_bytes(&signature)).is_ok()
    }

    /// Adds a key's id and its signature.
    #[cfg(feature = "sign")]
    pub fn sign(mut self, key: &ed25519_dalek::SigningKey) -> Self {
        use ed25519_dalek::Signer;
        self.0[SIGNER..SIGNER + 8].copy_from_slice(&PublicKey(key.verifying_key().to_bytes()).id());
        let signature = key.sign(self.body()).to_bytes();
        self.0[BODY..].copy_from_slice(&signature);
        self
    }
}

/// A little-endian number in an envelope.
pub(crate) fn number<const N: usize>(envelope: &Envelope, at: usize) -> u32 {
    envelope.0[at..at + N].iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte))
}
