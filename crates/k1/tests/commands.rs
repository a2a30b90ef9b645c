//! Commands that ask a running K1: scenes, the playlist, on, off and brightness.
#![cfg(unix)]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use support::{Running, Said, eventually, folder, k1, start};

const SHOW: &str = "version = 1\ninput = \"demo\"\n\n[[light]]\nname = \"A\"\nto = \"ddp://127.0.0.1:9\"\nleds = 6\n\n\
                    [[zone]]\nname = \"Left\"\npieces = [{ light = \"A\", to = 2 }]\nlook = { pattern = \"spectrum\" }\n\n\
                    [[zone]]\nname = \"Right\"\npieces = [{ light = \"A\", from = 3 }]\nlook = { pattern = \"lava\" }\n";

/// The program with a home folder of its own.
fn at_home(home: &Path, args: &[&str]) -> Command {
    let mut command = k1(args);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command
}

/// A K1 that runs, and the address that commands ask.
struct Program {
    home: tempfile::TempDir,
    _running: Running,
    at: String,
}

impl Program {
    fn start(options: &[&str]) -> Self {
        let home = folder();
        let show = home.path().join("show.toml");
        std::fs::write(&show, SHOW).unwrap();
        let show = show.display().to_string();
        let args = [&["run", "--show", &show, "--listen", "127.0.0.1:0"], options].concat();
        let mut running = start(&mut at_home(home.path(), &args));
        let page = running.page();
        let at = page.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        Self { home, _running: running, at }
    }

    fn ask(&self, args: &[&str]) -> Said {
        start(&mut at_home(self.home.path(), &[args, &["--at", &self.at]].concat())).end()
    }

    /// The line that a command prints.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let said = self.ask(args);
        assert!(said.code() == Some(0) && said.out.lines().count() == 1, "{args:?}: {said:?}");
        said.out.trim_end().to_owned()
    }
}

#[test]
fn scenes_are_made_recalled_listed_and_deleted() {
    let program = Program::start(&[]);
    assert!(program.says(&["scene", "list"]).contains("`k1 scene save NAME` makes one"));
    assert_eq!(
        program.says(&["scene", "save", "Late dinner?/"]),
        "the scene Late dinner?/ is what is shown now"
    );
    assert_eq!(
        program.says(&["scene", "list"]),
        "Late dinner?/ (shown now): fades over 1 s; Left: spectrum in sunset_drive, Right: lava in sunset_drive"
    );
    program.says(&["scene", "save", "Party"]);
    assert!(program.says(&["scene", "save", "Party"]).contains("is replaced by what is shown now"));
    let recalled = program.says(&["scene", "recall", "Late dinner?/", "--fade", "0.2"]);
    assert_eq!(recalled, "the light fades to Late dinner?/ over 0.2 s");
    let listed = program.ask(&["scene", "list", "--json"]).json();
    assert_eq!(
        (&listed["current"], &listed["scenes"][1]["name"]),
        (&"Late dinner?/".into(), &"Party".into())
    );
    for command in ["recall", "delete"] {
        let unknown = program.ask(&["scene", command, "Dinner"]);
        unknown.failed_saying(&["there is no scene “Dinner”; there are Late dinner?/, Party"]);
    }
    program.ask(&["scene", "save", "a\u{1b}b"]).failed_saying(&["`name` must be"]);
    let wrong = program.ask(&["scene", "recall", "Party", "--fade", "-1"]);
    assert!(wrong.code() == Some(2) && wrong.err.contains("a number of seconds from 0 to 3600"), "{wrong:?}");
    assert_eq!(program.says(&["scene", "delete", "Late dinner?/"]), "the scene Late dinner?/ is deleted");
    assert_eq!(program.ask(&["scene", "list"]).out.lines().count(), 1);
}

#[test]
fn the_light_is_turned_off_dimmed_and_turned_on() {
    let program = Program::start(&[]);
    let off = program.says(&["off", "--fade", "0"]);
    assert_eq!(off, "the light is off, at 100 % brightness (a fade of 0 s)");
    assert_eq!(program.says(&["brightness", "40"]), "the light is off, at 40 % brightness (a fade of 1 s)");
    assert!(program.says(&["on", "--fade", "2"]).contains("is on, at 40 % brightness (a fade of 2 s)"));
    let wrong = program.ask(&["brightness", "101"]);
    assert!(wrong.code() == Some(2) && wrong.err.contains("a number from 0 to 100"), "{wrong:?}");
}

#[test]
fn the_playlist_is_started_moved_on_and_stopped() {
    let program = Program::start(&[]);
    program.ask(&["playlist", "start"]).failed_saying(&["there is no scene to show"]);
    program.says(&["scene", "save", "One"]);
    program.says(&["scene", "save", "Two"]);
    let rests = program.says(&["playlist"]);
    assert!(rests.starts_with("the playlist does not run: all scenes, every 8 bars"), "{rests}");
    let runs = program.says(&["playlist", "start", "Two", "One", "--every", "90 s"]);
    assert!(runs.starts_with("the playlist runs: Two, One, every 90 s"), "{runs}");
    eventually("it says what is left", || program.says(&["playlist", "status"]).contains(" comes next, in "));
    let shown = |line: String| line.trim_start_matches("the light fades to ").to_owned();
    let (first, second) =
        (shown(program.says(&["playlist", "next"])), shown(program.says(&["playlist", "next"])));
    assert!(first != second && [&first, &second].iter().all(|name| ["One", "Two"].contains(&&***name)));
    assert_eq!(program.ask(&["playlist", "status", "--json"]).json()["every"], "90 s");
    let unknown = program.ask(&["playlist", "start", "One", "Three"]);
    unknown.failed_saying(&["there is no scene “Three”; there are One, Two"]);
    let wrong = program.ask(&["playlist", "start", "--every", "8"]);
    assert!(wrong.code() == Some(2) && wrong.err.contains("\"8 bars\", \"16 beats\""), "{wrong:?}");
    assert!(program.says(&["playlist", "stop"]).starts_with("the playlist does not run"));
}

#[test]
fn who_cannot_be_asked_is_told_with_what_to_do() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = folder();
    for args in [&["on"][..], &["scene", "list"], &["playlist"], &["scene", "recall", "x"]] {
        let said = start(&mut at_home(home.path(), &[args, &["--at", &nobody]].concat())).end();
        said.failed_saying(&["no K1 runs at 127.0.0.1:", "`k1 run`", "--at"]);
    }
    assert!(!home.path().join(".config").exists(), "asking makes no token");
    // A K1 with another token than this user's.
    let another = "a-token-that-nobody-guesses";
    let locked = Program::start(&["--token", another]);
    locked.ask(&["off"]).failed_saying(&["needs another token", "--token TOKEN", "`k1 token` prints"]);
    assert!(locked.says(&["off", "--token", another]).contains("is off"));
    let page = format!("http://{}/#token={another}", locked.at);
    let said = start(&mut at_home(locked.home.path(), &["on", "--at", &page])).end();
    assert!(said.code() == Some(0) && said.out.contains("is on"), "{said:?}");
}

#[test]
fn the_token_that_k1_keeps_is_found() {
    let home = folder();
    let token = start(&mut at_home(home.path(), &["token"])).end().out.trim().to_owned();
    let show = home.path().join("show.toml");
    std::fs::write(&show, SHOW).unwrap();
    let show = show.display().to_string();
    let args = ["run", "--show", &show, "--listen", "127.0.0.1:0", "--token", &token];
    let mut running = start(&mut at_home(home.path(), &args));
    let page = running.page();
    let at = page.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let ask = |command: &mut Command| start(command).end();
    let said = ask(&mut at_home(home.path(), &["off", "--at", &at]));
    assert!(said.code() == Some(0), "{said:?}");
    // Another user gives it in a variable.
    let elsewhere = folder();
    ask(&mut at_home(elsewhere.path(), &["on", "--at", &at])).failed_saying(&["needs another token"]);
    let said = ask(at_home(elsewhere.path(), &["on", "--at", &at]).env("K1_TOKEN", &token));
    assert!(said.code() == Some(0), "{said:?}");
    assert!(running.runs());
}
