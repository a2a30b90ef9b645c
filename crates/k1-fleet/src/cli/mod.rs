//! Options of the commands for lamps: emulate, find, watch, judge, update.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::lamps::{Address, Selector, find_all};
use crate::signing::keys::name_of;

mod values;

pub use values::{length, number, seconds, topic};

/// Name of a key if none is given.
const KEY: &str = "k1";

/// Token and search time, for commands that work on several lamps.
#[derive(Args, Clone, Debug)]
pub struct ReachArgs {
    /// Token of the lamps. Without this option, K1 uses the remembered token of each lamp.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Search the network for N seconds.
    #[arg(long = "search", value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "N")]
    search_s: f64,
}

impl ReachArgs {
    /// Finds the named lamps, or every lamp that answers if `named` is empty: see [`find_all`].
    ///
    /// # Errors
    ///
    /// A sentence if a named lamp cannot be found.
    pub fn find(&self, named: &[Selector]) -> Result<Vec<Address>, String> {
        find_all(named, self.token.as_deref(), Duration::from_secs_f64(self.search_s))
    }

    /// Like [`Self::find`], but an empty result is an error.
    ///
    /// # Errors
    ///
    /// A sentence if a named lamp cannot be found, or if no lamp answers.
    pub fn find_some(&self, named: &[Selector]) -> Result<Vec<Address>, String> {
        let lamps = self.find(named)?;
        if lamps.is_empty() {
            return Err(
                "no lamp answers; give the address of one, or start one on this machine with `k1 virt`"
                    .into(),
            );
        }
        Ok(lamps)
    }
}

/// `k1 devices`.
#[derive(Args, Clone, Debug)]
pub struct DevicesArgs {
    /// Lamps to list: a name, an address, the address of the lamp's page with its token, or `virt`. Default: every lamp
    /// that answers.
    #[arg(value_name = "LAMP")]
    pub lamps: Vec<Selector>,
    /// Token and search time.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Print the list once and exit.
    #[arg(long)]
    pub once: bool,
    /// Print the list once as JSON and exit.
    #[arg(long)]
    pub json: bool,
}

/// `k1 monitor`.
#[derive(Args, Clone, Debug)]
pub struct MonitorArgs {
    /// Lamps to watch: a name, an address, the address of the lamp's page with its token, or `virt`. Default: every lamp
    /// that answers.
    #[arg(value_name = "LAMP", conflicts_with = "serial")]
    pub lamps: Vec<Selector>,
    /// Read a lamp's console from a serial port instead; - reads standard input.
    #[arg(long, value_name = "PORT")]
    pub serial: Option<String>,
    /// Speed of the cable in baud.
    #[arg(long, default_value_t = 115_200, value_parser = number(1..=u32::MAX), value_name = "BAUD")]
    pub baud: u32,
    /// Token and search time.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Stop after N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
    pub duration: Option<f64>,
    /// Print one line of JSON per lamp and second.
    #[arg(long)]
    pub json: bool,
}

/// `k1 validate` and `k1 soak`.
#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    /// The lamp: a name, an address, the address of its page with its token, or `virt`.
    #[arg(default_value = "virt", value_name = "LAMP")]
    #[cfg_attr(feature = "usb", arg(conflicts_with = "port"))]
    pub lamp: Selector,
    /// Way to examine the lamp.
    #[cfg(feature = "usb")]
    #[arg(
        long,
        default_value = "http",
        default_value_if("port", clap::builder::ArgPredicate::IsPresent, "usb")
    )]
    pub via: ExamineVia,
    /// Serial port of the lamp, for example /dev/ttyACM0. Required by --via usb.
    #[cfg(feature = "usb")]
    #[arg(long, value_name = "PORT", required_if_eq("via", "usb"), help_heading = CABLE)]
    #[arg(conflicts_with_all = ["token", "rollback_on_fail", "raw"])]
    pub port: Option<String>,
    /// The chip already waits in its loader, because you pressed RESET while holding BOOT.
    #[cfg(feature = "usb")]
    #[arg(long, requires = "port", help_heading = CABLE)]
    pub in_loader: bool,
    /// Duration: a number of seconds, minutes (m) or hours (h), for example 90, 10m or 24h. Default: 10 minutes for
    /// `validate`, 24 hours for `soak`.
    #[arg(long = "for", value_parser = length, value_name = "TIME")]
    pub length: Option<f64>,
    /// Token of the lamp. Without this option, K1 uses the remembered token.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// If a criterion fails, return the lamp to its previous firmware.
    #[arg(long)]
    pub rollback_on_fail: bool,
    /// Write the record to a file as JSON.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Write the lamp's answers to a file as they arrive, one line of JSON per second.
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
    /// Print the record as JSON instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// Access to a broker, and its topics.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct BrokerArgs {
    /// User name for the MQTT broker.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// File with that user's password. There is no option for the password itself, because all users of
    /// this machine can see options.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// First part of every topic.
    #[arg(long, default_value = "k1", value_parser = topic, value_name = "TEXT")]
    pub prefix: String,
    /// First part of Home Assistant's discovery topics.
    #[arg(long, default_value = "homeassistant", value_parser = topic, value_name = "TEXT")]
    pub discovery_prefix: String,
}

/// `k1 mqtt`.
#[derive(Args, Clone, Debug)]
pub struct MqttArgs {
    /// Lamps to connect: a name, an address, the address of the lamp's page with its token, or `virt`. Default: every
    /// lamp that answers.
    #[arg(value_name = "LAMP")]
    pub lamps: Vec<Selector>,
    /// Address of the broker.
    #[arg(long, default_value = "localhost", value_name = "HOST[:PORT]")]
    pub broker: String,
    /// Access to the broker, and its topics.
    #[command(flatten)]
    pub with: BrokerArgs,
    /// Signed update from `k1 sign`. K1 offers it to every lamp and rolls it out in steps on request.
    #[arg(long, value_name = "FILE")]
    pub update: Option<PathBuf>,
    /// Ask each lamp for its figures every N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "10", value_name = "N")]
    pub every: f64,
    /// Token and search time.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Stop after N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
    pub duration: Option<f64>,
}

/// `k1 virt`.
#[derive(Args, Clone, Debug)]
pub struct VirtArgs {
    /// Play no music to the lamp; send it sound yourself (RTP, 16-bit, 16 kHz, mono).
    #[arg(long)]
    pub headless: bool,
    /// Stop after N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
    pub duration: Option<f64>,
    /// Firmware to write into the lamp, as by cable: an image (lamp.bin) or a signed update. Without this option, a new
    /// lamp gets the image from `cargo xtask firmware virt`, and an existing lamp keeps its firmware.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Loader that chooses the slot. Default: the loader that was built here.
    #[arg(long, value_name = "FILE")]
    pub loader: Option<PathBuf>,
    /// File that holds the lamp's flash; K1 creates it if it is missing. Without this option, the lamp forgets its
    /// settings at the end.
    #[arg(long, value_name = "FILE")]
    pub flash: Option<PathBuf>,
    /// Port of the lamp's page on this machine; 0 takes any free port.
    #[arg(long, default_value_t = 8080, value_parser = number(0..=u16::MAX), value_name = "PORT")]
    pub http: u16,
    /// UDP port of the lamp's sound on this machine; 0 takes any free port.
    #[arg(long, default_value_t = 5004, value_parser = number(0..=u16::MAX), value_name = "PORT")]
    pub sound: u16,
    /// UDP port on this machine for firmware from espota clients; 0 takes any free port.
    #[arg(long, default_value_t = 3232, value_parser = number(0..=u16::MAX), value_name = "PORT")]
    pub ota: u16,
    /// Derive the lamp's clock from the number of instructions it executes, so that a slow or busy machine does not slow
    /// the lamp down. The lamp's minutes are then longer or shorter than real ones. It hears a built-in recording of music and
    /// silence, and no sound from the network. Needs QEMU 8.1 or later.
    #[arg(long)]
    pub steady: bool,
    /// Further arguments for the emulator, such as -gdb or -qmp.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub emulator: Vec<String>,
}

/// `k1 keys`.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key. K1 keeps it in a file that only you can read, and never shows it.
    New {
        /// Name of the key.
        #[arg(default_value = KEY, value_parser = name_of)]
        name: String,
    },
    /// List your keys.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the public half of a key (PEM). Anybody can check the key's signatures with it.
    Show {
        /// Name of the key.
        #[arg(default_value = KEY, value_parser = name_of)]
        name: String,
    },
    /// Tell a lamp which keys to trust. The first time, the lamp's token is enough; later you need one of the keys that it
    /// trusts.
    Trust(TrustArgs),
    /// Write a file that tells a lamp which keys to trust, for the lamp's API.
    Statement {
        /// Key to trust. May be given twice.
        #[arg(long = "key", value_name = "NAME", default_value = KEY, value_parser = name_of)]
        keys: Vec<String>,
        /// Key that the lamp trusts now. A lamp's first set of keys needs no signature.
        #[arg(long, value_name = "NAME", value_parser = name_of)]
        signed_by: Option<String>,
        /// Number of this set of keys; must be higher than that of the set in force.
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
    pub lamp: Selector,
    /// Key to trust. May be given twice: to change keys, trust the old and the new key first, later only the new one.
    #[arg(long = "key", value_name = "NAME", default_value = KEY, value_parser = name_of)]
    pub keys: Vec<String>,
    /// Key to sign with. Default: any of your keys that the lamp trusts.
    #[arg(long, value_name = "NAME", value_parser = name_of)]
    pub signed_by: Option<String>,
    /// Token of the lamp. Without this option, K1 uses the remembered token.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// Way to send firmware to a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The lamp's own API.
    Http,
    /// The protocol of Arduino's espota (UDP 3232).
    Espota,
    /// A cable to the lamp on --port, even if the lamp no longer starts. K1 checks the update against the keys that the
    /// lamp trusts, as the lamp itself would.
    #[cfg(feature = "usb")]
    Usb,
}

/// Way to examine a lamp.
#[cfg(feature = "usb")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExamineVia {
    /// The lamp's own API: every criterion.
    Http,
    /// A cable to the lamp on --port: restarts the lamp and judges what its console says. Needs no network and no token.
    Usb,
}

/// Heading of the cable's options in the help.
#[cfg(feature = "usb")]
const CABLE: &str = "Cable (--via usb)";

/// Connection to a chip by cable.
#[cfg(feature = "usb")]
#[derive(Args, Clone, Debug)]
pub struct CableArgs {
    /// Speed of the cable in baud, for boards with a USB-to-serial chip. A lamp with its own USB ignores it.
    #[arg(long, default_value_t = 115_200, value_parser = number(115_200..=2_000_000_u32), value_name = "BAUD")]
    pub baud: u32,
    /// The chip already waits in its loader, because you pressed RESET while holding BOOT.
    #[arg(long)]
    pub in_loader: bool,
    /// Wait N seconds for the verdict on the lamp's console; 0 = do not wait.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "150", value_name = "N")]
    pub console: f64,
}

/// `k1 deploy`.
#[derive(Args, Clone, Debug)]
pub struct DeployArgs {
    /// Signed update from `k1 sign`.
    pub image: PathBuf,
    /// Lamp to update: a name, an address, the address of its page with its token, or `virt`. May be given more than once.
    #[arg(long = "to", value_name = "LAMP", conflicts_with = "all")]
    pub lamps: Vec<Selector>,
    /// Update every lamp that answers.
    #[arg(long)]
    pub all: bool,
    /// Update N lamps first, and watch them before updating the others.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub canary: usize,
    /// Watch the first lamps (--canary) for N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "60", value_name = "N")]
    pub watch: f64,
    /// Way to send the update.
    #[arg(long, default_value = "http")]
    pub via: Via,
    /// Serial port of the lamp, for example /dev/ttyACM0. Required by --via usb.
    #[cfg(feature = "usb")]
    #[arg(long, value_name = "PORT", required_if_eq("via", "usb"), help_heading = CABLE)]
    pub port: Option<String>,
    /// Also update lamps that could not roll a bad image back.
    #[arg(long)]
    pub unarmed: bool,
    /// Say what would happen, but change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Append every answer of the lamps to a file, one line of JSON each.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Token and search time.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// The cable, for --via usb.
    #[cfg(feature = "usb")]
    #[command(flatten, next_help_heading = CABLE)]
    pub cable: CableArgs,
}

/// Options of `k1 verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Folder with the files of a release, SHA256SUMS and SHA256SUMS.sig. Not all files need to be there.
    pub folder: PathBuf,
    /// Public key of the maker, as PEM. Take it from the maker, not from the place of the files.
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
}

/// `k1 install`.
#[cfg(feature = "usb")]
#[derive(Args, Clone, Debug)]
pub struct InstallArgs {
    /// Signed update from `k1 sign`, or a bundle from `cargo xtask dist`: its archive or its folder. You need the key
    /// on this machine, because a blank chip trusts no key yet; or use --trust.
    pub image: PathBuf,
    /// Public key of the maker who has signed IMAGE, as PEM. K1 checks the maker's signature, and then signs with your
    /// own key, so that your lamp listens to you and not to the maker.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Your key to sign with after --trust; `k1 keys list` lists them.
    #[arg(long, default_value = KEY, value_name = "NAME", value_parser = name_of)]
    pub key: String,
    /// Serial port of the chip, for example /dev/ttyACM0.
    #[arg(long, value_name = "PORT")]
    pub port: String,
    /// Bootloader that supports rollback. Default: the bundle's, or espflash's own, with which a lamp cannot roll back by
    /// itself.
    #[arg(long, value_name = "FILE", requires = "bootloader_sha256")]
    pub bootloader: Option<PathBuf>,
    /// SHA-256 of the bootloader; K1 refuses a file with another hash.
    #[arg(long, value_name = "HEX", requires = "bootloader")]
    pub bootloader_sha256: Option<String>,
    /// Erase the chip's settings: Wi-Fi, token, keys.
    #[arg(long)]
    pub erase_settings: bool,
    /// The cable.
    #[command(flatten)]
    pub cable: CableArgs,
}

/// `k1 rollback`.
#[derive(Args, Clone, Debug)]
pub struct RollbackArgs {
    /// Lamps to roll back: a name, an address, the address of the lamp's page with its token, or `virt`.
    #[arg(value_name = "LAMP", conflicts_with = "all")]
    pub lamps: Vec<Selector>,
    /// Roll back every lamp that answers.
    #[arg(long)]
    pub all: bool,
    /// Token and search time.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `k1 sign`.
#[derive(Args, Clone, Debug)]
pub struct SignArgs {
    /// Image: lamp.bin of the virtual lamp, or the output of espflash save-image. With --trust: a bundle, or an update that
    /// somebody else has signed.
    pub image: PathBuf,
    /// Board that the image is for.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(k1_device::firmware::BOARDS.map(|(board, _)| board)))]
    #[cfg_attr(feature = "usb", arg(required_unless_present = "trust"))]
    #[cfg_attr(not(feature = "usb"), arg(required = true))]
    pub board: Option<String>,
    /// Public key of the maker who has signed IMAGE, as PEM. K1 checks the maker's signature, and signs the same image for the
    /// same board with your own key.
    #[cfg(feature = "usb")]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["board", "image_version", "counter", "patience"])]
    pub trust: Option<PathBuf>,
    /// Version to show to people.
    #[arg(long = "image-version", default_value = env!("CARGO_PKG_VERSION"), value_name = "VERSION")]
    pub image_version: String,
    /// Anti-downgrade counter. A lamp refuses images with a lower counter than the highest it has confirmed.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub counter: u32,
    /// During the trial, wait N seconds for the network, if the lamp had one before the update.
    #[arg(long, default_value_t = k1_update::manifest::PATIENCE_S, value_name = "N")]
    pub patience: u16,
    /// Key to sign with; `k1 keys list` lists them.
    #[arg(long, default_value = KEY, value_name = "NAME", value_parser = name_of)]
    pub key: String,
    /// File to write. Default: IMAGE with the extension .k1.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
