//! `cargo xtask release`: the program for people who do not build it. For each system a static program in an archive and in
//! a package for Debian, what it is made of, a recipe for a container, and the sums of everything, signed.
//!
//! | Room | What it does |
//! |---|---|
//! | `sources` | the commit that is built, and its time |
//! | `program` | builds the static programs |
//! | `check` | whether all programs show the same light |
//! | `content` | the files that archive and package contain |
//! | `tar`, `deb` | archives and packages, byte for byte the same each time |
//! | `sbom` | the crates that the program is made of |

mod check;
mod content;
mod deb;
mod program;
mod sbom;
mod sources;
mod tar;

use std::path::{Path, PathBuf};

use k1_fleet::bundle::{Files, sha256};
use k1_fleet::signing::keys::{self, Key};
use k1_fleet::signing::sums;

use crate::dist::read_key;
use crate::gate::{built, not_proven};
use crate::root;
use content::Content;
use program::System;
use sources::Sources;

/// The command `cargo xtask release [x86_64|aarch64]... [--key NAME|FILE | --trial] [--twice]`.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn release(args: &[&str]) -> Result<(), String> {
    let (mut chosen, mut named, mut is_trial, mut is_twice) = (Vec::new(), None, false, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--key" => named = Some(*args.next().ok_or("--key needs a value")?),
            "--trial" => is_trial = true,
            "--twice" => is_twice = true,
            name => match System::all().into_iter().find(|system| system.processor == name) {
                Some(system) => chosen.push(system),
                None => {
                    let all: Vec<_> = System::all().iter().map(|system| system.processor).collect();
                    return Err(format!(
                        "“{name}” is neither an option nor a processor: those are {}",
                        all.join(", ")
                    ));
                }
            },
        }
    }
    if chosen.is_empty() {
        chosen = System::all();
    }
    // A program that runs here writes the manual for all.
    if !chosen.iter().any(|system| system.is_here()) {
        chosen.extend(System::all().into_iter().take(1));
    }
    chosen.sort_by_key(|system| !system.is_here());
    chosen.dedup();
    let sources = Sources::here()?;
    if sources.are_changed() && !is_trial {
        return Err("there are changes that are in no commit, so nobody could find the sources of this release: commit \
                    them, or see with --trial whether it works"
            .into());
    }
    let (folder, key);
    let scratch = tempfile::tempdir().map_err(|e| format!("a scratch folder: {e}"))?;
    if is_trial {
        folder = root().join("target/release-trial");
        key = keys::make(&scratch.path().join("keys"), "trial")?;
    } else {
        folder = root().join("target/release-files");
        key = read_key(named)?;
    }
    let files = make(&chosen, &sources, &root(), &built().join("release-program"), is_trial)?;
    if is_twice {
        let other = scratch.path().join("elsewhere/sources");
        sources::copy(&other)?;
        let again = make(&chosen, &sources, &other, &scratch.path().join("built"), is_trial)?;
        compare(&files, &again)?;
    }
    put(&files, &folder, &key)
}

/// Makes all files of a release from the sources in a folder.
fn make(
    chosen: &[System],
    sources: &Sources,
    folder: &Path,
    built: &Path,
    may_fall_back: bool,
) -> Result<Files, String> {
    let mut programs = Vec::new();
    for system in chosen {
        let mut built_as = *system;
        if let Err(why) = program::prepare(*system) {
            let Some(fallback) = system.fallback().filter(|_| may_fall_back) else { return Err(why) };
            let told =
                format!("release: linked with this machine's C library, because the other is missing: {why}");
            println!("{told}");
            not_proven(&told)?;
            built_as = fallback;
        }
        programs.push((*system, program::build(built_as, sources, folder, built)?));
    }
    check::same_light(&programs)?;
    let content = Content::gather(&programs, sources, folder)?;
    let mut files = Files::new();
    for (system, path) in &programs {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{}: k1 has {} B", system.triple, bytes.len());
        files.extend(content.pack(*system, &bytes, content::VERSION)?);
    }
    files.extend(content.beside());
    Ok(files)
}

/// Compares two releases of the same sources.
fn compare(one: &Files, other: &Files) -> Result<(), String> {
    let differ: Vec<_> =
        one.iter().filter(|(name, bytes)| other.get(*name) != Some(bytes)).map(|(name, _)| &**name).collect();
    if one.len() != other.len() || !differ.is_empty() {
        return Err(format!("built twice from the same sources, these differ: {}", differ.join(", ")));
    }
    println!("built twice, in two folders: {} files with the same bytes", one.len());
    Ok(())
}

/// Writes the files, their sums and the signature, and verifies them as an owner does.
fn put(files: &Files, folder: &Path, key: &Key) -> Result<(), String> {
    let text = sums::sums(files);
    let mut all = files.clone();
    all.insert(sums::SIGNATURE.into(), sums::sign(&text, key).to_vec());
    all.insert(sums::SUMS.into(), text.into_bytes());
    all.insert("release.pem".into(), key.public_pem()?.into_bytes());
    write(folder, &all)?;
    let verified = sums::verify(folder, &key.public())?;
    if !verified.missing.is_empty() || verified.whole.len() != files.len() {
        return Err(format!("{} is not complete", folder.display()));
    }
    for (name, bytes) in files {
        println!("{name}: {} B, SHA-256 {}", bytes.len(), sha256(bytes));
    }
    println!("signed with {} ({}), read back and verified; in {}", key.name, key.id(), folder.display());
    Ok(())
}

/// Makes a folder that contains exactly these files. It appears whole, or stays as it was.
fn write(folder: &Path, files: &Files) -> Result<(), String> {
    let new = folder.with_extension("new");
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| format!("{path}: {e}")
    };
    let gone = |path: &Path| if path.exists() { std::fs::remove_dir_all(path) } else { Ok(()) };
    gone(&new).and_then(|()| std::fs::create_dir_all(&new)).map_err(wrong(&new))?;
    for (name, bytes) in files {
        std::fs::write(new.join(name), bytes).map_err(wrong(&new.join(name)))?;
    }
    gone(folder).map_err(wrong(folder))?;
    std::fs::rename(&new, folder).map_err(wrong(folder))
}

/// Packages for a test, the first one of an older version, and their program. Without a program, the static one is built.
///
/// # Errors
///
/// A sentence, if they cannot be made.
pub fn packages(program: Option<&str>) -> Result<([Vec<u8>; 2], PathBuf), String> {
    let (sources, folder) = (Sources::here()?, root());
    let mut system = *System::all().first().ok_or("there are no programs for this operating system")?;
    let path = match program {
        Some(path) => PathBuf::from(path),
        None => {
            if let Err(why) = program::prepare(system) {
                system = system.fallback().ok_or(why)?;
            }
            program::build(system, &sources, &folder, &built().join("release-program"))?
        }
    };
    let content = Content::gather(&[(system, path.clone())], &sources, &folder)?;
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let processor = system.debian.ok_or("there are packages for Debian only")?;
    let older = format!("{}~older", content::VERSION);
    let [before, after] = [&older, content::VERSION].map(|version| content.deb(processor, &bytes, version));
    Ok(([before?, after?], path))
}
