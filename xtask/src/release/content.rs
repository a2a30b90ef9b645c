//! The files that archive and package contain besides the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use k1_fleet::bundle::Files;
use serde_json::Value;

use super::deb::{self, About};
use super::program::System;
use super::sbom;
use super::sources::Sources;
use super::tar::{self, Entry};
use crate::said;

/// The version of this project.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where shells look for completions: shell, folder, file.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/k1"),
    ("zsh", "usr/share/zsh/vendor-completions/_k1"),
    ("fish", "usr/share/fish/vendor_completions.d/k1.fish"),
];

/// These files.
pub struct Content {
    time: u64,
    /// Pages of the manual, by name, as they are.
    manual: Vec<(String, Vec<u8>)>,
    completions: Vec<(&'static str, Vec<u8>)>,
    licences: Vec<(&'static str, Vec<u8>)>,
    readme: Vec<u8>,
    sbom: String,
    container: Vec<u8>,
    unit: Vec<u8>,
    default: Vec<u8>,
    copyright: Vec<u8>,
    scripts: [String; 3],
}

impl Content {
    /// Gathers them from the sources in a folder and from the first program, which must run on this machine: it writes its
    /// manual and its completions itself.
    ///
    /// # Errors
    ///
    /// A sentence, if something is missing.
    pub fn gather(programs: &[(System, PathBuf)], sources: &Sources, folder: &Path) -> Result<Self, String> {
        let (system, program) = programs.first().ok_or("there is no program to pack")?;
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let text = |name: &str| {
            String::from_utf8(read(&format!("packaging/debian/{name}"))?).map_err(|e| format!("{name}: {e}"))
        };
        let pages = tempfile::tempdir().map_err(|e| format!("a scratch folder: {e}"))?;
        said(Command::new(program).args(["man", "--to"]).arg(pages.path()))?;
        let mut manual = Vec::new();
        for page in std::fs::read_dir(pages.path()).map_err(|e| format!("the manual: {e}"))? {
            let path = page.map_err(|e| format!("the manual: {e}"))?.path();
            let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            manual.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes));
        }
        manual.sort();
        let mut completions = Vec::new();
        for (shell, place) in COMPLETIONS {
            completions.push((place, said(Command::new(program).args(["completions", shell]))?.into_bytes()));
        }
        let metadata = said(
            Command::new("cargo")
                .args([
                    "metadata",
                    "--format-version",
                    "1",
                    "--locked",
                    "--offline",
                    "--features",
                    system.features,
                ])
                .args(["--filter-platform", system.triple, "--manifest-path", "crates/k1/Cargo.toml"])
                .current_dir(folder)
                .env_remove("RUSTUP_TOOLCHAIN"),
        )?;
        let metadata: Value = serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
        let compiler =
            said(Command::new("rustc").arg("-V").current_dir(folder).env_remove("RUSTUP_TOOLCHAIN"))?;
        let lock = String::from_utf8(read("Cargo.lock")?).map_err(|e| format!("Cargo.lock: {e}"))?;
        let [postinst, prerm, postrm] = deb::SCRIPTS.map(text);
        Ok(Self {
            time: sources.time,
            manual,
            completions,
            licences: vec![
                ("LICENSE-MIT", read("LICENSE-MIT")?),
                ("LICENSE-APACHE", read("LICENSE-APACHE")?),
            ],
            readme: read("README.md")?,
            sbom: sbom::sbom(&metadata, &lock, compiler.trim(), sources)?,
            container: read("packaging/Containerfile")?,
            unit: text("k1.service")?.into_bytes(),
            default: text("default")?.into_bytes(),
            copyright: text("copyright")?.into_bytes(),
            scripts: [postinst?, prerm?, postrm?],
        })
    }

    /// The archive and the package for a system.
    ///
    /// # Errors
    ///
    /// A sentence, if a name is too long for the format.
    pub fn pack(&self, system: System, program: &[u8], version: &str) -> Result<Files, String> {
        let name = format!("k1-{version}-{}-{}", system.processor, system.os);
        let mut entries = vec![Entry::program(format!("{name}/{}", system.program()), program)];
        entries.push(Entry::file(format!("{name}/README.md"), &*self.readme));
        for (file, bytes) in &self.licences {
            entries.push(Entry::file(format!("{name}/{file}"), &**bytes));
        }
        for (page, bytes) in &self.manual {
            entries.push(Entry::file(format!("{name}/man/{page}"), &**bytes));
        }
        for (place, bytes) in &self.completions {
            let file = place.rsplit('/').next().unwrap_or_default();
            entries.push(Entry::file(format!("{name}/completions/{file}"), &**bytes));
        }
        let archive = tar::gzip(&tar::pack(&tar::with_folders(&entries), self.time)?)?;
        let mut files = Files::from([(format!("{name}.tar.gz"), archive)]);
        if let Some(processor) = system.debian {
            files.insert(format!("k1_{version}_{processor}.deb"), self.deb(processor, program, version)?);
        }
        Ok(files)
    }

    /// The package for a processor, by Debian's name of it.
    ///
    /// # Errors
    ///
    /// A sentence, if a name is too long for the format.
    pub fn deb(&self, architecture: &str, program: &[u8], version: &str) -> Result<Vec<u8>, String> {
        let doc = "./usr/share/doc/k1";
        let mut entries = vec![
            Entry::file("./etc/default/k1", &*self.default),
            Entry::program("./usr/bin/k1", program),
            Entry::file("./usr/lib/systemd/system/k1.service", &*self.unit),
            Entry::file(format!("{doc}/copyright"), &*self.copyright),
            Entry::file(format!("{doc}/sbom.json"), &*self.sbom),
        ];
        for (file, bytes) in &self.licences {
            entries.push(Entry::file(format!("{doc}/{file}"), &**bytes));
        }
        for (page, bytes) in &self.manual {
            entries.push(Entry::file(format!("./usr/share/man/man1/{page}.gz"), tar::gzip(bytes)?));
        }
        for (place, bytes) in &self.completions {
            entries.push(Entry::file(format!("./{place}"), &**bytes));
        }
        let about = About { version, architecture, time: self.time };
        deb::pack(&about, &entries, self.scripts.each_ref().map(|text| &**text))
    }

    /// The files beside archives and packages.
    pub fn beside(&self) -> Files {
        Files::from([
            (format!("k1-{VERSION}.cdx.json"), self.sbom.clone().into_bytes()),
            ("Containerfile".into(), self.container.clone()),
        ])
    }
}
