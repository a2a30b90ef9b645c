//! LedFx with a virtual for each light, as its own files say it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};

use super::program::{Running, in_time};
use super::room::FPS;
use super::sound::SINK;

/// Effects that need one dimension and hear the sound.
const EFFECTS: [&str; 10] =
    ["energy", "spectrum", "power", "scroll", "wavelength", "magnitude", "equalizer", "scan", "rain", "bar"];

/// Starts LedFx, which hears the default source of a sound server.
///
/// # Errors
///
/// A sentence if it cannot be started.
pub fn start(
    program: &Path,
    home: &Path,
    lights: &[SocketAddr],
    leds: usize,
    server: &str,
) -> Result<Running, String> {
    let folder = home.join("ledfx");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let path = folder.join("config.json");
    let text = config(lights, leds).to_string();
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut command = in_time(program);
    command.args([
        "--offline",
        "--no-tray",
        "--host",
        "127.0.0.1",
        "-p",
        &free_port()?,
        "-p_s",
        &free_port()?,
    ]);
    command
        .arg("-c")
        .arg(&folder)
        .env("PULSE_SERVER", server)
        .env("PULSE_SOURCE", format!("{}.monitor", SINK));
    Running::start(&mut command, home)
}

fn free_port() -> Result<String, String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.map(|address| address.port().to_string()).map_err(|e| e.to_string())
}

fn config(lights: &[SocketAddr], leds: usize) -> Value {
    let devices = lights.iter().enumerate().map(|(n, to)| {
        json!({"id": format!("light-{n}"), "type": "ddp", "config": {
            "name": format!("light-{n}"), "ip_address": to.ip().to_string(), "port": to.port(),
            "pixel_count": leds, "refresh_rate": FPS, "center_offset": 0, "icon_name": "mdi:led-strip"}})
    });
    let devices: Vec<Value> = devices.collect();
    let virtuals: Vec<Value> = (0..lights.len())
        .map(|n| {
            let id = format!("light-{n}");
            json!({"id": id, "is_device": id, "auto_generated": false, "active": true,
            "config": {"name": id, "mapping": "span"},
            "segments": [[id, 0, leds - 1, false]],
            "effect": {"type": EFFECTS[n % EFFECTS.len()], "config": {}}})
        })
        .collect();
    json!({"configuration_version": "2.3.6", "devices": devices, "virtuals": virtuals, "scan_on_startup": false})
}
