//! Lights that only note when each frame arrived.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// Time between two visits, short enough that the queues of the sockets do not overflow.
const PAUSE: Duration = Duration::from_millis(40);
/// Size of a queue in bytes, if the system allows it.
const QUEUE: usize = 4 << 20;
/// Length of the head of a DDP packet.
const HEAD: usize = 10;
/// The flag of a frame's last packet.
const PUSH: u8 = 0x01;

/// What has arrived at one light.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    /// Times of the last packet of each frame, in ns.
    pub frames: Vec<u64>,
    /// Number of packets.
    pub packets: u64,
}

struct Receiver {
    address: SocketAddr,
    /// `None` while its port is closed.
    socket: Option<UdpSocket>,
    arrived: Arrived,
}

/// Several lights that speak DDP, and the thread that empties their queues.
pub struct Receivers {
    all: Arc<Mutex<Vec<Receiver>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receivers {
    /// Opens `number` ports of an address.
    ///
    /// # Errors
    ///
    /// A sentence if a port cannot be opened.
    pub fn open(ip: &str, number: usize) -> Result<Self, String> {
        let all = (0..number).map(|_| Receiver::open(ip)).collect::<Result<Vec<_>, _>>()?;
        Self::start(all)
    }

    fn start(all: Vec<Receiver>) -> Result<Self, String> {
        let (all, stop) = (Arc::new(Mutex::new(all)), Arc::new(AtomicBool::new(false)));
        let (theirs, ends) = (all.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(Relaxed) {
                lock(&theirs).iter_mut().for_each(Receiver::empty);
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Self { all, stop, thread: Some(thread) })
    }

    /// Addresses of the lights.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        lock(&self.all).iter().map(|receiver| receiver.address).collect()
    }

    /// Number of lights at which no frame has arrived yet.
    pub fn without_frames(&self) -> usize {
        lock(&self.all).iter().filter(|receiver| receiver.arrived.frames.is_empty()).count()
    }

    /// What has arrived since the last call.
    pub fn take(&self) -> Vec<Arrived> {
        let mut all = lock(&self.all);
        all.iter_mut()
            .map(|receiver| {
                receiver.empty();
                std::mem::take(&mut receiver.arrived)
            })
            .collect()
    }

    /// Opens or closes the port of a light.
    ///
    /// # Errors
    ///
    /// A sentence if the port cannot be opened again.
    pub fn set_open(&self, light: usize, is_open: bool) -> Result<(), String> {
        let receiver = &mut lock(&self.all)[light];
        receiver.socket = match is_open {
            true => Some(bind(&receiver.address.to_string())?),
            false => None,
        };
        Ok(())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(all: &Mutex<Vec<Receiver>>) -> MutexGuard<'_, Vec<Receiver>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bind(address: &str) -> Result<UdpSocket, String> {
    let socket = UdpSocket::bind(address).map_err(|e| format!("{address}: {e}"))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(|e| format!("times of packets: {e}"))?;
    // With a smaller queue, it works as long as the visits are in time.
    let _ = setsockopt(&socket, sockopt::RcvBuf, &QUEUE);
    Ok(socket)
}

impl Receiver {
    fn open(ip: &str) -> Result<Self, String> {
        let socket = bind(&format!("{ip}:0"))?;
        let address = socket.local_addr().map_err(|e| e.to_string())?;
        Ok(Self { address, socket: Some(socket), arrived: Arrived::default() })
    }

    /// Takes everything from its queue.
    fn empty(&mut self) {
        let Some(socket) = &self.socket else { return };
        let mut control = nix::cmsg_space!(TimeSpec);
        // The rest of a packet is not needed, and not copied.
        let mut head = [0; HEAD];
        loop {
            let mut into = [IoSliceMut::new(&mut head)];
            let got =
                recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut control), MsgFlags::MSG_DONTWAIT);
            let at = match got {
                Ok(packet) => packet.cmsgs().ok().and_then(|mut all| {
                    all.find_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(at) => Some(nanoseconds(at)),
                        _ => None,
                    })
                }),
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
            self.arrived.packets += 1;
            if head[0] & PUSH != 0 {
                self.arrived.frames.extend(at);
            }
        }
    }
}

fn nanoseconds(at: TimeSpec) -> u64 {
    at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_frame_arrives_with_its_last_packet_at_the_time_of_its_sending() {
        let receivers = Receivers::open("127.0.0.1", 2).unwrap();
        let to = receivers.addresses()[0];
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packet = [0; 40];
        // The kernel begins to note times a little after it was asked to; until then, a packet has the time of its reading.
        let is_noted = || {
            sender.send_to(&[PUSH; 40], to).unwrap();
            let sent = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            std::thread::sleep(Duration::from_millis(20));
            receivers.take()[0].frames.iter().all(|at| *at < sent + 10_000_000)
        };
        let began = Instant::now();
        while !is_noted() {
            assert!(began.elapsed() < Duration::from_secs(20), "the kernel notes no times");
        }
        for (flags, pause_ms) in [(0x40, 0), (0x41, 30), (0x40, 0), (0x41, 0)] {
            packet[0] = flags;
            sender.send_to(&packet, to).unwrap();
            std::thread::sleep(Duration::from_millis(pause_ms));
        }
        std::thread::sleep(2 * PAUSE);
        let arrived = receivers.take();
        assert_eq!((arrived[0].packets, arrived[0].frames.len(), arrived[1].packets), (4, 2, 0));
        let apart = arrived[0].frames[1] - arrived[0].frames[0];
        assert!((30_000_000..2_000_000_000).contains(&apart), "{apart} ns");
        receivers.set_open(0, false).unwrap();
        let _ = sender.send_to(&packet, to);
        receivers.set_open(0, true).unwrap();
        sender.send_to(&packet, to).unwrap();
        std::thread::sleep(2 * PAUSE);
        assert_eq!(receivers.take()[0].packets, 1);
    }
}
