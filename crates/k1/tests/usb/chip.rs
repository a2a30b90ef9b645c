//! A chip on a pseudo terminal: the serial protocol of the loader in ROM, on an array that follows the rules of NOR
//! flash.
//!
//! According to Espressif's description of the protocol (esptool documentation, “Serial Protocol”): SLIP frames;
//! requests of 8 bytes and data; answers of 8 bytes, data, and four bytes of status.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_update::layout::Layout;
use k1_update::otadata::{Entry, State as Judged};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The differences between kinds of chips.
pub struct Kind {
    /// Its number in the loader's answer.
    id: u32,
    /// Address of the register with the flash's answers.
    w0: u32,
}

/// An ESP32-C6.
pub const ESP32C6: Kind = Kind { id: 13, w0: 0x6000_3058 };
/// An ESP32-S3.
pub const ESP32S3: Kind = Kind { id: 9, w0: 0x6000_2058 };

/// The state of a chip that can be changed while it runs.
#[derive(Default)]
pub struct State {
    /// Content of its flash.
    pub flash: Vec<u8>,
    /// What the flash says of itself, if it is not one of 4 MB.
    pub flash_id: Option<u32>,
    /// The loader programs only sectors that it has erased.
    pub knows_sectors_only: bool,
    /// Number of commands carried out.
    pub commands: usize,
    /// Number of the command at which the cable is pulled.
    pub cut_at: Option<usize>,
    /// True if the chip then falls silent; otherwise the port disappears.
    pub falls_silent: bool,
    /// Somebody presses RESET when the program listens, even without an image to try.
    pub is_pressed: bool,
    /// Console output of the lamp when the program listens.
    pub console: String,
    /// Address of the next block, and number of announced blocks.
    next: usize,
    announced: u32,
    erased: bool,
}

/// A chip on a port.
pub struct Chip {
    /// Name of the port.
    pub port: String,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Chip {
    /// A chip with this flash, with its loader running.
    pub fn new(kind: &'static Kind, flash: Vec<u8>) -> Self {
        // Not inherited by started programs: a pulled cable must be gone for all of them.
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let port = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        let master = File::from(master);
        let state = Arc::new(Mutex::new(State { flash, ..State::default() }));
        let is_over = Arc::new(AtomicBool::new(false));
        let (s, o) = (state.clone(), is_over.clone());
        let thread = Some(std::thread::spawn(move || serve(kind, master, &s, &o)));
        Self { port, state, is_over, thread }
    }

    /// Content of its flash.
    pub fn flash(&self) -> Vec<u8> {
        self.state.lock().unwrap().flash.clone()
    }

    /// Number of commands carried out.
    pub fn commands(&self) -> usize {
        self.state.lock().unwrap().commands
    }

    /// Changes the state of the chip.
    pub fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap());
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const END: u8 = 0xc0;

fn serve(kind: &Kind, mut master: File, state: &Mutex<State>, is_over: &AtomicBool) {
    let (mut frame, mut is_escaped, mut some) = (Vec::new(), false, [0; 4_096]);
    let mut last = Instant::now();
    while !is_over.load(Relaxed) {
        let n = match master.read(&mut some) {
            Ok(n @ 1..) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            // Nothing was sent, or no program has opened the port.
            Ok(_) | Err(_) => {
                std::thread::sleep(Duration::from_micros(300));
                0
            }
        };
        if n > 0 {
            last = Instant::now();
        } else if last.elapsed() > Duration::from_millis(500) {
            // Acts as if somebody has pressed RESET, if there is an image to try or the test says so.
            let mut state = state.lock().unwrap();
            if state.has_news() || state.is_pressed {
                say(&mut master, std::mem::take(&mut state.console).as_bytes());
            }
        }
        for &byte in &some[..n] {
            match (byte, is_escaped) {
                (END, _) if frame.is_empty() => {}
                (END, _) => {
                    let mut state = state.lock().unwrap();
                    let number = state.commands;
                    if state.cut_at.is_some_and(|at| number >= at) {
                        if state.falls_silent {
                            frame.clear();
                            continue;
                        }
                        return;
                    }
                    let answer = state.carry_out(kind, &frame);
                    frame.clear();
                    drop(state);
                    say(&mut master, &answer);
                }
                (0xdb, false) => {
                    is_escaped = true;
                    continue;
                }
                (0xdc, true) => frame.push(END),
                (0xdd, true) => frame.push(0xdb),
                (other, _) => frame.push(other),
            }
            is_escaped = false;
        }
    }
}

/// Writes everything, like a wire; writes nothing if no program has opened the port.
fn say(master: &mut File, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match master.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                std::thread::sleep(Duration::from_micros(300));
            }
            Err(_) => return,
        }
    }
}

/// An answer as a frame; `status` is the error code.
fn answer(op: u8, value: u32, data: &[u8], status: u8) -> Vec<u8> {
    let mut plain = vec![1, op];
    plain.extend((data.len() as u16 + 4).to_le_bytes());
    plain.extend(value.to_le_bytes());
    plain.extend(data);
    plain.extend([u8::from(status != 0), status, 0, 0]);
    let mut frame = vec![END];
    for byte in plain {
        match byte {
            END => frame.extend([0xdb, 0xdc]),
            0xdb => frame.extend([0xdb, 0xdd]),
            other => frame.push(other),
        }
    }
    frame.push(END);
    frame
}

impl State {
    fn has_news(&self) -> bool {
        (0..2).any(|which| {
            let record = self.flash.get(Layout::K1.record(which) as usize..).and_then(|b| b.first_chunk());
            record.and_then(Entry::read).is_some_and(|e| e.state == Judged::New)
        })
    }

    fn carry_out(&mut self, kind: &Kind, frame: &[u8]) -> Vec<u8> {
        const SYNC: u8 = 0x08;
        const INVALID: u8 = 0x05;
        let Some((head, data)) = frame.split_at_checked(8) else { return Vec::new() };
        let op = head[1];
        let word =
            |i: usize| data.get(4 * i..4 * i + 4).map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()));
        let fine = answer(op, 0, &[], 0);
        if op == SYNC {
            // The loader answers eight times.
            return fine.repeat(8);
        }
        self.commands += 1;
        match op {
            // Registers: only the flash id is set.
            0x0a if word(0) == kind.w0 => answer(op, self.flash_id.unwrap_or(0x0016_40ef), &[], 0),
            // Write a register, set up, attach, change the speed.
            0x09 | 0x0a | 0x0b | 0x0d | 0x0f => fine,
            // Chip information: flags, flash encryption, key purposes, number, revision.
            0x14 => {
                let mut info = vec![0; 12];
                info.extend(kind.id.to_le_bytes());
                info.extend(0_u32.to_le_bytes());
                answer(op, 0, &info, 0)
            }
            // Slow read, always of 64 bytes.
            0x0e => {
                let at = word(0) as usize;
                answer(op, 0, &self.flash[at..at + 64], 0)
            }
            // Begin: the loader erases immediately.
            0x02 => {
                let (erase, at) = (word(0) as usize, word(3) as usize);
                if at % 4 != 0 || at + erase > self.flash.len() || self.knows_sectors_only && erase == 0 {
                    return answer(op, 0, &[], INVALID);
                }
                let first = at / 4_096 * 4_096;
                if erase > 0 {
                    self.flash[first..(at + erase).next_multiple_of(4_096)].fill(0xff);
                }
                (self.next, self.announced, self.erased) = (at, word(1), true);
                fine
            }
            // A block.
            0x03 => {
                let block = &data[16..];
                let sum = block.iter().fold(0xef, |sum, byte| sum ^ byte);
                let fits = word(0) as usize == block.len() && self.announced > 0 && self.erased;
                if !fits || u32::from(sum) != u32::from_le_bytes(head[4..8].try_into().unwrap()) {
                    return answer(op, 0, &[], INVALID);
                }
                for (old, new) in self.flash[self.next..].iter_mut().zip(block) {
                    *old &= new;
                }
                self.next += block.len();
                self.announced -= 1;
                fine
            }
            // The MD5 sum of a region, in hexadecimal digits.
            0x13 => {
                use md5::{Digest, Md5};
                let (at, n) = (word(0) as usize, word(1) as usize);
                let sum = Md5::digest(&self.flash[at..at + n]);
                let digits: String = sum.iter().map(|b| format!("{b:02x}")).collect();
                answer(op, 0, digits.as_bytes(), 0)
            }
            _ => answer(op, 0, &[], INVALID),
        }
    }
}
