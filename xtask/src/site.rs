//! The site: a folder with the page, the engine as WebAssembly, a service worker and the documents, which any static host
//! can serve.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::rustup::{channel, nightly};
use crate::{firmware, root, said};

mod installer;

const TARGET: &str = "wasm32-unknown-unknown";

/// The table `[site]` of `budgets.toml`.
#[derive(Deserialize)]
pub struct Budget {
    first_light_max_bytes: u64,
}

/// A file of the site: its path, and its content.
struct File {
    path: String,
    content: Vec<u8>,
}

/// The folders with the files of the page, and their places in the site.
const FOLDERS: [(&str, &str); 5] = [
    ("web", ""),
    ("web/room", "room/"),
    ("web/plan", "plan/"),
    ("web/site", ""),
    ("web/site/install", "install/"),
];

/// Endings of the files in `web/` that belong to the page; the others make it a crate.
const ENDINGS: [&str; 6] = ["html", "css", "svg", "png", "js", "webmanifest"];

/// What replaces a text of the page, which must stand there once.
const CHANGES: [(&str, &str); 4] = [
    (
        r#"<meta name="viewport""#,
        r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; media-src blob:; connect-src 'self' ws:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'">
<meta name="description" content="K1 turns music into light: try it in this browser, with its own music, yours, or a microphone.">
<meta name="viewport""#,
    ),
    (
        r#"<script type="module" src="app.js"></script>"#,
        r#"<link rel="stylesheet" href="site.css">
<link rel="modulepreload" href="engine.js">
<link rel="preload" href="engine.wasm" as="fetch" type="application/wasm" crossorigin>
<script type="module" src="app.js"></script>
<script type="module" src="start.js"></script>"#,
    ),
    // The description of the API is served by a K1 with a server.
    (r#" <a href="api/v1/openapi.json">API</a>"#, r#" <a href="docs/index.html">K1 for your own lights</a>"#),
    (r#", <kbd>m</kbd> sound"#, r#", <kbd>m</kbd> pause"#),
];

/// What leads from the page to the installer.
const TO_INSTALLER: &str = r#" · <a href="install.html">Make a lamp</a>"#;

/// Where `web/site/start.html` goes.
const BEFORE: &str = "<main>\n";

/// What the command is asked for.
struct Options {
    to: PathBuf,
    /// The folder of bundles for the installer.
    firmware: Option<PathBuf>,
    has_installer: bool,
}

impl Options {
    fn read(mut args: &[&str]) -> Result<Self, String> {
        let mut options = Self { to: root().join("target/site"), firmware: None, has_installer: true };
        while !args.is_empty() {
            args = match args {
                ["--to", folder, rest @ ..] => {
                    options.to = PathBuf::from(folder);
                    rest
                }
                ["--firmware", folder, rest @ ..] => {
                    options.firmware = Some(PathBuf::from(folder));
                    rest
                }
                ["--without-installer", rest @ ..] => {
                    options.has_installer = false;
                    rest
                }
                _ => {
                    return Err(
                        "cargo xtask site [--to FOLDER] [--firmware FOLDER] [--without-installer]".into()
                    );
                }
            };
        }
        Ok(options)
    }
}

/// The command `cargo xtask site`.
///
/// # Errors
/// A sentence, if the engine cannot be built, the installer's library cannot be fetched, a bundle cannot be installed, or
/// the site is over its budget.
pub fn site(args: &[&str]) -> Result<(), String> {
    let Options { to, firmware, has_installer } = Options::read(args)?;
    let budget = crate::read_budgets()?.site;
    let mut files = page()?;
    files.push(File { path: "engine.wasm".into(), content: wasm("k1-web")? });
    if has_installer {
        files.push(File { path: "install/install.wasm".into(), content: wasm("k1-installer")? });
        files.extend(installer::library()?);
        files.extend(installer::firmware(firmware.as_deref())?);
    } else {
        files.retain(|file| !is_of_installer(&file.path));
        let index = take(&mut files, "index.html")?.replace(TO_INSTALLER, "");
        files.push(File { path: "index.html".into(), content: index.into_bytes() });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let worker = service_worker(&files)?;
    files.push(worker);
    write(&files, &to)?;
    println!("{}: {} files, version {}", to.display(), files.len(), version(&files));
    let documents = crate::pages::write(&to.join("docs"), Some("../"))?;
    println!("{}: {} kB of documents", to.join("docs").display(), documents / 1_000);
    hold(&files, &budget)
}

/// The files of the page, as the site has them.
fn page() -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for (folder, beneath) in FOLDERS {
        let wrong = |e: std::io::Error| format!("{folder}: {e}");
        for entry in std::fs::read_dir(root().join(folder)).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if !path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let content = std::fs::read(&path).map_err(wrong)?;
            // A file of the site replaces one of the page.
            files.retain(|file: &File| file.path != format!("{beneath}{name}"));
            files.push(File { path: format!("{beneath}{name}"), content });
        }
    }
    let start = take(&mut files, "start.html")?;
    let index = take(&mut files, "index.html")?;
    files.push(File { path: "index.html".into(), content: changed(&index, &start)?.into_bytes() });
    Ok(files)
}

/// Takes the text of a file out of the list.
fn take(files: &mut Vec<File>, path: &str) -> Result<String, String> {
    let at = files.iter().position(|file| file.path == path).ok_or(format!("web has no {path}"))?;
    String::from_utf8(files.remove(at).content).map_err(|_| format!("{path} is not text"))
}

/// The page with what a site has in addition.
fn changed(index: &str, start: &str) -> Result<String, String> {
    let whole = format!("{start}\n{BEFORE}");
    let mut text = index.to_owned();
    for (old, new) in CHANGES.into_iter().chain([(BEFORE, &*whole)]) {
        if text.matches(old).count() != 1 {
            return Err(format!("web/index.html must contain {old:?} once; xtask/src/site.rs replaces it"));
        }
        text = text.replace(old, new);
    }
    Ok(text)
}

/// A crate as WebAssembly.
fn wasm(package: &str) -> Result<Vec<u8>, String> {
    let places = root().join("target/web");
    let root = root();
    let home = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap_or_default()));
    // Places of this machine say nothing to others, and would make each machine's engine another one.
    let flags = format!("--remap-path-prefix={}= --remap-path-prefix={home}=", root.display());
    let build = ["cargo", "rustc", "-p", package, "--lib", "--crate-type", "cdylib", "--profile", "site"];
    let add = |command: &mut Command, more: &[&str]| {
        let command = command.args(build).args(["--target", TARGET, "--target-dir"]).arg(&places).args(more);
        command.current_dir(&root).env("RUSTFLAGS", &flags).status()
    };
    let stable = stable()?;
    let status = if has_target(&stable) {
        add(&mut channel(&stable), &[])
    } else {
        println!("rustup has no {TARGET} for {stable}, so nightly builds core and alloc for it");
        firmware::standard_library()?;
        add(&mut nightly(), &["-Zbuild-std=core,alloc", "-Zbuild-std-features="])
    };
    if !status.map_err(|e| format!("rustup: {e}"))?.success() {
        return Err(format!("{package} could not be built for the browser"));
    }
    let built = places.join(TARGET).join(format!("site/{}.wasm", package.replace('-', "_")));
    std::fs::read(&built).map_err(|e| format!("{}: {e}", built.display()))
}

/// The toolchain of this checkout.
fn stable() -> Result<String, String> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Toolchain,
    }
    #[derive(Deserialize)]
    struct Toolchain {
        channel: String,
    }
    let text = std::fs::read_to_string(root().join("rust-toolchain.toml")).map_err(|e| e.to_string())?;
    toml::from_str::<File>(&text)
        .map(|file| file.toolchain.channel)
        .map_err(|e| format!("rust-toolchain.toml: {e}"))
}

/// True if a toolchain can build for the browser; rustup is asked to fetch what it needs for that.
fn has_target(toolchain: &str) -> bool {
    let mut rustup = Command::new("rustup");
    let add = rustup.args(["target", "add", TARGET, "--toolchain", toolchain]);
    said(add.env_remove("RUSTUP_TOOLCHAIN")).is_ok()
}

/// The first 16 digits of the SHA-256 of all files.
fn version(files: &[File]) -> String {
    let mut sum = Sha256::new();
    for file in files {
        sum.update((file.path.len() as u64).to_le_bytes());
        sum.update(&file.path);
        sum.update((file.content.len() as u64).to_le_bytes());
        sum.update(&file.content);
    }
    sum.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The service worker, with the names of all other files.
fn service_worker(files: &[File]) -> Result<File, String> {
    // A host serves the page itself under the name of the folder.
    let names: Vec<&str> = ["."]
        .into_iter()
        .chain(files.iter().map(|file| &*file.path).filter(|path| !is_of_installer(path)))
        .collect();
    let names = serde_json::to_string(&names).map_err(|e| e.to_string())?;
    let template = std::fs::read_to_string(root().join("web/site/sw.template"))
        .map_err(|e| format!("web/site/sw.template: {e}"))?;
    let code = format!("const VERSION = '{}';\nconst FILES = {names};\n\n{template}", version(files));
    Ok(File { path: "sw.js".into(), content: code.into_bytes() })
}

/// Writes the folder anew. Files of an earlier site are removed; others, such as documentation, stay.
fn write(files: &[File], to: &Path) -> Result<(), String> {
    let wrong = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    for file in files {
        let path = to.join(&file.path);
        let folder = path.parent().unwrap_or(to);
        std::fs::create_dir_all(folder).map_err(|e| wrong(folder, e))?;
        std::fs::write(&path, &file.content).map_err(|e| wrong(&path, e))?;
    }
    // Without it, GitHub would pass the folder through a generator of sites.
    let mark = to.join(".nojekyll");
    std::fs::write(&mark, "").map_err(|e| wrong(&mark, e))
}

/// True if the page loads the file before there is light. The modules of `room/` and `plan/` are for shows; the others come
/// when they are needed.
fn is_first(path: &str) -> bool {
    !["room/", "plan/"].iter().any(|folder| path.starts_with(folder))
        && !["icon.png", "look.js", "strip.js", "wled.js", "sw.js", "worklet.js"].contains(&path)
        && !is_of_installer(path)
}

/// True if only the installer needs the file. It works online only: it needs a cable anyway, and firmware is large.
fn is_of_installer(path: &str) -> bool {
    path.starts_with("install") || path.starts_with("firmware/")
}

/// Prints the weight of the site, and fails if it is over its budget.
fn hold(files: &[File], budget: &Budget) -> Result<(), String> {
    let (mut plain, mut sent) = (0, 0);
    for file in files.iter().filter(|file| is_first(&file.path)) {
        plain += file.content.len() as u64;
        sent += gzipped(&file.content)?;
    }
    let wasm = files.iter().find(|file| file.path == "engine.wasm").map_or(&[][..], |file| &file.content);
    println!("engine                   {:>9} B, {} B with gzip", wasm.len(), gzipped(wasm)?);
    let most = budget.first_light_max_bytes;
    println!("everything to first light {plain:>8} B, {sent} B with gzip of {most}");
    if sent > most { Err(format!("the site weighs {sent} B with gzip, more than {most}")) } else { Ok(()) }
}

fn gzipped(bytes: &[u8]) -> Result<u64, String> {
    let mut coder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = coder.write_all(bytes).and_then(|()| coder.finish());
    packed.map(|packed| packed.len() as u64).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> File {
        File { path: path.into(), content: content.into() }
    }

    #[test]
    fn the_page_of_this_checkout_becomes_a_site() {
        let files = page().unwrap();
        let text = |path: &str| {
            let found: Vec<_> = files.iter().filter(|file| file.path == path).collect();
            assert_eq!(found.len(), 1, "{path}");
            String::from_utf8_lossy(&found[0].content).into_owned()
        };
        let index = text("index.html");
        for needed in ["Content-Security-Policy", "start.js", "site.css", "id=\"start\"", "id=\"strip\""] {
            assert!(index.contains(needed), "{needed}");
        }
        assert!(text("link.js").contains("engine.js") && text("plan/zones.js").contains("export"));
        assert!(!files.iter().any(|file| file.path == "start.html"));
        assert!(index.contains(TO_INSTALLER) && text("install.html").contains("install/page.js"));
        // Relative, so that it works under any path of a host.
        for attribute in ["src=\"/", "href=\"/"] {
            assert!(!index.contains(attribute), "{attribute}");
        }
    }

    #[test]
    fn a_page_that_has_changed_is_told() {
        assert!(changed("<main>\n", "").unwrap_err().contains("viewport"));
    }

    #[test]
    fn another_content_is_another_version() {
        let a = [file("a", "1"), file("b", "")];
        let same = [file("a", "1"), file("b", "")];
        assert_eq!(version(&a), version(&same));
        for other in [
            [file("a", "2"), file("b", "")],
            [file("a", "1"), file("bc", "")],
            [file("a1", ""), file("b", "")],
        ] {
            assert_ne!(version(&a), version(&other));
        }
        let worker = service_worker(&a).unwrap();
        let code = String::from_utf8(worker.content).unwrap();
        assert!(code.starts_with(&format!(
            "const VERSION = '{}';\nconst FILES = [\".\",\"a\",\"b\"];\n",
            version(&a)
        )));
    }

    #[test]
    fn a_site_over_its_budget_fails() {
        let files = [file("a.js", "a page"), file("room/b.js", "not loaded")];
        assert!(hold(&files, &Budget { first_light_max_bytes: 100 }).is_ok());
        assert!(hold(&files, &Budget { first_light_max_bytes: 10 }).is_err());
    }
}
