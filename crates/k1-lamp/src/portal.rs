//! The lamp's own access point: addresses, names and the page on which its owner chooses a network.
//! [`k1_device::portal`] decides each answer; this module receives and sends.

use alloc::string::String;
use alloc::vec;
use core::net::Ipv4Addr;

use embassy_futures::select::select4;
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Write as _;
use k1_device::portal::leases::{self, Leases};
use k1_device::portal::{self, ADDRESS, Choice, MOST_FORM, View};
use k1_http::body::Intake;
use k1_http::head::{self, Parsed};
use k1_http::limits::LAMP;
use k1_wire::dns;

use crate::Lamp;
use crate::home::name;

/// Number of sockets of the portal: one for addresses, one for names, and two for connections.
pub const SOCKETS: usize = 4;
/// Longest time for a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the answer to arrive before the access point closes.
const FAREWELL: Duration = Duration::from_secs(2);

/// Name of the access point: `K1-` and the end of the hardware address.
pub fn access_point(mac: [u8; 6]) -> heapless::String<32> {
    let mut text = heapless::String::new();
    // Seven characters, which fit.
    let _ = core::fmt::Write::write_fmt(&mut text, format_args!("K1-{:02X}{:02X}", mac[4], mac[5]));
    text
}

/// Network configuration of the lamp on its access point.
pub fn config() -> embassy_net::Config {
    embassy_net::Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Addr::from(ADDRESS), 24),
        gateway: None,
        dns_servers: Default::default(),
    })
}

/// Serves until a user has chosen a network, then stores the choice and returns.
///
/// Its buffers are on the heap until then, because a lamp on a network does not need them.
pub async fn serve(lamp: &'static Lamp, stack: Stack<'static>) {
    let visits = async {
        let choice = embassy_futures::select::select(visit(lamp, stack), visit(lamp, stack)).await;
        match choice {
            embassy_futures::select::Either::First(choice)
            | embassy_futures::select::Either::Second(choice) => choice,
        }
    };
    let served = select4(lend(stack), point(stack), look_round(lamp), visits).await;
    let embassy_futures::select::Either4::Fourth(choice) = served else { return };
    Timer::after(FAREWELL).await;
    lamp.note(|s| {
        (s.memory.wifi.ssid, s.memory.wifi.password) = (choice.ssid, choice.password);
        s.not_joined.clear();
    });
    lamp.changed.signal(());
}

/// Answers requests for addresses (DHCP). Never returns.
async fn lend(stack: Stack<'static>) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let (mut rx, mut tx) = (vec![0; 2 * leases::MOST], vec![0; 2 * leases::MOST]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    let mut leases = Leases::new(|| Instant::now().as_secs());
    let (mut message, mut answer) = (vec![0; leases::MOST], [0; leases::MOST]);
    let everybody = IpEndpoint::new(IpAddress::Ipv4(Ipv4Addr::BROADCAST), leases::CLIENT_PORT);
    if socket.bind(leases::PORT).is_err() {
        return core::future::pending().await;
    }
    loop {
        // Messages that are longer than any client needs are not answered.
        let Ok((n, _)) = socket.recv_from(&mut message).await else { continue };
        if let Some(n) = leases.answer(&message[..n], &mut answer) {
            let _ = socket.send_to(&answer[..n], everybody).await;
        }
    }
}

/// Answers every DNS query with the lamp's address. Never returns.
async fn point(stack: Stack<'static>) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut rx, mut tx) = (vec![0; 2 * dns::MOST], vec![0; 2 * dns::MOST]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    let (mut query, mut answer) = (vec![0; dns::MOST], [0; dns::MOST]);
    if socket.bind(dns::PORT).is_err() {
        return core::future::pending().await;
    }
    loop {
        let Ok((n, from)) = socket.recv_from(&mut query).await else { continue };
        if let Some(n) = dns::answer(&query[..n], ADDRESS, &mut answer) {
            let _ = socket.send_to(&answer[..n], from).await;
        }
    }
}

/// Requests scans to keep the list of networks current. Scans are rare, because the radio cannot hear its clients
/// during a scan. Never returns.
async fn look_round(lamp: &'static Lamp) {
    loop {
        lamp.scan.signal(());
        Timer::after_secs(20).await;
    }
}

/// Answers one connection after another until a network is chosen.
async fn visit(lamp: &'static Lamp, stack: Stack<'static>) -> Choice {
    let (mut receive, mut send) = (vec![0; 1_024], vec![0; 1_460]);
    loop {
        let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
        socket.set_timeout(Some(PATIENCE));
        if socket.accept(80).await.is_err() {
            Timer::after_millis(10).await;
            continue;
        }
        let answer = with_timeout(PATIENCE, ask(lamp, &mut socket)).await.ok().flatten();
        let mut chosen = None;
        if let Some((text, choice)) = answer {
            let _ = with_timeout(PATIENCE, socket.write_all(text.as_bytes())).await;
            chosen = choice;
        }
        socket.close();
        let _ = with_timeout(Duration::from_millis(500), socket.flush()).await;
        socket.abort();
        let _ = with_timeout(Duration::from_millis(500), socket.flush()).await;
        if let Some(choice) = chosen {
            return choice;
        }
    }
}

/// Reads a request and returns its answer; `None` if the bytes are not a request.
async fn ask(lamp: &'static Lamp, socket: &mut TcpSocket<'_>) -> Option<(String, Option<Choice>)> {
    let mut bytes = vec![0; LAMP.head_bytes];
    let mut filled = 0;
    let length = loop {
        match head::parse(&bytes[..filled], LAMP.head_bytes) {
            Parsed::More => {}
            Parsed::Head(_, length) => break length,
            Parsed::Wrong(_) => return None,
        }
        match socket.read(&mut bytes[filled..]).await {
            Ok(n @ 1..) => filled += n,
            _ => return None,
        }
    };
    let Parsed::Head(head, _) = head::parse(&bytes[..filled], LAMP.head_bytes) else { return None };
    let mut intake = Intake::new(head.framing, MOST_FORM);
    let mut body = vec![0; MOST_FORM];
    let mut is_whole = intake.feed(&bytes[length..filled], &mut body).is_ok();
    let mut piece = [0; 128];
    while is_whole && !intake.is_done() {
        match socket.read(&mut piece).await {
            Ok(n @ 1..) => is_whole = intake.feed(&piece[..n], &mut body).is_ok(),
            _ => return None,
        }
    }
    is_whole &= intake.verdict().is_ok();
    let body = is_whole.then(|| &body[..intake.kept()]);
    // Copied first, because a lock on the lamp's state delays the light.
    let (name, networks, failed) =
        lamp.look(|s| (name(&s.memory, s.facts.mac), s.networks.clone(), s.not_joined.clone()));
    Some(portal::answer(&head, body, &View { name: &name, networks: &networks, failed: &failed }))
}
