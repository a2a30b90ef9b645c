//! The machine's network card, for embassy-net.

use core::cell::RefCell;
use core::ptr::NonNull;
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use virtio_drivers::device::net::{RxBuffer, VirtIONet};
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

const FIRST: usize = 0x1000_1000;
const STEP: usize = 0x1000;
const PLACES: usize = 8;
const QUEUE: usize = 16;
const BUFFER: usize = 1_600;

/// Wakes the network stack when the card raises an interrupt.
pub static WAKER: AtomicWaker = AtomicWaker::new();

/// Memory for the card. Physical and virtual addresses are the same here.
pub struct Memory;

// SAFETY: addresses are the same for the card and the harts, and memory is coherent; pages are aligned and come from
// the heap.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let Ok(layout) = core::alloc::Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE) else {
            return (0, NonNull::dangling());
        };
        // SAFETY: the layout is not empty; pages of a queue are never returned while the card uses them.
        let page = unsafe { alloc::alloc::alloc_zeroed(layout) };
        match NonNull::new(page) {
            Some(page) => (page.as_ptr() as PhysAddr, page),
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_: PhysAddr, page: NonNull<u8>, pages: usize) -> i32 {
        let Ok(layout) = core::alloc::Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE) else {
            return -1;
        };
        // SAFETY: the memory came from `dma_alloc` with the same number of pages.
        unsafe { alloc::alloc::dealloc(page.as_ptr(), layout) };
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as usize as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

type Device = VirtIONet<Memory, MmioTransport<'static>, QUEUE>;

/// The card, and the number of its interrupt.
pub struct Card(RefCell<Device>, u32);

impl Card {
    /// The first network card of the machine, and the number of its interrupt; `None` if there is none.
    pub fn find() -> Option<(Self, u32)> {
        (0..PLACES).find_map(|i| {
            let header = NonNull::new((FIRST + i * STEP) as *mut VirtIOHeader)?;
            // SAFETY: the machine has eight such devices, which are always mapped and not used by other code.
            let transport = unsafe { MmioTransport::new(header, STEP) }.ok()?;
            if transport.device_type() != DeviceType::Network {
                return None;
            }
            let mut device = Device::new(transport, BUFFER).ok()?;
            device.enable_interrupts();
            let irq = i as u32 + 1;
            Some((Self(RefCell::new(device), irq), irq))
        })
    }
}

/// Acknowledges the interrupt of the card with this number.
pub fn acknowledge(irq: u32) {
    let base = FIRST + (irq as usize - 1) * STEP;
    // SAFETY: the interrupt's status and acknowledgement registers of a virtio device (virtio 1.2, 4.2.2).
    unsafe {
        let status = ((base + 0x60) as *const u32).read_volatile();
        ((base + 0x64) as *mut u32).write_volatile(status);
    }
}

/// A received packet.
pub struct Received<'a>(&'a RefCell<Device>, Option<RxBuffer>);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, take: F) -> R {
        match &mut self.1 {
            Some(buffer) => take(buffer.packet_mut()),
            None => take(&mut []),
        }
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.1.take() {
            // The queue has room, because the buffer came from it.
            let _ = self.0.borrow_mut().recycle_rx_buffer(buffer);
        }
    }
}

/// Permission to send a packet.
pub struct Sent<'a>(&'a RefCell<Device>);

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut buffer = self.0.borrow().new_tx_buffer(length);
        let result = fill(buffer.packet_mut());
        // A card without room loses the packet, as a wire would; the sender's protocol sends it again.
        let _ = self.0.borrow_mut().send(buffer);
        result
    }
}

impl Driver for Card {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, cx: &mut Context) -> Option<(Received<'_>, Sent<'_>)> {
        WAKER.register(cx.waker());
        let buffer = self.0.borrow_mut().receive().ok()?;
        Some((Received(&self.0, Some(buffer)), Sent(&self.0)))
    }

    fn transmit(&mut self, cx: &mut Context) -> Option<Sent<'_>> {
        WAKER.register(cx.waker());
        let can_send = self.0.borrow().can_send();
        can_send.then_some(Sent(&self.0))
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        WAKER.register(cx.waker());
        let base = FIRST + (self.1 as usize - 1) * STEP;
        // SAFETY: the status word of a network device's configuration, after its six bytes of address (virtio 1.2,
        // 4.2.2 and 5.1.4).
        let status = unsafe { ((base + 0x106) as *const u16).read_volatile() };
        if status & 1 == 1 { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1_514;
        capabilities.max_burst_size = Some(QUEUE);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.0.borrow().mac_address())
    }
}
