//! The watchdog of a service: as long as frames are rendered, a thread tells the manager so. A program that hangs stays
//! silent, and the manager restarts it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Manager;

/// Longest time between two looks at the frames.
const LOOK: Duration = Duration::from_secs(1);

/// A thread that reports as long as frames are rendered. Dropping it ends the reports.
pub struct Heartbeat {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts to report. `frames` is the number of rendered frames so far, `status` a line about the program.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub fn start(
        manager: Arc<Manager>,
        frames: impl Fn() -> u32 + Send + 'static,
        status: impl Fn() -> String + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = channel();
        // Two messages may be late or lost before the manager loses patience.
        let pause = manager.watchdog.map_or(LOOK, |patience| (patience / 4).min(LOOK));
        let mut seen = frames();
        let mut told = String::new();
        let beat = move || {
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let now = frames();
                if now != seen && manager.watchdog.is_some() {
                    manager.tell("WATCHDOG=1");
                }
                seen = now;
                let status = status();
                if status != told {
                    manager.tell(&format!("STATUS={status}"));
                    told = status;
                }
            }
        };
        let thread = std::thread::Builder::new().name("k1-heartbeat".into()).spawn(beat)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

    use super::super::manager::tests::{manager, message};
    use super::*;

    #[test]
    fn a_renderer_that_hangs_silences_the_watchdog_until_it_goes_on() {
        let (manager, socket, _dir) = manager(Some(Duration::from_millis(200)));
        let (frames, hangs, ends) =
            (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let renderer = {
            let (frames, hangs, ends) = (frames.clone(), hangs.clone(), ends.clone());
            std::thread::spawn(move || {
                while !ends.load(Relaxed) {
                    if !hangs.load(Relaxed) {
                        frames.fetch_add(1, Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            })
        };
        let beat =
            Heartbeat::start(Arc::new(manager), move || frames.load(Relaxed), || "fine".into()).unwrap();
        let first = [message(&socket).unwrap(), message(&socket).unwrap()];
        assert_eq!(first, ["WATCHDOG=1", "STATUS=fine"], "a status is told once");
        assert_eq!(message(&socket).unwrap(), "WATCHDOG=1");
        hangs.store(true, Relaxed);
        // One message may be on its way, and one more frame may count.
        let late = std::iter::from_fn(|| message(&socket)).take(10).count();
        assert!(late < 4, "{late} messages from a program that hangs");
        hangs.store(false, Relaxed);
        assert_eq!(message(&socket).unwrap(), "WATCHDOG=1");
        drop(beat);
        while message(&socket).is_some() {}
        ends.store(true, Relaxed);
        renderer.join().unwrap();
    }

    #[test]
    fn without_a_watchdog_there_is_only_the_status() {
        let (manager, socket, _dir) = manager(None);
        let count = AtomicU32::new(0);
        let line = Arc::new(AtomicU32::new(7));
        let said = line.clone();
        let _beat = Heartbeat::start(
            Arc::new(manager),
            move || count.fetch_add(1, Relaxed),
            move || format!("{} lights", said.load(Relaxed)),
        );
        assert_eq!(message_within(&socket, 3).unwrap(), "STATUS=7 lights");
        line.store(8, Relaxed);
        assert_eq!(message_within(&socket, 3).unwrap(), "STATUS=8 lights");
    }

    fn message_within(socket: &std::os::unix::net::UnixDatagram, seconds: usize) -> Option<String> {
        (0..seconds).find_map(|_| message(socket))
    }
}
