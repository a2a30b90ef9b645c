//! The largest stack frames of a program, from its instructions: a value that is made on a stack and then moved shows here
//! before it overflows the stack of a chip.

use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolKind};

/// A function and the bytes that it takes of the stack, without those that it calls.
pub struct Frame {
    /// Address of the function.
    pub address: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// The frames of a program for RISC-V or Xtensa, the largest first.
///
/// # Errors
///
/// If the file is not such a program.
pub fn of(program: &Path) -> Result<Vec<Frame>, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", program.display());
    let bytes = std::fs::read(program).map_err(|e| wrong(&e))?;
    let file = object::File::parse(&*bytes).map_err(|e| wrong(&e))?;
    let frame = match file.architecture() {
        object::Architecture::Riscv32 => riscv,
        object::Architecture::Xtensa => xtensa,
        other => return Err(wrong(&format!("frames of {other:?} are not known"))),
    };
    let mut frames = Vec::new();
    for section in file.sections() {
        if section.kind() != SectionKind::Text {
            continue;
        }
        let (from, code) = (section.address(), section.data().map_err(|e| wrong(&e))?);
        for symbol in file.symbols().filter(|s| s.kind() == SymbolKind::Text && s.size() > 0) {
            let Some(at) = symbol.address().checked_sub(from) else { continue };
            let Some(code) = code.get(at as usize..(at + symbol.size()) as usize) else { continue };
            frames.push(Frame { address: symbol.address(), bytes: frame(code) });
        }
    }
    frames.sort_by_key(|f| (std::cmp::Reverse(f.bytes), f.address));
    frames.dedup_by_key(|f| f.address);
    if frames.first().is_none_or(|f| f.bytes == 0) {
        return Err(wrong(&"no function has a frame"));
    }
    Ok(frames)
}

/// Stack that a RISC-V function takes. Follows the pointer from instruction to instruction, in the order of addresses.
fn riscv(code: &[u8]) -> u64 {
    const SP: usize = 2;
    let sign = |value: u32, bits: u32| (value << (32 - bits)) as i32 >> (32 - bits);
    // Constants in registers: a large frame does not fit into an instruction.
    let mut known: [Option<i32>; 32] = [None; 32];
    known[0] = Some(0);
    let (mut depth, mut most) = (0_i64, 0);
    let mut at = 0;
    while let Some(half) = code.get(at..at + 2) {
        let half = u32::from(u16::from_le_bytes([half[0], half[1]]));
        let mut moved = 0;
        if half & 3 != 3 {
            at += 2;
            let (register, low) = ((half >> 7 & 31) as usize, half >> 2 & 31);
            let small = sign(half >> 7 & 32 | low, 6);
            match (half & 3, half >> 13, register) {
                // c.addi
                (1, 0, SP) => moved = small,
                (1, 0, r) => known[r] = known[r].map(|x| x.wrapping_add(small)),
                // c.li
                (1, 2, r) => known[r] = Some(small),
                // c.addi16sp
                (1, 3, SP) => {
                    let bits =
                        half >> 3 & 512 | half >> 2 & 16 | half << 1 & 64 | half << 4 & 384 | half << 3 & 32;
                    moved = sign(bits, 10);
                }
                // c.lui
                (1, 3, r) => known[r] = Some(small << 12),
                // Loads, and other instructions that write to a register
                (0, ..) => known[8 + (low & 7) as usize] = None,
                (2, 0 | 2, r) => known[r] = None,
                // c.mv and c.add
                (2, 4, r) if half >> 12 & 1 == 0 => known[r] = known[low as usize],
                (2, 4, r) => known[r] = None,
                (1, 4, r) => known[8 + (r & 7)] = None,
                _ => {}
            }
        } else {
            let Some(high) = code.get(at + 2..at + 4) else { break };
            at += 4;
            let word = half | u32::from(u16::from_le_bytes([high[0], high[1]])) << 16;
            let (to, from, other) =
                ((word >> 7 & 31) as usize, (word >> 15 & 31) as usize, (word >> 20 & 31) as usize);
            match (word & 0x7f, word >> 12 & 7, word >> 25) {
                (0x13, 0, _) if to == SP && from == SP => moved = word as i32 >> 20,
                (0x13, 0, _) => known[to] = known[from].map(|x| x.wrapping_add(word as i32 >> 20)),
                (0x37, ..) => known[to] = Some((word & 0xffff_f000) as i32),
                (0x33, 0, 0x20) if to == SP && from == SP => moved = known[other].map_or(0, |x| -x),
                (0x33, 0, 0) if to == SP && from == SP => moved = known[other].unwrap_or(0),
                // Stores and branches have no register to write to.
                (0x23 | 0x63 | 0x27, ..) => {}
                _ => known[to] = None,
            }
        }
        known[0] = Some(0);
        known[SP] = None;
        depth = (depth - i64::from(moved)).max(0);
        most = most.max(depth);
    }
    most as u64
}

/// Stack that an Xtensa function takes: its first instruction says it, up to 32,760 bytes. A larger frame, for which the
/// pointer is moved soon after, counts as that.
fn xtensa(code: &[u8]) -> u64 {
    const SOON: usize = 16;
    let (mut at, mut entered) = (0, 0);
    for _ in 0..SOON {
        let Some(&[low, middle, high]) = code.get(at..).and_then(|rest| rest.first_chunk()) else { break };
        let word = u32::from_le_bytes([low, middle, high, 0]);
        if at == 0 {
            // entry a1, …
            if word & 0xfff != 0x136 {
                return 0;
            }
            entered = u64::from(word >> 12) * 8;
        } else if word & 0xff_f0ff == 0x10_10 {
            // movsp a1, …
            return 32_760;
        }
        at += if (8..14).contains(&(low & 15)) { 2 } else { 3 };
    }
    entered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_instructions() {
        let halves = |all: &[u16]| all.iter().flat_map(|h| h.to_le_bytes()).collect::<Vec<_>>();
        let words = |all: &[u32]| all.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
        // c.addi sp, -16; ret
        assert_eq!(riscv(&halves(&[0x1141, 0x8082])), 16);
        // c.addi16sp sp, -64; c.addi16sp sp, 64; ret: freed again
        assert_eq!(riscv(&halves(&[0x7139, 0x6121, 0x8082])), 64);
        // addi sp, sp, -2032; lui t0, 1; addi t0, t0, -96; sub sp, sp, t0
        assert_eq!(riscv(&words(&[0x8101_0113, 0x0000_12b7, 0xfa02_8293, 0x4051_0133])), 2_032 + 4_000);
        // entry a1, 48; and a function without a frame
        assert_eq!((xtensa(&[0x36, 0x61, 0x00]), xtensa(&[0x0d, 0xf0, 0])), (48, 0));
        // entry a1, 32; movsp a1, a8
        assert_eq!(xtensa(&[0x36, 0x41, 0x00, 0x10, 0x18, 0x00]), 32_760);
    }
}
