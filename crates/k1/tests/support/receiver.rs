//! A receiver of light on this machine, and a recording of the same frames.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;

use super::support::{folder, k1, start};

/// Everything that a receiver got, and the frames that were rendered.
pub struct Received {
    /// The packets, in their order.
    pub packets: Vec<Vec<u8>>,
    /// Frames of the recording.
    pub recorded: HashSet<Vec<u8>>,
    /// The last line of the program.
    pub summary: Value,
}

/// Plays to a receiver on this machine for some seconds. The target has `{port}` in place of the receiver's port.
pub fn played(target: &str, leds: usize, options: &[&str]) -> Received {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = target.replace("{port}", &socket.local_addr().unwrap().port().to_string());
    received(socket, &target, leds, options)
}

/// Plays to a target for some seconds, while `socket` receives.
pub fn received(socket: UdpSocket, target: &str, leds: usize, options: &[&str]) -> Received {
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let receiver = std::thread::spawn(move || {
        let (mut packets, mut buffer) = (Vec::new(), [0; 2_000]);
        loop {
            match socket.recv(&mut buffer) {
                Ok(n) => packets.push(buffer[..n].to_vec()),
                Err(_) if over.load(Relaxed) => return packets,
                Err(_) => {}
            }
        }
    });
    let home = folder();
    let file = home.path().join("frames");
    let record = format!("file:{}", file.display());
    let leds_given = leds.to_string();
    let mut args = vec!["run", "demo", "--headless", "--json", "--duration", "3", "--fps", "30"];
    // Without dithering, all lights get the same values.
    args.extend([
        "--set",
        "dithering=0",
        "--max-ma",
        "0",
        "--leds",
        &leds_given,
        "--to",
        &record,
        "--to",
        target,
    ]);
    args.extend(options);
    let said = start(&mut k1(args)).end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    is_over.store(true, Relaxed);
    let recorded = std::fs::read(file).unwrap();
    assert!(
        recorded.len().is_multiple_of(leds * 3) && recorded.iter().any(|b| *b > 40),
        "a recording with light"
    );
    Received {
        packets: receiver.join().unwrap(),
        recorded: recorded.chunks(leds * 3).map(<[u8]>::to_vec).collect(),
        summary: said.summary(),
    }
}

impl Received {
    /// Checks that frames are those that were recorded. A frame that the recording dropped may be missing there.
    #[track_caller]
    pub fn are_rendered(&self, frames: &[Vec<u8>]) {
        let dropped = self.summary["lights"][0]["dropped"].as_u64().unwrap() as usize;
        let unknown = frames.iter().filter(|frame| !self.recorded.contains(*frame)).count();
        assert!(
            unknown <= dropped,
            "{unknown} of {} frames differ, {dropped} were not recorded",
            frames.len()
        );
        assert!(frames.len() > 20, "only {} frames arrived", frames.len());
    }
}
