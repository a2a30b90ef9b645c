//! What people get wrong: each mistake is told in a sentence that says what to do, nothing is lost, and the rest shines.
#![cfg(unix)]

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "used in part")]
#[path = "support/netns.rs"]
mod netns;
mod support;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use support::{Running, Said, eventually, folder, frames, k1, run, start};

/// A show with one light of four LEDs.
const GOOD: &str = "version = 1\ninput = \"demo\"\n\n[[light]]\nname = \"A\"\nto = \"file:/dev/null\"\nleds = 4\n\n\
                    [[zone]]\nname = \"Z\"\npieces = [{ light = \"A\" }]\n";

/// Checks that standard error has these words, and that it is written by a program in good health.
#[track_caller]
fn tells(said: &Said, words: &str) {
    assert!(said.err.contains(words), "“{words}” is not in: {}", said.err);
    assert!(!said.err.contains("panicked") && said.status.code().is_some(), "{said:?}");
}

/// Runs a command on the show `show`.
fn on(show: &Path, command: &[&str]) -> Said {
    let words = command.iter().map(OsStr::new);
    run(words.chain(["--show".as_ref(), show.as_os_str()]))
}

#[test]
fn a_file_that_is_no_show_is_left_alone() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let wide: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!("version = 1\nx = {}", "[".repeat(50_000));
    let dotted = format!("version = 1\n{} = 1\n", vec!["a"; 50_000].join("."));
    let newer = GOOD.replace("version = 1", "version = 2");
    let files: [(&str, &[u8], &str); 9] = [
        ("empty", b"", "begin the file with version = 1"),
        ("newer", newer.as_bytes(), "install a newer K1"),
        ("wide", &wide, "save it as UTF-8"),
        ("latin", b"name = \"K\xfcche\"", "save it as UTF-8"),
        ("zeros", &[0; 300], "save it as UTF-8"),
        ("deep", deep.as_bytes(), "line 2: this is not TOML"),
        ("dotted", dotted.as_bytes(), "this is not TOML"),
        ("large", &[b'#'; 1_100_000], "more than 1048576 bytes"),
        ("json", b"{\"version\": 1}", "line 1: this is not TOML"),
    ];
    for (name, bytes, words) in files {
        std::fs::write(at(name), bytes).unwrap();
        let other = at("other");
        std::fs::write(&other, GOOD).unwrap();
        for said in [
            run(["show".as_ref(), "check".as_ref(), at(name).as_os_str()]),
            on(&at(name), &["show", "export"]),
            on(&at(name), &["lights", "add", "ddp://10.0.0.1", "--leds", "5"]),
            on(&other, &["show", "import", at(name).to_str().unwrap()]),
        ] {
            assert_eq!(said.code(), Some(1), "{name}: {said:?}");
            tells(&said, words);
        }
        assert!(std::fs::read(at(name)).unwrap() == bytes, "{name} is unchanged");
        assert_eq!(std::fs::read_to_string(other).unwrap(), GOOD, "{name} was not imported");
    }
    symlink("loop", at("loop")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::from(0o600)).unwrap();
    for (path, words) in [
        (folder.path().to_owned(), "is a folder; give a file in it"),
        ("/dev/zero".into(), "is not a file"),
        (at("pipe"), "is not a file"),
        (at("loop"), "cannot be read"),
        (at("empty").join("k1.toml"), "cannot be read"),
    ] {
        for said in [
            run(["show".as_ref(), "check".as_ref(), path.as_os_str()]),
            on(&path, &["lights", "add", "ddp://10.0.0.1", "--leds", "5"]),
            on(&path, &["run", "--headless", "--duration", "1"]),
        ] {
            said.failed_saying(&[words]);
        }
    }
    run(["show".as_ref(), "check".as_ref(), at("nothing").as_os_str()]).failed_saying(&["does not exist"]);
}

#[test]
fn a_fault_is_told_where_it_is() {
    let folder = folder();
    let show = folder.path().join("k1.toml");
    let long = format!("name = \"{}\"", "x".repeat(10_000));
    for (from, to, words) in [
        ("leds = 4", "leds = 0", "line 7: `leds` is a whole number from 1 to 4096"),
        ("leds = 4", "leds = 4097", "line 7: `leds` is a whole number from 1 to 4096"),
        ("leds = 4", "leds = 99999999999999999999", "line 7: this is not TOML"),
        (
            "leds = 4",
            "leds = 4\nbrightness = 0.5",
            "line 6: the light “A”: a file has no setting `brightness`",
        ),
        ("file:/dev/null", "artnet://10.0.0.1?universe=32767&leds=400", "use a lower universe or fewer LEDs"),
        ("file:/dev/null", "sacn://?universe=63999&leds=400", "use a lower universe or fewer LEDs"),
        ("file:/dev/null", "terminal", "give it as --to terminal"),
        ("file:/dev/null", "", "line 6: `to` is empty"),
        ("name = \"A\"", "name = \"\"", "line 5: `name` is empty"),
        ("name = \"A\"", "name = \"a\\u0007\"", "line 5: a name has 1 to 64 bytes"),
        ("name = \"A\"", &long, "line 5: a name has 1 to 64 bytes"),
        ("name = \"A\"", "name = \"../A 🎉\"", "line 11: there is no light “A”; use one of “../A 🎉”"),
        (
            "light = \"A\"",
            "light = \"A\", to = 9",
            "line 11: the light “A” has 4 LEDs, which are numbered 0 to 3",
        ),
        (
            "light = \"A\" }",
            "light = \"A\" }, { light = \"A\" }",
            "line 11: LED 0 of “A” belongs to the piece",
        ),
        ("light = \"A\"", "gap = 9", "line 11: a zone needs a piece of a light"),
        ("light = \"A\"", "gap = 0", "line 11: `gap` is a whole number"),
        (
            "light = \"A\" }",
            "light = \"A\" }, { gap = 4096 }",
            "line 10: the zone “Z” has 4100 pixels; at most 4096",
        ),
    ] {
        let text = GOOD.replacen(from, to, 1);
        std::fs::write(&show, &text).unwrap();
        let said = run(["show".as_ref(), "check".as_ref(), show.as_os_str()]);
        assert_eq!(said.code(), Some(1), "{to}: {said:?}");
        tells(&said, words);
        // A light without its name is missing in the zone, too.
        let faults = if from.starts_with("name") { 1..=2 } else { 1..=1 };
        assert!(faults.contains(&(said.err.lines().count() - 1)), "one mistake, one fault: {}", said.err);
        assert_eq!(std::fs::read_to_string(&show).unwrap(), text);
    }
}

#[test]
fn a_map_is_read_as_it_is_meant_or_refused() {
    let folder = folder();
    let (show, map) = (folder.path().join("k1.toml"), folder.path().join("m"));
    std::fs::write(&show, GOOD.replace("[[zone]]", "[[zone]]\nmap = \"m\"")).unwrap();
    let wide: Vec<u8> = "0,0\n1,0\n1,1\n0,1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let maps: [(&[u8], &str); 20] = [
        (b"0,0\n1,0\n1,1\n0,1\n", ""),
        (b"\xef\xbb\xbfx,y\r\n0,0\r\n1,0 # corner\r\n# comment\r\n1,1\r\n0,1\r\n", ""),
        (b"0;0\n0,5;0\n1,5;-1\n0;1", ""),
        (b"0,0\n0,0\n0,0\n0,0\n", ""),
        (b"0,0\n3e38,0\n-3e38,1\n0,1\n", ""),
        (b"<custommodel CustomModel='1,2;4,3' />", ""),
        (b"", "write a line with x and y for each LED"),
        (b"0,0\n1,nan\n1,1\n0,1\n", "line 2: not a finite number"),
        (b"0,0\n1e39,0\n1,1\n0,1\n", "line 2: not a finite number"),
        (b"0\n0,0\n1,0\n1,1\n", "line 1: write two numbers"),
        (b"0,0\n1,0\n1,1\n", "the map has 3 pixels, and the pieces of the zone “Z” have 4"),
        (&wide, "save it as UTF-8"),
        (b"[[0,0],[1,0],[1,1],[0,null]]", "a list of [x, y]"),
        (b"function (pixelCount) { return [] }", "the map has no point"),
        (b"{\"map\":[0,1,2,2],\"width\":2}", "LED 2 is in the map twice"),
        (b"{\"map\":[0,1,2,4],\"width\":0}", "LED 3 is missing"),
        (b"{\"map\":[0,1,2,99999999999999999999]}", "WLED's"),
        (b"<custommodel CustomModel=\"1,2|3,4\" />", "export a model with one layer"),
        (b"<custommodel CustomModel=\"1,2;a,3\" />", "“a” in the custom model is not the number of an LED"),
        (b"<custommodel parm1=\"2\" />", "no attribute CustomModel"),
    ];
    for (bytes, words) in maps {
        std::fs::write(&map, bytes).unwrap();
        let said = run(["show".as_ref(), "check".as_ref(), show.as_os_str()]);
        assert_eq!(said.code(), Some(i32::from(!words.is_empty())), "{said:?}");
        tells(&said, words);
        assert!(words.is_empty() || said.err.contains("line 10: "), "{}", said.err);
    }
    // A show is not imported without its maps.
    std::fs::write(&map, "0,0\n1,0\n1,1\n0,1\n").unwrap();
    let other = folder.path().join("other/k1.toml");
    on(&other, &["show", "import", show.to_str().unwrap()])
        .failed_saying(&["no such file beside the show file"]);
    assert!(!other.exists());
    std::fs::remove_file(&map).unwrap();
    std::fs::create_dir(&map).unwrap();
    let said = run(["show".as_ref(), "check".as_ref(), show.as_os_str()]);
    tells(&said, "m: the map is a folder");
}

#[test]
fn a_light_is_checked_before_it_is_written() {
    let folder = folder();
    let show = folder.path().join("k1.toml");
    std::fs::write(&show, GOOD).unwrap();
    let long = "x".repeat(10_000);
    for (arguments, words) in [
        (&["", "--leds", "5"][..], "name a light"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", ""], "a name has 1 to 64 bytes"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", " "], "a name has 1 to 64 bytes"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", &long], "give another one with --name"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", "a\nb"], "no control characters"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", "B", "--zone", ""], "give another one with --zone"),
        (&["ddp://10.0.0.1", "--leds", "5", "--name", "A"], "has a light “A” already; choose another name"),
        (&["ddp://10.0.0.1", "--leds", "4095", "--zone", "Z"], "the zone “Z” has 4099 pixels; at most 4096"),
        (&["artnet://10.0.0.1?universe=32767", "--leds", "500"], "use a lower universe or fewer LEDs"),
        (&["file:/dev/null", "--name", "B"], "add --leds N"),
        (&["terminal", "--leds", "5"], "give it as --to terminal"),
        (&["tpm2:/dev/ttyUSB0?baud=1", "--leds", "5"], "baud is 1200"),
        (&["10.0.0.1:99999", "--leds", "5"], "is not a port"),
    ] {
        let said = on(&show, &[&["lights", "add"], arguments].concat());
        assert!(matches!(said.code(), Some(1 | 2)), "{arguments:?}: {said:?}");
        tells(&said, words);
        said.is_one_sentence();
        assert_eq!(std::fs::read_to_string(&show).unwrap(), GOOD, "{arguments:?}");
    }
    for arguments in [
        &["ddp://10.0.0.1", "--leds", "5", "--name", "\"../🎉\\"][..],
        &["adalight:/dev/nothing", "--leds", "60", "--name", "Cable"],
        &["file:/no/such/folder", "--leds", "4", "--name", "File"],
    ] {
        let said = on(&show, &[&["lights", "add"], arguments].concat());
        assert_eq!(said.code(), Some(0), "{said:?}");
    }
    // A light that cannot be opened does not keep the others from their test.
    let said = on(&show, &["lights", "test", "File", "A", "--step", "0", "--at", "127.0.0.1:9"]);
    said.failed_saying(&["File: ", "create its folder first"]);
    assert!(said.out.contains("A: is blue"), "{said:?}");
    std::fs::write(&show, GOOD.replace("version = 1", "version = 2")).unwrap();
    let said = on(&show, &["lights", "test", "--step", "0", "--at", "127.0.0.1:9"]);
    tells(&said, "install a newer K1");
}

#[test]
fn what_has_no_fault_shines() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let light = |name: &str, to: &str| format!("[[light]]\nname = \"{name}\"\nto = \"{to}\"\nleds = 4\n");
    let good = format!("file:{}", at("frames"));
    let piece = |name: &str| format!("{{ light = \"{name}\" }}");
    let lights = [
        ("Good", good.as_str()),
        ("Same", &good),
        ("Nowhere", &format!("file:{}", at("no/such/folder"))),
        ("Nobody", "ddp://nobody.invalid"),
        ("Cable", "adalight:/dev/nothing"),
        ("Wrong", "http://10.0.0.1"),
    ];
    let pieces: Vec<_> = lights.iter().map(|(name, _)| piece(name)).collect();
    let lights: String = lights.iter().map(|(name, to)| light(name, to)).collect();
    let show = folder.path().join("k1.toml");
    let zone = format!("[[zone]]\nname = \"Z\"\npieces = [{}]\n", pieces.join(", "));
    std::fs::write(&show, format!("version = 1\ninput = \"demo\"\n{lights}{zone}")).unwrap();
    let said = on(&show, &["run", "--headless", "--duration", "3"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    for words in [
        "line 25: the light “Wrong”: K1 does not know the target",
        "the light Same: ",
        "give each result its own name",
        "the light Nowhere: ",
        "create its folder first",
        "the light Nobody is being looked for",
        "the light Cable cannot be reached",
        "K1 runs with the rest and does not write it",
    ] {
        tells(&said, words);
    }
    assert!(frames(Path::new(&at("frames")), 4).iter().flatten().any(|byte| *byte > 20), "it shines");
}

/// A running program with a page.
struct Program {
    running: Running,
    page: String,
}

impl Program {
    fn start(show: &Path) -> Self {
        let words = ["run".as_ref(), "--listen".as_ref(), "127.0.0.1:0".as_ref(), "--show".as_ref()];
        let mut running = start(&mut k1(words.into_iter().chain([show.as_os_str()])));
        running.prints("Light is on: ");
        let printed = running.printed();
        let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap();
        Self { running, page: page.to_owned() }
    }

    /// Sets a parameter.
    fn sets(&self, name: &str, value: f64) {
        std::thread::sleep(Duration::from_millis(320));
        ureq::post(format!("{}api/params", self.page)).send_json(json!({ name: value })).unwrap();
    }

    /// Ends it as Ctrl-C does.
    fn stop(self) -> String {
        self.running.interrupt();
        self.running.end().err
    }
}

/// Waits until the file says this.
#[track_caller]
fn says(show: &Path, words: &str) {
    eventually(words, || std::fs::read_to_string(show).is_ok_and(|text| text.contains(words)));
}

#[test]
fn whatever_becomes_of_the_file_a_running_program_goes_on() {
    let folder = folder();
    let show = folder.path().join("k1.toml");
    std::fs::write(&show, GOOD).unwrap();
    let mut program = Program::start(&show);
    let replaced = |new: &dyn Fn(&Path)| {
        let _ = std::fs::remove_file(&show);
        new(&show);
    };
    // Removed: it is written again.
    replaced(&|_| {});
    program.running.says("is gone; K1 goes on with what it said");
    program.sets("warmth", 0.25);
    says(&show, "warmth = 0.25");
    // A folder: the look waits until there is a file again.
    replaced(&|show| std::fs::create_dir(show).unwrap());
    program.running.says("is a folder");
    std::fs::remove_dir(&show).unwrap();
    // Emptied, and a fault: nothing is written over.
    for (text, words) in [("", "begin the file with version = 1"), ("version = 3\n", "install a newer K1")] {
        replaced(&|show| std::fs::write(show, text).unwrap());
        program.running.says(words);
        program.sets("softness", 0.75);
        program.running.says("mend it first");
        assert_eq!(std::fs::read_to_string(&show).unwrap(), text);
    }
    // A link to another file: that one is written, and the link stays.
    let other: PathBuf = folder.path().join("other.toml");
    std::fs::write(&other, format!("{GOOD}# other\n")).unwrap();
    replaced(&|show| symlink("other.toml", show).unwrap());
    says(&other, "softness = 0.75");
    assert!(show.is_symlink() && std::fs::read_to_string(&other).unwrap().contains("# other"));
    let said = program.stop();
    assert_eq!(said.matches("is gone").count(), 1, "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_old_file_and_is_told_once() {
    if !netns::inside("a_full_disk_keeps_the_old_file_and_is_told_once") {
        return;
    }
    let folder = folder();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32k", "small"])
        .arg(folder.path())
        .status();
    assert!(mounted.unwrap().success());
    let (show, rest) = (folder.path().join("k1.toml"), folder.path().join("rest"));
    std::fs::write(&show, GOOD).unwrap();
    let mut program = Program::start(&show);
    // As much as fits.
    assert!(std::fs::write(&rest, [0; 64_000]).is_err());
    program.sets("warmth", 0.25);
    program.running.says("free some space, or choose another disk");
    // It tries again every ten seconds.
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(std::fs::read_to_string(&show).unwrap(), GOOD);
    assert_eq!(program.running.said().matches("was not written").count(), 1, "{}", program.running.said());
    std::fs::remove_file(&rest).unwrap();
    says(&show, "warmth = 0.25");
    program.stop();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn two_programs_keep_one_file() {
    let folder = folder();
    let show = folder.path().join("k1.toml");
    std::fs::write(&show, GOOD).unwrap();
    let programs = [Program::start(&show), Program::start(&show)];
    programs[0].sets("warmth", 0.25);
    programs[1].sets("softness", 0.75);
    says(&show, "warmth = 0.25");
    says(&show, "softness = 0.75");
    // A port that is taken is the only message.
    let port = programs[0].page.trim_start_matches("http://").trim_end_matches('/');
    on(&show, &["run", "--listen", port]).failed_saying(&["is in use", "--listen 127.0.0.1:0"]);
    for program in programs {
        program.stop();
    }
}
