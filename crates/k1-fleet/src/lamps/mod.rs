//! Lamps on the network: who is there, what they are called, and talking with them.
//!
//! | Room | What it does |
//! |---|---|
//! | [`selector`] | how a user says which lamp is meant |
//! | [`nearby`] | who answers to multicast DNS |
//! | [`virtual_lamp`] | the virtual lamps that run on this machine |
//! | [`tokens`] | the tokens that this user's lamps want |
//! | [`client`] | requests and answers, as the types of `k1-device` |
//! | [`watch`] | the live frames of a lamp |
//! | [`playback`] | sound for a lamp |
//! | [`figures`] | the figures of a lamp with their limits, each once |

pub mod client;
pub mod figures;
pub mod nearby;
pub mod playback;
pub mod selector;
pub mod test_signal;
pub mod tokens;
pub mod virtual_lamp;
pub mod watch;

use std::time::Duration;

pub use client::{Client, Trouble};
pub use selector::Place;

/// A lamp that can be asked: what it is called here, its address, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// What the user called it.
    pub label: String,
    /// `HOST:PORT`, as a request names it.
    pub authority: String,
    /// Its token, if one is known.
    pub token: Option<String>,
    /// UDP port on this machine that leads to its ear; virtual lamps have one.
    pub sound: Option<u16>,
    /// UDP port on this machine that leads to its door for espota's clients; virtual lamps have one.
    pub ota: Option<u16>,
}

/// How long a lamp may take to answer to its name.
const CALL: Duration = Duration::from_secs(3);

/// The address of a lamp. Its token is, in this order, the one of the command line, of the address, of the running
/// virtual lamp, or the one remembered from before.
///
/// # Errors
///
/// A sentence that says what to do if there is no such lamp.
pub fn find(place: &Place, token: Option<&str>) -> Result<Address, String> {
    let mut address = match place {
        Place::Virtual => {
            let berth = virtual_lamp::running().pop().ok_or(
                "no virtual lamp runs on this machine; start one with `k1 virt`, or name a lamp or an address",
            )?;
            berth.address()
        }
        Place::At { host, port, token } => {
            let authority = selector::authority(host, *port);
            // A virtual lamp of this machine may be meant by its address too.
            let berth = virtual_lamp::at(&authority);
            let sound = berth.as_ref().map(|b| b.sound);
            let ota = berth.as_ref().map(|b| b.ota);
            let known = token.clone().or_else(|| berth.map(|b| b.token));
            Address { label: authority.clone(), authority, token: known, sound, ota }
        }
        Place::Named(name) => named(name)?,
    };
    if let Some(token) = token {
        address.token = Some(token.to_owned());
    }
    if address.token.is_none() {
        address.token = tokens::recall(&[&address.label, &address.authority]);
    }
    Ok(address)
}

fn named(name: &str) -> Result<Address, String> {
    let found = nearby::call(name, CALL)?;
    match found {
        Some(lamp) => Ok(Address {
            label: lamp.name,
            authority: lamp.address.to_string(),
            token: None,
            sound: None,
            ota: None,
        }),
        None => Err(format!(
            "no lamp answers to the name {name}; `k1 devices` lists who does, and an address (192.168.1.40, or the \
             page's whole address with its token) works where multicast does not"
        )),
    }
}

/// Every lamp that is named, or, if none is, every one that can be found within `patience`.
///
/// # Errors
///
/// A sentence if a named one cannot be found.
pub fn find_all(places: &[Place], token: Option<&str>, patience: Duration) -> Result<Vec<Address>, String> {
    if !places.is_empty() {
        return places.iter().map(|p| find(p, token)).collect();
    }
    let mut all: Vec<_> = virtual_lamp::running().iter().map(virtual_lamp::Berth::address).collect();
    for lamp in nearby::listen(patience)? {
        let authority = lamp.address.to_string();
        let known = token.map(str::to_owned).or_else(|| tokens::recall(&[&lamp.name, &authority]));
        if all.iter().all(|a| a.authority != authority) {
            all.push(Address { label: lamp.name, authority, token: known, sound: None, ota: None });
        }
    }
    Ok(all)
}
