//! A room: lights, and zones of which each has a look of its own.

use std::fmt::Write;
use std::path::Path;

use k1_engine::patterns::PATTERNS;

/// Frames per second of every room.
pub const FPS: u32 = 60;

/// A light of a room: its name and where its frames go, as for `k1 run --to`.
pub type Place = (String, String);

/// The text of a show file: `zones` zones over equal parts of the lights, of which each has `leds` LEDs.
pub fn show(input: &str, places: &[Place], leds: usize, zones: usize) -> String {
    let mut text = format!("version = 1\ninput = \"{input}\"\n\n[limits]\nfps = {FPS}\nmax_ma = 0\n");
    for (name, to) in places {
        // Every frame is sent, whether or not it differs from the one before: a gap is a gap in the sending.
        let _ =
            write!(text, "\n[[light]]\nname = \"{name}\"\nto = \"{to}\"\nleds = {leds}\nkeep_alive_ms = 0\n");
    }
    let each = places.len().div_ceil(zones);
    for (zone, (lights, pattern)) in places.chunks(each).zip(PATTERNS.iter().cycle()).enumerate() {
        let pieces: Vec<String> =
            lights.iter().map(|(name, _)| format!("{{ light = \"{name}\" }}")).collect();
        let _ = write!(
            text,
            "\n[[zone]]\nname = \"Zone {}\"\npieces = [{}]\nlook = {{ pattern = \"{}\" }}\n",
            zone + 1,
            pieces.join(", "),
            pattern.id
        );
    }
    text
}

/// Writes a show file into a folder; its path.
pub fn write(folder: &Path, text: &str) -> Result<std::path::PathBuf, String> {
    let path = folder.join("load.toml");
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_zone_has_its_part_of_the_lights_and_a_look_of_its_own() {
        let places: Vec<Place> =
            (1..=32).map(|n| (format!("L{n}"), format!("ddp://127.0.0.1:{n}"))).collect();
        let show: toml::Table = toml::from_str(&show("demo", &places, 1_000, 8)).unwrap();
        let zones = show["zone"].as_array().unwrap();
        assert_eq!((show["light"].as_array().unwrap().len(), zones.len()), (32, 8));
        assert!(zones.iter().all(|zone| zone["pieces"].as_array().unwrap().len() == 4));
        let looks: std::collections::BTreeSet<_> =
            zones.iter().map(|zone| zone["look"]["pattern"].as_str().unwrap()).collect();
        assert_eq!(looks.len(), 8);
    }
}
