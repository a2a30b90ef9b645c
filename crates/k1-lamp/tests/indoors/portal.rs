//! The access point on which an owner chooses a network.

use std::net::Ipv4Addr;

use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, DhcpConfig, IpEndpoint, Stack, StackResources};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Write as _;
use k1_device::portal::{ADDRESS, Seen};
use k1_lamp::reset_filter::ResetFilter;
use k1_lamp::{Lamp, portal};
use k1_sim::clock;
use k1_sim::link::Link;
use k1_sim::tasks::Tasks;

/// A phone, and a lamp without a network.
struct Place {
    tasks: Tasks,
    lamp: &'static Lamp,
    phone: Stack<'static>,
    served: std::rc::Rc<std::cell::Cell<bool>>,
}

impl Place {
    fn new() -> Self {
        clock::reset(0);
        let lamp: &'static Lamp = Box::leak(Box::new(Lamp::new(Box::leak(Box::default()))));
        let [card, peer] = Link::new(5).ends([[2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 8]]);
        let resources: &'static mut StackResources<8> = Box::leak(Box::new(StackResources::new()));
        let (stack, mut runner) = embassy_net::new(ResetFilter(card), portal::config(), resources, 1);
        let resources: &'static mut StackResources<8> = Box::leak(Box::new(StackResources::new()));
        let dhcp = Config::dhcpv4(DhcpConfig::default());
        let (phone, mut phone_runner) = embassy_net::new(peer, dhcp, resources, 2);
        let mut tasks = Tasks::default();
        let served = std::rc::Rc::new(std::cell::Cell::new(false));
        let is_over = served.clone();
        tasks.spawn(async move { runner.run().await });
        tasks.spawn(async move { phone_runner.run().await });
        tasks.spawn(async move {
            portal::serve(lamp, stack).await;
            is_over.set(true);
        });
        Self { tasks, lamp, phone, served }
    }

    fn run<T>(&mut self, seconds: u64, what: impl Future<Output = T>) -> Option<T> {
        self.tasks.run(seconds * 1_000_000, what).ok().expect("nobody falls over")
    }
}

async fn ask(phone: Stack<'static>, request: &str) -> String {
    let (mut rx, mut tx) = (vec![0; 4_096], vec![0; 4_096]);
    let mut socket = TcpSocket::new(phone, &mut rx, &mut tx);
    socket.connect(IpEndpoint::new(Ipv4Addr::from(ADDRESS).into(), 80)).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut all, mut piece) = (Vec::new(), [0; 512]);
    while let Ok(n @ 1..) = socket.read(&mut piece).await {
        all.extend_from_slice(&piece[..n]);
    }
    socket.close();
    let _ = with_timeout(Duration::from_secs(1), socket.flush()).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_phone_gets_an_address_is_led_to_the_page_and_names_a_network() {
    let mut place = Place::new();
    let (lamp, phone) = (place.lamp, place.phone);
    place.run(10, phone.wait_config_up()).expect("an address");
    let config = phone.config_v4().unwrap();
    assert_eq!(config.address.address().octets()[..3], ADDRESS[..3]);
    assert!(lamp.scan.signaled(), "it looks round");
    lamp.note(|s| {
        let seen = Seen { ssid: "us <3".try_into().unwrap(), rssi_dbm: -60, locked: true };
        s.networks.push(seen).unwrap();
    });

    // Every name resolves to the lamp.
    let answer = place.run(5, async {
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
        let (mut rx, mut tx) = ([0; 512], [0; 512]);
        let mut udp = UdpSocket::new(phone, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        udp.bind(0).unwrap();
        let query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
        udp.send_to(query, IpEndpoint::new(Ipv4Addr::from(ADDRESS).into(), 53)).await.unwrap();
        let mut packet = [0; 512];
        let (n, _) = with_timeout(Duration::from_secs(2), udp.recv_from(&mut packet)).await.ok()?.ok()?;
        Some(packet[..n].to_vec())
    });
    assert!(answer.flatten().expect("an answer").ends_with(&ADDRESS));

    let page = place.run(10, ask(phone, "GET / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n")).unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("us &lt;3"), "{page}");
    let led = place.run(10, ask(phone, "GET /generate_204 HTTP/1.1\r\nHost: example.com\r\n\r\n")).unwrap();
    assert!(led.starts_with("HTTP/1.1 302") && led.contains("http://192.168.4.1/"), "{led}");
    let form = |host: &str, body: &str| {
        format!(
            "POST /join HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for bad in
        [form("192.168.4.1", "ssid=&password=x"), form("192.168.4.1", "nonsense"), "\u{16}\r\n\r\n".into()]
    {
        let said = place.run(10, ask(phone, &bad)).unwrap();
        assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
        assert!(!place.served.get());
    }
    // An incomplete request does not delay others.
    place.run(12, ask(phone, "GET / HT")).expect("it is let go");
    assert!(!place.served.get() && lamp.look(|s| s.memory.wifi.ssid.is_empty()));

    let said = place.run(10, ask(phone, &form("192.168.4.1", "ssid=us+%3C3&password=a%26b+c123"))).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(!place.served.get(), "the answer arrives before the network ends");
    place.run(5, Timer::after_secs(3));
    assert!(place.served.get());
    let (ssid, password) = lamp.look(|s| (s.memory.wifi.ssid.clone(), s.memory.wifi.password.clone()));
    assert_eq!((&*ssid, &*password), ("us <3", "a&b c123"));
    assert!(lamp.changed.signaled(), "it is remembered");
}

#[test]
fn the_access_point_has_the_lamps_name() {
    assert_eq!(portal::access_point([2, 0, 0, 0, 0x4b, 0x31]), "K1-4B31");
}
