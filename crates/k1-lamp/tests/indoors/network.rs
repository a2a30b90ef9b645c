//! Sound from the network, light to the network, answers to mDNS, and malformed packets.

use embassy_net::IpEndpoint;
use embassy_time::{Duration, Instant, Ticker, with_timeout};
use k1_device::portal::ADDRESS;
use k1_engine::HOP;
use k1_engine::random::SplitMix64;
use k1_sim::link::Weather;
use k1_wire::{ddp, mdns, rtp};
use serde_json::json;

use crate::client::Client;
use crate::machine::{Halves, Machine};

/// Sends music to a lamp: silence, and every second a tone of 0.2 s. Returns the times at which tones began, in ms.
async fn bursts(client: Client, source: u32, seconds: u64) -> Vec<f64> {
    let (udp, to) = (client.udp(0), client.at(rtp_port()).unwrap());
    let mut ticker = Ticker::every(Duration::from_millis(8));
    let mut began = Vec::new();
    for hop in 0..seconds * 125 {
        ticker.next().await;
        let is_loud = hop > 250 && hop % 125 < 25;
        if is_loud && hop % 125 == 0 {
            began.push(Instant::now().as_micros() as f64 / 1000.0);
        }
        let mut packet = rtp::write_header(hop as u16, hop as u32 * HOP as u32, source).to_vec();
        for i in 0..HOP {
            let sample = if is_loud { 0.7 * (i as f32 * 0.2).sin() } else { 0.0 };
            packet.extend(((sample * 32_767.0) as i16).to_be_bytes());
        }
        let _ = udp.send_to(&packet, to).await;
    }
    began
}

fn rtp_port() -> u16 {
    k1_lamp::rtp::PORT
}

/// Frames that a mirror sends, each with its time in ms and its brightness.
async fn frames(client: Client, seconds: u64) -> Vec<(f64, u32)> {
    let udp = client.udp(ddp::PORT);
    let (mut receiver, mut all) = (ddp::Receiver::<180>::default(), Vec::new());
    let mut packet = [0; 2_000];
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let Ok(Ok((n, _))) = with_timeout(Duration::from_millis(500), udp.recv_from(&mut packet)).await
        else {
            continue;
        };
        if let Some(pixels) = receiver.accept(&ddp::Packet::check(&packet[..n]).expect("DDP")) {
            let sum = pixels.as_flattened().iter().map(|b| u32::from(*b)).sum();
            all.push((Instant::now().as_micros() as f64 / 1000.0, sum));
        }
    }
    all
}

#[test]
fn sound_from_the_network_becomes_light_on_the_network() {
    let mut lamp = Machine::started(Halves::Network);
    let [a, b, c, d] = ADDRESS;
    lamp.post("/api/v1/setup", json!({"mirror": format!("{a}.{b}.{c}.{d}:{}", ddp::PORT)}));
    lamp.post("/api/select", json!({"id": "analog"}));
    lamp.post("/api/params", json!({"softness": 0, "background": 0, "dithering": 0}));
    let seen =
        lamp.asks(30.0, async |c: Client| embassy_futures::join::join(bursts(c, 1, 12), frames(c, 12)).await);
    let (bursts, frames) = seen.unwrap();
    assert!(frames.len() > 1_500, "{} frames came", frames.len());
    // From the packet with the first loud sample to the first frame that is brighter than all of the 100 ms before.
    let delay = |burst: &f64| {
        let before = frames.iter().filter(|(t, _)| (burst - 100.0..*burst).contains(t));
        let dark = before.map(|(_, sum)| *sum).max()?;
        frames.iter().find(|(t, sum)| *t > *burst && *sum > dark + 300).map(|(t, _)| t - burst)
    };
    let delays: Vec<_> = bursts.iter().filter_map(delay).collect();
    println!("sound (RTP) to light (DDP): {delays:.1?} ms");
    assert!(delays.len() >= bursts.len() - 1 && delays.iter().all(|ms| *ms < 40.0), "{bursts:?}: {delays:?}");
    lamp.lives(2.0);
    assert_eq!(lamp.get("/api/v1/device")["microphone"], "absent", "nobody plays any more");
}

#[test]
fn sound_bears_loss_and_disorder() {
    let mut lamp = Machine::started(Halves::Network);
    lamp.link.set(Weather { lost: 50, late: 200, ..Weather::FINE });
    lamp.asks(30.0, async |c: Client| bursts(c, 1, 10).await).unwrap();
    lamp.link.set(Weather::FINE);
    let device = lamp.get("/api/v1/device");
    assert_eq!(device["malformed"], 0, "{device}");
    let status = lamp.get("/api/v1/status");
    assert!(status["vitals"]["hop_rate"].as_f64() > Some(118.0), "{status}");
    assert_eq!(status["vitals"]["torn"], 0);
}

#[test]
fn two_programs_that_play_at_once_are_not_mixed() {
    let mut lamp = Machine::started(Halves::Network);
    lamp.asks(30.0, async |c: Client| embassy_futures::join::join(bursts(c, 1, 10), bursts(c, 2, 10)).await)
        .unwrap();
    let status = lamp.get("/api/v1/status");
    let rate = status["vitals"]["hop_rate"].as_f64();
    assert!(rate.is_some_and(|rate| (118.0..132.0).contains(&rate)), "{status}");
}

#[test]
fn requests_arrive_over_a_bad_link() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.link.set(Weather { lost: 100, late: 200, ..Weather::FINE });
    for _ in 0..5 {
        let answer = lamp.asks(60.0, async |c: Client| c.asks("GET", "/app.js", b"").await).flatten();
        let answer = answer.expect("an answer");
        let announced = answer.says("content-length").unwrap();
        assert_eq!(answer.body.len(), announced.parse::<usize>().unwrap());
    }
    lamp.lives(2.0);
    assert!(lamp.vital("fps") > 170.0, "light does not wait for it");
}

#[test]
fn it_is_found_by_its_name() {
    let mut lamp = Machine::started(Halves::Real);
    lamp.post("/api/v1/setup", json!({"name": "Shelf 3"}));
    lamp.lives(4.0);
    let found = lamp.asks(10.0, async |c: Client| {
        // A query from another port than mDNS's is answered to that port.
        let udp = c.udp(0);
        let mut question = vec![0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend(b"\x07shelf-3\x05local\x00\x00\x01\x00\x01");
        udp.send_to(&question, IpEndpoint::new(std::net::Ipv4Addr::from(mdns::GROUP).into(), mdns::PORT))
            .await
            .unwrap();
        let mut answer = [0; 1_500];
        let n = with_timeout(Duration::from_secs(5), udp.recv_from(&mut answer)).await.ok()?.ok()?.0;
        Some((answer[..n].to_vec(), c.at(80)?))
    });
    let (answer, address) = found.flatten().expect("an answer");
    let embassy_net::IpAddress::Ipv4(address) = address.addr;
    assert!(answer.windows(4).any(|w| w == address.octets()), "its address is in it: {answer:02x?}");
}

#[test]
fn malformed_input_costs_no_light_and_is_counted() {
    let mut lamp = Machine::started(Halves::Network);
    lamp.lives(3.0);
    let mut random = SplitMix64::new(99);
    for _ in 0..30 {
        let noise: Vec<u8> = (0..1 + random.next_u64() % 900).map(|_| random.next_u64() as u8).collect();
        let header = rtp::write_header(random.next_u64() as u16, random.next_u64() as u32 >> 12, 3);
        let sound = [&header[..], &noise].concat();
        let mut bent = sound.clone();
        let at = random.next_u64() as usize % bent.len();
        bent[at] ^= 1 << (random.next_u64() % 8);
        let head = [
            "GET / HTTP/1.1\r\n",
            "POST /api/params HTTP/1.1\r\nHost: k1\r\nContent-Length: 9\r\n\r\n",
            "",
            "\u{16}\u{3}",
        ][random.next_u64() as usize % 4];
        let request = [head.as_bytes(), &noise].concat();
        lamp.asks(4.0, async |c: Client| {
            let udp = c.udp(0);
            for (port, bytes) in [
                (rtp_port(), &noise),
                (rtp_port(), &sound),
                (rtp_port(), &bent),
                (3232, &noise),
                (5353, &noise),
            ] {
                let _ = udp.send_to(bytes, c.at(port).unwrap()).await;
            }
            // An incomplete head is refused after a time limit, for which this test does not wait.
            let _ = with_timeout(Duration::from_millis(300), c.says(&request)).await;
            let socket = format!(
                "GET /api/v1/live?token={} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                c.token()
            );
            let _ =
                with_timeout(Duration::from_millis(300), c.says(&[socket.as_bytes(), &noise].concat())).await;
        });
    }
    lamp.lives(10.0);
    let device = lamp.get("/api/v1/device");
    assert!(device["malformed"].as_u64() > Some(10), "{device}");
    assert!(lamp.vital("fps") > 170.0 && lamp.vital("torn") == 0.0);
    assert_eq!(lamp.starts, 1, "{}", lamp.console());
}
