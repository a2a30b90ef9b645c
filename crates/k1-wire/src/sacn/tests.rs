use proptest::prelude::*;

use super::*;

const CID: [u8; 16] = [0xa5; 16];

fn sender(first: u16, channels: u16, sync: Option<u16>) -> Sender {
    Sender::new(Identity::new(CID, "K1"), Universes::new(first, channels).unwrap(), 100, sync)
}

type Sent = Vec<(u16, Vec<u8>)>;

fn packets(
    mut of: impl FnMut(&mut [u8; MAX_PACKET], &mut dyn FnMut(u16, &[u8]) -> Result<(), ()>) -> Result<(), ()>,
) -> Sent {
    let mut sent = Vec::new();
    let mut buffer = [0xee; MAX_PACKET];
    let all = of(&mut buffer, &mut |universe, bytes| {
        sent.push((universe, bytes.to_vec()));
        Ok(())
    });
    all.unwrap();
    sent
}

fn frame(sender: &mut Sender, channels: &[u8]) -> Sent {
    packets(|buffer, send| sender.frame(channels, buffer, send))
}

#[test]
fn golden_packets_of_one_pixel_with_synchronisation() {
    let sent = frame(&mut sender(0x0102, 510, Some(7962)), &[1, 2, 3]);
    let mut data = b"\x00\x10\x00\x00ASC-E1.17\0\0\0\x70\x71\x00\x00\x00\x04".to_vec();
    data.extend(CID);
    data.extend(b"\x70\x5b\x00\x00\x00\x02K1");
    data.extend([0; 62]);
    // Priority, synchronisation universe, sequence, options, universe; then the channels.
    data.extend(b"\x64\x1f\x1a\x01\x00\x01\x02\x70\x0e\x02\xa1\x00\x00\x00\x01\x00\x04\x00\x01\x02\x03");
    let mut sync = b"\x00\x10\x00\x00ASC-E1.17\0\0\0\x70\x21\x00\x00\x00\x08".to_vec();
    sync.extend(CID);
    sync.extend(b"\x70\x0b\x00\x00\x00\x01\x01\x1f\x1a\x00\x00");
    assert_eq!(sent, [(0x0102, data), (7962, sync)]);
}

#[test]
fn golden_list_of_two_universes() {
    let sent = packets(|buffer, send| sender(511, 512, None).discovery(513, buffer, send));
    let mut list = b"\x00\x10\x00\x00ASC-E1.17\0\0\0\x70\x6c\x00\x00\x00\x08".to_vec();
    list.extend(CID);
    list.extend(b"\x70\x56\x00\x00\x00\x02K1");
    list.extend([0; 66]);
    list.extend(b"\x70\x0c\x00\x00\x00\x01\x00\x00\x01\xff\x02\x00");
    assert_eq!(sent, [(64_214, list)]);
}

#[test]
fn a_long_list_has_pages() {
    let sent = packets(|buffer, send| sender(1, 1, None).discovery(1_025, buffer, send));
    let mut all = Vec::new();
    for (i, (universe, bytes)) in sent.iter().enumerate() {
        let Ok(Packet::Discovery(list)) = Packet::check(bytes) else { panic!("{bytes:?}") };
        assert_eq!((*universe, list.page()), (DISCOVERY_UNIVERSE, (i as u8, 2)));
        assert_eq!((list.name(), list.cid()), ("K1", CID));
        all.extend(list.universes());
    }
    assert_eq!(all, (1..=1_025).collect::<Vec<u16>>());
}

#[test]
fn each_stream_is_terminated_three_times() {
    let mut sender = sender(3, 2, None);
    frame(&mut sender, &[1, 2, 3]);
    let sent = packets(|buffer, send| sender.terminate(&[0; 3], buffer, send));
    let of = |bytes: &[u8]| match Packet::check(bytes) {
        Ok(Packet::Data(data)) => (data.universe(), data.sequence(), data.is_terminated()),
        other => panic!("{other:?}"),
    };
    let said: Vec<_> = sent.iter().map(|(_, bytes)| of(bytes)).collect();
    assert_eq!(said, [(3, 2, true), (4, 2, true), (3, 3, true), (4, 3, true), (3, 4, true), (4, 4, true)]);
}

#[test]
fn groups_and_names() {
    assert_eq!(group(1), [239, 255, 0, 1]);
    assert_eq!(group(DISCOVERY_UNIVERSE), [239, 255, 250, 214]);
    let sent = frame(
        &mut Sender::new(
            Identity::new(CID, &"ü".repeat(40)),
            Universes::new(1, 512).unwrap(),
            MAX_PRIORITY,
            None,
        ),
        &[],
    );
    let Ok(Packet::Data(data)) = Packet::check(&sent[0].1) else { panic!() };
    assert_eq!((data.name(), data.priority(), data.sync_universe()), (&*"ü".repeat(31), 200, None));
    assert!(data.data().is_empty() && !data.is_preview() && data.start_code() == 0);
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    let good = frame(&mut sender(1, 512, None), &[1, 2, 3, 4])[0].1.clone();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Packet::check(&bytes).map(|_| ())
    };
    assert_eq!(Packet::check(&[]), Err(Error::Truncated { have: 0, need: 44 }));
    assert_eq!(with(4, b'X'), Err(Error::Foreign));
    assert_eq!(with(21, 9), Err(Error::Vector(9)));
    assert_eq!(with(43, 9), Err(Error::Vector(9)));
    assert_eq!(with(117, 3), Err(Error::Vector(3)));
    for (at, why) in [(17, "root"), (39, "framing"), (116, "channels"), (124, "count")] {
        assert_eq!(with(at, good[at] - 1), Err(Error::Length), "{why}");
    }
    for end in 44..good.len() {
        assert!(Packet::check(&good[..end]).is_err(), "{end} bytes");
    }
    let mut long = good.clone();
    long.push(7);
    assert!(Packet::check(&long).is_ok(), "trailing bytes are ignored");
    assert!(Error::Channels(513).to_string().contains("513"));
}

proptest! {
    #[test]
    fn any_frame_arrives_whole(
        leds in 1_usize..=10_000, white: bool, first in 1_u16..1_000, whole: bool, sync: bool, seed: u32,
    ) {
        let bytes = leds * if white { 4 } else { 3 };
        let channels: Vec<u8> = (0..bytes as u32).map(|i| (i.wrapping_mul(seed | 1) >> 8) as u8).collect();
        let sent = frame(&mut sender(first, if whole { 512 } else { 510 }, sync.then_some(9)), &channels);
        let (mut got, mut next, mut shown) = (Vec::new(), first, 0);
        for (group, bytes) in &sent {
            match Packet::check(bytes).unwrap() {
                Packet::Data(data) => {
                    prop_assert_eq!((data.universe(), *group, data.sequence()), (next, next, 1));
                    prop_assert_eq!(data.sync_universe(), sync.then_some(9));
                    prop_assert_eq!((data.cid(), data.name(), data.is_terminated()), (CID, "K1", false));
                    got.extend_from_slice(data.data());
                    next += 1;
                }
                Packet::Sync { universe, sequence } => {
                    prop_assert_eq!((universe, *group, sequence), (9, 9, 1));
                    shown += 1;
                }
                Packet::Discovery(_) => prop_assert!(false),
            }
        }
        prop_assert_eq!(shown, usize::from(sync));
        prop_assert_eq!(got, channels);
    }

    #[test]
    fn no_bytes_can_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0_usize..4, at in 0_usize..130, to: u8,
    ) {
        let near = match which {
            0 => frame(&mut sender(1, 512, None), &bytes)[0].1.clone(),
            1 => frame(&mut sender(1, 512, Some(1)), &bytes)[1].1.clone(),
            2 => packets(|b, send| sender(1, 512, None).discovery(2_000, b, send))[0].1.clone(),
            _ => bytes,
        };
        let mut near = near;
        if let Some(byte) = near.get_mut(at) {
            *byte = to;
        }
        match Packet::check(&near) {
            Ok(Packet::Data(d)) => {
                let _ = (d.cid(), d.name(), d.priority(), d.universe(), d.data().len(), d.is_preview());
            }
            Ok(Packet::Discovery(d)) => {
                let _ = (d.cid(), d.name(), d.page(), d.universes().count());
            }
            _ => {}
        }
    }
}
