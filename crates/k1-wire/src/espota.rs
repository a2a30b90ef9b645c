//! espota: the protocol by which the Arduino world sends firmware over the air.
//!
//! A client invites a lamp by UDP. The lamp demands proof that the client knows its password, then connects back by
//! TCP and fetches the file. Clients of ESP32 cores up to 3.3.0 prove it with MD5, later ones with PBKDF2; the length
//! of the answer tells which. This transport establishes no trust: what it delivers must pass the same signature
//! check as any other update. Source: `tools/espota.py` of arduino-esp32, read as a description of the protocol.

use core::fmt::Write;

use heapless::String;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

/// UDP port on which a lamp accepts invitations.
pub const PORT: u16 = 3232;
/// Iterations of PBKDF2.
const ROUNDS: u32 = 10_000;

/// A client's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// An invitation to fetch a file from the client.
    Invite(Invitation),
    /// Proof that the client knows the password.
    Proof {
        /// The client's nonce, hexadecimal.
        cnonce: &'a str,
        /// The proof, hexadecimal.
        response: &'a str,
    },
}

/// An invitation to fetch a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Whether the file is firmware; otherwise it is a file system, which a lamp does not have.
    pub is_firmware: bool,
    /// TCP port on which the client listens.
    pub port: u16,
    /// Size of the file in bytes.
    pub size: u32,
}

/// Parses a packet; `None` if it is malformed.
pub fn parse(packet: &[u8]) -> Option<Request<'_>> {
    let text = core::str::from_utf8(packet).ok()?;
    let mut words = text.strip_suffix('\n').unwrap_or(text).split(' ');
    let command = words.next()?;
    let request = match command {
        "0" | "100" => {
            let invitation = Invitation {
                is_firmware: command == "0",
                port: words.next()?.parse().ok().filter(|port| *port != 0)?,
                size: words.next()?.parse().ok()?,
            };
            // An MD5 sum against accidents, which the signed hash replaces.
            is_hex(words.next()?, &[32]).then_some(Request::Invite(invitation))?
        }
        "200" => {
            let (cnonce, response) = (words.next()?, words.next()?);
            let same = cnonce.len() == response.len();
            (same && is_hex(cnonce, &[32, 64]) && is_hex(response, &[32, 64]))
                .then_some(Request::Proof { cnonce, response })?
        }
        _ => return None,
    };
    words.next().is_none().then_some(request)
}

fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn hex<const N: usize>(bytes: &[u8]) -> String<N> {
    let mut text = String::new();
    // Every caller's text has room for its bytes.
    let _ = bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"));
    text
}

/// A challenge of 64 hexadecimal digits. Older clients read and use only the first 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String<64>);

impl Challenge {
    /// A challenge from 32 random bytes.
    pub fn new(chance: [u8; 32]) -> Self {
        Self(hex(&chance))
    }

    /// The packet that asks for a proof.
    pub fn packet(&self) -> String<69> {
        let mut text = String::new();
        // It fits: five letters and 64 digits.
        let _ = write!(text, "AUTH {}", self.0);
        text
    }

    /// Begins to verify a proof; see [`Check::step`].
    pub fn check(&self, password: &str, cnonce: &str, response: &str) -> Check {
        if response.len() == 32 {
            let nonce = &self.0[..32];
            // The old client puts a byte order mark before its password; its device does not.
            let right = [&b"\xef\xbb\xbf"[..], b""].into_iter().any(|mark| {
                let password: String<32> =
                    hex(&Md5::new().chain_update(mark).chain_update(password).finalize());
                same(&hex::<32>(&old_form(&password, nonce, cnonce)), response)
            });
            return Check::Done(right);
        }
        let password: String<64> = hex(&Sha256::digest(password));
        let key = mac(password.as_bytes());
        let first = key
            .clone()
            .chain_update(&*self.0)
            .chain_update(b":")
            .chain_update(cnonce)
            .chain_update([0, 0, 0, 1]);
        let last: [u8; 32] = first.finalize().into_bytes().into();
        let mut salt = Salt::default();
        let mut proof = Proof::default();
        // `parse` has limited both to 64 letters.
        let _ = write!(salt, "{}:{cnonce}", self.0);
        let _ = proof.push_str(response);
        Check::Derive(Derivation { key, last, sum: last, left: ROUNDS - 1, salt, proof })
    }
}

type Salt = String<129>;
type Proof = String<64>;

fn mac(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

fn old_form(password: &str, nonce: &str, cnonce: &str) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in [password, ":", nonce, ":", cnonce] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Compares in constant time.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |d, (a, b)| d | (a ^ b)) == 0
}

/// A proof that is being verified. Ten thousand rounds of PBKDF2 in one go would block other tasks for too long.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is short-lived")]
pub enum Check {
    /// The result is known.
    Done(bool),
    /// Some rounds remain.
    Derive(Derivation),
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018, 5.2) for one block, in progress.
pub struct Derivation {
    key: Hmac<Sha256>,
    last: [u8; 32],
    sum: [u8; 32],
    left: u32,
    salt: Salt,
    proof: Proof,
}

impl Check {
    /// Computes up to `rounds` further rounds.
    pub fn step(self, rounds: u32) -> Self {
        let Self::Derive(mut d) = self else { return self };
        let now = rounds.min(d.left);
        for _ in 0..now {
            d.last = d.key.clone().chain_update(d.last).finalize().into_bytes().into();
            for (sum, byte) in d.sum.iter_mut().zip(d.last) {
                *sum ^= byte;
            }
        }
        d.left -= now;
        if d.left > 0 {
            return Self::Derive(d);
        }
        let challenge =
            Sha256::new().chain_update(&*hex::<64>(&d.sum)).chain_update(b":").chain_update(&*d.salt);
        Self::Done(same(&hex::<64>(&challenge.finalize()), &d.proof))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_are_read_as_the_clients_write_them() {
        let sum = "0123456789abcdef0123456789abcdef";
        let invite =
            |is_firmware| Some(Request::Invite(Invitation { is_firmware, port: 41_234, size: 700_000 }));
        assert_eq!(parse(format!("0 41234 700000 {sum}\n").as_bytes()), invite(true));
        assert_eq!(parse(format!("100 41234 700000 {sum}\n").as_bytes()), invite(false));
        assert_eq!(
            parse(format!("200 {sum} {sum}\n").as_bytes()),
            Some(Request::Proof { cnonce: sum, response: sum })
        );
        for wrong in ["", "0", "0 0 1 x\n", "7 1 1 1\n", "200 ab cd\n", "0 99999 1 0\n", "200 é é\n"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse(format!("200 {sum} {sum} more\n").as_bytes()), None);
        assert_eq!(parse(format!("200 {sum} {sum}{sum}\n").as_bytes()), None);
    }

    /// Proofs by Python's hashlib for the password "abcdefgh23456789".
    #[test]
    fn proofs_of_every_kind_of_client_are_known() {
        let challenge = Challenge::new(core::array::from_fn(|i| i as u8));
        assert_eq!(
            &*challenge.packet(),
            "AUTH 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        );
        let (short, long) = ("ab".repeat(16), "cd".repeat(32));
        for (name, cnonce, proof) in
            [("with a byte order mark", &short, OLD_MARKED), ("without", &short, OLD), ("PBKDF2", &long, NEW)]
        {
            for (password, expected) in [("abcdefgh23456789", true), ("abcdefgh23456788", false), ("", false)]
            {
                let mut check = challenge.check(password, cnonce, proof);
                let mut steps = 0;
                let right = loop {
                    match check {
                        Check::Done(right) => break right,
                        more => check = more.step(999),
                    }
                    steps += 1;
                };
                assert_eq!(right, expected, "{name}, {password}");
                assert!(steps <= 11);
            }
        }
    }

    const OLD_MARKED: &str = "29e84ef0301f71b40f8d221937d9fcce";
    const OLD: &str = "7098f9e88d481a532e6d9559113d29df";
    const NEW: &str = "ac13bffbc086a0a63facf078ba5421316842053e01f11a6e2222b74cfa86da95";

    proptest! {
        #[test]
        fn any_packet_is_read_or_not(packet in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(Request::Invite(i)) = parse(&packet) {
                prop_assert!(i.port != 0);
            }
        }
    }
}
