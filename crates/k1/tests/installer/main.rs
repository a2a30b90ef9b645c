//! The site's pages at a cable, in a real browser: from a maker's bundle to the flash of a simulated chip, and to its network;
//! and light on a WLED.
//!
//! Without Chromium or the folder of `cargo xtask site`, the tests print that they were skipped and pass; with `browser` and
//! `site` in `K1_REQUIRE` they fail instead.
#![cfg(all(target_os = "linux", feature = "usb"))]

mod cable;
#[path = "../usb/chip.rs"]
#[allow(dead_code, reason = "used in part")]
mod chip;
#[path = "../browser/chromium.rs"]
#[allow(dead_code, reason = "used in part")]
mod chromium;
#[path = "../../../k1-web/tests/site/host.rs"]
#[allow(dead_code, reason = "used in part")]
mod host;
mod lamp;
mod maker;
mod page;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod wled;

use std::time::Instant;

use chip::{Chip, ESP32S3};
use k1_bundle::settings;
use k1_update::envelope::Envelope;
use k1_update::layout::{Layout, Slot};
use lamp::{PASSWORD, PLACE};
use maker::{Maker, blank, same};
use page::Page;
use support::need;

const MAP: Layout = Layout::K1;

#[test]
fn the_page_writes_what_k1_install_writes() {
    let Some(mut page) = Page::open() else { return };
    let maker = Maker::new("esp32s3", 9);
    page.offer(&maker);
    page.tab.wait("the bundle", "document.querySelector('#offers input')");
    page.tab.eval("document.querySelector('#offers input').click()");
    page.tab.wait("that it was checked", "document.querySelector('#step-firmware.done')");
    let told = page.told("firmware");
    for words in [
        "K1 1.2.0 for esp32s3",
        &maker.key.id().to_string(),
        "commit 0123456789ab",
        "never run",
        "cannot take back",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(page.cannot_install(), "without a key");
    page.tab.eval("document.getElementById('make-key').click()");
    page.tab.wait("the key", "document.querySelector('#step-key.done')");
    let pem = page.tab.eval("saved").as_str().unwrap().to_owned();

    page.cable.plug(blank(&ESP32S3));
    let began = Instant::now();
    page.install();
    page.tab.wait("the end", "document.querySelector('#step-chip.done')");
    println!("installed in {:.1} s", began.elapsed().as_secs_f64());
    assert!(page.told("chip").contains("compared by the chip itself"), "{}", page.told("chip"));
    assert_eq!(page.cable.desk().starts, 1, "the chip was restarted");
    let flash = page.cable.flash();
    // The program, with the bundle and the key that the page has saved.
    let program = maker.installed_by_program(&ESP32S3, &pem, None);
    assert!(same(&flash, &program), "the page writes what `k1 install` writes");
    let envelope = Envelope(*flash[MAP.manifest(Slot::App0) as usize..].first_chunk().unwrap());
    assert!(!envelope.is_signed_by(&maker.key.public()), "the lamp is its owner's, not its maker's");

    // The network, over the same cable.
    page.tab.wait("the networks", "document.querySelectorAll('#networks option').length === 2");
    page.tab.wait("the question", "!document.getElementById('wifi').hidden");
    page.screenshot("network");
    page.join("Küche", "a wrong one");
    page.tab.wait(
        "what is wrong",
        "document.getElementById('network-told').textContent.includes('could not join')",
    );
    assert!(page.told("network").contains("2.4 GHz"), "{}", page.told("network"));
    page.join("Küche", PASSWORD);
    page.tab.wait("the network", "document.querySelector('#step-network.done')");
    assert_eq!(page.cable.desk().lamp.as_ref().unwrap().network.as_deref(), Some("Küche"));
    assert_eq!(page.tab.eval("document.getElementById('lamp').href"), format!("{PLACE}/"));
    let commands = page.tab.eval("document.getElementById('commands').textContent");
    assert!(commands.as_str().unwrap().ends_with("k1 keys trust 192.168.7.9"), "{commands}");
    page.screenshot("done");
    assert_eq!(page.tab.errors(), Vec::<String>::new());
}

#[test]
fn a_cable_that_is_pulled_harms_nothing() {
    let Some(mut page) = Page::open() else { return };
    let maker = Maker::new("esp32s3", 9);
    page.choose(&maker);
    page.choose_key(&maker.owner_pem());
    let want = maker.installed_by_program(&ESP32S3, &maker.owner_pem(), None);
    page.cable.plug(blank(&ESP32S3));
    page.install();
    page.tab.wait("the end", "document.querySelector('#step-chip.done')");
    assert!(same(&page.cable.flash(), &want));
    let all = page.cable.desk().chip.as_ref().unwrap().commands();
    let mut points: Vec<usize> = (1..10).map(|i| all * i / 10).collect();
    points.extend([all - 2, all - 1]);
    println!("{all} commands, cut at {points:?}");
    for point in points {
        let chip = blank(&ESP32S3);
        chip.change(|c| c.cut_at = Some(point));
        page.cable.plug(chip);
        page.install();
        page.tab.wait("what has happened", "document.getElementById('chip-told').classList.contains('bad')");
        let told = page.told("chip");
        assert!(
            told.contains("cable")
                && (told.contains("press Install again") || told.contains("Nothing was written")),
            "{point}: {told}"
        );
        let cut = page.cable.flash();
        // Plugged in again, with what was written.
        page.cable.plug(Chip::new(&ESP32S3, cut));
        page.install();
        page.tab.wait("the end", "document.querySelector('#step-chip.done')");
        assert!(same(&page.cable.flash(), &want), "cut after {point} of {all}");
    }
    assert_eq!(page.tab.errors(), Vec::<String>::new());
}

#[test]
fn a_lamp_keeps_its_settings_and_its_keys() {
    let Some(mut page) = Page::open() else { return };
    let maker = Maker::new("esp32s3", 9);
    page.choose(&maker);
    page.choose_key(&maker.owner_pem());
    let before = maker.lamp_that_trusts(&maker.owner);
    page.cable.plug(Chip::new(&ESP32S3, before.clone()));
    page.install();
    page.tab.wait("the end", "document.querySelector('#step-chip.done')");
    assert!(page.told("chip").contains("keeps what it remembered"), "{}", page.told("chip"));
    let settings = settings::SETTINGS.start as usize..settings::SETTINGS.end as usize;
    assert_eq!(page.cable.flash()[settings.clone()], before[settings.clone()]);
    assert!(same(
        &page.cable.flash(),
        &maker.installed_by_program(&ESP32S3, &maker.owner_pem(), Some(before))
    ));

    // A lamp of somebody else stays as it is, until its settings are to be erased.
    let before = maker.lamp_that_trusts(&maker.key);
    page.cable.plug(Chip::new(&ESP32S3, before.clone()));
    page.install();
    page.tab.wait("the refusal", "document.getElementById('chip-told').classList.contains('bad')");
    let told = page.told("chip");
    assert!(told.contains("keys of its own") && told.contains("Nothing was written"), "{told}");
    assert!(same(&page.cable.flash(), &before));
    page.tab.eval("document.getElementById('erase').click()");
    page.install();
    page.tab.wait("the end", "document.querySelector('#step-chip.done')");
    assert!(page.cable.flash()[settings].iter().all(|byte| *byte == 0xff));
    assert_eq!(page.tab.errors(), Vec::<String>::new());
}

#[test]
fn every_refusal_is_a_sentence_and_writes_nothing() {
    let Some(mut page) = Page::open() else { return };
    refusals::bundles(&mut page);
    refusals::keys(&mut page);
    refusals::chips(&mut page);
    refusals::ports(&mut page);
    // The simulated port that another program has is a socket that is not answered, which the browser notes.
    let errors = page.tab.errors();
    assert!(errors.iter().all(|error| error.contains("/socket' failed")), "{errors:?}");
}

#[test]
fn a_browser_without_web_serial_is_told_what_to_do() {
    let Some(mut page) = Page::open() else { return };
    refusals::browsers(&mut page);
}

#[test]
fn a_wled_shines_from_the_browser() {
    let Some(mut page) = Page::open() else { return };
    wled::shines(&mut page);
}

#[test]
fn it_fits_every_screen() {
    let Some(mut page) = Page::open() else { return };
    let maker = Maker::new("esp32s3", 9);
    page.offer(&maker);
    for width in [360, 768, 1440] {
        page.tab.size(width, if width < 500 { 740 } else { 1_000 });
        page.tab.eval("location.reload()");
        page.tab.wait("the bundle", "document.querySelector('#offers input')");
        let scroll = page.tab.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(scroll <= u64::from(width), "{scroll} px wide on a screen of {width}");
        let small = page.tab.eval(
            "[...document.querySelectorAll('main *')].filter((e) => e.offsetParent && e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 12).length",
        );
        assert_eq!(small, 0, "no text is tiny");
        let low = page.tab.eval(
            "[...document.querySelectorAll('main button')].filter((e) => e.offsetParent && e.offsetHeight < 44).length",
        );
        assert_eq!(low, 0, "every button is large enough for a thumb");
        page.screenshot(&format!("install-{width}"));
    }
    let licences = std::fs::read_to_string(page.folder.join("install/esptool-licences.txt")).unwrap();
    for words in ["esptool-js 0.7.0 (Apache-2.0)", "pako 2.1.0 ((MIT AND Zlib))", "atob-lite 2.0.0 (MIT)"] {
        assert!(licences.contains(words), "{words}");
    }
}
