//! Markdown as the content of a page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use super::list;
use crate::links;

/// Where the sources are that are not pages.
const SOURCES: &str = "https://github.com/k1-light/k1/blob/main/";

/// Rows a second of `k1 render -o x.png`, at its usual 120 frames a second.
const ROWS_A_SECOND: f64 = 60.0;

/// The content of a page.
pub struct Content {
    /// The text as HTML.
    pub html: String,
    /// The heading of the page, as text.
    pub title: String,
    /// The first paragraph, as text.
    pub summary: String,
    /// Anchors and texts of the headings of the second level.
    pub headings: Vec<(String, String)>,
    /// Pictures that it shows, relative to the checkout.
    pub pictures: Vec<String>,
}

/// A Markdown file of the checkout as HTML: anchors at headings, links between pages, pictures of patterns in motion.
///
/// # Errors
/// A sentence, if a picture of a pattern cannot be read.
pub fn html(source: &str, text: &str) -> Result<Content, String> {
    let read: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let (mut title, mut headings, mut pictures) = (String::new(), Vec::new(), Vec::new());
    let (mut anchors, mut events) = (BTreeSet::new(), Vec::new());
    let mut rest = &read[..];
    while let [event, after @ ..] = rest {
        rest = after;
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let inner = until(&mut rest, TagEnd::Heading(*level));
                let text = plain(inner);
                let id = links::free_anchor(&text, &mut anchors);
                match *level as u8 {
                    1 => title.clone_from(&text),
                    2 => headings.push((id.clone(), text)),
                    _ => {}
                }
                events.push(raw(format!("<{level} id=\"{id}\">")));
                events.extend(inner.iter().map(|e| linked(source, e)));
                let sign = "aria-hidden=\"true\" tabindex=\"-1\">#</a>";
                events.push(raw(format!(" <a class=\"anchor\" href=\"#{id}\" {sign}</{level}>\n")));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                let told = plain(until(&mut rest, TagEnd::Image));
                let file = beside(source, dest_url);
                events.push(raw(picture(&file, &told)?));
                pictures.push(file);
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let text = plain(until(&mut rest, TagEnd::CodeBlock));
                let is_shell = matches!(kind, CodeBlockKind::Fenced(language) if &**language == "sh");
                events.push(raw(code(&text, is_shell)));
            }
            Event::Start(Tag::Table(_)) => {
                events.extend([raw("<div class=\"table\" tabindex=\"0\">".into()), event.clone()]);
            }
            Event::End(TagEnd::Table) => events.extend([event.clone(), raw("</div>\n".into())]),
            event => events.push(linked(source, event)),
        }
    }
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events.into_iter());
    Ok(Content { html, title, summary: summary(&read), headings, pictures })
}

/// Takes the events up to the end of an element, and the end.
fn until<'a, 'e>(rest: &mut &'a [Event<'e>], end: TagEnd) -> &'a [Event<'e>] {
    let length = rest.iter().position(|e| *e == Event::End(end)).unwrap_or(rest.len());
    let (inner, after) = rest.split_at(length);
    *rest = after.get(1..).unwrap_or_default();
    inner
}

/// The first paragraph without a picture.
fn summary(events: &[Event]) -> String {
    let mut rest = events;
    while let [event, after @ ..] = rest {
        rest = after;
        if *event == Event::Start(Tag::Paragraph) {
            let inner = until(&mut rest, TagEnd::Paragraph);
            if !inner.iter().any(|e| matches!(e, Event::Start(Tag::Image { .. }))) {
                return plain(inner);
            }
        }
    }
    String::new()
}

fn raw<'a>(html: String) -> Event<'a> {
    Event::InlineHtml(CowStr::from(html))
}

/// The text of events, without marks.
fn plain(events: &[Event]) -> String {
    let text = |e: &Event| match e {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        Event::SoftBreak | Event::HardBreak => " ".into(),
        _ => String::new(),
    };
    events.iter().map(text).collect()
}

/// Text that may stand in HTML and in the value of an attribute.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An event whose link leads to a page, or to the sources.
fn linked<'e>(source: &str, event: &Event<'e>) -> Event<'e> {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => Event::Start(Tag::Link {
            link_type: *link_type,
            dest_url: address(source, dest_url).into(),
            title: title.clone(),
            id: id.clone(),
        }),
        event => event.clone(),
    }
}

/// Where a link of a Markdown file leads to from its page.
fn address(source: &str, link: &str) -> String {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() || link.contains(':') {
        return link.into();
    }
    let file = beside(source, path);
    let page = list::out(&file).unwrap_or_else(|| self::source(&file));
    if anchor.is_empty() { page } else { format!("{page}#{anchor}") }
}

/// Where a file of the checkout is on the web.
pub fn source(file: &str) -> String {
    format!("{SOURCES}{file}")
}

/// A path of a link in a file, relative to the checkout.
fn beside(source: &str, path: &str) -> String {
    let mut whole = PathBuf::new();
    let folder = Path::new(source).parent().unwrap_or(Path::new(""));
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::Normal(part) => whole.push(part),
            _ => {}
        }
    }
    whole.to_string_lossy().replace('\\', "/")
}

/// A block of code; comments of a shell are quieter than commands.
fn code(text: &str, is_shell: bool) -> String {
    let line =
        |line: &str| match line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with(' ')) {
            Some((at, _)) if is_shell => {
                format!("{}<i>{}\n</i>", escaped(&line[..at]), escaped(&line[at..]))
            }
            _ => escaped(line) + "\n",
        };
    let kind = if is_shell { " class=\"sh\"" } else { "" };
    format!("<pre{kind} tabindex=\"0\"><code>{}</code></pre>\n", text.lines().map(line).collect::<String>())
}

/// A picture. That of a pattern, in which time runs down, is played: the strip shows one row after the other.
fn picture(file: &str, told: &str) -> Result<String, String> {
    let (src, told) = (list::out(file).unwrap_or_else(|| file.into()), escaped(told));
    let wrong = |e: String| format!("{file}: {e}");
    let size = size(&crate::root().join(file)).map_err(wrong)?;
    if !file.starts_with("docs/patterns/") {
        let size =
            size.map(|(width, height)| format!(" width=\"{width}\" height=\"{height}\"")).unwrap_or_default();
        return Ok(format!("<img src=\"{src}\" alt=\"{told}\"{size} loading=\"lazy\">"));
    }
    let (_, rows) = size.ok_or_else(|| wrong("it is not a PNG file".into()))?;
    let look = format!(
        "style=\"background-image:url({src});--rows:{rows};--seconds:{}s\"",
        f64::from(rows) / ROWS_A_SECOND
    );
    Ok(format!(
        "<span class=\"strip\" role=\"img\" aria-label=\"{told}\"><span class=\"glow\" {look}></span><span class=\"leds\" {look}></span></span>"
    ))
}

/// Width and height of a PNG file; `None` for another file.
fn size(file: &Path) -> Result<Option<(u32, u32)>, String> {
    let bytes = std::fs::read(file).map_err(|e| e.to_string())?;
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Ok(bytes.starts_with(b"\x89PNG\r\n\x1a\n").then(|| Some((number(16)?, number(20)?))).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_and_to_sources() {
        let at = |link| address("docs/lights.md", link);
        assert_eq!(at("show-file.md#an-example"), "show-file.html#an-example");
        assert_eq!(at("../CONTRIBUTING.md"), "contributing.html");
        assert_eq!(at("../ops/README.md"), "ops.html");
        assert_eq!(at("#files"), "#files");
        assert_eq!(at("https://rustup.rs"), "https://rustup.rs");
        assert_eq!(at("../budgets.toml"), format!("{SOURCES}budgets.toml"));
    }

    #[test]
    fn headings_have_the_anchors_of_links() {
        let made = html("docs/x.md", "# A `b`\n\nFirst *words*\nof it.\n\n## C, d\n\n## C, d\n").unwrap();
        assert_eq!((&*made.title, &*made.summary), ("A b", "First words of it."));
        let anchors: Vec<_> = made.headings.iter().map(|(id, _)| &**id).collect();
        assert_eq!(anchors, ["c-d", "c-d-1"]);
        assert!(
            made.html.contains("<h2 id=\"c-d-1\">C, d <a class=\"anchor\" href=\"#c-d-1\""),
            "{}",
            made.html
        );
    }

    #[test]
    fn texts_of_markdown_cannot_become_marks() {
        let made = html("docs/x.md", "```sh\nk1 <x>  # \"a\" <b>\n```\n\n| `<a>` |\n|---|\n").unwrap();
        assert!(made.html.contains("k1 &lt;x&gt;  <i># &quot;a&quot; &lt;b&gt;\n</i>"), "{}", made.html);
        assert!(made.html.contains("<code>&lt;a&gt;</code>"), "{}", made.html);
    }

    #[test]
    fn the_picture_of_a_pattern_is_played_and_another_shown() {
        let made = html("docs/x.md", "![Lava](patterns/lava.png) ![The page](page-1440.png)").unwrap();
        assert_eq!(made.pictures, ["docs/patterns/lava.png", "docs/page-1440.png"]);
        assert!(made.html.contains("url(patterns/lava.png);--rows:360;--seconds:6s"), "{}", made.html);
        assert!(
            made.html.contains("<img src=\"page-1440.png\" alt=\"The page\" width=\"1440\""),
            "{}",
            made.html
        );
        assert!(html("docs/x.md", "![](patterns/none.png)").is_err());
    }
}
