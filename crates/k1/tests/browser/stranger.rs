//! A stranger's way by page alone: two WLED strips of 60 and 300 LEDs are found, identified, named and turned, shine with a
//! pattern each, and are there again after a restart. Once with a mouse, once by touch on a small screen.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::netns::{self, inside};
use crate::support::{Running, eventually, folder, k1, start};
use crate::wled::{Frame, Wled};
use crate::{browser, screenshot, turn};

/// A person with a browser.
struct Stranger {
    page: Browser,
    has_touch: bool,
    steps: usize,
    began: Instant,
}

impl Stranger {
    /// Presses what `element` finds, once it is there, as a finger or a mouse would.
    #[track_caller]
    fn presses(&mut self, what: &str, element: &str) {
        self.steps += 1;
        println!("{}. presses {what}", self.steps);
        self.page.wait(what, &format!("{element} && !{element}.disabled"));
        let find = format!(
            "(async () => {{ const e = {element}; e.scrollIntoView({{ block: 'center', inline: 'center' }}); \
             await new Promise((later) => setTimeout(later, 60)); \
             const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2; \
             const hit = document.elementFromPoint(x, y); \
             return [x, y, e === hit || e.contains(hit) || Boolean(hit?.closest('label')?.contains(e)), hit?.outerHTML.slice(0, 90), r.width, r.height]; }})()"
        );
        let mut at = self.page.eval(&find);
        // What opens or moves away takes a moment.
        for _ in 0..50 {
            if at[2] == json!(true) {
                break;
            }
            sleep(Duration::from_millis(100));
            at = self.page.eval(&find);
        }
        assert_eq!(at[2], json!(true), "{what} is covered by {}", at[3]);
        if self.has_touch {
            let is_large = [&at[4], &at[5]].iter().all(|side| side.as_f64().unwrap() >= 21.9);
            assert!(is_large, "{what} is too small for a finger: {at}");
            let points = json!([{"x": at[0], "y": at[1]}]);
            self.page.call("Input.dispatchTouchEvent", json!({"type": "touchStart", "touchPoints": points}));
            self.page.call("Input.dispatchTouchEvent", json!({"type": "touchEnd", "touchPoints": []}));
        } else {
            for kind in ["mousePressed", "mouseReleased"] {
                let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
                self.page.call("Input.dispatchMouseEvent", event);
            }
        }
    }

    /// Presses the visible button, link or choice with a text.
    #[track_caller]
    fn chooses(&mut self, text: &str) {
        let element = format!(
            "[...document.querySelectorAll('dialog[open] button, button, nav a, summary, label.check')] \
             .find((e) => e.offsetParent && e.textContent.trim() === {})",
            json!(text)
        );
        self.presses(text, &element);
    }

    /// Presses an input and types a text in place of its own.
    #[track_caller]
    fn types(&mut self, text: &str, input: &str) {
        self.presses(&format!("a field for “{text}”"), input);
        self.page.eval(&format!("{input}.select()"));
        self.page.call("Input.insertText", json!({"text": text}));
    }

    /// Sees the strip blink: all of it bright at one time, and dark at another.
    #[track_caller]
    fn sees_it_blink(&mut self, strip: &Wled) {
        strip.taken();
        let is =
            |frame: &Frame, lit: bool| frame.iter().all(|led| (led.iter().all(|byte| *byte > 20)) == lit);
        let (mut bright, mut dark) = (false, false);
        eventually("a strip that blinks", || {
            let frames = strip.taken();
            bright |= frames.iter().any(|frame| is(frame, true));
            dark |= frames.iter().any(|frame| frame.iter().flatten().all(|byte| *byte == 0));
            bright && dark
        });
    }

    /// Answers which colour a strip shows whose wires have this order.
    #[track_caller]
    fn names_colours(&mut self, strip: &Wled, order: &str) {
        self.chooses("Which colour do you see?");
        let mut before = None;
        for _ in 0..2 {
            // The byte that shines alone on all of the strip, and not the one of the question before.
            let mut byte = None;
            eventually("a strip of one colour", || {
                byte = strip.taken().last().and_then(|frame| {
                    (0..3).find(|at| frame.iter().all(|led| (0..3).all(|i| (led[i] > 20) == (i == *at))))
                });
                byte.is_some() && byte != before
            });
            before = byte;
            let colour = match order.as_bytes()[byte.unwrap()] {
                b'r' => "red",
                b'g' => "green",
                _ => "blue",
            };
            self.chooses(colour);
        }
        self.page.wait("the end of the questions", "document.querySelector('dialog[open] form')");
    }
}

fn run(home: &Path) -> Running {
    let mut command = k1(["run", "demo", "--listen", "127.0.0.1:3330"]);
    command.env("XDG_CONFIG_HOME", home);
    start(&mut command)
}

/// The last frames of a strip.
fn newest(strip: &Wled) -> Vec<Frame> {
    strip.taken();
    eventually("frames", || strip.frames.lock().unwrap().len() > 150);
    strip.taken()
}

fn way(width: u32, height: u32, has_touch: bool) {
    let Some(program) = browser() else { return };
    let _turn = turn();
    netns::ip("link set lo multicast on");
    netns::ip("route add 224.0.0.0/4 dev lo");
    let shelf = Wled::start("wled-a1b2c3", "WLED", [127, 0, 0, 2], 60);
    let window = Wled::start("wled-d4e5f6", "WLED window", [127, 0, 0, 3], 300);
    let home = folder();
    let running = run(home.path());
    let mut page = Browser::start(&program);
    page.size(width, height);
    if has_touch {
        page.call("Emulation.setTouchEmulationEnabled", json!({"enabled": true}));
    }
    let mut stranger = Stranger { page, has_touch, steps: 0, began: Instant::now() };
    stranger
        .page
        .wait("K1", "fetch('http://127.0.0.1:3330/', { mode: 'no-cors' }).then(() => true, () => false)");
    stranger.page.open("http://127.0.0.1:3330/");
    stranger.page.wait("the page", LIVE);

    stranger.chooses("Lights");
    stranger.chooses("Find lights");
    let name = "document.querySelector('dialog[open] input')";
    for (found, own, strip) in [("Add WLED", "Shelf", &shelf), ("Add WLED window", "Window", &window)] {
        stranger.chooses(found);
        stranger.sees_it_blink(strip);
        stranger.types(own, name);
        stranger.chooses("Rename");
        stranger.page.wait(
            "the new name",
            &format!("document.querySelector('dialog[open] h2').textContent.startsWith('{own}')"),
        );
        stranger.names_colours(strip, if own == "Window" { "grb" } else { "rgb" });
        if own == "Window" {
            stranger.chooses("Which end is first?");
            stranger.chooses("No, turn it round");
        }
        stranger.chooses("Done");
    }
    let scene = "document.querySelector('#v-scenes form input')";
    for (name, patterns) in [("Dinner", ["Twilight", "Lava"]), ("Party", ["Bloom", "Bars"])] {
        stranger.chooses("Play");
        for (zone, pattern) in ["Shelf", "Window"].into_iter().zip(patterns) {
            stranger.chooses(zone);
            stranger.chooses(pattern);
            let id = pattern.to_lowercase();
            let is_shown =
                format!("k1.play.target.zones.find((z) => z.name === '{zone}')?.pattern === '{id}'");
            stranger.page.wait(pattern, &is_shown);
        }
        stranger.chooses("Scenes");
        stranger.types(name, scene);
        stranger.chooses("Save what is shown");
        stranger.page.wait(name, &format!("document.querySelector('.tile[data-scene=\"{name}\"]')"));
    }
    stranger.chooses("Move through the scenes");
    let every = "document.querySelector('#v-scenes select').value";
    assert_eq!(stranger.page.eval(every), json!("8 bars"));
    let playlist = || crate::get("http://127.0.0.1:3330", "/api/v1/playlist");
    eventually("the playlist", || playlist()["on"] == json!(true) && playlist()["every"] == json!("8 bars"));
    let until_light = stranger.began.elapsed();
    stranger.page.screenshot(&screenshot(&format!("stranger-{width}")), false);

    let is_lit = |strip: &Wled| newest(strip).iter().flatten().flatten().any(|byte| *byte > 10);
    assert!(is_lit(&shelf) && is_lit(&window));
    running.interrupt();
    assert_eq!(running.end().code(), Some(0));
    stranger.page.wait("the loss", &format!("!({LIVE})"));

    let again = run(home.path());
    stranger.page.wait("the page again", LIVE);
    // The playlist shows one of the two scenes.
    stranger.page.wait(
        "both zones with their patterns",
        "['Shelf 60 bloom,Window 300 bars', 'Shelf 60 twilight,Window 300 lava'].includes( \
         k1.play.target.zones.map((z) => `${z.name} ${z.leds} ${z.pattern}`).join())",
    );
    assert_eq!(playlist()["on"], json!(true), "the playlist runs again");
    assert_eq!(playlist()["every"], json!("8 bars"));
    stranger.chooses("Play");
    stranger.chooses("Dinner");
    stranger.page.wait("the scene", "k1.play.target.zones.map((z) => z.pattern).join() === 'twilight,lava'");
    let file = std::fs::read_to_string(home.path().join("k1/k1.toml")).unwrap();
    for there in
        ["reversed = true", "name = \"Window\"", "order = \"grb\"", "every = \"8 bars\"", "on = true"]
    {
        assert!(file.contains(there), "{there} is not in:\n{file}");
    }
    assert!(!file.contains("order = \"rgb\""), "the order of the other strip was right:\n{file}");
    eventually("light after a restart", || is_lit(&shelf) && is_lit(&window));
    let errors: Vec<_> =
        stranger.page.errors().into_iter().filter(|e| !e.contains("ERR_CONNECTION_REFUSED")).collect();
    assert_eq!(errors, Vec::<String>::new());
    println!(
        "{width} px: {} steps, {:.1} s to the playlist, {:.1} s in all",
        stranger.steps,
        until_light.as_secs_f64(),
        stranger.began.elapsed().as_secs_f64()
    );
    drop(again);
}

#[test]
fn two_strips_are_set_up_with_a_mouse() {
    if inside("stranger::two_strips_are_set_up_with_a_mouse") {
        way(1440, 900, false);
    }
}

#[test]
fn two_strips_are_set_up_by_touch() {
    if inside("stranger::two_strips_are_set_up_by_touch") {
        way(360, 740, true);
    }
}
