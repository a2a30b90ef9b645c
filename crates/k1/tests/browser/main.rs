//! The live page in a real browser: it shows what K1 sends, commands reach K1, and it comes back by itself.
//!
//! Without Chromium the tests print that they were skipped and pass; with `browser` in `K1_REQUIRE` they fail instead.

mod access;
mod beats;
mod chromium;
mod doors;
mod inputs;
mod left_open;
mod lights;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "used in part")]
#[path = "../support/netns.rs"]
mod netns;
mod people;
#[cfg(target_os = "linux")]
mod phone;
mod proxy;
#[cfg(target_os = "linux")]
mod stranger;
#[path = "../support/mod.rs"]
mod support;
mod waiting;
#[allow(dead_code, reason = "used in part")]
#[path = "../support/wav.rs"]
mod wav;
#[cfg(target_os = "linux")]
#[path = "../support/wled.rs"]
mod wled;
mod zones;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromium::Browser;
use serde_json::{Value, json};
use support::host::Host;
use support::need;

/// The program, playing its own music, and its home, so that it leaves the user's own show alone.
struct K1(Child, #[allow(dead_code, reason = "it is deleted with the program")] tempfile::TempDir);

impl K1 {
    fn start(listen: &str) -> (Self, String) {
        Self::start_with(listen, &[])
    }

    fn start_with(listen: &str, options: &[&str]) -> (Self, String) {
        let all = [&["demo", "--listen", listen, "--name", "Küche <b>"], options].concat();
        Self::begin(&all)
    }

    /// Without an input on the command line.
    fn start_plain(options: &[&str]) -> (Self, String) {
        Self::begin(&[&["--listen", "127.0.0.1:0"], options].concat())
    }

    fn begin(options: &[&str]) -> (Self, String) {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_k1"))
            .arg("run")
            .args(options)
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("K1_TOKEN")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env("PULSE_SERVER", "unix:/no/such/place")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .find_map(|l| Some(l.ok()?.trim().strip_prefix("Light is on: ")?.to_owned()))
            .expect("k1 has not printed its address");
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child, home), url)
    }
}

/// Two strips with a zone each, two scenes and a playlist that runs, and the sockets that take their light.
struct Home {
    folder: tempfile::TempDir,
    strips: Vec<UdpSocket>,
}

impl Home {
    fn new() -> Self {
        let strips: Vec<_> = (0..2).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let to = |i: usize| format!("ddp://{}", strips[i].local_addr().unwrap());
        let text = format!(
            "version = 1\n[[light]]\nname = \"Shelf\"\nto = \"{}\"\nleds = 60\n[[light]]\nname = \"Window\"\nto = \"{}\"\nleds = 300\n\
             [[zone]]\nname = \"Shelf\"\npieces = [{{ light = \"Shelf\" }}]\nlook = {{ pattern = \"bloom\" }}\n\
             [[zone]]\nname = \"Window\"\npieces = [{{ light = \"Window\", from = 0, to = 199 }}] # left\nlook = {{ pattern = \"lava\" }}\n\
             [[scene]]\nname = \"Dinner\"\nlooks = {{ Shelf = {{ pattern = \"lava\" }}, Window = {{ pattern = \"twilight\" }} }}\n\
             [[scene]]\nname = \"Party\"\nlooks = {{ Shelf = {{ pattern = \"bars\" }}, Window = {{ pattern = \"bloom\" }} }}\n\
             [playlist]\nevery = \"4 bars\"\non = true\n",
            to(0),
            to(1)
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k1.toml"), text).unwrap();
        Self { folder, strips }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("k1.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// K1 with this show, without a sound server.
    fn run(&self) -> (K1, String) {
        K1::start_with("127.0.0.1:0", &["--show", self.file().to_str().unwrap()])
    }

    /// Waits until the file contains a text.
    #[track_caller]
    fn says(&self, text: &str) {
        support::eventually(text, || self.text().contains(text));
    }
}

impl Drop for K1 {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(url: &str, path: &str) -> Value {
    // A client may request the same path only once per interval.
    std::thread::sleep(Duration::from_millis(160));
    ureq::get(format!("{url}{path}")).call().unwrap().body_mut().read_json().unwrap()
}

fn screenshot(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots").join(format!("{name}.png"))
}

/// Lets one browser run at a time, because a browser uses all of a machine.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The browser's program; `None`, with the reason on the console, if there is none.
fn browser() -> Option<String> {
    let program = chromium::find();
    if program.is_none() {
        need::missing("browser", "chromium");
    }
    program
}

#[test]
fn the_page_lists_the_lights() {
    if let Some(program) = browser() {
        let _turn = turn();
        lights::lights_are_listed(&program);
    }
}

#[test]
fn the_page_lives() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let (k1, url) = K1::start("127.0.0.1:0");
    let mut page = Browser::start(&program);
    page.size(1440, 1000);
    page.open(&url);

    // The page shows tempo, figures and light.
    page.wait("the link", "document.getElementById('link').dataset.state === 'open'");
    page.wait("a tempo", "Number(document.getElementById('bpm').textContent) > 50");
    page.wait(
        "measured figures",
        "k1.shown.figures > 1 && !document.getElementById('figures').textContent.includes('–')",
    );
    page.wait("its name", "document.title === 'Küche <b> – K1'");
    page.wait("all patterns", "document.querySelectorAll('.pattern').length === 21");
    page.wait("all palettes", "document.querySelectorAll('.palette').length === 33");
    let lit = "(() => { const c = document.getElementById('strip'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
               let s = 0; for (let i = 0; i < d.length; i += 4) s = Math.max(s, d[i], d[i + 1], d[i + 2]); return s; })()";
    page.wait("light on the strip", &format!("{lit} > 120"));
    page.wait(
        "moving thumbnails",
        "[...document.querySelectorAll('.pattern canvas')].filter((c) => c.getContext('2d').getImageData(0, 0, 48, 18).data.some((x, i) => i % 4 < 3 && x > 40)).length > 10",
    );

    // Frames arrive at 60 Hz or more. (A busy machine may drop some, but the page must still move smoothly.)
    let host = Host::watch();
    let rate = page.eval(
        "new Promise((done) => { const b = k1.link.on.binary; let n = 0; k1.link.on.binary = (v) => { if (v.getUint8(0) === 1) n++; b(v); }; \
         setTimeout(() => { k1.link.on.binary = b; done(n / 3); }, 3000); })",
    );
    let rate = rate.as_f64().unwrap();
    println!("page: {rate:.1} frames a second");
    host.asserts("page-frame-rate", rate > 45.0, || format!("{rate} frames a second"));

    // Commands reach K1.
    page.eval("document.querySelector('.pattern[data-id=\"bloom\"]').click()");
    page.wait(
        "the pattern to be shown as chosen",
        "document.querySelector('.pattern[data-id=\"bloom\"]').getAttribute('aria-checked') === 'true'",
    );
    assert_eq!(get(&url, "api/v1/status")["pattern"], "bloom");
    page.eval("(() => { const s = document.getElementById('p-warmth'); s.value = 0.7; s.dispatchEvent(new Event('input')); })()");
    page.wait("the slider's value to come back", "k1.shown.settings.params.warmth > 0.69");
    assert!((get(&url, "api/params")["warmth"].as_f64().unwrap() - 0.7).abs() < 1e-6);
    page.eval("document.querySelector('.palette[data-id=\"7\"]').click()");
    page.wait("the palette", "k1.shown.settings.params.palette_id === 7");
    // With the keyboard: arrows within the group, brackets anywhere.
    page.eval("document.querySelector('.pattern[data-id=\"bloom\"]').focus()");
    page.press("ArrowRight");
    page.wait("the next pattern by arrow key", "k1.shown.settings.pattern === 'pulse'");
    page.press("[");
    page.wait("the previous pattern by bracket", "k1.shown.settings.pattern === 'bloom'");
    page.eval("document.getElementById('reset').click()");
    page.wait("the defaults", "k1.shown.settings.params.warmth === 0");

    // The loudspeaker plays in time with the light.
    page.eval("document.getElementById('speaker').click()");
    page.wait("sound", "k1.skew !== null");
    std::thread::sleep(Duration::from_secs(3));
    page.wait("sound and light to be together, within 40 ms", "k1.skew !== null && Math.abs(k1.skew) <= 40");
    println!("page: sound and light are {} ms apart", page.eval("k1.skew"));
    page.eval("document.getElementById('speaker').click()");
    assert_eq!(page.eval("k1.speaker.on"), json!(false));

    page.eval("location.hash = '#hearing'");
    page.wait("the sound in words", "document.getElementById('rms').textContent !== '–'");
    beats::taps_are_compared(&mut page);
    beats::the_panel_compares(&mut page);

    page.eval("document.querySelector('.pattern[data-id=\"beat_tunnel\"]').click()");
    std::thread::sleep(Duration::from_secs(5));
    for (width, height) in [(1440, 1000), (768, 1024), (360, 740)] {
        page.size(width, height);
        for view in ["play", "hearing", "measured"] {
            page.eval(&format!("location.hash = '#{view}'"));
            std::thread::sleep(Duration::from_millis(900));
            let scroll = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(scroll <= u64::from(width), "{view} is {scroll} px wide on a screen of {width}");
            page.screenshot(&screenshot(&format!("{view}-{width}")), false);
        }
    }
    assert_eq!(page.errors(), Vec::<String>::new());

    // Reduced motion: fewer frames, no waterfall.
    page.reduced_motion(true);
    page.wait(
        "the waterfall to be gone",
        "getComputedStyle(document.querySelector('.past')).display === 'none'",
    );
    page.reduced_motion(false);

    // The page says that it has lost K1, hides figures that it does not know, and reconnects by itself.
    drop(k1);
    page.wait("the loss to be told", "document.getElementById('link').dataset.state === 'closed'");
    assert_eq!(page.eval("document.getElementById('bpm').textContent"), json!("–"));
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let (_again, _) = K1::start(address);
    page.wait("the link to come back", "document.getElementById('link').dataset.state === 'open'");
    page.wait("figures after the return", "Number(document.getElementById('bpm').textContent) > 50");
}
