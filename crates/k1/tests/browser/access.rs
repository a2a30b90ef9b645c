//! Everybody can use the page: axe finds nothing wrong in any view at any width, and no live region chatters.
//!
//! axe-core (MPL-2.0) is not a part of K1: `K1_AXE` names its `axe.min.js`, as `npm install axe-core` brings it.

use std::time::Duration;

use serde_json::json;

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::support::need;
use crate::{Home, browser, screenshot, turn};

const VIEWS: [&str; 6] = ["play", "scenes", "lights", "zones", "hearing", "measured"];

#[test]
fn axe_finds_nothing_in_any_view_at_any_width() {
    let Some(program) = browser() else { return };
    let Some(axe) = std::env::var_os("K1_AXE") else {
        need::missing("axe", "its file");
        return;
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let _turn = turn();
    let home = Home::new();
    let (_k1, url) = home.run();
    let mut page = Browser::start(&program);
    page.open(&url);
    page.wait("the page", LIVE);
    page.wait("scenes", "document.querySelectorAll('#tiles .tile').length === 2");
    page.eval(&axe);
    let mut looks = 0;
    for (width, height) in [(360, 740), (768, 1024), (1440, 900), (1920, 1080)] {
        page.size(width, height);
        for view in VIEWS.into_iter().chain(["wall"]) {
            match view {
                "wall" => page.eval("document.getElementById('to-wall').click()"),
                view => page.eval(&format!("location.hash = '#{view}'")),
            };
            page.wait(view, "document.querySelector('.view:not([hidden])').childElementCount > 0");
            if view == "lights" {
                page.wait("its lights", "document.querySelectorAll('#v-lights .acts').length > 1");
            }
            if view == "zones" {
                page.wait("its zones", "document.querySelectorAll('.hung').length === 2 && document.querySelectorAll('.block').length === 2");
            }
            if view == "hearing" {
                page.wait("its inputs", "document.querySelectorAll('.input').length > 0");
            }
            page.eval(
                "document.querySelectorAll('.view:not([hidden]) details').forEach((d) => { d.open = true; })",
            );
            std::thread::sleep(Duration::from_millis(500));
            page.screenshot(&screenshot(&format!("axe-{view}-{width}")), false);
            let found = page.eval(
                "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 90)).slice(0, 3).join(' | ')}`))",
            );
            assert_eq!(found, json!([]), "{view} at {width} px");
            let scroll = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(scroll <= u64::from(width), "{view} is {scroll} px wide on a screen of {width}");
            looks += 1;
        }
        page.eval("k1.wall.leave()");
    }
    // It does find what is wrong.
    page.eval("document.querySelector('main').append(document.createElement('img'))");
    let found = page.eval("axe.run(document).then((r) => r.violations.map((v) => v.id))");
    assert!(found.as_array().unwrap().contains(&json!("image-alt")), "{found}");
    println!("axe: 0 violations in {looks} looks");
}

#[test]
fn no_live_region_speaks_more_than_once_in_ten_seconds_by_itself() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = Home::new();
    let (_k1, url) = home.run();
    let mut page = Browser::start(&program);
    page.size(1440, 1000);
    page.open(&url);
    page.wait("the page", LIVE);
    page.wait("scenes", "document.querySelectorAll('#tiles .tile').length === 2");
    for view in VIEWS {
        page.eval(&format!("location.hash = '#{view}'"));
        std::thread::sleep(Duration::from_millis(700));
        // Which regions have changed how often while nobody touches the page and the playlist goes on.
        page.eval(
            "(() => { window.said = new Map(); window.ears?.disconnect(); \
             window.ears = new MutationObserver((all) => { const now = new Set(all.map((m) => (m.target.closest ? m.target : m.target.parentElement) \
               ?.closest('[aria-live]:not([aria-live=\"off\"]), [role=\"status\"], [role=\"alert\"], [role=\"log\"], output')).filter((e) => e && e.offsetParent !== null)); \
               for (const e of now) said.set(e.id || e.className || e.textContent, (said.get(e.id || e.className || e.textContent) ?? 0) + 1); }); \
             ears.observe(document.body, { subtree: true, childList: true, characterData: true }); })()",
        );
        std::thread::sleep(Duration::from_secs(10));
        let said = page.eval("[...said].filter(([, times]) => times > 1)");
        assert_eq!(said, json!([]), "{view}");
    }
    // The observer hears a region that does chatter.
    page.eval("(() => { const e = document.getElementById('spoken'); e.textContent = 'a'; setTimeout(() => { e.textContent = 'b'; }, 60); })()");
    page.wait("the test to hear it", "said.get('spoken') >= 2");
}
