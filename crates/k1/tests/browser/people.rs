//! Several people at once, and a phone that sleeps.

use std::time::Duration;

use serde_json::json;

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::support::{Running, folder, k1, start};
use crate::{browser, turn};

const BRIGHTNESS: &str = "k1.play.whole.brightness";

fn run_at(home: &std::path::Path) -> (Running, String) {
    let mut command = k1(["run", "demo", "--listen", "127.0.0.1:0"]);
    command.env("XDG_CONFIG_HOME", home);
    let mut running = start(&mut command);
    let url = running.page().trim_end_matches('/').to_owned();
    (running, url)
}

/// Moves the slider of the brightness as a hand does: in steps, as fast as the browser tells of them.
fn drag(page: &mut Browser, to: f64) {
    page.eval(&format!(
        "(async () => {{ const s = document.getElementById('bright'); \
         for (let i = 0; i <= 20; i++) {{ s.value = {to} * i / 20; s.dispatchEvent(new Event('input')); \
         await new Promise((later) => setTimeout(later, 15)); }} }})()"
    ));
}

#[test]
fn two_people_at_two_pages_agree_in_the_end() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = folder();
    let (running, url) = run_at(home.path());
    let mut page = Browser::start(&program);
    let first = page.tab();
    page.open(&url);
    page.wait("the first page", LIVE);
    let second = page.new_tab();
    page.open(&url);
    page.wait("the second page", LIVE);
    for tab in [&first, &second] {
        page.switch(tab);
        // Both pages live, as on two phones.
        page.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        page.wait("the choices", "!document.getElementById('bright').disabled && k1.play.params");
    }

    // Both save a scene at the same time, of the same name and of different ones.
    for name in ["Dinner", "Party", "Dinner"] {
        for tab in [&first, &second] {
            page.switch(tab);
            page.eval(&format!(
                "import('./link.js').then((m) => {{ m.ask('PUT', 'api/v1/scenes/{name}', {{}}); }})"
            ));
        }
    }
    for tab in [&first, &second] {
        page.switch(tab);
        page.wait("both scenes", "document.querySelectorAll('.tile[data-scene]').length === 2");
    }

    // Both hold the slider: the later hand wins on both pages.
    page.switch(&first);
    drag(&mut page, 0.9);
    page.switch(&second);
    drag(&mut page, 0.4);
    for tab in [&first, &second] {
        page.switch(tab);
        page.wait("the same brightness", &format!("Math.abs({BRIGHTNESS} - 0.4) < 0.006"));
        page.wait(
            "a slider that shows it",
            "Math.abs(document.getElementById('bright').value - 0.4) < 0.006",
        );
    }

    // One switches the light off while the other recalls a scene: both show what K1 ended with.
    page.switch(&first);
    page.eval("document.getElementById('power').click()");
    page.switch(&second);
    page.eval("document.querySelector('.tile[data-scene=\"Party\"]').click()");
    std::thread::sleep(Duration::from_secs(2));
    for tab in [&first, &second] {
        page.switch(tab);
        page.wait(
            "the switch as it is",
            "fetch('api/v1/power').then((r) => r.json()).then((p) => p.on === k1.play.whole.on \
             && String(p.on) === document.getElementById('power').getAttribute('aria-pressed'))",
        );
    }
    // K1 may ask one of two hands to wait.
    let errors: Vec<_> = page.errors().into_iter().filter(|e| !e.contains("429")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    drop(running);
}

#[test]
fn a_phone_that_slept_shows_what_has_changed() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = folder();
    let (running, url) = run_at(home.path());
    let mut page = Browser::start(&program);
    page.open(&url);
    page.wait("the page", LIVE);
    page.wait("the choices", "k1.play.params");
    page.call("Network.enable", json!({}));
    let network = |page: &mut Browser, offline: bool| {
        page.call(
            "Network.emulateNetworkConditions",
            json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}),
        );
    };

    for is_offline in [false, true] {
        network(&mut page, is_offline);
        page.call("Page.setWebLifecycleState", json!({"state": "frozen"}));
        // Somebody else dims the light.
        let dimmed = if is_offline { 0.7 } else { 0.3 };
        ureq::put(format!("{url}/api/v1/power")).send(json!({"brightness": dimmed}).to_string()).unwrap();
        std::thread::sleep(Duration::from_secs(4));
        network(&mut page, false);
        page.call("Page.setWebLifecycleState", json!({"state": "active"}));
        page.wait("the connection", LIVE);
        page.wait("what has changed", &format!("Math.abs({BRIGHTNESS} - {dimmed}) < 0.01"));
        // What waited for the page while it slept was not kept for it: the frames are of now.
        page.wait(
            "frames of now",
            "new Promise((done) => { const b = k1.link.on.binary; k1.link.on.binary = (v) => { \
             if (v.getUint8(0) === 1) { k1.link.on.binary = b; \
             done(Math.abs(k1.link.local(v.getFloat64(4, true)) - performance.now()) < 500); } b(v); }; })",
        );
    }
    let slept = ["ERR_INTERNET_DISCONNECTED", "Back-Forward Cache"];
    let is_other = |error: &String| !slept.iter().any(|known| error.contains(known));
    let errors: Vec<_> = page.errors().into_iter().filter(is_other).collect();
    assert!(errors.is_empty(), "{errors:?}");
    drop(running);
}
