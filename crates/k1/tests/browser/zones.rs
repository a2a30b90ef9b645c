//! Zones are moved, pulled and turned by mouse, finger and keyboard; the real light follows, and each change can be taken
//! back.

use std::time::{Duration, Instant};

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::support::eventually;
use crate::{Home, browser, screenshot, turn};

const HUNG: &str = "document.querySelectorAll('.hung')[1]";
const UNDO: &str = "[...document.querySelectorAll('#v-zones .quiet')].find((b) => b.textContent === 'Undo')";

/// The newest frame of the longer strip, which takes two packets or less.
fn shines(home: &Home) -> [bool; 300] {
    let mut lit = [false; 300];
    let mut packet = [0; 1_500];
    let strip = &home.strips[1];
    strip.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        let Ok(n) = strip.recv(&mut packet) else { continue };
        // What had waited does not count.
        if began.elapsed() < Duration::from_millis(150) || n < 10 {
            continue;
        }
        for (led, colour) in packet[10..n].chunks_exact(3).enumerate().take(300) {
            lit[led] |= colour.iter().any(|byte| *byte > 8);
        }
    }
    lit
}

fn edits(width: u32, has_touch: bool) {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = Home::new();
    let (_k1, url) = home.run();
    let mut page = Browser::start(&program);
    page.size(width, 900);
    if has_touch {
        page.call("Emulation.setTouchEmulationEnabled", serde_json::json!({"enabled": true}));
    }
    page.open(&format!("{url}#zones"));
    page.wait("the page", LIVE);
    page.wait("both zones on the plan", "document.querySelectorAll('.hung').length === 2");
    page.wait("both rulers", "document.querySelectorAll('.ruler .block').length === 2");
    page.wait("the style", "getComputedStyle(document.querySelector('.hung')).position === 'absolute'");
    let targets = "[...document.querySelectorAll('#v-zones :is(button, .grip, input)')].filter((e) => e.offsetParent \
                   && !e.matches('.block')).map((e) => [e.outerHTML.slice(0, 60), e.offsetWidth, e.offsetHeight]).filter(([, w, h]) => w < 44 || h < 44)";
    assert_eq!(page.eval(targets), serde_json::json!([]), "every target takes a finger");

    // The plan: dragged, moved by keys, turned upright.
    page.drag(HUNG, (0.0, -40.0), has_touch);
    home.says("place = { x = 0.5");
    let place = |page: &mut Browser| {
        page.eval("fetch('api/v1/plan').then((r) => r.json()).then((p) => p.zones[1].place)")
    };
    std::thread::sleep(Duration::from_millis(900));
    let dragged = place(&mut page)["y"].as_f64().unwrap();
    assert!(dragged < 0.62 && dragged > 0.3, "{dragged}");
    page.eval(&format!("{HUNG}.focus()"));
    page.press("ArrowRight");
    home.says("place = { x = 0.52");
    page.press_shifted("R");
    home.says("angle = 90");

    // The ruler: the last LED pulled by finger or mouse, then by keys; the rest of the strip goes dark.
    page.eval(&format!("{HUNG}.focus()"));
    page.press("r");
    home.says("reversed = true");
    page.press("r");
    home.says("{ light = \"Window\", from = 0, to = 199 }] # left");
    let ruler = page.eval("document.querySelectorAll('.ruler')[1].clientWidth").as_f64().unwrap();
    page.drag("document.querySelector('.grip.to')", (-ruler / 3.0, 0.0), has_touch);
    eventually("a shorter zone", || !home.text().contains("to = 199"));
    std::thread::sleep(Duration::from_millis(900));
    let lit = shines(&home);
    let to = page
        .eval("document.querySelector('.grip.to').ariaValueNow")
        .as_str()
        .unwrap()
        .parse::<usize>()
        .unwrap();
    assert!((96..=104).contains(&to), "a third of the ruler is 100 LEDs: {to}");
    assert!(!lit[to + 1..].iter().any(|led| *led), "what no zone has is dark");
    assert!(lit[..=to].iter().filter(|led| **led).count() > to / 4, "the zone shines");
    page.eval(&format!("{HUNG}.focus()"));
    page.press_shifted("ArrowRight");
    page.press_shifted("ArrowRight");
    home.says(&format!("to = {}", to + 2));
    page.eval("document.querySelectorAll('.ruler')[1].querySelector('.block').focus()");
    page.press("ArrowRight");
    home.says(&format!("from = 1, to = {}", to + 3));
    page.screenshot(&screenshot(&format!("zones-{width}")), true);

    // A new zone of free LEDs, and everything back again.
    page.eval("[...document.querySelectorAll('#v-zones .plain')].find((b) => b.textContent.startsWith('Make a zone') && b.textContent.endsWith('299')).click()");
    home.says("name = \"Window 2\"");
    page.wait("the new zone", "document.querySelectorAll('.hung').length === 3");
    let mut back = 0;
    while page.eval(&format!("!{UNDO}.hidden")) == serde_json::json!(true) {
        page.eval(&format!("{UNDO}.click()"));
        std::thread::sleep(Duration::from_millis(900));
        back += 1;
        assert!(back < 12, "there is no end of what can be taken back");
    }
    assert!(back >= 6, "{back} changes");
    home.says("{ light = \"Window\", from = 0, to = 199 }] # left");
    eventually("one zone fewer", || !home.text().contains("Window 2"));
    assert_eq!(page.errors(), Vec::<String>::new());
    println!("{width} px: {back} changes of zones made and taken back");
}

#[test]
fn zones_are_edited_with_mouse_and_keyboard() {
    edits(1440, false);
}

#[test]
fn zones_are_edited_by_touch() {
    edits(360, true);
}
