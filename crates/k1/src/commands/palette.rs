//! `k1 palette`: takes gradients of other programs into the show, lists the show's own palettes and deletes one.

use std::path::Path;

use k1_engine::light::{PALETTES, palette_by_name};
use k1_host::console::{self, Text};
use k1_show::import::gradient;
use k1_show::palette::{OwnPalette, hex};
use k1_show::read::check_name;
use k1_show::{Look, Show};
use serde_json::json;

use super::{Failure, count, print_json};
use crate::cli::PaletteCommand;
use crate::show::{Forms, Stored, load};

/// Does what the command says.
pub fn palette(command: &PaletteCommand) -> Result<(), Failure> {
    match command {
        PaletteCommand::Import { gradient, name, of } => import(gradient, name.as_deref(), &of.path()?),
        PaletteCommand::List { json, of } => list(&Stored::open(&of.path()?)?, *json),
        PaletteCommand::Delete { name, of } => delete(name, &of.path()?),
    }
}

fn import(from: &str, name: Option<&str>, show: &Path) -> Result<(), Failure> {
    let (text, stem) = match from.contains("gradient(") {
        true => (from.to_owned(), None),
        false => {
            let path = Path::new(from);
            (load(path)?, path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        }
    };
    let read = gradient(&text).map_err(|why| match stem {
        Some(_) => format!("{from}: {why}"),
        None => why,
    })?;
    let Some(name) = name.map(str::to_owned).or(read.name).or(stem) else {
        return Err(Failure::usage("this gradient has no name; give it one with --name".into()));
    };
    check_name(&name).map_err(|why| format!("{why}; give the palette another name with --name"))?;
    if palette_by_name(&name).is_some() {
        return Err(Failure::new(format!(
            "K1 has a palette {name} itself; give this one another name with --name"
        )));
    }
    let palette = OwnPalette { name, stops: read.stops };
    let mut stored = Stored::open(show)?;
    let was_there = stored.reading().show.palettes.iter().any(|other| other.name == palette.name);
    stored.change(|text| {
        text.set_palette(&palette);
        Ok(())
    })?;
    let OwnPalette { name, stops } = &palette;
    let done = if was_there { "has now" } else { "is in the show, with" };
    Ok(console::line(format!(
        "the palette {name} {done} {}; a look takes it by its name",
        count(stops.len(), "colour")
    ))?)
}

fn list(stored: &Stored, as_json: bool) -> Result<(), Failure> {
    let Show { palettes, .. } = stored.reading().show;
    if as_json {
        let stops = |palette: &OwnPalette| -> Vec<_> {
            palette.stops.iter().map(|(at, rgb)| json!([at, hex(*rgb)])).collect()
        };
        let all: Vec<_> = palettes.iter().map(|p| json!({"name": p.name, "stops": stops(p)})).collect();
        return print_json(&all);
    }
    if palettes.is_empty() {
        return Ok(console::line(format!(
            "{} has no palettes of its own; `k1 palette import FILE` adds one, and `k1 palettes` lists those of K1",
            stored.path().display()
        ))?);
    }
    let mut text = Text::default();
    for OwnPalette { name, stops } in &palettes {
        let colours: Vec<_> =
            stops.iter().map(|(at, rgb)| format!("{} at {:.0} %", hex(*rgb), at * 100.0)).collect();
        text.line(format_args!("{name}: {}", colours.join(", ")));
    }
    Ok(text.print()?)
}

fn delete(name: &str, show: &Path) -> Result<(), Failure> {
    let path = show.to_owned();
    Stored::open(show)?.change(|text| {
        let there = text.read(&Forms { file: &path }).show;
        let Some(number) = there.palettes.iter().position(|palette| palette.name == name) else {
            let names: Vec<_> = there.palettes.iter().map(|palette| palette.name.as_str()).collect();
            let those =
                if names.is_empty() { "has none".to_owned() } else { format!("has {}", names.join(", ")) };
            return Err(format!("there is no palette “{name}” of your own; the show {those}"));
        };
        let users = users(&there, PALETTES.len() + number);
        if !users.is_empty() {
            return Err(format!(
                "the palette “{name}” is used by {}; give them another one first",
                users.join(", ")
            ));
        }
        text.remove_palette(name);
        Ok(())
    })?;
    Ok(console::line(format!("the palette {name} is deleted"))?)
}

/// The zones and scenes whose looks have a palette.
fn users(show: &Show, number: usize) -> Vec<String> {
    let has = |look: &Look| look.params.palette_id() == number;
    let zones =
        show.zones.iter().filter(|zone| has(&zone.look)).map(|zone| format!("the zone {}", zone.name));
    let scenes = show.scenes.iter().filter(|scene| scene.looks.iter().any(|(_, look)| has(look)));
    zones.chain(scenes.map(|scene| format!("the scene {}", scene.name))).collect()
}
