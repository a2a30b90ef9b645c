//! `k1 lights`: finds, adds, tests and lists lights.

mod add;

use std::time::{Duration, Instant};

use k1_device::harmless::harmless;
use k1_engine::light::Rgb;
use k1_fleet::lamps::Client;
use k1_host::console;
use k1_host::output::Spared;
use k1_show::Show;
use serde_json::json;

use super::Failure;
use crate::cli::{LightsCommand, RunningArgs};
use crate::show::{self, Search, Seen, Stored, target};
use crate::sink::probe::Probe;
use crate::sink::{self, Frame, LightConfig, Open, Stop, Strip};

/// Interval between two frames of a test.
const FRAME: Duration = Duration::from_millis(33);

/// Does what the command says.
pub fn lights(command: &LightsCommand) -> Result<(), Failure> {
    match command {
        LightsCommand::List { json, running, of } => list(&Stored::open(&of.path()?)?, running, *json),
        LightsCommand::Find { search_s, json } => find(Duration::from_secs_f64(*search_s), *json),
        LightsCommand::Add(args) => add::add(args),
        LightsCommand::Test { lights, leds, step_s, running, of } => {
            let stored = Stored::open(&of.path()?)?;
            let reading = stored.reading();
            for fault in &reading.faults {
                k1_host::say(format_args!("k1: {}, {fault}", stored.path().display()));
            }
            test(&reading.show, lights, *leds, Duration::from_secs_f64(*step_s), running)
        }
    }
}

/// Numbers in ascending order, for a sentence: “0 … 3, 8”.
fn ranges(numbers: &[u16]) -> String {
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let part = |(first, last): &(u16, u16)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} … {last}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// What a light tells of itself, and how it is added, in one line.
fn described(seen: &Seen) -> String {
    let Seen { light, id, address } = seen;
    let (name, ip) = (&light.name, address.ip());
    let by = if id.contains([' ', '\'', '"', '$', '.', ':']) { ip.to_string() } else { id.clone() };
    match (light.kind, light.leds) {
        ("k1", _) => format!("K1 lamp {name} at {address}: hears by itself"),
        ("artnet", _) => {
            let name = if name.is_empty() { "without a name" } else { name };
            let universes = match &light.universes[..] {
                [] => "no universes".to_owned(),
                [one] => format!("universe {one}"),
                many => format!("universes {}", ranges(many)),
            };
            format!("Art-Net node {name} at {ip}: {universes}; k1 lights add {ip} --leds N")
        }
        (_, Some(leds)) => {
            let white = if light.white { ", RGBW" } else { "" };
            let matrix = light.matrix.map(|[w, h]| format!(", matrix {w} × {h}")).unwrap_or_default();
            format!("WLED {name} at {ip}: {leds} LEDs{white}{matrix}; k1 lights add {by}")
        }
        (_, None) => {
            format!(
                "WLED {name} at {ip}: {}",
                light.trouble.as_deref().unwrap_or("it does not tell its LEDs")
            )
        }
    }
}

fn find(patience: Duration, as_json: bool) -> Result<(), Failure> {
    let Search { seen, trouble } = show::find(patience);
    if seen.is_empty()
        && let Some(why) = &trouble
    {
        return Err(Failure::new(why.clone()));
    }
    if as_json {
        console::json(&seen.iter().map(|seen| &seen.light).collect::<Vec<_>>())?;
    } else if seen.is_empty() {
        console::line(
            "nothing answers by multicast DNS or ArtPoll; a light whose address you know is added with \
             `k1 lights add ADDRESS`",
        )?;
    } else {
        seen.iter().map(described).try_for_each(console::line)?;
    }
    if let Some(why) = trouble {
        k1_host::say(format_args!("k1: {why}"));
    }
    Ok(())
}

/// The lights' states, if a K1 runs.
fn states(running: &RunningArgs) -> Option<Vec<k1_device::answers::Light>> {
    running.client().ok()?.status().ok()?.lights
}

fn list(stored: &Stored, running: &RunningArgs, as_json: bool) -> Result<(), Failure> {
    let show = stored.reading().whole().map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Failure::new(format!("{}, {first}", stored.path().display()))
    })?;
    let states = states(running).unwrap_or_default();
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

fn test(
    show: &Show,
    named: &[String],
    leds: usize,
    step: Duration,
    running: &RunningArgs,
) -> Result<(), Failure> {
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
    let running = running.client().ok().filter(|client| client.status().is_ok());
    let mut unopened = Vec::new();
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
        let mut open = match sink::open(&config, Strip { leds, limit_ma: None }, &Spared::default()) {
            Ok(open) => open,
            // The others are tested all the same.
            Err(why) => {
                unopened.push(format!("{name}: {why}"));
                continue;
            }
        };
        let result = steps(&name, |probe| {
            show_on(&mut open, leds, probe, step);
            Ok(())
        });
        let _ = open.sink.end(Stop::Dark, open.fit.dark());
        open.light.take_lines().iter().for_each(k1_host::say);
        result?;
    }
    if !unopened.is_empty() {
        return Err(Failure::new(unopened.join("; ")));
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
