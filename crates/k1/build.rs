//! Tells the program which commit it was built from. A release build asks git; `cargo xtask release` names commit and
//! date in `K1_COMMIT` and `K1_DATE`. Builds for tests and of sources without a repository do without, so that a commit
//! compiles nothing anew there.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["K1_COMMIT", "K1_DATE"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = [given("K1_COMMIT"), given("K1_DATE")];
    let built_from = match given {
        [Some(commit), Some(date)] => Some(format!("{commit} {date}")),
        _ if is_release => of_repository(),
        _ => None,
    };
    let version = env!("CARGO_PKG_VERSION");
    let version = built_from.map_or_else(|| version.into(), |from| format!("{version} ({from})"));
    println!("cargo::rustc-env=K1_VERSION={version}");
}

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Commit and date of the repository that these sources are in; `None` if they are in none, or in somebody else's.
fn of_repository() -> Option<String> {
    let folder = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let git = |args: &[&str]| {
        let asked = Command::new("git").args(args).current_dir(&folder).output().ok()?;
        let said = String::from_utf8(asked.stdout).ok()?;
        asked.status.success().then(|| said.trim().to_owned()).filter(|said| !said.is_empty())
    };
    // A copy of the sources inside another repository is not tracked by it.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // The log grows with each commit; the file HEAD does not change then.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["log", "-1", "--abbrev=12", "--format=%h %cs"])
}
