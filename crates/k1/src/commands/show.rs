//! `k1 show`: checks, copies and replaces the file of a show.

use std::path::{Path, PathBuf};

use k1_host::console;
use k1_host::output::{self, Spared};
use k1_show::Show;

use super::{Failure, count, print};
use crate::cli::{ShowCommand, ShowFile};
use crate::show::{Forms, Stored, is_there, place};

/// Does what the command says.
pub fn show(command: &ShowCommand) -> Result<(), Failure> {
    match command {
        ShowCommand::Check { file } => check(&path(file.as_deref())?),
        ShowCommand::Export { output, of } => export(&path(of.show.as_deref())?, output.as_deref()),
        ShowCommand::Import { file, of } => import(file, &path(of.show.as_deref())?),
    }
}

impl ShowFile {
    /// The file, or the one in K1's settings folder.
    pub fn path(&self) -> Result<PathBuf, Failure> {
        path(self.show.as_deref())
    }
}

fn path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let place = named.map(Path::to_owned).or_else(place);
    place.ok_or_else(|| Failure::new("this user has no home folder; name the file".into()))
}

/// Reads a show that must exist and have no fault.
fn whole(path: &Path) -> Result<(Stored, Show), Failure> {
    if !is_there(path) {
        return Err(Failure::new(format!(
            "{} does not exist; `k1 lights add` makes it with its first light",
            path.display()
        )));
    }
    let stored = Stored::open(path)?;
    let reading = stored.reading();
    let faults = reading.faults.len();
    for fault in &reading.faults {
        k1_host::say(format_args!("{}, {fault}", path.display()));
    }
    match faults {
        0 => Ok((stored, reading.show)),
        1 => Err(Failure::new(format!("{} has a fault", path.display()))),
        n => Err(Failure::new(format!("{} has {n} faults", path.display()))),
    }
}

fn check(path: &Path) -> Result<(), Failure> {
    let (_, show) = whole(path)?;
    console::line(format!("{} has no fault", path.display()))?;
    for zone in &show.zones {
        let mut names: Vec<_> = zone.runs().map(|run| show.lights[run.light].name.as_str()).collect();
        names.dedup();
        console::line(format!("zone {}: {} pixels on {}", zone.name, zone.pixels(), names.join(", ")))?;
    }
    for scene in &show.scenes {
        let is_gone = |zone: &&str| !show.zones.iter().any(|there| there.name == **zone);
        let gone: Vec<_> = scene.looks.iter().map(|(zone, _)| zone.as_str()).filter(is_gone).collect();
        if !gone.is_empty() {
            console::line(format!(
                "scene {}: there is no zone {}, so K1 leaves its look out",
                scene.name,
                gone.join(", ")
            ))?;
        }
    }
    for (index, light) in show.lights.iter().enumerate() {
        if show.zones_of(index).next().is_none() {
            console::line(format!("light {}: no zone has a piece of it, so it stays dark", light.name))?;
        }
    }
    Ok(())
}

fn export(path: &Path, to: Option<&Path>) -> Result<(), Failure> {
    let (stored, _) = whole(path)?;
    match to {
        None => print(stored.text().as_bytes()),
        Some(to) => {
            let spared = Spared::default().and(path, "the show");
            Ok(output::write(to, stored.text().as_bytes(), &spared).map_err(|e| e.to_string())?)
        }
    }
}

fn import(from: &Path, to: &Path) -> Result<(), Failure> {
    let (stored, show) = whole(from)?;
    let spared = Spared::default().and(from, "the show to import");
    let put = |path: &Path, text: &str| {
        output::write(path, text.as_bytes(), &spared).map_err(|e| Failure::new(e.to_string()))
    };
    // Maps are files beside the show.
    if let Some(fault) = k1_show::read(stored.text(), &Forms { file: to }).faults.first() {
        return Err(Failure::new(format!("as {}, this show would have a fault: {fault}", to.display())));
    }
    output::make_folder(to).map_err(|e| Failure::new(e.to_string()))?;
    if is_there(to) {
        let mut old = to.as_os_str().to_owned();
        old.push(".old");
        put(Path::new(&old), Stored::open(to)?.text())?;
    }
    put(to, stored.text())?;
    let (lights, zones) = (count(show.lights.len(), "light"), count(show.zones.len(), "zone"));
    console::line(format!("{} has {lights} and {zones} now", to.display()))?;
    Ok(())
}
