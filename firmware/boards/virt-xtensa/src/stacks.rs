//! Sizes of what the linker script lays out.

/// Value of unused words of a stack.
const PAINT: u32 = 0x4b31_4b31;

unsafe extern "C" {
    static _audio_stack_bottom: u32;
    static _audio_stack_top: u32;
    static _render_stack_bottom: u32;
    static _render_stack_top: u32;
    static _main_stack_bottom: u32;
    static _main_stack_top: u32;
    static _vectors: u32;
    static _data_start: u32;
    static _data_end: u32;
    static _bss_start: u32;
    static _bss_end: u32;
}

/// Size of a painted stack, and the number of its bytes that were never used.
fn untouched(bottom: *const u32, top: *const u32) -> (u32, u32) {
    let words = (top as usize - bottom as usize) / 4;
    let clean = (0..words).take_while(|i| {
        // SAFETY: within the stack, which lives as long as the machine; a word in use may change during the read, which
        // a volatile read permits.
        unsafe { bottom.add(*i).read_volatile() == PAINT }
    });
    ((words * 4) as u32, (clean.count() * 4) as u32)
}

/// Size and unused bytes of the renderer's stack.
pub fn render() -> (u32, u32) {
    untouched(&raw const _render_stack_bottom, &raw const _render_stack_top)
}

/// Size and unused bytes of the ear's stack.
pub fn audio() -> (u32, u32) {
    untouched(&raw const _audio_stack_bottom, &raw const _audio_stack_top)
}

/// Number of bytes of the main stack that were used so far.
pub fn main_used() -> u32 {
    let (size, unused) = untouched(&raw const _main_stack_bottom, &raw const _main_stack_top);
    size - unused
}

/// Size in bytes of the image, and of its static RAM: initialised and zeroed data.
pub fn sizes() -> (u32, u32) {
    let between = |from: *const u32, to: *const u32| (to as usize - from as usize) as u32;
    let data = between(&raw const _data_start, &raw const _data_end);
    let image = between(&raw const _vectors, &raw const _data_end);
    (image, data + between(&raw const _bss_start, &raw const _bss_end))
}
