//! Where the sound server listens: looked for in the places, and by the names, that libpulse uses.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Connects to the first server that takes a connection, or says why there is none.
pub fn connect() -> Result<UnixStream, String> {
    let mut refusal = None;
    for path in candidates(|name| std::env::var_os(name))? {
        match UnixStream::connect(&path) {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => refusal = refusal.or(Some(format!("{}: {e}", path.display()))),
        }
    }
    Err(refusal.unwrap_or_else(|| "there is no socket of PulseAudio or PipeWire on this machine".into()))
}

/// The paths to try, best first.
fn candidates(var: impl Fn(&str) -> Option<OsString>) -> Result<Vec<PathBuf>, String> {
    let var = |name: &str| var(name).filter(|v| !v.is_empty());
    // Who names a server means that one and no other.
    if let Some(named) = var("PULSE_SERVER") {
        let named = named.to_string_lossy();
        let paths: Vec<_> = named.split_whitespace().filter_map(path_of).collect();
        return if paths.is_empty() {
            Err(format!(
                "PULSE_SERVER is {named}, and K1 speaks to sockets of this machine only, as unix:/PATH"
            ))
        } else {
            Ok(paths)
        };
    }
    let mut paths = Vec::new();
    paths.extend(var("PULSE_RUNTIME_PATH").map(|p| PathBuf::from(p).join("native")));
    paths.extend(var("XDG_RUNTIME_DIR").map(|p| PathBuf::from(p).join("pulse/native")));
    // Without a session there is a folder named after the machine, in the home of the user.
    if let Some(home) = var("HOME")
        && let Ok(entries) = std::fs::read_dir(PathBuf::from(home).join(".config/pulse"))
    {
        let folders = entries.flatten().map(|e| e.path());
        paths.extend(folders.filter(|p| p.to_string_lossy().ends_with("-runtime")).map(|p| p.join("native")));
    }
    paths.push("/run/pulse/native".into());
    Ok(paths)
}

/// The path in one entry of PULSE_SERVER: `[{MACHINE}](unix:/PATH | /PATH)`.
fn path_of(entry: &str) -> Option<PathBuf> {
    let server = match entry.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?.1,
        None => entry,
    };
    let path = server.strip_prefix("unix:").unwrap_or(server);
    path.starts_with('/').then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(vars: &[(&str, &str)]) -> Result<Vec<PathBuf>, String> {
        candidates(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    #[test]
    fn a_named_server_is_the_only_one() {
        for (named, path) in [("unix:/a/b", "/a/b"), ("/a/b", "/a/b"), ("{5f3e}unix:/a/b tcp:lamp", "/a/b")] {
            assert_eq!(
                look(&[("PULSE_SERVER", named), ("XDG_RUNTIME_DIR", "/x")]).unwrap(),
                [PathBuf::from(path)]
            );
        }
        let elsewhere = look(&[("PULSE_SERVER", "tcp:10.0.0.2")]).unwrap_err();
        assert!(elsewhere.contains("10.0.0.2") && elsewhere.contains("unix:/PATH"), "{elsewhere}");
    }

    #[test]
    fn without_a_name_the_usual_places_are_tried_in_order() {
        let paths =
            look(&[("PULSE_SERVER", ""), ("PULSE_RUNTIME_PATH", "/p"), ("XDG_RUNTIME_DIR", "/x")]).unwrap();
        assert_eq!(paths, ["/p/native", "/x/pulse/native", "/run/pulse/native"].map(PathBuf::from));
        assert_eq!(look(&[]).unwrap(), [PathBuf::from("/run/pulse/native")]);
    }
}
