//! The page changes what K1 hears, without a pause of the light; a source that cannot be opened changes nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chromium::Browser;
use crate::doors::LIVE;
use crate::support::eventually;
use crate::{Home, browser, get, screenshot, turn, wav};

#[test]
fn another_input_is_chosen_while_the_light_goes_on() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let home = Home::new();
    let tone: Vec<f32> = (0..32_000).map(|i| 0.4 * (i as f32 * 0.2).sin()).collect();
    std::fs::write(home.folder.path().join("tone.wav"), wav::wav(&tone, 16_000, 1)).unwrap();
    // The show file says what is heard, because a command line would win at the next start.
    let (k1, url) = crate::K1::start_plain(&["--show", home.file().to_str().unwrap()]);
    let mut page = Browser::start(&program);
    page.size(1440, 1000);
    page.open(&format!("{url}#hearing"));
    page.wait("the page", LIVE);
    page.wait(
        "the built-in music",
        "document.querySelector('.input[aria-checked=\"true\"] b')?.textContent === 'Built-in music'",
    );
    page.wait("its level", "document.querySelector('.input .num').textContent.endsWith('dB')");
    page.wait("why there is no live sound", "document.querySelector('.choose .note').textContent.startsWith('No live sound: no sound server answers')");

    // The longest time without a frame while the input changes twice.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let strip = home.strips[0].try_clone().unwrap();
    let watch = std::thread::spawn(move || {
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while stopped.try_recv().is_err() {
            if strip.recv(&mut [0; 1_500]).is_ok() {
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
        }
        longest
    });
    let choose = |page: &mut Browser, text: &str| {
        page.eval(&format!(
            "(() => {{ const f = document.querySelector('.choose form'); f.querySelector('input').value = '{text}'; f.requestSubmit(); }})()"
        ));
    };
    let toast = |page: &mut Browser, text: &str| {
        page.wait(text, &format!("document.getElementById('toast').textContent.includes('{text}')"))
    };
    choose(&mut page, "gone.wav");
    toast(&mut page, "cannot be heard: there is no file");
    choose(&mut page, "-");
    toast(&mut page, "only from its start on");
    choose(&mut page, "mic");
    toast(&mut page, "no sound server answers");
    assert_eq!(get(&url, "api/v1/status")["source"], "built-in music");
    choose(&mut page, "tone.wav");
    page.wait(
        "the file",
        "document.querySelector('.input[aria-checked=\"true\"] small').textContent === 'file'",
    );
    home.says("input = \"tone.wav\"");
    page.wait("its name", "document.getElementById('source').textContent === 'tone.wav'");
    // The file has ended by then, and is played again.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(get(&url, "api/v1/status")["heard"]["silent"], false);
    page.screenshot(&screenshot("inputs-1440"), false);
    page.eval("document.querySelector('#toast button')?.click()");
    home.says("input = \"demo\"");
    choose(&mut page, "tone.wav");
    home.says("input = \"tone.wav\"");
    std::thread::sleep(Duration::from_millis(500));
    stop.send(()).unwrap();
    let longest = watch.join().unwrap();
    println!("inputs: the longest gap between two frames of a light was {} ms", longest.as_millis());
    assert!(longest < Duration::from_millis(400), "{longest:?}");
    let vitals = &get(&url, "api/v1/status")["vitals"];
    assert_eq!((&vitals["allocations"], &vitals["torn"]), (&json!(0), &json!(0)), "{vitals}");
    assert_eq!(page.errors(), Vec::<String>::new());

    // After a restart K1 hears it again.
    drop(k1);
    let (_again, url) = crate::K1::start_plain(&["--show", home.file().to_str().unwrap()]);
    assert_eq!(get(&url, "api/v1/status")["source"], "tone.wav");

    let put = |source: &str| {
        let url = format!("{url}api/v1/input");
        ureq::put(&url)
            .send_json(json!({ "source": source }))
            .unwrap()
            .body_mut()
            .read_json::<Value>()
            .unwrap()
    };
    // A file that goes away does not take the light with it.
    for source in ["demo", "tone.wav"] {
        assert_eq!(put(source)["changed"], true);
        std::thread::sleep(Duration::from_millis(160));
    }
    std::fs::remove_file(home.folder.path().join("tone.wav")).unwrap();
    eventually("the built-in music", || get(&url, "api/v1/status")["source"] == "built-in music");
}
