//! The strip on a terminal, with printed lines above it, as a terminal shows them.
#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use support::{eventually, k1};

/// A test's own terminal with a program on it.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
    master: Arc<OwnedFd>,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    /// Starts the program with its outputs, or only standard output, on the terminal.
    fn start(columns: u16, args: &[&str], says_here: bool) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, size(24, columns)).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut command = k1(args);
        command.stdin(slave()).stdout(slave());
        if says_here {
            command.stderr(slave())
        } else {
            command.stderr(Stdio::null())
        };
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(24, columns, 500)));
        let master = Arc::new(master);
        let (into, from) = (screen.clone(), File::from(master.try_clone().unwrap()));
        std::thread::spawn(move || {
            let (mut from, mut block) = (from, [0; 4_096]);
            while let Ok(n @ 1..) = from.read(&mut block) {
                into.lock().unwrap().process(&block[..n]);
            }
        });
        Self { screen, child, master }
    }

    /// The content of the screen, row by row.
    fn rows(&self) -> Vec<String> {
        let parser = self.screen.lock().unwrap();
        let columns = parser.screen().size().1;
        parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
    }

    fn strips(&self) -> usize {
        self.rows().iter().filter(|row| row.contains('▌')).count()
    }

    #[track_caller]
    fn waits_for(&self, what: &str, mut is_so: impl FnMut(&[String]) -> bool) {
        let began = Instant::now();
        while !is_so(&self.rows()) {
            assert!(began.elapsed() < support::PATIENCE, "{what}:\n{}", self.rows().join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asserts at every look that the strip appears at most once, in the lowest row, of blocks only, and that it tears
    /// no text.
    #[track_caller]
    fn is_tidy(&self) {
        let rows = self.rows();
        let (text, strip): (Vec<&String>, Vec<&String>) = rows.iter().partition(|row| !row.contains('▌'));
        assert!(strip.len() <= 1, "{}", rows.join("\n"));
        for row in &strip {
            assert!(row.chars().all(|c| c == '▌'), "a torn strip: {row}");
        }
        if let Some(at) = rows.iter().position(|row| row.contains('▌')) {
            assert!(rows[at + 1..].iter().all(String::is_empty), "below the strip:\n{}", rows.join("\n"));
        }
        assert!(text.iter().all(|row| !row.contains('\u{1b}')), "{}", rows.join("\n"));
    }

    /// Resizes the window. The program switches off wrapping, but this model of a terminal always wraps, so that it
    /// never shows a line that is wider than itself.
    fn resize(&self, columns: u16) {
        let is_wider = columns > self.screen.lock().unwrap().screen().size().1;
        let model = || self.screen.lock().unwrap().screen_mut().set_size(24, columns);
        if is_wider {
            model();
        }
        tcsetwinsize(&*self.master, size(24, columns)).unwrap();
        self.waits_for("the whole width", |rows| {
            let wanted = usize::from(columns) - 1;
            wanted == 0 || rows.iter().any(|r| r.contains('▌') && r.chars().count() == wanted)
        });
        if !is_wider {
            model();
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
    }

    /// Waits for the end, and asserts that the terminal is restored.
    #[track_caller]
    fn ends_as_it_was(mut self) -> (ExitStatus, Vec<String>) {
        let mut status = None;
        eventually("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        // The last bytes may still be on their way.
        eventually("the cursor", || !self.screen.lock().unwrap().screen().hide_cursor());
        eventually("the strip to be gone", || self.strips() == 0);
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        assert_eq!((screen.fgcolor(), screen.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
        assert_eq!(screen.cursor_position().1, 0, "the shell's prompt begins a line");
        drop(parser);
        (status.unwrap(), self.rows())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// K1 reports a missing light while it draws.
fn dead_light() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    format!("ddp://127.0.0.1:{}", socket.local_addr().unwrap().port())
}

#[test]
fn lines_stand_above_the_strip_and_none_is_torn() {
    let dead = dead_light();
    let args = ["run", "demo", "--headless", "--to", "terminal", "--to", &dead, "--duration", "4"];
    let terminal = Terminal::start(100, &args, true);
    terminal.waits_for("a strip", |rows| rows.iter().any(|r| r.contains('▌')));
    terminal.waits_for("the light to be told of", |rows| rows.join("").contains("cannot be reached"));
    for _ in 0..100 {
        terminal.is_tidy();
        std::thread::sleep(Duration::from_millis(10));
    }
    let hidden = terminal.screen.lock().unwrap().screen().hide_cursor();
    assert!(hidden, "the cursor does not dance on the strip");
    let (status, rows) = terminal.ends_as_it_was();
    assert!(status.success());
    let all = rows.join("\n");
    for line in ["[BOOT] K1", "[AUDIO SYNC]", "[GPU TASK]", "[AUDIO TASK]", "FPS mean"] {
        assert_eq!(all.matches(line).count(), 1, "{line} appears once:\n{all}");
    }
}

#[test]
fn json_lines_on_the_same_terminal_are_whole() {
    let args = ["run", "demo", "--headless", "--json", "--to", "terminal", "--duration", "3"];
    let terminal = Terminal::start(4_000, &args, false);
    for _ in 0..100 {
        terminal.is_tidy();
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, rows) = terminal.ends_as_it_was();
    assert!(status.success());
    let lines: Vec<serde_json::Value> =
        rows.iter().filter(|r| r.starts_with('{')).map(|r| serde_json::from_str(r).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["kind"], "summary", "{rows:?}");
    assert!(lines.len() >= 2, "{rows:?}");
}

#[test]
fn the_strip_follows_the_width_of_the_window() {
    for columns in [1, 7, 80, 300] {
        let args = ["run", "demo", "--headless", "--to", "terminal"];
        let terminal = Terminal::start(columns, &args, false);
        for columns in [columns, 40, 133, 20, 90] {
            terminal.resize(columns);
            terminal.is_tidy();
        }
        terminal.signal(Signal::INT);
        assert!(terminal.ends_as_it_was().0.success());
    }
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let args = ["run", "demo", "--headless", "--to", "terminal"];
        let terminal = Terminal::start(80, &args, true);
        terminal.waits_for("a strip", |rows| rows.iter().any(|r| r.contains('▌')));
        terminal.signal(signal);
        assert!(terminal.ends_as_it_was().0.success(), "{signal:?}");
    }
    // The same for two at once.
    let terminal = Terminal::start(80, &["run", "demo", "--headless", "--to", "terminal"], true);
    terminal.waits_for("a strip", |rows| rows.iter().any(|r| r.contains('▌')));
    terminal.signal(Signal::INT);
    terminal.signal(Signal::INT);
    assert!(terminal.ends_as_it_was().0.success());
}

#[test]
fn a_start_that_fails_leaves_the_terminal_as_it_was() {
    let args = ["run", "demo", "--headless", "--to", "terminal", "--to", "file:/no/such/folder/x"];
    let (status, rows) = Terminal::start(80, &args, true).ends_as_it_was();
    assert_eq!(status.code(), Some(1));
    assert!(rows.join("").contains("k1: /no/such/folder/x cannot be written"), "{rows:?}");
}

const SHOW: &str = "version = 1\ninput = \"demo\"\n[[light]]\nname = \"A\"\nto = \"ddp://127.0.0.1:9\"\nleds = 6\n\
                    [[zone]]\nname = \"Z\"\npieces = [{ light = \"A\" }]\nlook = { pattern = \"lava\" }\n\
                    [[scene]]\nname = \"Dinner\"\nlooks = { Z = { pattern = \"bloom\" } }\n\
                    [[scene]]\nname = \"Party\"\nfade_s = 0.5\nlooks = { Z = { pattern = \"lava\" } }\n";

#[test]
fn keys_recall_scenes_and_turn_the_light_off_and_on() {
    let folder = support::folder();
    let show = folder.path().join("show.toml");
    std::fs::write(&show, SHOW).unwrap();
    let args = ["run", "--headless", "--to", "terminal", "--show", show.to_str().unwrap()];
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let terminal = Terminal::start(200, &args, true);
        let press = |keys: &[u8]| assert_eq!(rustix::io::write(&*terminal.master, keys), Ok(keys.len()));
        let says = |what: &str| terminal.waits_for(what, |rows| rows.join("\n").contains(what));
        let lines = LocalModes::ICANON | LocalModes::ECHO;
        says("[KEYS] 1 to 9 recall scenes (1 Dinner, 2 Party), space turns the light off and on");
        assert!(!tcgetattr(&*terminal.master).unwrap().local_modes.intersects(lines));
        press(b"2");
        says("[KEYS] the light fades to Party over 0.5 s");
        press(b" ");
        says("[KEYS] the light is off");
        press(b" ");
        says("[KEYS] the light is on");
        press(b"n");
        says("[KEYS] the light fades to Dinner");
        // F5 contains digits, and other keys mean nothing.
        press(b"\x1b[15~xyz7");
        says("[KEYS] there is no scene 7; `k1 scene save NAME` makes one");
        let told = terminal.rows().iter().filter(|row| row.starts_with("[KEYS]")).count();
        assert_eq!(told, 6, "{:?}", terminal.rows());
        terminal.is_tidy();
        terminal.signal(signal);
        let master = terminal.master.clone();
        assert!(terminal.ends_as_it_was().0.success(), "{signal:?}");
        assert!(tcgetattr(&*master).unwrap().local_modes.contains(lines), "the terminal is given back");
    }
}

#[test]
fn without_a_terminal_there_are_no_keys() {
    let said = support::run(["run", "demo", "--headless", "--duration", "1"]);
    assert!(said.code() == Some(0) && !said.out.contains("[KEYS]"), "{said:?}");
    // A light on the terminal and sound on standard input.
    let folder = support::folder();
    let sound = folder.path().join("sound");
    std::fs::write(&sound, vec![0; 64_000]).unwrap();
    let mut command = k1(["run", "-", "--headless", "--duration", "1"]);
    let said = support::start(command.stdin(File::open(&sound).unwrap())).end();
    assert!(said.code() == Some(0) && !said.out.contains("[KEYS]"), "{said:?}");
}

/// A console that stops reading (a pager that waits, Ctrl-S) does not stop the lights.
#[test]
fn a_console_that_takes_nothing_stops_no_light() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let good = format!("ddp://{}", receiver.local_addr().unwrap());
    let dead = dead_light();
    // Nobody reads this pipe, and it is full before K1 prints anything.
    let (_unread, mut full) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while std::io::Write::write(&mut full, &[b'\n'; 512]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let mut command = k1(["run", "demo", "--headless", "--to", &good, "--to", &dead]);
    let mut child = command.stdout(full.try_clone().unwrap()).stderr(full).spawn().unwrap();
    let mut frames = 0;
    let began = Instant::now();
    while frames < 200 {
        frames += usize::from(receiver.recv(&mut [0; 2_000]).is_ok());
        assert!(began.elapsed() < support::PATIENCE, "{frames} frames");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
