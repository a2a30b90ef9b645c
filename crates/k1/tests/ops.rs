//! Dashboard and alert rules name figures that exist, and Prometheus' own checker agrees.
//!
//! `K1_REQUIRE=promtool` makes a missing checker a failure; otherwise these tests say that they were skipped.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k1_device::metrics::METRICS;

fn ops(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(ops(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every name of a figure of ours in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("k1_"))
}

#[test]
fn rules_and_dashboard_name_figures_that_exist() {
    let rules = text("alerts.yml");
    let asked: Vec<_> = rules.lines().filter_map(|l| l.trim().strip_prefix("expr:")).collect();
    let alerts = rules.matches("- alert:").count();
    assert_eq!(asked.len(), alerts, "each alert has its expression on one line");
    assert!(alerts >= 10);
    let board: serde_json::Value = serde_json::from_str(&text("grafana.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|p| p["targets"].as_array().unwrap());
    let drawn: Vec<_> = targets.map(|t| t["expr"].as_str().unwrap()).collect();
    assert!(drawn.len() >= 20);
    let known: BTreeSet<_> = METRICS.iter().map(|m| m.name).collect();
    let used: BTreeSet<_> = asked.iter().chain(&drawn).flat_map(|e| names(e)).collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "no such figures: {unknown:?}");
    let ids: BTreeSet<_> = panels.iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "panels have numbers of their own");
}

/// The checker with what it is to read on its standard input; `None` if it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        let required =
            std::env::var("K1_REQUIRE").unwrap_or_default().split(',').any(|r| r.trim() == "promtool");
        assert!(!required, "K1_REQUIRE wants promtool (Debian: prometheus), and it is missing");
        println!("skipped: promtool (Debian: prometheus) is missing");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    Some((out.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn prometheus_understands_the_rules_and_what_the_program_answers() {
    let rules = ops("alerts.yml");
    if let Some((is_fine, said)) = promtool(&["check", "rules", rules.to_str().unwrap()], "") {
        assert!(is_fine, "{said}");
    }
    let mut k1 = support::start(&mut support::k1(["run", "demo", "--listen", "127.0.0.1:0"]));
    k1.prints("Light is on: ");
    let printed = k1.printed();
    let page = printed.split_once("Light is on: ").unwrap().1.split_whitespace().next().unwrap();
    let scraped = ureq::get(format!("{page}metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    if let Some((is_fine, said)) = promtool(&["check", "metrics"], &scraped) {
        assert!(is_fine && said.is_empty(), "{said}");
    }
    // A name that no figure should have is noticed.
    if let Some((is_fine, _)) = promtool(&["check", "metrics"], "# TYPE k1_frames counter\nk1_frames 1\n") {
        assert!(!is_fine, "the checker checks");
    }
}
