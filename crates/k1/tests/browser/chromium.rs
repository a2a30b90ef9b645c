//! A small client of the Chrome DevTools Protocol, with only the parts that the page's tests need.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket, connect};

const PATIENCE: Duration = Duration::from_secs(20);

/// A headless browser with one tab.
pub struct Browser {
    process: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    next: u64,
    events: VecDeque<Value>,
    _profile: tempfile::TempDir,
}

/// The browser's program, if there is one.
pub fn find() -> Option<String> {
    ["chromium", "chromium-browser", "google-chrome", "chrome"]
        .into_iter()
        .find(|name| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        })
        .map(str::to_owned)
}

impl Browser {
    pub fn start(program: &str) -> Self {
        Self::start_with(program, &[])
    }

    /// The same with more options.
    pub fn start_with(program: &str, options: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--mute-audio",
                "--autoplay-policy=no-user-gesture-required",
                "--remote-debugging-port=0",
                "--window-size=1440,1000",
            ])
            .args(options)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = lines
            .find_map(|l| Some(l.ok()?.strip_prefix("DevTools listening on ")?.to_owned()))
            .expect("the browser has not opened its debugging port");
        // Read the rest of its output, so that the pipe does not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = connect(url).unwrap();
        if let MaybeTlsStream::Plain(tcp) = socket.get_ref() {
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut browser = Self {
            process,
            socket,
            session: String::new(),
            next: 0,
            events: VecDeque::new(),
            _profile: profile,
        };
        browser.new_tab();
        browser
    }

    /// Opens another tab and switches to it; returns its name for [`Browser::switch`].
    pub fn new_tab(&mut self) -> String {
        self.session.clear();
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached =
            self.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        self.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.session.clone()
    }

    /// The current tab.
    pub fn tab(&self) -> String {
        self.session.clone()
    }

    /// Switches to a tab.
    pub fn switch(&mut self, tab: &str) {
        tab.clone_into(&mut self.session);
    }

    /// Calls a method of the protocol.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().expect("the browser does not answer") else {
                continue;
            };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            if answer["method"].is_string() {
                self.events.push_back(answer);
            }
        }
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    /// The value of a JavaScript expression. Waits for a promise.
    pub fn eval(&mut self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|e| panic!("{expression}: {e}"))
    }

    fn try_eval(&mut self, expression: &str) -> Result<Value, Value> {
        let answer = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}),
        );
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            error => Err(error.clone()),
        }
    }

    /// Waits until an expression, or what its promise becomes, is true.
    pub fn wait(&mut self, what: &str, expression: &str) {
        let until = Instant::now() + PATIENCE;
        // While the page loads, the expression may fail because an element does not exist yet.
        while self.try_eval(&format!("(async () => Boolean(await ({expression})))()")) != Ok(json!(true)) {
            assert!(Instant::now() < until, "waited in vain for: {what}");
            std::thread::sleep(Duration::from_millis(60));
        }
    }

    pub fn size(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        );
    }

    pub fn reduced_motion(&mut self, on: bool) {
        let value = if on { "reduce" } else { "no-preference" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-reduced-motion", "value": value}]}),
        );
    }

    pub fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// The same with Shift held.
    pub fn press_shifted(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "modifiers": 8}));
        }
    }

    /// Drags from the middle of what `element` finds by some pixels, with a mouse or a finger.
    pub fn drag(&mut self, element: &str, by: (f64, f64), has_touch: bool) {
        let find = format!(
            "(async () => {{ const e = {element}; e.scrollIntoView({{ block: 'center' }}); \
             await new Promise((later) => setTimeout(later, 80)); const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let from = self.eval(&find);
        let (x, y) = (from[0].as_f64().unwrap(), from[1].as_f64().unwrap());
        for step in 0..=8 {
            let part = f64::from(step) / 8.0;
            let (x, y) = (x + part * by.0, y + part * by.1);
            if has_touch {
                let kind = if step == 0 { "touchStart" } else { "touchMove" };
                self.call(
                    "Input.dispatchTouchEvent",
                    json!({"type": kind, "touchPoints": [{"x": x, "y": y}]}),
                );
            } else {
                let kind = if step == 0 { "mousePressed" } else { "mouseMoved" };
                let event =
                    json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1});
                self.call("Input.dispatchMouseEvent", event);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        if has_touch {
            self.call("Input.dispatchTouchEvent", json!({"type": "touchEnd", "touchPoints": []}));
        } else {
            let (x, y) = (x + by.0, y + by.1);
            let event = json!({"type": "mouseReleased", "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    pub fn screenshot(&mut self, path: &Path, whole: bool) {
        let shot =
            self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": whole}));
        let bytes = base64(shot["data"].as_str().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Errors that the page logged or threw since the last call.
    pub fn errors(&mut self) -> Vec<String> {
        // A round trip collects events that are on their way.
        self.eval("1");
        self.events
            .drain(..)
            .filter_map(|e| match e["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(e["params"]["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if e["params"]["type"] == "error" => Some(e["params"].to_string()),
                "Log.entryAdded" if e["params"]["entry"]["level"] == "error" => {
                    Some(e["params"]["entry"].to_string())
                }
                _ => None,
            })
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Decodes standard base64 (RFC 4648 §4), in which the protocol sends pictures.
pub fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut have) = (0_u32, 0);
    for value in text.bytes().filter_map(|b| LETTERS.iter().position(|l| *l == b)) {
        bits = bits << 6 | value as u32;
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    out
}
