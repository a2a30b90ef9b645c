//! Real lights at the site's page: a strip on its serial port, and a WLED in its network.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k1_wire::serial::read_adalight;
use serde_json::Value;
use tungstenite::Message;

use super::page::Page;

/// LEDs of the strip, and of the WLED.
const LEDS: usize = 30;

/// A WLED on this machine: says how many LEDs it has, and keeps what it is told. It runs as long as the test.
struct Wled {
    address: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Wled {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = told.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut socket) = tungstenite::accept(stream.unwrap()) else { continue };
                let hello = format!(
                    r#"{{"state":{{"on":false}},"info":{{"ver":"0.15.0","leds":{{"count":{LEDS}}}}}}}"#
                );
                socket.send(Message::text(hello)).unwrap();
                while let Ok(message) = socket.read() {
                    if let Message::Text(text) = message {
                        into.lock().unwrap().push(serde_json::from_str(&text).unwrap());
                    }
                }
            }
        });
        Self { address, told }
    }

    /// What it was told since the last call.
    fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

fn told(page: &mut Page) -> String {
    page.tab.eval("document.getElementById('real-told').textContent").as_str().unwrap_or_default().to_owned()
}

/// The frames in what a strip has got; they must be whole, but for the last one.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while let Ok((frame, after)) = read_adalight(rest) {
        assert_eq!(frame.len(), 3 * LEDS);
        frames.push(frame.to_vec());
        rest = after;
    }
    assert!(rest.len() < 6 + 3 * LEDS, "bytes that are no frame");
    frames
}

fn connect_strip(page: &mut Page) {
    page.tab.eval(&format!(
        "document.getElementById('usb-leds').value = {LEDS}, document.getElementById('usb').requestSubmit()"
    ));
}

pub fn strip(page: &mut Page) {
    page.cable.lay_strip();
    page.visit("");
    page.tab.wait("the engine", "document.getElementById('link').dataset.state === 'open'");
    page.tab.eval("document.getElementById('real').open = true");
    page.tab.wait("its module", "document.getElementById('real').dataset.state === 'ready'");
    page.tab.eval("window.fakeRefusal = 'NotFoundError'");
    connect_strip(page);
    page.tab.wait(
        "the refusal",
        "document.getElementById('real-told').textContent.includes('No port was chosen')",
    );
    page.tab.eval("window.fakeRefusal = null");
    page.tab.eval("document.querySelector('[data-sound=demo]').click()");
    page.tab.wait("the music", "document.body.classList.contains('plays')");
    connect_strip(page);
    page.tab
        .wait("the strip", "document.getElementById('real-told').textContent.includes('The strip shines')");
    std::thread::sleep(Duration::from_secs(2));
    let got = frames(page.cable.desk().strip.as_ref().unwrap());
    let bright = got.iter().filter(|frame| frame.iter().any(|byte| *byte > 20)).count();
    println!("{} frames in two seconds, {bright} of them bright", got.len());
    assert!(got.len() > 20 && bright > got.len() / 2);
    assert_eq!(page.tab.eval("k1.link.player.wire().length"), 3 * LEDS, "rendered for this strip");
    assert_eq!(page.tab.eval("document.getElementById('strip') !== null"), true);

    // The cable is pulled, and comes back.
    page.cable.desk().is_pulled = true;
    page.tab.wait(
        "what has happened",
        "document.getElementById('real-told').textContent.includes('The cable was pulled')",
    );
    page.cable.lay_strip();
    page.tab.eval("fakePort.isBack()");
    page.tab.wait("the strip", "document.getElementById('real-told').textContent.includes('is back')");
    page.tab.eval("new Promise((go) => { setTimeout(go, 500); })");
    page.tab.eval("document.getElementById('real-stop').click()");
    page.tab.wait("the end", "!fakePort.readable");
    let got = frames(page.cable.desk().strip.as_ref().unwrap());
    assert!(got.len() > 3 && got.last().unwrap().iter().all(|byte| *byte == 0), "dark at the end");
    assert_eq!(page.tab.errors(), Vec::<String>::new());
}

pub fn wled(page: &mut Page) {
    let wled = Wled::start();
    page.visit("");
    page.tab.wait("the engine", "document.getElementById('link').dataset.state === 'open'");
    page.tab.eval("document.getElementById('real').open = true");
    page.tab.wait("its module", "document.getElementById('real').dataset.state === 'ready'");
    page.tab.eval("document.querySelector('[data-sound=demo]').click()");
    let connect = |page: &mut Page, address: &str| {
        page.tab.eval(&format!("document.getElementById('wled-host').value = '{address}', document.getElementById('wled').requestSubmit()"));
    };
    connect(page, &wled.address);
    page.tab.wait(
        "the light",
        "document.getElementById('real-told').textContent.includes('shines with 30 LEDs')",
    );
    assert_eq!(wled.taken()[0]["on"], true);
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let (all, seconds) = (wled.taken(), began.elapsed().as_secs_f64());
    page.screenshot("lights");
    let mut bright = 0;
    for message in &all {
        let colours = message["seg"]["i"].as_array().unwrap();
        assert_eq!((colours.len(), &colours[0]), (LEDS + 1, &Value::from(0)), "{message}");
        let is_bright =
            |colour: &Value| u32::from_str_radix(colour.as_str().unwrap(), 16).unwrap() > 0x10_1010;
        bright += usize::from(colours[1..].iter().any(is_bright));
    }
    println!("{} frames in {seconds:.1} s, {bright} of them bright", all.len());
    assert!(bright > 10 && all.len() as f64 <= 20.0 * seconds + 2.0, "up to 20 a second");
    page.tab.eval("document.getElementById('real-stop').click()");
    page.tab.wait("the end", "document.getElementById('real-stop').hidden");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(wled.taken().last().unwrap()["seg"]["frz"], false, "WLED goes on by itself");
    assert_eq!(page.tab.errors(), Vec::<String>::new());

    // Nobody is there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    connect(page, &free.to_string());
    page.tab.wait(
        "the refusal",
        "document.getElementById('real-told').textContent.includes('does not answer as a WLED')",
    );
    assert!(told(page).contains("in the same network"), "{}", told(page));
    // The browser itself notes that nobody answered.
    let errors = page.tab.errors();
    assert!(errors.iter().all(|error| error.contains("ERR_CONNECTION_REFUSED")), "{errors:?}");
}
