//! A cable to a chip: the lamp's flash through the loader in the chip's ROM, and updates through it.
//!
//! | Room | What it does |
//! |---|---|
//! | [`flash`] | the lamp's flash as the lamp's own code needs it |
//! | [`admission`] | the lamp's own decision on an update, made with its code and its settings |
//! | [`first_install`] | the other parts that a blank chip needs |
//! | [`rom_loader`] | the port, and the loader's commands |
//!
//! Uses the loader in ROM instead of a faster one that is first loaded into the chip's memory, because only the one in
//! ROM programs without erasing. This is needed to write a record as a lamp does, with its number last.

pub mod admission;
pub mod first_install;
pub mod flash;
pub mod rom_loader;

pub use k1_bundle::plan::FLASH;

/// Access to the flash by a chip's loader. Addresses are in bytes.
pub trait Loader {
    /// Reads the bytes from `at`.
    ///
    /// # Errors
    ///
    /// A sentence if the chip no longer answers, or refuses.
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), String>;

    /// Erases the sectors from `at` and programs them with `bytes`, which must be whole sectors.
    ///
    /// # Errors
    ///
    /// A sentence if the chip no longer answers, or refuses.
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), String>;

    /// Programs `bytes` at `at` without erasing. Returns false if the loader does not support this.
    ///
    /// # Errors
    ///
    /// A sentence if the chip no longer answers.
    fn program(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String>;

    /// True if the flash holds `bytes` at `at`, as checked by the chip itself.
    ///
    /// # Errors
    ///
    /// A sentence if the chip no longer answers, or refuses.
    fn holds(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String>;

    /// Like [`write`](Self::write), and checks the result.
    ///
    /// # Errors
    ///
    /// A sentence if the chip no longer answers, refuses, or does not hold the bytes afterwards.
    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), String> {
        self.write(at, bytes)?;
        if self.holds(at, bytes)? {
            Ok(())
        } else {
            Err(format!("the flash does not hold what was written at {at:#x}: it may be worn out"))
        }
    }
}
