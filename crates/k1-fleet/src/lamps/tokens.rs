//! The tokens of this user's lamps, in the file `tokens.json` in the settings folder, which only this user can read.

use std::collections::BTreeMap;
use std::path::Path;

use k1_host::private;

fn read(path: &Path) -> BTreeMap<String, String> {
    std::fs::read(path).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
}

/// The remembered token of a lamp under any of its names.
pub fn recall(names: &[&str]) -> Option<String> {
    let known = read(&private::folder()?.join("tokens.json"));
    names.iter().find_map(|n| known.get(*n).cloned())
}

/// Remembers a token that a lamp has just accepted.
///
/// # Errors
///
/// A sentence if the token cannot be saved.
pub fn remember(names: &[&str], token: &str) -> Result<(), String> {
    let folder = private::folder().ok_or("there is no home folder to keep a token in")?;
    remember_in(&folder, names, token)
}

fn remember_in(folder: &Path, names: &[&str], token: &str) -> Result<(), String> {
    let path = folder.join("tokens.json");
    let mut known = read(&path);
    if names.iter().all(|n| known.get(*n).is_some_and(|t| t == token)) {
        return Ok(());
    }
    known.extend(names.iter().map(|n| ((*n).to_owned(), token.to_owned())));
    let wrong = |e: std::io::Error| format!("the token could not be kept in {}: {e}", path.display());
    let text = serde_json::to_vec_pretty(&known).map_err(|e| wrong(e.into()))?;
    private::write(&path, &text).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_this_user_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("k1");
        remember_in(&folder, &["shelf", "10.0.0.7:80"], "abc").unwrap();
        remember_in(&folder, &["desk"], "def").unwrap();
        remember_in(&folder, &["shelf"], "new").unwrap();
        let known = read(&folder.join("tokens.json"));
        let of = |n: &str| known.get(n).map(String::as_str);
        assert_eq!((of("shelf"), of("10.0.0.7:80"), of("desk")), (Some("new"), Some("abc"), Some("def")));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left over");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.join("tokens.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.join("tokens.json"), b"no json").unwrap();
        assert_eq!(read(&folder.join("tokens.json")), BTreeMap::new(), "a damaged file is an empty one");
    }
}
