//! Requests of an operator: figures for Prometheus, the boot log, the self-test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k1_device::metrics::{Kind, METRICS};
use k1_device::routes::METRICS_TYPE;
use serde_json::json;

use crate::k1::K1;
use crate::raw::{accepted, exchange};

/// Scrapes once: returns each series with its value, after checking every line against the table.
#[track_caller]
fn scrape(k1: &K1) -> BTreeMap<String, f64> {
    let host = format!("Host: {}", k1.host);
    let token = k1.token.as_ref().map(|t| format!("Authorization: Bearer {t}"));
    let lines: Vec<_> = ["GET /metrics HTTP/1.1", &host].into_iter().chain(token.as_deref()).collect();
    let raw = accepted(|| exchange(&mut k1.connect(), &lines, b""));
    assert_eq!((raw.status, raw.header("content-type")), (200, Some(METRICS_TYPE)));
    let text = String::from_utf8(raw.body).unwrap();
    assert!(text.ends_with('\n'));
    let (mut all, mut family) = (BTreeMap::new(), "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            family = rest.split(' ').nth(1).unwrap();
            assert!(METRICS.iter().any(|m| m.name == family), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert_eq!(series.split('{').next(), Some(family), "{line} follows its own help");
        assert!(all.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} appears once");
    }
    all
}

#[test]
fn every_figure_has_a_name_and_counters_only_grow() {
    let k1 = K1::get_one();
    let first = scrape(&k1);
    for name in ["k1_uptime_seconds", "k1_frames_per_second", "k1_frames_total", "k1_handoff_torn_total"] {
        assert!(first.contains_key(name), "{name}");
    }
    assert_eq!(first["k1_handoff_torn_total"], 0.0);
    assert_eq!(first.keys().filter(|s| s.starts_with("k1_info{")).count(), 1);
    assert!(first.keys().filter(|s| s.starts_with("k1_check_ok{check=\"")).count() >= 3);
    std::thread::sleep(Duration::from_millis(2_100));
    let second = scrape(&k1);
    for metric in METRICS.iter().filter(|m| m.kind == Kind::Counter) {
        let of = |all: &BTreeMap<String, f64>| all.get(metric.name).copied();
        assert!(of(&second) >= of(&first), "{}", metric.name);
    }
    assert!(second["k1_frames_total"] > first["k1_frames_total"]);
    assert!(second["k1_uptime_seconds"] > first["k1_uptime_seconds"]);
}

#[test]
fn a_self_test_without_a_sensible_number_is_refused() {
    let k1 = K1::get_one();
    for wrong in [json!({"reads": 0}), json!({"reads": 1_000_001}), json!({"reads": "many"})] {
        k1.post("/api/v1/self-test", wrong).refused(400, "invalid_value");
    }
    k1.post("/api/v1/self-test", json!({})).refused(400, "missing_field");
}

#[test]
fn many_reads_are_whole_and_a_second_test_waits_for_the_first() {
    let k1 = K1::get_one();
    let reads = if k1.is_program() { 200_000 } else { 50_000 };
    let began = Instant::now();
    let state = k1.post("/api/v1/self-test", json!({"reads": reads})).ok();
    assert_eq!(state["wanted"], reads);
    let end = loop {
        let state = k1.get("/api/v1/self-test").ok();
        if state["state"] == "done" {
            break state;
        }
        assert_eq!(state["state"], "running");
        assert!(began.elapsed() < Duration::from_secs(120), "{state}");
        std::thread::sleep(Duration::from_millis(50));
    };
    println!("{end}");
    assert_eq!((&end["reads"], &end["torn"], &end["backwards"]), (&json!(reads), &json!(0), &json!(0)));
    assert_eq!(end["kept_previous"], 0);
    assert!(end["new"].as_u64() >= Some(1));
    // Two at the same time: K1 tells the second to wait.
    k1.post("/api/v1/self-test", json!({"reads": 1_000_000})).ok();
    let second = k1.post("/api/v1/self-test", json!({"reads": 1}));
    if second.status != 200 {
        second.refused(409, "busy");
    }
    while k1.get("/api/v1/self-test").ok()["state"] != "done" {
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_boot_log_tells_when_each_line_was_true() {
    let k1 = K1::get_one();
    let log = k1.get("/api/v1/boot-log").ok();
    let lines = log["lines"].as_array().unwrap();
    if k1.is_program() {
        assert!(lines.is_empty() && log["error_lines"].is_null(), "the program has no console of this kind");
        return;
    }
    let times: Vec<_> = lines.iter().map(|l| l["at_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] < 5_000, "{log}");
    let text = |i: usize| lines[i]["text"].as_str().unwrap();
    assert!(text(0).starts_with("[BOOT] K1 "), "{log}");
    assert!(!log.to_string().contains("token"), "no secret is in it");
}
