//! Packs the page and the description of the API, so that a lamp serves them from its flash.

use std::fmt::Write;
use std::path::{Path, PathBuf};

const PAGE: [(&str, &str, &str); 9] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/style.css", "style.css", "text/css; charset=utf-8"),
    ("/app.js", "app.js", "text/javascript; charset=utf-8"),
    ("/link.js", "link.js", "text/javascript; charset=utf-8"),
    ("/draw.js", "draw.js", "text/javascript; charset=utf-8"),
    ("/sound.js", "sound.js", "text/javascript; charset=utf-8"),
    ("/controls.js", "controls.js", "text/javascript; charset=utf-8"),
    ("/firmware.js", "firmware.js", "text/javascript; charset=utf-8"),
    ("/icon.svg", "icon.svg", "image/svg+xml"),
];

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
        let bytes = std::fs::read(web.join(file)).map_err(|e| format!("{file}: {e}"))?;
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
