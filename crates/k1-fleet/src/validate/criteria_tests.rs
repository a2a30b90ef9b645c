use super::super::presence::HostSecond;
use super::*;
use crate::lamps::figures::Reading;
use k1_device::answers::{BootLine, Check, Heap, Stack};

fn second(t: f64, fps: f64) -> Second {
    let mut reading = Reading::default();
    reading.take([("fps", fps), ("age_ms", 8.0), ("age_p99_ms", 12.0), ("heap_free", 100_000.0)]);
    Second { t, uptime_s: 10.0 + t, frames: 1_000 + (t * 175.4) as u64, reading }
}

/// The answers of a good lamp.
fn good() -> Evidence {
    let texts = [
        "[BOOT] K1 0.1.0 on virt",
        "[BOOT] settings",
        BOOT_ORDER[1],
        "[GPU TASK] Running on Core 0",
        "[AUDIO TASK] Running on Core 1",
        "[FPS] 175.4",
        "[LATENCY] 8",
    ];
    let line = |(i, text): (usize, &&str)| BootLine { at_ms: i as u32 * 200, text: (*text).into() };
    let stack = Some(Stack { size: 16_384, headroom: 6_000 });
    let reads =
        |wanted| SelfTest { state: TestState::Done, wanted, reads: wanted, new: 9, ..SelfTest::default() };
    Evidence {
        length_s: 100.0,
        boot_log: BootLog {
            lines: texts.iter().enumerate().map(line).collect(),
            error_lines: Some(0),
            last_error: None,
        },
        device: Device {
            board: "virt".into(),
            shows_on_core: Some(0),
            hears_on_core: Some(1),
            render_stack: stack,
            audio_stack: stack,
            heap: Some(Heap { size: 160_000, free: 100_000, least_free: 90_000 }),
            wire_us: Some(5_700),
            image_bytes: Some(650_000),
            static_ram_bytes: Some(100_000),
            healthy: true,
            rollback: Some(Rollback::Armed),
            checks: vec![Check { name: "frames are on time".into(), ok: true, advice: "".into() }],
            ..Device::default()
        },
        reads: vec![reads(500), reads(1_000_000)],
        light: Ok(vec![Answer {
            pattern: "pulse".into(),
            difference: 40.0,
            motion: [3.0, 0.1],
            heard_db: [-20.0, -90.0],
        }]),
        first_uptime_s: 5.0,
        host: None,
        seconds: (0..100).map(|t| second(f64::from(t), 175.4)).collect(),
        unanswered: (0, None),
    }
}

fn failing(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = good();
    change(&mut evidence);
    let rows = judge(&evidence, &Budget::read().unwrap());
    rows.iter().filter(|r| r.verdict != Verdict::Passed).map(|r| r.id).collect()
}

#[test]
fn a_good_lamp_passes() {
    assert_eq!(failing(|_| {}), [""; 0]);
}

#[test]
fn each_fault_fails_its_own_criterion() {
    type Fault = fn(&mut Evidence);
    let faults: [(&str, Fault); 31] = [
        ("boot", |e| e.boot_log.lines.swap(2, 3)),
        ("run", |e| e.first_uptime_s = 11.0),
        ("boot", |e| e.boot_log.lines[6].at_ms = 30_001),
        ("boot", |e| e.boot_log.lines.truncate(6)),
        ("cores", |e| e.device.hears_on_core = Some(0)),
        ("cores", |e| e.device.shows_on_core = None),
        ("frames", |e| e.device.wire_us = Some(5_500)),
        ("frames", |e| e.device.wire_us = None),
        ("steady", |e| e.seconds[5..7].iter_mut().for_each(|s| s.reading.take([("fps", 90.0)]))),
        ("age", |e| e.seconds.iter_mut().for_each(|s| s.reading.take([("age_p99_ms", 21.0)]))),
        ("age", |e| e.seconds[50].reading.take([("age_ms", 20.0)])),
        ("reads_500", |e| e.reads[0].torn = 1),
        ("reads_million", |e| e.reads[1].kept_previous = 1),
        ("reads_million", |e| e.reads[1].backwards = 1),
        ("reads_million", |e| e.reads[1].new = 0),
        ("reads_million", |e| e.reads[1].state = TestState::Running),
        ("reads", |e| e.reads.clear()),
        ("errors", |e| e.boot_log.error_lines = Some(1)),
        ("errors", |e| e.device.last_panic = Some("it fell".into())),
        ("errors", |e| e.boot_log.error_lines = None),
        ("render_stack", |e| e.device.render_stack = Some(Stack { size: 16_384, headroom: 4_095 })),
        ("audio_stack", |e| e.device.audio_stack = None),
        ("flash", |e| e.device.image_bytes = Some(1_300_000)),
        ("ram", |e| e.device.static_ram_bytes = Some(320_000)),
        ("light", |e| e.light = Err("no loudspeaker".into())),
        ("light", |e| {
            let answers = e.light.as_mut().unwrap();
            (answers[0].difference, answers[0].motion) = (0.0, [0.1, 0.1]);
        }),
        ("light", |e| e.light.as_mut().unwrap()[0].heard_db = [-90.0, -90.0]),
        ("run", |e| e.seconds[60].uptime_s = 0.5),
        ("run", |e| e.unanswered = (5, Some("it did not answer".into()))),
        ("heap", |e| {
            let leaks = e.seconds.iter_mut().enumerate();
            leaks.for_each(|(i, s)| s.reading.take([("heap_free", 100_000.0 - 100.0 * i as f64)]));
        }),
        ("health", |e| e.device.healthy = false),
    ];
    for (i, (row, fault)) in faults.into_iter().enumerate() {
        let failed = failing(fault);
        // Without a wire, there is no rate to compare with.
        assert!(failed.contains(&row) && failed.len() <= 2, "fault {i} of {row}: {failed:?}");
        assert!(
            failed.iter().all(|f| *f == row || (row == "frames" && *f == "steady")),
            "fault {i}: {failed:?}"
        );
    }
    assert_eq!(failing(|e| e.device.rollback = None), ["rollback"], "what it does not say does not pass");
    assert_eq!(failing(|e| e.device.rollback = Some(Rollback::NotArmed)), ["rollback"]);
    assert_eq!(
        failing(|e| e.device.board = "toaster".into()),
        ["flash", "ram"],
        "without a limit nothing passes"
    );
    assert_eq!(
        failing(|e| e.seconds.iter_mut().for_each(|s| s.reading.take([("fps", 99.0)]))),
        ["frames", "steady"]
    );
}

/// The same lamp on a machine that emulates it and was away in `away` seconds, the first of which ends at 40 s.
fn emulated(e: &mut Evidence, away: i32) {
    let overslept = |t| if (40..40 + away).contains(&t) { 80.0 } else { 0.2 };
    let second = |t: i32| HostSecond { t: t.into(), overslept_ms: overslept(t), stolen_percent: Some(0.0) };
    e.host = Some((-3..107).map(second).collect());
}

#[test]
fn a_second_without_its_host_is_excused_and_no_other() {
    let slow = |e: &mut Evidence, from: usize| {
        e.seconds[from..from + 2]
            .iter_mut()
            .for_each(|s| s.reading.take([("fps", 90.0), ("age_ms", 30.0), ("age_p99_ms", 40.0)]));
    };
    let host = |e: &Evidence| {
        let rows = judge(e, &Budget::read().unwrap());
        rows.into_iter().find(|r| r.id == "host")
    };
    let away = 40;
    let excused = |e: &mut Evidence| {
        emulated(e, 1);
        slow(e, away + 1);
    };
    assert_eq!(failing(excused), [""; 0]);
    let mut e = good();
    excused(&mut e);
    let row = host(&e).unwrap();
    assert!(
        row.measured.starts_with("3 of 100 seconds are left out; at worst it overslept 80.0 ms"),
        "{row:?}"
    );
    // The host was there.
    let fault = |e: &mut Evidence| {
        emulated(e, 0);
        slow(e, away + 1);
    };
    assert_eq!(failing(fault), ["steady", "age"]);
    // It was away, but not at that time.
    let other = |e: &mut Evidence| {
        emulated(e, 1);
        slow(e, away + 10);
    };
    assert_eq!(failing(other), ["steady", "age"]);
    // A real lamp is not emulated.
    assert_eq!(failing(|e| slow(e, away + 1)), ["steady", "age"]);
    assert_eq!(host(&good()), None);
    // Counts are never excused.
    let torn = |e: &mut Evidence| {
        emulated(e, 1);
        e.reads[0].torn = 1;
        e.seconds[away + 1].uptime_s = 0.5;
    };
    assert_eq!(failing(torn), ["reads_500", "run"]);
}

#[test]
fn a_host_that_is_away_too_much_proves_nothing_but_faults() {
    let verdicts = |change: fn(&mut Evidence)| {
        let mut e = good();
        emulated(&mut e, 30);
        change(&mut e);
        let rows = judge(&e, &Budget::read().unwrap());
        let timing = rows.into_iter().filter(|r| ["frames", "steady", "age", "host"].contains(&r.id));
        timing.map(|r| r.verdict).collect::<Vec<_>>()
    };
    let nothing = Verdict::NotMeasured;
    assert_eq!(verdicts(|_| {}), [nothing; 4]);
    let always_slow = |e: &mut Evidence| e.seconds.iter_mut().for_each(|s| s.reading.take([("fps", 60.0)]));
    assert_eq!(verdicts(always_slow), [Verdict::Failed, Verdict::Failed, nothing, nothing]);
}

#[test]
fn the_turn_of_the_clock_is_looked_at_when_it_is_due() {
    let turning = |e: &mut Evidence| {
        e.length_s = 5_000.0;
        e.seconds = (4_200..4_400).map(|t| second(f64::from(t), 175.4)).collect();
    };
    assert_eq!(failing(turning), [""; 0]);
    let stops = |e: &mut Evidence| {
        turning(e);
        e.seconds.iter_mut().filter(|s| s.uptime_s > 4_295.0).for_each(|s| s.frames = 752_000);
    };
    assert_eq!(failing(stops), ["clock"]);
    let unseen = |e: &mut Evidence| e.length_s = 86_400.0;
    assert_eq!(failing(unseen), ["clock"]);
}
