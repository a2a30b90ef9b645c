//! The interface for pixels over UDP.

use k1_wire::ddp::{MAX_DATA, MAX_PACKET, Packet, Receiver, Sender};

use crate::choices::Choices;

/// LEDs of the receiving light; few, so that most offsets are out of range.
const LEDS: usize = 64;
/// LEDs of the longest frame: more than two packets, between which PUSH could go wrong.
const FRAME: usize = 1_500;

/// Any bytes as one packet, as a sequence of datagrams into one light, and as frames that are sent and received.
pub fn ddp(bytes: &[u8]) {
    one_packet(bytes);
    a_row_of_datagrams(bytes);
    there_and_back(bytes);
}

fn one_packet(bytes: &[u8]) {
    match Packet::check(bytes) {
        Ok(packet) => {
            accessors(&packet, bytes);
            accept(&mut Receiver::default(), &packet);
        }
        // A refusal has a message.
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

/// The guarantees of a checked packet.
fn accessors(packet: &Packet, bytes: &[u8]) {
    assert!(packet.data().len() <= bytes.len());
    assert!(packet.sequence().is_none_or(|n| (1..=15).contains(&n)));
    assert!(matches!(packet.bytes_per_pixel(), 3 | 4));
    let header = if packet.timecode().is_some() { 14 } else { 10 };
    let promised = usize::from(u16::from_be_bytes([bytes[8], bytes[9]]));
    if !packet.is_query() {
        assert_eq!(packet.data().len(), promised, "all that was promised is there");
    }
    assert!(bytes[header..].starts_with(packet.data()));
    let _ = (packet.id(), packet.offset(), packet.is_reply());
}

/// Feeds a packet to a light and compares the shown frame with the packet.
fn accept(light: &mut Receiver<LEDS>, packet: &Packet) {
    let late = light.late;
    match light.accept(packet) {
        Some(pixels) => {
            assert!(packet.is_push() && !packet.is_query() && !packet.is_reply());
            let size = packet.bytes_per_pixel();
            for (i, byte) in packet.data().iter().enumerate() {
                let place = u64::from(packet.offset()) + i as u64;
                let (pixel, channel) = (place / size as u64, (place % size as u64) as usize);
                if pixel < LEDS as u64 && channel < 3 {
                    assert_eq!(pixels[pixel as usize][channel], *byte);
                }
            }
        }
        None if packet.is_push() => {
            assert!(packet.is_query() || packet.is_reply() || light.late > late, "a pushed frame is shown");
        }
        None => {}
    }
}

/// The bytes as datagrams, each preceded by its length in one or two bytes.
fn a_row_of_datagrams(bytes: &[u8]) {
    let mut light = Receiver::default();
    let mut choices = Choices::new(bytes);
    while !choices.is_empty() {
        let length = match choices.byte() {
            255 => usize::from(choices.byte()) * 8,
            n => usize::from(n),
        };
        if let Ok(packet) = Packet::check(choices.take(length)) {
            accept(&mut light, &packet);
        }
    }
}

/// The bytes as frames of a length they choose, through a sender and a receiver.
fn there_and_back(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut sender = Sender::default();
    let mut light = Box::new(Receiver::<FRAME>::default());
    let mut buffer = [0; MAX_PACKET];
    for _ in 0..3 {
        let leds = (usize::from(choices.byte()) << 3 | usize::from(choices.byte()) & 7) % (FRAME + 1);
        let seed = choices.take(48);
        let frame: Vec<[u8; 3]> = (0..leds)
            .map(|i| std::array::from_fn(|c| seed.get((i * 3 + c) % 48).copied().unwrap_or(i as u8)))
            .collect();
        let mut shown = 0;
        let mut sent = 0;
        let done: Result<(), ()> = sender.frame(frame.as_flattened(), &mut buffer, |bytes| {
            let packet = Packet::check(bytes).expect("what is sent is a packet");
            accessors(&packet, bytes);
            assert_eq!(packet.offset() as usize, sent, "packets follow one another without a gap");
            assert!(packet.data().len() <= MAX_DATA);
            sent += packet.data().len();
            assert_eq!(packet.is_push(), sent == leds * 3, "PUSH is on the last packet and on no other");
            if let Some(pixels) = light.accept(&packet) {
                shown += 1;
                assert_eq!(&pixels[..leds], &frame[..]);
            }
            Ok(())
        });
        assert_eq!((done, shown, light.late), (Ok(()), 1, 0));
    }
}
