//! `k1 lights`: finds, adds, tests and lists lights.

use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use k1_fleet::lamps::nearby::{self, Found};
use k1_fleet::lamps::wled::{self, Wled};
use k1_fleet::lamps::{Client, Selector};
use k1_host::console;
use k1_host::output::Spared;
use k1_show::{Light, Look, Piece, Run, Show};
use serde_json::json;

use super::Failure;
use crate::cli::{AddArgs, LightsCommand};
use crate::show::{Stored, target};
use crate::sink::{self, Sink, Target};

/// Port of WLED's page.
const WLED_PAGE: u16 = 80;
/// Interval between two frames of a test.
const FRAME: Duration = Duration::from_millis(33);
/// Brightness of a test, so that a long strip does not overload its supply.
const DIM: u8 = 48;

/// Does what the command says.
pub fn lights(command: &LightsCommand) -> Result<(), Failure> {
    match command {
        LightsCommand::List { json, at, of } => list(&Stored::open(&of.path()?)?, at, *json),
        LightsCommand::Find { search_s, json } => find(Duration::from_secs_f64(*search_s), *json),
        LightsCommand::Add(args) => add(args),
        LightsCommand::Test { lights, leds, step_s, of } => {
            let show = Stored::open(&of.path()?)?.reading().show;
            test(&show, lights, *leds, Duration::from_secs_f64(*step_s))
        }
    }
}

/// A WLED device with what it says about itself.
fn known(found: &Found) -> (String, Result<Wled, String>) {
    let wled = wled::ask(&found.address.to_string());
    let name = wled.as_ref().ok().map(|w| w.name.clone()).filter(|name| !name.is_empty());
    (name.unwrap_or_else(|| found.name.clone()), wled)
}

fn find(patience: Duration, as_json: bool) -> Result<(), Failure> {
    let found = nearby::lights(patience)?;
    let devices: Vec<_> = found.wled.iter().map(|found| (found, known(found))).collect();
    if as_json {
        let wled = devices.iter().map(|(found, (name, wled))| match wled {
            Ok(w) => json!({"kind": "wled", "name": name, "host": found.name, "address": found.address.ip().to_string(),
                            "leds": w.leds, "white": w.has_white, "matrix": w.matrix, "version": w.version}),
            Err(why) => json!({"kind": "wled", "name": name, "host": found.name,
                               "address": found.address.ip().to_string(), "trouble": why}),
        });
        let lamps = found.lamps.iter().map(|lamp| {
            json!({"kind": "k1", "name": lamp.name, "address": lamp.address.to_string(), "version": lamp.version})
        });
        return Ok(console::json(&wled.chain(lamps).collect::<Vec<_>>())?);
    }
    if devices.is_empty() && found.lamps.is_empty() {
        console::line(
            "nothing answers by multicast DNS; a light whose address you know is added with \
             `k1 lights add ADDRESS`",
        )?;
    }
    for (found, (name, wled)) in &devices {
        let ip = found.address.ip();
        match wled {
            Ok(w) => {
                let white = if w.has_white { ", RGBW" } else { "" };
                let matrix = w.matrix.map(|(w, h)| format!(", matrix {w} × {h}")).unwrap_or_default();
                console::line(format!(
                    "WLED {} at {ip}: {} LEDs{white}{matrix}, version {}; k1 lights add {}",
                    name, w.leds, w.version, found.name
                ))?;
            }
            Err(why) => console::line(format!("WLED {name} at {ip}: {why}"))?,
        }
    }
    for lamp in &found.lamps {
        console::line(format!("K1 lamp {} at {}: hears by itself", lamp.name, lamp.address))?;
    }
    Ok(())
}

/// The light that a user means: its address, and what is known about it.
fn resolve(args: &AddArgs) -> Result<(String, Option<Wled>), Failure> {
    let text = args.light.trim();
    if text.contains("://") || text.starts_with("file:") {
        let host = text.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        // A target that may be WLED tells its number of LEDs, if it is asked for.
        let is_asked = args.leds.is_none() && text.to_ascii_lowercase().starts_with("ddp://");
        let wled =
            host.filter(|_| is_asked).map(|host| wled::ask(host.split(['/', '?']).next().unwrap_or(host)));
        return match wled.transpose() {
            Ok(wled) => Ok((text.to_owned(), wled)),
            Err(why) => Err(Failure::new(format!("{why}; add --leds N"))),
        };
    }
    let is_name = |found: &&Found| found.name.eq_ignore_ascii_case(text);
    // An address needs no search.
    if text.parse::<std::net::IpAddr>().is_err() && !text.contains(['.', ':']) {
        let found = nearby::lights(Duration::from_secs_f64(args.search_s))?;
        if let Some(lamp) = found.lamps.iter().find(is_name) {
            return Err(Failure::new(format!(
                "{} is a K1 lamp, which hears by itself and needs no other K1; its page is at {}",
                lamp.name, lamp.address
            )));
        }
        let told: Vec<_> = found.wled.iter().map(|found| (found, known(found))).collect();
        let it = told.iter().find(|(found, (name, _))| is_name(found) || name.eq_ignore_ascii_case(text));
        let Some((found, (_, wled))) = it else {
            return Err(Failure::new(format!(
                "nothing answers to the name {text}; `k1 lights find` lists what answers, and an address works as well"
            )));
        };
        // The name stays right when the address changes.
        let host = match found.address.ip().is_loopback() {
            true => found.address.ip().to_string(),
            false => format!("{}.local", found.name),
        };
        return Ok((format!("ddp://{host}"), Some(wled.clone()?)));
    }
    let authority = if text.contains(':') { text.to_owned() } else { format!("{text}:{WLED_PAGE}") };
    match wled::ask(&authority) {
        Ok(wled) => Ok((format!("ddp://{text}"), Some(wled))),
        Err(_) if args.leds.is_some() => Ok((format!("ddp://{text}"), None)),
        Err(why) => Err(Failure::new(format!("{why}; for another DDP receiver add --leds N"))),
    }
}

fn add(args: &AddArgs) -> Result<(), Failure> {
    let (to, wled) = resolve(args)?;
    let leds = args.leds.or(wled.as_ref().map(|w| w.leds)).ok_or_else(|| {
        Failure::usage("K1 does not know how many LEDs this light has; add --leds N".into())
    })?;
    if !(1..=k1_show::MOST_LEDS).contains(&leds) {
        return Err(Failure::new(format!(
            "the light has {leds} LEDs; a light has 1 to {}",
            k1_show::MOST_LEDS
        )));
    }
    let told = wled.map(|w| w.name).filter(|name| !name.is_empty());
    let name = args.name.clone().or(told).unwrap_or_else(|| args.light.clone());
    let light = Light { name: name.clone(), to, leds, settings: Vec::new() };
    target(&light).map_err(Failure::usage)?;
    let path = args.of.path()?;
    let mut stored = Stored::open(&path)?;
    let zone = args.zone.clone().unwrap_or_else(|| name.clone());
    stored.change(|text| {
        let there = text.read(&crate::show::Forms).show;
        if there.lights.iter().any(|other| other.name == name) {
            return Err(format!(
                "{} has a light “{name}” already; choose another with --name",
                path.display()
            ));
        }
        text.add_light(&light);
        let run = Run { light: 0, from: 0, to: leds - 1, reversed: args.reversed, group: 1, repeat: 1 };
        text.add_pieces(&zone, &[Piece::Run(run)], &[&name]);
        let mut look = there.zones.iter().find(|z| z.name == zone).map_or_else(Look::default, |z| z.look);
        look.pattern = args.pattern.unwrap_or(look.pattern);
        if let Some(palette) = args.palette {
            look.params.set(k1_engine::params::Param::PaletteId, palette as f32);
        }
        text.set_look(&zone, &look);
        Ok(())
    })?;
    console::line(format!(
        "{name}: {leds} LEDs at {}, in the zone {zone}, written to {}",
        light.to,
        path.display()
    ))?;
    Ok(())
}

/// The lights' states, if a K1 runs.
fn states(at: &Selector) -> Option<Vec<k1_device::answers::Light>> {
    let address = k1_fleet::lamps::find(at, None).ok()?;
    Client::new(address).status().ok()?.lights
}

fn list(stored: &Stored, at: &Selector, as_json: bool) -> Result<(), Failure> {
    let show = stored.reading().whole().map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Failure::new(format!("{}, {first}", stored.path().display()))
    })?;
    let states = states(at).unwrap_or_default();
    let rows = show.lights.iter().enumerate().map(|(index, light)| {
        let has_it = |zone: &&k1_show::Zone| zone.runs().any(|run| run.light == index);
        let zones: Vec<_> = show.zones.iter().filter(has_it).map(|zone| zone.name.as_str()).collect();
        (light, zones, states.iter().find(|state| state.name == light.name))
    });
    if as_json {
        let rows = rows.map(|(light, zones, state)| {
            json!({"name": light.name, "to": light.to, "leds": light.leds, "zones": zones, "state": state})
        });
        return Ok(console::json(&rows.collect::<Vec<_>>())?);
    }
    if show.lights.is_empty() {
        console::line(format!(
            "{} has no lights; `k1 lights find` lists what is on the network, and `k1 lights add` adds one",
            stored.path().display()
        ))?;
    }
    for (light, zones, state) in rows {
        let zones =
            if zones.is_empty() { "no zone".to_owned() } else { format!("zone {}", zones.join(", ")) };
        let state = state.map(|s| {
            let reason = s.reason.as_deref().map(|why| format!(" ({})", harmless(why))).unwrap_or_default();
            format!("; {}{reason}, {} frames shown, {} dropped", s.state.name(), s.shown, s.dropped)
        });
        console::line(format!(
            "{}: {} LEDs at {}, {zones}{}",
            light.name,
            light.leds,
            light.to,
            state.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn test(show: &Show, named: &[String], leds: usize, step: Duration) -> Result<(), Failure> {
    let mut all: Vec<(String, Target, usize)> = Vec::new();
    for name in named {
        match show.lights.iter().find(|light| light.name == *name) {
            Some(light) => all.push((light.name.clone(), target(light)?, light.leds)),
            None => {
                let target = name.parse::<Target>().map_err(|why| {
                    Failure::usage(format!("the show has no light “{name}”, and as a target: {why}"))
                })?;
                all.push((name.clone(), target, leds));
            }
        }
    }
    if named.is_empty() {
        for light in &show.lights {
            all.push((light.name.clone(), target(light)?, light.leds));
        }
    }
    if all.is_empty() {
        return Err(Failure::new(
            "the show has no light; name a target, as in k1 lights test ddp://HOST".into(),
        ));
    }
    for (name, target, leds) in &all {
        let mut open = sink::open(target, Some(name), *leds, &Spared::default())?;
        let result = steps(&mut *open.sink, name, *leds, step);
        let _ = open.sink.dark(*leds);
        open.light.take_lines().iter().for_each(k1_host::say);
        result?;
    }
    console::line(
        "If a colour was another one than its line said, give the light its order of colours in the show file.",
    )?;
    Ok(())
}

/// The steps of a test on one light.
fn steps(sink: &mut dyn Sink, name: &str, leds: usize, step: Duration) -> Result<(), Failure> {
    let all = |colour: [u8; 3]| vec![colour; leds];
    let began = Instant::now();
    let mut show = |says: &str, picture: &dyn Fn(Duration) -> Vec<[u8; 3]>| -> Result<(), Failure> {
        console::line(format!("{name}: {says}"))?;
        let from = Instant::now();
        while from.elapsed() < step {
            let frame = picture(began.elapsed());
            // A light that cannot be reached says so once, after the test.
            let _ = sink.show(&frame, &frame);
            sink.tend();
            std::thread::sleep(FRAME);
        }
        Ok(())
    };
    let is_on = |at: Duration| (at.as_millis() / 250).is_multiple_of(2);
    show("blinks white", &|at| all(if is_on(at) { [DIM; 3] } else { [0; 3] }))?;
    show("only the first LED shines", &|_| {
        let mut frame = all([0; 3]);
        frame[0] = [DIM * 4; 3];
        frame
    })?;
    show("is red", &|_| all([DIM * 2, 0, 0]))?;
    show("is green", &|_| all([0, DIM * 2, 0]))?;
    show("is blue", &|_| all([0, 0, DIM * 2]))
}
