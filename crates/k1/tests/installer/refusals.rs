//! Everything that can be wrong: a sentence for each, and nothing is written.

use super::chip::{Chip, ESP32C6, ESP32S3};
use super::maker::{Maker, blank};
use super::page::Page;
use serde_json::json;

/// What the page says after the button was pressed; the chip must be as before.
fn refused(page: &mut Page, words: &[&str]) {
    let before = page.cable.desk().chip.as_ref().map(Chip::flash);
    page.install();
    page.tab.wait("the refusal", "document.getElementById('chip-told').classList.contains('bad')");
    let told = page.told("chip");
    for words in words {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(page.cable.desk().chip.as_ref().map(Chip::flash) == before, "nothing is written: {told}");
    println!("said: {told}");
}

pub fn bundles(page: &mut Page) {
    let (maker, other) = (Maker::new("esp32s3", 9), Maker::new("esp32s3", 9));
    page.choose_key(&maker.owner_pem());
    page.choose_file("bundle", &maker.tar());
    assert!(page.told("firmware").contains("Now choose its maker’s public key"), "{}", page.told("firmware"));
    page.choose_file("maker", maker.key.public_pem().unwrap().as_bytes());
    page.tab.wait("a whole one", "document.querySelector('#step-firmware.done')");
    let whole = maker.tar();
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("bundle", b"a picture".to_vec(), "not a bundle"),
        ("bundle", whole[..whole.len() / 2].to_vec(), "cut off"),
        ("bundle", maker.damaged_tar("lamp.k1"), "fetch the bundle again"),
        ("bundle", maker.damaged_tar("bootloader.bin"), "not the file that bundle.json names"),
        ("bundle", other.tar(), "has signed this bundle, not"),
        ("maker", b"no key".to_vec(), "not an Ed25519 public key"),
    ];
    for (input, content, words) in cases {
        page.choose_file(input, &content);
        let told = page.told("firmware");
        assert!(told.contains(words) && told.contains("Nothing of it was used"), "{words}: {told}");
        assert!(page.cannot_install());
        println!("said: {told}");
    }
    page.choose(&maker);
    assert!(!page.cannot_install(), "a whole one works again");
}

pub fn keys(page: &mut Page) {
    let maker = Maker::new("esp32s3", 9);
    page.choose_file("key", maker.key.public_pem().unwrap().as_bytes());
    assert!(page.told("key").contains("not a key of yours"), "{}", page.told("key"));
    assert!(page.cannot_install());
    page.choose_key(&maker.owner_pem());
}

pub fn chips(page: &mut Page) {
    page.cable.plug(blank(&ESP32C6));
    refused(page, &["is for an esp32s3", "is an esp32c6", "Nothing was written"]);
    let small = blank(&ESP32S3);
    small.change(|chip| chip.flash_id = Some(0x15_40ef));
    page.cable.plug(small);
    refused(page, &["Its flash has 2 MB, but a K1 needs 4", "Nothing was written"]);
    // A chip that does not answer.
    let silent = blank(&ESP32S3);
    silent.change(|chip| (chip.cut_at, chip.falls_silent) = (Some(0), true));
    page.cable.plug(silent);
    page.tab.eval("fakePort.close().catch(() => {})");
    refused(page, &["No chip answers", "Hold the button BOOT"]);
}

pub fn ports(page: &mut Page) {
    // Another program has the port.
    let chip = blank(&ESP32S3);
    let taken = serialport::new(&chip.port, 115_200).open().unwrap();
    page.cable.plug(chip);
    refused(page, &["cannot be opened", "close serial monitors", "dialout"]);
    drop(taken);
    for (refusal, words) in [("NotFoundError", "No port was chosen"), ("SecurityError", "refuses access")] {
        page.tab.eval(&format!("window.fakeRefusal = '{refusal}'"));
        refused(page, &[words, "press the button again"]);
    }
    page.tab.eval("window.fakeRefusal = null");
}

pub fn browsers(page: &mut Page) {
    page.tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": "Object.defineProperty(navigator, 'serial', { value: undefined });" }),
    );
    page.load();
    let told = page.tab.eval("document.getElementById('cannot').textContent");
    let told = told.as_str().unwrap();
    assert!(
        told.contains("no Web Serial") && told.contains("Chrome, Edge, Opera") && told.contains("k1 install"),
        "{told}"
    );
    page.tab.wait("the key", "document.getElementById('make-key').onclick");
    let maker = Maker::new("esp32s3", 9);
    page.choose(&maker);
    page.choose_key(&maker.owner_pem());
    assert!(page.cannot_install());
}
