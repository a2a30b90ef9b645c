//! Updates: let in, refused, cut at every moment, tried, judged, taken back.

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::SigningKey;
use embassy_time::Timer;
use k1_sim::flash::Tear;
use k1_update::envelope::PublicKey;
use k1_update::trust::KeyStatement;
use serde_json::{Value, json};

use crate::client::Client;
use crate::drivers::Sound;
use crate::machine::{Halves, Machine, key, package};

impl Client {
    /// What the lamp says of its firmware.
    pub async fn firmware(&self) -> Value {
        self.asks("GET", "/api/v1/firmware", b"").await.map_or(Value::Null, |a| a.json())
    }

    /// Makes the lamp trust a key; its status.
    pub async fn trust(&self, signer: &SigningKey) -> u16 {
        let keys = [Some(PublicKey(signer.verifying_key().to_bytes())), None];
        let statement = KeyStatement { keys, generation: 1 }.envelope();
        let body = json!({"statement": BASE64_STANDARD.encode(statement.0)}).to_string();
        self.asks("POST", "/api/v1/keys", body.as_bytes()).await.map_or(0, |a| a.status)
    }

    /// Sends an update.
    pub async fn put(&self, package: &[u8]) -> Option<(u16, Value)> {
        let answer = self.asks("PUT", "/api/v1/firmware", package).await?;
        Some((answer.status, answer.json()))
    }
}

impl Machine {
    /// Sends an update, and returns the answer.
    #[track_caller]
    pub fn put(&mut self, package: &[u8]) -> (u16, Value) {
        self.asks(60.0, async |c: Client| c.put(package).await).flatten().expect("an answer")
    }

    /// What it says of its firmware.
    #[track_caller]
    pub fn firmware(&mut self) -> Value {
        for _ in 0..20 {
            if let Some(state @ Value::Object(_)) = self.asks(5.0, async |c: Client| c.firmware().await) {
                return state;
            }
        }
        panic!("it does not say what it runs: {}", self.console())
    }

    /// Waits until its firmware is as wanted; seconds of its own clock at most.
    #[track_caller]
    pub fn becomes(&mut self, patience: u64, is: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..patience {
            let state = self.asks(1.0, async |c: Client| c.firmware().await).unwrap_or_default();
            if is(&state) {
                return state;
            }
            self.lives(1.0);
        }
        panic!("after {patience} s: {}\n{}", self.firmware(), self.console())
    }

    /// One that trusts our key and whose first image is confirmed.
    #[track_caller]
    pub fn ready(halves: Halves) -> Self {
        let mut machine = Self::started(halves);
        assert_eq!(machine.asks(5.0, async |c: Client| c.trust(&key(1)).await), Some(200));
        machine.asks(2.0, async |_: Client| Timer::after_secs(1).await);
        machine
    }

    /// The same after an update to `version`.
    #[track_caller]
    fn ready_with(version: &str) -> Self {
        let mut machine = Self::ready(Halves::Counting);
        let (status, answer) = machine.put(&package("none", version, 15, &key(1)));
        assert_eq!(status, 200, "{answer}");
        machine.becomes(60, runs(version));
        machine
    }
}

/// True of a lamp that runs this and has found it good.
pub fn runs(version: &str) -> impl Fn(&Value) -> bool {
    move |state| state["state"] == "confirmed" && state["running"]["version"] == version
}

#[test]
fn nothing_is_let_in_before_a_key_is_trusted_and_then_only_what_it_has_signed() {
    let mut lamp = Machine::started(Halves::Counting);
    let good = package("none", "1.0.1", 15, &key(1));
    let (status, answer) = lamp.put(&good);
    assert_eq!(status, 403, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("k1 keys trust"), "{answer}");
    assert_eq!(lamp.asks(5.0, async |c: Client| c.trust(&key(1)).await), Some(200));

    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut bent = good.clone();
    bent[150] ^= 1;
    let image = crate::machine::image("none");
    let elsewhere = crate::machine::manifest(&image, "esp32c6", "1.0.1", 15).envelope().sign(&key(1));
    let elsewhere = [&elsewhere.0[..], &image].concat();
    for (file, status, word) in [
        (package("none", "6.6.6", 15, &key(2)), 403, "does not trust"),
        (damaged, 400, "not the one that was signed"),
        (bent, 403, "signature"),
        (good[192..].to_vec(), 400, "not a signed update"),
        (elsewhere, 400, "another board"),
    ] {
        let (got, answer) = lamp.put(&file);
        let said = answer["message"].as_str().unwrap_or_default().to_owned();
        assert!(got == status && said.contains(word), "{status} {word}: {got} {answer}");
        assert_eq!(lamp.firmware()["refused"], said);
    }
    // Another set of keys needs the signature of the one that is trusted.
    assert_ne!(lamp.asks(5.0, async |c: Client| c.trust(&key(9)).await), Some(200));
    lamp.lives(2.0);
    assert_eq!(lamp.starts, 1, "nothing of that has started anything");
}

#[test]
fn good_firmware_is_tried_and_stays() {
    let mut lamp = Machine::ready(Halves::Real);
    let (status, answer) = lamp.put(&package("good", "1.0.1", 15, &key(1)));
    assert_eq!((status, &answer["slot"]), (200, &json!("app1")), "{answer}");
    assert_eq!(answer["image"]["version"], "1.0.1", "{answer}");
    lamp.lives(3.0);
    let state = lamp.firmware();
    assert_eq!(
        (&state["state"], &state["last"]["outcome"]),
        (&json!("on_trial"), &json!("on_trial")),
        "{state}"
    );
    let state = lamp.becomes(30, runs("1.0.1"));
    assert_eq!((&state["slot"], &state["rollback"], lamp.starts), (&json!("app1"), &json!("armed"), 2));
    assert_eq!(
        (&state["last"]["outcome"], &state["other"]["version"]),
        (&json!("confirmed"), &json!("1.0.0"))
    );
    assert!(lamp.console().contains("[UPDATE] confirmed after"), "{}", lamp.console());
    // It stays when the power goes, and so does what is trusted.
    lamp.lives(2.0);
    lamp.power_off();
    let state = lamp.becomes(20, runs("1.0.1"));
    assert_eq!(
        (state["keys"].as_array().unwrap().len(), &state["last"]["outcome"]),
        (1, &json!("confirmed"))
    );
}

#[test]
fn bad_firmware_goes_back_and_says_why() {
    let mut lamp = Machine::ready_with("1.0.1");
    for (fault, version, patience, why) in [
        ("pani", "1.0.2", 40, "told to fall over"),
        ("hang", "1.0.3", 40, "fell silent"),
        ("deaf", "1.0.4", 90, "the network that was there did not come back"),
        ("slow", "1.0.5", 150, "frames were late"),
        ("mute", "1.0.6", 150, "frames were late"),
    ] {
        let (starts, began) = (lamp.starts, lamp.lived_s());
        let (status, answer) = lamp.put(&package(fault, version, 15, &key(1)));
        assert_eq!(status, 200, "{answer}");
        let is_over = |s: &Value| s["last"]["outcome"] == "rolled_back" && s["last"]["version"] == version;
        let state = lamp.becomes(patience, is_over);
        assert!(runs("1.0.1")(&state), "{state}");
        assert!(state["last"]["reason"].as_str().unwrap().contains(why), "{fault}: {state}");
        assert_eq!(state["other"], Value::Null, "nobody goes back to what has failed: {state}");
        println!(
            "{fault}: {} runs again after {} resets and {:.0} s: {}",
            state["running"]["version"],
            lamp.starts - starts,
            lamp.lived_s() - began,
            state["last"]["reason"]
        );
        assert_eq!(lamp.starts - starts, 2, "{fault}");
    }
}

#[test]
fn the_way_back_by_hand_and_by_the_second_net() {
    let mut lamp = Machine::ready_with("1.0.1");
    let (status, answer) = lamp.put(&package("next", "1.0.7", 15, &key(1)));
    assert_eq!(status, 200, "{answer}");
    lamp.becomes(60, runs("1.0.7"));
    let (starts, began) = (lamp.starts, lamp.lived_s());
    let going = lamp.asks(5.0, async |c: Client| c.asks("POST", "/api/v1/rollback", b"{}").await);
    assert_eq!(going.flatten().unwrap().json()["to"]["version"], "1.0.1");
    lamp.becomes(60, |s| s["running"]["version"] == "1.0.1");
    println!("rollback by hand: {} restart, {:.1} s", lamp.starts - starts, lamp.lived_s() - began);
    lamp.becomes(60, runs("1.0.1"));
    assert_eq!(lamp.starts - starts, 1);

    // One that falls over again and again after it was found good gives way.
    let (status, answer) = lamp.put(&package("late", "1.0.8", 15, &key(1)));
    assert_eq!(status, 200, "{answer}");
    let (starts, began) = (lamp.starts, lamp.lived_s());
    lamp.becomes(60, runs("1.0.8"));
    let state = lamp.becomes(120, runs("1.0.1"));
    println!(
        "late: 1.0.1 runs again after {} starts and {:.0} s",
        lamp.starts - starts,
        lamp.lived_s() - began
    );
    // One that tries it, four after its crashes, and one of the image before.
    assert_eq!(lamp.starts - starts, 6, "{}", lamp.console());
    assert_eq!(
        (&state["last"]["version"], &state["last"]["outcome"]),
        (&json!("1.0.8"), &json!("rolled_back"))
    );
    assert!(state["last"]["reason"].as_str().unwrap().contains("again and again"), "{state}");
}

#[test]
fn a_start_that_lasts_a_minute_forgets_earlier_crashes() {
    let mut lamp = Machine::ready(Halves::Counting);
    assert_eq!(lamp.put(&package("good", "1.0.1", 15, &key(1))).0, 200);
    lamp.becomes(60, runs("1.0.1"));
    let starts = lamp.starts;
    for _ in 0..6 {
        lamp.sound.set(Sound::Stuck);
        lamp.lives(7.0);
        lamp.sound.set(Sound::Tone);
        lamp.lives(62.0);
    }
    assert_eq!(lamp.starts - starts, 6);
    assert_eq!(lamp.firmware()["running"]["version"], "1.0.1", "it never gave way: {}", lamp.console());
}

#[test]
fn a_trial_waits_for_a_router_as_long_as_its_manifest_says() {
    let mut lamp = Machine::ready(Halves::Counting);
    let (status, answer) = lamp.put(&package("good", "1.2.0", 120, &key(1)));
    assert_eq!(status, 200, "{answer}");
    let began = lamp.lived_s();
    lamp.set_link(false);
    lamp.lives(40.0);
    assert_eq!(lamp.starts, 2, "it waits");
    lamp.set_link(true);
    lamp.becomes(60, runs("1.2.0"));
    println!(
        "router away for 40 s of a patience of 120: kept, confirmed after {:.0} s",
        lamp.lived_s() - began
    );
    assert_eq!(lamp.starts, 2);

    let (status, answer) = lamp.put(&package("next", "1.2.1", 20, &key(1)));
    assert_eq!(status, 200, "{answer}");
    let (starts, began) = (lamp.starts, lamp.lived_s());
    lamp.set_link(false);
    lamp.lives(15.0);
    assert_eq!(lamp.starts, 3, "it waits");
    (0..20).for_each(|_| lamp.lives(if lamp.starts < 4 { 1.0 } else { 0.0 }));
    println!(
        "router away for longer than 20 s: back after {} resets and {:.0} s",
        lamp.starts - starts,
        lamp.lived_s() - began
    );
    assert_eq!(lamp.starts, 4, "it has given up");
    lamp.set_link(true);
    let state = lamp.becomes(60, runs("1.2.0"));
    assert!(state["last"]["reason"].as_str().unwrap().contains("did not come back"), "{state}");
}

#[test]
fn one_update_at_a_time_and_a_sender_that_stops_is_let_go() {
    let mut lamp = Machine::ready(Halves::Counting);
    let file = package("good", "1.0.1", 15, &key(1));
    let half = &file[..file.len() / 2];
    let states = lamp.asks(60.0, async |c: Client| {
        let head = format!(
            "PUT /api/v1/firmware HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            c.token(),
            file.len()
        );
        let stops = [head.as_bytes(), half].concat();
        let second = async {
            Timer::after_secs(3).await;
            let state = c.firmware().await;
            (state, c.put(&file).await)
        };
        let (first, (state, second)) = embassy_futures::join::join(c.says(&stops), second).await;
        (first, state, second)
    });
    let (first, state, second) = states.unwrap();
    assert!(state["receiving"]["received"].as_u64() > Some(4_000), "{state}");
    let (status, answer) = second.unwrap();
    assert!(status == 409 && answer["message"].as_str().unwrap().contains("another"), "{status} {answer}");
    let first = String::from_utf8_lossy(&first.unwrap()).into_owned();
    assert!(first.contains("408") || first.contains("stopped"), "{first}");
    // Both have gone, and a third is let in.
    assert_eq!(lamp.firmware()["receiving"], Value::Null);
    assert_eq!(lamp.put(&file).0, 200);
    lamp.becomes(60, runs("1.0.1"));
}

/// One update from the first byte to its confirmation, with the power cut in step `step` of the flash; the steps that it
/// took, if nothing was cut.
fn cut(step: u64, tear: Tear) -> u64 {
    let mut lamp = Machine::ready(Halves::Counting);
    let token = lamp.asks(1.0, async |c: Client| c.token()).unwrap();
    lamp.lives(2.0);
    let from = lamp.flash.with(|f| f.steps);
    lamp.flash.with(|f| f.cut_at(from + step, tear));
    let file = package("good", "2.0.0", 15, &key(1));
    let _ = lamp.asks(20.0, async |c: Client| c.put(&file).await);
    lamp.lives(30.0);
    let steps = lamp.flash.with(|f| f.steps) - from;
    let state = lamp.firmware();
    let version = state["running"]["version"].as_str().unwrap_or_default().to_owned();
    assert!(["1.0.0", "2.0.0"].contains(&&*version), "step {step}, {tear:?}: {state}");
    assert_eq!(state["keys"].as_array().unwrap().len(), 1, "step {step}, {tear:?}: {state}");
    assert_eq!(lamp.asks(1.0, async |c: Client| c.token()).unwrap(), token, "step {step}, {tear:?}");
    // And it takes the next.
    let (status, answer) = lamp.put(&package("next", "3.0.0", 15, &key(1)));
    assert_eq!(status, 200, "step {step}, {tear:?}: {answer}");
    lamp.becomes(60, runs("3.0.0"));
    steps
}

#[test]
fn the_power_may_go_at_every_moment_of_an_update() {
    let whole = cut(u64::MAX / 2, Tear::NotBegun);
    println!("an update has {whole} steps of the flash, each cut in {} ways", Tear::ALL.len());
    assert!(whole > 60, "{whole}");
    for step in 0..whole {
        Tear::ALL.into_iter().for_each(|tear| {
            cut(step, tear);
        });
    }
}
