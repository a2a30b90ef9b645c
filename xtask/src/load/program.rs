//! Programs that are measured.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::receive::Receivers;

/// Time after the start of a program that is not measured.
const WARM_UP: Duration = Duration::from_secs(6);
/// Longest time that a program takes to send its first frames.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs; dropping it ends it.
pub struct Running(Child);

impl Running {
    /// Starts a program that keeps its settings in `home` and says nothing.
    pub fn start(command: &mut Command, home: &Path) -> Result<Self, String> {
        command.env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_RUNTIME_DIR", home);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// An error if it has ended.
    pub fn runs(&mut self, name: &str) -> Result<(), String> {
        match self.0.try_wait().map_err(|e| format!("{name}: {e}"))? {
            Some(status) => Err(format!("{name} has ended: {status}; see its errors above")),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.id().to_string()]).status();
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command that other work on this machine does not delay, if the system allows that: K1 asks for real-time priority
/// itself, and a measurement of programs with different priorities would compare those.
pub fn in_time(program: &Path) -> Command {
    const PRIORITY: [&str; 2] = ["-r", "10"];
    let is_allowed =
        Command::new("chrt").args(PRIORITY).arg("true").status().is_ok_and(|status| status.success());
    if !is_allowed {
        return Command::new(program);
    }
    let mut command = Command::new("chrt");
    command.args(PRIORITY).arg(program);
    command
}

/// Starts `k1 run` with a show file and its page, on which nobody looks.
pub fn play(k1: &Path, show: &Path, home: &Path, server: Option<&str>) -> Result<Running, String> {
    let mut command = in_time(k1);
    command.arg("run").arg("--show").arg(show).args(["--listen", "127.0.0.1:0"]);
    if let Some(server) = server {
        command.env("PULSE_SERVER", server);
    }
    Running::start(&mut command, home)
}

/// Waits until each of the receivers has had a frame.
pub fn await_light(receivers: &Receivers, name: &str, program: &mut Running) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while receivers.without_frames() > 0 {
        program.runs(name)?;
        if Instant::now() > until {
            let n = receivers.without_frames();
            return Err(format!("{n} receivers of {name} have had no frame in {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(WARM_UP);
    receivers.take();
    Ok(())
}
