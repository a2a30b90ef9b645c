//! The parts of Ethernet, IPv4 (RFC 791) and TCP (RFC 9293) that a lamp inspects below its network stack.

/// An EtherType without listeners (IEEE 802, local experimental 1).
const NOBODY: [u8; 2] = [0x88, 0xb5];
const IPV4: [u8; 2] = [0x08, 0x00];
const TCP: u8 = 6;
const RST: u8 = 4;

/// Whether a frame is a TCP reset from `port` that refuses a new connection: it answers the first packet and has
/// sequence number 0 (RFC 9293, 3.10.7.1).
pub fn refuses_connection(frame: &[u8], port: u16) -> bool {
    let refuses = || {
        let (kind, ip) = frame.get(12..)?.split_first_chunk()?;
        let is_tcp = *kind == IPV4 && ip.first()? >> 4 == 4 && *ip.get(9)? == TCP;
        let tcp = ip.get(usize::from(ip.first()? & 15) * 4..)?;
        let (from, rest) = tcp.split_first_chunk()?;
        let sequence = rest.get(2..6)?;
        Some(is_tcp && *from == port.to_be_bytes() && sequence == [0; 4] && *rest.get(11)? & RST != 0)
    };
    refuses().unwrap_or(false)
}

/// Changes the type of a frame so that every receiver ignores it.
pub fn address_to_nobody(frame: &mut [u8]) {
    if let Some(kind) = frame.get_mut(12..14) {
        kind.copy_from_slice(&NOBODY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ethernet, IPv4 with `options` words of options, and TCP.
    fn frame(options: usize, from: u16, sequence: u32, flags: u8) -> Vec<u8> {
        let mut f = vec![2; 12];
        f.extend(IPV4);
        f.push(0x45 + options as u8);
        f.extend([0; 8]);
        f.push(TCP);
        f.extend([0; 10]);
        f.extend(vec![1; options * 4]);
        f.extend(from.to_be_bytes());
        f.extend([0x30, 0x39]);
        f.extend(sequence.to_be_bytes());
        f.extend([0, 0, 0, 9, 0x50, flags]);
        f.extend([0; 6]);
        f
    }

    #[test]
    fn only_a_refusal_is_one() {
        for options in [0, 3] {
            assert!(refuses_connection(&frame(options, 80, 0, 0x14), 80));
            assert!(!refuses_connection(&frame(options, 81, 0, 0x14), 80), "another port");
            assert!(
                !refuses_connection(&frame(options, 80, 7, 0x14), 80),
                "the end of a connection that was"
            );
            assert!(!refuses_connection(&frame(options, 80, 0, 0x12), 80), "it is accepted");
        }
        let mut gone = frame(0, 80, 0, 0x14);
        address_to_nobody(&mut gone);
        assert!(!refuses_connection(&gone, 80));
        address_to_nobody(&mut [0; 13]);
    }

    proptest! {
        #[test]
        fn any_frame_is_looked_at(frame in prop::collection::vec(any::<u8>(), 0..80), port: u16) {
            let _ = refuses_connection(&frame, port);
        }

        #[test]
        fn a_truncated_frame_is_not_a_refusal(n in 0_usize..48) {
            prop_assert!(!refuses_connection(&frame(0, 80, 0, 0x14)[..n], 80));
        }
    }
}
