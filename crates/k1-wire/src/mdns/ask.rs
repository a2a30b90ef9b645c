//! The querying side: a question for the addresses of a name, and the addresses in an answer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Name, kind, read_name};

/// Size of the largest question that this module writes.
pub const MAX_QUESTION: usize = 320;
/// Class Internet with the bit that requests a unicast response (RFC 6762, 5.4).
const CLASS_UNICAST: u16 = 0x8001;

/// Writes a question for the IPv4 and IPv6 addresses of a name such as `wled.local`, and returns its length. `None`
/// if the name is invalid: an empty label, a label over 63 bytes, or more than 253 bytes in total.
pub fn question(name: &str, out: &mut [u8; MAX_QUESTION]) -> Option<usize> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return None;
    }
    let mut length = 0;
    let mut put = |bytes: &[u8]| -> Option<()> {
        out.get_mut(length..length + bytes.len())?.copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    put(&[0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0])?;
    for label in name.split('.') {
        put(&[u8::try_from(label.len()).ok().filter(|n| (1..64).contains(n))?])?;
        put(label.as_bytes())?;
    }
    put(&[0])?;
    put(&kind::A.to_be_bytes())?;
    put(&CLASS_UNICAST.to_be_bytes())?;
    // The same name, right behind the header.
    put(&[0xc0, 12])?;
    put(&kind::AAAA.to_be_bytes())?;
    put(&CLASS_UNICAST.to_be_bytes())?;
    Some(length)
}

/// The addresses of `name` in an answer. Empty if the packet is not an answer or is truncated.
pub fn addresses<'a>(packet: &'a [u8], name: &'a str) -> Addresses<'a> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let records = |packet: &[u8]| -> Option<(usize, usize)> {
        let header = packet.first_chunk::<12>()?;
        let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
        // Accept standard responses without an error only.
        if header[2] & 0xf8 != 0x80 || header[3] & 0x0f != 0 {
            return None;
        }
        let mut at = 12;
        for _ in 0..count(4) {
            at = read_name(packet, at)?.1 + 4;
        }
        Some((at, count(6) + count(8) + count(10)))
    };
    let (at, left) = records(packet).unwrap_or_default();
    Addresses { packet, name, at, left }
}

/// Iterates over the addresses of an answer, in its order.
#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    packet: &'a [u8],
    name: &'a str,
    at: usize,
    left: usize,
}

impl Addresses<'_> {
    /// The next record: its name, type, class and data.
    fn record(&mut self) -> Option<(Option<Name>, u16, u16, &[u8])> {
        self.left = self.left.checked_sub(1)?;
        let (name, behind) = read_name(self.packet, self.at)?;
        let [k0, k1, c0, c1, _, _, _, _, l0, l1] = *self.packet.get(behind..)?.first_chunk::<10>()?;
        let data = behind + 10;
        self.at = data + usize::from(u16::from_be_bytes([l0, l1]));
        let data = self.packet.get(data..self.at)?;
        Some((name, u16::from_be_bytes([k0, k1]), u16::from_be_bytes([c0, c1]), data))
    }
}

impl Iterator for Addresses<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let wanted = self.name;
        loop {
            let (name, kind, class, data) = self.record()?;
            // The highest bit of the class is the cache-flush bit.
            if class & 0x7fff != 1 || !name.is_some_and(|name| name.is(&[wanted])) {
                continue;
            }
            if let (kind::A, Ok(bytes)) = (kind, <[u8; 4]>::try_from(data)) {
                return Some(Ipv4Addr::from(bytes).into());
            }
            if let (kind::AAAA, Ok(bytes)) = (kind, <[u8; 16]>::try_from(data)) {
                return Some(Ipv6Addr::from(bytes).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::{Host, MAX_ANSWER, answer};
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn asked(name: &str) -> Vec<u8> {
        let mut out = [0; MAX_QUESTION];
        let n = question(name, &mut out).unwrap();
        out[..n].to_vec()
    }

    #[test]
    fn questions_equal_those_of_other_programs() {
        assert_eq!(
            asked("wled.local"),
            b"\0\0\0\0\0\x02\0\0\0\0\0\0\x04wled\x05local\0\0\x01\x80\x01\xc0\x0c\0\x1c\x80\x01"
        );
        assert_eq!(asked("wled.local."), asked("wled.local"));
        let mut out = [0; MAX_QUESTION];
        let long = "a".repeat(64);
        for wrong in ["", ".", "a..local", long.as_str(), &"abc.".repeat(64)] {
            assert_eq!(question(wrong, &mut out), None, "{wrong}");
        }
    }

    #[test]
    fn a_lamps_own_answer_is_understood() {
        let host = Host { name: "k1-a3f0", address: [10, 0, 2, 15], services: &[] };
        let mut out = [0; MAX_ANSWER];
        let n = answer(&asked("K1-A3F0.local"), &host, &mut out).unwrap();
        let found: Vec<_> = addresses(&out[..n], "k1-a3f0.LOCAL").collect();
        assert_eq!(found, [IpAddr::from([10, 0, 2, 15])]);
        assert_eq!(addresses(&out[..n], "k1-a3f.local").count(), 0, "that is somebody else");
        assert_eq!(
            addresses(&asked("k1-a3f0.local"), "k1-a3f0.local").count(),
            0,
            "a question is not an answer"
        );
        for cut in 0..n {
            assert_eq!(addresses(&out[..cut], "k1-a3f0.local").count(), 0, "cut after {cut}");
        }
    }

    #[test]
    fn addresses_stand_among_other_records_and_behind_the_question() {
        // The question again (as in a legacy answer), TXT of the name, A by a pointer, AAAA, and A of another name.
        let mut p = b"\0\0\x84\0\0\x01\0\x03\0\0\0\x01\x01x\x05local\0\0\x01\0\x01".to_vec();
        p.extend(b"\xc0\x0c\0\x10\x80\x01\0\0\0\x78\0\x04\x03a=b");
        p.extend(b"\xc0\x0c\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x07");
        p.extend(b"\x01X\xc0\x0e\0\x1c\x80\x01\0\0\0\x78\0\x10");
        p.extend(Ipv6Addr::LOCALHOST.octets());
        p.extend(b"\x01y\xc0\x0e\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x08");
        let found: Vec<_> = addresses(&p, "x.local").collect();
        assert_eq!(found, [IpAddr::from([10, 0, 0, 7]), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(addresses(&bytes, "x.local").count() <= 600 / 14);
        }

        #[test]
        fn any_name_is_borne(name in ".{0,300}") {
            let mut out = [0; MAX_QUESTION];
            let _ = question(&name, &mut out);
        }
    }
}
