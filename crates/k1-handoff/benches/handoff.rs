//! The cost of handing over 320 words, compared with a mutex and with another triple buffer in the same run.
//!
//! `cargo bench -p k1-handoff --features std`
//!
//! Every read ends with the payload in the caller's array, and every write begins with it there, also for the two
//! triple buffers, which could do without the copy; their intended use, in place, is measured beside it. *alone*: no
//! other thread. *accompanied*: another thread does the opposite at the real period of 8 ms. *pair*: one write and
//! one read of it, on one thread.

use criterion::Criterion;
use k1_handoff::{FrameSwap, Read, SnapshotRing};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const W: usize = 320;
const PERIOD: Duration = Duration::from_millis(8);
type Words = [u32; W];

/// Criterion, with the nanoseconds per operation of every sample, for the table at the end.
struct Bench {
    criterion: Criterion,
    samples: RefCell<BTreeMap<String, Vec<f64>>>,
}

impl Bench {
    fn alone(&mut self, name: &str, mut operation: impl FnMut()) {
        let samples = &self.samples;
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    operation();
                }
                let elapsed = start.elapsed();
                let each = elapsed.as_nanos() as f64 / iterations as f64;
                samples.borrow_mut().entry(name.to_owned()).or_default().push(each);
                elapsed
            });
        });
    }

    fn accompanied(&mut self, name: &str, operation: impl FnMut(), mut other: impl FnMut() + Send) {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    other();
                    std::thread::sleep(PERIOD);
                }
            });
            self.alone(name, operation);
            done.store(true, Relaxed);
        });
    }

    /// All measurements of one method.
    fn hand_off(
        &mut self,
        name: &str,
        mut write: impl FnMut(&Words) + Send,
        mut read: impl FnMut(&mut Words) + Send,
    ) {
        let (mut words, mut out) = ([1; W], [0; W]);
        write(&words);
        self.alone(&format!("{name} read alone"), || read(black_box(&mut out)));
        self.alone(&format!("{name} write alone"), || write(black_box(&words)));
        self.alone(&format!("{name} pair alone"), || {
            write(black_box(&words));
            read(black_box(&mut out));
        });
        self.accompanied(
            &format!("{name} read accompanied"),
            || read(black_box(&mut out)),
            || {
                words[0] += 1;
                write(&words);
            },
        );
        self.accompanied(
            &format!("{name} write accompanied"),
            || write(black_box(&[7; W])),
            || read(&mut out),
        );
    }

    fn median(&self, name: &str) -> f64 {
        let mut samples = self.samples.borrow()[name].clone();
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }

    fn table(&self) {
        println!("\n{W} words, median of the samples; x = ratio to the mutex in the same column");
        let columns = ["read alone", "write alone", "pair alone", "read accompanied", "write accompanied"];
        print!("{:<22}", "");
        columns.iter().for_each(|column| print!("{column:>26}"));
        println!();
        for name in ["mutex", "ring", "swap", "triple_buffer"] {
            print!("{name:<22}");
            for column in columns {
                let (ours, mutex) =
                    (self.median(&format!("{name} {column}")), self.median(&format!("mutex {column}")));
                print!("{:>26}", format!("{ours:.1} ns  {:.2} x", ours / mutex));
            }
            println!();
        }
        let mutex = self.median("mutex pair alone");
        for name in ["swap pair in place", "triple_buffer pair in place"] {
            let ours = self.median(name);
            println!("{name}: {ours:.1} ns, {:.3} x the mutex's pair", ours / mutex);
        }
        for (name, column) in [("ring", "read"), ("ring", "write"), ("swap", "read"), ("swap", "write")] {
            for company in ["alone", "accompanied"] {
                let ratio = self.median(&format!("{name} {column} {company}"))
                    / self.median(&format!("mutex {column} {company}"));
                println!("{name} {column} / mutex {column}, {company} = {ratio:.2}");
            }
        }
    }
}

fn main() {
    let criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .sample_size(20)
        .without_plots()
        .configure_from_args();
    let mut bench = Bench { criterion, samples: RefCell::default() };

    let mutex = Mutex::new([0; W]);
    let lock = || mutex.lock().expect("nobody panics with the lock held");
    bench.hand_off("mutex", |words| *lock() = *words, |out| *out = *lock());

    let (mut writer, reader) = SnapshotRing::<W, 4>::channel();
    bench.hand_off(
        "ring",
        |words| {
            writer.publish(words);
        },
        |out| assert!(!matches!(reader.read(out), Read::Empty)),
    );

    let (mut writer, mut reader) = FrameSwap::channel([0; W], [0; W], [0; W]);
    bench.hand_off(
        "swap",
        |words| {
            *writer.back() = *words;
            writer.publish();
        },
        |out| {
            reader.take();
            *out = *reader.latest();
        },
    );
    bench.alone("swap pair in place", || {
        black_box(writer.back());
        writer.publish();
        black_box(reader.take());
    });

    let (mut input, mut output) = triple_buffer::triple_buffer(&[0; W]);
    bench.hand_off("triple_buffer", |words| input.write(*words), |out| *out = *output.read());
    bench.alone("triple_buffer pair in place", || {
        black_box(input.input_buffer_mut());
        input.publish();
        black_box(output.read());
    });

    bench.table();
}
