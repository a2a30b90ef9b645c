//! Complete updates of the virtual lamp, with its own loader, its own interfaces and its own verdict.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::SigningKey;
use k1_device::console;
use k1_fleet::signing::package::{Statement, Update, manifest};
use k1_update::envelope::PublicKey;
use k1_update::trust::KeyStatement;
use serde_json::{Value, json};

use crate::lamp::{Lamp, Ready, firmware};
use crate::support;
use crate::support::host::Host;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The built firmware with the name of a fault, four letters, written into it.
pub fn image(_: &Ready, fault: &str) -> Vec<u8> {
    let mut image = std::fs::read(firmware("lamp.bin")).unwrap();
    let mark = b"K1 FAULT: ";
    let at = image.windows(mark.len()).position(|w| w == mark).expect("the mark");
    image[at + mark.len()..][..4].copy_from_slice(fault.as_bytes());
    image
}

/// The same image, signed with this version.
fn package(ready: &Ready, fault: &str, version: &str, patience_s: u16, signer: &SigningKey) -> Vec<u8> {
    let image = image(ready, fault);
    let statement = Statement { board: "virt", version, counter: 0, patience_s };
    let manifest = manifest(&image, &statement).unwrap();
    Update { envelope: manifest.envelope().sign(signer), manifest, image }.bytes()
}

impl Lamp {
    fn trust(&self, signer: &SigningKey) {
        let keys = [Some(PublicKey(signer.verifying_key().to_bytes())), None];
        let statement = KeyStatement { keys, generation: 1 }.envelope();
        let answer = self.post("/api/v1/keys", json!({"statement": BASE64_STANDARD.encode(statement.0)}));
        assert_eq!(answer["keys"].as_array().unwrap().len(), 1);
    }

    #[track_caller]
    fn put(&self, package: &[u8]) -> (u16, Value) {
        self.try_put(package).expect("an answer")
    }

    /// The same for a lamp that may stop in the middle.
    fn try_put(&self, package: &[u8]) -> Option<(u16, Value)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let url = format!("http://127.0.0.1:{}/api/v1/firmware", self.http);
        for _ in 0..50 {
            let request = agent.put(&url).header("Authorization", format!("Bearer {}", self.token));
            let mut answer = request.send(package).ok()?;
            match answer.status().as_u16() {
                429 => std::thread::sleep(Duration::from_millis(200)),
                status => return Some((status, answer.body_mut().read_json().unwrap_or(Value::Null))),
            }
        }
        panic!("always too early");
    }

    fn firmware(&self) -> Value {
        self.get("/api/v1/firmware")
    }

    /// Waits until the state of the firmware is as wanted.
    #[track_caller]
    pub fn becomes(&self, patience: u64, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            if let Some((200, body)) = self.try_get("/api/v1/firmware") {
                let state: Value = serde_json::from_slice(&body).unwrap();
                if is(&state) {
                    return state;
                }
            }
            let waited = began.elapsed() < Duration::from_secs(patience);
            assert!(waited, "after {patience} s: {}\n{}", self.firmware(), self.console());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn starts(&self) -> usize {
        self.console().matches("[LOADER]").count()
    }
}

/// Frames and longest gap in ms of each second that the console has printed.
fn seconds(lamp: &Lamp) -> Vec<(f64, f64)> {
    let second = |line: &str| match console::read(line) {
        Some(console::Said::Figures(figures)) => {
            let of = |name: &str| figures.iter().find(|f| f.0 == name).map(|f| f.1);
            Some((of("fps")?, of("longest_gap_ms")?))
        }
        _ => None,
    };
    lamp.console().lines().filter_map(second).collect()
}

pub fn confirmed(state: &Value) -> bool {
    state["state"] == "confirmed"
}

fn runs<'a>(version: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |state| confirmed(state) && state["running"]["version"] == version
}

#[test]
fn good_firmware_stays_and_bad_firmware_goes_back() {
    let place = support::folder();
    let flash = place.path().join("flash");
    let Some(lamp) = Lamp::start(Some(&flash)) else { return };
    let (ours, theirs) = (key(1), key(2));
    let good = package(&lamp.ready, "none", "1.0.1", 15, &ours);

    // A lamp without trusted keys refuses every update.
    let (status, answer) = lamp.put(&good);
    assert_eq!(status, 403, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("k1 keys trust"), "{answer}");
    lamp.trust(&ours);
    let state = lamp.becomes(60, confirmed);
    assert_eq!((&state["rollback"], &state["slot"]), (&json!("armed"), &json!("app0")), "{state}");

    // The lamp refuses foreign, damaged and meaningless images with a sentence, and goes on.
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (file, status, word) in [
        (package(&lamp.ready, "none", "6.6.6", 15, &theirs), 403, "does not trust"),
        (damaged, 400, "not the one that was signed"),
        (good[192..].to_vec(), 400, "not a signed update"),
    ] {
        let (got, answer) = lamp.put(&file);
        assert_eq!(got, status, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_eq!(lamp.starts(), 1);

    // Good firmware: the light goes on during the transfer, and the lamp tries and confirms the image.
    let (host, began) = (Host::watch(), Instant::now());
    let before = seconds(&lamp);
    let (status, answer) = lamp.put(&good);
    assert_eq!((status, &answer["slot"]), (200, &json!("app1")), "{answer}");
    let sent = began.elapsed().as_secs_f64();
    let during = seconds(&lamp);
    let state = lamp.becomes(90, runs("1.0.1"));
    assert_eq!((&state["slot"], &state["rollback"]), (&json!("app1"), &json!("armed")));
    assert_eq!((&state["last"]["outcome"], lamp.starts()), (&json!("confirmed"), 2));
    assert!(state["other"]["version"].is_string(), "{state}");
    println!(
        "good: sent in {sent:.1} s, confirmed {:.0} s after the first byte",
        began.elapsed().as_secs_f64()
    );
    let so_far = seconds(&lamp).len();
    support::eventually("three whole seconds", || seconds(&lamp).len() > so_far + 3);
    let after = seconds(&lamp);
    for (when, seconds) in [
        ("before", &before[before.len().saturating_sub(4)..]),
        ("while it came", &during[before.len()..]),
        ("after", &after[after.len() - 3..]),
    ] {
        let frames: f64 = seconds.iter().map(|s| s.0).sum();
        let longest = seconds.iter().map(|s| s.1).fold(0.0, f64::max);
        let told = format!(
            "light {when}: {:.1} frames/s, longest gap {longest:.1} ms",
            frames / seconds.len() as f64
        );
        println!("{told}");
        // The wire carries 175.4 frames a second. A gap of six frames is invisible; a renderer that waits for the flash
        // stops for tenths of a second.
        let goes_on = frames / seconds.len() as f64 > 150.0 && longest < 100.0;
        host.asserts("lamp-light-in-update", goes_on, || told);
    }

    // Bad firmware that the loader and the watchdog roll back: the previous image runs again and reports why. (Tests of
    // k1-lamp cover an image's own verdict.)
    for (fault, version, patience, why) in
        [("pani", "1.0.2", 60, "told to fall over"), ("hang", "1.0.3", 60, "fell silent")]
    {
        let starts = lamp.starts();
        let began = Instant::now();
        let (status, answer) = lamp.put(&package(&lamp.ready, fault, version, 15, &ours));
        assert_eq!(status, 200, "{answer}");
        let state = lamp
            .becomes(patience, |s| s["last"]["outcome"] == "rolled_back" && s["last"]["version"] == version);
        assert!(runs("1.0.1")(&state), "{state}");
        assert!(state["last"]["reason"].as_str().unwrap().contains(why), "{state}");
        println!(
            "{fault}: {} runs again after {} resets and {:.0} s: {}",
            state["running"]["version"],
            lamp.starts() - starts,
            began.elapsed().as_secs_f64(),
            state["last"]["reason"]
        );
        assert_eq!(lamp.starts() - starts, 2);
    }
}

#[test]
fn a_machine_that_is_killed_in_an_update_starts_again_and_takes_the_next() {
    let kills: u32 = std::env::var("K1_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let place = support::folder();
    let flash = place.path().join("killed-flash");
    let Some(lamp) = Lamp::start(Some(&flash)) else { return };
    let ours = key(1);
    lamp.trust(&ours);
    lamp.becomes(90, confirmed);
    let token = lamp.token.clone();
    drop(lamp);
    let mut dice = support::Dice::new(u64::from(kills));
    for n in 0..kills {
        let Some(lamp) = Lamp::start_again(&flash) else { return };
        assert_eq!(lamp.token, token, "settings survive");
        lamp.becomes(120, confirmed);
        let version = format!("2.0.{n}");
        let file = package(&lamp.ready, "none", &version, 15, &ours);
        // At any time from the first byte to the middle of the trial.
        let moment = Duration::from_millis(dice.below(12_000) as u64);
        let killer = kill_after(&flash, moment);
        let began = Instant::now();
        // The transfer may end earlier, or not at all.
        let _ = lamp.try_put(&file);
        killer.join().unwrap();
        println!("{n}: killed after {:.1} s", began.elapsed().as_secs_f64());
        drop(lamp);
    }
    let Some(lamp) = Lamp::start_again(&flash) else { return };
    lamp.becomes(120, confirmed);
    let (status, answer) = lamp.put(&package(&lamp.ready, "none", "3.0.0", 15, &ours));
    assert_eq!(status, 200, "{answer}");
    lamp.becomes(120, runs("3.0.0"));
    println!("{kills} of {kills} killed machines started again, and took the next update");
}

/// Kills all processes that use this flash after a delay, without warning.
fn kill_after(flash: &Path, moment: Duration) -> std::thread::JoinHandle<()> {
    let flash = flash.display().to_string();
    std::thread::spawn(move || {
        std::thread::sleep(moment);
        let _ = std::process::Command::new("pkill").args(["-KILL", "-f", &format!("file={flash}")]).status();
    })
}
