//! The alignment of literals.

use object::LittleEndian as Little;
use object::elf::FileHeader32;
use object::read::elf::{FileHeader, SectionHeader};

/// Aligns all literal sections of an object file to 4 bytes, as the instruction `l32r` needs. Returns the number of
/// sections that were not.
///
/// Reason: LLVM 22 to 24 write them with an alignment of 1. Goes when this returns 0 for all files.
///
/// # Errors
/// A sentence, if this is not an ELF object.
pub fn align(bytes: &mut [u8]) -> Result<usize, String> {
    let wrong = |e: object::Error| format!("literals cannot be aligned: {e}");
    let places: Vec<usize> = {
        let header = FileHeader32::<Little>::parse(&*bytes).map_err(wrong)?;
        let sections = header.sections(Little, &*bytes).map_err(wrong)?;
        let table = header.e_shoff(Little) as usize;
        let unaligned = |(i, s): (object::SectionIndex, &object::elf::SectionHeader32<Little>)| {
            let name = sections.section_name(Little, s).ok()?;
            let literal = name.windows(7).any(|w| w == b"literal") && !name.starts_with(b".rela");
            // The alignment is the ninth word of a section's header.
            (literal && s.sh_addralign(Little) < 4).then_some(table + 40 * i.0 + 32)
        };
        sections.enumerate().filter_map(unaligned).collect()
    };
    for at in &places {
        bytes[*at..][..4].copy_from_slice(&4_u32.to_le_bytes());
    }
    Ok(places.len())
}

#[cfg(test)]
mod tests {
    use object::write::{Object, StandardSegment};
    use object::{Architecture, BinaryFormat, Endianness, SectionKind};

    #[test]
    fn literals_are_aligned_once_and_other_sections_stay() {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::Xtensa, Endianness::Little);
        for (name, align) in [(".literal.f", 1), (".text.f.literal", 2), (".text.f", 1), (".literal", 4)] {
            let segment = object.segment_name(StandardSegment::Text).to_vec();
            let id = object.add_section(segment, name.into(), SectionKind::Text);
            object.append_section_data(id, &[1, 2, 3, 4], align);
        }
        let mut bytes = object.write().unwrap();
        assert_eq!((super::align(&mut bytes), super::align(&mut bytes)), (Ok(2), Ok(0)));
        assert!(super::align(&mut [0; 60]).is_err());
    }
}
