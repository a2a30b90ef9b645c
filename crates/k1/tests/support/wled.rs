//! WLED devices on this machine: found by multicast DNS, asked by HTTP, and lit by DDP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use k1_wire::ddp::{self, Packet};
use k1_wire::mdns::{self, GROUP, Host, MAX_ANSWER, Service};
use socket2::{Domain, Protocol, Socket, Type};

/// A frame, one colour per LED.
pub type Frame = Vec<[u8; 3]>;

/// A WLED device: its name on the network, its page and its LEDs.
pub struct Wled {
    /// The frames that it has taken.
    pub frames: Arc<Mutex<Vec<Frame>>>,
}

impl Wled {
    /// Starts a device with `leds` LEDs, which runs as long as the test.
    pub fn start(host: &'static str, name: &'static str, address: [u8; 4], leds: usize) -> Self {
        announce(host, name, address, format!(r#"{{"count":{leds},"rgbw":false}}"#));
        let frames = Arc::new(Mutex::new(Vec::new()));
        let (strip, into) = (UdpSocket::bind((Ipv4Addr::from(address), ddp::PORT)).unwrap(), frames.clone());
        std::thread::spawn(move || {
            let (mut packet, mut frame) = ([0; 2_000], vec![[0; 3]; leds]);
            loop {
                let n = strip.recv(&mut packet).unwrap();
                let packet = Packet::check(&packet[..n]).unwrap();
                // Light for LEDs that it does not have is lost.
                let places = frame.as_flattened_mut().iter_mut().skip(packet.offset() as usize);
                places.zip(packet.data()).for_each(|(place, level)| *place = *level);
                if packet.is_push() {
                    into.lock().unwrap().push(frame.clone());
                }
            }
        });
        Self { frames }
    }

    /// The frames since the last call.
    pub fn taken(&self) -> Vec<Frame> {
        std::mem::take(&mut *self.frames.lock().unwrap())
    }
}

/// Starts the page of a WLED device, which tells these LEDs, and its announcement. They run as long as the test.
pub fn announce(host: &'static str, name: &'static str, address: [u8; 4], leds: String) {
    let page = TcpListener::bind((Ipv4Addr::from(address), 80)).unwrap();
    std::thread::spawn(move || {
        for stream in page.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 2_000]);
            let info = format!(r#"{{"ver":"0.15.0","leds":{leds},"name":"{name}"}}"#);
            let length = info.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{info}"
            );
        }
    });
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, mdns::PORT)).into()).unwrap();
    socket.join_multicast_v4(&GROUP.into(), &Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let socket = UdpSocket::from(socket);
    std::thread::spawn(move || {
        let services = [Service { kind: "_wled._tcp", port: 80, texts: &["mac=001122334455"] }];
        let host = Host { name: host, address, services: &services };
        let (mut packet, mut out) = ([0; 1_500], [0; MAX_ANSWER]);
        loop {
            let Ok((n, _)) = socket.recv_from(&mut packet) else { continue };
            if let Some(n) = mdns::answer(&packet[..n], &host, &mut out) {
                let _ = socket.send_to(&out[..n], SocketAddr::from((GROUP, mdns::PORT)));
            }
        }
    });
}
