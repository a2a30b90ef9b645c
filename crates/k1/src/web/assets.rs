//! The page, embedded in the program.

/// One file of the page.
pub struct Asset {
    /// Path in a request.
    pub path: &'static str,
    /// Media type.
    pub kind: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal, $file:literal, $kind:literal;)*) => {
        /// Every file of the page.
        pub static ASSETS: &[Asset] = &[
            $(Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../../../web/", $file)) }),*
        ];
    };
}

assets! {
    "/", "index.html", "text/html; charset=utf-8";
    "/style.css", "style.css", "text/css; charset=utf-8";
    "/app.js", "app.js", "text/javascript; charset=utf-8";
    "/link.js", "link.js", "text/javascript; charset=utf-8";
    "/draw.js", "draw.js", "text/javascript; charset=utf-8";
    "/sound.js", "sound.js", "text/javascript; charset=utf-8";
    "/controls.js", "controls.js", "text/javascript; charset=utf-8";
    "/firmware.js", "firmware.js", "text/javascript; charset=utf-8";
    "/icon.svg", "icon.svg", "image/svg+xml";
}

/// A tag that changes with the content (FNV-1a, 64 bits).
pub fn etag(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    format!("\"{hash:016x}\"")
}
