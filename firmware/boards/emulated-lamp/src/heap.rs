//! The heap, for everything except light and sound. It counts the allocations of these two, which must not allocate.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use critical_section::Mutex;
use k1_device::answers;
use linked_list_allocator::Heap;

/// Size of the heap in bytes: as much as an ESP32-S3 has left besides its static data.
pub const SIZE: usize = 160 * 1024;

static mut MEMORY: [u64; SIZE / 8] = [0; SIZE / 8];
static LEAST_FREE: AtomicU32 = AtomicU32::new(SIZE as u32);
/// Number of allocations in the real-time loops of the halves, which must not allocate.
pub static FORBIDDEN: AtomicU32 = AtomicU32::new(0);

static HEAP: Mutex<RefCell<Heap>> = Mutex::new(RefCell::new(Heap::empty()));

/// The heap as a program's allocator. The function says whether this core runs code that must not allocate.
pub struct Counted(pub fn() -> bool);

// SAFETY: it passes all calls to an allocator, inside a critical section.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if (self.0)() {
            FORBIDDEN.fetch_add(1, Relaxed);
        }
        critical_section::with(|cs| {
            let mut heap = HEAP.borrow_ref_mut(cs);
            let place = heap.allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr);
            LEAST_FREE.fetch_min(heap.free() as u32, Relaxed);
            place
        })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let Some(place) = NonNull::new(place) else { return };
        // SAFETY: the caller returns memory from `alloc`, with the same layout.
        critical_section::with(|cs| unsafe { HEAP.borrow_ref_mut(cs).deallocate(place, layout) });
    }
}

/// Creates the heap. Call this once, before the first allocation.
pub fn start() {
    critical_section::with(|cs| {
        // SAFETY: the memory has no other use, lives for ever, and this runs once.
        unsafe { HEAP.borrow_ref_mut(cs).init((&raw mut MEMORY).cast(), SIZE) };
    });
}

/// Current use of the heap.
pub fn state() -> answers::Heap {
    let free = critical_section::with(|cs| HEAP.borrow_ref(cs).free());
    answers::Heap { size: SIZE as u32, free: free as u32, least_free: LEAST_FREE.load(Relaxed) }
}
