//! The commands of `docs/runbook.md`, on a virtual lamp.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::lamp::Lamp;
use crate::support::{self, run};

/// Rows that depend on how much of this machine the emulator gets, and the one that no virtual lamp in memory can pass.
const NOT_OURS: [&str; 5] = ["frames", "steady", "age", "health", "rollback"];

fn rows(record: &Value) -> Vec<(&str, &str)> {
    let all = record["rows"].as_array().unwrap_or_else(|| panic!("no rows in {record}"));
    all.iter().map(|r| (r["id"].as_str().unwrap(), r["verdict"].as_str().unwrap())).collect()
}

#[test]
fn operate_devices_and_monitor() {
    let Some(lamp) = Lamp::start(None) else { return };
    lamp.says_eventually("[MEMORY]");
    let url = format!("http://127.0.0.1:{}/#token={}", lamp.http, lamp.token);
    for place in ["virt", &url] {
        let all = run(["devices", place, "--json"]).json();
        let entry = &all[0];
        assert_eq!((all.as_array().unwrap().len(), &entry["board"]), (1, &"virt".into()), "{all}");
        assert!(entry["name"].as_str().is_some_and(|n| n.starts_with("k1-")), "{entry}");
        assert!(entry["fps"].as_f64() > Some(10.0) && entry["version"].is_string(), "{entry}");
        // Nobody plays, so it is not well, and says why.
        assert!(entry["trouble"].as_str().is_some_and(|t| t.contains("the microphone hears")), "{entry}");
    }
    let table = run(["devices", "virt"]);
    assert!(table.out.starts_with("NAME") && table.out.contains("virt") && table.code() == Some(0));
    // A token that was given once is remembered for that address.
    let elsewhere = format!("localhost:{}", lamp.http);
    let locked = run(["devices", &elsewhere, "--token", "wrong", "--json"]).json();
    assert!(locked[0]["trouble"].is_string() && locked[0]["fps"].is_null(), "{locked}");
    run(["devices", &format!("http://{elsewhere}/#token={}", lamp.token), "--json"]).json();
    let known = run(["devices", &elsewhere, "--json"]).json();
    assert!(known[0]["fps"].is_number(), "{known}");
    // Another one is not let in.
    let address = format!("127.0.0.1:{}", lamp.http);
    let wrong = run(["devices", &address, "--token", "wrong", "--json"]).json();
    assert!(wrong[0]["trouble"].as_str().is_some_and(|t| t.contains("--token")), "{wrong}");
    assert!(wrong[0]["fps"].is_null(), "nothing is made up: {wrong}");

    let lines = run(["monitor", "virt", "--json", "--duration", "4"]).json_lines();
    assert!(lines.len() >= 3, "{lines:?}");
    for line in &lines {
        let figures = &line["figures"];
        assert!(figures["fps"].is_number() && figures["heap_free"].is_number(), "{line}");
        assert!(figures["temperature_c"].is_null(), "an emulated chip has no temperature: {line}");
    }
    // By cable: the console as it came.
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

#[test]
fn operate_validate() {
    let Some(lamp) = Lamp::start(None) else { return };
    lamp.post("/api/select", serde_json::json!({"id": "lava"}));
    lamp.post("/api/params", serde_json::json!({"warmth": 0.25}));
    let folder = support::folder();
    let file = folder.path().join("record.json");
    let said = validate(&["virt", "--for", "60", "--json", "--record", file.to_str().unwrap()]);
    let record = said.json();
    for r in record["rows"].as_array().unwrap() {
        println!("{:<10} {:<14} {}", r["verdict"], r["id"], r["measured"]);
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, record);
    let rows = rows(&record);
    for (id, verdict) in &rows {
        assert!(*verdict == "passed" || NOT_OURS.contains(id), "{id} is {verdict}");
    }
    for id in ["boot", "reads_500", "reads_million", "light", "errors", "flash", "ram", "heap", "run"] {
        assert!(rows.contains(&(id, "passed")), "{id} is in {rows:?}");
    }
    let all_pass = rows.iter().all(|(_, verdict)| *verdict == "passed");
    assert_eq!((record["passed"] == true, said.code() == Some(0)), (all_pass, all_pass));
    // The look that it had is back.
    support::eventually("the look is back", || {
        lamp.get("/api/params")["warmth"] == 0.25 && lamp.get("/api/patterns")["current_pattern"] == 1
    });

    // A lamp that cannot hear the signal does not pass: under this name nobody knows its ear's port.
    let deaf = format!("http://localhost:{}/#token={}", lamp.http, lamp.token);
    let said = validate(&[&deaf, "--for", "50", "--json", "--rollback-on-fail"]);
    let record = said.json();
    let light = record["rows"].as_array().unwrap().iter().find(|r| r["id"] == "light").unwrap();
    assert_eq!((&light["verdict"], said.code()), (&"failed".into(), Some(1)), "{light}");
    assert!(light["measured"].as_str().unwrap().contains("did not hear"), "{light}");
    assert!(record["rolled_back"].is_string(), "it was asked for, and what became of it is told");
}

/// `k1 validate`, which takes longer than other commands may.
fn validate(arguments: &[&str]) -> support::Said {
    let all: Vec<_> = std::iter::once("validate").chain(arguments.iter().copied()).collect();
    support::start(&mut support::k1(all)).end_within(std::time::Duration::from_secs(300))
}
