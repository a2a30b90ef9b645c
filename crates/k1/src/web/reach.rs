//! The addresses at which other machines reach this one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// An address, its interface, and whether the interface is up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    interface: String,
    ip: IpAddr,
    is_up: bool,
}

/// The useful addresses of this machine, best first: the one of the default route, other IPv4 addresses, IPv6
/// addresses. Addresses of the last resort are listed only if there are no others.
pub fn addresses() -> Vec<IpAddr> {
    let default = [route_to("203.0.113.1:9"), route_to("[2001:db8::1]:9")];
    ranked(&found(), &default)
}

/// The addresses of the interface with this name; empty if there is no such interface.
pub fn of_interface(name: &str) -> Vec<IpAddr> {
    let all = found().into_iter().filter(|f| f.interface == name && !is_link_local_v6(&f.ip));
    all.map(|f| f.ip).collect()
}

fn found() -> Vec<Found> {
    // Without the right to ask, the list is empty; the lines that print addresses say so.
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    // A driver that does not report its state counts as up (IFF_RUNNING).
    all.map(|i| Found { is_up: i.is_oper_up(), ip: i.ip(), interface: i.name }).collect()
}

/// The address from which this machine would send to `place`. Connecting a UDP socket sends nothing. The callers'
/// places are reserved for documentation (RFC 5737, RFC 3849), so only the default route leads there.
fn route_to(place: &str) -> Option<IpAddr> {
    let place: SocketAddr = place.parse().ok()?;
    let here: SocketAddr = if place.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(here).ok()?;
    socket.connect(place).ok()?;
    socket.local_addr().ok().map(|a| a.ip())
}

/// True for an IPv6 address that is valid only together with an interface; browsers do not accept one in a URL.
fn is_link_local_v6(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// True for an interface that leads only to containers and virtual machines on this machine.
fn is_indoors(interface: &str) -> bool {
    const NAMES: [&str; 11] = [
        "docker",
        "br-",
        "virbr",
        "vmnet",
        "vboxnet",
        "lxcbr",
        "lxdbr",
        "cni",
        "podman",
        "flannel",
        "vEthernet",
    ];
    NAMES.iter().any(|n| interface.starts_with(n))
}

fn ranked(found: &[Found], default: &[Option<IpAddr>]) -> Vec<IpAddr> {
    // A virtual Ethernet pair also ends in a container, where it is the only way out, so it counts.
    let rank = |f: &Found| {
        let is_auto = matches!(f.ip, IpAddr::V4(v4) if v4.is_link_local());
        let is_default = default.contains(&Some(f.ip));
        (!is_default && (is_auto || is_indoors(&f.interface)), f.ip.is_ipv6(), !is_default)
    };
    let counts = |f: &&Found| {
        f.is_up
            && !f.ip.is_loopback()
            && !f.ip.is_unspecified()
            && !is_link_local_v6(&f.ip)
            && !f.ip.is_multicast()
    };
    let mut all: Vec<&Found> = found.iter().filter(counts).collect();
    all.sort_by_key(|f| rank(f));
    // Use addresses that lead to no other machine only if there are no others.
    if all.first().is_some_and(|f| !rank(f).0) {
        all.retain(|f| !rank(f).0);
    }
    let mut ips: Vec<IpAddr> = Vec::new();
    for f in all {
        if !ips.contains(&f.ip) {
            ips.push(f.ip);
        }
    }
    ips
}

/// The addresses at which other machines reach a listener at `address`, best first.
pub fn of_listener(address: SocketAddr, takes_both: bool) -> Vec<SocketAddr> {
    let port = address.port();
    match address.ip() {
        ip if !ip.is_unspecified() => {
            if ip.is_loopback() {
                Vec::new()
            } else {
                vec![address]
            }
        }
        IpAddr::V4(_) => {
            addresses().into_iter().filter(IpAddr::is_ipv4).map(|ip| SocketAddr::new(ip, port)).collect()
        }
        IpAddr::V6(_) => addresses()
            .into_iter()
            .filter(|ip| takes_both || ip.is_ipv6())
            .map(|ip| SocketAddr::new(ip, port))
            .collect(),
    }
}

/// The address at which this machine itself reaches a listener at `address`.
pub fn from_here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(all: &[(&str, &str)]) -> Vec<Found> {
        let one = |(interface, ip): &(&str, &str)| {
            let (interface, is_up) = match interface.strip_suffix('!') {
                Some(down) => (down, false),
                None => (*interface, true),
            };
            Found { interface: interface.into(), ip: ip.parse().unwrap(), is_up }
        };
        all.iter().map(one).collect()
    }

    #[track_caller]
    fn shows(all: &[(&str, &str)], default: &[&str], expected: &[&str]) {
        let default: Vec<_> = default.iter().map(|d| Some(d.parse().unwrap())).collect();
        let got: Vec<_> = ranked(&machine(all), &default).iter().map(IpAddr::to_string).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn only_what_others_reach_counts_and_the_default_route_comes_first() {
        shows(&[("lo", "127.0.0.1"), ("lo", "::1")], &[], &[]);
        shows(
            &[
                ("lo", "127.0.0.1"),
                ("eth0", "192.168.1.4"),
                ("wlan0", "10.0.0.7"),
                ("wlan0", "fd00::7"),
                ("wlan0", "fe80::7"),
            ],
            &["10.0.0.7"],
            &["10.0.0.7", "192.168.1.4", "fd00::7"],
        );
        shows(&[("eth0!", "192.168.1.4"), ("wlan0", "10.0.0.7")], &[], &["10.0.0.7"]);
        shows(&[("eth0", "fd00::2"), ("eth0", "2001:db8::5")], &["2001:db8::5"], &["2001:db8::5", "fd00::2"]);
    }

    #[test]
    fn what_leads_indoors_is_shown_only_if_there_is_nothing_else() {
        let indoors = [("docker0", "172.17.0.1"), ("br-1a2b", "172.18.0.1"), ("virbr0", "192.168.122.1")];
        shows(&indoors, &[], &["172.17.0.1", "172.18.0.1", "192.168.122.1"]);
        let mut all = vec![("lo", "127.0.0.1"), ("eth0", "192.168.1.4")];
        all.extend(indoors);
        shows(&all, &["192.168.1.4"], &["192.168.1.4"]);
        // A bridge that is this machine's way out is also a way in.
        shows(&[("br-lan", "192.168.1.1"), ("docker0", "172.17.0.1")], &["192.168.1.1"], &["192.168.1.1"]);
        // In a container, one end of a virtual Ethernet pair is the only interface.
        shows(&[("veth7", "172.17.0.2")], &[], &["172.17.0.2"]);
        // A cable between two machines.
        shows(&[("eth0", "169.254.3.4"), ("eth0", "fe80::1")], &[], &["169.254.3.4"]);
        shows(&[("eth0", "169.254.3.4"), ("wlan0", "10.0.0.7")], &[], &["10.0.0.7"]);
    }

    #[test]
    fn this_machine_answers_for_itself() {
        assert!(addresses().iter().all(|ip| !ip.is_loopback() && !ip.is_unspecified()));
        assert_eq!(of_listener(([127, 0, 0, 1], 80).into(), false), []);
        assert_eq!(of_listener(([10, 0, 0, 1], 80).into(), false), [([10, 0, 0, 1], 80).into()]);
        assert!(of_listener(([0, 0, 0, 0], 80).into(), false).iter().all(|a| a.is_ipv4() && a.port() == 80));
        assert_eq!(from_here(([0, 0, 0, 0], 80).into()), ([127, 0, 0, 1], 80).into());
        assert_eq!(of_interface("no-such-interface"), Vec::<IpAddr>::new());
    }
}
