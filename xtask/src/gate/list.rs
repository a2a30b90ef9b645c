//! Lists in the gate's folder of notes, one line for each entry: the commands of a stage write them, and the gate's last
//! lines show them.

use std::path::Path;

/// A list, by the name of its file.
pub struct List(pub &'static str);

impl List {
    /// Deletes the entries of earlier runs.
    pub fn forget(&self, notes: &Path) {
        let _ = std::fs::remove_file(notes.join(self.0));
    }

    /// Adds an entry; line ends in it become spaces.
    ///
    /// # Errors
    /// A sentence, if it cannot be written.
    pub fn note(&self, notes: &Path, what: &str) -> Result<(), String> {
        let mut all = self.read(notes);
        all.push(what.replace('\n', " "));
        let path = notes.join(self.0);
        std::fs::write(&path, all.join("\n") + "\n").map_err(|e| format!("{}: {e}", path.display()))
    }

    /// All entries of this run.
    pub fn read(&self, notes: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(notes.join(self.0)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_until_the_next_run() {
        let (notes, list) = (crate::gate::scratch("list"), List("entries"));
        list.note(&notes, "only checked:\nno network").unwrap();
        list.note(&notes, "another").unwrap();
        assert_eq!(list.read(&notes), ["only checked: no network", "another"]);
        assert!(List("others").read(&notes).is_empty());
        list.forget(&notes);
        assert!(list.read(&notes).is_empty());
    }
}
