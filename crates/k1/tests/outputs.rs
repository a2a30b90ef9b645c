//! K1 destroys nothing: it refuses an output that is an input, under every name; puts results in place whole; and
//! leaves old files unchanged after a full disk, a limit or a signal.
#![cfg(unix)]

#[allow(dead_code, reason = "used in part")]
#[path = "support/music.rs"]
mod music;
mod support;
#[path = "support/wav.rs"]
mod wav;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Said, brightness, eventually, folder, frames, k1, start};

/// A folder with a sound, a key and an image, and the commands that write files.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(folder());
        std::fs::write(bench.at("sound"), wav::wav(&music::piece(), 16_000, 1)).unwrap();
        std::fs::write(bench.at("image.bin"), vec![7; 200_000]).unwrap();
        std::fs::create_dir(bench.at("home")).unwrap();
        std::fs::create_dir(bench.at("out")).unwrap();
        bench.ends_well(&["keys".into(), "new".into()]);
        bench
    }

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Waits until a file in `out` has this number of frames.
    #[track_caller]
    fn records(&self, frames: usize) {
        eventually("frames", || {
            content(&self.at("out")).values().any(|bytes| bytes.len() >= frames * 180 * 3)
        });
    }

    fn command(&self, args: &[OsString]) -> Command {
        let mut command = k1(args);
        command.env("HOME", self.at("home")).env_remove("XDG_CONFIG_HOME");
        command
    }

    #[track_caller]
    fn ends_well(&self, args: &[OsString]) {
        let said = start(&mut self.command(args)).end();
        assert_eq!(said.code(), Some(0), "{args:?}: {said:?}");
    }
}

/// The arguments of a command that writes `out`.
type Writes = fn(&Bench, &Path) -> Vec<OsString>;

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(Into::into).collect()
}

/// Each command that hears a sound, with the extension of its result.
fn of_sound() -> [(&'static str, Writes); 6] {
    fn with(first: &[&str], b: &Bench, rest: &[&str], out: &OsStr) -> Vec<OsString> {
        let mut all = words(first);
        all.push(b.at("sound").into());
        all.extend(words(rest));
        all.push(out.into());
        all
    }
    [
        ("png", |b, out| with(&["render"], b, &["-o"], out.as_os_str())),
        ("npy", |b, out| with(&["render"], b, &["-o"], out.as_os_str())),
        ("gif", |b, out| with(&["render"], b, &["-o"], out.as_os_str())),
        ("png", |b, out| with(&["analyze"], b, &["-o"], out.as_os_str())),
        ("html", |b, out| with(&["analyze"], b, &["-o"], out.as_os_str())),
        ("light", |b, out| {
            let mut to = OsString::from("file:");
            to.push(out);
            with(&["run"], b, &["--headless", "--json", "--duration", "1.5", "--to"], &to)
        }),
    ]
}

/// The other commands.
fn of_keys() -> [(&'static str, Writes); 2] {
    [
        ("k1", |b, out| {
            let image = b.at("image.bin");
            [words(&["sign"]), vec![image.into()], words(&["--board", "virt", "-o"]), vec![out.into()]]
                .concat()
        }),
        ("keys", |_, out| [words(&["keys", "statement", "-o"]), vec![out.into()]].concat()),
    ]
}

fn every_output() -> Vec<(&'static str, Writes)> {
    of_sound().into_iter().chain(of_keys()).collect()
}

/// Every file in a folder with its content.
fn content(dir: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .filter(|e| e.path().is_file())
        .map(|e| (e.file_name(), std::fs::read(e.path()).unwrap()))
        .collect()
}

#[track_caller]
fn failed(said: &Said, words: &[&str]) {
    assert_eq!(said.code(), Some(1), "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "“{word}” is not in: {}", said.err);
    }
}

#[test]
fn the_sound_survives_every_name_that_leads_to_it() {
    let bench = Bench::new();
    std::fs::create_dir(bench.at("sub")).unwrap();
    symlink(bench.0.path(), bench.at("sub/up")).unwrap();
    let before = std::fs::read(bench.at("sound")).unwrap();
    for (number, (ending, writes)) in of_sound().into_iter().enumerate() {
        let name = format!("{number}.{ending}");
        std::fs::hard_link(bench.at("sound"), bench.at(&name)).unwrap();
        symlink(bench.at("sound"), bench.at(format!("link-{name}"))).unwrap();
        symlink(format!("link-{name}"), bench.at(format!("links-{name}"))).unwrap();
        for out in [
            name.clone(),
            format!("link-{name}"),
            format!("links-{name}"),
            format!("./sub/../{name}"),
            format!("sub/up/{name}"),
        ] {
            let said = start(&mut bench.command(&writes(&bench, &bench.at(&out)))).end();
            failed(&said, &["is the sound itself; choose another name", &name]);
            assert_eq!(std::fs::read(bench.at("sound")).unwrap(), before, "{out}");
        }
    }
    // Written under the link's name, and read under the link's name.
    symlink(bench.at("sound"), bench.at("heard")).unwrap();
    let args =
        [words(&["render"]), vec![bench.at("heard").into()], words(&["-o"]), vec![bench.at("0.png").into()]];
    failed(&start(&mut bench.command(&args.concat())).end(), &["is the sound itself"]);
}

#[test]
fn a_sound_on_standard_input_and_one_behind_standard_output_survive() {
    let bench = Bench::new();
    let raw: Vec<u8> = music::piece().iter().flat_map(|x| x.to_le_bytes()).collect();
    let npy = bench.at("s.npy");
    std::fs::write(&npy, &raw).unwrap();
    let mut render = bench.command(&[words(&["render", "-", "-o"]), vec![npy.clone().into()]].concat());
    let said = start(render.stdin(std::fs::File::open(&npy).unwrap())).end();
    failed(&said, &["is the sound itself"]);
    assert_eq!(std::fs::read(&npy).unwrap(), raw);
    // `k1 run SOUND --to file:/dev/stdout >> SOUND`, and the same with the number of the open file.
    let sound = bench.at("sound");
    let before = std::fs::read(&sound).unwrap();
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let to = format!("file:{name}");
        let args = [
            words(&["run"]),
            vec![sound.clone().into()],
            words(&["--headless", "--duration", "1", "--to", &to]),
        ];
        let onto = std::fs::File::options().append(true).open(&sound).unwrap();
        let said = bench.command(&args.concat()).stdout(onto).output().unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.code() == Some(1) && err.contains("is the sound itself"), "{name}: {err}");
        assert_eq!(std::fs::read(&sound).unwrap(), before);
    }
}

#[test]
fn keys_images_and_other_results_survive_too() {
    let bench = Bench::new();
    let image = bench.at("image.bin");
    let sign = |out: &Path| {
        [words(&["sign"]), vec![image.clone().into()], words(&["--board", "virt", "-o"]), vec![out.into()]]
            .concat()
    };
    let before = std::fs::read(&image).unwrap();
    symlink(&image, bench.at("link")).unwrap();
    for out in [&image, &bench.at("link")] {
        failed(&start(&mut bench.command(&sign(out))).end(), &["is the image itself"]);
    }
    assert_eq!(std::fs::read(&image).unwrap(), before);
    let key = bench.at("home/.config/k1/keys/default.pem");
    let key = if key.exists() { key } else { first_key(&bench) };
    let secret = std::fs::read(&key).unwrap();
    failed(&start(&mut bench.command(&sign(&key))).end(), &["is one of your keys itself"]);
    let statement = [words(&["keys", "statement", "-o"]), vec![key.clone().into()]].concat();
    failed(&start(&mut bench.command(&statement)).end(), &["is one of your keys itself"]);
    assert_eq!(std::fs::read(&key).unwrap(), secret);
    // A report is appended to an existing file; the update itself cannot be its file.
    bench.ends_well(&sign(&bench.at("update.k1")));
    let update = std::fs::read(bench.at("update.k1")).unwrap();
    let mut deploy = words(&["deploy", "--to", "127.0.0.1:9", "--report"]);
    deploy.extend([bench.at("update.k1").into(), bench.at("update.k1").into()]);
    failed(&start(&mut bench.command(&deploy)).end(), &["is the image itself"]);
    assert_eq!(std::fs::read(bench.at("update.k1")).unwrap(), update);
    // Two results of one command.
    symlink(bench.at("a"), bench.at("b")).unwrap();
    for (a, b) in [("a", "a"), ("a", "b"), ("b", "./a")] {
        let to = |name: &str| OsString::from(format!("file:{}", bench.at(name).display()));
        let run = [words(&["run", "demo", "--headless", "--to"]), vec![to(a)], words(&["--to"]), vec![to(b)]]
            .concat();
        failed(&start(&mut bench.command(&run)).end(), &["are the same file"]);
        assert!(!bench.at("a").exists(), "nothing is left");
    }
    let run = words(&["run", "demo", "--to", "terminal", "--to", "terminal"]);
    failed(&start(&mut bench.command(&run)).end(), &["--to terminal was given twice"]);
}

fn first_key(bench: &Bench) -> PathBuf {
    let folder = bench.at("home/.config/k1/keys");
    std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

/// Runs each command that writes a file where there is no room, with and without an existing file: the existing file
/// stays, and no other file remains.
fn no_room(bench: &Bench, out: &Path, why: &str, limit: &dyn Fn(Command) -> Command) {
    for (ending, writes) in every_output() {
        for was_there in [true, false] {
            let path = out.join(format!("x.{ending}"));
            if was_there {
                std::fs::write(&path, "what was there").unwrap();
            }
            let before = content(out);
            let said = start(&mut limit(bench.command(&writes(bench, &path)))).end();
            // A statement of keys is so small that there is room for it.
            if ending == "keys" && said.code() == Some(0) {
                let _ = std::fs::remove_file(&path);
                continue;
            }
            failed(&said, &["cannot be written", why]);
            assert_eq!(content(out), before, "{path:?}: {said:?}");
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// A shell's limit on the size of files acts like a disk that becomes full; it needs no special rights.
#[test]
fn what_does_not_fit_leaves_everything_as_it_was() {
    let bench = Bench::new();
    no_room(&bench, &bench.at("out"), "File too large", &|inner| {
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""]);
        limited.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        limited.stdin(Stdio::null());
        limited
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    const INSIDE: &str = "K1_TEST_IN_NAMESPACE";
    if std::env::var_os(INSIDE).is_none() {
        let flags = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
        let works = Command::new("unshare").args([flags, "true"]).output().is_ok_and(|o| o.status.success());
        if !works {
            support::need::missing("netns", "a namespace in which a small disk can be mounted");
            return;
        }
        let mut again = Command::new("unshare");
        again.arg(flags).arg(std::env::current_exe().unwrap());
        again.args(["--exact", "a_full_disk_leaves_everything_as_it_was", "--nocapture"]).env(INSIDE, "1");
        assert!(again.status().unwrap().success());
        return;
    }
    let bench = Bench::new();
    let out = bench.at("out");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "t"]).arg(&out).status().unwrap();
    assert!(mount.success());
    no_room(&bench, &out, "No space left", &|command| command);
    // Almost full from the start: one page for the old file, one for the first bytes.
    std::fs::write(out.join("rest"), [0; 4_096 * 2]).unwrap();
    no_room(&bench, &out, "No space left", &|command| command);
    Command::new("umount").arg(&out).status().unwrap();
}

#[test]
fn a_signal_leaves_everything_as_it_was() {
    use rustix::process::{Pid, Signal, kill_process};
    let bench = Bench::new();
    let out = bench.at("out");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        for was_there in [true, false] {
            for (ending, args) in [
                ("npy", words(&["render", "demo", "--duration", "100000", "-o"])),
                ("gif", words(&["render", "demo", "--duration", "100000", "-o"])),
                // It listens as long as the pipe is open.
                ("html", words(&["analyze", "-", "-o"])),
            ] {
                let path = out.join(format!("x.{ending}"));
                if was_there {
                    std::fs::write(&path, "what was there").unwrap();
                }
                let before = content(&out);
                let mut command = bench.command(&[args, vec![path.clone().into()]].concat());
                let mut running = start(command.stdin(Stdio::piped()));
                let _open = running.input();
                eventually("the file beside", || content(&out).len() > before.len());
                kill_process(Pid::from_raw(running.id() as i32).unwrap(), signal).unwrap();
                let said = running.end();
                failed(&said, &["interrupted", "was not written", &format!("x.{ending}")]);
                assert_eq!(content(&out), before);
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

/// Ctrl-C ends a live run without an error, and the recording is kept.
#[test]
fn a_recording_that_is_stopped_takes_the_place_of_the_one_before() {
    let bench = Bench::new();
    let path = bench.at("out/light");
    std::fs::write(&path, "what was there").unwrap();
    let to = format!("file:{}", path.display());
    let running = {
        let mut running =
            start(&mut bench.command(&words(&["run", "demo", "--headless", "--json", "--to", &to])));
        running.says("[AUDIO TASK]");
        bench.records(12);
        assert_eq!(std::fs::read(&path).unwrap(), b"what was there");
        running.interrupt();
        running.end()
    };
    assert_eq!(running.code(), Some(0), "{running:?}");
    let frames = frames(&path, 180);
    assert!(frames.len() > 10 && frames.last().unwrap().iter().all(|b| *b == 0));
    assert_eq!(content(&bench.at("out")).len(), 1);
}

/// GNU `timeout` signals the program and then its group, which counts once; a user who presses Ctrl-C twice also wants
/// one end.
#[test]
fn signals_in_quick_succession_are_one_orderly_end() {
    use rustix::process::{Pid, Signal, kill_process};
    let bench = Bench::new();
    let path = bench.at("out/light");
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        for gap in [0, 1, 5] {
            std::fs::write(&path, "what was there").unwrap();
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            receiver.set_nonblocking(true).unwrap();
            let lamp = format!("ddp://{}", receiver.local_addr().unwrap());
            let to = format!("file:{}", path.display());
            let mut running = start(&mut bench.command(&words(&[
                "run",
                "demo",
                "--headless",
                "--json",
                "--to",
                &lamp,
                "--to",
                &to,
            ])));
            running.says("[AUDIO TASK]");
            bench.records(7);
            let pid = Pid::from_raw(running.id() as i32).unwrap();
            kill_process(pid, signal).unwrap();
            std::thread::sleep(Duration::from_millis(gap));
            // It is a child of this test, so even if it has ended, no other process has its number.
            kill_process(pid, signal).unwrap();
            let said = running.end();
            assert_eq!(said.code(), Some(0), "{signal:?} twice, {gap} ms apart: {said:?}");
            let frames = frames(&path, 180);
            assert!(frames.len() > 5 && frames.last().unwrap().iter().all(|b| *b == 0), "{signal:?} {gap}");
            let mut packet = [0; 2_000];
            let last = std::iter::from_fn(|| receiver.recv(&mut packet).ok().map(|n| packet[10..n].to_vec()));
            assert!(last.last().unwrap().iter().all(|b| *b == 0), "the lamp is dark: {signal:?} {gap}");
            assert_eq!(content(&bench.at("out")).len(), 1);
        }
    }
}

/// A reader that does not take the program's output makes it hang.
#[test]
fn a_late_second_signal_ends_what_hangs_and_leaves_lights_dark() {
    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::process::{Pid, Signal, kill_process};
    let bench = Bench::new();
    let path = bench.at("out/light");
    let (_reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    for size in [4_096, 1] {
        let block = vec![b' '; size];
        while writer.write(&block).is_ok() {}
    }
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    let to = format!("file:{}", path.display());
    let mut command = bench.command(&words(&["run", "demo", "--headless", "--to", &to]));
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    eventually("frames", || std::fs::metadata(&path).is_ok_and(|m| m.len() > 20_000));
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    for pause in [0, 100, 1_500] {
        std::thread::sleep(Duration::from_millis(pause));
        assert!(child.try_wait().unwrap().is_none(), "it hangs");
        kill_process(pid, Signal::TERM).unwrap();
    }
    let mut status = None;
    eventually("the end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(130));
    let frames = frames(&path, 180);
    assert!(frames.last().unwrap().iter().all(|b| *b == 0), "the recording is whole, with its end");
    assert_eq!(content(&bench.at("out")).len(), 1);
}

#[test]
fn names_that_are_no_text_are_written() {
    let bench = Bench::new();
    for (number, (ending, writes)) in every_output().into_iter().enumerate() {
        let mut name = format!("{number}-").into_bytes();
        name.extend(b"\xff\xfe.");
        name.extend(ending.as_bytes());
        let path = bench.at("out").join(OsStr::from_bytes(&name));
        if std::fs::write(&path, "").is_err() {
            println!("this file system takes UTF-8 names only");
            return;
        }
        std::fs::remove_file(&path).unwrap();
        let said = start(&mut bench.command(&writes(&bench, &path))).end();
        assert_eq!(said.code(), Some(0), "{said:?}");
        assert!(std::fs::metadata(&path).is_ok_and(|m| m.len() > 0), "{path:?}");
    }
    // Also in the JSON output.
    for more in ["render", "sign"] {
        let path = bench.at("out").join(OsStr::from_bytes(b"\xff.npy"));
        let args = match more {
            "render" => [
                words(&["render"]),
                vec![bench.at("sound").into()],
                words(&["--json", "-o"]),
                vec![path.into()],
            ],
            _ => [
                words(&["sign"]),
                vec![bench.at("image.bin").into()],
                words(&["--board", "virt", "--json", "-o"]),
                vec![path.into()],
            ],
        };
        let said = start(&mut bench.command(&args.concat())).end();
        assert!(said.code() == Some(0) && said.json().is_object(), "{said:?}");
    }
}

#[test]
fn pipes_and_devices_are_written_as_they_are() {
    let bench = Bench::new();
    let fifo = bench.at("fifo.npy");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let whole = bench.at("out/whole.npy");
    let render = |out: &Path| {
        [words(&["render"]), vec![bench.at("sound").into()], words(&["-o"]), vec![out.into()]].concat()
    };
    bench.ends_well(&render(&whole));
    let reading = {
        let fifo = fifo.clone();
        std::thread::spawn(move || std::fs::read(fifo).unwrap())
    };
    bench.ends_well(&render(&fifo));
    assert_eq!(
        reading.join().unwrap(),
        std::fs::read(&whole).unwrap(),
        "a pipe gets the same bytes as a file"
    );
    symlink("/dev/null", bench.at("null.png")).unwrap();
    bench.ends_well(&render(&bench.at("null.png")));
    assert_eq!(std::fs::read_link(bench.at("null.png")).unwrap(), Path::new("/dev/null"));
    // A pipe that nobody reads must not block other lights or the end.
    let to = format!("file:{}", fifo.display());
    let good = bench.at("out/light");
    let mut run = words(&["run", "demo", "--headless", "--json", "--duration", "2", "--to", &to, "--to"]);
    run.push(format!("file:{}", good.display()).into());
    let said = start(&mut bench.command(&run)).end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(frames(&good, 180).iter().any(|f| brightness(f) > 1.0));
    // Standard output continues at its current position.
    let file = bench.at("out/all");
    std::fs::write(&file, "before").unwrap();
    let onto = std::fs::File::options().append(true).open(&file).unwrap();
    let args = words(&["run", "demo", "--headless", "--json", "--duration", "1", "--to", "file:/dev/stdout"]);
    assert!(bench.command(&args).stdout(onto).output().unwrap().status.success());
    assert!(std::fs::read(&file).unwrap().starts_with(b"before"));
}

/// Code that writes files without `output`, and the reason.
const OTHER_DOORS: [(&str, usize, &str); 5] = [
    ("k1-host/src/identity.rs", 2, "a lock, which is held and has no content, and its folder"),
    (
        "k1/src/web/token.rs",
        5,
        "the first of two programs that start at once keeps its token: a link takes nobody's place; without links it is renamed",
    ),
    ("k1-host/src/private.rs", 3, "makes the user's own folder, and opens secrets for reading"),
    (
        "k1-fleet/src/virt/flash.rs",
        3,
        "a flash is changed in place, as the chip does; another kind of file is refused",
    ),
    (
        "k1-fleet/src/virt/mod.rs",
        1,
        "a file of the emulator's in the folder for temporary files, gone with it",
    ),
];

#[test]
fn files_are_written_through_one_door() {
    const WAYS: [&str; 12] = [
        "File::create",
        "File::options",
        "OpenOptions",
        "fs::write",
        "fs::rename",
        "fs::copy",
        "create_new",
        "create_dir",
        "set_len",
        "fs::hard_link",
        "NamedTempFile",
        "persist(",
    ];
    let mut found = BTreeMap::new();
    let crates = support::here("..");
    let mut folders: Vec<_> = ["k1", "k1-fleet", "k1-host"].map(|name| crates.join(name).join("src")).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let name = entry.strip_prefix(&crates).unwrap().to_str().unwrap().to_owned();
            if name.starts_with("k1-host/src/output/") || name.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap();
            // Tests create their own files.
            let tests =
                ["mod tests {", "pub mod tests {", "pub(super) mod tests {", "pub(crate) mod tests {"];
            let begin = tests.iter().flat_map(|tests| {
                ["#[cfg(test)]", "#[cfg(all(test, target_os = \"linux\"))]"]
                    .map(|only| text.find(&format!("{only}\n{tests}")))
            });
            let begin = begin.flatten().min();
            let code = &text[..begin.unwrap_or(text.len())];
            let uses = code.lines().filter(|l| !l.trim_start().starts_with("use "));
            let uses = uses.filter(|l| WAYS.iter().any(|way| l.contains(way))).count();
            if uses > 0 {
                found.insert(name, uses);
            }
        }
    }
    for (name, uses) in &found {
        let allowed = OTHER_DOORS.iter().find(|(n, ..)| n == name).map_or(0, |(_, n, _)| *n);
        assert!(
            *uses <= allowed,
            "{name} opens {uses} files for writing by itself, and {allowed} are known: use `k1_host::output`"
        );
    }
    println!("{} other doors: {found:?}", found.len());
}
