//! Multicast DNS (RFC 6762) and service discovery (RFC 6763), the responder: takes a query and writes the answer. No
//! heap, no clock, no cache. [`ask`] is the querying side.

pub mod ask;

/// UDP port of both groups.
pub const PORT: u16 = 5353;
/// IPv4 address of the group.
pub const GROUP: [u8; 4] = [224, 0, 0, 251];
/// IPv6 address of the group, ff02::fb.
pub const GROUP_V6: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb];
/// Size of the largest answer that this module writes.
pub const MAX_ANSWER: usize = 700;
/// Longest name that is parsed; longer names are not ours.
const MAX_NAME: usize = 96;
/// Lifetimes of records in seconds (RFC 6762, 10): host names, and all others.
const HOST_TTL: u32 = 120;
const OTHER_TTL: u32 = 4_500;

mod kind {
    pub const A: u16 = 1;
    pub const PTR: u16 = 12;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const ANY: u16 = 255;
}

/// Class Internet with the cache-flush bit.
const CLASS_FLUSH: u16 = 0x8001;
const CLASS: u16 = 1;

/// The host that answers.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// Its name without `.local`: one label of letters, digits and hyphens.
    pub name: &'a str,
    /// Its IPv4 address.
    pub address: [u8; 4],
    /// Its services.
    pub services: &'a [Service<'a>],
}

/// A service of a host. Its instance has the name of the host.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Its type of two labels, such as `_k1._tcp`.
    pub kind: &'a str,
    /// TCP port.
    pub port: u16,
    /// Its texts `key=value`, each at most 255 bytes.
    pub texts: &'a [&'a str],
}

/// A name: labels separated by dots.
#[derive(Clone, Debug)]
struct Name {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl Name {
    fn is(&self, parts: &[&str]) -> bool {
        let mut rest = &self.bytes[..self.length];
        for part in parts {
            let Some((head, tail)) = rest.split_at_checked(part.len()) else { return false };
            if !head.eq_ignore_ascii_case(part.as_bytes()) {
                return false;
            }
            rest = tail;
        }
        rest.is_empty()
    }
}

/// Reads the name at `at`. Returns the name (`None` if it is too long to be ours) and the index behind it.
fn read_name(packet: &[u8], mut at: usize) -> Option<(Option<Name>, usize)> {
    let mut name = Name { bytes: [0; MAX_NAME], length: 0 };
    let (mut fits, mut behind) = (true, None);
    // Each pointer must lead further to the front, so that a chain of them ends.
    let mut earliest = at;
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => break,
            1..=63 => {
                let label = packet.get(at + 1..at + 1 + length)?;
                let dot = usize::from(name.length > 0);
                match name.bytes.get_mut(name.length..name.length + dot + length) {
                    Some(place) => {
                        place[..dot].fill(b'.');
                        place[dot..].copy_from_slice(label);
                        name.length += dot + length;
                    }
                    None => fits = false,
                }
                at += 1 + length;
            }
            0xc0.. => {
                let to = (length & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
                behind.get_or_insert(at + 2);
                if to >= earliest {
                    return None;
                }
                earliest = to;
                at = to;
            }
            _ => return None,
        }
    }
    Some((fits.then_some(name), behind.unwrap_or(at + 1)))
}

/// Writes an answer.
struct Writer<'a> {
    out: &'a mut [u8; MAX_ANSWER],
    length: usize,
    records: u16,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.get_mut(self.length..self.length + bytes.len())?.copy_from_slice(bytes);
        self.length += bytes.len();
        Some(())
    }

    fn name(&mut self, parts: &[&str]) -> Option<()> {
        for label in parts.iter().flat_map(|p| p.split('.')).filter(|l| !l.is_empty()) {
            self.bytes(&[u8::try_from(label.len()).ok().filter(|n| *n < 64)?])?;
            self.bytes(label.as_bytes())?;
        }
        self.bytes(&[0])
    }

    /// Writes a complete record, or nothing if it does not fit.
    fn record(
        &mut self,
        name: &[&str],
        kind: u16,
        class: u16,
        ttl: u32,
        data: impl FnOnce(&mut Self) -> Option<()>,
    ) {
        let before = self.length;
        let written = self.name(name).and_then(|()| {
            self.bytes(&kind.to_be_bytes())?;
            self.bytes(&class.to_be_bytes())?;
            self.bytes(&ttl.to_be_bytes())?;
            let at = self.length;
            self.bytes(&[0, 0])?;
            data(self)?;
            let length = (self.length - at - 2) as u16;
            self.out[at..at + 2].copy_from_slice(&length.to_be_bytes());
            Some(())
        });
        match written {
            Some(()) => self.records += 1,
            None => self.length = before,
        }
    }

    fn address(&mut self, host: &Host) {
        self.record(&[host.name, "local"], kind::A, CLASS_FLUSH, HOST_TTL, |w| w.bytes(&host.address));
    }

    fn pointer(&mut self, host: &Host, service: &Service) {
        let instance = [host.name, service.kind, "local"];
        self.record(&[service.kind, "local"], kind::PTR, CLASS, OTHER_TTL, |w| w.name(&instance));
    }

    fn details(&mut self, host: &Host, service: &Service) {
        let instance = [host.name, service.kind, "local"];
        self.record(&instance, kind::SRV, CLASS_FLUSH, HOST_TTL, |w| {
            w.bytes(&[0, 0, 0, 0])?;
            w.bytes(&service.port.to_be_bytes())?;
            w.name(&[host.name, "local"])
        });
        self.record(&instance, kind::TXT, CLASS_FLUSH, OTHER_TTL, |w| {
            if service.texts.is_empty() {
                return w.bytes(&[0]);
            }
            service.texts.iter().try_for_each(|text| {
                w.bytes(&[u8::try_from(text.len()).ok()?])?;
                w.bytes(text.as_bytes())
            })
        });
    }
}

/// Begins an answer. The numbers of records in its header are filled in at the end.
fn begin(out: &mut [u8; MAX_ANSWER]) -> Writer<'_> {
    out[..12].copy_from_slice(&[0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    Writer { out, length: 12, records: 0 }
}

/// Writes the answer to a packet, if it asks for this host, and returns its length.
pub fn answer(packet: &[u8], host: &Host, out: &mut [u8; MAX_ANSWER]) -> Option<usize> {
    let header = packet.first_chunk::<12>()?;
    // Accept standard queries only.
    if header[2] & 0xf8 != 0 {
        return None;
    }
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let mut w = begin(out);
    let mut at = 12;
    for _ in 0..questions.min(16) {
        let (name, behind) = read_name(packet, at)?;
        let [kind_high, kind_low, _, _] = *packet.get(behind..)?.first_chunk::<4>()?;
        let kind = u16::from_be_bytes([kind_high, kind_low]);
        at = behind + 4;
        let Some(name) = name else { continue };
        let asks = |wanted: u16| kind == wanted || kind == kind::ANY;
        if name.is(&[host.name, ".local"]) && asks(kind::A) {
            w.address(host);
        }
        for service in host.services {
            if name.is(&[service.kind, ".local"]) && asks(kind::PTR) {
                w.pointer(host, service);
                w.details(host, service);
                w.address(host);
            }
            if name.is(&[host.name, ".", service.kind, ".local"]) && (asks(kind::SRV) || asks(kind::TXT)) {
                w.details(host, service);
                w.address(host);
            }
            if name.is(&["_services._dns-sd._udp.local"]) && asks(kind::PTR) {
                let kind = [service.kind, "local"];
                w.record(&["_services._dns-sd._udp.local"], kind::PTR, CLASS, OTHER_TTL, |w| w.name(&kind));
            }
        }
    }
    finish(w)
}

/// The unsolicited announcement of a host.
pub fn announcement(host: &Host, out: &mut [u8; MAX_ANSWER]) -> Option<usize> {
    let mut w = begin(out);
    for service in host.services {
        w.pointer(host, service);
        w.details(host, service);
    }
    w.address(host);
    finish(w)
}

fn finish(w: Writer) -> Option<usize> {
    w.out[6..8].copy_from_slice(&w.records.to_be_bytes());
    (w.records > 0).then_some(w.length)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const TEXTS: [&str; 2] = ["id=k1-a3f0", "ver=0.1.0"];
    const SERVICES: [Service; 2] = [
        Service { kind: "_k1._tcp", port: 80, texts: &TEXTS },
        Service { kind: "_http._tcp", port: 80, texts: &[] },
    ];
    const HOST: Host = Host { name: "k1-a3f0", address: [10, 0, 2, 15], services: &SERVICES };

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut q = std::vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            q.push(label.len() as u8);
            q.extend(label.bytes());
        }
        q.extend([0, (kind >> 8) as u8, kind as u8, 0, 1]);
        q
    }

    fn ask(packet: &[u8]) -> Option<Vec<u8>> {
        let mut out = [0; MAX_ANSWER];
        answer(packet, &HOST, &mut out).map(|n| out[..n].to_vec())
    }

    fn has(answer: &[u8], part: &[u8]) -> bool {
        answer.windows(part.len()).any(|w| w == part)
    }

    #[test]
    fn a_host_answers_questions_about_itself() {
        let a = ask(&query("K1-A3F0.local", 1)).unwrap();
        assert_eq!(a[..12], [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(a[12..], *b"\x07k1-a3f0\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\x02\x0f");
        let a = ask(&query("_k1._tcp.local", 12)).unwrap();
        assert_eq!(a[7], 4, "pointer, port, texts, address");
        assert!(has(&a, b"\x07k1-a3f0\x03_k1\x04_tcp\x05local\0") && has(&a, b"\x0aid=k1-a3f0\x09ver=0.1.0"));
        assert!(has(&a, &[0, 0, 0, 0, 0, 80, 7]));
        assert_eq!(ask(&query("k1-a3f0._http._tcp.local", 16)).unwrap()[7], 3);
        assert_eq!(ask(&query("_services._dns-sd._udp.local", 12)).unwrap()[7], 2);
        let mut out = [0; MAX_ANSWER];
        assert!(announcement(&HOST, &mut out).unwrap() < 400 && out[7] == 7);
    }

    #[test]
    fn others_are_not_answered_for() {
        for (name, kind) in
            [("k1-a3f1.local", 1), ("k1-a3f0.local", 28), ("k1-a3f0.evil.local", 1), ("_hap._tcp.local", 12)]
        {
            assert_eq!(ask(&query(name, kind)), None, "{name}");
        }
        let mut response = query("k1-a3f0.local", 1);
        response[2] = 0x84;
        assert_eq!(ask(&response), None, "an answer is not a question");
        // A name with a pointer is read; one that points to itself or ahead is not.
        let mut two = query("_k1._tcp.local", 12);
        two[5] = 2;
        two.extend([0xc0, 12, 0, 12, 0, 1]);
        assert_eq!(ask(&two).unwrap()[7], 8);
        for to in [12, 13, 200] {
            let packet = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, to][..], &[0, 1, 0, 1]].concat();
            assert_eq!(ask(&packet), None);
        }
    }

    proptest! {
        #[test]
        fn any_packet_is_answered_or_not(mut bytes in prop::collection::vec(any::<u8>(), 0..120), name in 0_usize..3, query_bit: bool) {
            if query_bit && bytes.len() > 12 {
                bytes[2] = 0;
                let names = ["\x07k1-a3f0\x05local\0", "\x03_k1\x04_tcp\x05local\0", "\0"];
                let part = names[name].as_bytes();
                let n = part.len().min(bytes.len() - 12);
                bytes[12..12 + n].copy_from_slice(&part[..n]);
            }
            if let Some(a) = ask(&bytes) {
                prop_assert!(a.len() <= MAX_ANSWER && a[7] > 0);
            }
        }
    }
}
