//! Dashboard and alert rules use only figures that exist, Prometheus' own checker accepts them, and Prometheus answers
//! them.
//!
//! With `K1_REQUIRE=promtool` a missing checker or a missing Prometheus is a failure (both are in Debian's
//! `prometheus`); otherwise these tests print that they were skipped.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use k1_device::metrics::METRICS;
use serde_json::Value;

fn ops(name: &str) -> PathBuf {
    support::here("../../ops").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(ops(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The names of all K1 figures in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("k1_"))
}

/// Each panel's title and each of its queries, with the dashboard's variables matching everything.
fn queries(board: &Value) -> Vec<(String, String)> {
    let panels = board["panels"].as_array().unwrap().iter();
    let of = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |t| {
            let query = t["expr"].as_str().unwrap().replace("$lamp", ".*").replace("$__rate_interval", "1m");
            assert!(!query.contains('$'), "a variable that this does not know: {query}");
            (title.clone(), query)
        })
    };
    panels.flat_map(of).collect()
}

#[test]
fn rules_and_dashboard_name_figures_that_exist() {
    let rules = text("alerts.yml");
    let asked: Vec<_> = rules.lines().filter_map(|l| l.trim().strip_prefix("expr:")).collect();
    let alerts = rules.matches("- alert:").count();
    assert_eq!(asked.len(), alerts, "each alert has its expression on one line");
    assert!(alerts >= 10);
    let board: Value = serde_json::from_str(&text("grafana.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let drawn: Vec<_> = queries(&board).into_iter().map(|(_, query)| query).collect();
    assert!(drawn.len() >= 20);
    let known: BTreeSet<_> = METRICS.iter().map(|m| m.name).collect();
    let used: BTreeSet<_> = asked.iter().copied().chain(drawn.iter().map(|d| &**d)).flat_map(names).collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "no such figures: {unknown:?}");
    let ids: BTreeSet<_> = panels.iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "panels have numbers of their own");
}

/// Prints that a program of Debian's `prometheus` is not installed; a failure if it is required.
fn is_missing(program: &str) {
    support::need::missing("promtool", program);
}

/// Runs the checker with `input` on its standard input; `None` if it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        is_missing("promtool");
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
    let page = k1.page();
    let scraped = ureq::get(format!("{page}metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    if let Some((is_fine, said)) = promtool(&["check", "metrics"], &scraped) {
        assert!(is_fine && said.is_empty(), "{said}");
    }
    // The checker finds a name that no figure should have.
    if let Some((is_fine, _)) = promtool(&["check", "metrics"], "# TYPE k1_frames counter\nk1_frames 1\n") {
        assert!(!is_fine, "the checker checks");
    }
}

/// Figures that only a lamp has, and why the program does not have them.
const ONLY_A_LAMP: [(&str, &str); 8] = [
    (
        "k1_strip_underruns_total",
        "the program drives no strip by itself; its lights have figures of their own",
    ),
    ("k1_wire_seconds", "the program drives no strip by itself; a lamp's wire takes its time for each LED"),
    ("k1_heap_free_bytes", "the computer's memory is not a heap of fixed size"),
    ("k1_heap_least_free_bytes", "the same"),
    ("k1_stack_headroom_bytes", "the program's stacks grow and are not painted"),
    ("k1_temperature_celsius", "the computer's temperature is not the light's"),
    ("k1_wifi_signal_dbm", "the program uses whatever network the computer has"),
    ("k1_error_lines_total", "the program has no console whose lines are counted"),
];

/// A Prometheus of the test that asks `target` once a second; `None` if it is not installed.
struct Prometheus {
    api: String,
    agent: ureq::Agent,
    _running: support::Running,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Option<Self> {
        let version = Command::new("prometheus").arg("--version").output();
        if !version.is_ok_and(|out| out.status.success()) {
            is_missing("prometheus");
            return None;
        }
        let folder = support::folder();
        let place = |name: &str| folder.path().join(name);
        // The example as it is, except the lines that a user changes, too, and with a shorter interval.
        let example = text("prometheus.yml");
        let ours = example.replace("192.168.1.40:80", target).replace(": 15s", ": 1s");
        assert!(ours.contains(target) && !ours.contains("15s"), "the example has another form: {example}");
        std::fs::write(place("prometheus.yml"), ours).unwrap();
        std::fs::write(place("alerts.yml"), text("alerts.yml")).unwrap();
        std::fs::write(place("k1-token"), "none-needed").unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", place("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", place("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null());
        let running = support::start(&mut command);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)));
        let api = format!("http://127.0.0.1:{port}/api/v1");
        Some(Self { api, agent: config.build().into(), _running: running, _folder: folder })
    }

    fn get(&self, path: &str, query: Option<&str>) -> Option<Value> {
        let request = self.agent.get(format!("{}{path}", self.api));
        let request = query.into_iter().fold(request, |r, query| r.query("query", query));
        request.call().ok()?.body_mut().read_json().ok()
    }

    /// The values of a query, or Prometheus' error.
    fn ask(&self, query: &str) -> Result<Vec<f64>, String> {
        let answer = self.get("/query", Some(query)).ok_or("it does not answer")?;
        let result = answer["data"]["result"].as_array().ok_or_else(|| answer["error"].to_string())?;
        let value = |series: &Value| series["value"][1].as_str().and_then(|v| v.parse().ok());
        result.iter().map(|series| value(series).ok_or_else(|| series.to_string())).collect()
    }
}

#[test]
fn a_real_prometheus_answers_every_panel_and_every_alert() {
    let mut k1 = support::start(&mut support::k1(["run", "demo", "--listen", "127.0.0.1:0"]));
    let page = k1.page();
    let target = page.trim_start_matches("http://").split('/').next().unwrap();
    let Some(prometheus) = Prometheus::start(target) else { return };
    // Rates need two samples.
    support::eventually("three looks", || {
        prometheus.ask("count_over_time(k1_frames_total[1m])").is_ok_and(|n| n.first() >= Some(&3.0))
    });

    let board: Value = serde_json::from_str(&text("grafana.json")).unwrap();
    let queries = queries(&board);
    let lacks = |query: &str| ONLY_A_LAMP.iter().find(|(figure, _)| names(query).any(|n| n == *figure));
    let mut answered = 0;
    for (panel, query) in &queries {
        let values = prometheus.ask(query).unwrap_or_else(|e| panic!("{panel}: {query}: {e}"));
        assert!(values.iter().all(|v| v.is_finite()), "{panel}: {query}: {values:?}");
        match lacks(query) {
            // If the program ever has this figure, it appears here.
            Some((_, why)) => {
                assert!(values.is_empty(), "{panel}: {query} has data, though {why}: {values:?}")
            }
            None => assert!(!values.is_empty(), "{panel}: {query} has no data"),
        }
        answered += usize::from(!values.is_empty());
    }
    let drawn: BTreeSet<_> = queries.iter().flat_map(|(_, query)| names(query)).collect();
    assert!(
        ONLY_A_LAMP.iter().all(|(figure, _)| drawn.contains(figure)),
        "what is not drawn needs no excuse"
    );

    let rules = text("alerts.yml");
    let alerts: Vec<_> =
        rules.lines().filter_map(|l| l.trim().strip_prefix("expr:")).map(str::trim).collect();
    for alert in &alerts {
        // Most alerts have no value, because nothing is wrong.
        prometheus.ask(alert).unwrap_or_else(|e| panic!("{alert}: {e}"));
    }
    // The rules as Prometheus itself has loaded them, from the example.
    let mut loaded = Vec::new();
    support::eventually("every rule was judged", || {
        let answer = prometheus.get("/rules", None).unwrap_or_default();
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        loaded = groups.iter().flat_map(|g| g["rules"].as_array().cloned().unwrap_or_default()).collect();
        loaded.len() == alerts.len() && loaded.iter().all(|r| r["health"] != "unknown")
    });
    assert!(loaded.iter().all(|rule| rule["health"] == "ok"), "{loaded:?}");
    println!(
        "{answered} of {} queries have data, {} only a lamp's; {} alerts were judged",
        queries.len(),
        queries.len() - answered,
        alerts.len()
    );
    // Prometheus finds a query that is not valid.
    assert!(prometheus.ask("sum(k1_healthy").is_err());
    assert_eq!(prometheus.ask("k1_no_such_figure"), Ok(vec![]));
}
