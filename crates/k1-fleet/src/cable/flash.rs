//! The lamp's flash as a NOR flash, as the lamp's own code needs it. Sectors are transferred through a [`Loader`].
//!
//! A sector that is erased and then programmed is collected here and sent as a whole, in the order of erasing; the chip
//! confirms that it holds the sector before anybody reads it again. Programming a sector that the chip already holds is
//! sent at once. So code that writes data, reads it back, and then writes the word that makes it valid, does the same
//! on the chip.

use std::collections::BTreeMap;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use k1_update::layout::SECTOR;

use super::{FLASH, Loader};

/// Most sectors that are sent together. The chip erases them all before it answers.
const MOST_WAITING: usize = 16;

pub use k1_bundle::settings::{Copy, Fault};

/// The flash of a lamp on a cable.
pub struct CableFlash<L> {
    loader: L,
    /// Sectors as they are, or as they will be when they have been sent.
    known: BTreeMap<u32, Vec<u8>>,
    /// Sectors that were erased here and have not been sent yet, in the order of erasing.
    waiting: Vec<u32>,
    trouble: Option<String>,
}

impl<L: Loader> CableFlash<L> {
    /// The flash behind a loader.
    pub fn new(loader: L) -> Self {
        Self { loader, known: BTreeMap::new(), waiting: Vec::new(), trouble: None }
    }

    /// The last fault as a sentence.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// The loader; drops the sectors that have not been sent.
    pub fn into_loader(self) -> L {
        self.loader
    }

    fn tell<T>(&mut self, result: Result<T, String>) -> Result<T, Fault> {
        result.map_err(|words| {
            self.trouble = Some(words);
            Fault::Cable
        })
    }

    fn fits(at: u32, length: usize, align: u32) -> Result<(), Fault> {
        let inside = (at as usize).checked_add(length).is_some_and(|end| end <= FLASH as usize);
        let aligned = at.is_multiple_of(align) && length.is_multiple_of(align as usize);
        if inside && aligned { Ok(()) } else { Err(Fault::Bounds) }
    }

    /// Sends the waiting sectors in the order of erasing, neighbours together.
    fn send(&mut self) -> Result<(), Fault> {
        let waiting = std::mem::take(&mut self.waiting);
        for run in waiting.chunk_by(|a, b| a + SECTOR == *b) {
            let bytes: Vec<u8> = run.iter().flat_map(|at| self.known[at].iter().copied()).collect();
            let sent = self.loader.put(run[0], &bytes);
            self.tell(sent)?;
        }
        Ok(())
    }

    /// The sector at `at`; reads it from the chip the first time.
    fn sector(&mut self, at: u32) -> Result<&mut Vec<u8>, Fault> {
        if !self.known.contains_key(&at) {
            let mut bytes = vec![0; SECTOR as usize];
            let read = self.loader.read(at, &mut bytes);
            self.tell(read)?;
            self.known.insert(at, bytes);
        }
        self.known.get_mut(&at).ok_or(Fault::Bounds)
    }

    /// The parts of a range, one for each sector: address of the sector, offset in the sector, and place in the range.
    fn parts(at: u32, length: usize) -> impl Iterator<Item = (u32, usize, std::ops::Range<usize>)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let here = at + done as u32;
            let within = (here % SECTOR) as usize;
            let n = (length - done).min(SECTOR as usize - within);
            let range = done..done + n;
            done += n;
            (n > 0).then_some((here - within as u32, within, range))
        })
    }
}

impl<L> ErrorType for CableFlash<L> {
    type Error = Fault;
}

impl<L: Loader> ReadNorFlash for CableFlash<L> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        Self::fits(at, bytes.len(), 1)?;
        for (sector, within, range) in Self::parts(at, bytes.len()) {
            if self.waiting.contains(&sector) {
                self.send()?;
            }
            let n = range.len();
            bytes[range].copy_from_slice(&self.sector(sector)?[within..within + n]);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH as usize
    }
}

impl<L: Loader> NorFlash for CableFlash<L> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        Self::fits(from, to.checked_sub(from).ok_or(Fault::Bounds)? as usize, SECTOR)?;
        for at in (from..to).step_by(SECTOR as usize) {
            // All sectors that were erased before have been programmed by now.
            if self.waiting.len() >= MOST_WAITING {
                self.send()?;
            }
            self.known.insert(at, vec![0xff; SECTOR as usize]);
            if !self.waiting.contains(&at) {
                self.waiting.push(at);
            }
        }
        Ok(())
    }

    async fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        Self::fits(at, bytes.len(), Self::WRITE_SIZE as u32)?;
        for (sector, within, range) in Self::parts(at, bytes.len()) {
            let new = &bytes[range];
            let is_waiting = self.waiting.contains(&sector);
            if !is_waiting {
                self.send()?;
            }
            let old = &mut self.sector(sector)?[within..within + new.len()];
            if old.iter().zip(new).any(|(old, new)| old & new != *new) {
                return Err(Fault::NotErased);
            }
            old.copy_from_slice(new);
            if !is_waiting {
                let whole = self.known[&sector].clone();
                let place = sector + within as u32;
                let done = (|| {
                    if self.loader.program(place, new)? && self.loader.holds(sector, &whole)? {
                        return Ok(());
                    }
                    // This loader can only write whole sectors.
                    self.loader.put(sector, &whole)
                })();
                self.tell(done)?;
            }
        }
        Ok(())
    }
}
