//! The commands in `docs/runbook.md`, run with a virtual lamp.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::doors::{Monitor, socket};
use crate::lamp::{Lamp, firmware, ready};
use crate::support::{self, Said, run};
use crate::update::{confirmed, image};

/// Rows that depend on the emulator's share of this machine, and the row that a virtual lamp without a flash file never
/// passes.
const NOT_OURS: [&str; 6] = ["frames", "steady", "age", "host", "health", "rollback"];

/// The row that a good steady lamp can fail if the emulator stops a hart for tens of milliseconds.
fn may_be_late(lamp: &Lamp, id: &str) -> bool {
    id == "age" && !lamp.shares_evenly()
}

fn rows(record: &Value) -> Vec<(&str, &str)> {
    let all = record["rows"].as_array().unwrap_or_else(|| panic!("no rows in {record}"));
    all.iter().map(|r| (r["id"].as_str().unwrap(), r["verdict"].as_str().unwrap())).collect()
}

/// A row's id, its verdict and its measured value.
fn words(row: &Value) -> [&str; 3] {
    ["id", "verdict", "measured"].map(|key| row[key].as_str().unwrap())
}

#[test]
fn operate_devices_and_monitor() {
    let Some(lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    lamp.says_eventually("[MEMORY]");
    let url = format!("http://127.0.0.1:{}/#token={}", lamp.http, lamp.token);
    for place in ["virt", &url] {
        let all = run(["devices", place, "--json"]).json();
        let entry = &all[0];
        assert_eq!((all.as_array().unwrap().len(), &entry["board"]), (1, &"virt".into()), "{all}");
        assert!(entry["name"].as_str().is_some_and(|n| n.starts_with("k1-")), "{entry}");
        assert!(entry["fps"].as_f64() > Some(10.0) && entry["version"].is_string(), "{entry}");
        assert!(entry["trouble"].is_null(), "{entry}");
    }
    let table = run(["devices", "virt"]);
    assert!(table.out.starts_with("NAME") && table.out.contains("virt") && table.code() == Some(0));
    // K1 remembers the token for this address.
    let elsewhere = format!("localhost:{}", lamp.http);
    let locked = run(["devices", &elsewhere, "--token", "wrong", "--json"]).json();
    assert!(locked[0]["trouble"].is_string() && locked[0]["fps"].is_null(), "{locked}");
    run(["devices", &format!("http://{elsewhere}/#token={}", lamp.token), "--json"]).json();
    let known = run(["devices", &elsewhere, "--json"]).json();
    assert!(known[0]["fps"].is_number(), "{known}");
    // A wrong token is refused.
    let address = format!("127.0.0.1:{}", lamp.http);
    let wrong = run(["devices", &address, "--token", "wrong", "--json"]).json();
    assert!(wrong[0]["trouble"].as_str().is_some_and(|t| t.contains("--token")), "{wrong}");
    assert!(wrong[0]["fps"].is_null(), "nothing is made up: {wrong}");

    let monitor = support::start(&mut support::k1(["monitor", "virt", "--json"]));
    // The last line may be incomplete.
    support::eventually("three readings", || monitor.printed().lines().count() > 3);
    let printed = monitor.printed();
    drop(monitor);
    for line in printed.lines().take(3) {
        let line: Value = serde_json::from_str(line).unwrap();
        let figures = &line["figures"];
        assert!(figures["fps"].is_number() && figures["heap_free"].is_number(), "{line}");
        assert!(figures["temperature_c"].is_null(), "an emulated chip has no temperature: {line}");
    }
    assert_eq!(run(["monitor", "virt", "--json", "--duration", "1"]).code(), Some(0));
    // By cable: the console's lines unchanged.
    let mut command = support::k1(["monitor", "--serial", "-", "--json"]);
    let mut cable = support::start(command.stdin(Stdio::piped()));
    let mut input = cable.input();
    input.write_all(lamp.console().as_bytes()).unwrap();
    drop(input);
    cable.prints("the console has ended");
    let read = cable.printed();
    let first: Value = serde_json::from_str(read.lines().next().unwrap()).unwrap();
    assert!(first["figures"]["fps"].is_number() && first["figures"]["render_stack"].is_number(), "{first}");
}

/// A good lamp passes every row on any machine. Also checks the record and the raw figures.
#[test]
fn operate_validate() {
    let Some(lamp) = Lamp::start_steady(None, &firmware("lamp.bin")) else { return };
    lamp.post("/api/select", serde_json::json!({"id": "lava"}));
    lamp.post("/api/params", serde_json::json!({"warmth": 0.25}));
    lamp.becomes(120, confirmed);
    let folder = support::folder();
    let file = folder.path().join("record.json");
    let raw = folder.path().join("raw.jsonl");
    let files = ["--record", file.to_str().unwrap(), "--raw", raw.to_str().unwrap()];
    let said = validate(&[["virt", "--for", "60", "--json"].as_slice(), &files].concat());
    let record = said.json();
    let seconds = std::fs::read_to_string(&raw).unwrap();
    let seconds: Vec<Value> = seconds.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(seconds.iter().all(|s| s["reading"]["fps"].is_number()), "{seconds:?}");
    // Each second of the lamp's clock appears once.
    let times: Vec<_> = seconds.iter().map(|s| s["t"].as_f64().unwrap()).collect();
    assert!(times.len() >= 20 && times.windows(2).all(|t| t[1] >= t[0] + 1.0), "{times:?}");
    for r in record["rows"].as_array().unwrap() {
        let [id, verdict, measured] = words(r);
        println!("{verdict:<8} {id:<14} {measured}");
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, record);
    assert!(record["steady"] == true && record["host"].is_null(), "{record}");
    let rows = rows(&record);
    for (id, verdict) in &rows {
        assert!(*verdict == "passed" || may_be_late(&lamp, id), "{id} is {verdict}");
    }
    assert_eq!(rows.len(), 17, "{rows:?}");
    let all_pass = rows.iter().all(|(_, verdict)| *verdict == "passed");
    assert_eq!((record["passed"] == true, said.code() == Some(0)), (all_pass, all_pass));
    // The lamp has its previous look again.
    support::eventually("the look is back", || {
        lamp.get("/api/params")["warmth"] == 0.25 && lamp.get("/api/patterns")["current_pattern"] == 1
    });
}

/// `validate` also watches this machine if the lamp follows this machine's clock.
#[test]
fn operate_validate_watches_the_host() {
    let Some(_lamp) = Lamp::start(None) else { return };
    let record = validate(&["virt", "--for", "5", "--json"]).json();
    // It was watched for the whole time.
    let host = record["host"].as_array().unwrap();
    let ends: Vec<_> = host.iter().map(|s| s["t"].as_f64().unwrap()).collect();
    assert!(host.len() >= 20 && ends.is_sorted() && ends.last() > Some(&25.0), "{host:?}");
    assert!(host.iter().all(|s| s["overslept_ms"].is_number()), "{host:?}");
    let rows = rows(&record);
    for (id, verdict) in &rows {
        assert!(*verdict == "passed" || NOT_OURS.contains(id), "{id} is {verdict}");
    }
    if rows.contains(&("host", "not_measured")) {
        let timed = ["frames", "steady", "age"];
        assert!(
            timed.iter().all(|id| !rows.contains(&(id, "passed"))),
            "a host that was away proves nothing: {rows:?}"
        );
    }
}

#[test]
fn operate_validate_goes_on_when_the_lamp_starts_again_and_ends_early_when_told_to() {
    let folder = support::folder();
    let door = folder.path().join("monitor");
    let emulator = ["-qmp".into(), socket(&door)];
    let Some(mut lamp) = Lamp::start_in(None, Some(&firmware("lamp.bin")), &emulator) else { return };
    lamp.says("[FPS]");
    let judge = support::start(&mut support::k1(["validate", "virt", "--for", "1h", "--json"]));
    support::eventually("patterns are looked at", || lamp.get("/api/patterns")["current_pattern"] == 6);
    Monitor::open(&door).reset();
    support::eventually_within(Duration::from_secs(120), "the reads are done", || {
        let test = lamp.get("/api/v1/self-test");
        test["wanted"] == 1_000_000 && test["state"] == "done"
    });
    // By now it has measured enough.
    std::thread::sleep(Duration::from_secs(10));
    judge.interrupt();
    let said = judge.end();
    assert_eq!(said.code(), Some(1));
    let record = said.json();
    assert!(
        record["length_s"].as_f64() < Some(300.0),
        "what was measured, and not what was asked for: {record}"
    );
    let rows = rows(&record);
    assert!(rows.contains(&("run", "failed")) && rows.contains(&("light", "not_measured")), "{rows:?}");
    assert!(rows.contains(&("reads_500", "passed")) && rows.contains(&("boot", "passed")), "{rows:?}");
    let run = record["rows"].as_array().unwrap().iter().find(|r| r["id"] == "run").unwrap();
    assert!(run["measured"].as_str().unwrap().starts_with("1 restarts"), "{run}");
}

/// Lamps that are broken on purpose: the fault, the criterion that must fail, and those that may fail. The lamp whose
/// microphone uses the wrong slot reports that itself; the slow lamp also reports that it did not pass its trial.
const BROKEN: [(&str, &str, &[&str]); 5] = [
    ("side", "light", &["errors", "health", "rollback"]),
    ("slow", "frames", &["errors", "steady", "health", "rollback"]),
    ("leak", "heap", &["health", "rollback"]),
    ("mute", "boot", SILENT),
    ("torn", "reads_million", &["reads_500", "errors", "health", "rollback"]),
];

/// Criteria that the mute lamp cannot measure, because their task does not run, and those that fail as a result: it
/// reports that it is unhealthy, and its trial fails.
const SILENT: &[&str] =
    &["errors", "frames", "steady", "render_stack", "audio_stack", "heap", "health", "rollback"];

#[test]
fn operate_validate_finds_what_is_broken() {
    // Each takes minutes. The first always runs, the others with K1_BROKEN=side,slow,leak,mute,torn. (Run `cargo xtask
    // broken` first, which builds the last.)
    let asked = std::env::var("K1_BROKEN").unwrap_or_else(|_| BROKEN[0].0.into());
    let asked: Vec<_> =
        asked.split(',').map(|name| BROKEN.iter().find(|b| b.0 == name).expect("a name of BROKEN")).collect();
    let Some(ready) = ready() else { return };
    let folder = support::folder();
    for (number, (fault, must, may)) in asked.iter().enumerate() {
        let file = folder.path().join(fault);
        let broken = if *fault == "torn" {
            std::fs::read(firmware("../../broken/riscv32imafc-unknown-none-elf/release/lamp.bin"))
                .expect("cargo xtask broken builds it")
        } else {
            image(&ready, fault)
        };
        std::fs::write(&file, broken).unwrap();
        let Some(lamp) = Lamp::start_steady(None, &file) else { return };
        // An image that was written by cable is on trial. If it fails, it rolls back, which must not happen during the
        // check.
        lamp.becomes(240, |s| confirmed(s) || s["last"]["outcome"] == "rolled_back");
        let record = validate(&["virt", "--for", "50", "--json", "--rollback-on-fail"]).json();
        let failed = |row: &&Value| row["verdict"] != "passed";
        let failed: Vec<&Value> = record["rows"].as_array().unwrap().iter().filter(failed).collect();
        for row in &failed {
            let [id, verdict, measured] = words(row);
            println!("{fault}: {id} {verdict}: {measured}");
        }
        let caught = failed.iter().find(|row| row["id"] == *must && row["verdict"] == "failed");
        let caught = caught.unwrap_or_else(|| panic!("{fault} is not caught by {must}: {record}"));
        let others = failed.iter().map(|row| row["id"].as_str().unwrap());
        let others: Vec<_> =
            others.filter(|id| id != must && !may_be_late(&lamp, id) && !may.contains(id)).collect();
        assert!(others.is_empty(), "{fault} fails at {others:?}, too");
        if *fault == "slow" {
            let measured = caught["measured"].as_str().unwrap();
            let said: Vec<f64> = measured.split(" of ").map(|n| n.parse().unwrap()).collect();
            assert!(said[0] < said[1] / 2.0, "{caught}");
        }
        assert!(record["rolled_back"].is_string(), "it was asked for, and what became of it is told");
        println!("{} of {} broken lamps were caught", number + 1, asked.len());
    }
}

/// Runs `k1 validate`, with a longer time limit than other commands.
fn validate(arguments: &[&str]) -> Said {
    let all: Vec<_> = std::iter::once("validate").chain(arguments.iter().copied()).collect();
    support::start(&mut support::k1(all)).end_within(Duration::from_secs(900))
}

/// An operator with a home folder of their own.
struct Operator<'a>(&'a Path);

impl Operator<'_> {
    /// Runs a line of the runbook in the operator's home folder.
    #[track_caller]
    fn says(&self, line: &str) -> Said {
        let began = Instant::now();
        let mut command = support::k1(line.split_whitespace().skip(1));
        command.env("XDG_CONFIG_HOME", self.0).current_dir(self.0);
        let said = support::start(&mut command).end_within(Duration::from_secs(900));
        println!("{:>6.1} s  {line}", began.elapsed().as_secs_f64());
        said
    }

    /// Runs a line that must succeed; returns its output.
    #[track_caller]
    fn does(&self, line: &str) -> String {
        let said = self.says(line);
        assert_eq!(said.code(), Some(0), "{line}: {said:?}");
        said.out
    }

    /// Runs a line that must fail with these words.
    #[track_caller]
    fn cannot(&self, line: &str, words: &str) {
        let said = self.says(line);
        assert_eq!(said.code(), Some(1), "{line}: {said:?}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
    }
}

#[test]
fn operate_deploy_and_roll_back() {
    let home = support::folder();
    let flash = home.path().join("flash");
    let Some(lamp) = Lamp::start(Some(&flash)) else { return };
    let operator = Operator(home.path());
    // Four letters that are not the name of a fault make a different, good image.
    for fault in ["good", "next", "pani"] {
        std::fs::write(home.path().join(format!("{fault}.bin")), image(&lamp.ready, fault)).unwrap();
    }
    operator.cannot("k1 sign good.bin --board virt", "k1 keys new");
    operator.does("k1 keys new");
    operator.does("k1 sign good.bin --board virt --image-version 1.2.0 --patience 15 -o good.k1");
    operator.does("k1 sign pani.bin --board virt --image-version 1.2.1 --patience 15 -o bad.k1");
    signature_holds(&operator);

    operator.cannot("k1 deploy good.k1 --to virt", "k1 keys trust");
    operator.does("k1 keys trust virt");
    lamp.becomes(90, confirmed);
    let said = operator.does("k1 deploy good.k1 --to virt --dry-run");
    assert!(said.contains("would take it"), "{said}");
    let said = operator.does("k1 deploy good.k1 --to virt --report deploy.jsonl");
    assert!(said.contains("confirmed by itself after"), "{said}");
    let report = std::fs::read_to_string(home.path().join("deploy.jsonl")).unwrap();
    let steps: Vec<Value> = report.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        steps.iter().map(|s| s["step"].as_str().unwrap()).collect::<Vec<_>>(),
        ["before", "sent", "verdict"]
    );
    assert_eq!(steps[2]["raw"]["running"]["version"], "1.2.0");
    assert!(operator.does("k1 deploy good.k1 --to virt").contains("runs this image already"));

    operator.cannot("k1 deploy bad.k1 --to virt", "took itself back to 1.2.0: told to fall over");
    let all = operator.says("k1 devices virt --json").json();
    assert_eq!((&all[0]["slot"], &all[0]["rollback_armed"]), (&"app1".into(), &true.into()), "{all}");

    // The bad image has replaced the previous one, and is not a valid target for a rollback.
    operator.cannot("k1 rollback virt", "nothing good to go back to");
    operator.does("k1 sign next.bin --board virt --image-version 1.2.2 --patience 15 -o next.k1");
    operator.does("k1 deploy next.k1 --to virt --via espota");
    assert!(operator.does("k1 rollback virt").contains("1.2.2 → 1.2.0"));
    lamp.becomes(90, confirmed);

    // The next key replaces the first, which is then no longer trusted.
    operator.does("k1 keys new next");
    operator.does("k1 keys trust virt --key k1 --key next");
    operator.does("k1 keys trust virt --key next");
    operator.cannot("k1 deploy next.k1 --to virt", "does not trust the key");
}

/// The runbook's commands that check a signature without K1.
fn signature_holds(operator: &Operator) {
    if !Command::new("openssl").arg("version").output().is_ok_and(|out| out.status.success()) {
        support::need::missing("openssl", "openssl");
        return;
    }
    std::fs::write(operator.0.join("k1.pem"), operator.does("k1 keys show")).unwrap();
    let verify = |file: &str| {
        let bytes = std::fs::read(operator.0.join(file)).unwrap();
        std::fs::write(operator.0.join("stated"), &bytes[..128]).unwrap();
        std::fs::write(operator.0.join("signature"), &bytes[128..192]).unwrap();
        let arguments = "pkeyutl -verify -pubin -inkey k1.pem -rawin -in stated -sigfile signature";
        let said = Command::new("openssl").args(arguments.split(' ')).current_dir(operator.0).output();
        said.unwrap().status.success()
    };
    assert!(verify("good.k1") && verify("bad.k1"));
    let mut damaged = std::fs::read(operator.0.join("good.k1")).unwrap();
    damaged[40] ^= 1;
    std::fs::write(operator.0.join("damaged.k1"), damaged).unwrap();
    assert!(!verify("damaged.k1"));
}
