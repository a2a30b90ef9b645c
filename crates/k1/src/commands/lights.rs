//! `k1 lights`: finds, adds, tests and lists lights.

use std::time::{Duration, Instant};

use k1_device::answers::FoundLight;
use k1_device::harmless::harmless;
use k1_engine::light::Rgb;
use k1_fleet::lamps::wled::{self, Wled};
use k1_fleet::lamps::{Client, Selector};
use k1_host::console;
use k1_host::output::Spared;
use k1_show::{Light, Show};
use serde_json::json;

use super::Failure;
use crate::cli::{AddArgs, LightsCommand};
use crate::show::{self, Addition, Stored, target};
use crate::sink::probe::Probe;
use crate::sink::{self, Frame, LightConfig, Open, Stop, Strip};

/// Port of WLED's page.
const WLED_PAGE: u16 = 80;
/// Interval between two frames of a test.
const FRAME: Duration = Duration::from_millis(33);

/// Does what the command says.
pub fn lights(command: &LightsCommand) -> Result<(), Failure> {
    match command {
        LightsCommand::List { json, at, of } => list(&Stored::open(&of.path()?)?, at, *json),
        LightsCommand::Find { search_s, json } => find(Duration::from_secs_f64(*search_s), *json),
        LightsCommand::Add(args) => add(args),
        LightsCommand::Test { lights, leds, step_s, at, of } => {
            let show = Stored::open(&of.path()?)?.reading().show;
            test(&show, lights, *leds, Duration::from_secs_f64(*step_s), at)
        }
    }
}

fn find(patience: Duration, as_json: bool) -> Result<(), Failure> {
    let all = show::find(patience)?;
    if as_json {
        return Ok(console::json(&all.iter().map(|(_, light)| light).collect::<Vec<_>>())?);
    }
    if all.is_empty() {
        console::line(
            "nothing answers by multicast DNS; a light whose address you know is added with \
             `k1 lights add ADDRESS`",
        )?;
    }
    for (found, light) in &all {
        let (name, ip) = (&light.name, found.address.ip());
        console::line(match (light.kind, light.leds) {
            ("k1", _) => format!("K1 lamp {name} at {}: hears by itself", found.address),
            (_, Some(leds)) => {
                let white = if light.white { ", RGBW" } else { "" };
                let matrix = light.matrix.map(|[w, h]| format!(", matrix {w} × {h}")).unwrap_or_default();
                format!("WLED {name} at {ip}: {leds} LEDs{white}{matrix}; k1 lights add {}", found.name)
            }
            (_, None) => {
                format!(
                    "WLED {name} at {ip}: {}",
                    light.trouble.as_deref().unwrap_or("it does not tell its LEDs")
                )
            }
        })?;
    }
    Ok(())
}

/// The light that a user means: its address, and what is known about it.
fn resolve(args: &AddArgs) -> Result<(String, Option<(String, usize)>), Failure> {
    let told = |wled: Wled| (wled.name, wled.leds);
    let text = args.light.trim();
    if text.contains("://") || text.starts_with("file:") {
        let host = text.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        // A target that may be WLED tells its number of LEDs, if it is asked for.
        let is_asked = args.leds.is_none() && text.to_ascii_lowercase().starts_with("ddp://");
        let wled =
            host.filter(|_| is_asked).map(|host| wled::ask(host.split(['/', '?']).next().unwrap_or(host)));
        return match wled.transpose() {
            Ok(wled) => Ok((text.to_owned(), wled.map(told))),
            Err(why) => Err(Failure::new(format!("{why}; add --leds N"))),
        };
    }
    // An address needs no search.
    if text.parse::<std::net::IpAddr>().is_err() && !text.contains(['.', ':']) {
        let all = show::find(Duration::from_secs_f64(args.search_s))?;
        let is_it = |known: &str| known.eq_ignore_ascii_case(text);
        let it = all.into_iter().find(|(found, light)| is_it(&found.name) || is_it(&light.name));
        return match it {
            None => Err(Failure::new(format!(
                "nothing answers to the name {text}; `k1 lights find` lists what answers, and an address works as well"
            ))),
            Some((_, FoundLight { to: Some(to), leds: Some(leds), name, .. })) => {
                Ok((to, Some((name, leds))))
            }
            Some((_, FoundLight { trouble: Some(why), .. })) => Err(Failure::new(why)),
            Some((found, _)) => Err(Failure::new(format!(
                "{} is a K1 lamp, which hears by itself and needs no other K1; its page is at {}",
                found.name, found.address
            ))),
        };
    }
    let authority = if text.contains(':') { text.to_owned() } else { format!("{text}:{WLED_PAGE}") };
    match wled::ask(&authority) {
        Ok(wled) => Ok((format!("ddp://{text}"), Some(told(wled)))),
        Err(_) if args.leds.is_some() => Ok((format!("ddp://{text}"), None)),
        Err(why) => Err(Failure::new(format!("{why}; for another DDP receiver add --leds N"))),
    }
}

fn add(args: &AddArgs) -> Result<(), Failure> {
    let (to, told) = resolve(args)?;
    let leds = args.leds.or(told.as_ref().map(|(_, leds)| *leds)).ok_or_else(|| {
        Failure::usage("K1 does not know how many LEDs this light has; add --leds N".into())
    })?;
    let told = told.map(|(name, _)| name).filter(|name| !name.is_empty());
    let name = args.name.clone().or(told).unwrap_or_else(|| args.light.clone());
    let light = Light { name: name.clone(), to, leds, settings: Vec::new() };
    target(&light).map_err(Failure::usage)?;
    let path = args.of.path()?;
    let new = Addition {
        light,
        zone: args.zone.clone().unwrap_or_else(|| name.clone()),
        reversed: args.reversed,
        pattern: args.pattern,
        palette: args.palette,
    };
    show::add(&mut Stored::open(&path)?, &new)?;
    console::line(format!(
        "{name}: {leds} LEDs at {}, in the zone {}, written to {}",
        new.light.to,
        new.zone,
        path.display()
    ))?;
    Ok(())
}

/// A K1 that may run.
fn client(at: &Selector) -> Option<Client> {
    k1_fleet::lamps::find(at, None).ok().map(Client::new)
}

/// The lights' states, if a K1 runs.
fn states(at: &Selector) -> Option<Vec<k1_device::answers::Light>> {
    client(at)?.status().ok()?.lights
}

fn list(stored: &Stored, at: &Selector, as_json: bool) -> Result<(), Failure> {
    let show = stored.reading().whole().map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Failure::new(format!("{}, {first}", stored.path().display()))
    })?;
    let states = states(at).unwrap_or_default();
    let rows = show.lights.iter().enumerate().map(|(index, light)| {
        let zones: Vec<_> = show.zones_of(index).map(|zone| zone.name.as_str()).collect();
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

/// Asks a running K1 to show a picture on one of its lights.
fn ask(client: &Client, light: &str, probe: Probe, step: Duration) -> Result<(), Failure> {
    let picture = Probe::ALL.iter().find(|(known, ..)| *known == probe).map_or("", |(_, name, _)| name);
    let body = json!({"light": light, "picture": picture, "seconds": step.as_secs_f64()});
    let _: serde_json::Value =
        client.post("/api/v1/lights/test", &body).map_err(|e| Failure::new(e.to_string()))?;
    Ok(())
}

fn test(show: &Show, named: &[String], leds: usize, step: Duration, at: &Selector) -> Result<(), Failure> {
    let mut all: Vec<(String, LightConfig, usize)> = Vec::new();
    for name in named {
        match show.lights.iter().find(|light| light.name == *name) {
            Some(light) => all.push((light.name.clone(), target(light)?, light.leds)),
            None => {
                let target = name.parse::<LightConfig>().map_err(|why| {
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
    let running = client(at).filter(|client| client.status().is_ok());
    for (name, mut config, leds) in all {
        // A K1 that drives the light shows the pictures itself; two senders would disturb each other.
        if let Some(client) = &running
            && ask(client, &name, Probe::Blink, step).is_ok()
        {
            steps(&name, |probe| {
                ask(client, &name, probe, step)?;
                std::thread::sleep(step);
                Ok(())
            })?;
            continue;
        }
        // Pure colours, of a known brightness.
        config.settings.balance = Rgb::WHITE;
        config.settings.brightness = 1.0;
        let mut open = sink::open(&config, Strip { leds, limit_ma: None }, &Spared::default())?;
        let result = steps(&name, |probe| {
            show_on(&mut open, leds, probe, step);
            Ok(())
        });
        let _ = open.sink.end(Stop::Dark, open.fit.dark());
        open.light.take_lines().iter().for_each(k1_host::say);
        result?;
    }
    console::line(
        "If a colour was another one than its line said, give the light its order in the show file, such as order = \"grb\".",
    )?;
    Ok(())
}

/// The steps of a test on one light. `show` shows a picture for a step.
fn steps(name: &str, mut show: impl FnMut(Probe) -> Result<(), Failure>) -> Result<(), Failure> {
    for (probe, _, says) in Probe::ALL {
        console::line(format!("{name}: {says}"))?;
        show(probe)?;
    }
    Ok(())
}

/// Shows a picture on a light that no K1 drives.
fn show_on(open: &mut Open, leds: usize, probe: Probe, step: Duration) {
    let began = Instant::now();
    while began.elapsed() < step {
        let at = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let light: Vec<Rgb> = (0..leds).map(|led| probe.colour(led, at)).collect();
        open.fit.fit(&light, false);
        // A light that cannot be reached says so once, after the test.
        let _ = open.sink.show(&Frame { light: &light, channels: open.fit.last() });
        open.sink.tend();
        std::thread::sleep(FRAME);
    }
}
