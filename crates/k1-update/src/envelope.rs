//! An envelope: 128 bytes of a statement, and the operator's signature under them.
//!
//! The signature is Ed25519 (RFC 8032) over the 128 bytes as they are, so that a standard tool can check it. Which key
//! has signed stands at a fixed place of every envelope, whatever it states.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes that are signed.
pub const BODY: usize = 128;
/// Bytes of an envelope: what is stated, and 64 bytes of signature.
pub const ENVELOPE: usize = BODY + 64;
/// Where the signer's [`KeyId`] stands.
const SIGNER: usize = 108;

/// First 8 bytes of the SHA-256 of a public key.
pub type KeyId = [u8; 8];

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// How envelopes name it.
    pub fn id(&self) -> KeyId {
        let hash: [u8; 32] = Sha256::digest(self.0).into();
        let mut id = KeyId::default();
        id.copy_from_slice(&hash[..8]);
        id
    }

    /// False for bytes that are not a point of the curve, or one of small order, under which anything verifies.
    pub fn is_sound(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }
}

/// An envelope as it came: nothing in it is believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope(pub [u8; ENVELOPE]);

impl Envelope {
    /// The statement.
    pub fn body(&self) -> &[u8] {
        &self.0[..BODY]
    }

    /// The key that claims to have signed.
    pub fn signer(&self) -> KeyId {
        let mut id = KeyId::default();
        id.copy_from_slice(&self.0[SIGNER..SIGNER + 8]);
        id
    }

    /// True if the owner of `key` has signed exactly this.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let mut signature = [0; 64];
        signature.copy_from_slice(&self.0[BODY..]);
        let Ok(key) = VerifyingKey::from_bytes(&key.0) else { return false };
        // Strict: one message has one signature, and weak keys have none (RFC 8032, 5.1.7; Chalkias et al. 2020).
        key.verify_strict(self.body(), &Signature::from_bytes(&signature)).is_ok()
    }

    /// Puts a key's name and signature under what is stated.
    #[cfg(feature = "sign")]
    pub fn sign(mut self, key: &ed25519_dalek::SigningKey) -> Self {
        use ed25519_dalek::Signer;
        self.0[SIGNER..SIGNER + 8].copy_from_slice(&PublicKey(key.verifying_key().to_bytes()).id());
        let signature = key.sign(self.body()).to_bytes();
        self.0[BODY..].copy_from_slice(&signature);
        self
    }
}

/// A number in an envelope, little endian.
pub(crate) fn number<const N: usize>(envelope: &Envelope, at: usize) -> u32 {
    envelope.0[at..at + N].iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte))
}
