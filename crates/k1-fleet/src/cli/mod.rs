//! What is done with lamps: emulate, find, watch, judge, update.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::lamps::{Address, Place, find_all};

mod values;

pub use values::{length, seconds, topic};

/// Name of a key if none is given.
const KEY: &str = "k1";

/// How lamps are reached, for commands that work on several.
#[derive(Args, Clone, Debug)]
pub struct ReachArgs {
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// How long to search the network for lamps.
    #[arg(long = "search", value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    search_s: f64,
}

impl ReachArgs {
    /// Every lamp that is named, or, if none is, every one that answers: see [`find_all`].
    ///
    /// # Errors
    ///
    /// A sentence if a named one cannot be found.
    pub fn find(&self, named: &[Place]) -> Result<Vec<Address>, String> {
        find_all(named, self.token.as_deref(), Duration::from_secs_f64(self.search_s))
    }

    /// The same, and at least one.
    ///
    /// # Errors
    ///
    /// A sentence if a named one cannot be found, or none answers.
    pub fn find_some(&self, named: &[Place]) -> Result<Vec<Address>, String> {
        let lamps = self.find(named)?;
        if lamps.is_empty() {
            return Err(
                "no lamp answers; name one by its address, or `k1 virt` starts one on this machine".into()
            );
        }
        Ok(lamps)
    }
}

/// `k1 devices`.
#[derive(Args, Clone, Debug)]
pub struct DevicesArgs {
    /// Lamps to ask: a name, an address, the address of the lamp's page with its token, or `virt`. Without one, every
    /// lamp that answers.
    #[arg(value_name = "LAMP")]
    pub lamps: Vec<Place>,
    /// How they are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Once, and not again and again.
    #[arg(long)]
    pub once: bool,
    /// Print JSON, once.
    #[arg(long)]
    pub json: bool,
}

/// `k1 monitor`.
#[derive(Args, Clone, Debug)]
pub struct MonitorArgs {
    /// Lamps to watch: a name, an address, the address of the lamp's page with its token, or `virt`. Without one, every
    /// lamp that answers.
    #[arg(value_name = "LAMP", conflicts_with = "serial")]
    pub lamps: Vec<Place>,
    /// Read the console of a lamp on a cable instead: a serial port, or - for standard input.
    #[arg(long, value_name = "PORT")]
    pub serial: Option<String>,
    /// Speed of the cable in baud.
    #[arg(long, default_value_t = 115_200, value_name = "BAUD")]
    pub baud: u32,
    /// How they are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Stop after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// A line of JSON for each lamp and second.
    #[arg(long)]
    pub json: bool,
}

/// `k1 validate` and `k1 soak`.
#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    /// The lamp: a name, an address, the address of its page with its token, or `virt`.
    #[arg(default_value = "virt", value_name = "LAMP")]
    pub lamp: Place,
    /// How long: 10m, 1h, 24h, or any number of seconds, minutes (m) or hours (h). Ten minutes for `validate`, a day
    /// for `soak`, unless it is given.
    #[arg(long = "for", value_parser = length, value_name = "TIME")]
    pub length: Option<f64>,
    /// Token of the lamp; without it, the one that is remembered.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// If a criterion fails, have the lamp go back to the firmware before.
    #[arg(long)]
    pub rollback_on_fail: bool,
    /// Write the record to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Write what the lamp said to a file as it comes, a line of JSON each second.
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
    /// Print the record as JSON instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// How a broker is spoken with.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct BrokerArgs {
    /// User of the MQTT broker.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// File with the password of that user; a command line can be read by others.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// What every topic begins with.
    #[arg(long, default_value = "k1", value_parser = topic, value_name = "TEXT")]
    pub prefix: String,
    /// What Home Assistant's topics begin with.
    #[arg(long, default_value = "homeassistant", value_parser = topic, value_name = "TEXT")]
    pub discovery_prefix: String,
}

/// `k1 mqtt`.
#[derive(Args, Clone, Debug)]
pub struct MqttArgs {
    /// Lamps to connect: a name, an address, the address of the lamp's page with its token, or `virt`. Without one,
    /// every lamp that answers.
    #[arg(value_name = "LAMP")]
    pub lamps: Vec<Place>,
    /// The broker.
    #[arg(long, default_value = "localhost", value_name = "HOST[:PORT]")]
    pub broker: String,
    /// How it is spoken with.
    #[command(flatten)]
    pub with: BrokerArgs,
    /// A signed update, as `k1 sign` makes it: it is offered to every lamp, and rolled out in steps when somebody says so.
    #[arg(long, value_name = "FILE")]
    pub update: Option<PathBuf>,
    /// Pause between two looks at a lamp.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "10", value_name = "SECONDS")]
    pub every: f64,
    /// How they are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Stop after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
}

/// `k1 virt`.
#[derive(Args, Clone, Debug)]
pub struct VirtArgs {
    /// No music: the lamp hears what is sent to it (RTP, 16-bit, 16 kHz, mono).
    #[arg(long)]
    pub headless: bool,
    /// Stop after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Firmware to put into the lamp as a cable would: an image (lamp.bin), or a signed update. Without it, a new lamp
    /// gets the one that `cargo xtask firmware virt` has built, and one that has firmware keeps it.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// The loader that chooses the slot; without it, the one that was built here.
    #[arg(long, value_name = "FILE")]
    pub loader: Option<PathBuf>,
    /// File that stands for the lamp's flash; made if there is none. Without it, settings are forgotten at the end.
    #[arg(long, value_name = "FILE")]
    pub flash: Option<PathBuf>,
    /// Port of the lamp's page on this machine; 0 takes any free one.
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    pub http: u16,
    /// UDP port of the lamp's sound on this machine; 0 takes any free one.
    #[arg(long, default_value_t = 5004, value_name = "PORT")]
    pub sound: u16,
    /// UDP port on this machine where the lamp takes firmware from espota's clients; 0 takes any free one.
    #[arg(long, default_value_t = 3232, value_name = "PORT")]
    pub ota: u16,
    /// The lamp's clock counts its instructions and does not follow this machine's, however slow or busy that is: a
    /// minute of its own takes more or less than one of ours. It hears a tape at its own pace, music and silence in turn,
    /// and nothing from the network. It wants QEMU 8.1 or later.
    #[arg(long)]
    pub steady: bool,
    /// Further arguments of the emulator, as -gdb or -qmp.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub emulator: Vec<String>,
}

/// `k1 keys`.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key. It stays in a file that only you can read, and is never shown.
    New {
        /// Its name.
        #[arg(default_value = KEY)]
        name: String,
    },
    /// List your keys.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the public half of a key (PEM), with which anybody can check its signatures.
    Show {
        /// Its name.
        #[arg(default_value = KEY)]
        name: String,
    },
    /// Tell a lamp which keys to trust. The first time its token is enough; later, one of the keys that it trusts must be
    /// yours.
    Trust(TrustArgs),
    /// Write down which keys a lamp shall trust from now on, as a file for the lamp's API.
    Statement {
        /// A key to trust; one or two.
        #[arg(long = "key", value_name = "NAME", default_value = KEY)]
        keys: Vec<String>,
        /// The key that the lamp trusts now; the first set of a lamp needs none.
        #[arg(long, value_name = "NAME")]
        signed_by: Option<String>,
        /// Higher than that of the set in force.
        #[arg(long, default_value_t = 1, value_name = "N")]
        generation: u32,
        /// File to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `k1 keys trust`.
#[derive(Args, Clone, Debug)]
pub struct TrustArgs {
    /// The lamp: a name, an address, the address of its page with its token, or `virt`.
    #[arg(value_name = "LAMP")]
    pub lamp: Place,
    /// A key to trust; one or two. To change keys: first the old one and the new one, later the new one alone.
    #[arg(long = "key", value_name = "NAME", default_value = KEY)]
    pub keys: Vec<String>,
    /// The key that signs this; without it, any of yours that the lamp trusts.
    #[arg(long, value_name = "NAME")]
    pub signed_by: Option<String>,
    /// Token of the lamp; without it, the one that is remembered.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// How firmware gets to a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The lamp's own API.
    Http,
    /// As the Arduino world does it (UDP 3232).
    Espota,
    /// By cable, to the one lamp on --port; also to one that does not start any more. Everything is checked as the lamp
    /// itself does, by the keys that it trusts.
    #[cfg(feature = "usb")]
    Usb,
}

/// What belongs to the cable, in the help of `deploy`.
#[cfg(feature = "usb")]
const CABLE: &str = "Cable (--via usb)";

/// How a chip on a cable is spoken with.
#[cfg(feature = "usb")]
#[derive(Args, Clone, Debug)]
pub struct CableArgs {
    /// Speed of the cable in baud, for boards with a chip between USB and the lamp's; a lamp's own USB has no use for it.
    #[arg(long, default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(115_200..=2_000_000), value_name = "BAUD")]
    pub baud: u32,
    /// The chip waits in its loader already: BOOT was held while RESET was pressed.
    #[arg(long)]
    pub in_loader: bool,
    /// How long the lamp's console is listened to for the verdict; 0 = not at all.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "150", value_name = "SECONDS")]
    pub console: f64,
}

/// `k1 deploy`.
#[derive(Args, Clone, Debug)]
pub struct DeployArgs {
    /// A signed update, as `k1 sign` makes it.
    pub image: PathBuf,
    /// A lamp: a name, an address, the address of its page with its token, or `virt`. May be given more than once.
    #[arg(long = "to", value_name = "LAMP", conflicts_with = "all")]
    pub lamps: Vec<Place>,
    /// Every lamp that answers.
    #[arg(long)]
    pub all: bool,
    /// So many lamps first; they are watched before the others follow.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub canary: usize,
    /// How long canaries are watched.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "60", value_name = "SECONDS")]
    pub watch: f64,
    /// How it gets there.
    #[arg(long, default_value = "http")]
    pub via: Via,
    /// With --via usb: the port of the lamp's cable, for example /dev/ttyACM0.
    #[cfg(feature = "usb")]
    #[arg(long, value_name = "PORT", required_if_eq("via", "usb"), help_heading = CABLE)]
    pub port: Option<String>,
    /// Also to lamps that could not take a bad image back.
    #[arg(long)]
    pub unarmed: bool,
    /// Say what would happen, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Append every answer of the lamps to a file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How they are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// With --via usb: the cable.
    #[cfg(feature = "usb")]
    #[command(flatten, next_help_heading = CABLE)]
    pub cable: CableArgs,
}

/// `k1 install`.
#[cfg(feature = "usb")]
#[derive(Args, Clone, Debug)]
pub struct InstallArgs {
    /// A signed update, as `k1 sign` makes it; signed with a key of yours, for a blank chip trusts nobody.
    pub image: PathBuf,
    /// The port of the chip's cable, for example /dev/ttyACM0.
    #[arg(long, value_name = "PORT")]
    pub port: String,
    /// Bootloader that knows of trials; without it, espflash's own, with which a lamp cannot go back by itself.
    #[arg(long, value_name = "FILE", requires = "bootloader_sha256")]
    pub bootloader: Option<PathBuf>,
    /// SHA-256 of that file, so that it is the one that is meant.
    #[arg(long, value_name = "HEX", requires = "bootloader")]
    pub bootloader_sha256: Option<String>,
    /// Forget what the chip remembers: Wi-Fi, token, keys.
    #[arg(long)]
    pub erase_settings: bool,
    /// The cable.
    #[command(flatten)]
    pub cable: CableArgs,
}

/// `k1 rollback`.
#[derive(Args, Clone, Debug)]
pub struct RollbackArgs {
    /// The lamps: a name, an address, the address of a page with its token, or `virt`.
    #[arg(value_name = "LAMP", conflicts_with = "all")]
    pub lamps: Vec<Place>,
    /// Every lamp that answers.
    #[arg(long)]
    pub all: bool,
    /// How they are reached.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `k1 sign`.
#[derive(Args, Clone, Debug)]
pub struct SignArgs {
    /// Image: lamp.bin of the virtual lamp, or what espflash's save-image has made.
    pub image: PathBuf,
    /// Board that it is for.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(k1_device::firmware::BOARDS.map(|(board, _)| board)))]
    pub board: String,
    /// Version, for people.
    #[arg(long = "image-version", default_value = env!("CARGO_PKG_VERSION"), value_name = "VERSION")]
    pub image_version: String,
    /// Lamps refuse an image with a lower counter than the highest that they have confirmed.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub counter: u32,
    /// Seconds that a trial waits for a network that was there before the update.
    #[arg(long, default_value_t = k1_update::manifest::PATIENCE_S, value_name = "SECONDS")]
    pub patience: u16,
    /// Key to sign with; `k1 keys list` lists them.
    #[arg(long, default_value = KEY, value_name = "NAME")]
    pub key: String,
    /// File to write; IMAGE with the ending .k1 if none is named.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
