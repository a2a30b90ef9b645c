//! K1 as a service: its unit file is sound, and the running program tells its manager how it is.
//!
//! With `K1_REQUIRE=systemd,strace` a missing `systemd-analyze` or `strace` is a failure; otherwise the tests that need
//! them print that they were skipped.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, folder, k1, start};

/// Runs `k1 service` with a home folder.
fn service(home: &Path, args: &[&str]) -> support::Said {
    let mut command = k1(["service"].iter().chain(args));
    command.env("XDG_CONFIG_HOME", home.join("config")).current_dir(home);
    start(&mut command).end()
}

/// Runs `systemd-analyze`; `None` if it is not installed.
fn analyze(args: &[&str], runtime: &Path) -> Option<(bool, String)> {
    let ran = Command::new("systemd-analyze")
        .args(args)
        .env("XDG_RUNTIME_DIR", runtime)
        .stdin(Stdio::null())
        .output();
    let Ok(ran) = ran else {
        support::need::missing("systemd", "systemd-analyze");
        return None;
    };
    let said = [ran.stdout, ran.stderr].concat();
    Some((ran.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn systemd_finds_no_fault_in_the_unit_files_and_little_that_they_may_do() {
    let home = folder();
    // The largest exposure, times ten, that `security` may find. A user's manager cannot hide devices and folders.
    for (scope, most) in [(&["--system"][..], 21), (&[], 67)] {
        let arguments =
            ["--", "monitor", "--name", "100 % \"my\" room", "--to", "ddp://wled.local?leds=60&order=grb"];
        let said = service(home.path(), &[&["install", "--print"], scope, &arguments].concat());
        assert_eq!(said.code(), Some(0), "{said:?}");
        let unit = home.path().join("k1.service");
        std::fs::write(&unit, &said.out).unwrap();
        let unit = unit.to_str().unwrap();
        let manager: &[&str] = if scope.is_empty() { &["--user"] } else { &[] };
        let Some((is_fine, told)) = analyze(&[manager, &["verify", unit]].concat(), home.path()) else {
            return;
        };
        assert!(is_fine && told.trim().is_empty(), "{told}\n{}", said.out);
        let limit = format!("--threshold={most}");
        let security = [manager, &["security", "--offline=true", &limit, unit]].concat();
        let (is_fine, told) = analyze(&security, home.path()).unwrap();
        assert!(is_fine, "{told}");
        // The checker finds a setting that does not exist, and a looser limit than it has.
        std::fs::write(unit, said.out.replace("RestartSec=2", "RestartSex=2")).unwrap();
        let (_, told) = analyze(&[manager, &["verify", unit]].concat(), home.path()).unwrap();
        assert!(told.contains("RestartSex"), "{told}");
    }
}

#[test]
fn a_unit_file_is_written_replaced_and_removed_but_never_that_of_somebody_else() {
    let home = folder();
    let place = home.path().join("config/systemd/user/k1.service");
    let said = service(home.path(), &["uninstall"]);
    said.failed_saying(&["does not exist"]);
    let said = service(home.path(), &["status"]);
    assert!(said.code() == Some(0) && said.out.contains("k1 service install"), "{said:?}");
    let said = service(home.path(), &["install", "--", "demo", "--leds", "60"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    for words in ["wrote ", "systemctl --user enable --now k1.service", "loginctl enable-linger"] {
        assert!(said.out.contains(words), "{said:?}");
    }
    let unit = std::fs::read_to_string(&place).unwrap();
    assert!(unit.contains(" run demo --leds 60\n"), "{unit}");
    assert!(unit.contains(&format!("WorkingDirectory={}\n", home.path().display())), "{unit}");
    assert_eq!(service(home.path(), &["install"]).code(), Some(0), "again");
    assert!(std::fs::read_to_string(&place).unwrap().contains(" run\n"));
    let said = service(home.path(), &["uninstall"]);
    assert!(said.out.contains("removed ") && said.out.contains("disable --now"), "{said:?}");
    assert!(!place.exists());
    std::fs::write(&place, "[Service]\nExecStart=/usr/bin/k1 run\n").unwrap();
    service(home.path(), &["install"]).failed_saying(&["was not written by K1"]);
    service(home.path(), &["uninstall"]).failed_saying(&["was not written by K1"]);
    for (arguments, why) in [(&["--fps", "0"][..], "from 1 to 500"), (&["-"], "standard input")] {
        let said = service(home.path(), &[&["install", "--print", "--"], arguments].concat());
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.err.contains(why) && said.err.lines().count() == 1, "{said:?}");
    }
}

/// Messages of a program to its manager.
struct Messages(UnixDatagram);

impl Messages {
    /// The next message.
    fn next(&self, within: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 4096];
        let n = self.0.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..n].to_vec()).unwrap())
    }

    /// Waits for a message that begins like this, and returns it.
    #[track_caller]
    fn until(&self, begins: &str) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.next(PATIENCE) {
                Some(message) if message.starts_with(begins) => return message,
                _ => {}
            }
        }
        panic!("no message {begins}");
    }
}

#[test]
fn the_manager_hears_that_k1_is_ready_lives_reloads_and_stops_and_nothing_while_it_hangs() {
    let home = folder();
    let socket = home.path().join("notify");
    let messages = Messages(UnixDatagram::bind(&socket).unwrap());
    let show = home.path().join("k1.toml");
    let text = "version = 1\n\n[[light]]\nname = \"A\"\nto = \"file:a.rgb\"\nleds = 6\n\n[[zone]]\nname = \"Z\"\npieces = [{ light = \"A\" }]\n";
    std::fs::write(&show, text).unwrap();
    let mut command = k1(["run", "demo", "--headless", "--show", show.to_str().unwrap()]);
    command.current_dir(home.path()).env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "800000");
    command.env_remove("WATCHDOG_PID");
    let mut k1 = start(&mut command);
    messages.until("READY=1");
    messages.until("WATCHDOG=1");
    let status = messages.until("STATUS=");
    assert!(status.contains(" FPS on 1 light, hearing "), "{status}");
    messages.until("WATCHDOG=1");

    let pid = Pid::from_raw(k1.id() as i32).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let reload = messages.until("RELOADING=1");
    assert!(reload.contains("\nMONOTONIC_USEC="), "{reload}");
    messages.until("READY=1");
    assert!(k1.runs(), "SIGHUP does not end a service");
    std::fs::write(&show, text.replace("\"Z\"", "\"Zone\"")).unwrap();
    k1.says("has changed, and K1 shows it");

    // A program that was stopped is the nearest thing to one that hangs.
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    while messages.next(Duration::from_millis(1)).is_some() {}
    assert_eq!(messages.next(Duration::from_millis(1_000)), None);
    kill_process(pid, Signal::CONT).unwrap();
    messages.until("WATCHDOG=1");

    kill_process(pid, Signal::TERM).unwrap();
    messages.until("STOPPING=1");
    let said = k1.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    let rest: BTreeSet<_> = std::iter::from_fn(|| messages.next(Duration::from_millis(50))).collect();
    assert!(!rest.iter().any(|m| m.starts_with("READY")), "{rest:?}");
}

#[test]
fn a_renderer_that_hangs_alone_silences_the_watchdog() {
    let home = folder();
    let socket = home.path().join("notify");
    let messages = Messages(UnixDatagram::bind(&socket).unwrap());
    let mut command = k1(["run", "demo", "--headless"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "800000").env_remove("WATCHDOG_PID");
    let mut k1 = start(&mut command);
    messages.until("WATCHDOG=1");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", k1.id())).unwrap().map(|task| task.unwrap());
    let is_renderer = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "k1-show")
    };
    let renderer = tasks.into_iter().find(is_renderer).unwrap().file_name().into_string().unwrap();
    // Each sleep of this thread, which are its pauses between frames, takes 3 s longer.
    let hang = "inject=clock_nanosleep:delay_enter=3000000";
    let tracing = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-p", &renderer, "-e", "trace=clock_nanosleep", "-e", hang])
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut tracing) = tracing else { return support::need::missing("strace", "strace") };
    let state = format!("/proc/{}/task/{renderer}/status", k1.id());
    let is_traced = || !std::fs::read_to_string(&state).unwrap().contains("TracerPid:\t0\n");
    support::eventually("strace holds the renderer or gives up", || {
        is_traced() || tracing.try_wait().unwrap().is_some()
    });
    if !is_traced() {
        return support::need::missing("strace", "the right to trace");
    }
    // A frame that was on its way may still count.
    std::thread::sleep(Duration::from_millis(500));
    while messages.next(Duration::from_millis(1)).is_some() {}
    let until = Instant::now() + Duration::from_millis(1_500);
    let mut beats = 0;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        beats += usize::from(messages.next(left).is_some_and(|message| message == "WATCHDOG=1"));
    }
    assert!(beats <= 1, "{beats} messages while there is at most one frame in 3 s");
    assert!(k1.runs(), "the rest of the program lives");
    tracing.kill().unwrap();
    tracing.wait().unwrap();
    while messages.next(Duration::from_millis(1)).is_some() {}
    messages.until("WATCHDOG=1");
    messages.until("WATCHDOG=1");
}
