//! `cargo xtask pages`: the documentation as a folder of web pages for any static host. The Markdown files are the only
//! source; the pages need no script, and their links are relative, so that they work under any address.

mod frame;
mod list;
mod markdown;
mod patterns;
mod proof;

use std::collections::BTreeMap;
use std::path::Path;

pub use patterns::record;

use crate::files;

/// The stylesheet, beside the pages.
const STYLE: (&str, &str) = ("pages.css", include_str!("style.css"));

/// Files of the folder by their paths in it.
type Folder = BTreeMap<String, Vec<u8>>;

/// The command `cargo xtask pages --to FOLDER`.
///
/// # Errors
/// Those of [`write()`].
pub fn pages(folder: &str) -> Result<(), String> {
    let bytes = write(Path::new(folder), None)?;
    println!("{folder}: {} pages, {} kB with their pictures", list::all().count(), bytes / 1_000);
    Ok(())
}

/// Writes all pages into a folder, which it makes, and returns their size in bytes, pictures included. `play` is where
/// K1 runs in the browser, seen from the pages, such as `../`.
///
/// # Errors
/// A sentence, if a source cannot be read, a link of a page leads nowhere, or the folder cannot be written.
pub fn write(to: &Path, play: Option<&str>) -> Result<usize, String> {
    let folder = made(play)?;
    let broken = proof::broken(&folder, play);
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    for (path, content) in &folder {
        let path = to.join(path);
        let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(to)).map_err(wrong)?;
        std::fs::write(&path, content).map_err(wrong)?;
    }
    Ok(folder.values().map(Vec::len).sum())
}

/// All pages, their stylesheet and their pictures.
fn made(play: Option<&str>) -> Result<Folder, String> {
    let mut folder = Folder::from([(STYLE.0.to_owned(), STYLE.1.into())]);
    for page in list::all() {
        let text = markdown::html(page.source, &files::text(Path::new(page.source))?)?;
        for picture in &text.pictures {
            let content =
                std::fs::read(crate::root().join(picture)).map_err(|e| format!("{picture}: {e}"))?;
            folder.insert(list::out(picture).unwrap_or_default(), content);
        }
        let path = list::out(page.source).ok_or_else(|| format!("{} has no address", page.source))?;
        folder.insert(path, frame::page(page, &text, play).into());
    }
    let icon =
        std::fs::read(crate::root().join(frame::ICON.0)).map_err(|e| format!("{}: {e}", frame::ICON.0))?;
    folder.insert(frame::ICON.1.to_owned(), icon);
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_written_and_every_link_of_it_leads_somewhere() {
        let to = tempfile::tempdir().unwrap();
        let bytes = write(to.path(), Some("../")).unwrap();
        assert!((500_000..8_000_000).contains(&bytes), "{bytes} bytes");
        for page in list::all() {
            let path = to.path().join(list::out(page.source).unwrap());
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("<h1").count(), 1, "{}", page.source);
            assert!(!text.contains("<script"), "{}", page.source);
        }
        let start = std::fs::read_to_string(to.path().join("index.html")).unwrap();
        assert!(start.contains("href=\"../\""), "the way to K1 in the browser");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told() {
        let mut folder = made(None).unwrap();
        assert_eq!(proof::broken(&folder, None), Vec::<String>::new());
        folder.remove("glossary.html");
        assert!(proof::broken(&folder, None).iter().any(|line| line.contains("glossary.html")));
        folder.insert(
            "glossary.html".into(),
            b"<p id=\"a\"><a href=\"lights.html#no-such-heading\">b</a>".into(),
        );
        let broken = proof::broken(&folder, None);
        assert_eq!(broken, ["glossary.html: lights.html#no-such-heading leads nowhere"]);
        folder.insert("glossary.html".into(), b"<p id=\"a\"><p id=\"a\">".into());
        assert_eq!(proof::broken(&folder, None), ["glossary.html: #a is there twice"]);
    }

    #[test]
    fn every_document_is_a_page() {
        for file in files::ending_in(&[".md"]).unwrap() {
            let path = file.to_string_lossy().replace('\\', "/");
            let is_page = list::all().any(|page| page.source == path);
            assert!(is_page || !path.starts_with("docs/"), "{path} is not in xtask/src/pages/list.rs");
        }
    }
}
