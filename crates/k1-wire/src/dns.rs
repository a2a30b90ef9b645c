//! A captive-portal name server (RFC 1035): it answers every name with one address, that of the lamp whose access
//! point was joined, so that a phone finds the page for choosing a network.

/// UDP port of name servers.
pub const PORT: u16 = 53;
/// Largest message over UDP without extensions, in bytes (RFC 1035, 4.2.1).
pub const MOST: usize = 512;
/// Lifetime of an answer in seconds: it must not outlive the access point.
const TTL: u32 = 5;

const HEADER: usize = 12;
const A: [u8; 2] = [0, 1];
const ANY: [u8; 2] = [0, 255];
const INTERNET: [u8; 2] = [0, 1];

/// Writes the answer to a query, `address` for every name, into `out` and returns its length. `None` if the bytes are
/// not a query with one question.
///
/// A question for anything other than an IPv4 address is answered with "no such record", so that a phone does not
/// wait.
pub fn answer(query: &[u8], address: [u8; 4], out: &mut [u8; MOST]) -> Option<usize> {
    let head: &[u8; HEADER] = query.first_chunk()?;
    let [id0, id1, flags, _, questions @ ..] = head;
    // Ignore responses, other operations than a standard query (opcode 0), and truncated messages.
    if flags & 0b1111_1010 != 0 || questions[..2] != [0, 1] {
        return None;
    }
    let name = name_length(query.get(HEADER..)?)?;
    let end = HEADER + name + 4;
    let question = query.get(HEADER..end)?;
    let (kind, class) = question[name..].split_at(2);
    let found = class == INTERNET && (kind == A || kind == ANY);
    let recursion = flags & 1;
    // An authoritative response. Recursion is as requested and marked available, because some clients ask elsewhere
    // otherwise.
    let records = [0, u8::from(found), 0, 0, 0, 0];
    let mut length = 0;
    let mut put = |bytes: &[u8]| -> Option<()> {
        out.get_mut(length..length + bytes.len())?.copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    put(&[*id0, *id1, 0x84 | recursion, 0x80, 0, 1])?;
    put(&records)?;
    put(question)?;
    if found {
        // The name is that of the question, right behind the header.
        put(&[0xc0, HEADER as u8])?;
        put(&A)?;
        put(&INTERNET)?;
        put(&TTL.to_be_bytes())?;
        put(&[0, 4])?;
        put(&address)?;
    }
    Some(length)
}

/// Length of a name in bytes, including its end. The name of a question is complete, without pointers.
fn name_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            label @ 1..=63 => at += 1 + usize::from(label),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const LAMP: [u8; 4] = [192, 168, 4, 1];

    fn query(name: &str, kind: [u8; 2]) -> Vec<u8> {
        let mut q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
        for label in name.split('.') {
            q.push(label.len() as u8);
            q.extend(label.bytes());
        }
        q.push(0);
        q.extend(kind);
        q.extend(INTERNET);
        q
    }

    #[test]
    fn every_name_leads_to_the_lamp() {
        for name in ["captive.apple.com", "connectivitycheck.gstatic.com", "k1"] {
            let q = query(name, A);
            let mut out = [0; MOST];
            let n = answer(&q, LAMP, &mut out).unwrap();
            assert_eq!(out[..8], *b"\x12\x34\x85\x80\x00\x01\x00\x01", "id, flags, one question, one answer");
            assert_eq!(out[HEADER..q.len()], q[HEADER..]);
            assert_eq!(out[q.len()..n], *b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\xa8\x04\x01");
        }
    }

    #[test]
    fn a_question_for_another_record_is_answered_with_none() {
        let (q, mut out) = (query("example.org", [0, 28]), [0; MOST]);
        let n = answer(&q, LAMP, &mut out).unwrap();
        assert_eq!((n, &out[6..8]), (q.len(), &[0, 0][..]));
    }

    #[test]
    fn only_queries_are_answered() {
        let mut out = [0; MOST];
        let good = query("k1.local", A);
        let bent = |at: usize, to: u8| {
            let mut q = good.clone();
            q[at] = to;
            q
        };
        let wrong = [bent(2, 0x80), bent(2, 0x10), bent(2, 0x02), bent(5, 2), bent(5, 0), bent(HEADER, 0xc0)];
        for q in wrong {
            assert_eq!(answer(&q, LAMP, &mut out), None, "{q:?}");
        }
        for n in 0..good.len() {
            assert_eq!(answer(&good[..n], LAMP, &mut out), None, "cut after {n}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let mut out = [0; MOST];
            if let Some(n) = answer(&bytes, LAMP, &mut out) {
                prop_assert!(n <= bytes.len() + 16 && out[..2] == bytes[..2]);
            }
        }

        #[test]
        fn a_bent_query_is_borne(at in 0_usize..30, to in any::<u8>(), cut in 0_usize..30) {
            let mut q = query("connectivity.example", A);
            let last = q.len() - 1;
            q[at.min(last)] = to;
            q.truncate(q.len() - cut.min(last));
            let mut out = [0; MOST];
            let _ = answer(&q, LAMP, &mut out);
        }
    }
}
