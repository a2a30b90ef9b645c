//! Updates on the side that makes them: keys, signed files, and the flash of a virtual lamp.
//!
//! | Room | What it does |
//! |---|---|
//! | `cable` | a lamp on a cable: its flash, its own decision, the first installation (feature `usb`) |
//! | [`keys`] | the keys of this user, in files that only the user can read |
//! | [`espota`] | sending an update as people's existing tools do |
//! | [`package`] | images and signed updates as files |
//! | [`virtual_flash`] | the file that stands for a virtual lamp's flash |

#[cfg(feature = "usb")]
pub mod cable;
pub mod espota;
pub mod keys;
pub mod package;
pub mod virtual_flash;
