//! This machine's neighbour table: which addresses on its own network answer.
//!
//! Linux reports unused addresses to sockets, but limits the rate over all sockets together, so with many missing
//! lights silence means nothing. The neighbour table has no such limit.

use std::net::{IpAddr, Ipv4Addr};

/// State of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// Somebody has answered for it.
    Answers,
    /// The system asks for it, and nobody has answered.
    Silent,
    /// Unknown: the address is behind a router, on a network without address resolution, or not IPv4.
    Unknown,
}

/// Looks an address up. Reads a system file, so do not call it on the way of a frame.
pub fn look(ip: IpAddr) -> Neighbour {
    let IpAddr::V4(ip) = ip else { return Neighbour::Unknown };
    if !cfg!(target_os = "linux") {
        return Neighbour::Unknown;
    }
    std::fs::read_to_string("/proc/net/arp").map_or(Neighbour::Unknown, |table| find(&table, ip))
}

/// The table has a line of titles, then one for each address and interface: address, kind, flags, and more.
fn find(table: &str, ip: Ipv4Addr) -> Neighbour {
    let mut found = Neighbour::Unknown;
    for line in table.lines().skip(1) {
        let mut words = line.split_whitespace();
        if words.next().and_then(|word| word.parse().ok()) != Some(ip) {
            continue;
        }
        match words.nth(1).and_then(|flags| u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()) {
            Some(0) => found = Neighbour::Silent,
            // The route decides which of two interfaces the system uses to ask for it.
            Some(_) => return Neighbour::Answers,
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_table_is_read() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.9.0.77        0x1         0x0         00:00:00:00:00:00     *        v0\n\
                     10.9.0.2         0x1         0x2         ca:fe:00:00:00:01     *        v0\n\
                     10.9.0.3         0x1         0x0         00:00:00:00:00:00     *        v0\n\
                     10.9.0.3         0x1         0x6         ca:fe:00:00:00:02     *        v1\n\
                     10.9.0.4\n\
                     10.9.0.5         0x1         what\n";
        for (ip, is) in [
            ("10.9.0.77", Neighbour::Silent),
            ("10.9.0.2", Neighbour::Answers),
            ("10.9.0.3", Neighbour::Answers),
            ("10.9.0.4", Neighbour::Unknown),
            ("10.9.0.5", Neighbour::Unknown),
            ("10.9.0.7", Neighbour::Unknown),
        ] {
            assert_eq!(find(table, ip.parse().unwrap()), is, "{ip}");
        }
        assert_eq!(find("", Ipv4Addr::LOCALHOST), Neighbour::Unknown);
        assert_eq!(look("::1".parse().unwrap()), Neighbour::Unknown);
    }
}
