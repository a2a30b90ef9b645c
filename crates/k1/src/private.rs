//! The user's own folder, and files that only the user can read.

use std::path::{Path, PathBuf};

/// The user's folder of settings for K1; `None` where there is no home.
pub fn folder() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        of("APPDATA")
    } else {
        of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")))
    };
    Some(base?.join("k1"))
}

/// Writes a file that only this user can read, whole or not at all, and makes its folder if there is none.
///
/// # Errors
///
/// Those of the file system; then nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    crate::output::write_private(path, bytes).map_err(std::io::Error::other)
}

/// True if others than this user can read a file.
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
