//! `k1 install` with a bundle of another maker: from the maker's files to the flash of a simulated chip.

use std::path::{Path, PathBuf};

use k1_bundle::table;
use k1_fleet::bundle::make::{Ingredients, make, name};
use k1_fleet::bundle::{self, Files, Origin, archive, open};
use k1_fleet::signing::keys::{self, Key};
use k1_fleet::signing::package::{self, Statement};
use k1_update::envelope::Envelope;
use k1_update::layout::Slot;

use super::chip::{Chip, ESP32C6, ESP32S3};
use super::support::{Said, folder, k1};
use super::{MAP, SECTORS, call_with, key, lamp, starts, update};

/// What an owner and a maker have on their machines.
struct Place {
    /// The owner's home, with a key, unless the test deletes it.
    home: tempfile::TempDir,
    /// The maker's key, and another one.
    maker: Key,
    stranger: Key,
}

impl Place {
    fn new() -> Self {
        let home = folder();
        let maker = keys::make(&home.path().join("maker"), "release").unwrap();
        let stranger = keys::make(&home.path().join("maker"), "stranger").unwrap();
        for key in [&maker, &stranger] {
            std::fs::write(home.path().join(format!("{}.pem", key.name)), key.public_pem().unwrap()).unwrap();
        }
        let place = Self { home, maker, stranger };
        keys::make(&place.keys(), "k1").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The folder of the owner's keys.
    fn keys(&self) -> PathBuf {
        self.path("k1/keys")
    }

    /// A bundle for the S3, as its maker makes it.
    fn bundle(&self) -> Files {
        self.bundle_by(&self.maker, &image(9))
    }

    fn bundle_by(&self, key: &Key, image: &[u8]) -> Files {
        let manifest = Statement { board: "esp32s3", version: "1.2.0", counter: 3, patience_s: 300 };
        let origin = Origin {
            commit: "0123456789abcdef".into(),
            changed: true,
            compilers: vec!["rustc of a test".into()],
            proven: "linked; never run on a board".into(),
        };
        make(&Ingredients { image, manifest, origin, bootloader: None }, key).unwrap()
    }

    /// Writes a bundle as an archive.
    fn archive(&self, files: &Files) -> PathBuf {
        let path = self.path("bundle.tar");
        std::fs::write(&path, archive::pack(&name("esp32s3", "1.2.0"), files).unwrap()).unwrap();
        path
    }

    fn install(&self, chip: &Chip, path: &Path, more: &[&str]) -> Said {
        let more = [&["--console", "0"], more].concat();
        call_with(chip, path, &["install"], &more, self.home.path())
    }

    /// Installs with the maker's key as trusted.
    fn trusting(&self, chip: &Chip, path: &Path) -> Said {
        self.install(chip, path, &["--trust", self.path("release.pem").to_str().unwrap()])
    }
}

/// An image with the head of one for a chip of this number.
fn image(chip: u8) -> Vec<u8> {
    let mut image = update("esp32s3", 7, 70_001, &key(1)).image;
    image[..24].fill(0);
    (image[0], image[3], image[12]) = (0xe9, 0x20, chip);
    image
}

fn blank() -> Chip {
    Chip::new(&ESP32S3, vec![0xff; SECTORS * 4_096])
}

#[test]
fn a_bundle_makes_a_blank_chip_a_lamp_of_its_owner() {
    let place = Place::new();
    let files = place.bundle();
    assert_eq!(files, place.bundle(), "the same ingredients give the same bytes");
    let mine = keys::read(&place.keys(), "k1").unwrap();
    let archive = place.archive(&files);
    let unpacked = place.path("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    files.iter().for_each(|(name, bytes)| std::fs::write(unpacked.join(name), bytes).unwrap());
    for path in [archive, unpacked] {
        let chip = blank();
        let said = place.trusting(&chip, &path);
        assert_eq!(said.code(), Some(0), "{said:?}");
        let by = format!("signed by its maker {}, and now with k1", place.maker.id());
        for words in [
            "1.2.0 for esp32s3",
            &by,
            "commit 0123456789abcdef with changes; linked; never run",
            "k1 keys trust",
        ] {
            assert!(said.out.contains(words), "{words}: {said:?}");
        }
        assert!(said.err.contains("rollback: not armed"), "{said:?}");

        let flash = chip.flash();
        let holds = |at: u32, bytes: &[u8]| &flash[at as usize..][..bytes.len()] == bytes;
        // The S3's bootloader begins the flash; number 9 is the S3.
        assert!(holds(0, &files[bundle::BOOTLOADER]));
        assert_eq!((flash[0], flash[3] >> 4, flash[12]), (0xe9, 2, 9));
        assert!(holds(0x8000, &files[bundle::PARTITIONS]));
        assert!(holds(0x8000, &table::bytes()));
        let empty = MAP.otadata as usize..MAP.slot(Slot::App0) as usize;
        assert!(flash[0x9000..empty.end].iter().all(|b| *b == 0xff), "neither settings nor records");
        let image = image(9);
        assert!(holds(MAP.slot(Slot::App0), &image));
        assert_eq!(flash[MAP.slot(Slot::App0) as usize + 12], 9);
        // What the bootloader starts, and whose it is.
        let start = starts(&flash).unwrap();
        assert_eq!((start.whole.slot(), start.on_trial), (Slot::App0, false));
        let envelope = Envelope(*flash[MAP.manifest(Slot::App0) as usize..].first_chunk().unwrap());
        assert!(envelope.is_signed_by(&mine.public()) && !envelope.is_signed_by(&place.maker.public()));
        assert_eq!(start.whole.manifest().counter, 3);
    }
}

#[test]
fn a_lamp_listens_to_its_owner_and_not_to_the_maker() {
    let place = Place::new();
    let bundle = place.archive(&place.bundle());
    // A lamp that trusts another key than its owner's here.
    let before = lamp(
        &update("esp32s3", 6, 9_000, &key(2)),
        Slot::App1,
        Some(&key(2)),
        k1_update::otadata::State::Valid,
    );
    let chip = Chip::new(&ESP32S3, before.clone());
    place.trusting(&chip, &bundle).failed_saying(&["keys of its own", "--erase-settings"]);
    assert!(chip.flash() == before);
    // The maker's own machine needs no --trust, and a single update may have another maker, too.
    std::fs::copy(place.path("maker/release.pem"), place.keys().join("release.pem")).unwrap();
    let said = place.install(&blank(), &bundle, &[]);
    assert!(said.code() == Some(0) && said.out.contains("signed with release"), "{said:?}");
    let single = place.path("lamp.k1");
    std::fs::write(&single, &place.bundle_by(&place.stranger, &image(9))[bundle::UPDATE]).unwrap();
    place.install(&blank(), &single, &[]).failed_saying(&["no key of yours", "--trust"]);
    let said = place.install(&blank(), &single, &["--trust", place.path("stranger.pem").to_str().unwrap()]);
    assert!(said.code() == Some(0) && said.out.contains("and now with k1"), "{said:?}");
}

/// For updates by network.
#[test]
fn a_bundle_becomes_an_update_with_its_owners_signature() {
    let place = Place::new();
    let bundle = place.archive(&place.bundle());
    let sign = |args: &[&str]| {
        let mut program = k1(["sign"]);
        let home = place.home.path();
        program.arg(&bundle).args(args).env("HOME", home).env("XDG_CONFIG_HOME", home);
        program.output().unwrap()
    };
    let (trusted, stranger) = (place.path("release.pem"), place.path("stranger.pem"));
    let (trusted, stranger) = (trusted.to_str().unwrap(), stranger.to_str().unwrap());
    assert!(sign(&["--trust", trusted]).status.success());
    let update = package::read(&place.path("bundle.k1")).unwrap();
    assert!(update.envelope.is_signed_by(&keys::read(&place.keys(), "k1").unwrap().public()));
    assert!(update.image == image(9) && update.manifest.counter == 3);
    assert_eq!(sign(&["--trust", stranger, "-o", "other.k1"]).status.code(), Some(1));
    assert_eq!(sign(&["--trust", trusted, "--board", "esp32c6"]).status.code(), Some(2));
    assert_eq!(sign(&[]).status.code(), Some(2), "an image needs its board");
}

/// Each refusal is a sentence, and the chip is not even asked.
#[test]
fn a_broken_bundle_is_refused_before_anything_is_written() {
    let place = Place::new();
    let whole = place.bundle();
    let mut refused = 0;
    let mut refuse = |what: &str, path: &Path, words: &str| {
        let chip = blank();
        place.trusting(&chip, path).failed_saying(&[words]);
        assert!(chip.flash().iter().all(|b| *b == 0xff), "{what}: nothing is written");
        println!("refused: {what}");
        refused += 1;
    };
    for missing in whole.keys() {
        let mut files = whole.clone();
        files.remove(missing);
        refuse(&format!("without {missing}"), &place.archive(&files), "is missing");
    }
    for changed in whole.keys() {
        for place_of_byte in ["first", "middle", "last"] {
            let mut files = whole.clone();
            let bytes = files.get_mut(changed).unwrap();
            let at = match place_of_byte {
                "first" => 0,
                "middle" => bytes.len() / 2,
                _ => bytes.len() - 1,
            };
            bytes[at] ^= 1;
            refuse(
                &format!("{changed}, its {place_of_byte} byte changed"),
                &place.archive(&files),
                "fetch the bundle again",
            );
        }
    }
    let archive = std::fs::read(place.archive(&whole)).unwrap();
    let cut = place.path("cut.tar");
    for twentieth in 1..20 {
        std::fs::write(&cut, &archive[..archive.len() * twentieth / 20]).unwrap();
        refuse(&format!("{twentieth}/20 of the archive"), &cut, "cut off");
    }
    std::fs::write(&cut, &archive[..archive.len() - 512]).unwrap();
    refuse("an archive without its last block", &cut, "cut off");
    std::fs::write(&cut, b"").unwrap();
    refuse("an empty file", &cut, "not a signed update");

    let other = place.bundle_by(&place.stranger, &image(9));
    refuse("another key", &place.archive(&other), "has signed this bundle, not");
    // Parts of two bundles: each is signed, but not together.
    for part in [bundle::UPDATE, bundle::SIGNATURE, bundle::STATEMENT] {
        let mut files = whole.clone();
        files.insert(part.into(), place.bundle_by(&place.maker, &[image(9), vec![1]].concat())[part].clone());
        refuse(&format!("{part} of another bundle"), &place.archive(&files), "fetch the bundle again");
    }
    println!("{refused} refused");

    // The chip on the cable is another one.
    let chip = Chip::new(&ESP32C6, vec![0xff; SECTORS * 4_096]);
    place.trusting(&chip, &place.archive(&whole)).failed_saying(&["for an esp32s3, but the chip on"]);
    assert!(chip.flash().iter().all(|b| *b == 0xff));
    // Without the owner's consent or key.
    place.install(&blank(), &place.archive(&whole), &[]).failed_saying(&[
        "no key of yours has signed this bundle",
        &place.maker.id().to_string(),
        "--trust",
    ]);
    place
        .install(
            &blank(),
            &place.archive(&whole),
            &["--trust", place.path("maker/release.pem").to_str().unwrap()],
        )
        .failed_saying(&["not an Ed25519 public key"]);
    std::fs::remove_dir_all(place.keys()).unwrap();
    place.trusting(&blank(), &place.archive(&whole)).failed_saying(&["k1 keys new k1"]);
}

/// A maker with the right key, but wrong parts.
#[test]
fn parts_that_do_not_fit_each_other_are_refused_even_if_signed() {
    use ed25519_dalek::Signer;
    let place = Place::new();
    let whole = place.bundle();
    let again = |change: &dyn Fn(&mut Files)| {
        let mut files = whole.clone();
        change(&mut files);
        let mut statement: bundle::Statement = serde_json::from_slice(&files[bundle::STATEMENT]).unwrap();
        for (name, file) in &mut statement.files {
            (file.bytes, file.sha256) = (files[name].len(), bundle::sha256(&files[name]));
        }
        let text = serde_json::to_vec(&statement).unwrap();
        files.insert(bundle::SIGNATURE.into(), place.maker.secret().sign(&text).to_bytes().to_vec());
        files.insert(bundle::STATEMENT.into(), text);
        open::open(&files, &place.maker.public())
    };
    assert!(again(&|_| {}).is_ok());
    let refused = |change: &dyn Fn(&mut Files), words: &str| {
        let why = again(change).err().unwrap_or_else(|| panic!("taken: {words}"));
        assert!(why.contains(words), "{why}");
    };
    let put = |name: &'static str, bytes: Vec<u8>| {
        move |files: &mut Files| {
            files.insert(name.to_owned(), bytes.clone());
        }
    };
    refused(
        &put(bundle::UPDATE, update("esp32s3", 3, 9_000, place.stranger.secret()).bytes()),
        "signed with another key",
    );
    refused(
        &put(bundle::UPDATE, update("esp32c6", 3, 9_000, place.maker.secret()).bytes()),
        "but the bundle is 1.2.0 for esp32s3",
    );
    refused(
        &put(bundle::UPDATE, update("esp32s3", 3, 9_000, place.maker.secret()).bytes()),
        "does not hold an image for esp32s3",
    );
    let mut foreign = whole[bundle::BOOTLOADER].clone();
    foreign[12] = 13;
    refused(&put(bundle::BOOTLOADER, foreign), "not a bootloader for esp32s3");
    let mut table = whole[bundle::PARTITIONS].clone();
    table[4] ^= 1;
    refused(&put(bundle::PARTITIONS, table), "not the partition table of this program");
    refused(
        &|files| {
            let text = String::from_utf8(files[bundle::STATEMENT].clone()).unwrap();
            files.insert(
                bundle::STATEMENT.into(),
                text.replace("\"format\": 1", "\"format\": 2").into_bytes(),
            );
        },
        "reads only format 1",
    );
}

#[test]
fn an_image_for_another_chip_never_becomes_a_bundle() {
    let place = Place::new();
    let manifest = Statement { board: "esp32s3", version: "1.2.0", counter: 0, patience_s: 300 };
    let origin =
        Origin { commit: String::new(), changed: false, compilers: Vec::new(), proven: String::new() };
    let image = image(13);
    let why =
        make(&Ingredients { image: &image, manifest, origin, bootloader: None }, &place.maker).unwrap_err();
    assert!(why.contains("not an image for esp32s3"), "{why}");
}
