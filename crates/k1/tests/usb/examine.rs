//! `k1 validate --via usb`: the whole program, with a chip on a pseudo terminal whose lamp says what a test wants.

use k1_update::layout::Slot;
use k1_update::otadata::State;

use crate::chip::{Chip, ESP32S3};
use crate::support::{self, Said, folder, k1};
use crate::{SECTORS, key, lamp, update};

/// Runs `k1 validate` with the chip's port.
fn examine(chip: &Chip, more: &[&str]) -> Said {
    let mut program = k1(["validate", "--via", "usb", "--port", &chip.port, "--in-loader"]);
    let output = program.args(more).output().unwrap();
    Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_lamp_is_examined_by_its_cable_alone() {
    let signer = key(1);
    let image = update("esp32s3", 6, 40_000, &signer);
    let before = lamp(&image, Slot::App0, Some(&signer), State::Valid);
    let start = "ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n\
        [BOOT] K1 1.2.0 on esp32s3, hash 0011223344556677, slot app0, reset: power on\r\n\
        [AUDIO SYNC] Initialized successfully\r\n[GPU TASK] Running on Core 0\r\n[AUDIO TASK] Running on Core 1\r\n\
        [NET] address 10.0.0.7, page http://10.0.0.7/#token=a-token-of-this-lamp\r\n";
    let second = |hops: f64, level: i32| {
        format!(
            "[FPS] 175.4 mean of 175.4, 160.0 p1, jitter 0.12 ms p99, longest 6.0 ms, render 800 us, 3 late\r\n\
             [LATENCY] snapshot age 8.5 ms median, 12.0 p99; hop 410 us, {hops:.1}/s; 7 retries, 0 torn, 0 overruns; \
             {level} dBFS, 120.5 BPM\r\n[MEMORY] heap 50000 B free, 40000 least\r\n"
        )
    };
    let speak = |console: String| {
        let chip = Chip::new(&ESP32S3, before.clone());
        chip.change(|c| (c.is_pressed, c.console) = (true, console));
        chip
    };
    let dir = folder();
    let path = dir.path().join("bring-up.json");
    let file = ["--for", "3", "--record", path.to_str().unwrap()];
    let record = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).unwrap()).unwrap();

    let figures: String = (0..6).map(|i| second(125.0, -60 - i)).collect();
    let chip = speak(format!("{start}{figures}"));
    let said = examine(&chip, &file);
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(
        said.out.contains("esp32s3 (revision 0.0") && said.out.contains("All criteria hold."),
        "{said:?}"
    );
    assert!(chip.flash() == before, "an examination writes nothing");
    let made = record();
    assert_eq!(made["program"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&made["chip"]["kind"], &made["chip"]["flash_bytes"]), (&"esp32s3".into(), &(4 << 20).into()));
    assert_eq!((&made["flash"]["version"], &made["flash"]["slot"]), (&"1.2.0".into(), &"app0".into()));
    assert_eq!((&made["passed"], &made["starts"]), (&true.into(), &1.into()));
    assert_eq!(made["figures"]["fps"]["mean"], 175.4);
    assert_eq!(made["seconds"].as_array().unwrap().len(), 6);
    assert_eq!(made["console"][0]["text"], "ESP-ROM:esp32s3-20210327");
    assert!(!made.to_string().contains("a-token-of-this-lamp"), "{made}");

    // A bus with half its clock, and a lamp that says nothing.
    let figures: String = (0..6).map(|i| second(62.5, -60 - i)).collect();
    let said = examine(&speak(format!("{start}{figures}")), &file);
    assert!(said.code() == Some(1) && said.err.contains("1 do not hold (hops)"), "{said:?}");
    assert!(said.out.contains("FAILED   125 hops a second"), "{said:?}");
    let said = examine(&Chip::new(&ESP32S3, before.clone()), &file);
    assert!(said.code() == Some(1) && said.err.contains("console"), "{said:?}");
    assert!(said.out.contains("was RESET pressed?"), "{said:?}");
    assert_eq!(record()["passed"], false, "a bad result is a record, too");

    // A chip without firmware, and orders that contradict themselves.
    let said = examine(&Chip::new(&ESP32S3, vec![0xff; SECTORS * 4_096]), &["--for", "1"]);
    assert!(said.out.contains("there is no K1 on this chip yet"), "{said:?}");
    for wrong in [&["--via", "usb"][..], &["virt", "--port", "x"], &["--port", "x", "--token", "t"]] {
        let said = support::run([&["validate"], wrong].concat());
        assert_eq!(said.code(), Some(2), "{wrong:?}: {said:?}");
    }
}
