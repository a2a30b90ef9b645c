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

#[cfg(test)]
mod tests {
    use k1_fleet::bundle::make::{Ingredients, make};
    use k1_fleet::bundle::{Files, Origin, UPDATE};
    use k1_fleet::signing::package::Statement;

    use super::*;

    #[test]
    fn firmware_is_offered_only_if_it_can_be_installed() {
        let place = tempfile::tempdir().unwrap();
        let key = keys::make(&place.path().join("keys"), "release").unwrap();
        let mut image = vec![0; 2_000];
        (image[0], image[3], image[12]) = (0xe9, 0x20, 13);
        let manifest = Statement { board: "esp32c6", version: "1.2.0", counter: 1, patience_s: 300 };
        let origin = Origin {
            commit: String::new(),
            changed: false,
            compilers: Vec::new(),
            proven: "never run on a board".into(),
        };
        let bundle = make(&Ingredients { image: &image, manifest, origin, bootloader: None }, &key).unwrap();
        let write = |files: &Files| {
            std::fs::write(place.path().join("k1.tar"), archive::pack("k1", files).unwrap()).unwrap();
        };
        write(&bundle);
        let why = firmware(Some(place.path())).err().unwrap();
        assert!(why.contains("release.pem"), "the maker's key is missing: {why}");
        std::fs::write(place.path().join(KEY), key.public_pem().unwrap()).unwrap();
        let files = firmware(Some(place.path())).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["firmware/k1.tar", "firmware/release.pem", "firmware/list.json"]);
        let list: serde_json::Value = serde_json::from_slice(&files[2].content).unwrap();
        assert_eq!(list[0]["board"], "esp32c6");
        assert_eq!(list[0]["bytes"], files[0].content.len());

        let mut damaged = bundle.clone();
        damaged.get_mut(UPDATE).unwrap()[300] ^= 1;
        write(&damaged);
        let why = firmware(Some(place.path())).err().unwrap();
        assert!(why.contains("k1.tar cannot be installed"), "{why}");
        let empty = firmware(None).unwrap();
        assert_eq!((&*empty[0].path, &*empty[0].content), ("firmware/list.json", &b"[]"[..]));
    }
}
