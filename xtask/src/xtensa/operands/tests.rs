//! A small program, and what is wrong with it in each way that a linker may get wrong.

use object::write::{Object, Relocation, StandardSegment, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

use super::*;

/// Places of the sections `.literal`, `.text` and `.text.far`.
type Sections = [u32; 3];
const PLACES: Sections = [0x4200_0000, 0x4200_0010, 0x4200_0100];
/// `l32r a2, literal; call8 far; beqz.n a3, +8; j .text` without operands.
const EMPTY: [u8; 11] = [0x21, 0, 0, 0x25, 0, 0, 0x8c, 0x03, 0x06, 0, 0];
/// The same with the operands that GNU ld knows.
const LINKED: [u8; 11] = [0x21, 0xfc, 0xff, 0x25, 0, 0, 0x8c, 0x33, 0x06, 0xfd, 0xff];

/// An object file with this code. With `far`, it defines that function; with `relocations`, it names its targets.
fn object(text: &[u8], far: Option<u32>, relocations: bool) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Xtensa, Endianness::Little);
    let segment = |o: &Object| o.segment_name(StandardSegment::Text).to_vec();
    let section = |o: &mut Object, name: &str, data: &[u8]| {
        let id = o.add_section(segment(o), name.into(), SectionKind::Text);
        o.append_section_data(id, data, 4);
        id
    };
    let literal = section(&mut object, ".literal", &[1, 2, 3, 4]);
    let code = section(&mut object, ".text", text);
    let distant = section(&mut object, ".text.far", &[0x36, 0x41, 0]);
    let far = object.add_symbol(Symbol {
        name: "far".into(),
        value: far.unwrap_or(0).into(),
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: far.map_or(SymbolSection::Undefined, |_| SymbolSection::Section(distant)),
        flags: SymbolFlags::None,
    });
    if relocations {
        let (literal, here) = (object.section_symbol(literal), object.section_symbol(code));
        for (offset, symbol, addend) in [(0, literal, 0), (3, far, 0), (6, here, 13), (8, here, 0)] {
            let flags = RelocationFlags::Elf { r_type: elf::R_XTENSA_SLOT0_OP };
            object.add_relocation(code, Relocation { offset, symbol, addend, flags }).unwrap();
        }
    }
    object.write().unwrap()
}

/// A linked program: an object file whose sections have addresses.
fn program(text: &[u8], places: Sections, far: Option<u32>) -> Vec<u8> {
    let mut bytes = object(text, far, false);
    let headers: Vec<(usize, u32)> = {
        let header = Header::parse(&*bytes).unwrap();
        let sections = header.sections(Little, &*bytes).unwrap();
        let names = [".literal", ".text", ".text.far"].into_iter().zip(places);
        let table = header.e_shoff(Little) as usize;
        // A section's address is the fourth word of its header.
        names
            .map(|(n, at)| {
                (table + 40 * sections.section_by_name(Little, n.as_bytes()).unwrap().0.0 + 12, at)
            })
            .collect()
    };
    for (header, at) in headers {
        bytes[header..][..4].copy_from_slice(&at.to_le_bytes());
    }
    bytes
}

fn map(places: Sections) -> String {
    let [literal, text, far] = places;
    format!(
        "Discarded\n .text 0x0 0x3 a.o\n\nLinker script and memory map\n\n.text           0x{text:08x}      0x200\n \
         .literal       0x{literal:016x}        0x4 a.o\n .text          0x{text:016x}        0xb a.o\n \
         .text.far.with.a.long.name\n                0x{far:016x}        0x3 other.o\n .text.far\n                \
         0x{far:016x}        0x3 a.o\n                0x{far:016x}                far\n"
    )
}

fn complete_with(
    text: &[u8],
    places: Sections,
    far: Option<u32>,
    defined: bool,
) -> Result<(Count, Vec<u8>), String> {
    let mut linked = program(text, places, far);
    let input = object(&EMPTY, defined.then_some(0), true);
    let count = complete(&mut linked, &map(places), &mut |name| (name == "a.o").then(|| input.clone()))?;
    Ok((count, linked))
}

#[test]
fn what_ld_left_open_is_set_and_the_rest_is_compared() {
    let (count, linked) = complete_with(&LINKED, PLACES, Some(PLACES[2]), true).unwrap();
    let kinds = |of: &[&str]| of.iter().map(|k| ((*k).to_owned(), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(count, Count { set: kinds(&["call8"]), equal: kinds(&["bz.n", "j", "l32r"]) });
    let set = [0x21, 0xfc, 0xff, 0xe5, 0x0e, 0, 0x8c, 0x33, 0x06, 0xfd, 0xff];
    assert!(linked.windows(set.len()).any(|w| w == set), "{linked:x?}");
}

#[test]
fn every_mutant_of_a_linked_program_is_refused() {
    let [literal, text, far] = PLACES;
    let with = |at: usize, byte: u8| {
        let mut text = LINKED;
        text[at] = byte;
        text
    };
    let there = Some(far);
    let mutants: [(&str, Result<_, String>, &str); 7] = [
        ("wrong literal", complete_with(&with(1, 0xfb), PLACES, there, true), "should be 0xfffc21"),
        ("wrong jump", complete_with(&with(9, 0xf9), PLACES, there, true), "should be"),
        ("wrong short branch", complete_with(&with(7, 0x43), PLACES, there, true), "should be"),
        (
            "section out of reach",
            complete_with(&LINKED, [literal, text, far + 0x10_0000], Some(far + 0x10_0000), true),
            "cannot reach",
        ),
        (
            "literal behind its instruction",
            complete_with(&LINKED, [text + 0x80, text, far], there, true),
            "cannot reach",
        ),
        ("unaligned literal", complete_with(&LINKED, [literal + 2, text, far], there, true), "not aligned"),
        ("missing symbol", complete_with(&LINKED, PLACES, None, false), "has no target for far"),
    ];
    let count = mutants.len();
    let refused = mutants.into_iter().filter(|(name, result, why)| {
        let error = result.as_ref().err().unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(error.contains("nothing is written") && error.contains(why), "{name}: {error}");
        true
    });
    println!("mutants of the linking step: {} of {count} refused", refused.count());
}

#[test]
fn an_instruction_without_such_an_operand_is_refused() {
    // `add.n a2, a2, a2`
    assert_eq!(operand(0x222a, PLACES[1], PLACES[2]), Err(Wrong::Unknown));
    assert!(complete_with(&[0x2a; 11], PLACES, Some(PLACES[2]), true).unwrap_err().contains("is not known"));
}

#[test]
fn the_ends_of_each_reach_are_exact() {
    let put = |word, to: i64| operand(word, 0x4200_1000, (0x4200_1000 + to) as u32).and_then(|o| o.put(word));
    for (word, low, high, step) in [
        (0x21, -0x4_0000, -4, 4),
        (0x25, -0x8_0000 + 4, 0x7_fffc + 4, 4),
        (0x06, -0x2_0000 + 4, 0x1_ffff + 4, 1),
        (0x16, -0x800 + 4, 0x7ff + 4, 1),
        (0x26, -0x80 + 4, 0x7f + 4, 1),
        (0x07, -0x80 + 4, 0x7f + 4, 1),
        (0x8076, 4, 0xff + 4, 1),
        (0x8c, 4, 0x3f + 4, 1),
    ] {
        assert!(put(word, low).is_ok() && put(word, high).is_ok(), "{word:x}");
        assert!(put(word, low - step).is_err() && put(word, high + step).is_err(), "{word:x}");
    }
}
