//! The files of the page: paths, names and media types.

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

/// The files of the page except the modules.
pub const FILES: [File; 6] = [
    File { path: "/", name: "index.html", kind: "text/html; charset=utf-8" },
    File { path: "/style.css", name: "style.css", kind: "text/css; charset=utf-8" },
    File { path: "/views.css", name: "views.css", kind: "text/css; charset=utf-8" },
    File { path: "/k1.webmanifest", name: "k1.webmanifest", kind: "application/manifest+json" },
    File { path: "/icon.png", name: "icon.png", kind: "image/png" },
    File { path: "/icon.svg", name: "icon.svg", kind: "image/svg+xml" },
];

/// The modules. Each follows the modules that it imports; the page names the last one.
pub const MODULES: [&str; 17] = [
    "draw.js",
    "light.js",
    "sound.js",
    "token.js",
    "link.js",
    "taps.js",
    "beats.js",
    "controls.js",
    "firmware.js",
    "figures.js",
    "hearing.js",
    "target.js",
    "play.js",
    "setup.js",
    "views.js",
    "wall.js",
    "app.js",
];

/// Modules that the page loads from a K1 when it tells of lights, zones or scenes.
pub const ROOM: [&str; 10] = [
    "room/room.js",
    "room/inputs.js",
    "room/lights.js",
    "room/places.js",
    "room/plan.js",
    "room/scenes.js",
    "room/undo.js",
    "plan/zones.js",
    "plan/edit.js",
    "plan/pieces.js",
];

/// Style sheets that those modules load.
pub const ROOM_STYLES: [&str; 2] = ["room/room.css", "plan/plan.css"];

/// Media type of a style sheet.
pub const STYLE: &str = "text/css; charset=utf-8";

/// Those of them that a lamp has, too, joined with its other modules.
pub const LAMP_ROOM: [&str; 2] = ["room/undo.js", "room/scenes.js"];

/// Media type of a module.
pub const MODULE: &str = "text/javascript; charset=utf-8";
