//! Single keys that are pressed on the terminal while a command runs. On other systems than Unix there are none.
//!
//! The terminal is asked not to wait for Enter and not to show what is typed; Ctrl-C and the like stay signals. A process
//! in the background leaves the terminal alone, because the system would stop it otherwise.

#[cfg(unix)]
use std::sync::{Mutex, PoisonError};

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The terminal as it was before.
#[cfg(unix)]
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Finds keys in the bytes that a terminal sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Decoder {
    /// The next byte is a key.
    #[default]
    Ready,
    /// After an escape.
    Escaped,
    /// In the name of a key such as F5 (`ESC [ 1 5 ~`), whose digits are not pressed.
    Sequence,
}

impl Decoder {
    /// The key that a byte is; `None` for parts of other keys.
    fn take(&mut self, byte: u8) -> Option<char> {
        let (next, key) = match (*self, byte) {
            (_, 0x1b) => (Self::Escaped, None),
            (Self::Escaped, b'[' | b'O') => (Self::Sequence, None),
            (Self::Sequence, 0x40..=0x7e) => (Self::Ready, None),
            (Self::Sequence, _) => (Self::Sequence, None),
            // With Alt.
            (Self::Escaped, _) => (Self::Ready, None),
            (Self::Ready, b' '..=b'~') => (Self::Ready, Some(char::from(byte))),
            (Self::Ready, _) => (Self::Ready, None),
        };
        *self = next;
        key
    }
}

/// The keys of this process's terminal. Dropping this restores the terminal.
#[derive(Debug)]
pub struct Keys {
    decoder: Decoder,
}

#[cfg(unix)]
impl Keys {
    /// Takes the keys; `None` if standard input and output are not a terminal, or if this process is in the background.
    pub fn take() -> Option<Self> {
        use std::io::IsTerminal;
        let is_there = std::io::stdin().is_terminal() && crate::console::is_terminal() && is_in_front();
        if !is_there {
            return None;
        }
        let before = tcgetattr(std::io::stdin()).ok()?;
        let keys = Self { decoder: Decoder::Ready };
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        listen().then_some(keys)
    }

    /// The keys that were pressed since the last call: printable characters of ASCII. Does not wait.
    pub fn pressed(&mut self) -> Vec<char> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdin = std::io::stdin();
        // A shell that had the terminal in between has its own idea of it.
        if !is_in_front() || !listen() {
            return Vec::new();
        }
        let mut bytes = [0; 64];
        let is_there = {
            let mut look = [PollFd::new(&stdin, PollFlags::IN)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut look, Some(&now)).is_ok_and(|n| n > 0) && look[0].revents().contains(PollFlags::IN)
        };
        let n = if is_there { rustix::io::read(&stdin, &mut bytes).unwrap_or(0) } else { 0 };
        bytes[..n].iter().filter_map(|byte| self.decoder.take(*byte)).collect()
    }
}

/// True unless another process group has the terminal. A terminal that does not control this process stops nobody.
#[cfg(unix)]
fn is_in_front() -> bool {
    match tcgetpgrp(std::io::stdin()) {
        Ok(group) => group == rustix::process::getpgrp(),
        Err(e) => e == rustix::io::Errno::NOTTY,
    }
}

/// Asks the terminal for single keys, unless it gives them already. False if it refuses.
#[cfg(unix)]
fn listen() -> bool {
    let stdin = std::io::stdin();
    let Ok(mut now) = tcgetattr(&stdin) else { return false };
    let lines = LocalModes::ICANON | LocalModes::ECHO;
    if !now.local_modes.intersects(lines) {
        return true;
    }
    now.local_modes.remove(lines);
    tcsetattr(&stdin, OptionalActions::Now, &now).is_ok()
}

#[cfg(not(unix))]
impl Keys {
    /// There are none here.
    pub fn take() -> Option<Self> {
        None
    }

    /// There are none here.
    pub fn pressed(&mut self) -> Vec<char> {
        Vec::new()
    }
}

/// Restores the terminal. May be called twice, and without keys.
pub fn restore() {
    #[cfg(unix)]
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take()
        && is_in_front()
    {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_are_characters_are_keys() {
        let keys = |bytes: &[u8]| -> String {
            let mut decoder = Decoder::default();
            bytes.iter().filter_map(|byte| decoder.take(*byte)).collect()
        };
        assert_eq!(keys(b"1 n"), "1 n");
        // F5, an arrow, F1, Alt-1, Delete, then a digit.
        assert_eq!(keys(b"\x1b[15~\x1b[A\x1bOP\x1b1\x1b[3~9"), "9");
        assert_eq!(keys("\r\n\t\0äé2".as_bytes()), "2");
        assert_eq!(keys(b"\x1b\x1b[1;5C3"), "3");
    }

    #[test]
    fn restoring_without_keys_does_nothing() {
        restore();
        restore();
    }
}
