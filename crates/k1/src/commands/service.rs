//! `k1 service`: installs, removes and examines K1 as a service of systemd.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser;
use k1_host::console;
use k1_host::output::{self, Spared};

use super::Failure;
use crate::cli::{Cli, Command as Known, ServiceCommand, ServiceScope};
use crate::service::{Arguments, NAME, Scope, Unit};
use crate::source::Input;

/// Settings folder of the system's service.
const STATE: &str = "/var/lib/k1";
/// What `systemctl show` is asked for.
const PROPERTIES: &str = "--property=ActiveState,SubState,UnitFileState,NRestarts,StatusText";

/// Does what the command says.
pub fn service(command: &ServiceCommand) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            "services are for systemd, which only Linux has; let your system start `k1 run` in its own way"
                .into(),
        ));
    }
    match command {
        ServiceCommand::Install { scope, now, print, arguments } => {
            install(scope.get(), *now, *print, arguments)
        }
        ServiceCommand::Uninstall { scope, now } => uninstall(scope.get(), *now),
        ServiceCommand::Status => status(),
    }
}

impl ServiceScope {
    fn get(self) -> Scope {
        if self.system { Scope::System } else { Scope::User }
    }
}

fn install(scope: Scope, now: bool, print: bool, arguments: &[OsString]) -> Result<(), Failure> {
    check(arguments)?;
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let program = program.map_err(|e| Failure::new(format!("the path of this program is unknown: {e}")))?;
    let folder = std::env::current_dir().ok().filter(|_| !arguments.is_empty());
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let arguments = Arguments::Given { arguments, folder: folder.as_deref() };
    let unit = Unit { scope, program: &program, arguments, groups: &groups }.to_string();
    if print {
        return super::print(unit.as_bytes());
    }
    let place = place(scope)?;
    if let Some(before) = there(&place)?
        && !Unit::is_ours(&before)
    {
        return Err(foreign(&place));
    }
    let written = output::make_folder(&place).map_err(|e| e.to_string());
    written
        .and_then(|()| output::write(&place, unit.as_bytes(), &Spared::default()).map_err(|e| e.to_string()))
        .map_err(|why| Failure::new(format!("{why}{}", as_root(scope, &program, "install"))))?;
    console::line(format!("wrote {}", place.display()))?;
    if scope == Scope::System && ["/home", "/root"].iter().any(|home| program.starts_with(home)) {
        k1_host::say(format_args!(
            "k1: {} is in a home folder, which the service may not be able to enter; copy it to /usr/local/bin and install \
             from there",
            program.display()
        ));
    }
    let steps: [&[&str]; 2] = [&["daemon-reload"], &["enable", "--now", NAME]];
    let login = if scope == Scope::User { "at each login" } else { "at each start of the computer" };
    if now {
        steps.iter().try_for_each(|step| run(scope, step))?;
        console::line(format!("K1 runs, and starts {login}; `k1 service status` shows how it is"))?;
    } else {
        console::line(format!("next, to start K1 now and {login}:"))?;
        steps.iter().try_for_each(|step| console::line(format!("  {}", words(scope, step))))?;
    }
    if scope == Scope::User {
        console::line("to start it with the computer, before you log in:\n  loginctl enable-linger")?;
    }
    Ok(())
}

/// Checks arguments before they are in a file that nobody sees fail.
fn check(arguments: &[OsString]) -> Result<(), Failure> {
    let all = ["k1".into(), "run".into()].into_iter().chain(arguments.iter().cloned());
    if let Some(argument) = arguments.iter().find(|argument| argument.to_str().is_none()) {
        return Err(Failure::usage(format!("{argument:?} is not UTF-8, which a unit file must be")));
    }
    let parsed = Cli::try_parse_from(all).map_err(|refusal| {
        let text = refusal.to_string();
        let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::usage(format!("`k1 run` does not take these arguments: {reason}"))
    })?;
    match parsed.command {
        Some(Known::Run(args)) if args.inputs.contains(&Input::Stdin) => Err(Failure::usage(
            "a service has no standard input; give it a file, a folder, monitor or mic instead of -".into(),
        )),
        _ => Ok(()),
    }
}

fn uninstall(scope: Scope, now: bool) -> Result<(), Failure> {
    let place = place(scope)?;
    match there(&place)? {
        None => {
            return Err(Failure::new(format!(
                "{} does not exist, so there is nothing to remove",
                place.display()
            )));
        }
        Some(text) if !Unit::is_ours(&text) => return Err(foreign(&place)),
        Some(_) => {}
    }
    if now {
        run(scope, &["disable", "--now", NAME])?;
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "k1".into());
    std::fs::remove_file(&place).map_err(|e| {
        let hint = as_root(scope, &program, "uninstall");
        Failure::new(format!("{} cannot be removed: {e}{hint}", place.display()))
    })?;
    console::line(format!("removed {}", place.display()))?;
    if scope == Scope::System && Path::new(STATE).exists() {
        console::line(format!("show file and token of the service stay in {STATE}"))?;
    }
    if now {
        return run(scope, &["daemon-reload"]);
    }
    console::line("next, to stop K1 and to forget the service:")?;
    for step in [&["disable", "--now", NAME][..], &["daemon-reload"]] {
        console::line(format!("  {}", words(scope, step)))?;
    }
    Ok(())
}

fn status() -> Result<(), Failure> {
    let mut is_there = false;
    for scope in [Scope::User, Scope::System] {
        let Some(place) = scope.places().find(|place| place.exists()) else { continue };
        is_there = true;
        console::line(format!("{}: {}", place.display(), state(scope)))?;
    }
    if !is_there {
        console::line("K1 is not a service here; `k1 service install` makes it one")?;
    }
    Ok(())
}

/// What systemd says of the service, as a sentence.
fn state(scope: Scope) -> String {
    let [program, arguments @ ..] = scope.systemctl() else { return String::new() };
    let asked =
        Command::new(program).args(arguments).args(["show", NAME, PROPERTIES]).stdin(Stdio::null()).output();
    let said = match asked {
        Ok(said) if said.status.success() => String::from_utf8_lossy(&said.stdout).into_owned(),
        Ok(said) => {
            let why = String::from_utf8_lossy(&said.stderr);
            return format!("systemd does not answer ({})", why.lines().next().unwrap_or("without a reason"));
        }
        Err(e) => return format!("systemd cannot be asked ({program}: {e})"),
    };
    sentence(&said)
}

/// A sentence from the answer of `systemctl show`.
fn sentence(said: &str) -> String {
    let of = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default()
    };
    let mut text = format!("{} ({})", of("ActiveState"), of("SubState"));
    for part in [of("UnitFileState"), of("StatusText")].iter().filter(|part| !part.is_empty()) {
        text.push_str(", ");
        text.push_str(part);
    }
    match of("NRestarts") {
        "" | "0" => {}
        "1" => text.push_str("; restarted once"),
        n => text.push_str(&format!("; restarted {n} times")),
    }
    text
}

fn place(scope: Scope) -> Result<PathBuf, Failure> {
    scope.place().ok_or_else(|| {
        Failure::new("this user has no home folder, so there is no place for a unit file".into())
    })
}

/// The text of a unit file; `None` if it does not exist.
fn there(place: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(place) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::new(format!("{} cannot be read: {e}", place.display()))),
    }
}

fn foreign(place: &Path) -> Failure {
    Failure::new(format!(
        "{} was not written by K1, so K1 leaves it alone; move it away if K1 should write its own",
        place.display()
    ))
}

/// A hint for the system's units, which only root may write.
fn as_root(scope: Scope, program: &Path, what: &str) -> String {
    match scope {
        Scope::User => String::new(),
        Scope::System => format!("; only root may: sudo {} service {what} --system", program.display()),
    }
}

fn words(scope: Scope, step: &[&str]) -> String {
    [scope.systemctl(), step].concat().join(" ")
}

/// Runs a command of the manager.
fn run(scope: Scope, step: &[&str]) -> Result<(), Failure> {
    let words = words(scope, step);
    let [program, arguments @ ..] = scope.systemctl() else { return Ok(()) };
    let ended = Command::new(program).args(arguments).args(step).stdin(Stdio::null()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("`{words}` failed ({status}); see the reason above"))),
        Err(e) => Err(Failure::new(format!("`{words}` cannot be run: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_a_sentence() {
        let said = "NRestarts=0\nStatusText=120 FPS, hearing a=b\nActiveState=active\nSubState=running\nUnitFileState=enabled\n";
        assert_eq!(sentence(said), "active (running), enabled, 120 FPS, hearing a=b");
        let said = "NRestarts=2\nStatusText=\nActiveState=activating\nSubState=auto-restart\n";
        assert_eq!(sentence(said), "activating (auto-restart); restarted 2 times");
    }
}
