//! The files of the page: how requests name them, and what they are.

use alloc::string::String;

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Path in a request.
    pub path: &'static str,
    /// Name in the folder `web`.
    pub name: &'static str,
    /// Media type.
    pub kind: &'static str,
}

/// What a browser asks for besides modules.
pub const FILES: [File; 3] = [
    File { path: "/", name: "index.html", kind: "text/html; charset=utf-8" },
    File { path: "/style.css", name: "style.css", kind: "text/css; charset=utf-8" },
    File { path: "/icon.svg", name: "icon.svg", kind: "image/svg+xml" },
];

/// The modules, each behind those that it takes from; the last one is what the page names.
pub const MODULES: [&str; 10] = [
    "draw.js",
    "sound.js",
    "token.js",
    "link.js",
    "taps.js",
    "beats.js",
    "controls.js",
    "firmware.js",
    "lights.js",
    "app.js",
];

/// Media type of a module.
pub const MODULE: &str = "text/javascript; charset=utf-8";

/// An entity tag that changes with the content: its [`fnv`] hash.
pub fn tag(bytes: &[u8]) -> String {
    alloc::format!("\"{:016x}\"", fnv(bytes))
}

/// The 64-bit FNV-1a hash of some bytes (Fowler, Noll and Vo; draft-eastlake-fnv).
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn a_tag_is_the_published_hash() {
        // Test vectors of the draft.
        assert_eq!(tag(b""), "\"cbf29ce484222325\"");
        assert_eq!(tag(b"a"), "\"af63dc4c8601ec8c\"");
        assert_eq!(tag(b"foobar"), "\"85944171f73967e8\"");
    }
}
