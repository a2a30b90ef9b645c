//! The project's own files, as they lie in the checkout: without what is built, and without asking git, which a stranger's
//! copy may not have.

use std::path::{Path, PathBuf};

/// Folders that are not the project's text: what is built, and inputs of fuzzers.
const LEFT_OUT: [&str; 4] = ["target", ".git", "corpus", "artifacts"];

/// All files whose names end in one of `endings`, relative to the checkout and in order.
///
/// # Errors
/// A sentence, if a folder cannot be read.
pub fn ending_in(endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let (root, mut all) = (crate::root(), Vec::new());
    walk(&root, &root, endings, &mut all)?;
    all.sort();
    Ok(all)
}

/// The text of one of them.
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
