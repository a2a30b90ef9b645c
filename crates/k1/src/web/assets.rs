//! The page, embedded in the program.

use std::sync::LazyLock;

use k1_device::page::{FILES, MODULE, MODULES};

/// One file of the page.
pub struct Asset {
    /// Path in a request.
    pub path: String,
    /// Media type.
    pub kind: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

/// Every file of the page.
pub static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = FILES.iter().map(|file| (file.path.to_owned(), file.name, file.kind));
    let modules = MODULES.iter().map(|name| (format!("/{name}"), *name, MODULE));
    let all = files.chain(modules);
    all.filter_map(|(path, name, kind)| Some(Asset { path, kind, bytes: k1_page::file(name)? })).collect()
});

#[cfg(test)]
mod tests {
    use super::ASSETS;

    #[test]
    fn every_file_of_the_page_is_served_and_nothing_else() {
        let mut served: Vec<_> = ASSETS.iter().map(|asset| asset.bytes).collect();
        let mut page: Vec<_> = k1_page::FILES.iter().map(|(_, bytes)| *bytes).collect();
        served.sort();
        page.sort();
        assert!(served == page, "{} of {} files are served", served.len(), page.len());
    }
}
