//! The page, embedded in the program.

use std::sync::LazyLock;

use k1_device::page::{self, MODULE, MODULES, ROOM, ROOM_STYLES, STYLE};
use k1_http::etag::Tag;
use k1_http::route::File;

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = page::FILES.iter().map(|file| (file.path, file.name, file.kind));
    // The names are leaked only once, because a `LazyLock` runs this once.
    let path = |name: &str| -> &'static str { format!("/{name}").leak() };
    let modules = MODULES.iter().chain(&ROOM).map(|name| (path(name), *name, MODULE));
    let styles = ROOM_STYLES.iter().map(|name| (path(name), *name, STYLE));
    let file = |(path, name, media_type)| {
        let content = k1_page::file(name)?;
        Some(File { path, media_type, tag: Tag::of(content), content, packed: false })
    };
    files.chain(modules).chain(styles).filter_map(file).collect()
});

/// Every file of the page.
pub fn files() -> &'static [File] {
    &FILES
}

#[cfg(test)]
mod tests {
    use super::files;

    #[test]
    fn every_file_of_the_page_is_served_and_nothing_else() {
        let mut served: Vec<_> = files().iter().map(|file| file.content).collect();
        let mut page: Vec<_> = k1_page::FILES.iter().map(|(_, bytes)| *bytes).collect();
        served.sort();
        page.sort();
        assert!(served == page, "{} of {} files are served", served.len(), page.len());
    }
}
