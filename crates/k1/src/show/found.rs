//! Lights on the network, as the command line and the API list them.

use std::time::Duration;

use k1_device::answers::FoundLight;
use k1_fleet::lamps::nearby::{self, Found};
use k1_fleet::lamps::wled;

/// WLED devices and lamps that answer within `patience`, each as it tells of itself.
///
/// # Errors
///
/// A sentence if multicast does not work on this machine.
pub fn find(patience: Duration) -> Result<Vec<(Found, FoundLight)>, String> {
    let found = nearby::lights(patience)?;
    let wled = found.wled.into_iter().map(|found| {
        let light = wled(&found);
        (found, light)
    });
    let lamps = found.lamps.into_iter().map(|found| {
        let light = unasked("k1", &found);
        (found, light)
    });
    Ok(wled.chain(lamps).collect())
}

/// A light of which no more is known than what it announces.
fn unasked(kind: &'static str, found: &Found) -> FoundLight {
    let name = found.name.clone();
    FoundLight { kind, name, to: None, leds: None, white: false, matrix: None, trouble: None }
}

fn wled(found: &Found) -> FoundLight {
    // The name stays right when the address changes. A name of this machine itself is not resolved by everybody.
    let ip = found.address.ip();
    let host = if ip.is_loopback() { ip.to_string() } else { format!("{}.local", found.name) };
    let mut light = FoundLight { to: Some(format!("ddp://{host}")), ..unasked("wled", found) };
    match wled::ask(&found.address.to_string()) {
        Ok(wled) => {
            if !wled.name.is_empty() {
                light.name = wled.name;
            }
            (light.leds, light.white) = (Some(wled.leds), wled.has_white);
            light.matrix = wled.matrix.map(|(columns, rows)| [columns, rows]);
        }
        Err(why) => light.trouble = Some(why),
    }
    light
}
