//! The second opinion on GNU ld: each operand that is relative to the program counter is worked out once more, from the
//! input files' relocations and the places in the map.
//!
//! Reason: the one Xtensa linker that distributions have is for a core without register windows and loops. It leaves the
//! operands of these instructions as they are, which this sets. All others must be equal to what ld wrote. The setting
//! goes when GNU ld is made for this core; the comparison stays.

use std::collections::{BTreeMap, HashMap};

use object::elf::{self, FileHeader32};
use object::read::elf::{FileHeader, Rela, SectionHeader, SectionTable, Sym, SymbolTable};
use object::{LittleEndian as Little, SectionIndex, SymbolIndex};
use serde::{Deserialize, Serialize};

/// Maximum number of problems in an error's text.
const TOLD: usize = 12;

/// How many operands ld had left open, and how many it had set to the same value, by the kind of instruction.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Operands that ld left open.
    pub set: BTreeMap<String, usize>,
    /// Operands that were equal.
    pub equal: BTreeMap<String, usize>,
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

/// Reasons why an instruction has no operand for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Unknown,
    Unaligned(&'static str),
    Far(&'static str),
}

/// Works out the operand of the instruction `word` at `pc` for the address `to`.
fn operand(word: u32, pc: u32, to: u32) -> Result<Operand, Wrong> {
    let (op, n, m, r) = (word & 15, word >> 4 & 3, word >> 6 & 3, word >> 12 & 15);
    let (pc, to) = (i64::from(pc), i64::from(to));
    let words = |kind, from: i64| {
        if (to - from) & 3 == 0 { Ok((to - from) >> 2) } else { Err(Wrong::Unaligned(kind)) }
    };
    let branch = |kind, bits, signed, shift| Ok(Operand { kind, value: to - pc - 4, bits, signed, shift });
    match (op, n) {
        // A literal comes before its instruction: 16 bits count down from the next word.
        (1, _) => {
            let value = words("l32r", (pc + 3) & !3)? + 0x1_0000;
            Ok(Operand { kind: "l32r", value, bits: 16, signed: false, shift: 8 })
        }
        (5, _) => {
            let kind = ["call0", "call4", "call8", "call12"][n as usize];
            Ok(Operand { kind, value: words(kind, (pc & !3) + 4)?, bits: 18, signed: true, shift: 6 })
        }
        (6, 0) => branch("j", 18, true, 6),
        (6, 1) => branch("bz", 12, true, 12),
        (6, 3) if m == 1 && (8..=10).contains(&r) => branch("loop", 8, false, 16),
        (6, 3) if m == 1 && r < 2 => branch("bool", 8, true, 16),
        (6, 2) => branch("bi", 8, true, 16),
        (6, 3) if m >= 2 => branch("bi", 8, true, 16),
        (7, _) => branch("b", 8, true, 16),
        (12, _) if word & 0x80 != 0 => branch("bz.n", 6, false, 0),
        _ => Err(Wrong::Unknown),
    }
}

impl Operand {
    /// The instruction with this operand.
    fn put(self, word: u32) -> Result<u32, Wrong> {
        let range =
            if self.signed { -(1 << (self.bits - 1))..1 << (self.bits - 1) } else { 0..1 << self.bits };
        if !range.contains(&self.value) {
            return Err(Wrong::Far(self.kind));
        }
        let value = self.value as u32;
        if self.kind == "bz.n" {
            // The two highest bits come before the register.
            return Ok(word & !0xf030 | (value & 15) << 12 | (value >> 4 & 3) << 4);
        }
        let mask = ((1_u32 << self.bits) - 1) << self.shift;
        Ok(word & !mask | (value << self.shift) & mask)
    }
}

/// The instruction at the beginning of `bytes` and its length, 2 or 3 bytes.
fn instruction(bytes: &[u8]) -> Option<(u32, usize)> {
    let (a, b) = (u32::from(*bytes.first()?), u32::from(*bytes.get(1)?));
    // From 8 on the lowest four bits belong to a short instruction.
    if a & 15 >= 8 { Some((a | b << 8, 2)) } else { Some((a | b << 8 | u32::from(*bytes.get(2)?) << 16, 3)) }
}

/// The places of input sections in the map, by file and section; several if a file has sections of the same name.
type Places = HashMap<(String, String), Vec<(u32, u32)>>;

/// Reads the places from the map that ld wrote.
fn places(map: &str) -> Places {
    let mut all = Places::new();
    let body = map.find("Linker script and memory map").map_or("", |at| &map[at..]);
    let mut name = None;
    for line in body.lines() {
        let mut rest = line;
        if let Some(named) = line.strip_prefix(' ').filter(|l| !l.starts_with(' ')) {
            // A long name has a line of its own.
            let (section, after) = named.split_once(' ').unwrap_or((named, ""));
            (name, rest) = (Some(section), after);
            if after.trim().is_empty() {
                continue;
            }
        }
        let Some(section) = name.take() else { continue };
        let place = (|| {
            let (at, after) = rest.trim_start().split_once(' ')?;
            let (size, file) = after.trim_start().split_once(' ')?;
            Some((file.trim(), number(at)?, number(size)?))
        })();
        if let Some((file, at, size)) = place {
            all.entry((file.to_owned(), section.to_owned())).or_default().push((at, size));
        }
    }
    all
}

/// A number in the map, such as an address, which may be printed with 64 bits.
fn number(word: &str) -> Option<u32> {
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
        part.map(|(from, _, at)| at + (address - from) as usize).filter(|p| *p < self.bytes.len())
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
        Input::parse(name, &bytes, &places)
            .and_then(|input| input.complete(&mut program, &mut count, &mut problems))
            .map_err(|e| format!("{name} cannot be read: {e}"))?;
    }
    if problems.is_empty() {
        return Ok(count);
    }
    let told = problems.iter().take(TOLD).map(|p| format!("\n  {p}")).collect::<String>();
    Err(format!("{} operands are wrong, so nothing is written:{told}", problems.len()))
}

type Header = FileHeader32<Little>;

/// An input file.
struct Input<'a> {
    name: &'a str,
    bytes: &'a [u8],
    sections: SectionTable<'a, Header>,
    symbols: SymbolTable<'a, Header>,
    /// The places of its sections.
    at: HashMap<SectionIndex, u32>,
}

impl<'a> Input<'a> {
    fn parse(name: &'a str, bytes: &'a [u8], places: &Places) -> object::Result<Self> {
        let sections = Header::parse(bytes)?.sections(Little, bytes)?;
        let symbols = sections.symbols(Little, bytes, elf::SHT_SYMTAB)?;
        let at = placed(&sections, name, places);
        Ok(Self { name, bytes, sections, symbols, at })
    }

    /// Does it for this file.
    fn complete(
        &self,
        program: &mut Program,
        count: &mut Count,
        problems: &mut Vec<String>,
    ) -> object::Result<()> {
        for section in self.sections.iter() {
            let target = SectionIndex(section.sh_info(Little) as usize);
            let Some((relocations, _)) = section.rela(Little, self.bytes)? else { continue };
            // Sections that are not in the program have no place.
            let Some(base) = self.at.get(&target).filter(|at| program.position(**at).is_some()) else {
                continue;
            };
            let section = self.sections.section(target)?;
            let data = section.data(Little, self.bytes)?;
            for relocation in relocations.iter().filter(|r| r.r_type(Little) == elf::R_XTENSA_SLOT0_OP) {
                let offset = relocation.r_offset(Little);
                let (label, to) = self.target(program, relocation)?;
                let before = data.get(offset as usize..).and_then(instruction);
                match program.complete(base.wrapping_add(offset), to, before) {
                    Ok((kind, true)) => *count.set.entry(kind.into()).or_default() += 1,
                    Ok((kind, false)) => *count.equal.entry(kind.into()).or_default() += 1,
                    Err(why) => {
                        let within = String::from_utf8_lossy(self.sections.section_name(Little, section)?);
                        problems.push(format!("{why} for {label} ({within} of {})", self.name));
                    }
                }
            }
        }
        Ok(())
    }

    /// The name of a relocation's symbol, and its address if it has one.
    fn target(
        &self,
        program: &Program,
        relocation: &elf::Rela32<Little>,
    ) -> object::Result<(String, Option<u32>)> {
        let index = SymbolIndex(relocation.r_sym(Little) as usize);
        let symbol = self.symbols.symbol(index)?;
        let name = self.symbols.symbol_name(Little, symbol)?;
        let section = self.symbols.symbol_section(Little, symbol, index)?;
        let own = match section {
            Some(section) => self.at.get(&section).map(|at| at.wrapping_add(symbol.st_value(Little))),
            None => (symbol.st_shndx(Little) == elf::SHN_ABS).then(|| symbol.st_value(Little)),
        };
        // Another file may define it, too, and ld may have chosen that.
        let global = program.symbols.get(name).filter(|_| symbol.st_bind() != elf::STB_LOCAL).copied();
        let address = global.or(own).map(|a| a.wrapping_add_signed(relocation.r_addend(Little)));
        let name = match section.filter(|_| name.is_empty()) {
            Some(section) => self.sections.section_name(Little, self.sections.section(section)?)?,
            None => name,
        };
        Ok((String::from_utf8_lossy(name).into_owned(), address))
    }
}

impl Program<'_> {
    /// Compares the operand of the instruction at `pc` with that for the address `to`, and sets it if the instruction is
    /// still as in the input file (`before`). Returns the kind of instruction, and true if it was set.
    ///
    /// # Errors
    /// The beginning of a sentence.
    fn complete(
        &mut self,
        pc: u32,
        to: Option<u32>,
        before: Option<(u32, usize)>,
    ) -> Result<(&'static str, bool), String> {
        let to = to.ok_or_else(|| format!("the instruction at {pc:#x} has no target"))?;
        let position = self.position(pc).ok_or_else(|| format!("{pc:#x} is not in the program"))?;
        let (word, length) =
            instruction(&self.bytes[position..]).ok_or_else(|| format!("{pc:#x} is cut off"))?;
        let (kind, new) =
            operand(word, pc, to).and_then(|o| Ok((o.kind, o.put(word)?))).map_err(|w| match w {
                Wrong::Unknown => format!("the instruction {word:#08x} at {pc:#x} is not known"),
                Wrong::Unaligned(kind) => {
                    format!("{kind} at {pc:#x} needs a word, and {to:#x} is not aligned")
                }
                Wrong::Far(kind) => format!("{kind} at {pc:#x} cannot reach {to:#x}"),
            })?;
        if new == word {
            return Ok((kind, false));
        }
        if before != Some((word, length)) {
            return Err(format!("{kind} at {pc:#x} is {word:#08x} and should be {new:#08x}"));
        }
        self.bytes[position..][..length].copy_from_slice(&new.to_le_bytes()[..length]);
        Ok((kind, true))
    }
}

/// The places of a file's sections. Sections of the same name are placed in their order, unless their sizes differ.
fn placed(sections: &SectionTable<Header>, file: &str, places: &Places) -> HashMap<SectionIndex, u32> {
    let (mut at, mut used) = (HashMap::new(), HashMap::<String, usize>::new());
    for (index, section) in sections.enumerate() {
        let name =
            String::from_utf8_lossy(sections.section_name(Little, section).unwrap_or_default()).into_owned();
        let Some(list) = places.get(&(file.to_owned(), name.clone())) else { continue };
        let next = used.entry(name).or_default();
        let found = list.iter().skip(*next).position(|(_, size)| *size == section.sh_size(Little));
        if let Some(skip) = found {
            at.insert(index, list[*next + skip].0);
            *next += skip + 1;
        } else if let [(only, _)] = list[..] {
            at.insert(index, only);
        }
    }
    at
}

#[cfg(test)]
mod tests;
