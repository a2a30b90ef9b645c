//! What stands around the content of every page: its head, the navigation, and the ways on.

use super::list::{self, PARTS, Page};
use super::markdown::{Content, escaped};

/// K1's icon: in the checkout, and in the folder.
pub const ICON: (&str, &str) = ("web/icon.svg", "icon.svg");

/// A whole page.
pub fn page(page: &Page, content: &Content, play: Option<&str>) -> String {
    let is_first = page.source == "docs/README.md";
    let title = if is_first { content.title.clone() } else { format!("{} · K1", content.title) };
    let play =
        play.map(|at| format!("<a class=\"play\" href=\"{at}\">Play in the browser</a>")).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<meta name=\"description\" content=\"{summary}\">\n\
         <meta name=\"theme-color\" content=\"#08070b\">\n<link rel=\"icon\" href=\"{icon}\">\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n</head>\n<body{class}>\n\
         <a class=\"skip\" href=\"#the-text\">To the text</a>\n\
         <header><a class=\"home\" href=\"index.html\"><img src=\"{icon}\" alt=\"\" width=\"36\" height=\"36\">K1</a>\
         {play}<a class=\"menu\" href=\"#all-pages\">All pages</a></header>\n\
         <main id=\"the-text\">\n<article>\n{html}</article>\n{ways}</main>\n{contents}{navigation}\
         <footer><a href=\"{source}\">This page as Markdown</a></footer>\n</body>\n</html>\n",
        title = escaped(&title),
        summary = escaped(&content.summary),
        icon = ICON.1,
        style = super::STYLE.0,
        class = if is_first { " class=\"start\"" } else { "" },
        html = content.html,
        ways = ways(page),
        contents = contents(content),
        navigation = navigation(page),
        source = super::markdown::source(page.source),
    )
}

/// The page before this one and the page after it.
fn ways(page: &Page) -> String {
    let all: Vec<_> = list::all().collect();
    let here = all.iter().position(|p| p.source == page.source).unwrap_or_default();
    let link = |at: Option<usize>, word: &str| -> String {
        let Some(to) = at.and_then(|at| all.get(at)) else { return String::new() };
        let address = list::out(to.source).unwrap_or_default();
        format!("<a class=\"{word}\" rel=\"{word}\" href=\"{address}\">{}</a>", to.name)
    };
    format!("<p class=\"ways\">{}{}</p>\n", link(here.checked_sub(1), "prev"), link(Some(here + 1), "next"))
}

/// The headings of a page with several of them.
fn contents(content: &Content) -> String {
    if content.headings.len() < 3 {
        return String::new();
    }
    let line = |(id, text): &(String, String)| format!("<li><a href=\"#{id}\">{}</a></li>", escaped(text));
    let lines: String = content.headings.iter().map(line).collect();
    format!("<nav class=\"contents\" aria-label=\"On this page\"><ul>{lines}</ul></nav>\n")
}

/// All pages, with a mark at this one.
fn navigation(page: &Page) -> String {
    let mut parts = String::new();
    for (name, pages) in PARTS {
        parts += &format!("<h2>{name}</h2><ul>");
        for to in pages {
            let mark = if to.source == page.source { " aria-current=\"page\"" } else { "" };
            let address = list::out(to.source).unwrap_or_default();
            parts += &format!("<li><a href=\"{address}\"{mark}>{}</a></li>", to.name);
        }
        parts += "</ul>";
    }
    format!("<nav class=\"pages\" id=\"all-pages\" aria-label=\"All pages\">{parts}</nav>\n")
}
