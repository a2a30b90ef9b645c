//! Addresses of slots and records in flash.

/// Bytes erased at once.
pub const SECTOR: u32 = 4_096;

/// One of the two places for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first slot.
    App0,
    /// The second slot.
    App1,
}

impl Slot {
    /// Both slots.
    pub const ALL: [Self; 2] = [Self::App0, Self::App1];

    /// The other slot.
    pub const fn other(self) -> Self {
        match self {
            Self::App0 => Self::App1,
            Self::App1 => Self::App0,
        }
    }

    /// Its name in the partition table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App0 => "app0",
            Self::App1 => "app1",
        }
    }
}

/// A lamp's map of its flash: two sectors of records, and two slots of the same size. Everything consists of whole
/// sectors.
///
/// The last sector of a slot holds the image's manifest; the rest is for the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Address of the two records, one sector each.
    pub otadata: u32,
    /// Addresses of the slots.
    pub slots: [u32; 2],
    /// Size of a slot in bytes.
    pub slot_size: u32,
}

impl Layout {
    /// The layout of K1: the first 4 MB of flash, as on the lamps in the field.
    pub const K1: Self = Self { otadata: 0xe000, slots: [0x1_0000, 0x1f_0000], slot_size: 0x1e_0000 };

    /// Address of a slot.
    pub const fn slot(&self, slot: Slot) -> u32 {
        self.slots[slot as usize]
    }

    /// Size of the largest image in bytes.
    pub const fn most(&self) -> u32 {
        self.slot_size - SECTOR
    }

    /// Address of a slot's manifest.
    pub const fn manifest(&self, slot: Slot) -> u32 {
        self.slot(slot) + self.most()
    }

    /// Address of a record; `which` is 0 or 1.
    pub const fn record(&self, which: usize) -> u32 {
        self.otadata + SECTOR * which as u32
    }
}
