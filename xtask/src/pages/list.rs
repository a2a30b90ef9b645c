//! The pages, in the order in which the navigation shows them.

/// A page of the folder.
#[derive(Debug)]
pub struct Page {
    /// Its Markdown, relative to the checkout.
    pub source: &'static str,
    /// Its name in the navigation.
    pub name: &'static str,
}

const fn page(source: &'static str, name: &'static str) -> Page {
    Page { source, name }
}

/// The navigation: each part with its pages.
pub const PARTS: [(&str, &[Page]); 3] = [
    (
        "Start",
        &[
            page("docs/README.md", "What K1 is"),
            page("docs/browser.md", "In the browser"),
            page("docs/install.md", "Install"),
            page("docs/first-strip.md", "Your first strip"),
            page("docs/first-lamp.md", "Your first lamp"),
            page("docs/patterns.md", "Patterns and palettes"),
            page("docs/comparison.md", "K1 and others"),
        ],
    ),
    (
        "Use",
        &[
            page("docs/lights.md", "Lights and files"),
            page("docs/show-file.md", "The show file"),
            page("docs/nodes.md", "Art-Net and sACN"),
            page("docs/home-assistant.md", "Home Assistant"),
            page("docs/many-lamps.md", "Many lights"),
            page("docs/live-sound.md", "Live sound"),
            page("docs/formats.md", "Sound files"),
            page("docs/service.md", "A service"),
            page("docs/runbook.md", "Looking after lamps"),
            page("docs/api.md", "The API"),
            page("ops/README.md", "Dashboards and alerts"),
        ],
    ),
    (
        "Build",
        &[
            page("CONTRIBUTING.md", "Add a pattern, and more"),
            page("docs/architecture.md", "Architecture"),
            page("docs/glossary.md", "Glossary"),
            page("docs/hardware.md", "Hardware"),
            page("docs/bring-up.md", "Bring-up of a board"),
            page("docs/esp32-s3.md", "The ESP32-S3"),
            page("docs/releasing.md", "Releases"),
            page("docs/measurements.md", "Measurements"),
            page("CHANGELOG.md", "Changes"),
        ],
    ),
];

/// Every page.
pub fn all() -> impl Iterator<Item = &'static Page> {
    PARTS.iter().flat_map(|(_, pages)| *pages)
}

/// Where a file of the checkout is in the folder; `None` if it is not in it. (README.md of the checkout tells the same as
/// the first page.)
pub fn out(source: &str) -> Option<String> {
    let picture = ["png", "gif", "svg"].iter().any(|kind| source.ends_with(&format!(".{kind}")));
    if picture {
        return source.strip_prefix("docs/").map(str::to_owned);
    }
    if source == "README.md" {
        return Some("index.html".into());
    }
    all().any(|page| page.source == source).then(|| {
        let name = match source.strip_suffix("/README.md") {
            Some("docs") => "index",
            Some(folder) => folder,
            None => source.trim_start_matches("docs/").trim_end_matches(".md"),
        };
        format!("{}.html", name.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_short_and_unlike() {
        let out = |source| out(source).unwrap();
        assert_eq!(out("docs/README.md"), "index.html");
        assert_eq!(out("README.md"), "index.html");
        assert_eq!(out("CONTRIBUTING.md"), "contributing.html");
        assert_eq!(out("ops/README.md"), "ops.html");
        assert_eq!(out("docs/patterns/lava.png"), "patterns/lava.png");
        assert_eq!(super::out("docs/none.md"), None);
        let addresses: std::collections::BTreeSet<_> = all().map(|page| out(page.source)).collect();
        assert_eq!(addresses.len(), all().count());
    }
}
