//! What a K1 with scenes is asked, and what it says of them, of its playlist, and of its light as a whole.

pub use k1_device::answers::Playlist;
pub use k1_device::live::SceneNow;
use serde::Deserialize;

/// Path of the scenes.
pub const SCENES: &str = "/api/v1/scenes";
/// Path of the playlist.
pub const PLAYLIST: &str = "/api/v1/playlist";
/// Path of on, off and the brightness of everything.
pub const POWER: &str = "/api/v1/power";

/// Path of a scene.
pub fn scene_path(name: &str) -> String {
    format!("{SCENES}/{}", path_part(name))
}

/// A text as one part of a path: bytes with a meaning there, and all that are not ASCII, as `%XX`.
fn path_part(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// On, off, and the brightness of everything, in the numbers of JSON, which are sent back as they came.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Power {
    /// True while the light is on.
    pub on: bool,
    /// Brightness, 0 to 1.
    pub brightness: f64,
    /// Duration of the last fade in seconds.
    pub fade_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_part_of_a_path() {
        assert_eq!(scene_path("Late dinner"), "/api/v1/scenes/Late%20dinner");
        assert_eq!(scene_path("a/b?c#d%é"), "/api/v1/scenes/a%2Fb%3Fc%23d%25%C3%A9");
    }
}
