//! The port, and the commands of the loader in the chip's ROM, by means of espflash's library.

use std::io::Read;
use std::time::{Duration, Instant};

use espflash::Error;
use espflash::command::{Command, CommandType};
use espflash::connection::{Connection, Port, ResetAfterOperation, ResetBeforeOperation};
use espflash::flasher::Flasher;
use espflash::target::Chip;
use md5::{Digest, Md5};
use serialport::UsbPortInfo;

use super::Loader;
use crate::port;

/// Speed of the console, and of the loader at first, in baud.
pub const CONSOLE_BAUD: u32 = 115_200;
/// Bytes that the loader reads at once.
const READ: usize = 64;
/// Bytes that the loader programs at once.
const BLOCK: usize = 1_024;
/// Longest line of the console in bytes; longer ones are cut.
const LONGEST_LINE: usize = 4_096;
/// Pause between two attempts to find a port again.
const AGAIN: Duration = Duration::from_millis(200);

/// A chip with an answering loader.
pub struct RomLoader {
    flasher: Flasher,
    port: String,
}

impl RomLoader {
    /// Opens a port and starts the loader of the chip on it. `in_loader` is true if the chip is already in its loader.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub fn open(port: &str, baud: u32, in_loader: bool) -> Result<Self, String> {
        let serial = port::open(port, CONSOLE_BAUD, AGAIN)?;
        let before =
            if in_loader { ResetBeforeOperation::NoReset } else { ResetBeforeOperation::DefaultReset };
        let after = ResetAfterOperation::HardReset;
        let connection = Connection::new(serial, usb(port), after, before, CONSOLE_BAUD);
        let baud = (baud > CONSOLE_BAUD).then_some(baud);
        let flasher = Flasher::connect(connection, false, false, false, None, baud)
            .map_err(|e| no_answer(port, in_loader, &e))?;
        let mut wire = Self { flasher, port: port.to_owned() };
        if wire.flasher.secure_download_mode() {
            return Err("this chip's loader is locked (secure download): K1 cannot read its flash, \
                        and so cannot tell which keys it trusts"
                .into());
        }
        let info = wire.flasher.connection().security_info(false);
        if info.is_ok_and(|i| !i.flash_crypt_cnt.count_ones().is_multiple_of(2)) {
            return Err("this chip encrypts its flash, so that K1 cannot check it through a cable".into());
        }
        // The watchdog of a chip's own USB would restart the chip during the update.
        wire.flasher.disable_watchdog().map_err(|e| failed("to make its flash ready", &e))?;
        Ok(wire)
    }

    /// The kind of chip.
    pub fn chip(&self) -> Chip {
        self.flasher.chip()
    }

    /// Revision of the chip, as major · 100 + minor.
    ///
    /// # Errors
    ///
    /// A sentence if it cannot be read.
    pub fn revision(&mut self) -> Result<u16, String> {
        let chip = self.chip();
        let (major, minor) =
            chip.revision(self.flasher.connection()).map_err(|e| failed("to say its revision", &e))?;
        Ok((major * 100 + minor) as u16)
    }

    /// Size of its flash in bytes; `None` if the chip does not report it.
    ///
    /// # Errors
    ///
    /// A sentence if the chip does not answer.
    pub fn flash_size(&mut self) -> Result<Option<u32>, String> {
        let size = self.flasher.flash_detect().map_err(|e| failed("to say the size of its flash", &e))?;
        Ok(size.map(|size| size.size()))
    }

    /// Lets the chip start what is in its flash. Returns the console, and true if this restarted the chip. Otherwise
    /// somebody must press RESET.
    pub fn run(self) -> (Console, bool) {
        let mut connection = self.flasher.into_connection();
        let calm = connection.set_baud(CONSOLE_BAUD).is_ok();
        let was_reset = connection.reset().is_ok() && calm;
        let console = Console { serial: Some(connection.into_serial()), port: self.port, begun: Vec::new() };
        (console, was_reset)
    }

    fn command(&mut self, patience: Duration, command: Command) -> Result<(), Error> {
        self.flasher.connection().with_timeout(patience, |c| c.command(command).map(|_| ()))
    }

    /// Programs the flash from `at`; the loader first erases `erase` bytes there.
    fn program_blocks(&mut self, at: u32, erase: u32, bytes: &[u8]) -> Result<(), Error> {
        let blocks = bytes.len().div_ceil(BLOCK) as u32;
        let supports_encryption = self.chip() != Chip::Esp32;
        let begin = Command::FlashBegin {
            size: erase,
            blocks,
            block_size: BLOCK as u32,
            offset: at,
            supports_encryption,
        };
        self.command(CommandType::FlashBegin.timeout_for_size(erase), begin)?;
        for (sequence, data) in (0..).zip(bytes.chunks(BLOCK)) {
            let block = Command::FlashData { data, pad_to: BLOCK, pad_byte: 0xff, sequence };
            self.command(CommandType::FlashData.timeout_for_size(BLOCK as u32), block)?;
        }
        Ok(())
    }
}

impl Loader for RomLoader {
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), String> {
        for (i, part) in bytes.chunks_mut(READ).enumerate() {
            let read = Command::ReadFlashSlow {
                offset: at + (i * READ) as u32,
                size: part.len() as u32,
                block_size: READ as u32,
                max_in_flight: READ as u32,
            };
            let patience = CommandType::ReadFlashSlow.timeout();
            let answer = self.flasher.connection().with_timeout(patience, |c| c.command(read));
            let answer: Vec<u8> =
                answer.and_then(TryInto::try_into).map_err(|e| failed("to read its flash", &e))?;
            let there = answer.get(..part.len()).ok_or("the chip's loader answered with too few bytes")?;
            part.copy_from_slice(there);
        }
        Ok(())
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), String> {
        self.program_blocks(at, bytes.len() as u32, bytes).map_err(|e| failed("to write its flash", &e))
    }

    fn program(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String> {
        match self.program_blocks(at, 0, bytes) {
            Ok(()) => Ok(true),
            Err(Error::RomError(_)) => Ok(false),
            Err(e) => Err(failed("to write its flash", &e)),
        }
    }

    fn holds(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String> {
        let there = self.flasher.checksum_md5(at, bytes.len() as u32);
        let there = there.map_err(|e| failed("to check its flash", &e))?;
        Ok(Md5::digest(bytes)[..] == there.to_be_bytes())
    }
}

/// The console of a lamp on a cable.
pub struct Console {
    serial: Option<Port>,
    port: String,
    begun: Vec<u8>,
}

impl Console {
    /// The next line without its end; `None` if none arrives before `until`. Waits for a port that disappears during
    /// the restart.
    pub fn line(&mut self, until: Instant) -> Option<String> {
        loop {
            let end = self.begun.iter().position(|b| *b == b'\n');
            // Cut a line without end.
            if let Some(end) = end.or_else(|| self.begun.len().checked_sub(1).filter(|n| *n >= LONGEST_LINE))
            {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                return Some(k1_host::foreign::line_of(&line));
            }
            if Instant::now() >= until {
                return None;
            }
            let Some(serial) = &mut self.serial else {
                std::thread::sleep(AGAIN);
                self.serial = port::open(&self.port, CONSOLE_BAUD, AGAIN).ok();
                continue;
            };
            let mut some = [0; 256];
            match serial.read(&mut some) {
                Ok(n @ 1..) => self.begun.extend_from_slice(&some[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {}
                // The port is gone. The lamp continues on a new one.
                Ok(_) | Err(_) => self.serial = None,
            }
        }
    }
}

/// The USB device behind a port; determines how the chip's loader is started.
fn usb(port: &str) -> UsbPortInfo {
    // Resolve a permanent name (/dev/serial/by-id/…) to the one that the system lists.
    let real =
        std::fs::canonicalize(port).map_or_else(|_| port.to_owned(), |p| p.to_string_lossy().into_owned());
    let found = port::usb_ports().into_iter().find(|(name, _)| *name == real || name == port);
    found.map_or_else(
        || UsbPortInfo { vid: 0, pid: 0, serial_number: None, manufacturer: None, product: None },
        |(_, info)| info,
    )
}

/// The innermost cause of an error.
fn cause(e: &Error) -> String {
    let mut last: &dyn std::error::Error = e;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn no_answer(port: &str, in_loader: bool, e: &Error) -> String {
    match e {
        Error::FlashConnect => "the chip answers, but its flash does not".into(),
        Error::ChipDetectError(what) => format!("the device on {port} is not a chip that K1 knows: {what}"),
        _ if in_loader => format!(
            "no chip answers on {port} ({}): hold BOOT, press and release RESET, release BOOT, and start again",
            cause(e)
        ),
        _ => format!(
            "no chip answers on {port} ({}): hold BOOT, press and release RESET, release BOOT, and start again with \
             --in-loader",
            cause(e)
        ),
    }
}

fn failed(what: &str, e: &Error) -> String {
    match e {
        Error::RomError(_) => format!("the chip's loader refused {what}: {}", cause(e)),
        _ => format!(
            "the chip stopped answering when it was asked {what} ({}); is the cable still in?",
            cause(e)
        ),
    }
}
