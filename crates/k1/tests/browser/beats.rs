//! The panel that compares beats with the sound and with taps.

use serde_json::json;

use crate::chromium::Browser;
use crate::screenshot;

/// True if the distances of the last eight beats match the tempo. (The song has a break and a change of tempo.)
const EVEN: &str = "(() => { const b = k1.compared.beats.slice(-8), s = 60000 / k1.compared.last.bpm; \
    return b.length === 8 && b.every((x, i) => !i || Math.abs((x.at - b[i - 1].at) / s - 1) < 0.1); })()";

/// The panel's result for these taps, with beats 500 ms apart, as K1 would announce at 120 BPM; without a clock.
pub fn taps_are_compared(page: &mut Browser) {
    let mut told = |taps: &str, bpm: u32| {
        page.eval(&format!(
            "import('/taps.js').then(({{ Taps, verdict }}) => {{ \
               const beats = {bpm} ? Array.from({{ length: 20 }}, (_, i) => ({{ at: 1000 + 500 * i }})) : []; \
               const t = new Taps(); {taps}.forEach((at) => t.add(at, {bpm})); t.settle(beats, 60000); \
               const r = t.compare(); return r && {{ ...r, verdict: verdict(r) }}; }})"
        ))
    };
    assert_eq!(told("[2000, 2500, 3000]", 120), json!(null), "three taps are too few");
    let late = told("[2020, 2530, 3040, 3530, 4030]", 120);
    assert_eq!(
        (&late["offset"], &late["spread"], &late["share"]),
        (&json!(30), &json!(0), &json!(1)),
        "{late}"
    );
    assert_eq!(late["verdict"], "You and K1 follow the same tempo.");
    let left_out = told("[2000, 2500, 3500, 4000, 4500]", 120);
    assert_eq!(left_out["tempo"], 120, "a beat without a tap does not change the tempo");
    let double = told("[2000, 2250, 2500, 2750, 3000, 3250, 3500]", 120);
    assert_eq!((&double["offset"], &double["tempo"]), (&json!(0), &json!(240)), "{double}");
    assert_eq!(double["verdict"], "You tap twice as fast as K1.");
    assert_eq!(told("[2000, 3500, 5000, 6500]", 120)["verdict"], "K1 beats three times as fast as you tap.");
    assert_eq!(told("[2000, 2400, 2800, 3200]", 120)["verdict"], "You tap at a different tempo than K1.");
    let between = told("[2240, 2740, 3240, 3740]", 120);
    assert_eq!(between["share"], 0);
    assert_eq!(between["verdict"], "The same tempo, but you tap between the beats of K1.");
    let uneven = told("[2000, 2300, 3100, 3250, 4400, 5000]", 120);
    assert_eq!(uneven["verdict"], "Your taps are too uneven for a tempo.", "{uneven}");
    let alone = told("[2000, 2500, 3000, 3500]", 0);
    assert_eq!((&alone["offset"], &alone["share"], &alone["alone"]), (&json!(null), &json!(null), &json!(4)));
    assert!(alone["verdict"].as_str().unwrap().starts_with("K1 announced no beat"), "{alone}");
}

/// The panel with K1's built-in music.
pub fn the_panel_compares(page: &mut Browser) {
    // A closed panel costs nothing.
    page.press("t");
    assert_eq!(
        page.eval("[k1.compared.beats.length, k1.compared.columns.length, k1.compared.taps.all.length, k1.link.wanted.audio]"),
        json!([0, 0, 0, false])
    );

    page.eval("document.querySelector('#beats summary').click()");
    page.wait("the sound of two seconds", "k1.compared.columns.length > 250");
    page.wait("eight even beats", EVEN);
    // A beat comes at the time that was announced at least 0.2 s before.
    page.eval(
        "{ const c = k1.compared, frame = c.frame.bind(c); globalThis.told = []; \
         c.frame = (v) => { frame(v); told.push({ by: c.last.at, due: c.last.at + c.last.next }); }; }",
    );
    page.wait(
        "beats where they were foretold",
        "k1.compared.beats.filter((b) => told.some((t) => b.at - t.by > 200 && Math.abs(t.due - b.at) < 30)).length > 3",
    );
    page.eval("delete k1.compared.frame");
    let spots = |color: &str| {
        format!(
            "(() => {{ const c = document.querySelector('#beats canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
             let n = 0; for (let i = 0; i < d.length; i += 4) n += [{color}].every((x, k) => Math.abs(d[i + k] - x) < 12); return n; }})()"
        )
    };
    page.wait("the sound to be drawn", &format!("{} > 2000", spots("150, 138, 205")));
    assert_eq!(page.eval(&spots("255, 180, 84")), json!(0), "no tap was made");

    let tap = "const c = k1.compared, tap = (at) => c.tap(at - k1.link.offset);";
    page.eval(&format!("{{ {tap} c.beats.slice(-8).forEach((b) => tap(b.at)); }}"));
    let on = page.eval("k1.compared.result");
    assert!(on["offset"].as_f64().unwrap().abs() < 1.0 && on["share"] == 1, "taps on the beats: {on}");
    let verdict = "document.querySelector('#beats [data-part=\"verdict\"]').textContent";
    assert_eq!(page.eval(verdict), "You and K1 follow the same tempo.");
    page.wait("the taps to be drawn", &format!("{} > 50", spots("255, 180, 84")));

    page.eval("document.querySelector('#beats [data-part=\"clear\"]').click()");
    assert_eq!(page.eval("k1.compared.taps.all.length"), json!(0));
    page.wait("eight even beats", EVEN);
    page.eval(&format!(
        "{{ {tap} c.beats.slice(-8).forEach((b, i, all) => {{ if (i) tap((b.at + all[i - 1].at) / 2); tap(b.at); }}); }}"
    ));
    assert_eq!(page.eval(verdict), "You tap twice as fast as K1.");

    for (name, width, height) in
        [("beats-1440", 1440, 1000), ("beats-768", 768, 1024), ("beats-360", 360, 1300)]
    {
        page.size(width, height);
        std::thread::sleep(std::time::Duration::from_millis(900));
        let scroll = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(
            scroll <= u64::from(width),
            "with the panel the page is {scroll} px wide on a screen of {width}"
        );
        page.screenshot(&screenshot(name), false);
    }
    page.size(1440, 1000);

    // Tap by key, by pointer, and by keyboard on the button; a key that is held down counts as one tap.
    page.eval("document.querySelector('#beats [data-part=\"clear\"]').click()");
    page.press("t");
    page.press("T");
    page.eval("document.querySelector('#beats .tap').focus()");
    page.press(" ");
    let at = page.eval("(() => { const r = document.querySelector('#beats .tap').getBoundingClientRect(); return [r.x + 20, r.y + 20]; })()");
    for kind in ["mousePressed", "mouseReleased"] {
        let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
        page.call("Input.dispatchMouseEvent", event);
    }
    page.eval("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 't', repeat: true, bubbles: true }))");
    assert_eq!(page.eval("k1.compared.taps.all.length"), json!(4));

    page.call("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": 0, "y": 0}));

    // Loudspeaker and panel share the sound.
    page.eval("document.getElementById('speaker').click()");
    page.wait("sound", "k1.speaker.on");
    page.eval("document.getElementById('speaker').click()");
    assert_eq!(page.eval("[k1.speaker.on, k1.link.wanted.audio]"), json!([false, true]));
    page.eval("document.querySelector('#beats summary').click()");
    page.wait("the panel to end", "k1.link.wanted.audio === false && k1.compared.columns.length === 0");
}
