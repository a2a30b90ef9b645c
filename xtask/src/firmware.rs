//! Builds firmware and compares its sizes and instructions with `budgets.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::{root, said, xtensa};

/// The table `[lamp]` of `budgets.toml`.
#[derive(Deserialize)]
pub struct Budget {
    slot_bytes: u64,
    ram_bytes: u64,
    tolerance_percent: f64,
    float_choices_max: usize,
    most: BTreeMap<String, Most>,
    instructions: BTreeMap<String, u64>,
}

/// The limits of a board, in percent.
#[derive(Deserialize)]
struct Most {
    flash: f64,
    ram: f64,
}

/// All boards. The K1's own chip, esp32s3, needs a compiler of its own: see `xtensa`.
const BOARDS: [&str; 5] = ["virt", "esp32p4", "esp32c6", "esp32s31", "esp32s3"];

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
    hold("virt", stored, ram, budget)?;
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
    hold(chip, crate::image::save(chip, &program)?, ram, budget)
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
    let (_, ram) = sections(&built.elf)?;
    hold("esp32s3", crate::image::save("esp32s3", &built.elf)?, ram, budget)?;
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

/// A command that uses the nightly toolchain, without the variables that this program's cargo has set.
pub fn nightly() -> Command {
    channel("nightly")
}

/// A command that uses a toolchain of rustup's, like [`nightly`].
pub fn channel(name: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", name]);
    for name in
        ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER"]
    {
        command.env_remove(name);
    }
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

/// Makes sure that the standard library's source is there, because `core` and `alloc` are built for the boards.
fn standard_library() -> Result<(), String> {
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
fn sections(program: &Path) -> Result<(u64, u64), String> {
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
    let heaps: u64 = symbols
        .lines()
        .filter(|l| l.ends_with("heap::MEMORY") || l.ends_with("heap::HEAP"))
        .filter_map(|l| {
            let mut words = l.split_whitespace().map(|w| u64::from_str_radix(w, 16));
            let (at, size) = (words.next()?.ok()?, words.next()?.ok()?);
            in_ram(at).then_some(size)
        })
        .sum();
    let sum = |of| those(of).map(|(_, size, _)| size).sum::<u64>();
    Ok((sum(&[".text", ".rodata", ".data"]), sum(RAM) - heaps))
}

/// Prints a board's sizes, and fails if one is over budget.
fn hold(board: &str, flash: u64, ram: u64, budget: &Budget) -> Result<(), String> {
    let percent = |bytes: u64, of: u64| 100.0 * bytes as f64 / of as f64;
    let (f, r) = (percent(flash, budget.slot_bytes), percent(ram, budget.ram_bytes));
    let Most { flash: flash_max, ram: ram_max } =
        budget.most.get(board).ok_or_else(|| format!("budgets.toml has no limits for {board}"))?;
    println!("{board}: flash {flash} B, {f:.1} % of a slot (at most {flash_max})");
    println!("{board}: static RAM {ram} B, {r:.1} % of {} B (at most {ram_max})", budget.ram_bytes);
    if f > *flash_max || r > *ram_max {
        return Err(format!("{board} is over its budget"));
    }
    Ok(())
}

/// Counts the instructions of each hop and frame on the 32-bit machine, on one hart, and compares them with the budget.
fn instructions(budget: &Budget) -> Result<(), String> {
    let folder = root().join("target/proof");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map(|()| path.display().to_string()).map_err(|e| e.to_string())
    };
    let music = music();
    let question = [3, music.len() as u32, 120, 0, 180];
    let question = write("question", question.iter().flat_map(|w: &u32| w.to_le_bytes()).collect())?;
    let music = write("music", music.iter().flat_map(|s| s.to_le_bytes()).collect())?;
    let answer = said(
        Command::new("qemu-system-riscv32")
            .args(["-M", "virt", "-m", "64M", "-display", "none", "-serial", "stdio", "-monitor", "none"])
            .args(["-bios", "none", "-smp", "1", "-icount", "shift=0"])
            .args(["-device", &format!("loader,file={}", built("proof").display())])
            .args(["-device", &format!("loader,file={question},addr=0x81f00000,force-raw=on")])
            .args(["-device", &format!("loader,file={music},addr=0x82000000,force-raw=on")]),
    )?;
    #[derive(Deserialize)]
    struct Line {
        name: String,
        mean: u64,
        worst: u64,
    }
    let mut over = false;
    for line in answer.lines() {
        let Line { name, mean, worst } = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        let max = budget.instructions[if name == "hop" { "hop_max" } else { "frame_max" }];
        let recorded = budget.instructions.get(&name).copied();
        let drift = recorded.map(|r| 100.0 * (worst as f64 / r as f64 - 1.0));
        let is_over = worst > max || drift.is_none_or(|d| d > budget.tolerance_percent);
        println!(
            "{name:<20} {mean:>8} mean, {worst:>8} worst instructions (at most {max}), recorded {}{}",
            recorded.map_or("nothing".into(), |r| r.to_string()),
            if is_over { "  OVER BUDGET" } else { "" }
        );
        over |= is_over;
    }
    if over { Err("instructions are over budget or not recorded".into()) } else { Ok(()) }
}

/// Ten seconds of simple music, the same every time: a beat at 120 BPM over a chord, with noise.
fn music() -> Vec<f32> {
    (0..160_000_u32)
        .map(|i| {
            let t = f64::from(i) / 16_000.0;
            let beat = (t * 2.0).fract() / 2.0;
            let x = i.wrapping_mul(2_654_435_761);
            let noise = f64::from(x ^ (x >> 15)) / 2_147_483_648.0 - 1.0;
            let kick = 0.5 * (t * 345.0).sin() * (-beat * 20.0).exp();
            let chord = 0.1 * ((t * 1_382.0).sin() + (t * 1_742.0).sin() + (t * 2_073.0).sin());
            (kick + chord + 0.2 * noise * (-beat * 40.0).exp()) as f32
        })
        .collect()
}
