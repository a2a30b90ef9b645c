//! The page says that K1 waits for sound, and why.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::{Browser, K1, browser, turn};

#[test]
fn the_page_says_that_there_is_no_sound() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_k1"))
        .args(["run", "mic", "--listen", "127.0.0.1:0"])
        .env("HOME", home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env("PULSE_SERVER", "unix:/no/such/place")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _k1 = K1(child, home);
    let url = lines.find_map(|l| Some(l.ok()?.trim().strip_prefix("Light is on: ")?.to_owned())).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    let mut page = Browser::start(&program);
    page.open(&url);
    page.wait(
        "the reason in the place of the source's name",
        "document.getElementById('source').textContent.startsWith('waiting for sound: no sound server answers')",
    );
    page.wait("a mark", "document.getElementById('source').classList.contains('waiting')");
}
