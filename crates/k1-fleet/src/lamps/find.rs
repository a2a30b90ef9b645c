//! Finds the lamps that a user has named.

use std::time::Duration;

use super::address::{Address, authority};
use super::selector::Selector;
use super::virtual_lamp::{self, VirtualLamp};
use super::{nearby, tokens};

/// Time that a lamp has to answer to its name.
const CALL: Duration = Duration::from_secs(3);

/// The address of a lamp. Its token is the first that exists of: the token of the command line, of the address, of the
/// running virtual lamp, the remembered one.
///
/// # Errors
///
/// A sentence that says what to do if the lamp cannot be found.
pub fn find(selector: &Selector, token: Option<&str>) -> Result<Address, String> {
    let mut address = match selector {
        Selector::Virtual => {
            let lamp = virtual_lamp::running().pop().ok_or(
                "no virtual lamp is running on this machine; start one with `k1 virt`, or name a lamp or an address",
            )?;
            lamp.address()
        }
        Selector::At { host, port, token } => {
            let authority = authority(host, *port);
            // An address may also name a virtual lamp of this machine.
            let lamp = virtual_lamp::at(&authority);
            let sound = lamp.as_ref().map(|l| l.sound);
            let ota = lamp.as_ref().map(|l| l.ota);
            let known = token.clone().or_else(|| lamp.map(|l| l.token));
            Address { label: authority.clone(), authority, token: known, sound, ota }
        }
        Selector::Named(name) => named(name)?,
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

/// Every named lamp; if `named` is empty, every lamp that answers within `patience`.
///
/// # Errors
///
/// A sentence if a named lamp cannot be found.
pub fn find_all(
    selectors: &[Selector],
    token: Option<&str>,
    patience: Duration,
) -> Result<Vec<Address>, String> {
    if !selectors.is_empty() {
        return selectors.iter().map(|s| find(s, token)).collect();
    }
    let mut all: Vec<_> = virtual_lamp::running().iter().map(VirtualLamp::address).collect();
    for lamp in nearby::listen(patience)? {
        let authority = lamp.address.to_string();
        let known = token.map(str::to_owned).or_else(|| tokens::recall(&[&lamp.name, &authority]));
        if all.iter().all(|a| a.authority != authority) {
            all.push(Address { label: lamp.name, authority, token: known, sound: None, ota: None });
        }
    }
    Ok(all)
}
