//! The content of a slot: an image, followed by the manifest that describes it.

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};

use crate::envelope::{ENVELOPE, Envelope};
use crate::layout::{Layout, Slot};
use crate::manifest::Manifest;
use crate::refusal::Refusal;

/// Bytes read at once.
const AT_ONCE: usize = 512;

/// A slot that was read completely and holds what its manifest describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    slot: Slot,
    manifest: Manifest,
}

impl Whole {
    /// The slot that was read.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The manifest of its image.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// The manifest in a slot; `None` if there is none. Does not read the image.
///
/// # Errors
///
/// [`Refusal::Flash`] if the flash cannot be read.
pub async fn labelled<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
) -> Result<Option<Manifest>, Refusal> {
    let mut envelope = [0; ENVELOPE];
    flash.read(layout.manifest(slot), &mut envelope).await.map_err(|_| Refusal::Flash)?;
    Ok(Manifest::read(&Envelope(envelope)).ok().filter(|m| m.size <= layout.most()))
}

/// Reads a slot completely; `None` if it does not hold what its manifest describes. Does not check the signature, which
/// was checked before the manifest was written.
///
/// # Errors
///
/// [`Refusal::Flash`] if the flash cannot be read.
pub async fn find<F: NorFlash>(flash: &mut F, layout: &Layout, slot: Slot) -> Result<Option<Whole>, Refusal> {
    let Some(manifest) = labelled(flash, layout, slot).await? else { return Ok(None) };
    let hash = hash(flash, layout.slot(slot), manifest.size).await?;
    Ok((hash == manifest.hash).then_some(Whole { slot, manifest }))
}

/// Writes the manifest behind an image, after reading the image back and comparing it with the manifest.
///
/// # Errors
///
/// [`Refusal::ReadBack`] if the flash holds another image or manifest than was written, [`Refusal::Flash`].
pub(crate) async fn seal<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    envelope: &Envelope,
    manifest: Manifest,
) -> Result<Whole, Refusal> {
    if hash(flash, layout.slot(slot), manifest.size).await? != manifest.hash {
        return Err(Refusal::ReadBack);
    }
    let at = layout.manifest(slot);
    flash.write(at, &envelope.0).await.map_err(|_| Refusal::Flash)?;
    let mut there = [0; ENVELOPE];
    flash.read(at, &mut there).await.map_err(|_| Refusal::Flash)?;
    if there == envelope.0 { Ok(Whole { slot, manifest }) } else { Err(Refusal::ReadBack) }
}

async fn hash<F: NorFlash>(flash: &mut F, from: u32, size: u32) -> Result<[u8; 32], Refusal> {
    let mut hash = Sha256::new();
    let mut bytes = [0; AT_ONCE];
    for at in (0..size).step_by(bytes.len()) {
        let part = &mut bytes[..(size - at).min(AT_ONCE as u32) as usize];
        flash.read(from + at, part).await.map_err(|_| Refusal::Flash)?;
        hash.update(&*part);
    }
    Ok(hash.finalize().into())
}
