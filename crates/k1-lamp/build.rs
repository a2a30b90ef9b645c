//! Compresses the page and the description of the API, so that a lamp can serve them from its flash.

#[path = "build/pack.rs"]
mod pack;

use std::collections::HashSet;
use std::fmt::Write;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use k1_device::page::{FILES, File, LAMP_ROOM, MODULE, MODULES};
use k1_http::etag::Tag;

/// Joins all modules into one, in which every import is already defined. A lamp serves only a few connections at once,
/// and a browser requests all modules at the same time.
fn one_module() -> Result<Vec<u8>, String> {
    let (mut all, mut known) = (String::new(), HashSet::new());
    // The page's own module is the last one, and loads those of the room.
    let (page_own, shared) = MODULES.split_last().ok_or("the page has no module")?;
    let names: Vec<_> = shared.iter().chain(&LAMP_ROOM).chain([page_own]).copied().collect();
    let (mut loaded, mut imports) = (Vec::new(), HashSet::new());
    for (i, name) in names.iter().enumerate() {
        let text = str::from_utf8(page(name)?).map_err(|e| format!("{name}: {e}"))?;
        let mut exported = Vec::new();
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("import ") {
                let from = imported(import, name).filter(|from| names[..i].contains(&from.as_str()));
                let is_there = from.is_some_and(|from| {
                    imports.insert(from);
                    true
                });
                if !is_there {
                    return Err(format!("{name}: “{line}” does not import from a module before it"));
                }
                continue;
            }
            // Comments are left out, because they would be a third of the packed page in a lamp's flash.
            let bare = line.trim();
            if bare.contains("/*") && !bare.contains("*/") {
                return Err(format!(
                    "{name}: “{line}” begins a comment of several lines, which is not packed"
                ));
            }
            if bare.starts_with("//") || bare.starts_with("/**") && bare.ends_with("*/") {
                continue;
            }
            if line.matches('`').count() % 2 != 0 {
                return Err(format!(
                    "{name}: “{line}” begins or ends a text of several lines, which is not packed"
                ));
            }
            let own = line.strip_prefix("export ").unwrap_or(line);
            if let Some(declared) = declared(own) {
                if !known.insert(declared) {
                    return Err(format!(
                        "{name}: another module declares `{declared}`, too; give it another name"
                    ));
                }
                if own != line {
                    exported.push(declared);
                }
            }
            // Indentation would be 3 % of it.
            all += own.trim();
            all.push('\n');
        }
        if LAMP_ROOM.contains(name) {
            loaded.push((*name, format!("{{ {} }}", exported.join(", "))));
        }
    }
    // What the page loads is there already.
    for (name, there) in loaded {
        let load = format!("import('./{name}')");
        if !all.contains(&load) && !imports.contains(name) {
            return Err(format!("the page does not contain {load}"));
        }
        all = all.replace(&load, &there);
    }
    Ok(all.into_bytes())
}

/// The module that the rest of an import in the module `name` is from.
fn imported(import: &str, name: &str) -> Option<String> {
    let from = import.rsplit_once(" from '").and_then(|(_, from)| from.strip_suffix("';"))?;
    let folder = name.rsplit_once('/').map(|(folder, _)| folder);
    match (from.strip_prefix("./"), from.strip_prefix("../"), folder) {
        (Some(from), _, None) => Some(from.into()),
        (Some(from), _, Some(folder)) => Some(format!("{folder}/{from}")),
        (_, Some(from), Some(_)) => Some(from.into()),
        _ => None,
    }
}

/// Text without indentation and empty lines, and without comments that fill a line.
fn bare(text: &[u8]) -> Result<Vec<u8>, std::str::Utf8Error> {
    let is_comment = |line: &&str| line.starts_with("/*") && line.ends_with("*/");
    let lines =
        str::from_utf8(text)?.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    Ok(lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes())
}

/// The name that a line of a module declares for the whole module, if any.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let kinds = ["const ", "let ", "function ", "class "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|c: char| !(c.is_alphanumeric() || "_$".contains(c))).next().filter(|name| !name.is_empty())
}

/// A file of the page.
fn page(name: &str) -> Result<&'static [u8], String> {
    k1_page::file(name).ok_or_else(|| format!("{name} is not in the page's crate"))
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// JSON with only ASCII: all other characters, which stand only in its strings, are written as escapes.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => text.push(byte.into()),
            None => text += &format!("\\u{unit:04x}"),
        }
    }
    text
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/pack.rs");
    let mut code = String::from("/// Every file of the page.\npub static PAGES: &[File] = &[\n");
    let app = File { path: "/app.js", name: "app.js", kind: MODULE };
    for file in FILES.into_iter().chain([app]) {
        let File { path, name, kind } = file;
        let bytes = match kind.split_once(';') {
            _ if file == app => one_module()?,
            Some(("text/html" | "text/css", _)) => bare(page(name)?)?,
            _ => page(name)?.to_vec(),
        };
        let packed = format!("{name}.gz");
        std::fs::write(out.join(&packed), gzip(&bytes)?)?;
        writeln!(
            code,
            "File {{ path: {path:?}, media_type: {kind:?}, tag: Tag({:#x}), packed: true, \
             content: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{packed}\")) }},",
            Tag::of(&bytes).0
        )?;
    }
    code += "];\n";
    let description = ascii(&serde_json::to_string(&k1_device::description::description())?);
    let (pairs, rules) = pack::pack(&description)?;
    std::fs::write(out.join("openapi.packed"), pairs.as_flattened())?;
    writeln!(
        code,
        "/// The description of the API.\n\
         pub static DESCRIPTION: Packed = Packed {{ pairs: \
         include_bytes!(concat!(env!(\"OUT_DIR\"), \"/openapi.packed\")).as_chunks().0, \
         rules: {rules}, length: {} }};",
        description.len()
    )?;
    std::fs::write(out.join("pages.rs"), code)?;
    Ok(())
}
