//! Toolchains of rustup.

use std::process::Command;

/// A command that uses the nightly toolchain, without the variables that this program's cargo has set.
pub fn nightly() -> Command {
    channel("nightly")
}

/// A command that uses a toolchain of rustup's, like [`nightly`].
pub fn channel(name: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", name]);
    for name in
        ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER"]
    {
        command.env_remove(name);
    }
    command
}
