//! Tells when a work-around can go: compiles a small module without it.

use std::path::Path;

use super::{Machine, codegen, toolchain::Toolchain};

/// A small input that LLVM refuses as long as a work-around is needed.
struct Probe {
    /// The work-around.
    name: &'static str,
    /// The program that gets it.
    program: &'static str,
    arguments: &'static [&'static str],
    text: &'static str,
}

const PROBES: [Probe; 2] = [
    Probe {
        name: "integers in place of a choice between constants of type f32 (LLVM pull request 214974)",
        program: "llc",
        arguments: &["-O3", "-filetype=obj"],
        text: "target triple = \"xtensa-none-elf\"\n\
            define float @f(i1 %c) {\n  %x = select i1 %c, float 1.5, float 2.5\n  ret float %x\n}\n",
    },
    Probe {
        name: "the macros rer and wer",
        program: "llvm-mc",
        arguments: &["-triple=xtensa-none-elf", "-filetype=obj"],
        text: "  rer a2, a3\n  wer a2, a3\n",
    },
];

/// The names of the work-arounds that this LLVM does not need.
pub fn unneeded(toolchain: &Toolchain, machine: &Machine, place: &Path) -> Vec<String> {
    let known = codegen::known(toolchain, machine);
    let passes = |probe: &&Probe| {
        let (from, to) = (place.join("probe"), place.join("probe.o"));
        let mut command = toolchain.llvm(probe.program);
        command.args(probe.arguments).args(known.arguments()).arg(&from).arg("-o").arg(&to);
        std::fs::write(&from, probe.text).is_ok() && crate::said(&mut command).is_ok()
    };
    PROBES.iter().filter(passes).map(|probe| probe.name.to_owned()).collect()
}
