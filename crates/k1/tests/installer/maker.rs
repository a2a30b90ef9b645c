//! A maker with a bundle, and an owner with a key.

use ed25519_dalek::SigningKey;
use k1_bundle::settings::SETTINGS;
use k1_device::settings::{Group, Memory, Store};
use k1_fleet::bundle::make::{Ingredients, make, name};
use k1_fleet::bundle::{Files, Origin, archive};
use k1_fleet::signing::keys::{self, Key};
use k1_fleet::signing::package::Statement;
use k1_sim::flash::Flash;
use k1_update::envelope::PublicKey;
use k1_update::trust::KeyStatement;

use super::chip::{Chip, Kind};
use super::support::{folder, k1};

/// Sectors of 4 MB.
const SECTORS: usize = 1_024;

/// A maker, an owner, and a bundle.
pub struct Maker {
    home: tempfile::TempDir,
    pub board: &'static str,
    /// The maker's key.
    pub key: Key,
    /// The owner's key.
    pub owner: Key,
    files: Files,
}

impl Maker {
    /// With a bundle for a board whose chip has this number.
    pub fn new(board: &'static str, number: u8) -> Self {
        let home = folder();
        let key = keys::make(&home.path().join("maker"), "release").unwrap();
        let owner = keys::make(&home.path().join("k1/keys"), "k1").unwrap();
        let mut image: Vec<u8> =
            (0..70_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        image[..24].fill(0);
        (image[0], image[3], image[12]) = (0xe9, 0x20, number);
        let manifest = Statement { board, version: "1.2.0", counter: 3, patience_s: 300 };
        let origin = Origin {
            commit: "0123456789abcdef".into(),
            changed: false,
            compilers: vec!["rustc of a test".into()],
            proven: "linked; never run on a board".into(),
        };
        let files = make(&Ingredients { image: &image, manifest, origin, bootloader: None }, &key).unwrap();
        Self { home, board, key, owner, files }
    }

    /// The bundle in one file.
    pub fn tar(&self) -> Vec<u8> {
        archive::pack(&name(self.board, "1.2.0"), &self.files).unwrap()
    }

    /// The bundle with a bit of a file changed.
    pub fn damaged_tar(&self, file: &str) -> Vec<u8> {
        let mut files = self.files.clone();
        files.get_mut(file).unwrap()[40] ^= 1;
        archive::pack("k1", &files).unwrap()
    }

    /// The owner's key as text.
    pub fn owner_pem(&self) -> String {
        std::fs::read_to_string(self.home.path().join("k1/keys/k1.pem")).unwrap()
    }

    /// What `k1 install` makes of a chip, with the owner's key of this text.
    pub fn installed_by_program(&self, kind: &'static Kind, pem: &str, before: Option<Vec<u8>>) -> Vec<u8> {
        let chip = before.map_or_else(|| blank(kind), |flash| Chip::new(kind, flash));
        let home = self.home.path();
        let [bundle, release, key] =
            ["bundle.tar", "release.pem", "k1/keys/page.pem"].map(|name| home.join(name));
        std::fs::write(&bundle, self.tar()).unwrap();
        std::fs::write(&release, self.key.public_pem().unwrap()).unwrap();
        std::fs::write(&key, pem).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut program = k1(["install"]);
        program.arg(&bundle).arg("--trust").arg(&release);
        program.args(["--key", "page", "--port", &chip.port, "--in-loader", "--console", "0"]);
        let output = program.env("HOME", home).env("XDG_CONFIG_HOME", home).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        chip.flash()
    }

    /// The flash of a lamp with settings, which trusts a key.
    pub fn lamp_that_trusts(&self, key: &Key) -> Vec<u8> {
        let mut memory = Memory::default();
        memory.hardware.token.push_str("a-token-of-this-lamp").unwrap();
        let secret: &SigningKey = key.secret();
        let keys = [Some(PublicKey(secret.verifying_key().to_bytes())), None];
        memory.trust.replace(&KeyStatement { keys, generation: 1 }.envelope()).unwrap();
        let mut store = Store::new(Flash::new(SECTORS), SETTINGS).unwrap();
        for group in Group::ALL {
            assert!(k1_bundle::settings::block_on(store.save(&memory, group)));
        }
        store.into_flash().bytes
    }
}

/// A chip that has never been written to.
pub fn blank(kind: &'static Kind) -> Chip {
    Chip::new(kind, vec![0xff; SECTORS * 4_096])
}

/// True if two flashes are equal; prints where they differ first.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).position(|(a, b)| a != b);
    if let Some(at) = differs {
        println!("they differ first at {at:#x}");
    }
    differs.is_none() && a.len() == b.len()
}
