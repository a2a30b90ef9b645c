//! What the page `install.html` needs besides its own modules: its WebAssembly, Espressif's library, and firmware.

use std::path::Path;

use k1_fleet::bundle::{archive, open};
use k1_fleet::signing::keys;
use serde_json::json;

use super::File;
use crate::vendor::{ESPTOOL, take};

/// The maker's key beside the bundles, as `cargo xtask dist` writes it.
const KEY: &str = "release.pem";

/// The library, and the licences of everything in it.
///
/// # Errors
///
/// A sentence if it cannot be fetched, or is not the one that is written down.
pub fn library() -> Result<[File; 2], String> {
    let mut notices = String::from("The file esptool.js contains these programs of other people.\n\n");
    let mut library = Vec::new();
    for (i, package) in ESPTOOL.iter().enumerate() {
        let checked = take(package)?;
        if i == 0 {
            library = checked.file("bundle.js")?;
        }
        notices += &format!("{}\n{}\n", "=".repeat(72), checked.notice);
    }
    Ok([
        File { path: "install/esptool.js".into(), content: library },
        File { path: "install/esptool-licences.txt".into(), content: notices.into_bytes() },
    ])
}

/// The bundles in a folder that `cargo xtask dist` has filled, with a list of them. Each is checked with the maker's key.
/// Without a folder, an empty list.
///
/// # Errors
///
/// A sentence that names the bundle that nobody could install.
pub fn firmware(folder: Option<&Path>) -> Result<Vec<File>, String> {
    let (mut files, mut list) = (Vec::new(), Vec::new());
    if let Some(folder) = folder {
        let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
        let key = keys::read_public(&folder.join(KEY))?;
        let pem = std::fs::read(folder.join(KEY)).map_err(wrong)?;
        let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(wrong)?.collect();
        let mut paths: Vec<_> = entries.map_err(wrong)?.iter().map(std::fs::DirEntry::path).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "tar"));
        paths.sort();
        for path in paths {
            let not = |e: String| format!("{} cannot be installed: {e}", path.display());
            let bytes = std::fs::read(&path).map_err(|e| not(e.to_string()))?;
            let bundle = open::open(&archive::unpack(&bytes).map_err(not)?, &key).map_err(not)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            list.push(json!({
                "file": name, "board": bundle.statement.board, "version": bundle.statement.version,
                "bytes": bytes.len(),
            }));
            files.push(File { path: format!("firmware/{name}"), content: bytes });
        }
        if list.is_empty() {
            return Err(format!("{} holds no bundle: make some with cargo xtask dist", folder.display()));
        }
        files.push(File { path: format!("firmware/{KEY}"), content: pem });
    }
    let list = serde_json::to_vec_pretty(&list).map_err(|e| e.to_string())?;
    files.push(File { path: "firmware/list.json".into(), content: list });
    Ok(files)
}
