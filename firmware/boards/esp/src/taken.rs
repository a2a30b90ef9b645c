//! What the firmware takes of the memory from the start on.

use crate::chip;

// What the HAL's linker script says: where what is kept from the image begins, and where what is cleared ends. Nothing
// else lies between.
unsafe extern "C" {
    static _data_start: u32;
    static _bss_end: u32;
}

/// Bytes of static RAM. The heap is memory that is left, not memory that is used.
pub fn static_ram() -> u32 {
    let taken = (&raw const _bss_end as usize) - (&raw const _data_start as usize);
    (taken - chip::ORDINARY_HEAP) as u32
}
