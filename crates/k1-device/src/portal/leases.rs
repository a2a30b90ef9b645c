//! Addresses for the devices that join the lamp's access point: DHCP (RFC 2131), by `edge-dhcp`.

use core::net::Ipv4Addr;

use edge_dhcp::server::{Server, ServerOptions};
use edge_dhcp::{Options, Packet};

use super::ADDRESS;

/// UDP port of the server.
pub const PORT: u16 = 67;
/// UDP port of the client.
pub const CLIENT_PORT: u16 = 68;
/// Length in bytes of the longest message that every client accepts (RFC 2131, 2).
pub const MOST: usize = 576;
/// Most devices that have an address at once: more than the radio admits.
const MOST_LEASES: usize = 8;
/// Duration of a lease in seconds. It is short, because the access point is open for minutes.
const LEASE_S: u32 = 600;

/// The leases: which device has which address.
pub struct Leases(Server<fn() -> u64, MOST_LEASES>);

impl Leases {
    /// No leases yet; `now_s` is the lamp's clock in seconds.
    pub const fn new(now_s: fn() -> u64) -> Self {
        let [a, b, c, d] = ADDRESS;
        Self(Server::new(now_s, Ipv4Addr::new(a, b, c, d)))
    }

    /// Answers a message. Returns the length of the answer in `out`, which must be broadcast, because the client does
    /// not have an address yet; `None` for a message that needs no answer.
    pub fn answer(&mut self, message: &[u8], out: &mut [u8; MOST]) -> Option<usize> {
        let lamp = Ipv4Addr::from(ADDRESS);
        let request = Packet::decode(message).ok()?;
        let (mut gateway, mut options) = ([lamp], Options::buf());
        let servers = [lamp];
        let mut offer = ServerOptions::new(lamp, Some(&mut gateway));
        offer.dns = &servers;
        offer.lease_duration_secs = LEASE_S;
        // RFC 8910: tells a phone about the page, so that it does not have to guess.
        offer.captive_url = Some(super::PAGE);
        let reply = self.0.handle_request(&mut options, &offer, &request)?;
        reply.encode(out).ok().map(<[u8]>::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_dhcp::{DhcpOption, MessageType};
    use proptest::prelude::*;
    use std::vec::Vec;

    /// A message from a client: the last byte of its hardware address, the type of the message, and the address that it
    /// requests.
    fn message(client: u8, kind: MessageType, wanted: Option<Ipv4Addr>) -> Vec<u8> {
        // A phone requests subnet, router, name server and page.
        let mut options =
            std::vec![DhcpOption::MessageType(kind), DhcpOption::ParameterRequestList(&[1, 3, 6, 114]),];
        options.extend(wanted.map(DhcpOption::RequestedIpAddress));
        let packet = Packet::new_request([2, 0, 0, 0, 0, client], 7, 0, None, true, Options::new(&options));
        let mut bytes = [0; MOST];
        packet.encode(&mut bytes).unwrap().to_vec()
    }

    fn ask(leases: &mut Leases, message: &[u8]) -> Option<(Option<MessageType>, Ipv4Addr)> {
        let mut out = [0; MOST];
        let n = leases.answer(message, &mut out)?;
        let reply = Packet::decode(&out[..n]).unwrap();
        assert!(reply.reply);
        let kind = reply.options.iter().find_map(|o| match o {
            DhcpOption::MessageType(kind) => Some(kind),
            _ => None,
        });
        Some((kind, reply.yiaddr))
    }

    #[test]
    fn each_phone_gets_an_address_of_its_own_and_keeps_it() {
        let mut leases = Leases::new(|| 0);
        let mut given = Vec::new();
        for client in 0..MOST_LEASES as u8 {
            let (kind, ip) = ask(&mut leases, &message(client, MessageType::Discover, None)).unwrap();
            assert_eq!(kind, Some(MessageType::Offer));
            let (kind, again) = ask(&mut leases, &message(client, MessageType::Request, Some(ip))).unwrap();
            assert_eq!((kind, again), (Some(MessageType::Ack), ip));
            assert!(ip.octets()[..3] == ADDRESS[..3] && !given.contains(&ip), "{ip}");
            given.push(ip);
        }
        let (_, ip) = ask(&mut leases, &message(3, MessageType::Discover, None)).unwrap();
        assert_eq!(ip, given[3]);
        let (kind, _) = ask(&mut leases, &message(9, MessageType::Request, Some(given[3]))).unwrap();
        assert_eq!(kind, Some(MessageType::Nak), "another's address");
        let (kind, _) =
            ask(&mut leases, &message(9, MessageType::Request, Some(Ipv4Addr::from(ADDRESS)))).unwrap();
        assert_eq!(kind, Some(MessageType::Nak), "the lamp's own");
    }

    #[test]
    fn an_answer_names_the_lamp_for_names_and_its_page() {
        let (mut leases, mut out) = (Leases::new(|| 0), [0; MOST]);
        let n = leases.answer(&message(1, MessageType::Discover, None), &mut out).unwrap();
        let reply = Packet::decode(&out[..n]).unwrap();
        let has = |wanted: &dyn Fn(&DhcpOption) -> bool| reply.options.iter().any(|o| wanted(&o));
        let lamp = Ipv4Addr::from(ADDRESS);
        assert!(has(&|o| matches!(o, DhcpOption::DomainNameServer(s) if s.iter().any(|s| s == lamp))));
        // `edge-dhcp` 0.8 reads this option as a host name, so it is looked for in the bytes.
        let page = b"\x72\x13http://192.168.4.1/";
        assert!(out[..n].windows(page.len()).any(|w| w == page));
        assert!(has(&|o| matches!(o, DhcpOption::ServerIdentifier(s) if *s == lamp)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = Leases::new(|| 0).answer(&bytes, &mut [0; MOST]);
        }

        #[test]
        fn a_bent_message_is_borne(at in 0_usize..300, to in any::<u8>(), cut in 0_usize..300) {
            let mut m = message(1, MessageType::Discover, None);
            let last = m.len() - 1;
            m[at.min(last)] = to;
            m.truncate(m.len() - cut.min(last));
            let _ = Leases::new(|| 0).answer(&m, &mut [0; MOST]);
        }
    }
}
