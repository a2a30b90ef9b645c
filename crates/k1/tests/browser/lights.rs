//! The list of lights, as a browser shows it.

use std::net::UdpSocket;
use std::time::Duration;

use super::chromium::Browser;
use super::{K1, screenshot};

pub fn lights_are_listed(program: &str) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let good = format!("ddp://{}", receiver.local_addr().unwrap());
    let dead = {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        format!("ddp://{}", closed.local_addr().unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    // The page shows a name as text, whatever it contains.
    let file = format!("file:{}/<b>light", folder.path().display());
    std::fs::create_dir(folder.path().join("<b>light")).unwrap();
    let file = format!("{file}/frames");
    let more = ["--to", &good, "--to", &dead, "--to", "ddp://attic-window-strip.invalid", "--to", &file];
    let (_k1, url) = K1::start_with("127.0.0.1:0", &more);
    let mut page = Browser::start(program);
    page.size(1440, 1000);
    page.open(&format!("{url}#lights"));
    let row = |i: usize| format!("document.querySelectorAll('#v-lights .rows li')[{i}]");
    page.wait("four lights", "document.querySelectorAll('#v-lights .rows li').length === 4");
    page.wait("the good one", &format!("{}.dataset.state === 'shining'", row(0)));
    page.wait("the dead one", &format!("{}.dataset.state === 'unreachable'", row(1)));
    page.wait("its reason", &format!("{}.innerText.includes('nothing receives light on its port')", row(1)));
    page.wait("the unknown one", &format!("{}.dataset.state === 'looking'", row(2)));
    page.wait("the file", &format!("{}.innerText.includes('<b>light/frames')", row(3)));
    page.wait(
        "what is dropped has a name",
        "!document.getElementById('counts').textContent.includes('by a sink')",
    );
    for (name, width, height) in [("lights-1440", 1440, 1000), ("lights-390", 390, 844)] {
        page.size(width, height);
        std::thread::sleep(Duration::from_millis(900));
        let scroll = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(scroll <= u64::from(width), "the page is {scroll} px wide on a screen of {width}");
        page.eval("scrollTo(0, 0)");
        page.screenshot(&screenshot(name), false);
    }
    assert_eq!(page.errors(), Vec::<String>::new());
}
