//! The cable: a lamp's flash as the loader in its chip's ROM shows it, and updates through that.
//!
//! | Room | What it does |
//! |---|---|
//! | [`flash`] | the lamp's flash as the lamp's own code wants it |
//! | [`admission`] | what the lamp would decide, decided with its own code and its own settings |
//! | [`first_install`] | what a blank chip needs besides an image |
//! | [`rom_loader`] | the port, and the loader's commands |
//!
//! The loader is the one in ROM, not a faster one that is put into the chip's memory first: only it programs without
//! erasing, and that is what writes a record as a lamp does, its number last.

pub mod admission;
pub mod first_install;
pub mod flash;
pub mod rom_loader;

/// Bytes of flash that a K1 needs, and uses.
pub const FLASH: u32 = 4 << 20;

/// What a chip's loader does with the flash. Addresses in bytes.
pub trait Loader {
    /// Reads from `at` on.
    ///
    /// # Errors
    ///
    /// A sentence: the chip does not answer any more, or refuses.
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), String>;

    /// Erases the sectors from `at` on and programs them with `bytes`: whole sectors.
    ///
    /// # Errors
    ///
    /// A sentence: the chip does not answer any more, or refuses.
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), String>;

    /// Programs `bytes` at `at` without an erase; false if the loader does not do that.
    ///
    /// # Errors
    ///
    /// A sentence: the chip does not answer any more.
    fn program(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String>;

    /// True if the flash holds `bytes` at `at`, as the chip itself finds.
    ///
    /// # Errors
    ///
    /// A sentence: the chip does not answer any more, or refuses.
    fn holds(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String>;

    /// As [`write`](Self::write), and makes sure that it is there.
    ///
    /// # Errors
    ///
    /// A sentence: as above, or the flash does not hold it.
    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), String> {
        self.write(at, bytes)?;
        if self.holds(at, bytes)? {
            Ok(())
        } else {
            Err(format!("the flash does not hold what was written at {at:#x}: it may be worn out"))
        }
    }
}

/// The result of a future that never waits, as those over a flash that is a call away.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
