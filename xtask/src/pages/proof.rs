//! Checks the links of the finished pages.

use std::sync::LazyLock;

use regex::Regex;

use super::Folder;

static LINKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:href="|src="|url\()([^")]+)"#).expect("a pattern of this file"));

static ANCHORS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#" id="([^"]+)""#).expect("a pattern of this file"));

/// A line for each link of a page to a file or heading that is not in the folder, and for each anchor that is not unique. `play` is outside of it.
pub fn broken(folder: &Folder, play: Option<&str>) -> Vec<String> {
    let mut broken = Vec::new();
    let text = |path: &str| folder.get(path).map(|content| String::from_utf8_lossy(content));
    for page in folder.keys().filter(|path| path.ends_with(".html")) {
        let html = text(page).unwrap_or_default();
        let mut anchors: Vec<_> = ANCHORS.captures_iter(&html).map(|found| found[1].to_owned()).collect();
        anchors.sort();
        let twice = anchors.windows(2).filter(|two| two[0] == two[1]);
        broken.extend(twice.map(|two| format!("{page}: #{} is there twice", two[0])));
        for link in LINKS.captures_iter(&html).map(|found| found[1].to_owned()) {
            let is_elsewhere = ["https:", "http:", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
            if is_elsewhere || Some(&*link) == play {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let there = text(if path.is_empty() { page } else { path });
            let has =
                there.is_some_and(|there| anchor.is_empty() || there.contains(&format!("id=\"{anchor}\"")));
            if !has {
                broken.push(format!("{page}: {link} leads nowhere"));
            }
        }
    }
    broken
}
