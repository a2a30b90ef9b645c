//! Lets programs find the lamp: answers multicast DNS under the lamp's own name.

use alloc::boxed::Box;
use alloc::format;
use core::net::Ipv4Addr;
use core::sync::atomic::Ordering::Relaxed;

use embassy_futures::select::{Either, select};
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Stack};
use embassy_time::Timer;
use k1_device::backend::VERSION;
use k1_wire::mdns::{self, GROUP, Host, MAX_ANSWER, PORT, Service};

use crate::Lamp;
use crate::home::name;

/// Longest query in bytes that is read; no sensible one is longer.
const MOST_QUERY: usize = 512;

/// Answers queries. Never returns.
pub async fn answer(lamp: &'static Lamp, stack: Stack<'static>) -> ! {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 2]);
    let (mut rx, mut tx) = ([0; 1_024], [0; MAX_ANSWER]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    let group = IpEndpoint::new(IpAddress::Ipv4(Ipv4Addr::from(GROUP)), PORT);
    while socket.bind(PORT).is_err() {
        Timer::after_secs(1).await;
    }
    let mut announced = 0_u8;
    let Some(mut place) = lamp.address.receiver() else { core::future::pending().await };
    loop {
        let Some(address) = place.get_and(Option::is_some).await else { continue };
        // It is not an error to join again, and it is necessary after the network was lost.
        let _ = stack.join_multicast_group(Ipv4Addr::from(GROUP));
        let (name, board) = lamp.look(|s| (name(&s.memory, s.facts.mac), s.facts.board));
        let name = label(&name);
        let texts =
            [format!("id={name}"), format!("ver={VERSION}"), format!("board={board}"), "api=/api".into()];
        let texts = texts.each_ref().map(|t| t.as_str());
        let services = [
            Service { kind: "_k1._tcp", port: 80, texts: &texts },
            Service { kind: "_http._tcp", port: 80, texts: &texts },
        ];
        let host = Host { name: &name, address: address.octets(), services: &services };
        // Two announcements a second apart (RFC 6762, 8.3).
        if announced < 2 {
            let mut out = Box::new([0; MAX_ANSWER]);
            if let Some(n) = mdns::announcement(&host, &mut out) {
                let _ = socket.send_to(&out[..n], group).await;
                drop(out);
                announced += 1;
                Timer::after_secs(1).await;
                continue;
            }
        }
        let answer = socket.recv_from_with(|packet, from| {
            if packet.len() > MOST_QUERY {
                lamp.malformed.fetch_add(1, Relaxed);
                return None;
            }
            // On the heap, and only while it is sent.
            let mut out = Box::new([0; MAX_ANSWER]);
            let n = mdns::answer(packet, &host, &mut out)?;
            // A query from another port than mDNS's is answered to that port (RFC 6762, 6.7).
            Some((out, n, if from.endpoint.port == PORT { group } else { from.endpoint }))
        });
        let Either::First(answer) = select(answer, place.changed()).await else {
            announced = 0;
            continue;
        };
        if let Some((out, n, to)) = answer {
            let _ = socket.send_to(&out[..n], to).await;
        }
    }
}

/// A name as a DNS label: letters, digits and hyphens.
fn label(name: &str) -> alloc::string::String {
    let good = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: alloc::string::String = name.chars().map(good).collect();
    match label.trim_matches('-') {
        "" => "k1".into(),
        some => some.into(),
    }
}
