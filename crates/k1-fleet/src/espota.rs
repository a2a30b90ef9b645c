//! Sends an update by the protocol of Arduino's espota, as existing tools do.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use md5::{Digest, Md5};
use sha2::Sha256;

/// Proof that the sender knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Clients up to core 3.3.0.
    Md5,
    /// Later clients.
    Pbkdf2,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Invites a lamp, proves that its token is known, and sends the file. Calls `progress` with the number of bytes sent.
///
/// # Errors
///
/// The lamp's error, or the reason why it could not be reached.
pub fn send(
    lamp: SocketAddr,
    token: &str,
    file: &[u8],
    proof: Proof,
    mut progress: impl FnMut(usize),
) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("espota: {e}");
    let own: IpAddr = if lamp.ip().is_loopback() { lamp.ip() } else { [0, 0, 0, 0].into() };
    let door = TcpListener::bind((own, 0)).map_err(wrong)?;
    let udp = UdpSocket::bind((own, 0)).map_err(wrong)?;
    udp.connect(lamp).map_err(wrong)?;
    udp.set_read_timeout(Some(Duration::from_secs(3))).map_err(wrong)?;
    let port = door.local_addr().map_err(wrong)?.port();
    let invitation = format!("0 {port} {} {}\n", file.len(), hex(&Md5::digest(file)));
    let mut packet = [0; 69];
    let mut answered = None;
    for _ in 0..5 {
        udp.send(invitation.as_bytes()).map_err(wrong)?;
        if let Ok(n) = udp.recv(&mut packet) {
            answered = Some(String::from_utf8_lossy(&packet[..n]).into_owned());
            break;
        }
    }
    let answer =
        answered.ok_or("espota: the lamp does not answer; is UDP port 3232 open on the way to it?")?;
    let nonce = answer.strip_prefix("AUTH ").filter(|n| n.len() == 64 && n.is_ascii());
    let nonce = nonce.ok_or_else(|| format!("espota: the lamp said: {answer}"))?;
    let (cnonce, response) = answer_to(nonce, token, invitation.as_bytes(), proof);
    udp.send(format!("200 {cnonce} {response}\n").as_bytes()).map_err(wrong)?;
    udp.set_read_timeout(Some(Duration::from_secs(10))).map_err(wrong)?;
    let n = udp.recv(&mut packet).map_err(wrong)?;
    if &packet[..n] != b"OK" {
        return Err(String::from_utf8_lossy(&packet[..n]).into_owned());
    }
    door.set_nonblocking(true).map_err(wrong)?;
    let mut waited = 0;
    let mut stream = loop {
        match door.accept() {
            Ok((stream, _)) => break stream,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && waited < 100 => {
                waited += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(_) => {
                return Err(format!(
                    "espota: the lamp does not connect back; is TCP port {port} of this machine open to it?"
                ));
            }
        }
    };
    stream.set_nonblocking(false).map_err(wrong)?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(wrong)?;
    let (mut said, mut gone, mut last) = ([0; 200], 0, String::new());
    for chunk in file.chunks(1_024) {
        stream.write_all(chunk).map_err(wrong)?;
        let n = stream.read(&mut said[..10]).map_err(wrong)?;
        gone += chunk.len();
        progress(gone);
        if said[..n].windows(2).any(|w| w == b"OK") {
            return Ok(());
        }
        // The lamp answers with a number of bytes, unless something is wrong.
        if said[..n].contains(&b'E') {
            last.push_str(&String::from_utf8_lossy(&said[..n]));
            break;
        }
    }
    loop {
        // A lamp that has reported an error may end the connection in any way.
        let n = stream.read(&mut said).or_else(|e| if last.is_empty() { Err(wrong(e)) } else { Ok(0) })?;
        last.push_str(&String::from_utf8_lossy(&said[..n]));
        if last.contains("OK") {
            return Ok(());
        }
        if n == 0 {
            let words = last.find("ERROR").map_or(&*last, |at| &last[at..]);
            return Err(words.to_owned());
        }
    }
}

/// This side's half of the challenge, and the proof.
fn answer_to(nonce: &str, token: &str, chance: &[u8], proof: Proof) -> (String, String) {
    match proof {
        Proof::Md5 => {
            let cnonce = hex(&Md5::digest(chance));
            // As the client computes it: with a byte order mark.
            let password = hex(&Md5::digest([b"\xef\xbb\xbf", token.as_bytes()].concat()));
            let response = hex(&Md5::digest(format!("{password}:{}:{cnonce}", &nonce[..32])));
            (cnonce, response)
        }
        Proof::Pbkdf2 => {
            let cnonce = hex(&Sha256::digest(chance));
            let password = hex(&Sha256::digest(token));
            let salt = format!("{nonce}:{cnonce}");
            let mut derived = [0; 32];
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt.as_bytes(), 10_000, &mut derived);
            let response = hex(&Sha256::digest(format!("{}:{salt}", hex(&derived))));
            (cnonce, response)
        }
    }
}
