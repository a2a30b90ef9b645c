//! The interfaces for light besides DDP: what a node would read, and frames that are sent and read.

use k1_wire::pixel::Pixel;
use k1_wire::serial::{TPM2_END, adalight_header, read_adalight, read_tpm2, tpm2_header};
use k1_wire::universes::Universes;
use k1_wire::{artnet, sacn, wled};

use crate::choices::Choices;

/// Channels of the longest frame: several universes.
const FRAME: usize = 3_000;

/// Any bytes as one packet of each protocol, and as frames that are sent and received by each protocol.
pub fn lights(bytes: &[u8]) {
    one_art_net_packet(bytes);
    one_sacn_packet(bytes);
    one_wled_packet(bytes);
    a_serial_stream(bytes);
    let mut choices = Choices::new(bytes);
    let channels = choices.word() as u16 % 513;
    let first = choices.word() as u16;
    let length = choices.word() as usize % (FRAME + 1);
    let seed = choices.rest();
    let frame: Vec<u8> = (0..length).map(|i| seed.get(i % 64).copied().unwrap_or(i as u8)).collect();
    wled_there_and_back(
        if channels.is_multiple_of(2) { Pixel::Rgb } else { Pixel::Rgbw },
        first as u8,
        &frame,
    );
    serial_there_and_back(&frame);
    // A refusal has a message.
    match Universes::new(first, channels) {
        Ok(universes) => {
            art_net_there_and_back(universes, &frame);
            sacn_there_and_back(universes, &frame);
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn one_art_net_packet(bytes: &[u8]) {
    match artnet::Packet::check(bytes) {
        Ok(artnet::Packet::Dmx(dmx)) => {
            assert!(dmx.universe() <= artnet::LAST_UNIVERSE && dmx.sequence() != Some(0));
            assert!((2..=512).contains(&dmx.data().len()) && dmx.data().len().is_multiple_of(2));
            assert!(bytes[18..].starts_with(dmx.data()));
        }
        Ok(artnet::Packet::PollReply(reply)) => {
            assert!(reply.outputs().all(|universe| universe <= artnet::LAST_UNIVERSE));
            assert!(reply.outputs().count() <= artnet::MAX_PORTS);
            let _ = (reply.address(), reply.short_name(), reply.long_name());
            let _ = (reply.is_node(), reply.bind_index());
        }
        Ok(_) => {}
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn art_net_there_and_back(universes: Universes, frame: &[u8]) {
    let fits = universes.check(frame.len(), artnet::LAST_UNIVERSE).is_ok();
    let mut sender = artnet::Sender::new(universes, true);
    let mut node = Vec::new();
    let (mut next, mut is_shown) = (universes.first(), false);
    let mut buffer = [0; artnet::MAX_PACKET];
    let sent: Result<(), ()> = sender.frame(frame, &mut buffer, |bytes| {
        match artnet::Packet::check(bytes).expect("what is sent is a packet") {
            artnet::Packet::Dmx(dmx) if fits => {
                assert!(!is_shown && dmx.universe() == next, "universes follow one another");
                next += 1;
                let left = frame.len() - node.len();
                node.extend_from_slice(
                    &dmx.data()[..dmx.data().len().min(universes.channels().into()).min(left)],
                );
            }
            artnet::Packet::Dmx(_) => {}
            artnet::Packet::Sync => is_shown = true,
            other => panic!("{other:?} is not sent"),
        }
        Ok(())
    });
    assert!(sent.is_ok() && is_shown);
    assert!(!fits || node == frame, "every channel arrives");
}

fn one_sacn_packet(bytes: &[u8]) {
    match sacn::Packet::check(bytes) {
        Ok(sacn::Packet::Data(data)) => {
            assert!(data.data().len() <= 512 && bytes[126..].starts_with(data.data()));
            let _ = (data.cid(), data.name(), data.priority(), data.universe(), data.start_code());
            let _ = (data.sync_universe(), data.sequence(), data.is_terminated(), data.is_preview());
        }
        Ok(sacn::Packet::Discovery(list)) => {
            assert!(list.universes().count() <= bytes.len() / 2);
            let _ = (list.cid(), list.name(), list.page());
        }
        Ok(_) => {}
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn sacn_there_and_back(universes: Universes, frame: &[u8]) {
    let fits = universes.check(frame.len(), sacn::LAST_UNIVERSE).is_ok();
    let mut sender = sacn::Sender::new(sacn::Identity::new([1; 16], "K1"), universes, 100, Some(1));
    let mut buffer = [0; sacn::MAX_PACKET];
    let mut node = Vec::new();
    let mut is_shown = false;
    let sent: Result<(), ()> = sender.frame(frame, &mut buffer, |_, bytes| {
        match sacn::Packet::check(bytes).expect("what is sent is a packet") {
            sacn::Packet::Data(data) => node.extend_from_slice(data.data()),
            _ => is_shown = true,
        }
        Ok(())
    });
    assert!(sent.is_ok() && is_shown);
    assert!(!fits || node == frame, "every channel arrives");
    let mut listed = 0;
    let sent: Result<(), ()> = sender.discovery(frame.len(), &mut buffer, |_, bytes| {
        if let Ok(sacn::Packet::Discovery(list)) = sacn::Packet::check(bytes) {
            listed += list.universes().count();
        }
        Ok(())
    });
    assert!(sent.is_ok() && listed == universes.count(frame.len()), "every universe is listed");
}

fn one_wled_packet(bytes: &[u8]) {
    match wled::Packet::check(bytes) {
        Ok(packet) => {
            assert!(
                packet.data().len().is_multiple_of(packet.bytes_per_pixel())
                    && bytes.ends_with(packet.data())
            );
            let _ = (packet.first(), packet.timeout());
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn wled_there_and_back(pixel: Pixel, timeout: u8, frame: &[u8]) {
    let frame = &frame[..frame.len() / pixel.size() * pixel.size()];
    let mut node = Vec::new();
    let sent: Result<(), ()> = wled::frame(pixel, timeout, frame, &mut [0; wled::MAX_PACKET], |bytes| {
        let packet = wled::Packet::check(bytes).expect("what is sent is a packet");
        assert_eq!((packet.timeout(), packet.bytes_per_pixel()), (timeout, pixel.size()));
        assert_eq!(usize::from(packet.first()) * pixel.size(), node.len());
        node.extend_from_slice(packet.data());
        Ok(())
    });
    assert!(sent.is_ok() && node == frame);
}

fn a_serial_stream(bytes: &[u8]) {
    for read in [read_adalight, read_tpm2] {
        let mut rest = bytes;
        loop {
            match read(rest) {
                Ok((pixels, behind)) => {
                    assert!(pixels.len() + behind.len() < rest.len());
                    rest = behind;
                }
                Err(e) => {
                    assert!(!e.to_string().is_empty());
                    break;
                }
            }
        }
    }
}

fn serial_there_and_back(frame: &[u8]) {
    let frame = &frame[..frame.len() / 3 * 3];
    if let Some(header) = adalight_header(frame.len() / 3) {
        let bytes = [&header[..], frame].concat();
        assert_eq!(read_adalight(&bytes), Ok((frame, &[][..])));
    }
    let header = tpm2_header(frame.len()).expect("a short frame");
    let bytes = [&header[..], frame, &[TPM2_END]].concat();
    assert_eq!(read_tpm2(&bytes), Ok((frame, &[][..])));
}
