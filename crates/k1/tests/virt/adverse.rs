//! A lamp survives a lost network, a clock that overflows, and a part that hangs.

use std::time::{Duration, Instant};

use crate::doors::{Debugger, Monitor, socket};
use crate::lamp::{Lamp, firmware};
use crate::support;
use crate::support::host::Host;

/// Address from which the lamp reads the first value of its clock, in ticks of 0.1 µs.
const BEGIN_AT: u32 = 0x80f0_0000;

/// The figures in the console's `[FPS]` lines.
fn rates(console: &str) -> Vec<f64> {
    let lines = console.lines().filter_map(|l| l.strip_prefix("[FPS] "));
    lines.map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_minute_without_a_network_and_a_clock_past_32_bits_of_microseconds() {
    let folder = support::folder();
    let door = folder.path().join("monitor");
    let seconds = std::env::var("K1_DROP_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    // The clock passes 2³² µs, 71.6 minutes, while the network is away.
    let began_at_us = (1_u64 << 32) - 30_000_000;
    let clock = format!("loader,addr={BEGIN_AT:#x},data={:#x},data-len=8", began_at_us * 10);
    let emulator = ["-qmp".into(), socket(&door), "-device".into(), clock];
    let Some(mut lamp) = Lamp::start_in(None, Some(&firmware("lamp.bin")), &emulator) else { return };
    lamp.says("[FPS]");
    let uptime = |lamp: &Lamp| lamp.get("/api/v1/status")["uptime_s"].as_f64().unwrap();
    assert!(uptime(&lamp) > 4_264.0, "it began late: {}", uptime(&lamp));

    let mut monitor = Monitor::open(&door);
    let addresses = |lamp: &Lamp| lamp.console().matches("[NET] address").count();
    monitor.set_link(false);
    lamp.says("[NET] no address");
    assert_eq!(addresses(&lamp), 1);
    let before = rates(&lamp.console()).len();
    let host = Host::watch();
    lamp.give_way();
    std::thread::sleep(Duration::from_secs(seconds));
    let alone = rates(&lamp.console()).split_off(before);
    lamp.take_turn();
    monitor.set_link(true);
    let began = Instant::now();
    support::eventually("the address returns", || addresses(&lamp) == 2);
    println!(
        "{seconds} s without a network: {} figures, {:.1} to {:.1} frames a second; the address returned after {:.2} s",
        alone.len(),
        alone.iter().copied().fold(f64::INFINITY, f64::min),
        alone.iter().copied().fold(0.0, f64::max),
        began.elapsed().as_secs_f64(),
    );
    host.asserts("lamp-alone-reports", alone.len() as f64 > 0.8 * seconds as f64, || {
        format!("it reports every second: {}", alone.len())
    });
    // Other lamps run at the same time, so not every frame is on time, but the light goes on.
    host.asserts("lamp-alone-frames", alone.iter().all(|fps| *fps > 40.0), || format!("{alone:?}"));
    assert!(alone.len() > 3 && alone.iter().all(|fps| *fps > 0.0), "{alone:?}");
    support::eventually("the page is back", || lamp.try_get("/").is_some());
    if seconds >= 30 {
        assert!(uptime(&lamp) > 4_294.967, "the clock went on: {}", uptime(&lamp));
    }
    let vitals = lamp.get("/api/v1/status")["vitals"].clone();
    assert_eq!(vitals["torn"], 0, "{vitals}");
    let in_time = vitals["fps"].as_f64() > Some(40.0) && vitals["hop_rate"].as_f64() > Some(90.0);
    host.asserts("lamp-after-return", in_time, || vitals.to_string());
}

#[test]
fn a_part_that_stands_still_is_named_after_the_reset() {
    let folder = support::folder();
    let door = folder.path().join("debugger");
    let Some(mut lamp) = Lamp::start_in(None, Some(&firmware("lamp.bin")), &["-gdb".into(), socket(&door)])
    else {
        return;
    };
    lamp.says("[FPS]");
    // On hart 0, timing decides whether the renderer hangs or a task below it.
    for (hart, parts) in [(1, &["ear"][..]), (0, &["renderer", "network"])] {
        Debugger::attach(&door).hang(hart);
        let began = Instant::now();
        let named = |console: &str| {
            parts.iter().find(|p| console.contains(&format!("reset: watchdog: the {p} stood still"))).copied()
        };
        support::eventually("it starts again", || named(&lamp.console()).is_some());
        let part = named(&lamp.console()).unwrap();
        println!("hart {hart} hung: the {part} was named after {:.1} s", began.elapsed().as_secs_f64());
        let device = lamp.get("/api/v1/device");
        assert_eq!(device["reset_reason"], format!("watchdog: the {part} stood still"));
        assert!(device["last_panic"].as_str().unwrap().starts_with(&format!("starved: the {part}")));
    }
}
