//! Only our updates: everything that is not exactly what a trusted key has signed is refused, and the running image
//! stays.

mod common;

use common::*;
use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use k1_sim::flash::Flash;
use k1_update::envelope::{ENVELOPE, Envelope};
use k1_update::layout::Slot;
use k1_update::manifest::{Manifest, Name};
use k1_update::record;
use k1_update::refusal::Refusal;
use k1_update::session::Session;
use k1_update::slot::Whole;
use k1_update::trust::{KeyStatement, Trust};
use proptest::prelude::*;

const SECTORS: u32 = 18;

fn try_to(flash: &mut Flash, trust: &Trust, bytes: &[u8], piece: usize) -> Result<Whole, Refusal> {
    let mut session = Session::new(layout(SECTORS), Slot::App0);
    block_on(async {
        for piece in bytes.chunks(piece) {
            session.take(flash, &gate(trust), piece).await?;
        }
        session.finish(flash).await
    })
}

fn flash() -> Flash {
    Flash::new(2 + 2 * SECTORS as usize)
}

#[test]
fn what_is_signed_is_let_in_however_it_is_cut() {
    let image = image(1, 30_001);
    for piece in [1, 7, 191, 192, 193, 1_460, 100_000] {
        let mut flash = flash();
        let whole = try_to(&mut flash, &trust(), &update(&image), piece).unwrap();
        assert_eq!(whole.slot(), Slot::App1);
        let at = layout(SECTORS).slot(Slot::App1) as usize;
        assert_eq!(flash.bytes[at..at + image.len()], image, "pieces of {piece}");
    }
}

/// A flash that counts the bytes read.
struct Counted(Flash, usize);

impl ErrorType for Counted {
    type Error = <Flash as ErrorType>::Error;
}

impl ReadNorFlash for Counted {
    const READ_SIZE: usize = Flash::READ_SIZE;
    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.1 += bytes.len();
        self.0.read(at, bytes).await
    }
    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Counted {
    const WRITE_SIZE: usize = Flash::WRITE_SIZE;
    const ERASE_SIZE: usize = Flash::ERASE_SIZE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to).await
    }
    async fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(at, bytes).await
    }
}

#[test]
fn an_image_is_read_back_once() {
    let (image, trust) = (image(1, 50_000), trust());
    let mut flash = Counted(flash(), 0);
    let mut session = Session::new(layout(SECTORS), Slot::App0);
    block_on(session.take(&mut flash, &gate(&trust), &update(&image))).unwrap();
    flash.1 = 0;
    block_on(session.finish(&mut flash)).unwrap();
    assert_eq!(flash.1, image.len() + ENVELOPE, "the image and its manifest, once each");
}

#[test]
fn every_flipped_bit_of_manifest_and_signature_is_refused_and_touches_nothing() {
    let (good, trust) = (update(&image(1, 5_000)), trust());
    let mut refused = 0;
    for bit in 0..8 * ENVELOPE {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let mut flash = flash();
        assert!(try_to(&mut flash, &trust, &bad, 1_460).is_err(), "bit {bit}");
        assert_eq!(flash.steps, 0, "bit {bit} was let into the flash");
        refused += 1;
    }
    println!("{refused} of {} flipped bits of manifest and signature refused", 8 * ENVELOPE);
}

#[test]
fn flipped_bits_of_the_image_are_refused() {
    let flips: u32 = std::env::var("K1_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let (good, trust) = (update(&image(1, 16_000)), trust());
    let bits = (good.len() - ENVELOPE) * 8;
    let mut flash = flash();
    for n in 0..flips {
        let bit = ENVELOPE * 8 + (n as usize).wrapping_mul(2_654_435_761) % bits;
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(try_to(&mut flash, &trust, &bad, 4_096), Err(Refusal::WrongHash), "bit {bit}");
        let records = block_on(record::read(&mut flash, &layout(SECTORS))).unwrap();
        assert_eq!(records.0[records.chosen().unwrap()].unwrap().slot(), Slot::App0);
    }
    println!("{flips} of {flips} flipped bits of the image refused");
}

#[test]
fn what_is_cut_off_or_goes_on_is_refused() {
    let (good, trust) = (update(&image(1, 60_000)), trust());
    for end in (0..good.len()).step_by(4_096).chain([191, 192, good.len() - 1]) {
        let result = try_to(&mut flash(), &trust, &good[..end], 1_460);
        let short = matches!(result, Err(Refusal::TooShort { .. } | Refusal::NotAnUpdate));
        assert!(short, "{end} bytes: {result:?}");
    }
    let long = [&good[..], &[0]].concat();
    assert_eq!(try_to(&mut flash(), &trust, &long, 1_460), Err(Refusal::TooLong));
}

#[test]
fn what_is_not_for_this_lamp_is_refused_by_name() {
    let image = image(1, 5_000);
    let good = manifest(&image);
    let mut trust = trust();
    trust.floor = 5;
    let signed = |m: &Manifest, seed: u8| [&m.envelope().sign(&key(seed)).0[..], &image].concat();
    let most = layout(SECTORS).most();
    for (file, why) in [
        (signed(&good, 2), Refusal::UnknownKey),
        (signed(&Manifest { board: Name::new("esp32s3").unwrap(), ..good }, 1), Refusal::WrongBoard),
        (signed(&Manifest { chip: Name::new("xtensa").unwrap(), ..good }, 1), Refusal::WrongChip),
        (signed(&Manifest { counter: 4, ..good }, 1), Refusal::TooOld { counter: 4, floor: 5 }),
        (signed(&Manifest { size: most + 1, ..good }, 1), Refusal::TooLarge { most }),
        (signed(&Manifest { size: 0, ..good }, 1), Refusal::Empty),
        (good.envelope().0.to_vec(), Refusal::UnknownKey),
        (image.clone(), Refusal::NotAnUpdate),
        (Vec::new(), Refusal::NotAnUpdate),
    ] {
        let mut flash = flash();
        assert_eq!(try_to(&mut flash, &trust, &file, 1_460), Err(why));
        assert_eq!(flash.steps, 0, "{why}");
    }
    assert_eq!(try_to(&mut flash(), &Trust::NOBODY, &update(&image), 99), Err(Refusal::NoKeys));
    assert!(try_to(&mut flash(), &trust, &update(&image), 99).is_ok());
}

#[test]
fn keys_follow_each_other_and_none_comes_back() {
    let state = |seeds: [Option<u8>; 2], generation| KeyStatement {
        keys: seeds.map(|s| s.map(|s| public(&key(s)))),
        generation,
    };
    let mut t = Trust::NOBODY;
    t.replace(&state([Some(1), None], 1).envelope()).unwrap();
    let next = state([Some(2), Some(1)], 2).envelope();
    assert_eq!(t.replace(&next), Err(Refusal::UnknownKey), "not signed");
    assert_eq!(t.replace(&next.sign(&key(3))), Err(Refusal::UnknownKey));
    t.replace(&next.sign(&key(1))).unwrap();
    t.replace(&state([Some(2), None], 3).envelope().sign(&key(2))).unwrap();
    assert_eq!(t.replace(&next.sign(&key(1))), Err(Refusal::UnknownKey), "the first key is gone");
    let again = state([Some(1), None], 3).envelope().sign(&key(2));
    assert_eq!(t.replace(&again), Err(Refusal::OldKeys { generation: 3 }));
    assert_eq!(t.replace(&state([None, None], 9).envelope().sign(&key(2))), Err(Refusal::NotAKeySet));
    // Every signature verifies for a key of small order: here the curve's neutral point.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = KeyStatement { keys: [Some(k1_update::envelope::PublicKey(weak)), None], generation: 9 };
    assert_eq!(t.replace(&weak.envelope().sign(&key(2))), Err(Refusal::NotAKeySet));
    let mut flipped = state([Some(4), None], 4).envelope().sign(&key(2));
    for bit in 0..8 * ENVELOPE {
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert!(t.clone().replace(&flipped).is_err(), "bit {bit}");
        flipped.0[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(t.replace(&flipped).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        let mut bytes = bytes;
        if magic && bytes.len() > 10 {
            bytes[..8].copy_from_slice(b"K1UPDATE");
            bytes[8..10].copy_from_slice(&[1, 0]);
        }
        prop_assert!(try_to(&mut flash(), &trust(), &bytes, 64).is_err());
        if let Some(envelope) = bytes.first_chunk() {
            let _ = KeyStatement::read(&Envelope(*envelope));
        }
    }
}
