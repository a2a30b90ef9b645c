//! Updates through a cable: cuts at every possible point, and the whole program with a chip's loader on a pseudo
//! terminal.
#![cfg(all(target_os = "linux", feature = "usb"))]

mod bundles;
mod chip;
mod examine;
#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chip::{Chip, ESP32C6, ESP32S3};
use ed25519_dalek::SigningKey;
use k1_device::settings::{Group, Memory, Store};
use k1_fleet::cable::flash::CableFlash;
use k1_fleet::cable::{Loader, admission};
use k1_fleet::signing::package::{Statement, Update, manifest};
use k1_sim::flash::{Flash, Tear};
use k1_update::boot::{self, Start};
use k1_update::envelope::PublicKey;
use k1_update::layout::{Layout, Slot};
use k1_update::otadata::{Entry, Note, State};
use k1_update::trust::KeyStatement;
use support::{Said, folder, k1};

/// Sectors of 4 MB.
const SECTORS: usize = 1_024;
const MAP: Layout = Layout::K1;

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A signed update with a size of `bytes` that no other update has.
fn update(board: &str, counter: u32, bytes: usize, signer: &SigningKey) -> Update {
    let mut n = counter.wrapping_mul(77) ^ bytes as u32;
    let mut image: Vec<u8> = (0..bytes)
        .map(|_| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (n >> 24) as u8
        })
        .collect();
    image[0] = 0xe9;
    let statement = Statement { board, version: "1.2.0", counter, patience_s: 300 };
    let manifest = manifest(&image, &statement).unwrap();
    Update { envelope: manifest.envelope().sign(signer), manifest, image }
}

/// The flash of a lamp that runs `image` from a slot, confirmed, and trusts `trusted`.
fn lamp(image: &Update, slot: Slot, trusted: Option<&SigningKey>, state: State) -> Vec<u8> {
    let mut memory = Memory::default();
    memory.hardware.token.push_str("a-token-of-this-lamp").unwrap();
    if let Some(key) = trusted {
        let keys = [Some(PublicKey(key.verifying_key().to_bytes())), None];
        memory.trust.replace(&KeyStatement { keys, generation: 1 }.envelope()).unwrap();
    }
    memory.trust.floor = 5;
    let mut store = Store::new(Flash::new(SECTORS), admission::SETTINGS).unwrap();
    for group in Group::ALL {
        assert!(now(store.save(&memory, group)));
    }
    let mut bytes = store.into_flash().bytes;
    let mut put = |at: u32, what: &[u8]| bytes[at as usize..at as usize + what.len()].copy_from_slice(what);
    put(MAP.slot(slot), &image.image);
    put(MAP.manifest(slot), &image.envelope.0);
    let note = Note { was_asked: true, is_armed: true, ..Note::default() };
    let sequence = slot as u32 + 1;
    put(MAP.record(0), &Entry { sequence, state, note }.bytes());
    bytes
}

/// What the bootloader of a lamp with this flash starts.
fn starts(bytes: &[u8]) -> Option<Start> {
    let mut flash = Flash::new(SECTORS);
    flash.bytes.copy_from_slice(bytes);
    now(boot::start(&mut flash, &MAP)).unwrap()
}

/// A loader without a wire, on a flash that simulates power failures.
struct Bare<'a> {
    flash: &'a mut Flash,
    knows_sectors_only: bool,
}

impl Loader for Bare<'_> {
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), String> {
        use embedded_storage_async::nor_flash::ReadNorFlash;
        now(self.flash.read(at, bytes)).map_err(|e| format!("{e:?}"))
    }
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), String> {
        use embedded_storage_async::nor_flash::NorFlash;
        now(self.flash.erase(at, at + bytes.len() as u32)).map_err(|e| format!("{e:?}"))?;
        now(self.flash.write(at, bytes)).map_err(|e| format!("{e:?}"))
    }
    fn program(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String> {
        use embedded_storage_async::nor_flash::NorFlash;
        if self.knows_sectors_only {
            return Ok(false);
        }
        now(self.flash.write(at, bytes)).map(|()| true).map_err(|e| format!("{e:?}"))
    }
    fn holds(&mut self, at: u32, bytes: &[u8]) -> Result<bool, String> {
        let mut there = vec![0; bytes.len()];
        self.read(at, &mut there)?;
        Ok(there == bytes)
    }
}

fn deploy(flash: &mut Flash, update: &Update, knows_sectors_only: bool) -> Result<Slot, String> {
    let mut flash = CableFlash::new(Bare { flash, knows_sectors_only });
    let inside = admission::look(&mut flash, "esp32c6")?;
    let whole = admission::send(&mut flash, &inside, update, |_| {})?;
    admission::activate(&mut flash, &inside, &whole)?;
    Ok(whole.slot())
}

/// Power failures in every step and of every kind, on lamps with three histories: a whole image starts, the new one
/// never without a trial, and the next attempt succeeds.
#[test]
fn no_cut_leaves_a_lamp_that_does_not_start_or_an_image_that_is_not_tried() {
    let signer = key(1);
    let (old, new) = (update("esp32c6", 6, 9_000, &signer), update("esp32c6", 7, 21_001, &signer));
    let mut cases = 0;
    for (slot, state) in
        [(Slot::App0, State::Valid), (Slot::App1, State::Valid), (Slot::App0, State::Unjudged)]
    {
        for sectors_only in [false, true] {
            let before = lamp(&old, slot, Some(&signer), state);
            let mut flash = Flash::new(SECTORS);
            flash.bytes.copy_from_slice(&before);
            let to = deploy(&mut flash, &new, sectors_only).unwrap();
            assert_eq!(to, slot.other());
            let steps = flash.steps;
            let start = starts(&flash.bytes).unwrap();
            assert_eq!((start.whole.slot(), start.on_trial), (to, true));
            assert_eq!(before[0x9000..0xe000], flash.bytes[0x9000..0xe000], "settings are left alone");
            for step in 0..steps {
                for tear in Tear::ALL {
                    let mut flash = Flash::new(SECTORS);
                    flash.bytes.copy_from_slice(&before);
                    flash.cut_at(step, tear);
                    assert!(deploy(&mut flash, &new, sectors_only).is_err());
                    let start = starts(&flash.bytes).expect("a whole image");
                    let is_new = start.whole.manifest().hash == new.manifest.hash;
                    assert_eq!(start.on_trial, is_new, "step {step} of {steps}, {tear:?}");
                    flash.power_on();
                    assert_eq!(
                        deploy(&mut flash, &new, sectors_only),
                        Ok(to),
                        "step {step} of {steps}, {tear:?}"
                    );
                    let start = starts(&flash.bytes).unwrap();
                    assert_eq!((start.whole.slot(), start.on_trial), (to, true));
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} cuts");
}

#[test]
fn the_door_decides_as_the_lamp_does() {
    let (signer, stranger) = (key(1), key(2));
    let old = update("esp32c6", 6, 9_000, &signer);
    let new = update("esp32c6", 7, 9_001, &signer);
    let said = |bytes: Vec<u8>, update: &Update| {
        let mut flash = Flash::new(SECTORS);
        flash.bytes = bytes;
        let before = flash.bytes.clone();
        let why = deploy(&mut flash, update, false).unwrap_err();
        assert!(flash.bytes == before && flash.steps == 0, "nothing is written: {why}");
        why
    };
    let ordinary = || lamp(&old, Slot::App0, Some(&signer), State::Valid);
    assert!(
        said(ordinary(), &update("esp32c6", 7, 9_001, &stranger))
            .contains("a key that this lamp does not trust")
    );
    assert!(said(lamp(&old, Slot::App0, None, State::Valid), &new).contains("k1 keys trust"));
    assert!(said(ordinary(), &update("esp32c6", 4, 9_001, &signer)).contains("its counter is 4"));
    assert!(
        said(ordinary(), &update("esp32s3", 7, 9_001, &signer)).contains("for esp32s3, but this is esp32c6")
    );
    assert!(said(lamp(&old, Slot::App0, Some(&signer), State::Pending), &new).contains("was on trial"));
    assert!(said(vec![0xff; SECTORS * 4_096], &new).contains("k1 install"));
    let mut forged = update("esp32c6", 7, 9_001, &signer);
    forged.envelope.0[104] ^= 8;
    assert!(said(ordinary(), &forged).contains("the signature does not fit"));
}

/// Writes an update to a file, and runs the program with the chip's port.
fn call(chip: &Chip, update: &Update, command: &[&str], more: &[&str]) -> Said {
    let dir = folder();
    let path: PathBuf = dir.path().join("lamp.k1");
    std::fs::write(&path, update.bytes()).unwrap();
    call_with(chip, &path, command, more, dir.path())
}

fn call_with(
    chip: &Chip,
    path: &std::path::Path,
    command: &[&str],
    more: &[&str],
    home: &std::path::Path,
) -> Said {
    let mut program = k1([command[0]]);
    program.arg(path).args(&command[1..]).args(["--port", &chip.port, "--in-loader"]).args(more);
    program.env("HOME", home).env("XDG_CONFIG_HOME", home);
    let output = program.output().unwrap();
    Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const DEPLOY: [&str; 3] = ["deploy", "--via", "usb"];

#[test]
fn an_update_by_cable_is_tried_at_the_next_start() {
    let signer = key(1);
    let (old, new) = (update("esp32s3", 6, 40_000, &signer), update("esp32s3", 7, 150_003, &signer));
    let before = lamp(&old, Slot::App0, Some(&signer), State::Valid);
    for knows_sectors_only in [false, true] {
        let chip = Chip::new(&ESP32S3, before.clone());
        chip.change(|c| c.knows_sectors_only = knows_sectors_only);
        let said = call(&chip, &new, &DEPLOY, &["--dry-run"]);
        assert!(said.out.contains("would take it"), "{said:?}");
        assert!(chip.flash() == before, "a dry run writes nothing");
        let said = call(&chip, &new, &DEPLOY, &["--console", "0"]);
        assert_eq!((said.code(), said.err.as_str()), (Some(0), ""), "{said:?}");
        for words in ["1.2.0 for esp32s3", "to app1, to be tried", "Press RESET", "k1 devices"] {
            assert!(said.out.contains(words), "{words}: {said:?}");
        }
        let start = starts(&chip.flash()).unwrap();
        assert_eq!((start.whole.slot(), start.on_trial), (Slot::App1, true));
        assert_eq!(start.whole.manifest().hash, new.manifest.hash);
        assert_eq!(chip.flash()[..0xe000], before[..0xe000]);
        // Once more before the start, with the same result.
        let said = call(&chip, &new, &DEPLOY, &["--console", "0", "--baud", "921600"]);
        assert_eq!(said.code(), Some(0), "{said:?}");
        assert!(starts(&chip.flash()).unwrap().on_trial);
    }
}

#[test]
fn the_verdict_is_heard_on_the_cable() {
    let signer = key(1);
    let (old, new) = (update("esp32c6", 6, 9_000, &signer), update("esp32c6", 7, 9_001, &signer));
    let before = lamp(&old, Slot::App0, Some(&signer), State::Valid);
    let hash: String = new.manifest.short_hash().iter().map(|b| format!("{b:02x}")).collect();
    let start =
        format!("rubbish of the ROM\r\n[BOOT] K1 1.2.0 on esp32c6, hash {hash}, slot app1, reset: pin\r\n");
    let figures = "[FPS] 180.0 mean of 180.0, 179.0 p1, jitter 0.1 ms p99, render 90 us, 0 late\r\n";

    let chip = Chip::new(&ESP32C6, before.clone());
    chip.change(|c| {
        c.console = format!("{start}[UPDATE] on trial\r\n{figures}[UPDATE] confirmed after 11 s\r\n");
    });
    let said = call(&chip, &new, &DEPLOY, &["--console", "20"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(said.out.contains("[BOOT] K1 1.2.0") && said.out.contains("confirmed by itself"), "{said:?}");
    assert!(!said.out.contains("rubbish") && !said.out.contains("[FPS]"), "{said:?}");

    let chip = Chip::new(&ESP32C6, before);
    chip.change(|c| c.console = format!("{start}[UPDATE] taken back: trial: frames were late\r\n"));
    let said = call(&chip, &new, &DEPLOY, &["--console", "20"]);
    said.failed_saying(&["it took itself back: trial: frames were late"]);
}

#[test]
fn what_the_lamp_would_refuse_the_cable_refuses() {
    let (signer, stranger) = (key(1), key(2));
    let old = update("esp32c6", 6, 9_000, &signer);
    let new = update("esp32c6", 7, 9_001, &signer);
    let before = lamp(&old, Slot::App1, Some(&signer), State::Valid);
    let refuse = |before: &[u8], update: &Update, words: &str| {
        let chip = Chip::new(&ESP32C6, before.to_vec());
        call(&chip, update, &DEPLOY, &[]).failed_saying(&[words]);
        assert!(chip.flash() == before, "{words}");
    };
    refuse(&before, &update("esp32c6", 7, 9_001, &stranger), "does not trust");
    refuse(&before, &update("esp32c6", 4, 9_001, &signer), "its counter is 4");
    refuse(&before, &update("esp32s3", 7, 9_001, &signer), "for an esp32s3, but the chip on /dev/pts/");
    refuse(&before, &update("virt", 7, 9_001, &signer), "has no cable");
    refuse(&lamp(&old, Slot::App0, None, State::Valid), &new, "k1 keys trust");
}

#[test]
fn a_lamp_that_could_not_go_back_is_asked_for() {
    let signer = key(1);
    let (old, new) = (update("esp32c6", 6, 9_000, &signer), update("esp32c6", 7, 9_001, &signer));
    let mut before = lamp(&old, Slot::App0, Some(&signer), State::Valid);
    // As after `k1 install`: without any record.
    before[MAP.record(0) as usize..][..4_096].fill(0xff);
    let chip = Chip::new(&ESP32C6, before);
    call(&chip, &new, &DEPLOY, &[]).failed_saying(&["its rollback is not armed", "--unarmed"]);
    let said = call(&chip, &new, &DEPLOY, &["--unarmed", "--console", "0"]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    let start = starts(&chip.flash()).unwrap();
    assert_eq!((start.whole.slot(), start.on_trial), (Slot::App1, true));
    let said = call(&chip, &old, &DEPLOY, &["--dry-run"]);
    assert!(said.out.contains("runs this image already"), "{said:?}");
}

/// The cable is pulled after some number of commands: either the previous image starts, or the new one on trial, and
/// the same command succeeds afterwards.
#[test]
fn a_cable_that_is_pulled_leaves_a_lamp_that_starts() {
    let signer = key(1);
    let (old, new) = (update("esp32c6", 6, 9_000, &signer), update("esp32c6", 7, 150_003, &signer));
    let before = lamp(&old, Slot::App0, Some(&signer), State::Valid);
    let chip = Chip::new(&ESP32C6, before.clone());
    assert_eq!(call(&chip, &new, &DEPLOY, &["--console", "0"]).code(), Some(0));
    let all = chip.commands();
    let after = chip.flash();
    let mut points: Vec<_> = (0..12).map(|i| all * i / 12).collect();
    points.extend(all - 12..all);
    println!("{all} commands, cut at {points:?}");
    for (i, point) in points.into_iter().enumerate() {
        let chip = Chip::new(&ESP32C6, before.clone());
        // In two cases the chip falls silent: the program waits for an answer then.
        chip.change(|c| (c.cut_at, c.falls_silent) = (Some(point), i == 6 || i == 17));
        let began = std::time::Instant::now();
        let said = call(&chip, &new, &DEPLOY, &["--console", "0"]);
        println!("{point}: {:.1} s, {}", began.elapsed().as_secs_f64(), said.err);
        said.failed_saying(&[if point == 0 { "no chip" } else { "the cable" }]);
        let cut = chip.flash();
        let start = starts(&cut).expect("a whole image");
        let is_new = start.whole.manifest().hash == new.manifest.hash;
        assert_eq!(start.on_trial, is_new, "after {point} of {all}");
        let again = Chip::new(&ESP32C6, cut);
        let said = call(&again, &new, &DEPLOY, &["--console", "0"]);
        assert_eq!(said.code(), Some(0), "after {point} of {all}: {said:?}");
        let start = starts(&again.flash()).unwrap();
        assert_eq!((start.whole.slot(), start.on_trial), (Slot::App1, true));
    }
    assert!(starts(&after).unwrap().on_trial);
}

#[test]
fn a_port_that_cannot_be_used_is_said_why() {
    let signer = key(1);
    let new = update("esp32c6", 7, 9_001, &signer);
    let chip = Chip::new(&ESP32C6, vec![0xff; SECTORS * 4_096]);
    let taken = serialport::new(&chip.port, 115_200).open().unwrap();
    call(&chip, &new, &DEPLOY, &[]).failed_saying(&["is in use", "k1 monitor --serial"]);
    drop(taken);
    call(&chip, &new, &DEPLOY, &[]).failed_saying(&["k1 install"]);
    chip.change(|c| (c.cut_at, c.falls_silent) = (Some(c.commands), true));
    call(&chip, &new, &DEPLOY, &[]).failed_saying(&["no chip answers", "hold BOOT"]);
    let mut nobody = Chip::new(&ESP32C6, Vec::new());
    nobody.port = "/dev/ttyNobody".into();
    call(&nobody, &new, &DEPLOY, &[]).failed_saying(&["there is no port /dev/ttyNobody"]);
    let said = call(&chip, &new, &DEPLOY, &["--all"]);
    assert!(said.code() == Some(2) && said.err.contains("leave --to, --all"), "{said:?}");
    let said = support::run(["deploy", "x.k1", "--via", "usb"]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    // A file that is not an update: the port is not even opened.
    let dir = folder();
    let path = dir.path().join("x.k1");
    std::fs::write(&path, b"nonsense").unwrap();
    call_with(&nobody, &path, &DEPLOY, &[], dir.path()).failed_saying(&["not a signed update"]);
}

#[test]
fn a_blank_chip_gets_everything_and_a_lamp_keeps_its_settings() {
    let dir = folder();
    let home = dir.path();
    let make = |args: &[&str]| {
        let made =
            k1(args).env("HOME", home).env("XDG_CONFIG_HOME", home).current_dir(home).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    make(&["keys", "new"]);
    let first = update("esp32c6", 7, 70_001, &key(9));
    std::fs::write(home.join("lamp.bin"), &first.image).unwrap();
    make(&["sign", "lamp.bin", "--board", "esp32c6", "--counter", "7"]);
    let path = home.join("lamp.k1");
    let install = |chip: &Chip, more: &[&str]| {
        let more = [&["--console", "0"], more].concat();
        call_with(chip, &path, &["install"], &more, home)
    };

    let chip = Chip::new(&ESP32C6, vec![0xff; SECTORS * 4_096]);
    call(&chip, &first, &["install"], &[]).failed_saying(&["no key of yours"]);
    let said = install(&chip, &[]);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(said.err.contains("rollback: not armed"), "{said:?}");
    assert!(said.out.contains("k1 keys trust"), "{said:?}");
    let flash = chip.flash();
    // Mark and size of the bootloader; the first entry of the partition table; no record; the whole image.
    assert_eq!((flash[0], flash[3] >> 4), (0xe9, 2));
    assert_eq!(flash[0x8000..0x8004], [0xaa, 0x50, 1, 2]);
    assert!(flash[0x9000..0x1_0000].iter().all(|b| *b == 0xff));
    let start = starts(&flash).unwrap();
    assert_eq!((start.whole.slot(), start.on_trial), (Slot::App0, false));
    assert_eq!(start.whole.manifest().hash, first.manifest.hash);

    // A lamp that trusts another key.
    let before = lamp(&update("esp32c6", 6, 9_000, &key(2)), Slot::App1, Some(&key(2)), State::Valid);
    let chip = Chip::new(&ESP32C6, before.clone());
    install(&chip, &[]).failed_saying(&["keys of its own", "--erase-settings"]);
    assert!(chip.flash() == before);
    assert_eq!(install(&chip, &["--erase-settings"]).code(), Some(0));
    assert!(chip.flash()[0x9000..0x1_0000].iter().all(|b| *b == 0xff));
    assert_eq!(starts(&chip.flash()).unwrap().whole.slot(), Slot::App0);

    // The user's own bootloader must have the given hash and fit the chip.
    let own = home.join("bootloader.bin");
    std::fs::write(&own, &flash[..0x6000]).unwrap();
    let (own, hash) = (own.to_str().unwrap(), sha256(&flash[..0x6000]));
    let blank = || Chip::new(&ESP32C6, vec![0xff; SECTORS * 4_096]);
    let said = install(&blank(), &["--bootloader", own, "--bootloader-sha256", &hash]);
    assert_eq!((said.code(), said.err.as_str()), (Some(0), ""), "{said:?}");
    let wrong = "0".repeat(64);
    install(&blank(), &["--bootloader", own, "--bootloader-sha256", &wrong])
        .failed_saying(&["has the SHA-256"]);
    assert_eq!(install(&blank(), &["--bootloader", own]).code(), Some(2));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
