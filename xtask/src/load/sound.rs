//! A sound server with music, whose monitor several programs hear.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use k1_sim::music::PIECES;

use super::program::Running;

/// The sink whose monitor is heard.
pub const SINK: &str = "room";

/// A sound server that plays music without end.
pub struct Sound {
    /// Its address, for `PULSE_SERVER`.
    pub server: String,
    _player: Running,
    _daemon: Running,
}

impl Sound {
    /// Starts a server that keeps its files in `home`, and plays music for `time`.
    ///
    /// # Errors
    ///
    /// A sentence if PulseAudio is not installed or does not start.
    pub fn start(home: &Path, time: Duration) -> Result<Self, String> {
        let socket = home.join("native");
        let server = format!("unix:{}", socket.display());
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        command.arg("--log-level=error").env_remove("PULSE_SERVER");
        command.args(["-L", &format!("module-null-sink sink_name={SINK}")]);
        command.args(["-L", &format!("module-native-protocol-unix socket={}", socket.display())]);
        let mut daemon = Running::start(&mut command, home)?;
        let until = Instant::now() + Duration::from_secs(20);
        while crate::said(Command::new("pactl").arg("info").env("PULSE_SERVER", &server)).is_err() {
            daemon.runs("pulseaudio")?;
            if Instant::now() > until {
                return Err("pulseaudio does not answer (Debian: pulseaudio, pulseaudio-utils)".into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let music = home.join("music.raw");
        std::fs::write(&music, bytes(time)).map_err(|e| format!("{}: {e}", music.display()))?;
        let mut command = Command::new("pacat");
        command.args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=10"]);
        command
            .args([&format!("--rate={}", k1_engine::SAMPLE_RATE), &format!("--device={SINK}")])
            .arg(&music);
        let player = Running::start(command.env("PULSE_SERVER", &server), home)?;
        Ok(Self { server, _player: player, _daemon: daemon })
    }
}

/// All pieces one after the other, for at least `time`.
fn bytes(time: Duration) -> Vec<u8> {
    let wanted = (time.as_secs_f64() * f64::from(k1_engine::SAMPLE_RATE)) as usize;
    let mut samples: Vec<f32> = Vec::new();
    let mut pieces = PIECES.iter().cycle();
    while samples.len() < wanted
        && let Some((_, play)) = pieces.next()
    {
        samples.extend(play().samples);
    }
    samples.iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()).collect()
}
