//! Static memory of the firmware.

use crate::chip;

// Symbols of the HAL's linker script: the beginning of the initialised data, and the end of the zeroed data. There is
// nothing else between them.
unsafe extern "C" {
    static _data_start: u32;
    static _bss_end: u32;
}

/// Number of bytes of static RAM. The heap does not count, because it uses the remaining memory.
pub fn static_ram() -> u32 {
    let taken = (&raw const _bss_end as usize) - (&raw const _data_start as usize);
    (taken - chip::ORDINARY_HEAP) as u32
}
