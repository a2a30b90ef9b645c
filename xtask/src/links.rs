//! Checks links in the documentation: every relative link in a Markdown file or a doc comment must lead to a file, and
//! every anchor to a heading. (`cargo doc` checks links to Rust items.)

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::files;

/// The template of the page that `cargo xtask measure` writes. It is left out, because the page itself is checked.
const TEMPLATE: &str = "measurements/page.md";

/// The command `cargo xtask links`.
///
/// # Errors
/// A line for each link that leads nowhere.
pub fn links() -> Result<(), String> {
    let (mut broken, mut count) = (Vec::new(), 0);
    for file in files::ending_in(&[".md", ".rs"])? {
        if file == Path::new(TEMPLATE) {
            continue;
        }
        let text = files::text(&file)?;
        let (is_rust, prose) = (file.extension().is_some_and(|e| e == "rs"), prose(&file, &text));
        for link in targets(&prose).into_iter().filter(|link| is_ours(link, is_rust)) {
            count += 1;
            if let Some(why) = leads_nowhere(&file, &link) {
                broken.push(format!("{}: {link}: {why}", file.display()));
            }
        }
    }
    println!("{count} links lead to a file, and to a heading if they name one");
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// The text of a Markdown file without its blocks of code, or the doc comments of a Rust file.
fn prose(file: &Path, text: &str) -> String {
    let is_rust = file.extension().is_some_and(|e| e == "rs");
    let mut in_code = false;
    let line = |line: &'_ str| -> Option<String> {
        let line = line.trim_start();
        let line = if is_rust { line.strip_prefix("///").or(line.strip_prefix("//!"))? } else { line };
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        (!in_code).then(|| line.to_owned() + "\n")
    };
    text.lines().filter_map(line).collect()
}

static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"`[^`\n]*`"));
static LINKS: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    [
        r#"\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)"#,
        r"(?m)^\s*\[[^\]]+\]:\s*(\S+)",
        r#"(?:src|href)="([^"]+)""#,
    ]
    .map(pattern)
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

/// The targets of all links in a text.
fn targets(prose: &str) -> Vec<String> {
    let prose = CODE.replace_all(prose, "code");
    LINKS.iter().flat_map(|link| link.captures_iter(&prose).map(|c| c[1].to_owned())).collect()
}

/// False for links to the web and to Rust items.
fn is_ours(link: &str, is_rust: bool) -> bool {
    let elsewhere = ["http:", "https:", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme));
    let is_path = link.contains('/') || link.ends_with(".md") || link.contains(".md#");
    !elsewhere && (!is_rust || is_path && !link.contains("::"))
}

/// The reason why a link of a file leads nowhere; `None` if it is valid.
fn leads_nowhere(file: &Path, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = crate::root().join(file).parent().map(Path::to_owned).unwrap_or_default();
    let there =
        if path.is_empty() { crate::root().join(file) } else { folder.join(path.replace("%20", " ")) };
    if !there.exists() {
        return Some("there is no such file".into());
    }
    // An anchor in a file that is not Markdown is a line number, which is not checked.
    let is_text = there.extension().is_some_and(|e| e == "md");
    if anchor.is_empty() || !is_text {
        return None;
    }
    let text = std::fs::read_to_string(&there).unwrap_or_default();
    let has = anchors(&prose(&there, &text)).contains(anchor) || text.contains(&format!("id=\"{anchor}\""));
    (!has).then(|| "there is no such heading".into())
}

/// The anchors that GitHub generates for a text's headings.
fn anchors(prose: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in prose.lines().filter(|l| l.starts_with('#')) {
        let heading = line.trim_start_matches('#');
        if !heading.starts_with(' ') {
            continue;
        }
        // For a link in a heading, only its text counts.
        let mut plain = heading.trim().to_owned();
        while let (Some(middle), true) = (plain.find("]("), plain.contains('[')) {
            let end = plain[middle..].find(')').map_or(plain.len(), |n| middle + n + 1);
            plain.replace_range(middle..end, "");
            plain = plain.replacen('[', "", 1);
        }
        free_anchor(&plain, &mut all);
    }
    all
}

/// The anchor that GitHub gives to the next heading with this text, which it adds to those in use.
pub fn free_anchor(heading: &str, used: &mut BTreeSet<String>) -> String {
    let letter = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    };
    let slug: String = heading.to_lowercase().chars().filter_map(letter).collect();
    let mut repeats = (1..).map(|n| format!("{slug}-{n}"));
    let free = if used.contains(&slug) { repeats.find(|s| !used.contains(s)) } else { None };
    let anchor = free.unwrap_or(slug);
    used.insert(anchor.clone());
    anchor
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn at(path: &str) -> PathBuf {
        PathBuf::from(path)
    }

    #[test]
    fn every_link_of_the_checkout_resolves() {
        links().unwrap();
    }

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        let text = "See [a](docs/a.md#b), ![p](p.png \"t\") and `[no](x)`.\n```sh\n[no](y)\n```\n[r]: z.md\n<img src=\"i.gif\">\n";
        let mut all = targets(&prose(&at("a.md"), text));
        all.sort();
        assert_eq!(all, ["docs/a.md#b", "i.gif", "p.png", "z.md"]);
        let rust = "//! See [a](../a.md).\nlet x = \"[no](b.md)\";\n/// And [c](crate::d::E).\n";
        let all = targets(&prose(&at("a.rs"), rust));
        assert_eq!(all, ["../a.md", "crate::d::E"]);
        assert!(is_ours("../a.md", true) && !is_ours("crate::d::E", true) && !is_ours("Self", true));
        assert!(is_ours("a", false) && !is_ours("https://a/b", false));
    }

    #[test]
    fn a_lost_file_and_a_lost_heading_are_told() {
        let readme = at("README.md");
        assert_eq!(leads_nowhere(&readme, "docs/api.md"), None);
        assert!(leads_nowhere(&readme, "docs/no-such.md").unwrap().contains("file"));
        assert!(leads_nowhere(&readme, "docs/api.md#no-such-heading").unwrap().contains("heading"));
        assert!(leads_nowhere(&readme, "#no-such-heading").unwrap().contains("heading"));
    }

    #[test]
    fn anchors_are_the_ones_that_readers_see() {
        let all = anchors("# A: b, c\n## `k1 run`\n## [Link](x.md) d\n## a\n## a\n#no\n");
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        assert_eq!(all, ["a", "a-1", "a-b-c", "k1-run", "link-d"]);
    }
}
