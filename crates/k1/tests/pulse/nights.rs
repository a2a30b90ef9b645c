//! Repeats failures of the sound server many times, and prints figures:
//! `cargo test -p k1 --test pulse -- --ignored --nocapture nights`.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::server::{Server, Watched, signal};

/// Modules for two outputs.
const OUTPUTS: [&str; 2] = [
    "module-null-sink sink_name=one sink_properties=device.description=One",
    "module-null-sink sink_name=two sink_properties=device.description=Two",
];

/// Time limit in seconds until K1 hears again.
const LONG: u64 = 30;

/// The results of one kind of failure.
struct Nights {
    what: &'static str,
    connected: Vec<f64>,
    back: Vec<f64>,
    longest_gap_ms: f64,
    least_hops: f64,
    ages_ms: Vec<f64>,
}

impl Nights {
    fn of(what: &'static str) -> Self {
        let (connected, back, ages_ms) = (Vec::new(), Vec::new(), Vec::new());
        Self { what, connected, back, longest_gap_ms: 0.0, least_hops: f64::MAX, ages_ms }
    }

    /// Waits until K1 is connected, and until it hears something.
    fn back(&mut self, k1: &mut Watched) {
        let began = Instant::now();
        k1.connects_within(LONG);
        self.connected.push(began.elapsed().as_secs_f64());
        k1.hears_within(LONG);
        self.back.push(began.elapsed().as_secs_f64());
    }

    /// Adds the figures of each second from `from` on. `stop_ms` is the time for which K1 itself was stopped; it does
    /// not count as a gap.
    fn figures(&mut self, k1: &Watched, from: usize, stop_ms: f64) {
        for second in &k1.seconds()[from..] {
            let figure = |name: &str| second["vitals"][name].as_f64().unwrap();
            let gap = figure("longest_gap_ms");
            let was_stopped = stop_ms > 0.0 && gap >= stop_ms;
            self.longest_gap_ms = self.longest_gap_ms.max(if was_stopped { gap - stop_ms } else { gap });
            if !was_stopped {
                self.least_hops = self.least_hops.min(figure("hop_rate"));
                self.ages_ms.push(figure("age_p99_ms"));
            }
        }
    }

    fn print(mut self) {
        self.connected.sort_by(f64::total_cmp);
        self.back.sort_by(f64::total_cmp);
        self.ages_ms.sort_by(f64::total_cmp);
        let at = |list: &[f64], q: f64| list[((list.len() - 1) as f64 * q).round() as usize];
        println!(
            "{}: {} times; longest gap between frames {:.1} ms; connection back after {:.2} s median, {:.2} s worst; \
             sound after {:.2} s median, {:.2} s worst; \
             fewest hops in a second {:.0}; age of the sound p99 {:.1} ms in the median second, {:.1} ms in the worst",
            self.what,
            self.back.len(),
            self.longest_gap_ms,
            at(&self.connected, 0.5),
            at(&self.connected, 1.0),
            at(&self.back, 0.5),
            at(&self.back, 1.0),
            self.least_hops,
            at(&self.ages_ms, 0.5),
            at(&self.ages_ms, 1.0),
        );
        assert!(at(&self.back, 1.0) < 5.0, "{}: hearing was away for too long", self.what);
    }
}

/// Number of repetitions, divided by `K1_NIGHTS` for a quick look.
fn times(n: usize) -> usize {
    let divisor = std::env::var("K1_NIGHTS").ok().and_then(|d| d.parse().ok()).unwrap_or(1);
    (n / divisor).max(1)
}

fn settled(k1: &mut Watched) -> usize {
    k1.hears_within(LONG);
    // K1 itself leaves out the first second; the next ones belong to the start.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    k1.seconds().len()
}

#[test]
#[ignore = "takes some ten minutes"]
fn nights() {
    let Some(mut server) = Server::with(&OUTPUTS) else { return };
    server.pactl(&["set-default-sink", "one"]);
    server.plays("one");
    let mut k1 = Watched::start(&server, "monitor", &[]);
    let from = settled(&mut k1);

    let mut killed = Nights::of("server killed and started");
    for n in 0..times(50) {
        server.kill();
        k1.waits_within(LONG);
        // Pauses of different lengths, up to eight seconds.
        std::thread::sleep(Duration::from_millis(100 + 160 * n as u64));
        server.begin();
        server.plays("one");
        killed.back(&mut k1);
    }
    killed.figures(&k1, from, 0.0);
    let from = settled(&mut k1);

    let mut hung = Nights::of("server hung");
    for n in 0..times(20) {
        server.stand_still();
        k1.waits_within(LONG);
        // Some are longer than the ten seconds after which K1 opens a new connection.
        std::thread::sleep(Duration::from_millis(500 * (n as u64 % 4) + if n % 5 == 4 { 11_000 } else { 0 }));
        server.go_on();
        hung.back(&mut k1);
        std::thread::sleep(Duration::from_millis(500));
    }
    hung.figures(&k1, from, 0.0);

    server.pactl(&["set-default-sink", "one"]);
    server.plays("two");
    let from = settled(&mut k1);
    let mut moved = Nights::of("default moved");
    for n in 0..times(20) {
        let (sink, name) = if n % 2 == 0 { ("two", "Monitor of Two") } else { ("one", "Monitor of One") };
        server.pactl(&["set-default-sink", sink]);
        let began = Instant::now();
        k1.names_within(LONG, name);
        moved.connected.push(began.elapsed().as_secs_f64());
        k1.hears_within(LONG);
        moved.back.push(began.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(300));
    }
    moved.figures(&k1, from, 0.0);
    let from = settled(&mut k1);

    let mut stopped = Nights::of("K1 stopped and continued");
    let stop = Duration::from_millis(2_000);
    for _ in 0..times(20) {
        signal(k1.running.id(), Signal::STOP);
        std::thread::sleep(stop);
        signal(k1.running.id(), Signal::CONT);
        stopped.back(&mut k1);
        std::thread::sleep(Duration::from_millis(2_500));
    }
    stopped.figures(&k1, from, stop.as_secs_f64() * 1000.0);

    for kind in [killed, hung, moved, stopped] {
        kind.print();
    }
    k1.running.interrupt();
    let said = k1.running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
    for none in ["torn", "allocations"] {
        assert_eq!(said.summary()["vitals"][none], 0, "{none}");
    }
}
