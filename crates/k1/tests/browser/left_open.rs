//! A page that stays open, and a page in a slow browser.
//!
//! `K1_PAGE_MINUTES=60 cargo test --release -p k1 --test browser left_open -- --nocapture` leaves it open for an hour; without
//! the variable it is half a minute, in which a leak of 40 bytes a frame is seen already.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::support::host::Host;
use crate::{K1, browser, turn};

/// Counts the frames in which the light was drawn, from the outside, and remembers when the first one was.
const COUNT: &str = "window.painted = { frames: 0, at: null, first: null }; \
    const draw = CanvasRenderingContext2D.prototype.drawImage; \
    CanvasRenderingContext2D.prototype.drawImage = function (...how) { \
      const at = document.timeline.currentTime; \
      if (at !== painted.at && this.canvas.closest('#strip, #wall, #v-hearing')) { \
        painted.at = at; painted.frames += 1; painted.first ??= performance.now(); \
      } \
      return draw.apply(this, how); \
    };";

/// What a page holds after its garbage was collected.
#[derive(Clone, Copy, Debug)]
struct Held {
    heap_kb: f64,
    nodes: f64,
    listeners: f64,
}

fn held(page: &mut Browser) -> Held {
    // The second collection frees what the finalizers of the first one released.
    for _ in 0..2 {
        page.call("HeapProfiler.collectGarbage", json!({}));
        sleep(Duration::from_millis(300));
    }
    let metrics = page.call("Performance.getMetrics", json!({}));
    let figure = |name: &str| {
        let metrics = metrics["metrics"].as_array().unwrap();
        metrics.iter().find(|m| m["name"] == name).unwrap()["value"].as_f64().unwrap()
    };
    Held {
        heap_kb: figure("JSHeapUsedSize") / 1e3,
        nodes: figure("Nodes"),
        listeners: figure("JSEventListeners"),
    }
}

/// The resident memory of a process in kB, as Linux counts it.
#[cfg(target_os = "linux")]
fn resident_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

#[cfg(not(target_os = "linux"))]
fn resident_kb(_: u32) -> Option<u64> {
    None
}

#[test]
fn a_page_that_is_left_open_keeps_its_size() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let minutes: f64 =
        std::env::var("K1_PAGE_MINUTES").map_or(0.5, |m| m.parse().expect("K1_PAGE_MINUTES is a number"));
    let (k1, url) = K1::start("127.0.0.1:0");
    let mut page = Browser::start(&program);
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": COUNT}));
    page.open(&url);
    page.wait("the page", LIVE);
    page.call("Performance.enable", json!({}));
    page.call("HeapProfiler.enable", json!({}));
    // Each view has been shown once, and stays after that.
    for view in ["scenes", "lights", "zones", "hearing", "measured", "play"] {
        page.eval(&format!("location.hash = '#{view}'"));
        sleep(Duration::from_millis(1500));
    }
    let (before, program_before) = (held(&mut page), resident_kb(k1.0.id()));
    let began = Instant::now();
    let frames = "painted.frames";
    let first = page.eval(frames).as_f64().expect("the page counts its frames");
    let views = ["play", "hearing", "measured", "wall"];
    while began.elapsed().as_secs_f64() < minutes * 60.0 {
        // A few seconds in each view, as somebody would look at them.
        for view in views {
            page.eval(&format!("location.hash = '#{view}'"));
            sleep(Duration::from_secs_f64((minutes * 60.0 / 8.0).min(20.0)));
        }
        page.eval("location.hash = '#play'");
        let now = held(&mut page);
        println!("after {:.1} minutes: {now:?}", began.elapsed().as_secs_f64() / 60.0);
    }
    let (after, program_after) = (held(&mut page), resident_kb(k1.0.id()));
    let shown = page.eval(frames).as_f64().unwrap() - first;
    println!(
        "{:.1} minutes, {shown} frames; the page: {before:?}, then {after:?}; the program: {program_before:?} kB, then {program_after:?} kB",
        began.elapsed().as_secs_f64() / 60.0
    );
    assert!(shown > began.elapsed().as_secs_f64(), "the page has stopped: {shown} frames");
    assert!(after.heap_kb < before.heap_kb * 1.05 + 1000.0, "{before:?}, then {after:?}");
    assert!(after.nodes < before.nodes + 400.0, "{before:?}, then {after:?}");
    assert!(after.listeners < before.listeners + 40.0, "{before:?}, then {after:?}");
    if let (Some(before), Some(after)) = (program_before, program_after) {
        assert!(after < before + 4000, "the program had {before} kB and has {after}");
    }
}

#[test]
fn a_browser_that_is_six_times_slower_shows_the_light() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let (_k1, url) = K1::start("127.0.0.1:0");
    let mut page = Browser::start(&program);
    let host = Host::watch();
    page.call("Emulation.setCPUThrottlingRate", json!({"rate": 6}));
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": COUNT}));
    page.open(&url);
    page.wait("the page", LIVE);
    page.wait("light", "painted.frames > 0");
    let paint = page.eval("performance.getEntriesByName('first-contentful-paint')[0]?.startTime");
    let light = page.eval("painted.first");
    let rate = page.eval(
        "new Promise((done) => { const from = painted.frames, at = performance.now(); \
         setTimeout(() => done((painted.frames - from) / (performance.now() - at) * 1000), 5000); })",
    );
    let (paint, light, rate) = (paint.as_f64().unwrap(), light.as_f64().unwrap(), rate.as_f64().unwrap());
    println!(
        "slowed six times: first view after {paint:.0} ms, light after {light:.0} ms, {rate:.1} frames a second"
    );
    host.asserts("page-slowed-light", light < 8000.0 && rate > 10.0, || {
        format!("light after {light:.0} ms, {rate:.1} frames a second")
    });
    assert!(page.errors().is_empty());
}
