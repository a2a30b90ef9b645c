//! Access to the page: the token in several tabs, and reverse proxies.

use std::time::Duration;

use serde_json::json;

use crate::chromium::Browser;
use crate::proxy::{self, Host, Nginx};
use crate::{K1, browser, turn};

const FIRST: &str = "first-token-1";
const SECOND: &str = "second-token-2";

pub const LIVE: &str = "document.getElementById('link').dataset.state === 'open'";
pub const ASKS: &str = "!document.getElementById('ask-token').hidden";
const WHY: &str = "document.querySelector('#ask-token label').textContent";
pub const LIT: &str = "(() => { const c = document.getElementById('strip'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
    for (let i = 0; i < d.length; i += 4) if (Math.max(d[i], d[i + 1], d[i + 2]) > 60) return true; return false; })()";

fn enter(page: &mut Browser, token: &str) {
    page.wait("the button", "!document.querySelector('#ask-token button').disabled");
    page.eval(&format!(
        "(() => {{ document.getElementById('token').value = '{token}'; document.getElementById('ask-token').requestSubmit(); }})()"
    ));
}

fn says(page: &mut Browser, text: &str) {
    page.wait(text, &format!("{ASKS} && {WHY}.includes('{text}')"));
}

#[test]
fn every_tab_asks_for_the_right_token_and_goes_on_when_one_has_it() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let (k1, url) = K1::start_with("127.0.0.1:0", &["--token", FIRST]);
    let mut page = Browser::start(&program);
    page.open(&url);
    let one = page.tab();
    says(&mut page, "needs its token");
    let two = page.new_tab();
    page.open(&url);
    says(&mut page, "needs its token");
    enter(&mut page, "not-the-token");
    says(&mut page, "not the token");
    page.switch(&one);
    assert!(page.eval(WHY).as_str().unwrap().contains("needs its token"), "a slip is nobody else's");
    // The page also accepts a whole address, because people copy that.
    enter(&mut page, &format!("{url}#token={FIRST}"));
    for tab in [&one, &two] {
        page.switch(tab);
        page.wait("the link", LIVE);
        page.wait("the question to be gone", &format!("!({ASKS})"));
    }
    page.wait("patterns", "document.querySelectorAll('.pattern').length === 21");
    let three = page.new_tab();
    page.open(&url);
    page.wait("a new tab that knows the token", LIVE);

    // K1 restarts at the same address with another token.
    drop(k1);
    page.wait("the loss", &format!("!({LIVE})"));
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (_again, _) = K1::start_with(&address, &["--token", SECOND]);
    for tab in [&one, &two, &three] {
        page.switch(tab);
        // A hidden tab may take longer; a visible one continues at once.
        page.eval("k1.link.now()");
        says(&mut page, "has changed");
        assert!(
            !page.eval("document.getElementById('link').textContent").as_str().unwrap().contains("again")
        );
    }
    enter(&mut page, SECOND);
    for tab in [&one, &two, &three] {
        page.switch(tab);
        page.wait("the link", LIVE);
    }

    // The page tells a guesser how long to wait, and still accepts the right token.
    page.eval("localStorage.clear()");
    let four = page.new_tab();
    page.open(&url);
    says(&mut page, "needs its token");
    for i in 0..9 {
        enter(&mut page, &format!("guess-{i}"));
        std::thread::sleep(Duration::from_millis(300));
    }
    page.wait("the waiting time", &format!("/too many wrong tokens.* [0-9]+ s/.test({WHY})"));
    enter(&mut page, SECOND);
    page.wait("the link", LIVE);
    page.switch(&four);

    // An address with a token opens a page that was asking for one.
    page.eval("localStorage.clear()");
    page.new_tab();
    page.open(&url);
    says(&mut page, "needs its token");
    page.eval(&format!("location.hash = '#token={SECOND}'"));
    page.wait("the link", LIVE);
    assert_eq!(page.eval("location.hash"), json!(""), "it is not left in the address");
}

/// Asserts that the page is live, shows light and controls K1 behind a proxy.
fn lives(page: &mut Browser, url: &str) {
    page.open(url);
    page.wait("the link", LIVE);
    page.wait("all patterns", "document.querySelectorAll('.pattern').length === 21");
    page.wait("light", LIT);
    page.eval("document.querySelector('.pattern[data-id=\"bloom\"]').click()");
    page.wait("the command to be obeyed", "k1.shown.settings?.pattern === 'bloom'");
    page.eval("document.getElementById('reset').click()");
    // Headers that a browser sends for a page with this name.
    let status = page.eval("fetch('api/v1/self-test', { method: 'POST', body: '{}' }).then((r) => r.status)");
    assert_eq!(status, json!(400), "a POST of this page is let in");
    page.eval("document.querySelector('.pattern[data-id=\"pulse\"]').click()");
}

#[test]
fn the_page_lives_below_a_prefix_behind_a_proxy() {
    let Some(program) = browser() else { return };
    let _turn = turn();
    let (_k1, url) = K1::start_with("127.0.0.1:0", &["--allow-host", "home.example.org"]);
    let behind = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let names = "--host-resolver-rules=MAP home.example.org 127.0.0.1, MAP other.example.org 127.0.0.1";
    let mut page = Browser::start_with(&program, &[names, "--ignore-certificate-errors"]);
    for host in [Host::Kept, Host::Own] {
        let proxy = proxy::start(&behind, host);
        let port = proxy.rsplit_once(':').unwrap().1;
        lives(&mut page, &format!("http://home.example.org:{port}/k1/"));
    }
    // For a name that is not allowed, the page says so and stops trying.
    let proxy = proxy::start(&behind, Host::Own);
    let port = proxy.rsplit_once(':').unwrap().1;
    page.open(&format!("http://other.example.org:{port}/k1/"));
    page.wait("the reason", "document.getElementById('link').textContent.includes('--allow-host')");

    if let Some(nginx) = Nginx::start(&behind) {
        let port = nginx.address.rsplit_once(':').unwrap().1.to_owned();
        for path in ["k1", "kept"] {
            lives(&mut page, &format!("https://home.example.org:{port}/{path}/"));
            assert_eq!(page.eval("location.protocol"), json!("https:"));
        }
    }
}
