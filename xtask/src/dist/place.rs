//! The folder of the bundles: everything appears whole or not at all, and nothing of other content is replaced unless
//! that is wanted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use k1_fleet::bundle::{Files, sha256};

/// Name of the file with the sums, in the format of `sha256sum`.
const SUMS: &str = "SHA256SUMS";

/// Files and folders to write.
pub struct Place {
    at: PathBuf,
    is_forced: bool,
    /// The files by their names; a folder's files, too.
    files: Files,
    folders: BTreeMap<String, Files>,
}

impl Place {
    /// A place in which nothing is to be written yet. Its folder need not exist.
    pub fn new(at: &Path, is_forced: bool) -> Self {
        Self { at: at.to_owned(), is_forced, files: Files::new(), folders: BTreeMap::new() }
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.to_owned(), bytes);
    }

    /// Adds a folder of files.
    pub fn folder(&mut self, name: &str, files: Files) {
        self.folders.insert(name.to_owned(), files);
    }

    /// Writes everything that is not there yet, and the sums of all archives and keys in the folder.
    ///
    /// # Errors
    ///
    /// A sentence: something of other content is there, or the disk does not take it. A file or folder that is there
    /// afterwards is whole; the sums are missing then, or are those of what is there.
    pub fn write(&self) -> Result<(), String> {
        fs::create_dir_all(&self.at).map_err(|e| wrong(&self.at, &e))?;
        let mut missing = Vec::new();
        let files = self
            .files
            .iter()
            .map(|(name, bytes)| (name, Some(vec![(String::new(), bytes.clone())].into_iter().collect())));
        let folders = self.folders.iter().map(|(name, files)| (name, Some(files.clone())));
        for (name, wanted) in files.chain(folders) {
            let there = content(&self.at.join(name))?;
            if there == wanted {
                continue;
            }
            if there.is_some() && !self.is_forced {
                return Err(format!(
                    "{} is there already with other content: move it away, or replace it with --force",
                    self.at.join(name).display()
                ));
            }
            missing.push((name, wanted.unwrap_or_default()));
        }
        if !missing.is_empty() {
            remove(&self.at.join(SUMS))?;
        }
        for (name, wanted) in missing {
            self.replace(name, &wanted)?;
        }
        self.replace(SUMS, &Files::from([(String::new(), self.sums()?)]))
    }

    /// Writes a file (a single one without a name) or a folder beside its place, and moves it there.
    fn replace(&self, name: &str, content: &Files) -> Result<(), String> {
        let [new, old] = ["new", "old"].map(|state| self.at.join(format!(".{name}.{state}")));
        let place = self.at.join(name);
        remove(&new)?;
        remove(&old)?;
        if !content.contains_key("") {
            fs::create_dir(&new).map_err(|e| wrong(&new, &e))?;
        }
        for (file, bytes) in content {
            let path = if file.is_empty() { new.clone() } else { new.join(file) };
            let written =
                File::create_new(&path).and_then(|mut to| to.write_all(bytes).and_then(|()| to.sync_all()));
            if let Err(e) = written {
                let _ = remove(&new);
                return Err(wrong(&path, &e));
            }
        }
        if place.exists() {
            fs::rename(&place, &old).map_err(|e| wrong(&place, &e))?;
        }
        fs::rename(&new, &place).map_err(|e| wrong(&place, &e))?;
        remove(&old)
    }

    /// The sums of all archives and keys in the folder, also of those that were there before.
    fn sums(&self) -> Result<Vec<u8>, String> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(&self.at).map_err(|e| wrong(&self.at, &e))? {
            let path = entry.map_err(|e| wrong(&self.at, &e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_file() && !name.starts_with('.') && (name.ends_with(".tar") || name.ends_with(".pem"))
            {
                let bytes = fs::read(&path).map_err(|e| wrong(&path, &e))?;
                lines.push((name.clone(), format!("{}  {name}\n", sha256(&bytes))));
            }
        }
        lines.sort();
        Ok(lines.into_iter().map(|(_, line)| line).collect::<String>().into_bytes())
    }
}

/// The files of a folder, or a file without a name; `None` if nothing is there.
fn content(path: &Path) -> Result<Option<Files>, String> {
    if !path.is_dir() {
        return match fs::read(path) {
            Ok(bytes) => Ok(Some(Files::from([(String::new(), bytes)]))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(wrong(path, &e)),
        };
    }
    let mut files = Files::new();
    for entry in fs::read_dir(path).map_err(|e| wrong(path, &e))? {
        let file = entry.map_err(|e| wrong(path, &e))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A folder in it is other content, too.
        let bytes = if file.is_dir() { Vec::new() } else { fs::read(&file).map_err(|e| wrong(&file, &e))? };
        files.insert(name, bytes);
    }
    Ok(Some(files))
}

fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(wrong(path, &e)),
        _ => Ok(()),
    }
}

fn wrong(path: &Path, e: &std::io::Error) -> String {
    format!("{}: {e}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: &Path, is_forced: bool, image: &[u8]) -> Place {
        let mut place = Place::new(at, is_forced);
        place.file("release.pem", b"key".to_vec());
        place.file("k1.tar", image.to_vec());
        place.folder("k1", Files::from([("lamp.k1".to_owned(), image.to_vec())]));
        place
    }

    #[test]
    fn other_content_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("dist");
        place(&at, false, b"one").write().unwrap();
        let sums = fs::read_to_string(at.join(SUMS)).unwrap();
        assert_eq!(sums, format!("{}  k1.tar\n{}  release.pem\n", sha256(b"one"), sha256(b"key")));
        place(&at, false, b"one").write().expect("the same content may be there");
        let why = place(&at, false, b"two").write().unwrap_err();
        assert!(why.contains("--force"), "{why}");
        assert_eq!(fs::read(at.join("k1/lamp.k1")).unwrap(), b"one");
        assert_eq!(fs::read_to_string(at.join(SUMS)).unwrap(), sums);
        // A file too many is other content, and force removes it.
        fs::write(at.join("k1/more"), b"").unwrap();
        assert!(place(&at, false, b"one").write().is_err());
        place(&at, true, b"two").write().unwrap();
        assert_eq!(content(&at.join("k1")).unwrap().unwrap().len(), 1);
        assert_eq!(fs::read(at.join("k1/lamp.k1")).unwrap(), b"two");
        let hidden = fs::read_dir(&at)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0);
    }

    #[test]
    fn what_an_interrupted_run_left_is_not_taken_for_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".k1.new")).unwrap();
        fs::write(folder.path().join(".k1.new/lamp.k1"), b"ha").unwrap();
        fs::write(folder.path().join(".k1.tar.new"), b"ha").unwrap();
        place(folder.path(), false, b"whole").write().unwrap();
        assert_eq!(fs::read(folder.path().join("k1/lamp.k1")).unwrap(), b"whole");
        assert_eq!(fs::read(folder.path().join("k1.tar")).unwrap(), b"whole");
    }
}
