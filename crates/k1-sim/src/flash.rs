//! NOR flash that tears: a power cut can hit every erase and every program step, in five shapes.
//!
//! A step is the erase of one sector or the programming of at most one page of 256 bytes. Programming can only clear
//! bits; an attempt to set one is an error. After a cut every operation fails until the power returns.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use k1_engine::random::SplitMix64;

/// Size of a sector in bytes.
pub const SECTOR: usize = 4_096;
const PAGE: usize = 256;
const WORD: usize = 4;

/// What a power cut leaves of the step that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// Nothing was done.
    NotBegun,
    /// The lower half was done.
    LowHalf,
    /// The upper half was done.
    HighHalf,
    /// Random bits were done.
    AnyBits,
    /// The first words were done, and half the bits of the next word.
    HalfWord,
}

impl Tear {
    /// Every shape.
    pub const ALL: [Self; 5] = [Self::NotBegun, Self::LowHalf, Self::HighHalf, Self::AnyBits, Self::HalfWord];
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Outside the flash, or not aligned.
    Bounds,
    /// A write would set a bit, which only an erase can.
    NotErased,
    /// The power is off.
    NoPower,
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Bounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::NoPower => NorFlashErrorKind::Other,
        }
    }
}

/// A flash chip in memory.
#[derive(Clone, Debug)]
pub struct Flash {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Number of steps since it was made.
    pub steps: u64,
    cut: Option<(u64, Tear)>,
    has_power: bool,
    chance: SplitMix64,
}

impl Flash {
    /// An erased flash of `sectors` sectors.
    pub fn new(sectors: usize) -> Self {
        Self {
            bytes: vec![0xff; sectors * SECTOR],
            steps: 0,
            cut: None,
            has_power: true,
            chance: SplitMix64::new(0x4b31),
        }
    }

    /// Cuts the power in step number `step` (counted as in [`steps`](Self::steps)), with this shape.
    pub fn cut_at(&mut self, step: u64, tear: Tear) {
        self.cut = Some((step, tear));
        // The random bits depend on the step, and are the same each time.
        self.chance = SplitMix64::new(step.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x4b31);
    }

    /// Turns the power on for good.
    pub fn power_on(&mut self) {
        self.cut = None;
        self.has_power = true;
    }

    /// True until a cut has come, and after the power has returned.
    pub fn has_power(&self) -> bool {
        self.has_power
    }

    /// Does one step: writes `new` at `at`, or what the cut leaves of it.
    fn step(&mut self, at: usize, new: &[u8]) -> Result<(), Fault> {
        if !self.has_power {
            return Err(Fault::NoPower);
        }
        let number = self.steps;
        self.steps += 1;
        let tear = self.cut.filter(|(step, _)| *step == number).map(|(_, tear)| tear);
        let half = new.len() / 2;
        let word = new.len() / WORD / 2 * WORD;
        for (i, new) in new.iter().enumerate() {
            let old = self.bytes[at + i];
            let any = if tear == Some(Tear::AnyBits) { self.chance.next_u64() as u8 } else { 0 };
            self.bytes[at + i] = match tear {
                None => *new,
                Some(Tear::NotBegun) => old,
                Some(Tear::LowHalf) => {
                    if i < half {
                        *new
                    } else {
                        old
                    }
                }
                Some(Tear::HighHalf) => {
                    if i < half {
                        old
                    } else {
                        *new
                    }
                }
                Some(Tear::AnyBits) => old & !any | new & any,
                Some(Tear::HalfWord) => match i {
                    i if i < word => *new,
                    i if i < word + WORD => old & 0xaa | new & 0x55,
                    _ => old,
                },
            };
        }
        if tear.is_some() {
            self.has_power = false;
            return Err(Fault::NoPower);
        }
        Ok(())
    }

    fn check(&self, at: u32, length: usize, align: usize) -> Result<(), Fault> {
        let fits = at as usize + length <= self.bytes.len();
        let aligned = (at as usize).is_multiple_of(align) && length.is_multiple_of(align);
        if fits && aligned { Ok(()) } else { Err(Fault::Bounds) }
    }
}

impl Flash {
    fn read_now(&self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.check(at, bytes.len(), 1)?;
        if !self.has_power {
            return Err(Fault::NoPower);
        }
        bytes.copy_from_slice(&self.bytes[at as usize..at as usize + bytes.len()]);
        Ok(())
    }

    fn erase_now(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.check(from, (to as usize).checked_sub(from as usize).ok_or(Fault::Bounds)?, SECTOR)?;
        (from as usize..to as usize).step_by(SECTOR).try_for_each(|at| self.step(at, &[0xff; SECTOR]))
    }

    fn write_now(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.check(at, bytes.len(), WORD)?;
        let old = &self.bytes[at as usize..at as usize + bytes.len()];
        if old.iter().zip(bytes).any(|(old, new)| old & new != *new) {
            return Err(Fault::NotErased);
        }
        bytes.chunks(PAGE).enumerate().try_for_each(|(i, page)| self.step(at as usize + i * PAGE, page))
    }
}

impl ErrorType for Flash {
    type Error = Fault;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.read_now(at, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.erase_now(from, to)
    }

    async fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.write_now(at, bytes)
    }
}

/// A flash that outlives those who use it, as a chip's does its firmware.
#[derive(Clone, Debug)]
pub struct Shared(Rc<RefCell<Flash>>);

impl Shared {
    /// Shares a flash.
    pub fn new(flash: Flash) -> Self {
        Self(Rc::new(RefCell::new(flash)))
    }

    /// Looks at the chip itself, or changes it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Flash) -> T) -> T {
        change(&mut self.0.borrow_mut())
    }
}

impl ErrorType for Shared {
    type Error = Fault;
}

impl ReadNorFlash for Shared {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.0.borrow().read_now(at, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl NorFlash for Shared {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.0.borrow_mut().erase_now(from, to)
    }

    async fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.0.borrow_mut().write_now(at, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::Future;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("this flash never waits"),
        }
    }

    #[test]
    fn bits_are_set_by_an_erase_only() {
        let mut f = Flash::new(2);
        assert_eq!(now(f.write(0, &[0xf0; 8])), Ok(()));
        assert_eq!(now(f.write(0, &[0x0f; 8])), Err(Fault::NotErased));
        assert_eq!(now(f.write(4, &[0x30; 4])), Ok(()));
        assert_eq!(now(f.erase(0, 4_096)), Ok(()));
        assert!(f.bytes.iter().all(|b| *b == 0xff));
        assert_eq!(now(f.write(2, &[0; 4])), Err(Fault::Bounds));
        assert_eq!(now(f.erase(0, 100)), Err(Fault::Bounds));
        assert_eq!(f.steps, 3);
    }

    #[test]
    fn each_shape_leaves_what_it_says() {
        for (tear, left) in [
            (Tear::NotBegun, [0xff; 8]),
            (Tear::LowHalf, [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            (Tear::HighHalf, [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            (Tear::HalfWord, [0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa]),
        ] {
            let mut f = Flash::new(1);
            f.cut_at(0, tear);
            assert_eq!(now(f.write(0, &[0; 8])), Err(Fault::NoPower));
            assert_eq!(f.bytes[..8], left, "{tear:?}");
            assert_eq!(now(f.read(0, &mut [0])), Err(Fault::NoPower));
            f.power_on();
            assert_eq!(now(f.read(0, &mut [0])), Ok(()));
        }
    }
}
