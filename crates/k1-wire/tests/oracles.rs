//! Other people's codecs as oracles: the crates `sacn` and `artnet_protocol` read what K1 writes and write the same bytes, and
//! K1 reads what they write.

use ::sacn::packet::{
    AcnRootLayerProtocol, DataPacketDmpLayer, DataPacketFramingLayer, E131RootLayer, E131RootLayerData,
    SynchronizationPacketFramingLayer, UniverseDiscoveryPacketFramingLayer,
    UniverseDiscoveryPacketUniverseDiscoveryLayer,
};
use artnet_protocol::{ArtCommand, ArtTalkToMe, Output, Poll, PollReply, PortAddress};
use k1_wire::universes::Universes;
use k1_wire::{artnet, sacn};
use proptest::prelude::*;
use uuid::Uuid;

/// Channels that differ from each other.
fn channels(length: usize, seed: u32) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(seed | 1) >> 8) as u8).collect()
}

/// Up to 63 bytes of text, which may be of any script.
fn name() -> impl Strategy<Value = String> {
    "\\PC{0,15}".prop_filter("it fits", |name| name.len() <= 63 && !name.contains('\0'))
}

/// A packet in their terms.
fn theirs(cid: [u8; 16], data: E131RootLayerData) -> AcnRootLayerProtocol {
    AcnRootLayerProtocol { pdu: E131RootLayer { cid: Uuid::from_bytes(cid), data } }
}

fn data_packet<'a>(
    name: &'a str,
    priority: u8,
    sync: Option<u16>,
    sequence: u8,
    (preview, terminated): (bool, bool),
    (universe, values): (u16, &'a [u8]),
) -> E131RootLayerData<'a> {
    E131RootLayerData::DataPacket(DataPacketFramingLayer {
        source_name: name.into(),
        priority,
        synchronization_address: sync.unwrap_or(0),
        sequence_number: sequence,
        preview_data: preview,
        stream_terminated: terminated,
        force_synchronization: false,
        universe,
        data: DataPacketDmpLayer { property_values: values.into() },
    })
}

/// All packets that `send` sends, each with the universe to whose group it goes.
fn packets<E: std::fmt::Debug>(
    send: impl FnOnce(&mut [u8; sacn::MAX_PACKET], &mut dyn FnMut(u16, &[u8]) -> Result<(), ()>) -> Result<(), E>,
) -> Vec<(u16, Vec<u8>)> {
    let mut sent = Vec::new();
    let mut keep = |universe, bytes: &[u8]| {
        sent.push((universe, bytes.to_vec()));
        Ok(())
    };
    send(&mut [0xee; sacn::MAX_PACKET], &mut keep).unwrap();
    sent
}

proptest! {
    #[test]
    fn sacn_reads_what_k1_writes_and_writes_the_same_bytes(
        (cid, name, priority) in (any::<[u8; 16]>(), name(), 0_u8..=200),
        (first, per_universe, length) in (1_u16..=63_000, 1_u16..=512, 0_usize..=4_000),
        sync in proptest::option::of(1_u16..=63_999), frames in 1_u8..=3, seed: u32,
    ) {
        let universes = Universes::new(first, per_universe).unwrap();
        prop_assume!(universes.check(length, sacn::LAST_UNIVERSE).is_ok());
        let frame = channels(length, seed);
        let mut sender = sacn::Sender::new(sacn::Identity::new(cid, &name), universes, priority, sync);
        let expect = |sequence: u8, terminated: bool| {
            universes.split(&frame).map(|(universe, data)| {
                let values = [&[0], data].concat();
                let packet = data_packet(&name, priority, sync, sequence, (false, terminated), (universe, &values));
                (universe, theirs(cid, packet).pack_alloc().unwrap())
            }).collect::<Vec<_>>()
        };
        for sequence in 1..=frames {
            let sent = packets(|buffer, send| sender.frame(&frame, buffer, send));
            let mut expected = expect(sequence, false);
            expected.extend(sync.map(|universe| {
                let packet = SynchronizationPacketFramingLayer {
                    sequence_number: sequence, synchronization_address: universe,
                };
                let packet = theirs(cid, E131RootLayerData::SynchronizationPacket(packet));
                (universe, packet.pack_alloc().unwrap())
            }));
            prop_assert_eq!(&sent, &expected);
            for (_, bytes) in &sent {
                prop_assert_eq!(&AcnRootLayerProtocol::parse(bytes).unwrap().pack_alloc().unwrap(), bytes);
            }
        }
        let sent = packets(|buffer, send| sender.terminate(&frame, buffer, send));
        let ends = (1..=3).flat_map(|n| expect(frames + n, true)).collect::<Vec<_>>();
        prop_assert_eq!(sent, ends);
    }

    #[test]
    fn sacn_reads_k1s_list_of_universes(
        cid: [u8; 16], name in name(), first in 1_u16..=60_000, count in 1_usize..=3_000,
    ) {
        let identity = sacn::Identity::new(cid, &name);
        let sender = sacn::Sender::new(identity, Universes::new(first, 1).unwrap(), 100, None);
        let sent = packets(|buffer, send| sender.discovery(count, buffer, send));
        let mut listed = Vec::new();
        for (page, (group, bytes)) in sent.iter().enumerate() {
            prop_assert_eq!(*group, sacn::DISCOVERY_UNIVERSE);
            let packet = AcnRootLayerProtocol::parse(bytes).unwrap();
            prop_assert_eq!(&packet.pack_alloc().unwrap(), bytes);
            prop_assert_eq!(packet.pdu.cid.as_bytes(), &cid);
            let E131RootLayerData::UniverseDiscoveryPacket(list) = packet.pdu.data else { panic!("{bytes:?}") };
            prop_assert_eq!(&*list.source_name, &name);
            prop_assert_eq!((usize::from(list.data.page), usize::from(list.data.last_page)), (page, sent.len() - 1));
            listed.extend_from_slice(&list.data.universes);
        }
        prop_assert!(listed.into_iter().eq((0..count).map(|i| first + i as u16)));
    }

    #[test]
    fn k1_reads_what_sacn_writes(
        (cid, name, priority, sequence) in (any::<[u8; 16]>(), name(), 0_u8..=200, any::<u8>()),
        (universe, start_code, length, seed) in (1_u16..=63_999, any::<u8>(), 0_usize..=512, any::<u32>()),
        sync in proptest::option::of(1_u16..=63_999), is_preview: bool, is_terminated: bool,
        first in 1_u16..=60_000, listed in 0_u16..=512,
    ) {
        let values = [&[start_code], &channels(length, seed)[..]].concat();
        let options = (is_preview, is_terminated);
        let packet = data_packet(&name, priority, sync, sequence, options, (universe, &values));
        let bytes = theirs(cid, packet).pack_alloc().unwrap();
        let Ok(sacn::Packet::Data(data)) = sacn::Packet::check(&bytes) else { panic!("{bytes:?}") };
        prop_assert_eq!((data.cid(), data.name(), data.priority()), (cid, &*name, priority));
        prop_assert_eq!((data.universe(), data.sync_universe(), data.sequence()), (universe, sync, sequence));
        prop_assert_eq!((data.is_preview(), data.is_terminated()), options);
        prop_assert_eq!((data.start_code(), data.data()), (start_code, &values[1..]));

        let packet = SynchronizationPacketFramingLayer { sequence_number: sequence, synchronization_address: universe };
        let bytes = theirs(cid, E131RootLayerData::SynchronizationPacket(packet)).pack_alloc().unwrap();
        prop_assert_eq!(sacn::Packet::check(&bytes), Ok(sacn::Packet::Sync { universe, sequence }));

        let universes: Vec<u16> = (first..first + listed).collect();
        let list = UniverseDiscoveryPacketUniverseDiscoveryLayer { page: 2, last_page: 7, universes: (&universes).into() };
        let list = UniverseDiscoveryPacketFramingLayer { source_name: name.as_str().into(), data: list };
        let bytes = theirs(cid, E131RootLayerData::UniverseDiscoveryPacket(list)).pack_alloc().unwrap();
        let Ok(sacn::Packet::Discovery(list)) = sacn::Packet::check(&bytes) else { panic!("{bytes:?}") };
        prop_assert_eq!((list.cid(), list.name(), list.page()), (cid, &*name, (2, 7)));
        prop_assert!(list.universes().eq(universes));
    }

    #[test]
    fn artnet_protocol_reads_what_k1_writes_and_writes_the_same_bytes(
        first in 0_u16..=32_000, per_universe in 1_u16..=512, length in 0_usize..=4_000, syncs: bool, seed: u32,
    ) {
        let universes = Universes::new(first, per_universe).unwrap();
        prop_assume!(universes.check(length, artnet::LAST_UNIVERSE).is_ok());
        let frame = channels(length, seed);
        let mut sent = Vec::new();
        let sending: Result<(), ()> = artnet::Sender::new(universes, syncs).frame(
            &frame,
            &mut [0xee; artnet::MAX_PACKET],
            |bytes| {
                sent.push(bytes.to_vec());
                Ok(())
            },
        );
        sending.unwrap();
        let end = sent.split_off(universes.count(length));
        prop_assert_eq!(end.len(), usize::from(syncs));
        for bytes in end {
            prop_assert!(matches!(ArtCommand::from_buffer(&bytes), Ok(ArtCommand::Sync)));
        }
        for ((universe, data), bytes) in universes.split(&frame).zip(sent) {
            let Ok(ArtCommand::Output(output)) = ArtCommand::from_buffer(&bytes) else { panic!("{bytes:?}") };
            prop_assert_eq!((output.version, output.sequence, output.physical), ([0, 14], 1, 0));
            prop_assert_eq!(u16::from(output.port_address), universe);
            // Art-Net has no universe with an odd number of channels, and none without channels.
            let mut padded = data.to_vec();
            padded.resize(data.len().next_multiple_of(2).max(2), 0);
            prop_assert_eq!(output.data.as_ref(), &padded);
            prop_assert_eq!(usize::from(*output.length), padded.len());
            prop_assert_eq!(ArtCommand::Output(output).write_to_buffer().unwrap(), bytes);
        }
    }

    #[test]
    fn k1_reads_what_artnet_protocol_writes(
        universe in 0_u16..=32_767, sequence: u8, physical: u8, length in 1_usize..=512, seed: u32,
    ) {
        let mut data = channels(length, seed);
        let port_address = PortAddress::try_from(universe).unwrap();
        let output = Output { sequence, physical, port_address, data: data.clone().into(), ..Output::default() };
        let bytes = ArtCommand::Output(output).write_to_buffer().unwrap();
        let Ok(artnet::Packet::Dmx(dmx)) = artnet::Packet::check(&bytes) else { panic!("{bytes:?}") };
        data.resize(length.next_multiple_of(2), 0);
        prop_assert_eq!((dmx.universe(), dmx.sequence()), (universe, Some(sequence).filter(|n| *n > 0)));
        prop_assert_eq!(dmx.data(), &data);
    }

    #[test]
    fn artnet_protocol_reads_k1s_reply_and_k1_reads_theirs(
        address: [u8; 4], subnet in 0_u16..0x800, ports in proptest::collection::vec(0_u16..16, 0..=4),
        short in "[a-z ]{0,17}", long in "[a-z ]{0,63}", bind_index in 1_u8..,
    ) {
        let universes: Vec<u16> = ports.iter().map(|port| subnet << 4 | port).collect();
        let node = artnet::Node::new(address, (&short, &long), &universes, bind_index).unwrap();
        let mut bytes = [0xee; artnet::REPLY_SIZE];
        node.write(&mut bytes);
        let Ok(ArtCommand::PollReply(reply)) = ArtCommand::from_buffer(&bytes) else { panic!("{bytes:?}") };
        prop_assert_eq!((reply.address.octets(), reply.port), (address, artnet::PORT));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
        prop_assert_eq!((text(&reply.short_name), text(&reply.long_name)), (short.clone(), long.clone()));
        prop_assert_eq!((usize::from(reply.num_ports[1]), reply.bind_index), (ports.len(), bind_index));
        let first = u16::from(reply.port_address[0]) << 8 | u16::from(reply.port_address[1]) << 4;
        let of_port = |port: &usize| first | u16::from(reply.swout[*port]);
        prop_assert!((0..ports.len()).collect::<Vec<_>>().iter().map(of_port).eq(universes.iter().copied()));
        prop_assert!(reply.port_types[..ports.len()].iter().all(|kind| kind & 0x80 != 0));

        let again = ArtCommand::PollReply(reply).write_to_buffer().unwrap();
        let Ok(artnet::Packet::PollReply(reply)) = artnet::Packet::check(&again) else { panic!("{again:?}") };
        prop_assert_eq!((reply.address(), reply.short_name(), reply.long_name()), (address, &*short, &*long));
        prop_assert!(reply.is_node() && reply.bind_index() == bind_index);
        prop_assert!(reply.outputs().eq(universes));
    }
}

#[test]
fn a_poll_is_read_on_both_sides() {
    let Ok(ArtCommand::Poll(poll)) = ArtCommand::from_buffer(&artnet::POLL) else { panic!() };
    assert_eq!((poll.version, poll.talk_to_me, poll.diagnostics_priority), ([0, 14], ArtTalkToMe::NONE, 0));
    let theirs = ArtCommand::Poll(Poll { diagnostics_priority: 0, ..Poll::default() });
    assert_eq!(theirs.write_to_buffer().unwrap(), artnet::POLL);
    let busy = ArtCommand::Poll(Poll { talk_to_me: ArtTalkToMe::EMIT_CHANGES, ..Poll::default() });
    assert_eq!(artnet::Packet::check(&busy.write_to_buffer().unwrap()), Ok(artnet::Packet::Poll));
    // A node that says nothing of itself.
    let empty = ArtCommand::PollReply(Box::<PollReply>::default()).write_to_buffer().unwrap();
    let Ok(artnet::Packet::PollReply(reply)) = artnet::Packet::check(&empty) else { panic!() };
    assert_eq!((reply.address(), reply.short_name(), reply.outputs().count()), ([0; 4], "", 0));
}
