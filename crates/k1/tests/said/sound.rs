//! A sound server with hostile names of outputs.

use std::process::{Child, Command, Stdio};

use crate::support::{eventually, folder, k1};
use crate::{HOSTILE, ends_harmless};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With `K1_REQUIRE=pulse` a missing sound server is a failure.
#[test]
fn a_hostile_sound_server_is_quoted() {
    let installed =
        |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
    if !installed("pulseaudio") || !installed("pactl") {
        crate::support::need::missing("pulse", "pulseaudio or pactl");
        return;
    }
    let dir = folder();
    let socket = dir.path().join("native");
    // The characters that the server's own language permits.
    let words: String =
        HOSTILE.chars().filter(|c| !matches!(c, '\'' | '"' | '\\' | '=' | ' ' | '\r' | '\n')).collect();
    let sink = format!("module-null-sink sink_name=evil sink_properties=device.description='{words}'");
    let at_home = |command: &mut Command| {
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"] {
            command.env(name, dir.path());
        }
    };
    let mut command = Command::new("pulseaudio");
    command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]);
    command.args(["-L", &sink, "-L"]).arg(format!("module-native-protocol-unix socket={}", socket.display()));
    at_home(&mut command);
    command.env_remove("PULSE_SERVER").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Server(command.spawn().unwrap());
    let server = format!("unix:{}", socket.display());
    eventually("a sound server", || {
        let mut pactl = Command::new("pactl");
        at_home(&mut pactl);
        pactl.arg("info").env("PULSE_SERVER", &server).output().is_ok_and(|o| o.status.success())
    });
    let ask = |args: &[&str]| {
        let mut command = k1(args);
        // The cookie that the server requires is in its home folder.
        ends_harmless(command.env("PULSE_SERVER", &server).env("HOME", dir.path()), &format!("{args:?}"))
    };
    let listed = ask(&["sources"]);
    assert!(listed.out.contains("\\u{1b}[2J"), "the server did say it: {listed:?}");
    drop(ask(&["sources", "--json"]).json());
    drop(ask(&["doctor"]));
    drop(ask(&["doctor", "--json"]).json());
    let heard = ask(&["run", "monitor", "--headless", "--duration", "1.5"]);
    assert!(heard.out.contains("hearing ") && heard.code() == Some(0), "{heard:?}");
    drop(ask(&["run", "monitor:nobody", "--headless", "--duration", "1"]));
    drop(ask(&["run", "mic", "--headless", "--json", "--duration", "1"]));
}
