//! Answers to mistyped commands.

use std::process::Command;

#[test]
fn an_unknown_command_tells_the_known_ones_and_fails() {
    for arguments in [&["firmwares"][..], &["ear", "--corpse"], &[]] {
        let said = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("cargo xtask firmware"), "{arguments:?}: {text}");
    }
}

#[test]
fn an_unknown_board_is_refused_before_anything_is_built() {
    let said = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["firmware", "esp8266"]).output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && text.contains("esp32c6"), "{text}");
}
