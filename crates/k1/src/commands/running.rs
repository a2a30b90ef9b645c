//! Asks a K1 that runs: its address, its token, and what to do if it does not answer.

use k1_fleet::lamps::{Client, Trouble, find};

use super::Failure;
use crate::cli::RunningArgs;
use crate::web::token;

impl RunningArgs {
    /// A client of that K1; does not send anything yet.
    ///
    /// # Errors
    ///
    /// A sentence if no K1 has the name.
    pub fn client(&self) -> Result<Client, Failure> {
        let mut address = find(&self.at, self.token.as_deref()).map_err(Failure::new)?;
        // The token of this machine's K1 is nobody else's business.
        let is_given = self.token.is_some() || self.at.has_token();
        if is_here(&address.authority) && address.sound.is_none() && !is_given {
            address.token = token::known().map(|token| token.text().to_owned()).or(address.token);
        }
        Ok(Client::new(address))
    }
}

/// True for an address of this machine itself.
fn is_here(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The sentence about a K1 that could not be asked.
pub fn failure(client: &Client, trouble: Trouble) -> Failure {
    let place = &client.address().authority;
    Failure::new(match trouble {
        Trouble::Away { .. } if is_here(place) => format!(
            "no K1 runs at {place}; start one on this machine with `k1 run`, or name another with --at HOST:PORT"
        ),
        Trouble::Locked { .. } if is_here(place) => format!(
            "the K1 at {place} needs another token; give the one that it was started with (--token, --token-file or \
             K1_TOKEN) as --token TOKEN, or that of its user, which `k1 token` prints"
        ),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_this_machine_stays_on_it() {
        for here in ["127.0.0.1:3330", "localhost:80", "[::1]:3330", "127.0.0.2:1"] {
            assert!(is_here(here), "{here}");
        }
        for there in ["192.168.1.4:3330", "desk:80", "localhost.example:80", "[fd00::1]:80"] {
            assert!(!is_here(there), "{there}");
        }
    }
}
