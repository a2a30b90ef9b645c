//! Updates by espota, which must be as safe as those over HTTP.

use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::Write as _;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::machine::{Halves, Machine, key, package};
use crate::update::runs;

/// The proof of the password that a client sends.
#[derive(Clone, Copy, Debug)]
enum Proof {
    Md5,
    Pbkdf2,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Kinds of clients: arduino-esp32's espota.py up to 3.3.0, and later versions.
fn answer_to(nonce: &str, password: &str, proof: Proof) -> String {
    match proof {
        Proof::Md5 => {
            let cnonce = hex(&Md5::digest("chance"));
            let password = hex(&Md5::digest([b"\xef\xbb\xbf", password.as_bytes()].concat()));
            format!("200 {cnonce} {}\n", hex(&Md5::digest(format!("{password}:{}:{cnonce}", &nonce[..32]))))
        }
        Proof::Pbkdf2 => {
            let cnonce = hex(&Sha256::digest("chance"));
            let salt = format!("{nonce}:{cnonce}");
            let mut derived = [0; 32];
            let password = hex(&Sha256::digest(password));
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt.as_bytes(), 10_000, &mut derived);
            format!("200 {cnonce} {}\n", hex(&Sha256::digest(format!("{}:{salt}", hex(&derived)))))
        }
    }
}

/// Sends a file and returns the lamp's last answer.
async fn send(client: Client, password: Option<&str>, file: &[u8], proof: Proof) -> String {
    let udp = client.udp(0);
    let lamp = client.at(3232).unwrap();
    let mut packet = [0; 200];
    udp.send_to(format!("0 4000 {} {}\n", file.len(), hex(&Md5::digest(file))).as_bytes(), lamp)
        .await
        .unwrap();
    let (n, _) = udp.recv_from(&mut packet).await.unwrap();
    let said = String::from_utf8_lossy(&packet[..n]).into_owned();
    let Some(nonce) = said.strip_prefix("AUTH ") else { return said };
    let token = client.token();
    let (mut rx, mut tx) = (vec![0; 2_048], vec![0; 2_048]);
    let mut socket = TcpSocket::new(client.stack, &mut rx, &mut tx);
    // The client listens before it sends the proof, because the lamp connects at once.
    let mut dialled = Box::pin(socket.accept(4000));
    assert!(embassy_futures::poll_once(dialled.as_mut()).is_pending());
    udp.send_to(answer_to(nonce, password.unwrap_or(&token), proof).as_bytes(), lamp).await.unwrap();
    let (n, _) = udp.recv_from(&mut packet).await.unwrap();
    if &packet[..n] != b"OK" {
        return String::from_utf8_lossy(&packet[..n]).into_owned();
    }
    dialled.await.unwrap();
    let mut last = String::new();
    for piece in file.chunks(1_024) {
        if socket.write_all(piece).await.is_err() {
            break;
        }
        let Ok(n @ 1..) = socket.read(&mut packet).await else { break };
        last.push_str(&String::from_utf8_lossy(&packet[..n]));
        if last.contains("ERROR") {
            break;
        }
    }
    while let Ok(Ok(n @ 1..)) = with_timeout(Duration::from_secs(5), socket.read(&mut packet)).await {
        last.push_str(&String::from_utf8_lossy(&packet[..n]));
    }
    last.find("ERROR").map_or(last.clone(), |at| last[at..].to_owned())
}

#[test]
fn espota_is_a_door_with_the_same_lock() {
    let mut lamp = Machine::started(Halves::Counting);
    let good = package("none", "1.1.0", 15, &key(1));
    let said = lamp.asks(60.0, async |c: Client| send(c, None, &good, Proof::Pbkdf2).await).unwrap();
    assert!(said.contains("no key"), "{said}");
    assert_eq!(lamp.asks(5.0, async |c: Client| c.trust(&key(1)).await), Some(200));
    for proof in [Proof::Md5, Proof::Pbkdf2] {
        let said = lamp.asks(60.0, async |c: Client| send(c, Some("wrong"), &good, proof).await);
        assert_eq!(said.as_deref(), Some("Authentication Failed"), "{proof:?}");
    }
    let foreign = package("none", "6.6.6", 15, &key(9));
    let said = lamp.asks(60.0, async |c: Client| send(c, None, &foreign, Proof::Pbkdf2).await).unwrap();
    assert!(said.starts_with("ERROR") && said.contains("does not trust"), "{said}");
    assert!(lamp.firmware()["refused"].as_str().unwrap().contains("does not trust"));
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let said = lamp.asks(60.0, async |c: Client| send(c, None, &damaged, Proof::Md5).await).unwrap();
    assert!(said.contains("not the one that was signed"), "{said}");
    assert_eq!(lamp.starts, 1);
    for (image, version, proof) in [("none", "1.1.0", Proof::Pbkdf2), ("next", "1.1.1", Proof::Md5)] {
        let file = package(image, version, 15, &key(1));
        let said = lamp.asks(60.0, async |c: Client| send(c, None, &file, proof).await);
        assert!(said.is_some_and(|s| s.ends_with("OK")), "{proof:?}");
        lamp.becomes(60, runs(version));
    }
}
