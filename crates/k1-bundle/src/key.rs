//! The owner's key as text: PKCS #8 in PEM, as `k1 keys new` writes it; public keys as SPKI in PEM, as `k1 keys show` prints
//! them.

use alloc::string::{String, ToString};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use k1_update::envelope::PublicKey;

/// The text of a secret key.
///
/// # Errors
///
/// A sentence if the key cannot be encoded.
pub fn secret_pem(key: &SigningKey) -> Result<String, String> {
    key.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.as_str().into()).map_err(|e| e.to_string())
}

/// The text of a public key.
///
/// # Errors
///
/// A sentence if the key cannot be encoded.
pub fn public_pem(key: &SigningKey) -> Result<String, String> {
    key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|e| e.to_string())
}

/// Reads a secret key.
///
/// # Errors
///
/// The rest of a sentence, “… is not an Ed25519 key in PKCS #8”.
pub fn read_secret(pem: &str) -> Result<SigningKey, String> {
    SigningKey::from_pkcs8_pem(pem).map_err(|e| alloc::format!("is not an Ed25519 key in PKCS #8: {e}"))
}

/// Reads a public key. `None` if the text is not one, or the key is weak.
pub fn read_public(pem: &str) -> Option<PublicKey> {
    let key = VerifyingKey::from_public_key_pem(pem).ok().map(|key| PublicKey(key.to_bytes()));
    key.filter(PublicKey::is_sound)
}
