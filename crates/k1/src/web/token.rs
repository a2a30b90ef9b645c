//! The token that opens the page: where it comes from, and where it is kept.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use k1_http::strength::{LEAST_TOKEN_BITS, token_bits};

use k1_host::private;

/// Name of the token's file in the folder of settings.
const FILE: &str = "token";
/// Name of the token among systemd's credentials (`LoadCredential=k1-token:…`).
const CREDENTIAL: &str = "k1-token";
/// Environment variable that may hold the token.
const VARIABLE: &str = "K1_TOKEN";

/// A token and where it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    source: Source,
}

/// The place that a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The option `--token`.
    Option,
    /// `--token-file`, or a systemd credential.
    File(PathBuf),
    /// The environment variable `K1_TOKEN`.
    Environment,
    /// Made by K1 and kept in this file.
    Kept(PathBuf),
    /// Made for this run only, with the reason why it could not be kept.
    ThisRun(String),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // Debug output must not contain the secret.
        f.debug_struct("Token").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Token {
    /// The token itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// A sentence that tells the owner where to find the token where it is not printed.
    pub fn whereabouts(&self) -> String {
        match &self.source {
            Source::Option => "the token is the one given with --token".into(),
            Source::File(path) => format!("the token is in {}", path.display()),
            Source::Environment => format!("the token is that of {VARIABLE}"),
            Source::Kept(path) => format!("`k1 token` prints the token; it is kept in {}", path.display()),
            Source::ThisRun(why) => format!(
                "the token lasts for this run only and is shown on a terminal only, because it cannot be kept ({why}); \
                 give one with --token-file or {VARIABLE}"
            ),
        }
    }
}

/// The token that the command line or the environment gives, if any.
///
/// # Errors
///
/// A sentence, if the token cannot be read, cannot travel in a URL, or is too easy to guess.
pub fn given(option: Option<&str>, file: Option<&Path>) -> Result<Option<Token>, String> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|d| PathBuf::from(d).join(CREDENTIAL));
    first_of(option, file, std::env::var_os(VARIABLE).as_deref(), credential.as_deref())
}

/// Checks a token from the command line.
///
/// # Errors
///
/// A sentence, if the token cannot travel in a URL, or is too easy to guess.
pub fn check_option(text: &str) -> Result<(), String> {
    checked(text, "--token", Source::Option).map(drop)
}

fn first_of(
    option: Option<&str>,
    file: Option<&Path>,
    variable: Option<&std::ffi::OsStr>,
    credential: Option<&Path>,
) -> Result<Option<Token>, String> {
    if let Some(text) = option {
        return checked(text, "--token", Source::Option).map(Some);
    }
    if let Some(path) = file.or(credential.filter(|c| file.is_none() && variable.is_none() && c.exists())) {
        let text = private::read(path)
            .map_err(|e| format!("the token's file {} cannot be read: {e}", path.display()))?;
        if file.is_some() && private::is_open_to_others(path) {
            k1_host::say(format_args!(
                "k1: other users can read the token in {0}; chmod 600 {0} keeps it from them",
                path.display()
            ));
        }
        return checked(text.trim(), &path.display().to_string(), Source::File(path.into())).map(Some);
    }
    match variable {
        Some(text) => checked(text.to_str().unwrap_or(" "), VARIABLE, Source::Environment).map(Some),
        None => Ok(None),
    }
}

/// The token that K1 keeps; it makes one if there is none. If the token cannot be kept, it lasts for this run.
///
/// # Errors
///
/// If there are no random numbers.
pub fn kept() -> Result<Token, String> {
    let Some(folder) = private::folder() else {
        return Ok(Token { text: new()?, source: Source::ThisRun("there is no home folder".into()) });
    };
    kept_in(&folder)
}

/// The token that opens the page of a K1 on this machine, as far as this user knows it: that of the environment, or the
/// kept one. Does not make a token.
pub fn known() -> Option<Token> {
    given(None, None).ok().flatten().or_else(|| known_in(&private::folder()?))
}

fn known_in(folder: &Path) -> Option<Token> {
    let path = folder.join(FILE);
    let text = private::read(&path).ok()?;
    checked(text.trim(), "", Source::Kept(path)).ok()
}

fn kept_in(folder: &Path) -> Result<Token, String> {
    let path = folder.join(FILE);
    let this_run =
        |why: String| -> Result<Token, String> { Ok(Token { text: new()?, source: Source::ThisRun(why) }) };
    // Another k1 may make a token at the same moment; then both use that token.
    for _ in 0..2 {
        match private::read(&path) {
            Ok(text) => {
                let text = text.trim();
                if private::is_open_to_others(&path) {
                    close_to_others(&path);
                }
                return match checked(text, "", Source::Kept(path.clone())) {
                    Ok(token) => Ok(token),
                    Err(_) => this_run(format!(
                        "{0} holds no token; remove it, and K1 makes a new one",
                        path.display()
                    )),
                };
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return this_run(format!("{}: {e}", path.display())),
        }
        match write_first(&path, &new()?) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return this_run(format!("{}: {e}", path.display())),
        }
    }
    this_run(format!("{} comes and goes", path.display()))
}

/// Makes a new token that replaces the kept one. The old token stops working.
///
/// # Errors
///
/// A sentence, if the new token cannot be kept.
pub fn renew() -> Result<Token, String> {
    let folder = private::folder().ok_or("there is no home folder in which a token could be kept")?;
    let path = folder.join(FILE);
    let text = new()?;
    private::write(&path, format!("{text}\n").as_bytes())
        .map_err(|e| format!("the token cannot be kept in {}: {e}", path.display()))?;
    Ok(Token { text, source: Source::Kept(path) })
}

/// Creates a file that only this user can read, completely or not at all. Fails if it exists already.
fn write_first(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    static TRIES: AtomicU32 = AtomicU32::new(0);
    let new = path.with_extension(format!("{}.{}.new", std::process::id(), TRIES.fetch_add(1, Relaxed)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&new).and_then(|mut file| {
        writeln!(file, "{text}")?;
        file.sync_all()?;
        // Unlike a rename, a hard link never replaces a file. Some file systems have no hard links.
        match std::fs::hard_link(&new, path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists && !path.exists() => std::fs::rename(&new, path),
            other => other,
        }
    });
    let _ = std::fs::remove_file(&new);
    written
}

#[cfg(unix)]
fn close_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let done = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    let now = match done {
        Ok(()) => "now they cannot".to_owned(),
        Err(e) => format!("and this could not be changed ({e})"),
    };
    k1_host::say(format_args!(
        "k1: other users could read the token in {}; {now}. `k1 token --new` makes another",
        path.display()
    ));
}

#[cfg(not(unix))]
fn close_to_others(_: &Path) {}

/// Accepts a token only if it can travel in a URL and is hard to guess.
fn checked(text: &str, whence: &str, source: Source) -> Result<Token, String> {
    // Tokens travel in URLs and headers, where other characters might not arrive unchanged.
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    if !fits {
        return Err(format!("{whence}: a token consists of letters, digits and - . _ ~, at least one"));
    }
    let bits = token_bits(text);
    if bits < LEAST_TOKEN_BITS {
        return Err(format!(
            "{whence}: this token is too easy to guess ({bits:.0} of at least {LEAST_TOKEN_BITS:.0} bits); \
             use ten or more random letters and digits, or leave the token out, and K1 makes one"
        ));
    }
    Ok(Token { text: text.to_owned(), source })
}

/// Sixteen characters that are easy to read and type: 80 bits.
fn new() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|e| format!("no random numbers for a token: {e}; give one with --token-file"))?;
        let text: String = bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect();
        if token_bits(&text) >= LEAST_TOKEN_BITS {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("settings/k1");
        assert_eq!(known_in(&inside), None);
        assert!(!inside.exists(), "asking makes none");
        let first = kept_in(&inside).unwrap();
        // Random characters may happen to repeat, which lowers the estimate.
        assert!(token_bits(first.text()) > 60.0);
        assert!(matches!(&first.source, Source::Kept(path) if path.starts_with(&inside)));
        assert_eq!(kept_in(&inside).unwrap(), first, "it lasts");
        assert_eq!(known_in(&inside).as_ref(), Some(&first));
        assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = inside.join(FILE);
            let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(kept_in(&inside).unwrap(), first);
            assert_eq!(mode(), 0o600, "it is closed again");
        }
    }

    #[test]
    fn many_that_start_at_once_agree() {
        let folder = tempfile::tempdir().unwrap();
        let started: Vec<_> = (0..8)
            .map(|_| {
                let folder = folder.path().to_owned();
                std::thread::spawn(move || kept_in(&folder).unwrap())
            })
            .collect();
        let tokens: Vec<_> = started.into_iter().map(|t| t.join().unwrap()).collect();
        assert!(tokens.iter().all(|t| matches!(t.source, Source::Kept(_)) && t.text == tokens[0].text));
    }

    #[test]
    fn where_none_can_be_kept_it_lasts_for_the_run_and_a_strange_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let token = kept_in(&folder.path().join("file/k1")).unwrap();
        assert!(matches!(token.source, Source::ThisRun(_)));
        assert!(token.whereabouts().contains("--token-file"), "{}", token.whereabouts());
        for strange in ["", "short", "two words here", "\0\0\0\0"] {
            std::fs::write(folder.path().join(FILE), strange).unwrap();
            let token = kept_in(folder.path()).unwrap();
            assert!(
                matches!(&token.source, Source::ThisRun(why) if why.contains("remove it")),
                "{strange:?}"
            );
            assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), strange);
        }
    }

    #[test]
    fn it_may_be_given_in_four_ways_and_must_be_hard_to_guess() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let credential = folder.path().join(CREDENTIAL);
        std::fs::write(&file, "from-a-file-1\n").unwrap();
        let text = |option, file, variable: Option<&str>, credential| {
            first_of(option, file, variable.map(std::ffi::OsStr::new), credential)
                .map(|t| t.map(|t| t.text().to_owned()))
        };
        let is = |t: &str| Ok(Some(t.to_owned()));
        assert_eq!(text(None, None, None, None), Ok(None));
        assert_eq!(text(None, None, None, Some(&*credential)), Ok(None), "systemd gave other credentials");
        std::fs::write(&credential, "from-systemd-1").unwrap();
        let all = (Some("from-option-1"), Some(&*file), Some("from-variable-1"), Some(&*credential));
        assert_eq!(text(all.0, all.1, all.2, all.3), is("from-option-1"));
        assert_eq!(text(None, all.1, all.2, all.3), is("from-a-file-1"));
        assert_eq!(text(None, None, all.2, all.3), is("from-variable-1"));
        assert_eq!(text(None, None, None, all.3), is("from-systemd-1"));
        for weak in ["", "x", "hunter2", "a b c d e f g h", "sécret-sécret", "aaaaaaaaaaaaaaaaaaa"] {
            assert!(text(Some(weak), None, None, None).unwrap_err().contains("token"), "{weak}");
            assert!(text(None, None, Some(weak), None).unwrap_err().contains(VARIABLE), "{weak}");
        }
        let missing = folder.path().join("missing");
        assert!(text(None, Some(&missing), None, None).unwrap_err().contains("missing"));
    }
}
