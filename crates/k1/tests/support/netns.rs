//! A separate network for a test: the test runs itself again in a new network namespace, in which it may take links
//! down, change addresses and move names.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const INSIDE: &str = "K1_TEST_IN_NAMESPACE";

/// True in the test's own namespace. Otherwise runs the test of this name in a namespace, and returns false.
///
/// If namespaces are not allowed, or `ip` is missing, it prints that and returns false.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return true;
    }
    // Root does not need a user namespace; everybody else does.
    let flags = if rustix::process::geteuid().is_root() { "-nm" } else { "-rnm" };
    let works = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    if !works("unshare", &[flags, "ip", "link", "set", "lo", "up"]) {
        crate::support::need::missing("netns", "a network namespace, or ip");
        return false;
    }
    let again = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.arg(flags).arg(again).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let status = command.status().unwrap();
    assert!(status.success(), "{test} has failed in its namespace: {status}");
    false
}

/// Runs `ip` with arguments.
#[track_caller]
pub fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Another host: a namespace at the other end of a cable.
pub struct Far(Child);

impl Far {
    /// Makes a host and a cable to it: `near` is the name of this end, `far` of the other one. Sets no address, and
    /// takes no end up.
    pub fn new(near: &str, far: &str) -> Self {
        let mut command = Command::new("unshare");
        // It prints a word when it is ready, and ends when its standard input ends.
        command.args(["-n", "sh", "-c", "ip link set lo up; echo there; read _"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut there = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut there).unwrap();
        ip(&format!("link add {near} type veth peer name {far} netns {}", child.id()));
        Self(child)
    }

    /// Runs `ip` on the other host.
    #[track_caller]
    pub fn ip(&self, arguments: &str) {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-n", "ip"]).args(arguments.split_whitespace());
        let done = command.output().unwrap();
        assert!(done.status.success(), "far: ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs `work` on the other host; sockets opened there stay there.
    pub fn there<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.0.id())).unwrap();
        let moved = std::thread::spawn(move || {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), None).unwrap();
            work()
        });
        moved.join().unwrap()
    }

    /// A receiver on the other host.
    pub fn receiver(&self, address: &str) -> UdpSocket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = self.there(move || UdpSocket::bind(address)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        socket
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}
