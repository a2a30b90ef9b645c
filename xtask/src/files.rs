//! The project's own files in the checkout, without build results. This does not ask git, because a copy of the sources
//! may have no repository.

use std::path::{Path, PathBuf};

/// Folders that are left out: build results and fuzzers' inputs.
const LEFT_OUT: [&str; 4] = ["target", ".git", "corpus", "artifacts"];

/// All files whose names end in one of `endings`, with paths relative to the checkout, sorted.
///
/// # Errors
/// A sentence, if a folder cannot be read.
pub fn ending_in(endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let (root, mut all) = (crate::root(), Vec::new());
    walk(&root, &root, endings, &mut all)?;
    all.sort();
    Ok(all)
}

/// The text of a file of the project.
///
/// # Errors
/// A sentence, if it cannot be read.
pub fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(crate::root().join(file)).map_err(|e| format!("{}: {e}", file.display()))
}

fn walk(root: &Path, folder: &Path, endings: &[&str], into: &mut Vec<PathBuf>) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let (path, kind) = entry.and_then(|e| Ok((e.path(), e.file_type()?))).map_err(wrong)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if kind.is_dir() && !LEFT_OUT.contains(&name.as_ref()) {
            walk(root, &path, endings, into)?;
        } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            into.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
        }
    }
    Ok(())
}
