//! What was linked is not linked again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::link::{Linked, Request};
use super::{Program, toolchain::Toolchain};

/// The sources of the link step: if they change, everything is linked again.
const STEPS: [&str; 6] = [
    include_str!("codegen.rs"),
    include_str!("ir.rs"),
    include_str!("link.rs"),
    include_str!("literals.rs"),
    include_str!("operands.rs"),
    include_str!("probes.rs"),
];

/// Everything on which a linked program depends, as a hash.
pub struct Inputs(u64);

/// What is kept next to a linked program.
#[derive(Serialize, Deserialize)]
struct Record {
    inputs: u64,
    output: Option<(u64, u64)>,
    linked: Linked,
}

impl Inputs {
    /// Those of a program; `text` is what rustc asked its linker for.
    pub fn of(toolchain: &Toolchain, program: &Program, text: &str, request: &Request) -> Self {
        let mut hash = DefaultHasher::new();
        (STEPS, text, program.machine.cpu, program.machine.attributes, program.link).hash(&mut hash);
        toolchain.folder().hash(&mut hash);
        let others = request.folders.iter().flat_map(|folder| libraries(Path::new(folder)));
        for path in request.inputs.iter().cloned().chain(others) {
            (&path, state(&path)).hash(&mut hash);
        }
        Self(hash.finish())
    }

    /// What linking found, if `out` was linked from these inputs.
    pub fn unchanged(&self, out: &Path) -> Option<Linked> {
        let record: Record = serde_json::from_slice(&std::fs::read(of(out)).ok()?).ok()?;
        let same = record.inputs == self.0 && record.output.is_some() && record.output == state(out);
        same.then_some(record.linked)
    }

    /// Notes that `out` was linked from these inputs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn remember(&self, out: &Path, linked: &Linked) -> io::Result<()> {
        let record = Record { inputs: self.0, output: state(out), linked: linked.clone() };
        std::fs::write(of(out), serde_json::to_vec(&record)?)
    }
}

fn of(out: &Path) -> PathBuf {
    out.with_extension("linked.json")
}

/// A file's size and the time of its last change, in nanoseconds.
fn state(path: &Path) -> Option<(u64, u64)> {
    let data = std::fs::metadata(path).ok()?;
    let time = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((data.len(), time.as_nanos() as u64))
}

/// The libraries and linker scripts in a folder.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let used = |p: &PathBuf| p.extension().is_some_and(|e| ["a", "x", "ld"].iter().any(|x| e == *x));
    let mut all: Vec<_> = entries.map(|e| e.path()).filter(used).collect();
    all.sort();
    all
}

/// Empties a build folder whose crates were compiled in another way: cargo does not notice changes of its wrapper.
///
/// # Errors
/// If the folder cannot be written.
pub fn begin(target: &Path, rust_llvm: u32) -> io::Result<()> {
    let mut hash = DefaultHasher::new();
    (include_str!("wrapper.rs"), rust_llvm).hash(&mut hash);
    let (stamp, now) = (target.join("wrapper"), hash.finish().to_string());
    if std::fs::read_to_string(&stamp).ok().as_ref() == Some(&now) {
        return Ok(());
    }
    if target.exists() {
        std::fs::remove_dir_all(target)?;
    }
    std::fs::create_dir_all(target)?;
    std::fs::write(stamp, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_program_of_the_same_inputs_is_not_linked_again() {
        let out = crate::gate::scratch("incremental").join("lamp.elf");
        std::fs::write(&out, "linked").unwrap();
        let linked = Linked { unneeded: vec!["one".into()], ..Linked::default() };
        Inputs(7).remember(&out, &linked).unwrap();
        assert_eq!(Inputs(7).unchanged(&out), Some(linked));
        assert_eq!(Inputs(8).unchanged(&out), None);
        std::fs::write(&out, "another").unwrap();
        assert_eq!(Inputs(7).unchanged(&out), None, "somebody replaced it");
        std::fs::remove_file(&out).unwrap();
        assert_eq!(Inputs(7).unchanged(&out), None);
    }

    #[test]
    fn a_build_folder_of_another_wrapper_is_emptied() {
        let target = crate::gate::scratch("wrapper").join("target");
        std::fs::create_dir_all(&target).unwrap();
        let (old, stamp) = (target.join("old"), target.join("wrapper"));
        for (written, stays) in [("another", false), ("", true)] {
            std::fs::write(&old, "").unwrap();
            if !written.is_empty() {
                std::fs::write(&stamp, written).unwrap();
            }
            begin(&target, 22).unwrap();
            assert_eq!(old.exists(), stays);
        }
    }
}
