//! Lights on the network, as the command line and the API list them.

use std::net::SocketAddr;
use std::time::Duration;

use k1_device::answers::FoundLight;
use k1_fleet::lamps::nearby::{self, Found};
use k1_fleet::lamps::wled::{self, Wled};

use super::joined;
use crate::sink::poll::{self, ArtNetNode, Polled};

/// A light that has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What it tells, as the API lists it.
    pub light: FoundLight,
    /// Its name on the network, which a user may write in place of its address.
    pub id: String,
    /// Address of its page, or of itself.
    pub address: SocketAddr,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// The lights.
    pub seen: Vec<Seen>,
    /// Why lights may be missing.
    pub trouble: Option<String>,
}

/// WLED devices, lamps and Art-Net nodes that answer within `patience`, each as it tells of itself.
pub fn find(patience: Duration) -> Search {
    let (found, polled) = std::thread::scope(|scope| {
        let polling = scope.spawn(|| poll::nodes(patience));
        let found = nearby::lights(patience);
        (found, polling.join().unwrap_or_default())
    });
    let (found, unheard) = match found {
        Ok(found) => (found, None),
        Err(why) => (nearby::Lights::default(), Some(why)),
    };
    let wled = found.wled.into_iter().map(|found| Seen {
        light: of_wled(&found),
        address: found.address,
        id: found.name,
    });
    let lamps = found.lamps.into_iter().map(|found| Seen {
        light: unasked("k1", &found.name),
        address: found.address,
        id: found.name,
    });
    let mut seen: Vec<_> = wled.chain(lamps).collect();
    let Polled { nodes, trouble } = polled;
    for node in nodes {
        // WLED speaks Art-Net, too, but tells more of itself in its own way.
        if !seen.iter().any(|other| other.address.ip() == node.address) {
            let address = SocketAddr::from((node.address, k1_wire::artnet::PORT));
            seen.push(Seen { light: of_node(&node), id: node.name, address });
        }
    }
    let troubles: Vec<_> = unheard.into_iter().chain(trouble).collect();
    Search { seen, trouble: (!troubles.is_empty()).then(|| troubles.join("; ")) }
}

/// A light of which no more is known than its name.
fn unasked(kind: &'static str, name: &str) -> FoundLight {
    FoundLight {
        kind,
        name: name.to_owned(),
        to: None,
        leds: None,
        white: false,
        matrix: None,
        universes: Vec::new(),
        trouble: None,
    }
}

/// The settings that make the target of a WLED device right, in the form of a target's query.
pub fn settings_of(wled: &Wled) -> Vec<(String, String)> {
    // WLED puts the colours into the order of its strip itself.
    if wled.takes_white { vec![("order".into(), "rgbw".into())] } else { Vec::new() }
}

/// The target of an Art-Net node, and its first universe as a setting.
pub fn target_of(node: &ArtNetNode) -> (String, Vec<(String, String)>) {
    let first = node.universes.first().filter(|universe| **universe > 0);
    let settings = first.map(|universe| ("universe".to_owned(), universe.to_string()));
    (format!("artnet://{}", node.address), settings.into_iter().collect())
}

fn of_node(node: &ArtNetNode) -> FoundLight {
    let (to, settings) = target_of(node);
    FoundLight {
        to: Some(joined(&to, &settings)),
        universes: node.universes.clone(),
        ..unasked("artnet", &node.name)
    }
}

fn of_wled(found: &Found) -> FoundLight {
    // The name stays right when the address changes. A name of this machine itself is not resolved by everybody.
    let ip = found.address.ip();
    let host = if ip.is_loopback() { ip.to_string() } else { format!("{}.local", found.name) };
    let to = format!("ddp://{host}");
    match wled::ask(&found.address.to_string()) {
        Ok(wled) => FoundLight {
            to: Some(joined(&to, &settings_of(&wled))),
            leds: Some(wled.leds),
            white: wled.has_white,
            matrix: wled.matrix.map(|(columns, rows)| [columns, rows]),
            ..unasked("wled", if wled.name.is_empty() { &found.name } else { &wled.name })
        },
        Err(why) => FoundLight { to: Some(to), trouble: Some(why), ..unasked("wled", &found.name) },
    }
}
