//! The page in a browser with a simulated serial port.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::cable::Cable;
use super::chromium::Browser;
use super::host::{self, StaticHost};
use super::maker::Maker;

/// A tab with the page, and the cable at its port.
pub struct Page {
    pub tab: Browser,
    pub cable: Cable,
    pub host: StaticHost,
    /// The folder of the site.
    pub folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Page {
    /// `None`, with the reason on the console, if something is missing.
    pub fn open() -> Option<Self> {
        let (folder, program, turn) = host::site_with("install/install.wasm")?;
        let cable = Cable::default();
        let end = cable.clone();
        let host = StaticHost::serve_with(folder.clone(), Arc::new(move |stream| end.serve(stream)));
        // Whatever firmware the folder has, a test offers its own.
        host.add("firmware/list.json", b"[]".to_vec());
        let mut tab = Browser::start(&program);
        tab.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": include_str!("serial.js") }));
        let mut page = Self { tab, cable, host, folder, _turn: turn };
        page.load();
        Some(page)
    }

    /// Opens a page of the site.
    pub fn visit(&mut self, name: &str) {
        self.tab.open(&format!("{}{name}", self.host.url()));
    }

    /// Loads the page anew.
    pub fn load(&mut self) {
        self.visit("install.html");
        self.tab.wait(
            "the page",
            "document.getElementById('make-key')?.onclick || !document.getElementById('cannot').hidden",
        );
    }

    /// Offers a bundle as part of the site.
    pub fn offer(&mut self, maker: &Maker) {
        let list = json!([{ "file": "k1.tar", "board": maker.board, "version": "1.2.0", "bytes": maker.tar().len() }]);
        self.host.add("firmware/list.json", list.to_string().into_bytes());
        self.host.add("firmware/k1.tar", maker.tar());
        self.host.add("firmware/release.pem", maker.key.public_pem().unwrap().into_bytes());
        self.load();
    }

    /// Lets the visitor choose a file.
    pub fn choose_file(&mut self, input: &str, content: &[u8]) {
        let content = BASE64_STANDARD.encode(content);
        self.tab.eval(&format!("choose('{input}', 'a file', '{content}')"));
        // The page reads files without making anybody wait.
        self.tab.eval("new Promise((go) => { setTimeout(go, 50); })");
    }

    /// Chooses the files of a bundle and of its maker's key.
    pub fn choose(&mut self, maker: &Maker) {
        self.choose_file("maker", maker.key.public_pem().unwrap().as_bytes());
        self.choose_file("bundle", &maker.tar());
        self.tab.wait("that it was checked", "document.querySelector('#step-firmware.done')");
    }

    /// Chooses the file of the owner's key.
    pub fn choose_key(&mut self, pem: &str) {
        self.choose_file("key", pem.as_bytes());
        self.tab.wait("the key", "document.querySelector('#step-key.done')");
    }

    /// What the page says in a step.
    pub fn told(&mut self, step: &str) -> String {
        let told = self.tab.eval(&format!("document.getElementById('{step}-told').textContent"));
        told.as_str().unwrap_or_default().to_owned()
    }

    pub fn cannot_install(&mut self) -> bool {
        self.tab.eval("document.getElementById('install').disabled") == json!(true)
    }

    /// Presses the button. Returns when the page has begun.
    pub fn install(&mut self) {
        self.tab.wait("the button", "!document.getElementById('install').disabled");
        self.tab.eval(
            "document.getElementById('step-chip').classList.remove('done'), document.getElementById('chip-told').classList.remove('bad'), document.getElementById('install').click()",
        );
    }

    pub fn join(&mut self, network: &str, password: &str) {
        let (network, password) = (json!(network), json!(password));
        self.tab.eval(&format!(
            "document.getElementById('ssid').value = {network}, document.getElementById('password').value = {password}, document.getElementById('wifi').requestSubmit()"
        ));
    }

    pub fn screenshot(&mut self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        self.tab.screenshot(&folder.join(format!("installer-{name}.png")), true);
    }
}
