//! `k1 scene`, `k1 playlist`, `k1 on`, `k1 off` and `k1 brightness`: ask a running K1.

use std::collections::BTreeMap;

use k1_fleet::lamps::scenes::{PLAYLIST, POWER, Playlist, Power, SCENES, scene_path};
use k1_fleet::lamps::{Client, Trouble};
use k1_host::console;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::running::failure;
use super::{Failure, print_json};
use crate::cli::{PlaylistArgs, PlaylistCommand, RunningArgs, SceneCommand};

/// What K1 says of its scenes.
#[derive(Deserialize)]
struct Scenes {
    scenes: Vec<Scene>,
    current: Option<String>,
}

#[derive(Deserialize)]
struct Scene {
    name: String,
    fade_s: f64,
    brightness: Option<f64>,
    looks: BTreeMap<String, Look>,
}

#[derive(Deserialize)]
struct Look {
    pattern: String,
    palette: String,
}

/// What K1 says of a recalled scene.
#[derive(Deserialize)]
struct Recalled {
    fade_s: f64,
    message: Option<String>,
}

/// Does what `k1 scene` says.
pub fn scene(command: &SceneCommand) -> Result<(), Failure> {
    match command {
        SceneCommand::List { json, of } => list(&of.client()?, *json),
        SceneCommand::Save { name, of } => save(&of.client()?, name),
        SceneCommand::Recall { name, fade, of } => recall(&of.client()?, name, *fade),
        SceneCommand::Delete { name, of } => {
            let client = of.client()?;
            let _: Value = client.delete(&scene_path(name)).map_err(|e| of_scenes(&client, e, &[name]))?;
            Ok(console::line(format_args!("the scene {name} is deleted"))?)
        }
    }
}

/// The sentence about a refused request. One about a scene that does not exist names those that do.
fn of_scenes(client: &Client, trouble: Trouble, wanted: &[&str]) -> Failure {
    let is_unknown = matches!(&trouble, Trouble::Refused { code, .. } if code == "scene_not_found");
    match client.get::<Scenes>(SCENES) {
        Ok(Scenes { scenes, .. }) if is_unknown => {
            let names: Vec<_> = scenes.into_iter().map(|scene| scene.name).collect();
            let unknown: Vec<_> =
                wanted.iter().filter(|name| !names.iter().any(|n| n == *name)).copied().collect();
            let none = "; `k1 scene save NAME` makes one of what is shown now".to_owned();
            let those = if names.is_empty() { none } else { format!("; there are {}", names.join(", ")) };
            Failure::new(format!("there is no scene “{}”{those}", unknown.join("”, “")))
        }
        _ => failure(client, trouble),
    }
}

fn list(client: &Client, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print_json(&client.get::<Value>(SCENES).map_err(|e| failure(client, e))?);
    }
    let Scenes { scenes, current } = client.get(SCENES).map_err(|e| failure(client, e))?;
    if scenes.is_empty() {
        console::line("there are no scenes; `k1 scene save NAME` makes one of what is shown now")?;
    }
    for Scene { name, fade_s, brightness, looks } in scenes {
        let now = if current.as_ref() == Some(&name) { " (shown now)" } else { "" };
        let dim = brightness.map(|b| format!(", {:.0} % bright", b * 100.0)).unwrap_or_default();
        let looks: Vec<_> = looks
            .into_iter()
            .map(|(zone, Look { pattern, palette })| {
                let zone = if zone.is_empty() { "the light".to_owned() } else { zone };
                format!("{zone}: {pattern} in {palette}")
            })
            .collect();
        console::line(format_args!("{name}{now}: fades over {fade_s} s{dim}; {}", looks.join(", ")))?;
    }
    Ok(())
}

fn save(client: &Client, name: &str) -> Result<(), Failure> {
    let before: Scenes = client.get(SCENES).map_err(|e| failure(client, e))?;
    let was_there = before.scenes.iter().any(|scene| scene.name == name);
    let _: Value = client.put(&scene_path(name), &json!({})).map_err(|e| failure(client, e))?;
    let done = if was_there { "is replaced by" } else { "is" };
    Ok(console::line(format_args!("the scene {name} {done} what is shown now"))?)
}

fn recall(client: &Client, name: &str, fade: Option<f64>) -> Result<(), Failure> {
    let body = fade.map_or_else(|| json!({}), |fade| json!({"fade_s": fade}));
    let recalled: Recalled = client
        .post(&format!("{}/recall", scene_path(name)), &body)
        .map_err(|e| of_scenes(client, e, &[name]))?;
    console::line(format_args!("the light fades to {name} over {} s", recalled.fade_s))?;
    if let Some(message) = recalled.message {
        k1_host::say(format_args!("k1: {message}"));
    }
    Ok(())
}

/// Does what `k1 playlist` says.
pub fn playlist(args: &PlaylistArgs) -> Result<(), Failure> {
    match &args.command {
        None => status(&args.of.client()?, false),
        Some(PlaylistCommand::Status { json, of }) => status(&of.client()?, *json),
        Some(PlaylistCommand::Start { scenes, every, of }) => {
            let mut patch = Map::new();
            patch.insert("on".into(), true.into());
            if !scenes.is_empty() {
                patch.insert("scenes".into(), json!(scenes));
            }
            if let Some(every) = every {
                patch.insert("every".into(), every.to_string().into());
            }
            let wanted: Vec<_> = scenes.iter().map(String::as_str).collect();
            set(&of.client()?, &patch.into(), &wanted)
        }
        Some(PlaylistCommand::Stop { of }) => set(&of.client()?, &json!({"on": false}), &[]),
        Some(PlaylistCommand::Next { of }) => {
            let client = of.client()?;
            let _: Value =
                client.post(&format!("{PLAYLIST}/next"), &json!({})).map_err(|e| failure(&client, e))?;
            let now = client.get::<Scenes>(SCENES).map_err(|e| failure(&client, e))?.current;
            Ok(console::line(format_args!("the light fades to {}", now.unwrap_or_default()))?)
        }
    }
}

fn set(client: &Client, patch: &Value, wanted: &[&str]) -> Result<(), Failure> {
    let playlist = client.put(PLAYLIST, patch).map_err(|e| of_scenes(client, e, wanted))?;
    tell(&playlist)
}

fn status(client: &Client, as_json: bool) -> Result<(), Failure> {
    match as_json {
        true => print_json(&client.get::<Value>(PLAYLIST).map_err(|e| failure(client, e))?),
        false => tell(&client.get(PLAYLIST).map_err(|e| failure(client, e))?),
    }
}

fn tell(playlist: &Playlist) -> Result<(), Failure> {
    let Playlist { on, scenes, every, shuffle, left, next } = playlist;
    let scenes = if scenes.is_empty() { "all scenes".to_owned() } else { scenes.join(", ") };
    let order = if *shuffle { " in random order" } else { "" };
    let every = if every == "section" { "when the music changes" } else { &format!("every {every}") };
    let runs = if *on { "runs" } else { "does not run" };
    let coming = match (next, left) {
        (Some(next), Some(left)) if left.starts_with("until") => format!("; {next} comes next, {left}"),
        (Some(next), Some(left)) => format!("; {next} comes next, in {left}"),
        (Some(next), None) => format!("; {next} comes next"),
        (None, _) => String::new(),
    };
    Ok(console::line(format_args!("the playlist {runs}: {scenes}{order}, {every}{coming}"))?)
}

/// Turns the light on or off, or dims it.
pub fn power(
    of: &RunningArgs,
    on: Option<bool>,
    percent: Option<u32>,
    fade: Option<f64>,
) -> Result<(), Failure> {
    let mut patch = Map::new();
    if let Some(on) = on {
        patch.insert("on".into(), on.into());
    }
    if let Some(percent) = percent {
        patch.insert("brightness".into(), (f64::from(percent) / 100.0).into());
    }
    if let Some(fade) = fade {
        patch.insert("fade_s".into(), fade.into());
    }
    let client = of.client()?;
    let Power { on, brightness, fade_s } =
        client.put(POWER, &patch.into()).map_err(|e| failure(&client, e))?;
    let percent = (brightness * 100.0).round();
    let word = if on { "on" } else { "off" };
    Ok(console::line(format_args!("the light is {word}, at {percent} % brightness (a fade of {fade_s} s)"))?)
}
