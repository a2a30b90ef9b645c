//! `k1 lights add`: asks a light what it is, and writes it into the show.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use k1_fleet::lamps::wled::{self, Wled};
use k1_host::console;
use k1_show::read::check_name;
use k1_show::{LONGEST_NAME, Light};

use super::ranges;
use crate::cli::AddArgs;
use crate::commands::Failure;
use crate::show::{self, Addition, Search, Seen, Stored, joined, settings_of, split, target, target_of};
use crate::sink::poll::{self, ArtNetNode};
use crate::sink::{LightConfig, Target};

/// Port of WLED's page.
const WLED_PAGE: u16 = 80;
/// Time that an Art-Net node has to answer.
const POLL: Duration = Duration::from_millis(1_500);

/// What is known about the light that a user means.
#[derive(Default)]
struct Known {
    /// Its target without settings.
    to: String,
    settings: Vec<(String, String)>,
    name: Option<String>,
    leds: Option<usize>,
    /// Columns and rows.
    matrix: Option<(usize, usize)>,
    /// Universes that it puts out, if it is an Art-Net node.
    universes: Vec<u16>,
}

impl Known {
    /// A light by its target alone.
    fn target(text: &str) -> Self {
        let (to, settings) = split(text);
        Self { to, settings, ..Self::default() }
    }

    /// The same, with what WLED tells.
    fn told(mut self, wled: Wled) -> Self {
        if !self.settings.iter().any(|(key, _)| key == "order") {
            self.settings.extend(settings_of(&wled));
        }
        Self { name: Some(wled.name), leds: Some(wled.leds), matrix: wled.matrix, ..self }
    }

    fn node(node: ArtNetNode) -> Self {
        let (to, settings) = target_of(&node);
        Self { to, settings, name: Some(node.name), universes: node.universes, ..Self::default() }
    }

    fn seen(seen: Seen) -> Result<Self, Failure> {
        let light = seen.light;
        match light.to {
            Some(to) if light.kind == "artnet" || light.leds.is_some() => Ok(Self {
                name: Some(light.name),
                leds: light.leds,
                matrix: light.matrix.map(|[columns, rows]| (columns, rows)),
                universes: light.universes,
                ..Self::target(&to)
            }),
            _ => Err(Failure::new(light.trouble.unwrap_or_else(|| {
                format!(
                    "{} is a K1 lamp, which hears by itself and needs no other K1; its page is at {}",
                    seen.id, seen.address
                )
            }))),
        }
    }

    /// Sets the first universe.
    fn begin_at(&mut self, universe: u16) -> Result<(), Failure> {
        if !self.to.starts_with("artnet://") && !self.to.starts_with("sacn://") {
            return Err(Failure::usage(format!(
                "--universe is for Art-Net and sACN, and this light is at {}; leave it out",
                self.to
            )));
        }
        self.settings.retain(|(key, _)| key != "universe");
        self.settings.push(("universe".into(), universe.to_string()));
        Ok(())
    }
}

/// True for what begins like a target, such as `adalight:`; false for an address or a name, with a port or without.
fn is_target(text: &str) -> bool {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.chars().all(|c| c.is_ascii_alphanumeric()) && rest.parse::<u16>().is_err()
    });
    text == "terminal" || has_scheme && text.parse::<IpAddr>().is_err()
}

/// The light that a user means.
fn resolve(args: &AddArgs) -> Result<Known, Failure> {
    let text = args.light.trim();
    if text.is_empty() {
        return Err(Failure::usage(
            "name a light: an address, a name that `k1 lights find` lists, or a target such as ddp://HOST"
                .into(),
        ));
    }
    if is_target(text) {
        let host = text.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        // A target that may be WLED tells its number of LEDs, if it is asked for.
        let is_asked = args.leds.is_none() && text.to_ascii_lowercase().starts_with("ddp://");
        let wled =
            host.filter(|_| is_asked).map(|host| wled::ask(host.split(['/', '?']).next().unwrap_or(host)));
        let known = Known::target(text);
        return match wled.transpose() {
            Ok(Some(wled)) => Ok(known.told(wled)),
            Ok(None) => Ok(known),
            Err(why) => Err(Failure::new(format!("{why}; add --leds N"))),
        };
    }
    // An address needs no search.
    if text.parse::<IpAddr>().is_err() && !text.contains(['.', ':']) {
        let Search { seen, trouble } = show::find(Duration::from_secs_f64(args.search_s));
        let is_it = |known: &str| known.eq_ignore_ascii_case(text);
        let mut them = seen.into_iter().filter(|seen| is_it(&seen.id) || is_it(&seen.light.name));
        return match (them.next(), them.next()) {
            (Some(seen), None) => Known::seen(seen),
            (Some(one), Some(other)) => Err(Failure::new(format!(
                "the name {text} belongs to {} and to {}; give an address",
                one.address.ip(),
                other.address.ip()
            ))),
            (None, _) => {
                let why = trouble.map(|why| format!(" ({why})")).unwrap_or_default();
                Err(Failure::new(format!(
                    "nothing answers to the name {text}{why}; `k1 lights find` lists what answers, and an address works as well"
                )))
            }
        };
    }
    let authority = if text.contains(':') { text.to_owned() } else { format!("{text}:{WLED_PAGE}") };
    // A device without a page may let K1 wait, so both questions are asked at once.
    let (wled, node) = std::thread::scope(|scope| {
        let polling = text.parse::<Ipv4Addr>().ok().map(|ip| scope.spawn(move || poll::ask(ip, POLL)));
        let wled = wled::ask(&authority);
        (wled, polling.and_then(|polling| polling.join().ok().flatten()))
    });
    let ddp = Known::target(&format!("ddp://{text}"));
    match (wled, node) {
        (Ok(wled), _) => Ok(ddp.told(wled)),
        (Err(_), Some(node)) => Ok(Known::node(node)),
        (Err(_), None) if args.leds.is_some() => Ok(ddp),
        (Err(why), None) => Err(Failure::new(format!("{why}; for another DDP receiver add --leds N"))),
    }
}

/// The universes that a light needs and its node does not put out.
fn missing(config: &LightConfig, leds: usize, universes: &[u16]) -> Vec<u16> {
    let Target::ArtNet { universes: wanted, .. } = &config.target else { return Vec::new() };
    let first = wanted.first();
    let count = wanted.count(config.settings.channels_of(leds));
    let all = (0..count).filter_map(|i| first.checked_add(u16::try_from(i).ok()?));
    all.filter(|universe| !universes.contains(universe)).collect()
}

/// Adds a light.
pub fn add(args: &AddArgs) -> Result<(), Failure> {
    let mut known = resolve(args)?;
    if let Some(universe) = args.universe {
        known.begin_at(universe)?;
    }
    let leds = args.leds.or(known.leds).ok_or_else(|| {
        Failure::usage(match known.universes.len() {
            0 => "K1 does not know how many LEDs this light has; add --leds N".to_owned(),
            n => format!(
                "an Art-Net node does not tell how many LEDs it has; add --leds N (its {n} universes have room for {} \
                 RGB LEDs)",
                n * 170
            ),
        })
    })?;
    // A name that a show cannot have is not worth a refusal.
    let told = known.name.filter(|name| (1..=LONGEST_NAME).contains(&name.len()));
    let name = args.name.clone().or(told);
    let name = name.unwrap_or_else(|| args.light.clone());
    check_name(&name).map_err(|why| Failure::usage(format!("{why}; give another one with --name")))?;
    if let Some(zone) = &args.zone {
        check_name(zone).map_err(|why| Failure::usage(format!("{why}; give another one with --zone")))?;
    }
    // Another number of LEDs than the device tells is another shape.
    let matrix = known.matrix.filter(|_| known.leds == Some(leds));
    let light = Light { name: name.clone(), to: known.to, leds, settings: known.settings };
    let config = target(&light).map_err(Failure::usage)?;
    let path = args.of.path()?;
    let new = Addition {
        light,
        zone: args.zone.clone().unwrap_or_else(|| name.clone()),
        reversed: args.reversed,
        matrix,
        pattern: args.pattern,
        palette: args.palette,
    };
    show::add(&mut Stored::open(&path)?, &new)?;
    console::line(format!(
        "{name}: {leds} LEDs at {}, in the zone {}, written to {}",
        joined(&new.light.to, &new.light.settings),
        new.zone,
        path.display()
    ))?;
    let missing = missing(&config, leds, &known.universes);
    if !known.universes.is_empty() && !missing.is_empty() {
        console::line(format!(
            "The node does not put out {} of these universes ({}); set its ports to them, or change `universe` or `leds` in the \
             show file.",
            missing.len(),
            ranges(&missing)
        ))?;
    }
    Ok(())
}
