//! The lamp's frames per second, compared with the rate that a wire with this number of LEDs allows.

use serde_json::json;

use crate::lamp::{Lamp, firmware};
use crate::support;

/// Pause after a frame, in µs.
const RESET_US: u16 = 300;

#[test]
fn every_length_of_strip_gets_the_frames_that_its_wire_carries() {
    let folder = support::folder();
    let flash = folder.path().join("flash");
    println!("LEDs  wire's limit  frames a second  share  core 0 busy");
    let lengths = [180_u16, 60, 300];
    for (i, leds) in lengths.into_iter().enumerate() {
        let Some(mut lamp) = Lamp::start_steady(Some(&flash), &firmware("lamp.bin")) else { return };
        lamp.says("[FPS]");
        let limit = 1e6 / f64::from(30 * leds + RESET_US);
        let mut busiest = 0.0_f64;
        // Its first seconds belong to the start.
        lamp.runs_for(5.0);
        let (mut all, until) = (Vec::new(), lamp.uptime_s() + 4.0);
        while lamp.uptime_s() < until {
            let vitals = lamp.get("/api/v1/status")["vitals"].clone();
            all.push(vitals["fps"].as_f64().unwrap());
            let device = lamp.get("/api/v1/device");
            assert_eq!(device["wire_us"], 30 * leds + RESET_US);
            busiest = busiest.max(device["core_busy"][0].as_f64().unwrap());
        }
        let (least, most) = all.iter().fold((f64::MAX, 0.0_f64), |(l, m), x| (l.min(*x), m.max(*x)));
        println!("{leds:>4} {limit:>13.1} {least:>16.1} {:>6.1} % {busiest:>10.2}", 100.0 * least / limit);
        // A second may have one frame more or less than its share, but never many.
        assert!(least >= 0.98 * limit - 1.0, "{leds} LEDs: {least:.1} of {limit:.1}");
        assert!(most <= limit + 2.0, "no wire carries more: {most:.1} of {limit:.1}");
        // Tasks that wake each other for ever would not cost a frame, but would use the whole core.
        assert!(busiest < 0.9, "core 0 never sleeps: {busiest}");
        if let Some(next) = lengths.get(i + 1) {
            let writes = || lamp.get("/api/v1/device")["settings_writes"].as_u64();
            let before = writes();
            lamp.post("/api/v1/setup", json!({"leds": next, "reset_us": RESET_US}));
            support::eventually("it is remembered", || writes() > before);
        }
    }
}
