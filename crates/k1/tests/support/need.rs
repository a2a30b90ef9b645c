//! Programs that a test needs besides Rust, and what happens if they are missing.
//!
//! The second command of the README passes on any machine. A test that cannot run there prints a line on the terminal,
//! although the output of a passing test is not shown. If `K1_REQUIRE` names the program, its absence is a failure.

use std::io::Write;

/// Everything that `K1_REQUIRE` (a comma-separated list) may name.
pub const NEEDS: &[(&str, &str)] = &[
    ("browser", "Chromium (Debian: chromium)"),
    ("site", "the site (cargo xtask site)"),
    ("pulse", "PulseAudio (Debian: pulseaudio, pulseaudio-utils)"),
    ("virt", "QEMU 8.1 or later (Debian: qemu-system-misc) and the firmware (cargo xtask firmware virt)"),
    ("promtool", "Prometheus (Debian: prometheus)"),
    ("mosquitto", "Mosquitto (Debian: mosquitto)"),
    ("openssl", "OpenSSL (Debian: openssl)"),
    ("netns", "network namespaces (Debian: iproute2; root, or user namespaces)"),
    ("encoders", "FFmpeg and other encoders (Debian: ffmpeg flac lame vorbis-tools opus-tools)"),
    ("ola", "Open Lighting Architecture (Debian: ola)"),
    ("tshark", "Wireshark (Debian: tshark)"),
    ("strace", "strace (Debian: strace), and a system that lets it trace"),
    ("systemd", "systemd-analyze (Debian: systemd)"),
    ("axe", "axe-core (npm install axe-core; K1_AXE names its axe.min.js)"),
    ("nginx", "nginx (Debian: nginx-light) and OpenSSL (Debian: openssl)"),
];

/// Prints that a test is skipped because `what` is missing.
///
/// # Panics
///
/// If `K1_REQUIRE` names this need, or anything that is not in [`NEEDS`].
#[track_caller]
pub fn missing(need: &str, what: &str) {
    let (_, package) = NEEDS.iter().find(|(name, _)| *name == need).expect("a name of NEEDS");
    let required = std::env::var("K1_REQUIRE").unwrap_or_default();
    let required: Vec<_> = required.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in &required {
        assert!(
            NEEDS.iter().any(|(known, _)| known == name),
            "K1_REQUIRE names {name}; it may name {NEEDS:?}"
        );
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(!required.contains(&need), "{test}: K1_REQUIRE wants {need}, and {what} is missing");
    // `eprintln!` is not shown for a passing test. Written at once, so that lines of other tests do not mix with it.
    let line = format!("skipped: {test} needs {package}; {what} is missing\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
