//! The page as bytes. Which path of a request each file answers is said in `k1-device`.

#![no_std]
#![forbid(unsafe_code)]

/// Names the files once, and embeds them.
macro_rules! files {
    ($($name:literal)*) => {
        /// Every file of the page: its name in this folder, and its content.
        pub static FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!($name))),*];
    };
}

files! {
    "index.html" "style.css" "views.css" "icon.svg" "icon.png" "k1.webmanifest"
    "app.js" "beats.js" "controls.js" "draw.js" "figures.js" "firmware.js" "hearing.js" "light.js" "link.js"
    "play.js" "setup.js" "sound.js" "taps.js" "target.js" "token.js" "views.js" "wall.js"
    "room/room.css" "room/room.js" "room/inputs.js" "room/lights.js" "room/places.js" "room/plan.js" "room/scenes.js" "room/undo.js"
    "plan/plan.css" "plan/zones.js" "plan/edit.js" "plan/pieces.js"
}

/// The content of a file; `None` if the page has no such file.
pub fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
