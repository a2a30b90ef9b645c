//! Images for a chip's bootloader, made with espflash's library.

use std::path::Path;

use espflash::flasher::{FlashData, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip;

use crate::root;

/// The first revision (major · 100 + minor) of the ESP32-P4 with the memory and bootloader of the product. Earlier
/// revisions are different chips.
const P4_REVISION: u16 = 300;

/// Writes the image of `program` next to it, as `.bin`, and returns its size in bytes. Fails if the image does not fit
/// a slot of the lamp's partition table.
pub fn save(chip: &str, program: &Path) -> Result<u64, String> {
    let failed = |e: &dyn std::fmt::Display| format!("no image for {chip}: {e}");
    let target: Chip = chip.parse().map_err(|e| failed(&e))?;
    let elf = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let revision = if target == Chip::Esp32p4 { P4_REVISION } else { 0 };
    let flash = FlashSettings::new(None, Some(FlashSize::_4Mb), None);
    let data = FlashData::new(flash, revision, None, target, target.default_xtal_frequency());
    let table = root().join("firmware/boards/esp/partitions.csv");
    let image = IdfBootloaderFormat::new(&elf, &data, Some(&table), None, None, Some("app0"))
        .map_err(|e| failed(&e))?;
    let slot = image.partition_table().find("app0").map_or(0, |slot| slot.size());
    let parts: Vec<_> = image.ota_segments().collect();
    let [only] = &parts[..] else { return Err(failed(&format!("it has {} parts", parts.len()))) };
    let bytes = u64::from(only.size());
    if bytes > u64::from(slot) {
        return Err(failed(&format!("{bytes} B do not fit a slot of {slot} B")));
    }
    let place = program.with_extension("bin");
    // Written beside and renamed, so that a full disk leaves no part of an image under its name.
    let part = program.with_extension("bin.part");
    let written = std::fs::write(&part, only.data()).and_then(|()| std::fs::rename(&part, &place));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&part);
        format!("{} cannot be written: {e}", place.display())
    })?;
    println!("{chip}: image of {bytes} B for a slot of {slot} B ({})", place.display());
    Ok(bytes)
}
