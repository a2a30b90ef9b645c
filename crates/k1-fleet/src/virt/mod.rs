//! `k1 virt`: the virtual lamp, the lamp's firmware on an emulated two-core machine.

pub mod flash;

use std::io::BufReader;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k1_engine::{HOP, HOP_US};

use crate::cli::VirtArgs;
use crate::lamps::playback::Rtp;
use crate::lamps::virtual_lamp::VirtualLamp;
use crate::signing::package::{self, Statement};
use flash::VirtualFlash;
use k1_host::Failure;

/// The emulator; `qemu-system-misc` in Debian.
const EMULATOR: &str = "qemu-system-riscv32";
/// First version that shares counted instructions evenly between harts. An earlier version computes how long one hart
/// may run while the other's timers are due, and can leave a hart out for tens of milliseconds.
const EVEN: (u32, u32) = (8, 1);
/// Folder of the firmware that was built here.
const BUILT: &str = "firmware/target/riscv32imafc-unknown-none-elf/release";
/// A clock that counts instructions, 4 ns each: when both harts have work, each executes 125 million instructions a
/// second, fewer than on a real lamp. The clock skips the time while both sleep (with `sleep=on`, the time by which
/// this machine oversleeps would be added to the lamp's time). The emulator runs one hart until the machine's next
/// timer, so there must be a timer every half millisecond. It belongs to a filter that delays incoming network packets
/// by as much. A second filter, on an empty network, provides the timer while the first one works, which can take this
/// machine any time.
const STEADY: [&str; 8] = [
    "-icount",
    "shift=2,sleep=off",
    "-object",
    "filter-buffer,id=turns,netdev=n0,interval=500,queue=rx",
    "-netdev",
    "hubport,id=nothing,hubid=1",
    "-object",
    "filter-buffer,id=others,netdev=nothing,interval=500",
];
/// Ports of the lamp itself.
const WEB: u16 = 80;
const SOUND: u16 = 5004;
const OTA: u16 = k1_wire::espota::PORT;

/// Starts the lamp and waits until it ends, the duration is over, or a signal arrives. `music` fills each hop that the
/// lamp hears.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn virt(
    args: &VirtArgs,
    music: impl FnMut(&mut [f32; HOP]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stopped = Arc::new(AtomicBool::new(false));
    let signal = stopped.clone();
    ctrlc::set_handler(move || signal.store(true, Ordering::SeqCst))
        .map_err(|e| Failure::new(format!("signals cannot be handled: {e}")))?;

    let emulator = version(&installed()?);
    if let (true, Some((major, minor))) = (args.steady, emulator.filter(|v| *v < EVEN)) {
        let (since, point) = EVEN;
        k1_host::say(format_args!(
            "k1: QEMU {major}.{minor} does not share a steady lamp's time evenly between its cores, and the age of sound \
             can be too high for it; QEMU {since}.{point} does"
        ));
    }
    let kept = match &args.flash {
        Some(path) => Flash::Kept(path.clone()),
        None => Flash::Temporary(temporary("flash")),
    };
    let loader = Flash::Temporary(temporary("loader"));
    prepare(args, loader.path(), kept.path())?;
    let web = free_tcp(args.http)?;
    let sound = free_udp(args.sound, "--sound")?;
    let ota = free_udp(args.ota, "--ota")?;
    let mut more = Vec::new();
    let recording = Flash::Temporary(temporary("recording"));
    if args.steady {
        std::fs::write(recording.path(), crate::lamps::test_signal::bytes())?;
        let into = format!(
            "loader,addr={:#x},force-raw=on,file={}",
            k1_device::tape::PLACE,
            quoted(recording.path())
        );
        more.extend(STEADY.map(str::to_owned).into_iter().chain(["-device".to_owned(), into]));
    }
    more.extend_from_slice(&args.emulator);
    let mut child = start(loader.path(), kept.path(), [web, sound, ota], &more)?;
    k1_host::say(format_args!(
        "k1: the virtual lamp starts; its page will be on port {web}, its sound goes to UDP port {sound}{}",
        if args.flash.is_some() {
            ""
        } else {
            "; it forgets its settings at the end (--flash FILE keeps them)"
        }
    ));
    let console = child.stdout.take();
    // Complaints of the emulator.
    let complaints = child.stderr.take().map(|err| k1_host::foreign::lines(BufReader::new(err)));
    let complainer = std::thread::spawn(move || {
        complaints.into_iter().flatten().map_while(Result::ok).for_each(k1_host::say);
    });
    let steady = args.steady;
    let plays = !args.headless && !args.steady;
    let printer = std::thread::spawn(move || {
        let mut file = None;
        let lines = console.map(|out| k1_host::foreign::lines(BufReader::new(out)));
        for line in lines.into_iter().flatten().map_while(Result::ok) {
            // The lamp continues even if nobody reads its console.
            let _ = k1_host::console::line(&line);
            if let Some((_, token)) = line.split_once("/#token=") {
                k1_host::say(format_args!("k1: the lamp's page: http://127.0.0.1:{web}/#token={token}"));
                let token = token.to_owned();
                let lamp = VirtualLamp { http: web, sound, ota, token, steady, music: plays };
                // Dropping an entry deletes its file. The next entry uses a file of the same name, so drop the old one
                // first.
                drop(file.take());
                file = lamp.register().inspect_err(|e| {
                    k1_host::say(format_args!("k1: other commands cannot find this lamp by themselves ({e}); give them its address"));
                }).ok();
            }
        }
        drop(file);
    });
    let alive = child.stdin.take();
    let result = if plays {
        let mut player = Player::new(sound, music)?;
        wait(&mut child, args.duration, &stopped, || player.play())
    } else {
        wait(&mut child, args.duration, &stopped, || Ok(()))
    };
    drop(alive);
    let _ = child.wait();
    let _ = printer.join();
    let _ = complainer.join();
    result
}

/// A file for the emulator: the user's own, or a temporary one.
enum Flash {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl Flash {
    fn path(&self) -> &Path {
        let (Self::Kept(path) | Self::Temporary(path)) = self;
        path
    }
}

impl Drop for Flash {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn temporary(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("k1-virt-{}.{what}", std::process::id()))
}

/// A file that was built here, or a sentence that says how to build it.
fn built(name: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(BUILT).join(name);
    match path.exists() {
        true => Ok(path),
        false => Err(Failure::new(format!(
            "there is no firmware at {}; build it with `cargo xtask firmware virt`",
            path.display()
        ))),
    }
}

/// Prepares the lamp's two flashes: one with the loader, one with slots and settings.
fn prepare(args: &VirtArgs, loader: &Path, flash: &Path) -> Result<(), Failure> {
    let place = match &args.loader {
        Some(path) => path.clone(),
        None => built("loader.bin")?,
    };
    let code = std::fs::read(&place).map_err(|e| Failure::new(format!("{}: {e}", place.display())))?;
    flash::write_loader(loader, &code)?;
    let mut flash = VirtualFlash::open(flash)?;
    let image = match &args.image {
        Some(path) => path.clone(),
        None if flash.is_empty()? => built("lamp.bin")?,
        None => return Ok(()),
    };
    let bare = Statement {
        board: "virt",
        version: env!("CARGO_PKG_VERSION"),
        counter: 0,
        patience_s: k1_update::manifest::PATIENCE_S,
    };
    Ok(flash.install(&package::read_or_wrap(&image, &bare)?)?)
}

/// A port that is free now: the wanted one, or any port for 0.
fn free_tcp(wished: u16) -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wished)).map_err(|e| {
        Failure::new(format!("port {wished} cannot be used: {e}; choose another with --http, or 0"))
    })?;
    Ok(listener.local_addr()?.port())
}

fn free_udp(wished: u16, option: &str) -> Result<u16, Failure> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, wished)).map_err(|e| {
        Failure::new(format!("UDP port {wished} cannot be used: {e}; choose another with {option}, or 0"))
    })?;
    Ok(socket.local_addr()?.port())
}

/// Runs the emulator until it ends or our end of the pipe closes for any reason. A lamp that outlived a killed `k1`
/// would hold its ports and use a core forever.
const KEEPER: &str = r#"exec 3<&0; "$@" </dev/null 3<&- & lamp=$!
{ cat <&3 >/dev/null; kill "$lamp" 2>/dev/null; } >/dev/null 2>&1 &
exec 3<&-; wait "$lamp""#;

/// Version text of the emulator.
fn installed() -> Result<String, Failure> {
    match Command::new(EMULATOR).arg("--version").stderr(Stdio::null()).output() {
        Ok(said) if said.status.success() => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
        _ => Err(Failure::new(format!(
            "the emulator {EMULATOR} is not installed; on Debian: apt install qemu-system-misc"
        ))),
    }
}

/// Major and minor number in "QEMU emulator version 10.0.2 (…)".
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split("version ").nth(1)?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The emulator's options end at a comma, so a comma in a path must be doubled.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn start(
    loader: &Path,
    flash: &Path,
    [web, sound, ota]: [u16; 3],
    more: &[String],
) -> Result<Child, Failure> {
    let forward = format!(
        "user,id=n0,hostfwd=tcp:127.0.0.1:{web}-:{WEB},hostfwd=udp:127.0.0.1:{sound}-:{SOUND},\
         hostfwd=udp:127.0.0.1:{ota}-:{OTA}"
    );
    Command::new("sh")
        .args(["-c", KEEPER, "k1-virt", EMULATOR])
        .args([
            "-M", "virt", "-smp", "2", "-m", "16M", "-display", "none", "-serial", "stdio", "-monitor",
            "none",
        ])
        .args(["-bios", "none", "-global", "virtio-mmio.force-legacy=false"])
        .args(["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={}", quoted(loader))])
        .args(["-drive", &format!("if=pflash,unit=1,format=raw,file={}", quoted(flash))])
        .args(["-netdev", &forward, "-device", "virtio-net-device,netdev=n0"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::new(format!("{EMULATOR} does not start: {e}")))
}

/// Waits until the lamp ends; calls `play` again and again, which paces itself.
fn wait(
    child: &mut Child,
    duration: Option<f64>,
    stopped: &AtomicBool,
    mut play: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let until = duration.map(|s| Instant::now() + Duration::from_secs_f64(s));
    while !stopped.load(Ordering::SeqCst) && until.is_none_or(|u| Instant::now() < u) {
        if let Some(status) = child.try_wait()? {
            return match status.success() {
                true => Ok(()),
                false => Err(Failure::new(format!(
                    "the virtual lamp has ended with {status}; its console says why"
                ))),
            };
        }
        play()?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Plays the built-in music to the lamp, as RTP in real time.
struct Player<M> {
    sound: Rtp,
    music: M,
    began: Instant,
    played: u32,
}

impl<M: FnMut(&mut [f32; HOP]) -> Result<(), Failure>> Player<M> {
    fn new(port: u16, music: M) -> Result<Self, Failure> {
        let sound = Rtp::new((Ipv4Addr::LOCALHOST, port))?;
        Ok(Self { sound, music, began: Instant::now(), played: 0 })
    }

    fn play(&mut self) -> Result<(), Failure> {
        let due = (self.began.elapsed().as_micros() / u128::from(HOP_US)) as u32;
        while self.played < due {
            let mut hop = [0.0; HOP];
            (self.music)(&mut hop)?;
            self.sound.play(&hop);
            self.played += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulators_version_is_read_or_is_unknown() {
        let debian =
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022\n";
        assert_eq!(version(debian), Some((7, 2)));
        assert_eq!(version("QEMU emulator version 10.0.2\n"), Some((10, 0)));
        assert!((7, 2) < EVEN && EVEN <= (8, 1) && EVEN < (10, 0));
        for unknown in ["", "QEMU", "version ", "version x.y", "version 7"] {
            assert_eq!(version(unknown), None, "{unknown}");
        }
    }
}
