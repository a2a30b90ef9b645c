//! The page, embedded in the program.

use std::sync::LazyLock;

use k1_http::etag::Tag;
use k1_http::route::File;

macro_rules! assets {
    ($($path:literal, $file:literal, $media_type:literal;)*) => {
        static FILES: LazyLock<Vec<File>> = LazyLock::new(|| vec![$({
            let content = include_bytes!(concat!("../../../../web/", $file));
            File { path: $path, media_type: $media_type, tag: Tag::of(content), content, packed: false }
        }),*]);
    };
}

assets! {
    "/", "index.html", "text/html; charset=utf-8";
    "/style.css", "style.css", "text/css; charset=utf-8";
    "/app.js", "app.js", "text/javascript; charset=utf-8";
    "/token.js", "token.js", "text/javascript; charset=utf-8";
    "/link.js", "link.js", "text/javascript; charset=utf-8";
    "/draw.js", "draw.js", "text/javascript; charset=utf-8";
    "/sound.js", "sound.js", "text/javascript; charset=utf-8";
    "/taps.js", "taps.js", "text/javascript; charset=utf-8";
    "/beats.js", "beats.js", "text/javascript; charset=utf-8";
    "/controls.js", "controls.js", "text/javascript; charset=utf-8";
    "/firmware.js", "firmware.js", "text/javascript; charset=utf-8";
    "/lights.js", "lights.js", "text/javascript; charset=utf-8";
    "/icon.svg", "icon.svg", "image/svg+xml";
}

/// Every file of the page.
pub fn files() -> &'static [File] {
    &FILES
}

#[cfg(test)]
mod tests {
    use k1_device::page::{FILES, MODULE, MODULES};

    use super::files;

    #[test]
    fn every_file_of_the_page_is_served_and_nothing_else() {
        let mut served: Vec<_> = files().iter().map(|f| (f.path.to_owned(), f.media_type)).collect();
        let mut page: Vec<_> = FILES.iter().map(|f| (f.path.to_owned(), f.kind)).collect();
        page.extend(MODULES.map(|name| (format!("/{name}"), MODULE)));
        served.sort();
        page.sort();
        assert_eq!(served, page);
    }
}
