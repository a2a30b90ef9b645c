//! Packs the page and the description of the API, so that a lamp serves them from its flash.

use std::fmt::Write;
use std::path::{Path, PathBuf};

const PAGE: [(&str, &str, &str); 4] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/style.css", "style.css", "text/css; charset=utf-8"),
    ("/app.js", "app.js", "text/javascript; charset=utf-8"),
    ("/icon.svg", "icon.svg", "image/svg+xml"),
];

/// The modules of the page, each behind those that it takes from. A lamp gives them as one, because it serves few
/// connections at once and a browser asks for all of them together.
const MODULES: [&str; 6] = ["draw.js", "sound.js", "link.js", "controls.js", "firmware.js", "app.js"];

/// All modules as one: what one takes from another is there already.
fn one_module(web: &Path) -> Result<Vec<u8>, String> {
    let mut all = String::new();
    for (i, name) in MODULES.iter().enumerate() {
        let text = std::fs::read_to_string(web.join(name)).map_err(|e| format!("{name}: {e}"))?;
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("import ") {
                let from = import.rsplit_once(" from './").and_then(|(_, f)| f.strip_suffix("';"));
                let is_there = from.is_some_and(|f| MODULES[..i].contains(&f));
                if !is_there {
                    return Err(format!("{name}: “{line}” takes from no module before it"));
                }
                continue;
            }
            all += line.strip_prefix("export ").unwrap_or(line);
            all.push('\n');
        }
    }
    Ok(all.into_bytes())
}

/// gzip (RFC 1952): header, deflated bytes, CRC-32, length.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(bytes, 10));
    let crc = !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    });
    out.extend(crc.to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let web = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", web.display());
    let mut code = String::from("/// Every file of the page.\npub static PAGES: &[Asset] = &[\n");
    for (path, file, kind) in PAGE {
        let bytes = match file {
            "app.js" => one_module(&web)?,
            _ => std::fs::read(web.join(file)).map_err(|e| format!("{file}: {e}"))?,
        };
        let hash = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        let packed = out.join(format!("{file}.gz"));
        std::fs::write(&packed, gzip(&bytes))?;
        writeln!(
            code,
            "Asset {{ path: {path:?}, kind: {kind:?}, tag: \"\\\"{hash:016x}\\\"\", packed: include_bytes!({packed:?}) }},"
        )?;
    }
    code += "];\n";
    let description = serde_json::to_vec(&k1_device::description::description())?;
    let file = out.join("openapi.json");
    std::fs::write(&file, description)?;
    writeln!(
        code,
        "/// The description of the API.\npub static DESCRIPTION: &[u8] = include_bytes!({file:?});"
    )?;
    std::fs::write(out.join("pages.rs"), code)?;
    Ok(())
}
