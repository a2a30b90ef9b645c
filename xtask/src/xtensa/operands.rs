//! The second opinion on GNU ld: each operand that is relative to the program counter is worked out once more, from the
//! input files' relocations and the places in the map.
//!
//! Reason: the one Xtensa linker that distributions have is for a core without register windows and loops. It leaves the
//! operands of these instructions as they are, which this sets. All others must be equal to what ld wrote. The setting
//! goes when GNU ld is made for this core; the comparison stays.

use std::collections::{BTreeMap, HashMap};

use object::elf::{self, FileHeader32};
use object::read::elf::{FileHeader, Rela, SectionHeader, SectionTable, Sym};
use object::{LittleEndian as Little, SectionIndex, SymbolIndex};

/// Maximum number of problems in an error's text.
const TOLD: usize = 12;

/// How many operands ld had left open, and how many it had set to the same value, by the kind of instruction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    /// Operands that ld left open.
    pub set: BTreeMap<&'static str, usize>,
    /// Operands that were equal.
    pub equal: BTreeMap<&'static str, usize>,
}

/// An instruction with an operand that is relative to the program counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operand {
    kind: &'static str,
    /// The operand's value for the address in the relocation.
    value: i64,
    /// Number of bits.
    bits: u32,
    signed: bool,
    /// Position of its lowest bit.
    shift: u32,
}

/// Decodes the instruction `word` at `pc`, and works out its operand for the address `to`.
///
/// # Errors
/// The kind of the instruction or `unknown`, if the address cannot be expressed.
fn operand(word: u32, pc: u32, to: u32) -> Result<Operand, &'static str> {
    let (op, n, m, r) = (word & 15, word >> 4 & 3, word >> 6 & 3, word >> 12 & 15);
    let (pc, to) = (i64::from(pc), i64::from(to));
    let near = to - pc - 4;
    let branch = |kind, bits, signed, shift| Ok(Operand { kind, value: near, bits, signed, shift });
    match (op, n) {
        (1, _) => {
            let distance = to - ((pc + 3) & !3);
            if distance & 3 != 0 || distance >= 0 {
                return Err("l32r");
            }
            // 16 bits that count down from 2^16 words.
            Ok(Operand { kind: "l32r", value: (distance >> 2) + 0x1_0000, bits: 16, signed: false, shift: 8 })
        }
        (5, _) => {
            let distance = to - ((pc & !3) + 4);
            let kind = ["call0", "call4", "call8", "call12"][n as usize];
            if distance & 3 != 0 {
                return Err(kind);
            }
            Ok(Operand { kind, value: distance >> 2, bits: 18, signed: true, shift: 6 })
        }
        (6, 0) => branch("j", 18, true, 6),
        (6, 1) => branch("bz", 12, true, 12),
        (6, 3) if m == 1 && (8..=10).contains(&r) => branch("loop", 8, false, 16),
        (6, 3) if m == 1 && r < 2 => branch("bool", 8, true, 16),
        (6, 2) => branch("bi", 8, true, 16),
        (6, 3) if m >= 2 => branch("bi", 8, true, 16),
        (7, _) => branch("b", 8, true, 16),
        (12, _) if word & 0x80 != 0 => branch("bz.n", 6, false, 0),
        _ => Err("unknown"),
    }
}

impl Operand {
    /// The instruction with this operand; `None` if the address is out of reach.
    fn put(self, word: u32) -> Option<u32> {
        let range =
            if self.signed { -(1 << (self.bits - 1))..1 << (self.bits - 1) } else { 0..1 << self.bits };
        if !range.contains(&self.value) {
            return None;
        }
        let value = self.value as u32;
        if self.kind == "bz.n" {
            // The two highest bits come before the register.
            return Some(word & !0xf030 | (value & 15) << 12 | (value >> 4 & 3) << 4);
        }
        let mask = ((1_u32 << self.bits) - 1) << self.shift;
        Some(word & !mask | (value << self.shift) & mask)
    }
}

/// The places of input sections in the map, by file and section; several if a file has sections of the same name.
type Places = HashMap<(String, String), Vec<(u32, u32)>>;

/// Reads the places from the map that ld wrote.
fn places(map: &str) -> Places {
    let mut all = Places::new();
    let body = map.find("Linker script and memory map").map_or("", |at| &map[at..]);
    let mut name: Option<&str> = None;
    for line in body.lines() {
        let mut rest = line;
        if line.starts_with(' ') && line.as_bytes().get(1).is_some_and(|b| *b != b' ') {
            let (first, after) = line[1..].split_once(' ').unwrap_or((&line[1..], ""));
            name = Some(first);
            rest = after;
            // A long name stands in a line of its own.
            if after.trim().is_empty() {
                continue;
            }
        }
        let Some(section) = name.take() else { continue };
        let number = |word: &str| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let mut words = rest.trim_start().splitn(2, ' ');
        let (Some(at), Some(after)) = (words.next().and_then(|w| u64_low(w)), words.next()) else { continue };
        let Some((size, file)) = after.trim_start().split_once(' ') else { continue };
        let Some(size) = number(size) else { continue };
        all.entry((file.trim().to_owned(), section.to_owned())).or_default().push((at, size));
    }
    all
}

/// An address in the map, which may be printed with 64 bits.
fn u64_low(word: &str) -> Option<u32> {
    u32::try_from(u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?).ok()
}

/// A linked program.
struct Program<'a> {
    bytes: &'a mut [u8],
    /// Address, end and position in the file of each section in memory.
    parts: Vec<(u32, u32, usize)>,
    symbols: HashMap<Vec<u8>, u32>,
}

impl<'a> Program<'a> {
    fn parse(bytes: &'a mut [u8]) -> object::Result<Self> {
        let header = FileHeader32::<Little>::parse(&*bytes)?;
        let sections = header.sections(Little, &*bytes)?;
        let part = |s: &elf::SectionHeader32<Little>| {
            let (at, size) = (s.sh_addr(Little), s.sh_size(Little));
            let loaded = s.sh_flags(Little).contains(elf::SHF_ALLOC) && s.sh_type(Little) != elf::SHT_NOBITS;
            loaded.then_some((at, at.checked_add(size)?, s.sh_offset(Little) as usize))
        };
        let parts = sections.iter().filter_map(part).collect();
        let table = sections.symbols(Little, &*bytes, elf::SHT_SYMTAB)?;
        let mut symbols = HashMap::new();
        for symbol in table.iter() {
            if symbol.st_shndx(Little) != elf::SHN_UNDEF && symbol.st_bind() != elf::STB_LOCAL {
                symbols.insert(table.symbol_name(Little, symbol)?.to_vec(), symbol.st_value(Little));
            }
        }
        Ok(Self { bytes, parts, symbols })
    }

    fn position(&self, address: u32) -> Option<usize> {
        let part = self.parts.iter().find(|(from, to, _)| (*from..*to).contains(&address));
        part.map(|(from, _, at)| at + (address - from) as usize).filter(|p| p + 3 <= self.bytes.len())
    }
}

/// Sets the operands in a linked program that ld left open, and compares the others.
///
/// # Errors
/// A sentence for each operand that differs, cannot reach its target or has none.
pub fn complete(
    program: &mut [u8],
    map: &str,
    load: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Count, String> {
    let wrong = |e: object::Error| format!("the linked program cannot be read: {e}");
    let mut program = Program::parse(program).map_err(wrong)?;
    let places = places(map);
    let mut files: Vec<&String> = places.keys().map(|(file, _)| file).collect();
    files.sort_unstable();
    files.dedup();
    let (mut count, mut problems) = (Count::default(), Vec::new());
    for name in files {
        let Some(bytes) = load(name).filter(|b| b.starts_with(&elf::ELFMAG)) else { continue };
        one(&mut program, name, &bytes, &places, &mut count, &mut problems)
            .map_err(|e| format!("{name} cannot be read: {e}"))?;
    }
    if problems.is_empty() {
        return Ok(count);
    }
    let more = problems.len().saturating_sub(TOLD);
    let told = problems[..problems.len() - more].join("\n  ");
    let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(format!("{} operands are wrong, so nothing is written:\n  {told}{rest}", problems.len()))
}

/// Does it for one input file.
fn one(
    program: &mut Program,
    name: &str,
    bytes: &[u8],
    places: &Places,
    count: &mut Count,
    problems: &mut Vec<String>,
) -> object::Result<()> {
    let header = FileHeader32::<Little>::parse(bytes)?;
    let sections = header.sections(Little, bytes)?;
    let symbols = sections.symbols(Little, bytes, elf::SHT_SYMTAB)?;
    let section_name =
        |s| String::from_utf8_lossy(sections.section_name(Little, s).unwrap_or_default()).into_owned();
    let at = placed(&sections, name, places);
    for section in sections.iter() {
        let target = SectionIndex(section.sh_info(Little) as usize);
        let Some((relocations, _)) = section.rela(Little, bytes)? else { continue };
        let Some(base) = at.get(&target).copied().filter(|b| program.position(*b).is_some()) else {
            continue;
        };
        let within = || sections.section(target).map(section_name).unwrap_or_default();
        for relocation in relocations {
            if relocation.r_type(Little) != elf::R_XTENSA_SLOT0_OP {
                continue;
            }
            let index = SymbolIndex(relocation.r_sym(Little) as usize);
            let symbol = symbols.symbol(index)?;
            let symbol_name = symbols.symbol_name(Little, symbol)?;
            let global = program.symbols.get(symbol_name).filter(|_| symbol.st_bind() != elf::STB_LOCAL);
            let place = match (global, symbols.symbol_section(Little, symbol, index)?) {
                (Some(address), _) => Some(*address),
                (None, Some(section)) => at.get(&section).map(|b| b.wrapping_add(symbol.st_value(Little))),
                (None, None) if symbol.st_shndx(Little) == elf::SHN_ABS => Some(symbol.st_value(Little)),
                (None, None) => None,
            };
            let pc = base.wrapping_add(relocation.r_offset(Little));
            let label = String::from_utf8_lossy(symbol_name);
            let mut problem = |what: String| problems.push(format!("{what} ({} of {name})", within()));
            let (Some(place), Some(position)) = (place, program.position(pc)) else {
                problem(format!("the target {label} at {pc:#x} is missing"));
                continue;
            };
            let to = place.wrapping_add_signed(relocation.r_addend(Little));
            let [a, b, c] = [0, 1, 2].map(|i| u32::from(program.bytes[position + i]));
            // The third byte belongs to the next instruction if this one is short.
            let short = a & 15 >= 8;
            let word = a | b << 8 | if short { 0 } else { c << 16 };
            let before = bytes_at(&sections, target, bytes, relocation.r_offset(Little));
            let new = match operand(word, pc, to).map(|o| (o.kind, o.put(word))) {
                Ok((kind, Some(new))) => (kind, new),
                Ok((kind, None)) | Err(kind) => {
                    problem(format!("{kind} at {pc:#x} cannot reach {label} at {to:#x}"));
                    continue;
                }
            };
            let (kind, new) = new;
            if new == word {
                *count.equal.entry(kind).or_default() += 1;
            } else if before == Some(word & if short { 0xffff } else { 0xff_ffff }) {
                *count.set.entry(kind).or_default() += 1;
                let length = if short { 2 } else { 3 };
                program.bytes[position..][..length].copy_from_slice(&new.to_le_bytes()[..length]);
            } else {
                problem(format!(
                    "{kind} at {pc:#x} should be {new:#08x} for {label} at {to:#x}, and is {word:#08x}"
                ));
            }
        }
    }
    Ok(())
}

/// The instruction as the input file has it.
fn bytes_at(
    sections: &SectionTable<FileHeader32<Little>>,
    section: SectionIndex,
    bytes: &[u8],
    offset: u32,
) -> Option<u32> {
    let data = sections.section(section).ok()?.data(Little, bytes).ok()?;
    let word = data.get(offset as usize..)?;
    let [a, b] = [0, 1].map(|i| word.get(i).copied().map(u32::from));
    let c = if a? & 15 >= 8 { 0 } else { u32::from(*word.get(2)?) };
    Some(a? | b? << 8 | c << 16)
}

/// The places of a file's sections. Sections of the same name are placed in their order, unless their sizes differ.
fn placed(
    sections: &SectionTable<FileHeader32<Little>>,
    file: &str,
    places: &Places,
) -> HashMap<SectionIndex, u32> {
    let (mut at, mut used) = (HashMap::new(), HashMap::<String, usize>::new());
    for (index, section) in sections.enumerate() {
        let name =
            String::from_utf8_lossy(sections.section_name(Little, section).unwrap_or_default()).into_owned();
        let Some(list) = places.get(&(file.to_owned(), name.clone())) else { continue };
        let next = used.entry(name).or_default();
        let found = list.iter().skip(*next).position(|(_, size)| *size == section.sh_size(Little));
        match found {
            Some(skip) => {
                at.insert(index, list[*next + skip].0);
                *next += skip + 1;
            }
            None if list.len() == 1 => {
                at.insert(index, list[0].0);
            }
            None => {}
        }
    }
    at
}
