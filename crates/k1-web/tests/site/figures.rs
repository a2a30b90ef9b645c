//! What a stranger gets, in figures: time and bytes to light, time from sound to light, processor, sizes of screens.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Place;
use super::chromium::Browser;

fn screenshot(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots").join(format!("{name}.png"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

pub fn from_nothing_to_light(place: &Place) {
    let mut page = place.browser(&[]);
    let began = Instant::now();
    page.open(&place.host.url());
    page.wait("light before anything is pressed", "performance.getEntriesByName('first light').length");
    let seconds = began.elapsed().as_secs_f64();
    let own = number(&page.eval("performance.getEntriesByName('first light')[0].startTime")) / 1000.0;
    let bytes = page.eval(
        "performance.getEntriesByType('resource').reduce((sum, r) => sum + r.encodedBodySize, 0) \
         + performance.getEntriesByType('navigation')[0].encodedBodySize",
    );
    println!(
        "site: from an empty browser to light in {own:.2} s ({seconds:.2} s seen from outside), {bytes} bytes uncompressed"
    );
    page.wait("all patterns, moving", "document.querySelectorAll('.pattern canvas').length === 21");

    page.eval("document.querySelector('[data-sound=demo]').click()");
    page.wait("the music", "document.getElementById('source').textContent === 'built-in music'");
    page.wait("its tempo", "Math.abs(Number(document.getElementById('bpm').textContent) - 112) < 1");
    page.eval("import('./link.js').then((link) => { window.asked = link; })");
    page.wait(
        "its figures",
        "asked.get('api/v1/status').then(({ vitals }) => vitals.hop_rate > 100 && vitals.hop_us > 0 && vitals.render_us > 0)",
    );
    let status = page.eval("asked.get('api/v1/status')");
    let vitals = &status["vitals"];
    println!(
        "site: {} frames a second, {} hops, hearing a hop takes {} µs, rendering a frame {} µs",
        vitals["fps"], vitals["hop_rate"], vitals["hop_us"], vitals["render_us"]
    );

    // The page works as that of any K1, and remembers its look.
    page.eval("document.querySelector('.pattern[data-id=\"bloom\"]').click()");
    page.wait("the pattern", "k1.shown.settings.pattern === 'bloom'");
    page.eval("(() => { const s = document.getElementById('p-warmth'); s.value = 0.7; s.dispatchEvent(new Event('input')); })()");
    page.wait("the slider's value", "k1.shown.settings.params.warmth > 0.69");
    page.wait("it is kept", "localStorage.getItem('k1-look')?.includes('0.7')");
    page.press("f");
    page.wait("wall mode", "k1.wall.on && document.fullscreenElement");
    std::thread::sleep(Duration::from_millis(800));
    page.screenshot(&screenshot("site-wall"), false);
    page.press("Escape");
    page.wait("its end", "!k1.wall.on");
    page.open(&place.host.url());
    page.wait(
        "the look of the last visit",
        "k1.shown.settings?.pattern === 'bloom' && k1.shown.settings.params.warmth > 0.69",
    );
    assert_eq!(page.errors(), Vec::<String>::new());
}

pub fn fits_every_screen(place: &Place) {
    let mut page = place.page(&[]);
    for (width, height) in [(360, 740), (768, 1024), (1440, 900), (1920, 1080)] {
        for plays in [false, true] {
            page.size(width, height);
            page.open(&place.host.url());
            page.wait("light", "performance.getEntriesByName('first light').length");
            if plays {
                page.eval("document.querySelector('[data-sound=demo]').click()");
                page.wait("the music", "document.body.classList.contains('plays')");
            }
            std::thread::sleep(Duration::from_millis(2_500));
            let scroll = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(scroll <= u64::from(width), "the site is {scroll} px wide on a screen of {width}");
            // The first button is there without scrolling, large enough for a thumb, and no text is tiny.
            let button = page.eval(
                "(() => { const r = document.querySelector('[data-sound=demo]').getBoundingClientRect(); return [r.height, r.bottom]; })()",
            );
            assert!(
                number(&button[0]) >= 44.0 && number(&button[1]) <= f64::from(height),
                "{width}: {button}"
            );
            let smallest = page.eval(
                "Math.min(...[...document.querySelectorAll('.start *')].filter((e) => e.textContent && e.offsetParent).map((e) => parseFloat(getComputedStyle(e).fontSize)))",
            );
            assert!(number(&smallest) >= 12.0, "{smallest}");
            page.screenshot(
                &screenshot(&format!("site-{}{width}", if plays { "plays-" } else { "" })),
                false,
            );
        }
    }
    assert_eq!(page.errors(), Vec::<String>::new());
}

/// The share of the main thread that is used, and frames per second, over some seconds.
fn load(page: &mut Browser, seconds: u64) -> (f64, f64) {
    let metric = |page: &mut Browser, name: &str| {
        let all = page.call("Performance.getMetrics", json!({}));
        let found = all["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["name"] == name)
            .map(|m| number(&m["value"]));
        found.unwrap_or(f64::NAN)
    };
    let count = |page: &mut Browser| number(&page.eval("k1.link.frames ?? 0"));
    page.eval("(() => { const b = k1.link.on.binary; k1.link.frames = 0; k1.link.on.binary = (v) => { if (v.getUint8(0) === 1) k1.link.frames++; b(v); }; })()");
    let (busy, at, frames) = (metric(page, "TaskDuration"), metric(page, "Timestamp"), count(page));
    std::thread::sleep(Duration::from_secs(seconds));
    let (busy_then, then, frames_then) =
        (metric(page, "TaskDuration"), metric(page, "Timestamp"), count(page));
    ((busy_then - busy) / (then - at), (frames_then - frames) / (then - at))
}

pub fn slowed_down(place: &Place) {
    let mut page = place.page(&[]);
    page.call("Performance.enable", json!({}));
    page.eval("document.querySelector('[data-sound=demo]').click()");
    page.wait("the music", "document.getElementById('source').textContent === 'built-in music'");
    for rate in [1, 6] {
        page.call("Emulation.setCPUThrottlingRate", json!({"rate": rate}));
        std::thread::sleep(Duration::from_secs(2));
        let (busy, fps) = load(&mut page, 5);
        println!(
            "site: {rate} times slower: {fps:.1} frames a second, {:.0} % of the page's thread",
            100.0 * busy
        );
        assert!(fps > 5.0, "{fps} frames a second");
    }
    page.call("Emulation.setCPUThrottlingRate", json!({"rate": 1}));
    // The ear has a thread of its own: it has lost nothing.
    let beats = number(&page.eval("k1.shown.beats"));
    page.wait("further beats", &format!("k1.shown.beats > {beats}"));
    assert_eq!(page.errors(), Vec::<String>::new());
}

/// Clicks at known times of the context, as a source that is played (`true`) or live. Returns, for each click, the time in ms
/// from the click, as it is heard or as it comes in, to the frame that counts it, and to the first frame that is brighter.
const CLICKS: &str = r"
  window.clicks = async (isPlayed) => {
    const { sound } = k1.link;
    const context = await sound.open('clicks', {}, { isPlayed });
    const mute = context.createGain();
    mute.gain.value = isPlayed ? 1 : 0;
    mute.connect(context.destination);
    // The shortest distance between the two clocks is the true one.
    let ahead = Infinity;
    const compare = setInterval(() => { ahead = Math.min(ahead, performance.now() - 1000 * context.currentTime); }, 1);
    const buffer = context.createBuffer(1, context.sampleRate / 50, context.sampleRate);
    buffer.getChannelData(0).forEach((_, i, out) => { out[i] = Math.exp(-i / 200) * Math.sin(i * 0.4); });
    const frames = [];
    const { binary } = k1.link.on;
    k1.link.on.binary = (view) => {
      if (view.getUint8(0) === 1) {
        const n = view.getUint16(2, true);
        let light = 0;
        for (let i = 0; i < 3 * n; i++) light += view.getUint8(140 + i);
        frames.push({ at: performance.now(), onsets: view.getUint32(56, true), light: light / n });
      }
      binary(view);
    };
    const found = [];
    let from = context.currentTime + 2;
    for (let click = 0; click < 12; click++) {
      const when = from + click * 0.7 + 0.013 * click;
      const node = context.createBufferSource();
      node.buffer = buffer;
      node.connect(sound.ear);
      node.connect(mute);
      node.start(when);
      await new Promise((later) => setTimeout(later, 1000 * (when - context.currentTime) + 600));
      const stamp = context.getOutputTimestamp();
      const at = isPlayed ? 1000 * when + stamp.performanceTime - 1000 * stamp.contextTime : 1000 * when + ahead;
      const before = frames.findLast((f) => f.at < at);
      const counted = frames.find((f) => f.at >= at && before && f.onsets > before.onsets);
      const brighter = frames.find((f) => f.at >= at - 30 && before && f.light > before.light + 2);
      found.push([counted ? counted.at - at : null, brighter ? brighter.at - at : null]);
    }
    clearInterval(compare);
    k1.link.on.binary = binary;
    return found;
  }; true";

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn sound_to_light(place: &Place) {
    let mut page = place.page(&[]);
    page.eval("document.querySelector('.pattern[data-id=\"spectrum\"]').click()");
    page.eval(CLICKS);
    for (what, is_played) in [("comes in", false), ("is heard", true)] {
        let found = page.eval(&format!("clicks({is_played})"));
        let times = |i: usize| -> Vec<f64> {
            found.as_array().unwrap().iter().filter_map(|click| click[i].as_f64()).collect()
        };
        let (counted, brighter) = (times(0), times(1));
        println!(
            "site: from the moment a click {what}: the frame that counts it after {:.0} ms, brighter light after {:.0} ms (medians of {} and {} of 12)",
            median(&counted),
            median(&brighter),
            counted.len(),
            brighter.len()
        );
        assert!(counted.len() >= 6, "{found}");
        assert!(median(&counted) < 150.0, "{found}");
    }
}

pub fn offline(place: Place) {
    let mut page = place.page(&[]);
    page.wait(
        "everything to be kept",
        "navigator.serviceWorker.ready.then(async (r) => { \
           const names = await caches.keys(); \
           return r.active.state === 'activated' && names.length === 1 && (await (await caches.open(names[0])).keys()).length > 25; })",
    );
    let url = place.host.url();
    drop(place.host);
    page.open("about:blank");
    page.open(&url);
    page.wait("light", "window.k1?.shown.beats > 0");
    page.eval("document.querySelector('[data-sound=demo]').click()");
    page.wait("the music", "document.getElementById('source').textContent === 'built-in music'");
    page.wait("its tempo", "Math.abs(Number(document.getElementById('bpm').textContent) - 112) < 1");
    let light = page.eval("performance.getEntriesByName('first light')[0].startTime");
    println!("site: without a network, light after {:.2} s", number(&light) / 1000.0);
    assert_eq!(page.errors(), Vec::<String>::new());
}
