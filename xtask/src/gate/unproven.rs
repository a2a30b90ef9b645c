//! Statements that a run could not prove because a machine lacks something that it may lack. They do not fail the gate,
//! and its last lines name them.

use std::path::Path;

/// Name of the file in the gate's folder of notes.
const FILE: &str = "unproven";

/// Deletes the statements of earlier runs.
pub fn forget(notes: &Path) {
    let _ = std::fs::remove_file(notes.join(FILE));
}

/// Adds a statement for the gate's last lines.
///
/// # Errors
/// A sentence, if it cannot be written.
pub fn note(notes: &Path, what: &str) -> Result<(), String> {
    let mut all = read(notes);
    all.push(what.replace('\n', " "));
    let path = notes.join(FILE);
    std::fs::write(&path, all.join("\n") + "\n").map_err(|e| format!("{}: {e}", path.display()))
}

/// All statements that this run could not prove.
pub fn read(notes: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(notes.join(FILE)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_line_until_the_next_run() {
        let notes = crate::gate::scratch("unproven");
        note(&notes, "only checked:\nno network").unwrap();
        note(&notes, "another").unwrap();
        assert_eq!(read(&notes), ["only checked: no network", "another"]);
        forget(&notes);
        assert!(read(&notes).is_empty());
    }
}
