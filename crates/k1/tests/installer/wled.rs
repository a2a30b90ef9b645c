//! A WLED in the network of the site's page.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::Message;

use super::page::Page;

/// LEDs of the WLED.
const LEDS: usize = 30;

/// True if the page says these words of the WLED.
fn says(words: &str) -> String {
    format!("document.querySelector('#wled-here [data-part=said]').textContent.includes('{words}')")
}

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

pub fn shines(page: &mut Page) {
    let wled = Wled::start();
    page.visit("");
    page.tab.wait("the engine", "document.getElementById('link').dataset.state === 'open'");
    page.tab.eval("document.querySelector('[data-sound=demo]').click()");
    page.tab.wait("the music", "document.body.classList.contains('plays')");
    page.tab.eval("document.querySelector('[data-light=wled]').click()");
    page.tab.wait("the form", "document.querySelector('[data-light=wled]').light");
    let connect = |page: &mut Page, address: &str| {
        page.tab.eval(&format!("document.getElementById('wled-here').host.value = '{address}', document.getElementById('wled-here').requestSubmit()"));
    };
    connect(page, &wled.address);
    page.tab.wait("the light", &says("on 30 LEDs"));
    std::thread::sleep(Duration::from_millis(200));
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
    assert_eq!(page.tab.eval("k1.link.player.wire().length"), 3 * LEDS, "rendered for its LEDs");
    page.tab.eval("document.querySelector('#wled-here button').click()");
    page.tab.wait("the end", &says("goes on by itself"));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(wled.taken().last().unwrap()["seg"]["frz"], false, "WLED goes on by itself");
    assert_eq!(page.tab.errors(), Vec::<String>::new());

    // Nobody is there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    connect(page, &free.to_string());
    page.tab.wait("the refusal", &says("does not answer as a WLED"));
    page.tab.wait("a way on", &says("in the same network"));
    // The browser itself notes that nobody answered.
    let errors = page.tab.errors();
    assert!(errors.iter().all(|error| error.contains("ERR_CONNECTION_REFUSED")), "{errors:?}");
}
