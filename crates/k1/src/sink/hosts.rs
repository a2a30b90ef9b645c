//! Which addresses can belong to one host.

use std::net::IpAddr;

/// True for an address that can belong to one host: not broadcast, multicast or unspecified.
pub fn is_one_host(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0),
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_unspecified()),
    }
}
