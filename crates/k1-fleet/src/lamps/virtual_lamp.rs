//! The virtual lamps on this machine. Multicast does not leave the emulator, so `k1 virt` registers its lamp instead,
//! in a file that only this user can read, for as long as the lamp runs.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::address::Address;

/// Time after which a registered lamp that does not listen was killed. One that has just registered may not listen yet.
const STARTING: Duration = Duration::from_secs(30);

/// Time that a command gives a lamp which has just registered to begin to listen.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running virtual lamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualLamp {
    /// TCP port of its page on this machine.
    pub http: u16,
    /// UDP port on this machine for the sound that the lamp hears.
    pub sound: u16,
    /// UDP port on this machine for updates by espota.
    pub ota: u16,
    /// Token of the lamp.
    pub token: String,
    /// True if its clock counts instructions, so that this machine does not influence its figures.
    #[serde(default)]
    pub steady: bool,
    /// True if `k1 virt` plays music to it. It then hears no other program.
    #[serde(default)]
    pub music: bool,
}

/// The file of a running lamp; deleted when this is dropped.
#[derive(Debug)]
pub struct Registration(PathBuf);

impl Drop for Registration {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The folder of these files. If the system has such a place, it belongs to this user and is emptied when the machine
/// restarts.
fn folder() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    match of("XDG_RUNTIME_DIR") {
        Some(runtime) => runtime.join("k1"),
        None => {
            let user = of("USER").or_else(|| of("USERNAME")).unwrap_or_default();
            std::env::temp_dir().join(format!("k1-{}", user.display()))
        }
    }
}

impl VirtualLamp {
    /// Registers a running lamp.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn register(&self) -> std::io::Result<Registration> {
        let folder = folder();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        let path = folder.join(format!("virt-{}.json", self.http));
        k1_host::private::write(&path, &serde_json::to_vec(self)?)?;
        Ok(Registration(path))
    }

    /// `HOST:PORT` of its page.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// The lamp's address.
    pub fn address(&self) -> Address {
        Address {
            label: "virt".into(),
            authority: self.authority(),
            token: Some(self.token.clone()),
            sound: Some(self.sound),
            ota: Some(self.ota),
        }
    }

    /// True unless nothing listens on its port. A busy emulator answers late, but the lamp is there. A lamp that registered
    /// less than [`STARTING`] before, at `written`, has [`PATIENCE`] to begin to listen.
    fn is_there(&self, written: SystemTime) -> bool {
        let page = SocketAddr::from((Ipv4Addr::LOCALHOST, self.http));
        let asked = Instant::now();
        loop {
            let tried = TcpStream::connect_timeout(&page, Duration::from_secs(3));
            if !tried.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
                return true;
            }
            if is_old(written) || asked.elapsed() > PATIENCE {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// True if a lamp that registered at `written` must listen by now.
fn is_old(written: SystemTime) -> bool {
    written.elapsed().is_ok_and(|age| age > STARTING)
}

/// The files, the times at which they were written, and their lamps; the newest is last.
fn registered() -> Vec<(PathBuf, SystemTime, VirtualLamp)> {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .filter_map(|p| Some((std::fs::metadata(&p).and_then(|m| m.modified()).ok()?, p)))
        .collect();
    files.sort();
    let read = |(written, path): (SystemTime, PathBuf)| {
        let lamp = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        Some((path, written, lamp))
    };
    files.into_iter().filter_map(read).collect()
}

/// The running virtual lamps; the one that was started last is last. Deletes the files of killed lamps.
pub fn running() -> Vec<VirtualLamp> {
    let mut all = Vec::new();
    for (path, written, lamp) in registered() {
        if lamp.is_there(written) {
            all.push(lamp);
        } else if is_old(written) {
            let _ = std::fs::remove_file(&path);
        }
    }
    all
}

/// The virtual lamp at `HOST:PORT`. Does not ask the others, because each accepts few connections.
pub fn at(authority: &str) -> Option<VirtualLamp> {
    let mut all = registered().into_iter();
    all.find(|(_, written, lamp)| lamp.authority() == authority && lamp.is_there(*written))
        .map(|(.., lamp)| lamp)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_lamp_that_has_just_registered_has_time_to_begin_to_listen() {
        let of =
            |http| VirtualLamp { http, sound: 0, ota: 0, token: String::new(), steady: false, music: false };
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let page = free();
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            TcpListener::bind(page).unwrap()
        });
        assert!(of(page.port()).is_there(SystemTime::now()));
        drop(late.join().unwrap());
        let asked = Instant::now();
        assert!(!of(free().port()).is_there(SystemTime::now() - 2 * STARTING));
        assert!(asked.elapsed() < PATIENCE, "a killed lamp is not waited for");
    }
}
