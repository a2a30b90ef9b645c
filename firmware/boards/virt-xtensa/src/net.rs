//! The machine's network card, OpenCores Ethernet, for embassy-net.
//!
//! A descriptor has two words: length in bytes and flags, and the address of a buffer. The emulator sends a packet while
//! its descriptor is written, so one descriptor and one buffer suffice.

use core::cell::{Cell, UnsafeCell};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const REGISTERS: usize = 0xfd03_0000;
const DESCRIPTORS: usize = 0xfd03_0400;

const MODE: usize = 0x00;
const SOURCE: usize = 0x04;
const MASK: usize = 0x08;
const SENDERS: usize = 0x20;
const PHY_COMMAND: usize = 0x2c;
const PHY_ADDRESS: usize = 0x30;
const PHY_DATA: usize = 0x38;
const ADDRESS: usize = 0x40;
const GROUPS: usize = 0x48;

/// Receive, send, and fill short packets.
const RUN: u32 = 0x8003;
/// A packet has arrived.
const ARRIVED: u32 = 4;

/// The buffer is free for a packet, or ready to be sent.
const READY: u32 = 0x8000;
const INTERRUPT: u32 = 0x4000;
const LAST: u32 = 0x2000;
const FILL: u32 = 0x1800;
/// Bytes of a check sum behind a received packet.
const CHECK: usize = 4;

const RECEIVERS: usize = 16;
const BUFFER: usize = 1_536;
const MOST: usize = 1_514;

/// The address that this card has, because the emulator does not tell its own.
const MAC: [u8; 6] = [0x02, 0x4b, 0x31, 0x58, 0x54, 0x01];

/// Wakes the network stack when the card raises an interrupt.
pub static WAKER: AtomicWaker = AtomicWaker::new();

#[repr(align(4))]
struct Buffers(UnsafeCell<[[u8; BUFFER]; RECEIVERS + 1]>);

// SAFETY: only the one card uses them, and only one token each buffer at a time.
unsafe impl Sync for Buffers {}

static BUFFERS: Buffers = Buffers(UnsafeCell::new([[0; BUFFER]; RECEIVERS + 1]));

/// Address of a buffer; the first is for sending.
fn buffer(i: usize) -> *mut u8 {
    BUFFERS.0.get().cast::<u8>().wrapping_add(i * BUFFER)
}

fn read(register: usize) -> u32 {
    // SAFETY: every caller names a register of the card.
    unsafe { ((REGISTERS + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: every caller names a register of the card.
    unsafe { ((REGISTERS + register) as *mut u32).write_volatile(value) }
}

fn descriptor(i: usize) -> *mut u32 {
    (DESCRIPTORS + 8 * i) as *mut u32
}

/// Frees the buffer of a receiver.
fn free(i: usize) {
    let last = if i == RECEIVERS { LAST } else { 0 };
    // SAFETY: a descriptor of the card.
    unsafe { descriptor(i).write_volatile(READY | INTERRUPT | last) };
}

/// The card. There is only one.
pub struct Card {
    /// Descriptor of the next packet.
    next: Cell<usize>,
}

impl Card {
    /// Starts the card.
    ///
    /// # Safety
    ///
    /// Call this once, because two owners would share its buffers.
    pub unsafe fn start() -> Self {
        write(MODE, 0);
        write(SENDERS, 1);
        for i in 0..=RECEIVERS {
            // SAFETY: a descriptor of the card; the buffer lives for ever.
            unsafe { descriptor(i).wrapping_add(1).write_volatile(buffer(i) as u32) };
            if i > 0 {
                free(i);
            }
        }
        let [a, b, c, d, e, f] = MAC;
        write(ADDRESS, u32::from_be_bytes([c, d, e, f]));
        write(ADDRESS + 4, u32::from_be_bytes([0, 0, a, b]));
        // All groups, for mDNS.
        write(GROUPS, u32::MAX);
        write(GROUPS + 4, u32::MAX);
        write(SOURCE, u32::MAX);
        write(MASK, ARRIVED);
        write(MODE, RUN);
        Self { next: Cell::new(1) }
    }

    fn advance(&self) {
        let done = self.next.get();
        free(done);
        self.next.set(done % RECEIVERS + 1);
    }
}

/// Handles the card's interrupt.
pub fn interrupt() {
    write(SOURCE, ARRIVED);
    WAKER.wake();
}

/// A received packet.
pub struct Received<'a> {
    card: &'a Card,
    length: usize,
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        // SAFETY: the card does not write to this buffer before it is freed, and this token is the only one for it.
        take(unsafe { core::slice::from_raw_parts_mut(buffer(self.card.next.get()), self.length) })
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        self.card.advance();
    }
}

/// Permission to send a packet.
pub struct Sent;

impl TxToken for Sent {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let length = length.min(BUFFER);
        // SAFETY: the card has sent the buffer's last packet, and the stack sends one packet at a time.
        let packet = unsafe { core::slice::from_raw_parts_mut(buffer(0), length) };
        let result = fill(packet);
        // SAFETY: a descriptor of the card.
        unsafe { descriptor(0).write_volatile((length as u32) << 16 | READY | LAST | FILL) };
        result
    }
}

impl Driver for Card {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sent;

    fn receive(&mut self, cx: &mut Context) -> Option<(Received<'_>, Sent)> {
        WAKER.register(cx.waker());
        // SAFETY: a descriptor of the card.
        let state = unsafe { descriptor(self.next.get()).read_volatile() };
        if state & READY != 0 {
            return None;
        }
        let length = ((state >> 16) as usize).saturating_sub(CHECK).min(BUFFER);
        Some((Received { card: self, length }, Sent))
    }

    fn transmit(&mut self, _: &mut Context) -> Option<Sent> {
        Some(Sent)
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        WAKER.register(cx.waker());
        // Register 1 of PHY 1 holds the link's state.
        write(PHY_ADDRESS, 0x0101);
        write(PHY_COMMAND, 2);
        if read(PHY_DATA) & 4 == 0 { LinkState::Down } else { LinkState::Up }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MOST;
        capabilities.max_burst_size = Some(RECEIVERS);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(MAC)
    }
}
