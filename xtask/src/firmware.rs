//! Builds firmware and compares its sizes and instructions with `budgets.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::proof::{self, Question};
use crate::rustup::nightly;
use crate::{cores, root, said, xtensa};

/// The table `[lamp]` of `budgets.toml`.
#[derive(Deserialize)]
pub struct Budget {
    slot_bytes: u64,
    ram_bytes: u64,
    pub tolerance_percent: f64,
    float_choices_max: usize,
    most: BTreeMap<String, Most>,
    stack: Stack,
    instructions: BTreeMap<String, u64>,
    pub lx7: BTreeMap<String, u64>,
}

/// The limits of a board, in percent.
#[derive(Deserialize)]
struct Most {
    flash: f64,
    ram: f64,
    /// The same without the state of ear and renderer.
    rest: f64,
}

/// The limits of the stack, in bytes.
#[derive(Deserialize)]
struct Stack {
    frame_max: u64,
}

/// Bytes of static RAM.
struct Ram {
    all: u64,
    /// State of ear and renderer.
    halves: u64,
}

/// All boards. The K1's own chip, esp32s3, and the emulated board with its processor need a compiler of their own: see
/// `xtensa`.
const BOARDS: [&str; 6] = ["virt", "virt-xtensa", "esp32p4", "esp32c6", "esp32s31", "esp32s3"];

/// Builds the named boards, or all of them.
pub fn build(names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|n| !BOARDS.contains(n)) {
        return Err(format!("there is no board {unknown}; there are: {}", BOARDS.join(", ")));
    }
    standard_library()?;
    let budget = crate::read_budgets()?.lamp;
    let wanted = |board: &&str| names.is_empty() || names.contains(board);
    BOARDS.into_iter().filter(wanted).try_for_each(|board| match board {
        "virt" => virt(&budget),
        "virt-xtensa" => virt_xtensa(),
        "esp32s3" => s3(&budget),
        chip => esp(chip, &budget),
    })
}

fn virt(budget: &Budget) -> Result<(), String> {
    run(nightly()
        .args(["cargo", "build", "--release", "-p", "k1-virt"])
        .current_dir(root().join("firmware")))?;
    for name in ["lamp", "loader"] {
        flatten(&built(name), &built(name).with_extension("bin"))?;
    }
    let (stored, ram) = sections(&built("lamp"))?;
    hold("virt", stored, &ram, budget)?;
    hold_frames("virt", &built("lamp"), &budget.stack)?;
    instructions(budget)
}

/// Builds the virtual lamp with a broken hand-off, for the test that must detect it. Uses a folder of its own, so that
/// nobody mistakes it for the real lamp.
pub fn broken() -> Result<(), String> {
    let build =
        ["cargo", "build", "--release", "-p", "k1-virt", "--bin", "lamp", "--target-dir", "target/broken"];
    // This replaces the flags in the folder's own configuration.
    let flags = r#"--cfg sha2_backend_soft="compact" --cfg k1_broken_ring"#;
    run(nightly().args(build).env("RUSTFLAGS", flags).current_dir(root().join("firmware")))?;
    let program = root().join("firmware/target/broken/riscv32imafc-unknown-none-elf/release/lamp");
    flatten(&program, &program.with_extension("bin"))
}

/// Writes a program's image in memory to a file, in the form in which a slot holds it.
fn flatten(program: &Path, to: &Path) -> Result<(), String> {
    use object::read::elf::{ElfFile32, ProgramHeader};
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", program.display());
    let bytes = std::fs::read(program).map_err(|e| wrong(&e))?;
    let file = ElfFile32::<object::Endianness>::parse(&*bytes).map_err(|e| wrong(&e))?;
    let endian = file.endian();
    let mut parts = Vec::new();
    for header in file.elf_program_headers() {
        let data = header.data(endian, &*bytes).map_err(|()| wrong(&"a part lies outside the file"))?;
        if header.p_type(endian) == object::elf::PT_LOAD && !data.is_empty() {
            parts.push((header.p_paddr(endian) as usize, data));
        }
    }
    let start = parts.iter().map(|(at, _)| *at).min().ok_or_else(|| wrong(&"nothing is loaded"))?;
    let end = parts.iter().map(|(at, data)| at + data.len()).max().unwrap_or(start);
    let mut flat = vec![0; end - start];
    for (at, data) in parts {
        flat[at - start..][..data.len()].copy_from_slice(data);
    }
    std::fs::write(to, flat).map_err(|e| format!("{}: {e}", to.display()))
}

/// Builds the firmware of a RISC-V chip. These chips share a build folder, because they share most crates.
fn esp(chip: &str, budget: &Budget) -> Result<(), String> {
    let target =
        if chip == "esp32c6" { "riscv32imac-unknown-none-elf" } else { "riscv32imafc-unknown-none-elf" };
    let place = root().join("firmware/boards/esp");
    let build = ["cargo", "build", "--release", "--features", chip, "--target", target];
    run(nightly().args(build).current_dir(&place))?;
    // The next chip's build overwrites this program.
    let built = place.join("target").join(target).join("release/lamp");
    let program = place.join("target").join(chip).with_extension("elf");
    std::fs::copy(&built, &program).map_err(|e| format!("{}: {e}", program.display()))?;
    let (_, ram) = sections(&program)?;
    hold(chip, crate::image::save(chip, &program)?, &ram, budget)?;
    hold_frames(chip, &program, &budget.stack)
}

/// Builds the lamp for two emulated LX7 cores. It has no limits, because it has what the K1 and board `virt` have.
fn virt_xtensa() -> Result<(), String> {
    let Some(program) = cores::build_lamp()? else { return Ok(()) };
    let (stored, ram) = sections(&program)?;
    println!("virt-xtensa: flash {stored} B, static RAM {} B", ram.all);
    Ok(())
}

/// Builds the K1's own firmware.
fn s3(budget: &Budget) -> Result<(), String> {
    let folder = root().join("firmware/boards/esp");
    let out = folder.join("target/esp32s3.elf");
    let program = xtensa::Program {
        folder: &folder,
        package: "k1-esp",
        bin: "lamp",
        features: &["esp32s3"],
        cargo: &["--config", "s3.toml"],
        machine: xtensa::ESP32S3,
        link: &[],
        out: &out,
    };
    let built = match xtensa::build(&program) {
        Ok(built) => built,
        Err(xtensa::Error::Program(why)) => return Err(format!("esp32s3: {why}")),
        Err(xtensa::Error::Toolchain(why)) => {
            // An image of an earlier build must not pass for one of this source.
            for ending in ["bin", "versions"] {
                let _ = std::fs::remove_file(out.with_extension(ending));
            }
            check_s3()?;
            let told = format!("esp32s3: ONLY CHECKED, not compiled or linked: {why}");
            println!("{told}");
            return crate::gate::not_proven(&told);
        }
    };
    let again = if built.unchanged { "; nothing has changed, so it was not linked again" } else { "" };
    println!("esp32s3: {}{again}", built.versions);
    if let Some(linked) = &built.linked {
        linked.tell("esp32s3");
    }
    // For the bundle's statement of origin (`dist`).
    let versions = out.with_extension("versions");
    std::fs::write(&versions, &built.versions).map_err(|e| format!("{}: {e}", versions.display()))?;
    let (_, ram) = sections(&built.elf)?;
    hold("esp32s3", crate::image::save("esp32s3", &built.elf)?, &ram, budget)?;
    hold_frames("esp32s3", &built.elf, &budget.stack)?;
    let choices: usize = built.linked.iter().flat_map(|l| &l.choices).map(|c| c.count).sum();
    let most = budget.float_choices_max;
    println!("esp32s3: {choices} choices between f32 constants (at most {most})");
    if choices > most {
        return Err(
            "esp32s3 has more choices between f32 constants, which Espressif's compiler cannot compile"
                .into(),
        );
    }
    Ok(())
}

/// Checks types, borrows and lints of the K1's own firmware.
fn check_s3() -> Result<(), String> {
    let place = root().join("firmware/boards/esp");
    run(nightly().args(["sh", "s3-check/run"]).current_dir(&place))?;
    Ok(())
}

/// The path of a program that `cargo xtask firmware virt` built.
fn built(name: &str) -> PathBuf {
    root().join("firmware/target/riscv32imafc-unknown-none-elf/release").join(name)
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

/// Makes sure that the standard library's source is there, because `core` and `alloc` are built for the boards.
pub fn standard_library() -> Result<(), String> {
    let sysroot = said(nightly().args(["rustc", "--print", "sysroot"]))
        .map_err(|_| "the boards need a nightly toolchain: rustup toolchain install nightly".to_owned())?;
    let place = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if place.exists() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    let added = rustup
        .args(["component", "add", "rust-src", "--toolchain", "nightly"])
        .env_remove("RUSTUP_TOOLCHAIN");
    if run(added).is_ok() && place.exists() {
        return Ok(());
    }
    // If rustup's server cannot be reached, Debian has the same source.
    run(Command::new("sh").arg(root().join("xtask/rust-src")).arg(sysroot.trim()))
}

/// Sections that occupy RAM from the start.
const RAM: &[&str] = &[".data", ".bss"];

/// The size of a program in flash and its static RAM, in bytes, from the sections of its file.
fn sections(program: &Path) -> Result<(u64, Ram), String> {
    let table = said(Command::new("size").args(["-A", "-d"]).arg(program))?;
    let symbols = said(Command::new("nm").args(["-S", "-C", "--defined-only"]).arg(program))?;
    let parts: Vec<(&str, u64, u64)> = table
        .lines()
        .filter_map(|l| {
            let [name, size, at] = l.split_whitespace().collect::<Vec<_>>()[..] else { return None };
            Some((name, size.parse().ok()?, at.parse().ok()?))
        })
        .collect();
    let those =
        |of: &'static [&str]| parts.iter().filter(move |(name, ..)| of.iter().any(|s| name.starts_with(s)));
    // The heap is free memory, so it does not count; memory that the bootloader leaves to it is in neither sum.
    let in_ram = |at: u64| those(RAM).any(|(_, size, from)| (*from..from + size).contains(&at));
    let named = |names: [&str; 2]| -> u64 {
        let sizes = symbols.lines().filter(|l| names.iter().any(|name| l.ends_with(name))).filter_map(|l| {
            let mut words = l.split_whitespace().map(|w| u64::from_str_radix(w, 16));
            let (at, size) = (words.next()?.ok()?, words.next()?.ok()?);
            in_ram(at).then_some(size)
        });
        sizes.sum()
    };
    let sum = |of| those(of).map(|(_, size, _)| size).sum::<u64>();
    let halves = named(["::EAR_PLACE", "::SHOW_PLACE"]);
    if halves == 0 {
        return Err(format!("{}: the state of ear and renderer has other names", program.display()));
    }
    let all = sum(RAM) - named(["heap::MEMORY", "heap::HEAP"]);
    Ok((sum(&[".text", ".rodata", ".data"]), Ram { all, halves }))
}

/// Prints a board's sizes, and fails if one is over budget.
fn hold(board: &str, flash: u64, ram: &Ram, budget: &Budget) -> Result<(), String> {
    let percent = |bytes: u64, of: u64| 100.0 * bytes as f64 / of as f64;
    let (f, r) = (percent(flash, budget.slot_bytes), percent(ram.all, budget.ram_bytes));
    let rest = ram.all - ram.halves;
    let without = percent(rest, budget.ram_bytes);
    let Most { flash: flash_max, ram: ram_max, rest: rest_max } =
        budget.most.get(board).ok_or_else(|| format!("budgets.toml has no limits for {board}"))?;
    println!("{board}: flash {flash} B, {f:.1} % of a slot (at most {flash_max})");
    println!("{board}: static RAM {} B, {r:.1} % of {} B (at most {ram_max})", ram.all, budget.ram_bytes);
    println!("{board}: without the state of ear and renderer {rest} B, {without:.1} % (at most {rest_max})");
    if f > *flash_max || r > *ram_max || without > *rest_max {
        return Err(format!("{board} is over its budget"));
    }
    Ok(())
}

/// Prints a program's largest stack frames, and fails if one is over budget.
fn hold_frames(board: &str, program: &Path, budget: &Stack) -> Result<(), String> {
    let frames = crate::frames::of(program)?;
    let symbols = said(Command::new("nm").args(["-C", "--defined-only"]).arg(program))?;
    println!("{board}: largest stack frames (at most {} B)", budget.frame_max);
    for frame in frames.iter().take(5) {
        let address = format!("{:08x} ", frame.address);
        let names = symbols.lines().filter_map(|l| l.strip_prefix(&*address)?.get(2..));
        // `$x` marks code for disassemblers, and `.L0` is the assembler's own.
        let name = names.into_iter().find(|name| !name.starts_with(['$', '.'])).unwrap_or("unknown");
        println!("{:>8} B {name}", frame.bytes);
    }
    if frames[0].bytes > budget.frame_max {
        return Err(format!("{board}: a function takes more stack than its budget"));
    }
    Ok(())
}

/// Counts the instructions of each hop and frame on the 32-bit machine, on one hart, and compares them with the budget.
fn instructions(budget: &Budget) -> Result<(), String> {
    let machine = ["-M", "virt", "-bios", "none", "-smp", "1", "-icount", "shift=0", "-serial", "stdio"];
    let question =
        Question { number: 3, music: &proof::simple_music(), pattern: 0, at: [0x81f0_0000, 0x8200_0000] };
    let program = format!("loader,file={}", built("proof").display());
    let answer = question.ask(
        Command::new("qemu-system-riscv32").args(machine).args(["-device", &program]),
        &root().join("target/proof"),
    )?;
    proof::hold(&answer, &budget.instructions, budget.tolerance_percent)
}
