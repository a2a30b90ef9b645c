//! The show file: zones reach the right LEDs, a look that was changed is written, and a file that was edited is taken over.
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Running, eventually, folder, frames, k1, run, start};

/// A running program with a page.
struct Program {
    running: Running,
    page: String,
}

impl Program {
    fn start(show: &Path) -> Self {
        let mut running = start(&mut k1([
            "run".as_ref(),
            "--show".as_ref(),
            show.as_os_str(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
        ]));
        let page = running.page();
        Self { running, page }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        std::thread::sleep(Duration::from_millis(320));
        ureq::post(format!("{}{path}", self.page)).send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    /// Status of a refusal.
    fn refused(&self, path: &str, body: &Value) -> u16 {
        std::thread::sleep(Duration::from_millis(320));
        match ureq::post(format!("{}{path}", self.page)).send_json(body) {
            Err(ureq::Error::StatusCode(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    fn get(&self, path: &str) -> Value {
        std::thread::sleep(Duration::from_millis(320));
        ureq::get(format!("{}{path}", self.page)).call().unwrap().body_mut().read_json().unwrap()
    }

    /// Ends it as Ctrl-C does.
    fn stop(self) -> String {
        self.running.interrupt();
        self.running.end().err
    }
}

/// A show with two lights that are files: 6 and 12 LEDs.
fn two_files(folder: &Path) -> (PathBuf, String) {
    let at = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "# Two strips.\nversion = 1\ninput = \"demo\"\n\n[[light]]\nname = \"A\"  # on the shelf\nto = \"file:{}\"\nleds = 6\n\n\
         [[light]]\nname = \"B\"\nto = \"file:{}\"\nleds = 12\n\n\
         [[zone]]\nname = \"Long\"\npieces = [\n  {{ light = \"A\", reversed = true }},\n  {{ light = \"B\", to = 3 }},\n]\n\
         look = {{ pattern = \"spectrum\", dithering = 0 }}  # by ear\n\n\
         [[zone]]\nname = \"Short\"\npieces = [{{ light = \"B\", from = 6, group = 2 }}]\nlook = {{ pattern = \"lava\", dithering = 0 }}\n",
        at("a"),
        at("b")
    );
    let path = folder.join("show.toml");
    std::fs::write(&path, &text).unwrap();
    (path, text)
}

#[test]
fn the_example_of_the_documentation_is_valid() {
    let page = std::fs::read_to_string(support::here("../../docs/show-file.md")).unwrap();
    let example = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let folder = folder();
    let path = folder.path().join("k1.toml");
    std::fs::write(&path, example).unwrap();
    let said = run(["show".as_ref(), "check".as_ref(), path.as_os_str()]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(said.out.contains("zone Wall: 214 pixels on Shelf, Window"), "{said:?}");
    assert!(said.out.contains("zone Window side: 38 pixels on Window"), "{said:?}");
}

#[test]
fn each_led_shows_its_pixel_of_its_zone() {
    let folder = folder();
    let (path, _) = two_files(folder.path());
    let whole = folder.path().join("whole");
    let said = run([
        "run".to_owned(),
        "--show".to_owned(),
        path.display().to_string(),
        "--headless".to_owned(),
        "--duration".to_owned(),
        "3".to_owned(),
        "--to".to_owned(),
        format!("file:{}", whole.display()),
    ]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(said.out.contains("[SHOW]") && said.out.contains("2 zones, 2 lights"), "{}", said.out);
    assert!(said.out.contains("0 allocations in the loops"), "{}", said.out);
    let (a, b) = (frames(&folder.path().join("a"), 6), frames(&folder.path().join("b"), 12));
    let whole = frames(&whole, 10);
    assert!(a.len() > 100 && b.len() > 100 && whole.len() > 100, "{} {} {}", a.len(), b.len(), whole.len());
    let pixels = |frame: &[u8]| frame.chunks(3).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut bright = 0;
    for frame in &a {
        let mut turned = pixels(frame);
        turned.reverse();
        bright += usize::from(turned.iter().flatten().any(|byte| *byte > 20));
        assert!(whole.iter().any(|w| pixels(w)[..6] == turned[..]), "a frame that the zone never had");
    }
    assert!(bright > 50, "{bright} frames are bright");
    for frame in &b {
        let frame = pixels(frame);
        assert!(whole.iter().any(|w| pixels(w)[6..] == frame[..4]), "B has the rest of the zone");
        assert!(frame[4..6].iter().flatten().all(|byte| *byte == 0), "no zone has these");
        assert!((6..12).step_by(2).all(|i| frame[i] == frame[i + 1]), "pairs show the same");
    }
    assert!(b.iter().any(|frame| frame[18..] != frame[..18]), "two looks");
}

#[test]
fn a_look_is_written_once_it_rests_and_a_hand_edit_beside_it_stays() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let mut program = Program::start(&path);
    program.post("api/params", &json!({"warmth": 0.4}));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "not while it may still move");
    // By hand, before the look has rested: the other zone, another parameter, and a comment.
    let edited = text
        .replace("\"lava\", dithering = 0", "\"bloom\", dithering = 0, speed = 0.7")
        .replace("# by ear", "# by hand")
        .replace("dithering = 0 }  #", "dithering = 0, softness = 0.9 }  #");
    std::fs::write(&path, &edited).unwrap();
    eventually("a look that is written", || std::fs::read_to_string(&path).unwrap().contains("warmth = 0.4"));
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, edited.replace("softness = 0.9", "softness = 0.9, warmth = 0.4"));
    eventually("both in force", || {
        let params = program.get("api/params");
        params["softness"] == json!(0.9) && params["warmth"] == json!(0.4)
    });
    // A light more, taken over while K1 runs.
    let third = folder.path().join("c");
    let more = format!(
        "{after}\n[[light]]\nname = \"C\"\nto = \"file:{}\"\nleds = 5\n\n[[zone]]\nname = \"New\"\npieces = [{{ light = \"C\" }}]\n",
        third.display()
    );
    std::fs::write(&path, more.replace("pattern = \"spectrum\"", "pattern = \"hype\"")).unwrap();
    program.running.prints("Light is on");
    eventually("the new light", || std::fs::metadata(&third).is_ok_and(|m| m.len() > 300));
    let device = program.get("api/v1/device");
    let names: Vec<_> = device["lights"].as_array().unwrap().iter().map(|l| l["name"].clone()).collect();
    assert_eq!(names, ["A", "B", "C"]);
    assert_eq!(program.get("api/v1/status")["pattern"], "hype");
    assert_eq!(program.get("api/v1/status")["vitals"]["allocations"], 0);
    // And one less.
    std::fs::write(&path, &after).unwrap();
    eventually("the light is gone", || {
        program.get("api/v1/device")["lights"].as_array().is_some_and(|lights| lights.len() == 2)
    });
    // A file that is gone is written again with the next change.
    std::fs::remove_file(&path).unwrap();
    program.running.says("is gone");
    program.post("api/params", &json!({"warmth": 0.2}));
    eventually("the file again", || {
        std::fs::read_to_string(&path).is_ok_and(|text| text.contains("warmth = 0.2"))
    });
    assert_eq!(std::fs::read_to_string(&path).unwrap(), after.replace("warmth = 0.4", "warmth = 0.2"));
    program.stop();
    // What had not rested yet is written at the end.
    let program = Program::start(&path);
    program.post("api/select", &json!({"id": "octave"}));
    // A change comes into force with the next frame.
    eventually("the pattern in force", || program.get("api/v1/status")["pattern"] == "octave");
    program.stop();
    assert!(std::fs::read_to_string(&path).unwrap().contains("pattern = \"octave\""));
}

#[test]
fn a_map_that_was_edited_is_taken_over() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let map = folder.path().join("corner.csv");
    // All LEDs of the first light at one place, so that they show the same.
    std::fs::write(&map, "x,y\n".to_owned() + &"3,3\n".repeat(10)).unwrap();
    let mapped = text.replace("pieces = [\n", "map = \"corner.csv\"\npieces = [\n");
    std::fs::write(&path, mapped.replace("spectrum", "plasma")).unwrap();
    let mut program = Program::start(&path);
    let is_lit = |frame: &[u8]| frame.iter().any(|byte| *byte > 20);
    let is_even = |frame: &[u8]| frame.chunks(3).all(|led| led == &frame[..3]);
    let recorded = || frames(&folder.path().join("a"), 6);
    eventually("light", || recorded().iter().filter(|frame| is_lit(frame)).count() > 50);
    assert!(recorded().iter().all(|frame| is_even(frame)), "one place, one colour");
    std::fs::write(&map, "only one point\n").unwrap();
    program.running.says("corner.csv: the map has no point");
    program.running.says("K1 goes on with what it said before");
    let points: String = (0..10).map(|i| format!("{i},{}\n", i % 3)).collect();
    std::fs::write(&map, points).unwrap();
    program.running.says("corner.csv has changed, and K1 shows it");
    eventually("the new places", || {
        let newest = recorded();
        newest.iter().rev().take(20).any(|frame| is_lit(frame) && !is_even(frame))
    });
    assert_eq!(program.get("api/v1/status")["vitals"]["allocations"], 0);
    program.stop();
}

#[test]
fn a_wrong_or_newer_file_harms_nothing() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let mut program = Program::start(&path);
    let newer = text.replace("version = 1", "version = 2").replace("spectrum", "hype");
    std::fs::write(&path, &newer).unwrap();
    program.running.says("line 2: version 2 is newer than this program");
    program.running.says("K1 goes on with what it said before");
    assert_eq!(program.get("api/v1/status")["pattern"], "spectrum");
    program.post("api/params", &json!({"warmth": 0.4}));
    program.running.says("the look was not written");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
    // Mended, with the look that could not be written.
    std::fs::write(&path, &text).unwrap();
    eventually("the look", || std::fs::read_to_string(&path).unwrap().contains("warmth = 0.4"));
    program.stop();

    // At the start, the rest shines.
    std::fs::write(&path, text.replace("leds = 12", "leds = 0")).unwrap();
    let mut program = Program::start(&path);
    program.running.says("line 13: `leds` is a whole number from 1 to 4096");
    let device = program.get("api/v1/device");
    assert_eq!(device["lights"].as_array().unwrap().len(), 1, "{device}");
    program.stop();
    let missing = folder.path().join("none.toml");
    let said = run(["run".as_ref(), "--show".as_ref(), missing.as_os_str()]);
    said.failed_saying(&["does not exist", "k1 lights add"]);
}

#[test]
fn zones_and_the_file_are_changed_through_the_api() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let program = Program::start(&path);
    let zones = program.get("api/v1/zones");
    let of = |zones: &Value, i: usize, field: &str| zones["zones"][i][field].clone();
    assert_eq!((of(&zones, 0, "name"), of(&zones, 0, "leds")), (json!("Long"), json!(10)));
    assert_eq!((of(&zones, 1, "name"), of(&zones, 1, "pattern")), (json!("Short"), json!("lava")));
    let answer = program.post(
        "api/v1/zones",
        &json!({"zone": "Short", "pattern": "hype", "params": {"speed": 0.25, "warmth": 7}}),
    );
    assert_eq!((&answer["pattern"], &answer["params"]["warmth"]), (&json!("hype"), &json!(1.0)));
    assert_eq!(program.refused("api/v1/zones", &json!({"zone": "Nowhere"})), 404);
    assert_eq!(program.refused("api/v1/zones", &json!({"zone": "Short", "pattern": "x"})), 404);
    eventually("the look of the second zone", || {
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("pattern = \"hype\", dithering = 0, warmth = 1.0, speed = 0.25")
    });
    let zones = program.get("api/v1/zones");
    assert_eq!((of(&zones, 0, "pattern"), of(&zones, 1, "pattern")), (json!("spectrum"), json!("hype")));

    let lights = program.get("api/v1/lights");
    let b = &lights["lights"][1];
    assert_eq!((&b["name"], &b["leds"], &b["zones"]), (&json!("B"), &json!(12), &json!(["Long", "Short"])));
    assert_eq!(b["state"]["state"], "shining", "{lights}");
    program.post("api/v1/lights/test", &json!({"light": "A", "picture": "red", "seconds": 1}));
    let red = |frame: &Vec<u8>| frame.chunks(3).all(|led| led[0] > 0 && led[1..] == [0, 0]);
    eventually("red", || frames(&folder.path().join("a"), 6).iter().any(red));
    assert_eq!(
        program.refused("api/v1/lights/test", &json!({"light": "X", "picture": "red", "seconds": 1})),
        404
    );
    assert_eq!(
        program.refused("api/v1/lights/test", &json!({"light": "A", "picture": "?", "seconds": 1})),
        400
    );
    assert_eq!(
        program.refused("api/v1/lights/test", &json!({"light": "A", "picture": "red", "seconds": 1e9})),
        400
    );
    let third = format!("file:{}", folder.path().join("c").display());
    let new = json!({"name": "C", "to": third, "leds": 4, "pattern": "octave", "reversed": true});
    assert_eq!(program.post("api/v1/lights", &new)["written"], true);
    let answer = program.post("api/v1/lights", &new);
    assert!(
        answer["written"] == false && answer["faults"][0].as_str().unwrap().contains("already"),
        "{answer}"
    );
    eventually("the new light", || std::fs::metadata(folder.path().join("c")).is_ok_and(|m| m.len() > 300));
    assert_eq!(of(&program.get("api/v1/zones"), 2, "pattern"), "octave");
    assert_eq!(program.post("api/v1/lights/find", &json!({}))["searching"], true);
    eventually("the end of the search", || program.get("api/v1/lights/find")["searching"] == false);

    let file = program.get("api/v1/show");
    assert_eq!(file["faults"], json!([]));
    let now = file["text"].as_str().unwrap();
    // With a fault: not written.
    let faulty = now.replace("leds = 12", "leds = 0");
    let answer = program.post("api/v1/show", &json!({"text": faulty, "mark": file["mark"]}));
    assert!(
        answer["written"] == false && answer["faults"][0].as_str().unwrap().starts_with("line 13: `leds`"),
        "{answer}"
    );
    // A hand edit since it was read: not written over.
    std::fs::write(&path, format!("{now}# by hand\n")).unwrap();
    let wanted = now.replace("Two strips", "Two files").replace("\"Short\"", "\"Brief\"");
    assert_eq!(program.refused("api/v1/show", &json!({"text": wanted, "mark": file["mark"]})), 409);
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("# by hand\n"));
    // Read again, changed, taken over.
    let mark = program.get("api/v1/show")["mark"].clone();
    let answer = program.post("api/v1/show", &json!({"text": wanted, "mark": mark}));
    assert_eq!(answer["written"], true, "{answer}");
    eventually("the new name", || of(&program.get("api/v1/zones"), 1, "name") == "Brief");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("# Two files."));
    assert_ne!(text, wanted);
    program.stop();
}

#[test]
fn a_light_that_cannot_be_is_not_added_and_the_rest_shines() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let program = Program::start(&path);
    let long = "x".repeat(65);
    let good = json!({"name": "C", "to": "ddp://127.0.0.1", "leds": 4});
    for (key, value, says) in [
        ("name", json!(""), "`name` is empty"),
        ("name", json!(long), "a name has 1 to 64 bytes"),
        ("name", json!("a\nb"), "a name has 1 to 64 bytes and no control characters"),
        ("name", json!("A"), "has a light “A” already"),
        ("to", json!(""), "`to` is empty"),
        ("to", json!("ddp://"), "needs a host"),
        ("to", json!("terminal"), "the terminal belongs to a single run"),
        ("to", json!("ddp://x?colour=blue"), "there is no setting “colour”"),
        ("to", json!("artnet://x?universe=32768"), "universe is 0 … 32767"),
        ("to", json!("sacn://?interface=nowhere"), "interface is an IPv4 address of this machine"),
        ("to", json!("ddp://x?order=rgb&order=grb"), "order is given twice"),
        ("leds", json!(0), "a light has 1 to 4096 LEDs, not 0"),
        ("leds", json!(4_097), "a light has 1 to 4096 LEDs, not 4097"),
        ("matrix", json!([0, 4]), "a matrix of 0 LEDs does not fit a light of 4"),
        ("matrix", json!([2, 3]), "a matrix of 6 LEDs does not fit a light of 4"),
        ("matrix", json!([u32::MAX, u32::MAX]), "does not fit a light of 4"),
        ("zone", json!(long), "a name has 1 to 64 bytes"),
    ] {
        let mut new = good.clone();
        new[key] = value.clone();
        let answer = program.post("api/v1/lights", &new);
        let fault = answer["faults"][0].as_str().unwrap_or_default();
        assert!(answer["written"] == false && fault.contains(says), "{key} {value}: {answer}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{key} {value}");
    }
    assert_eq!(program.refused("api/v1/lights", &json!({"name": "C", "to": "ddp://x", "leds": -1})), 400);
    assert_eq!(program.get("api/v1/status")["lights"].as_array().unwrap().len(), 2);
    // With a matrix, its zone has that shape.
    let new = json!({"name": "C", "to": "ddp://127.0.0.1?order=rgbw", "leds": 4, "matrix": [2, 2]});
    assert_eq!(program.post("api/v1/lights", &new)["written"], true);
    let after = std::fs::read_to_string(&path).unwrap();
    assert!(after.contains("order = \"rgbw\"") && after.contains("shape = \"matrix:2x2\""), "{after}");
    program.stop();
}

#[test]
fn a_show_is_checked_exported_and_imported() {
    let folder = folder();
    let (path, text) = two_files(folder.path());
    let file = path.display().to_string();
    let said = run(["show", "check", &file]);
    assert!(
        said.out.contains("has no fault") && said.out.contains("zone Long: 10 pixels on A, B"),
        "{said:?}"
    );
    // A scene may outlive a zone.
    let scene = "\n[[scene]]\nname = \"Old\"\nlooks = { Attic = { pattern = \"lava\" }, Long = { pattern = \"lava\" } }\n";
    std::fs::write(&path, format!("{text}{scene}")).unwrap();
    let said = run(["show", "check", &file]);
    let line = "scene Old: there is no zone Attic, so K1 leaves its look out\n";
    assert!(said.code() == Some(0) && said.out.contains(line), "{said:?}");
    std::fs::write(&path, &text).unwrap();
    let home = folder.path().join("home");
    let k1 = |args: &[&str]| start(k1(args).env("XDG_CONFIG_HOME", &home)).end();
    assert!(k1(&["show", "check"]).err.contains("does not exist"));
    assert_eq!(k1(&["show", "import", &file]).code(), Some(0));
    assert_eq!(k1(&["show", "export"]).out, text);
    let other = text.replace("# Two strips.", "# Others.");
    std::fs::write(&path, &other).unwrap();
    assert_eq!(k1(&["show", "import", &file]).code(), Some(0));
    assert_eq!(std::fs::read_to_string(home.join("k1/k1.toml")).unwrap(), other);
    assert_eq!(std::fs::read_to_string(home.join("k1/k1.toml.old")).unwrap(), text);
    std::fs::write(&path, text.replace("to = 3", "to = 12").replace("\"lava\"", "\"larva\"")).unwrap();
    let said = k1(&["show", "import", &file]);
    assert_eq!(said.code(), Some(1));
    assert!(
        said.err.contains("line 19: the light “B” has 12 LEDs") && said.err.contains("has 2 faults"),
        "{}",
        said.err
    );
    assert_eq!(std::fs::read_to_string(home.join("k1/k1.toml")).unwrap(), other);
    // A map lies beside its show.
    let mapped = text.replace("pieces = [{ light = \"B\"", "map = \"corner.csv\"\npieces = [{ light = \"B\"");
    std::fs::write(&path, &mapped).unwrap();
    let said = k1(&["show", "check", &file]);
    assert!(said.err.contains("corner.csv: there is no such file beside the show file"), "{}", said.err);
    std::fs::write(folder.path().join("corner.csv"), "x,y\n0,0\n1,0\n1,1\n").unwrap();
    assert_eq!(k1(&["show", "check", &file]).code(), Some(0));
    let said = k1(&["run", "--show", &file, "--headless", "--duration", "0.5"]);
    assert!(said.code() == Some(0) && said.out.contains("2 zones"), "{said:?}");
    // It is used without being named.
    let said = k1(&["run", "--headless", "--duration", "0.5"]);
    assert!(said.out.contains("2 zones, 2 lights"), "{said:?}");
    let said = k1(&["run", "--headless", "--duration", "0.5", "--leds", "9"]);
    assert!(!said.out.contains("[SHOW]"), "{said:?}");
}

/// Kills a command at each of its changes to the disk in turn. Every file must be whole: as before or as after.
#[test]
fn a_cut_at_any_step_leaves_the_old_file_or_the_new_one() {
    let has_strace = std::process::Command::new("strace").arg("-V").output().is_ok();
    if !has_strace {
        return support::need::missing("strace", "strace");
    }
    let folder = folder();
    let (path, old) = two_files(folder.path());
    let new = old.replace("# Two strips.", "# Others, with a longer comment than before.");
    let from = folder.path().join("new.toml");
    std::fs::write(&from, &new).unwrap();
    let (mut steps, mut kept) = (0, 0);
    // strace counts each call by itself.
    for call in ["openat", "write", "fsync", "rename", "unlink", "close"] {
        for nth in 1.. {
            std::fs::write(&path, &old).unwrap();
            let (from, to) = (from.display().to_string(), path.display().to_string());
            let import = k1(["show", "import", &from, "--show", &to]);
            let mut command = std::process::Command::new("strace");
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            command.args(["-f", "-o", "/dev/null", "-e", &inject]);
            let done = command.arg(import.get_program()).args(import.get_args()).output().unwrap();
            let now = std::fs::read_to_string(&path).unwrap();
            assert!(now == old || now == new, "{call} {nth}: {now}");
            let backup = std::fs::read_to_string(folder.path().join("show.toml.old")).ok();
            assert!(backup.is_none_or(|text| text == old || text == new), "{call} {nth}");
            if done.status.success() {
                assert_eq!(now, new);
                break;
            }
            kept += usize::from(now == old);
            steps += 1;
            assert!(nth < 100);
        }
    }
    println!(
        "cut at {steps} of {steps} steps: {kept} times the old file, {} times the new one",
        steps - kept
    );
    assert!(steps > 10 && (5..steps).contains(&kept), "{steps} steps, {kept} of them before the new file");
}
