//! A clean Debian, and how it is booted: `systemd-nspawn` runs its own systemd in namespaces, and forgets all changes at
//! the end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::gate::built;
use crate::said;

/// The oldest Debian that gets packages: its systemd knows the fewest settings.
const RELEASE: &str = "bookworm";
/// What a machine has that people use, besides the smallest system.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd";

/// The folder of a clean system, which is made once.
///
/// # Errors
///
/// A sentence, if it cannot be made.
pub fn folder() -> Result<PathBuf, String> {
    let place = built().join(format!("debian-{RELEASE}"));
    if place.exists() {
        return Ok(place);
    }
    let began = Instant::now();
    let new = place.with_extension("new");
    let wrong = |e: std::io::Error| format!("{}: {e}", new.display());
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(wrong)?;
    }
    let mirror = mirror();
    let made = Command::new("debootstrap")
        .args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE])
        .arg(&new)
        .arg(&mirror)
        .output()
        .map_err(|e| format!("debootstrap: {e}; Debian's package debootstrap contains it"))?;
    if !made.status.success() {
        let all = [made.stdout, made.stderr].concat();
        let all = String::from_utf8_lossy(&all).into_owned();
        let last: Vec<_> = all.lines().rev().take(5).collect();
        return Err(format!("a clean Debian cannot be made from {mirror}: {}", last.join("; ")));
    }
    for rest in ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"] {
        std::fs::remove_dir_all(new.join(rest)).map_err(wrong)?;
    }
    std::fs::rename(&new, &place).map_err(wrong)?;
    println!("a clean Debian ({RELEASE}) was made in {:.0} s", began.elapsed().as_secs_f64());
    Ok(place)
}

/// The mirror from which this machine gets its packages.
fn mirror() -> String {
    let asked =
        ["indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", &format!("Codename: {RELEASE}")];
    let told = said(Command::new("apt-get").args(asked)).unwrap_or_default();
    told.lines().next().unwrap_or("http://deb.debian.org/debian").to_owned()
}

/// A clean system that runs.
pub struct Machine {
    nspawn: Child,
    /// Process id of its first process.
    leader: u32,
    /// Time from its start until everything had started.
    pub booted: Duration,
}

impl Machine {
    /// Boots a system. The folder `files` is `/files` in it; the network is this machine's.
    ///
    /// # Errors
    ///
    /// A sentence, if it does not boot.
    pub fn boot(system: &Path, files: &Path) -> Result<Self, String> {
        let began = Instant::now();
        let log = built().join("debian-boot.log");
        let said = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let nspawn = Command::new("systemd-nspawn")
            .args(["--quiet", "--volatile=overlay", "--register=no", "--keep-unit", "--boot", "--directory"])
            .arg(system)
            .arg(format!("--machine=k1-{}", std::process::id()))
            .arg(format!("--bind-ro={}:/files", files.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|e| format!("systemd-nspawn: {e}; Debian's package systemd-container contains it"))?;
        let mut machine = Self { nspawn, leader: 0, booted: Duration::ZERO };
        while machine.leader == 0 {
            if machine.nspawn.try_wait().is_ok_and(|ended| ended.is_some()) || began.elapsed().as_secs() > 30
            {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!(
                    "systemd-nspawn, which needs root, does not boot the clean system: {said}"
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
            machine.leader = machine.first_process().unwrap_or(0);
        }
        let state = loop {
            let state = machine.told("systemctl is-system-running --wait");
            if state.as_deref().is_ok_and(|state| state == "running") {
                break Ok(());
            }
            if began.elapsed().as_secs() > 90 {
                break Err(format!("the clean system does not boot: {state:?}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        state?;
        machine.booted = began.elapsed();
        Ok(machine)
    }

    /// The first process of the system, once it is systemd.
    fn first_process(&self) -> Option<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.nspawn.id());
        let children = std::fs::read_to_string(children).ok()?;
        let pids = children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
        let is_systemd = |pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim() == "systemd")
        };
        pids.into_iter().find(is_systemd)
    }

    fn command(&self, user: Option<&str>, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string()]);
        command.args(["--mount", "--uts", "--ipc", "--pid", "--root", "--"]);
        command.args([
            "/usr/bin/env",
            "--chdir=/",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
        ]);
        if let Some(user) = user {
            command.args(["runuser", "-u", user, "--", "env", "XDG_RUNTIME_DIR=/run/user/1000"]);
            command.arg(format!("HOME=/home/{user}"));
        }
        command.args(["sh", "-c", line]).stdin(Stdio::null());
        command
    }

    /// Runs a line of the shell as root, and returns what it prints.
    ///
    /// # Errors
    ///
    /// A sentence with what it prints, if it fails.
    pub fn run(&self, line: &str) -> Result<String, String> {
        self.run_as(None, line)
    }

    /// The same as a user, whose number is 1000; or as root.
    ///
    /// # Errors
    ///
    /// As [`Machine::run`].
    pub fn run_as(&self, user: Option<&str>, line: &str) -> Result<String, String> {
        let ended = self.command(user, line).output().map_err(|e| format!("nsenter: {e}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let printed = [text(&ended.stdout), text(&ended.stderr)].join("\n");
        let printed = printed.trim().to_owned();
        if ended.status.success() {
            Ok(printed)
        } else {
            Err(format!("`{line}`: {}: {printed}", ended.status))
        }
    }

    /// What a line prints on standard output, whether it succeeds or not.
    ///
    /// # Errors
    ///
    /// A sentence, if it cannot be run.
    pub fn told(&self, line: &str) -> Result<String, String> {
        let ended = self.command(None, line).output().map_err(|e| format!("nsenter: {e}"))?;
        Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.leader != 0 {
            let _ = self.told("systemctl poweroff --force");
        }
        let began = Instant::now();
        while self.nspawn.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > Duration::from_secs(20) {
                let _ = self.nspawn.kill();
                let _ = self.nspawn.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
