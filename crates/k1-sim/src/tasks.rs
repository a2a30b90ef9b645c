//! An executor that does the same in every run: tasks that are ready go in the order in which they were spawned, and time
//! moves only when none is.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use crate::clock;

/// Rounds at one moment after which tasks wake each other for ever.
const MOST_ROUNDS: u32 = 20_000;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// Why the tasks did not go on.
pub enum End {
    /// A task panicked with this.
    Panicked(Box<dyn Any + Send>),
    /// They were told to stop.
    Stopped,
}

/// Tasks that share this thread and its clock.
#[derive(Default)]
pub struct Tasks {
    all: Vec<Task>,
    stop: Option<Box<dyn Fn() -> bool>>,
}

impl Tasks {
    /// Adds a task.
    pub fn spawn<T>(&mut self, future: impl Future<Output = T> + 'static) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = flag.clone().into();
        let future = Box::pin(async {
            future.await;
        });
        self.all.push(Task { future, flag, waker });
    }

    /// Stops as soon as this is true.
    pub fn stop_when(&mut self, stop: impl Fn() -> bool + 'static) {
        self.stop = Some(Box::new(stop));
    }

    /// Runs until `future` is done, or for at most `limit_us`; `None` if it was not done.
    ///
    /// # Errors
    ///
    /// [`End`], if a task panicked or the tasks were told to stop.
    ///
    /// # Panics
    ///
    /// If tasks wake each other for ever.
    pub fn run<T>(&mut self, limit_us: u64, future: impl Future<Output = T>) -> Result<Option<T>, End> {
        let until = clock::now_us() + limit_us;
        let mut future = pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = flag.clone().into();
        loop {
            let mut rounds = 0;
            loop {
                let mut was_ready = false;
                for task in &mut self.all {
                    if !task.flag.0.swap(false, Relaxed) {
                        continue;
                    }
                    was_ready = true;
                    let mut cx = Context::from_waker(&task.waker);
                    let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut cx)));
                    match polled {
                        // What is done is not asked again.
                        Ok(Poll::Ready(())) => task.future = Box::pin(std::future::pending()),
                        Ok(Poll::Pending) => {}
                        Err(panic) => return Err(End::Panicked(panic)),
                    }
                    if self.stop.as_ref().is_some_and(|stop| stop()) {
                        return Err(End::Stopped);
                    }
                }
                if flag.0.swap(false, Relaxed) {
                    was_ready = true;
                    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Ok(Some(value));
                    }
                }
                if !was_ready {
                    break;
                }
                rounds += 1;
                assert!(rounds < MOST_ROUNDS, "tasks wake each other for ever");
            }
            match clock::next_us() {
                Some(at) if at <= until => clock::move_to(at),
                _ => {
                    clock::move_to(until);
                    return Ok(None);
                }
            }
        }
    }
}
