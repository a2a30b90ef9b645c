//! The command line, declared once: parser, help, completions and manual come from here.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the help texts, where brackets mean optional"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use k1_engine::params::Param;
use k1_engine::patterns::{PATTERNS, pattern_by_id};

use crate::lamps::Place;
use crate::sink::Target;
use crate::source::Input;

/// Music into light.
///
/// Without a command, K1 plays its built-in music, opens a page that shows the strip live, and prints its address.
#[derive(Debug, Parser)]
#[command(name = "k1", version, about, long_about, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; without it: `run demo`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hear and shine, live: page, terminal, real lights.
    Run(RunArgs),
    /// Render light from sound to a picture or array, faster than real time and always the same.
    Render(RenderArgs),
    /// Print or draw beats, onsets and tempo of a sound as they would have been reported live.
    Analyze(AnalyzeArgs),
    /// List the patterns and what each is for.
    Patterns(ListArgs),
    /// List the palettes.
    Palettes(ListArgs),
    /// List the parameters with range and default.
    Params(ListArgs),
    /// List what can be heard on this machine.
    Sources(ListArgs),
    /// List the lamps that can be found, with what each says of itself.
    Devices(DevicesArgs),
    /// Watch lamps: live figures with their limits and their last ten minutes.
    Monitor(MonitorArgs),
    /// Judge a lamp by the success criteria, each measured on the lamp itself.
    Validate(ValidateArgs),
    /// The same for a day: drift, leaks and resets, and the clock that passes 2³² µs after 71.6 minutes.
    Soak(ValidateArgs),
    /// Connect lamps with an MQTT broker and Home Assistant.
    Mqtt(MqttArgs),
    /// Start the virtual lamp: the lamp's firmware on an emulated machine (needs QEMU).
    Virt(VirtArgs),
    /// Keep the keys that sign firmware.
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Sign an image, so that lamps that trust the key take it.
    Sign(SignArgs),
    /// Send signed firmware to lamps, one after the other, and wait for the verdict of each.
    Deploy(DeployArgs),
    /// Put K1 onto a blank chip by cable: bootloader, partitions and a signed update.
    #[cfg(feature = "usb")]
    Install(InstallArgs),
    /// Send lamps back to the firmware before, within one restart.
    Rollback(RollbackArgs),
    /// Say what is wrong here, and measure how late the light is.
    Doctor(DoctorArgs),
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual page (roff) to standard output.
    Man,
}

/// `k1 run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// What to hear: demo | FILE | mic[:NAME] | monitor[:NAME] | - (raw f32 mono samples on standard input).
    #[arg(default_value = "demo")]
    pub input: Input,
    /// How it looks.
    #[command(flatten)]
    pub look: Look,
    /// Frames per second.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=500), value_name = "N")]
    pub fps: u32,
    /// Where light goes besides the page: ddp://HOST[:PORT] | file:PATH | terminal. May be given more than once.
    #[arg(long = "to", value_name = "URL")]
    pub targets: Vec<Target>,
    /// Address of the live page; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:3330", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Token that the page and scripts must show when the page is reachable from other machines; made up if missing.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// No page and no terminal: hear, shine on --to, and report.
    #[arg(long)]
    pub headless: bool,
    /// Stop after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Start a file again when it ends.
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Sample rate of standard input in Hz.
    #[arg(long, default_value_t = k1_engine::SAMPLE_RATE, value_name = "HZ")]
    pub rate: u32,
    /// Report as JSON, a line a second and a summary at the end.
    #[arg(long)]
    pub json: bool,
}

/// How it looks; shared by `run` and `render`.
#[derive(Args, Clone, Debug)]
pub struct Look {
    /// Pattern to show; `k1 patterns` lists them.
    #[arg(long, default_value = PATTERNS[k1_engine::patterns::FIRST_PATTERN].id, value_parser = pattern, value_name = "ID")]
    pub pattern: usize,
    /// Palette by name or number; `k1 palettes` lists them.
    #[arg(long, value_parser = palette, value_name = "NAME")]
    pub palette: Option<usize>,
    /// Set a parameter; `k1 params` lists them. May be given more than once.
    #[arg(long = "set", value_parser = assignment, value_name = "PARAM=VALUE")]
    pub settings: Vec<(Param, f32)>,
    /// Number of LEDs.
    #[arg(long, default_value_t = 180, value_parser = leds, value_name = "N")]
    pub leds: usize,
    /// Most current the strip may draw, in mA; 0 = no limit.
    #[arg(long, default_value_t = 5_000, value_name = "MA")]
    pub max_ma: u32,
    /// Microphone gain, 0.5 … 2.
    #[arg(long, default_value_t = 1.0, value_parser = gain, value_name = "FACTOR")]
    pub gain: f32,
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
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to search for lamps.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    pub search: f64,
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
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to search for lamps.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    pub search: f64,
}

/// Name of a key if none is given.
const KEY: &str = "k1";

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

/// `k1 render`.
#[derive(Args, Clone, Debug)]
pub struct RenderArgs {
    /// What to hear: demo | FILE | - (raw f32 mono samples on standard input).
    pub input: Input,
    /// How it looks.
    #[command(flatten)]
    pub look: Look,
    /// Frames per second.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=500), value_name = "N")]
    pub fps: u32,
    /// Result: OUT.png (time down, strip across, as the eye sees it), OUT.npy (frames × LEDs × 3, u8, wire values) or OUT.gif.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Render only so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Begin so many seconds into the sound (what comes before is heard but not drawn).
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "0", value_name = "SECONDS")]
    pub start: f64,
    /// Sample rate of standard input in Hz.
    #[arg(long, default_value_t = k1_engine::SAMPLE_RATE, value_name = "HZ")]
    pub rate: u32,
    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `k1 analyze`.
#[derive(Args, Clone, Debug)]
pub struct AnalyzeArgs {
    /// What to hear: demo | FILE | - (raw f32 mono samples on standard input).
    pub input: Input,
    /// Draw instead of printing: OUT.png (a picture) or OUT.html (a page with the same and with tables of all events).
    ///
    /// Rows over time: waveform, onset strength, belief in each tempo with the announced one, confidence; lines are
    /// announced beats. Up to 9.6 minutes a column is 16 ms of sound; a longer sound has longer columns and not more of them.
    #[arg(short, long, value_name = "OUT", conflicts_with = "json")]
    pub output: Option<PathBuf>,
    /// One JSON object per line: t and at in seconds, kind, bpm, confidence.
    #[arg(long)]
    pub json: bool,
    /// Sample rate of standard input in Hz.
    #[arg(long, default_value_t = k1_engine::SAMPLE_RATE, value_name = "HZ")]
    pub rate: u32,
    /// Hear only so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Microphone gain, 0.5 … 2.
    #[arg(long, default_value_t = 1.0, value_parser = gain, value_name = "FACTOR")]
    pub gain: f32,
}

/// The listing commands.
#[derive(Args, Clone, Copy, Debug)]
pub struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `k1 devices`.
#[derive(Args, Clone, Debug)]
pub struct DevicesArgs {
    /// Lamps to ask: a name, an address, the address of the lamp's page with its token, or `virt`. Without one, every
    /// lamp that answers.
    #[arg(value_name = "LAMP")]
    pub lamps: Vec<Place>,
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to wait for answers.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    pub search: f64,
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
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to search for lamps if none is named.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    pub search: f64,
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
    /// User of the broker.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// File with the password of that user; a command line can be read by others.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// What every topic begins with.
    #[arg(long, default_value = "k1", value_name = "TEXT")]
    pub prefix: String,
    /// What Home Assistant's topics begin with.
    #[arg(long, default_value = "homeassistant", value_name = "TEXT")]
    pub discovery_prefix: String,
    /// A signed update, as `k1 sign` makes it: it is offered to every lamp, and rolled out in steps when somebody says so.
    #[arg(long, value_name = "FILE")]
    pub update: Option<PathBuf>,
    /// Pause between two looks at a lamp.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "10", value_name = "SECONDS")]
    pub every: f64,
    /// Token of the lamps; without it, the one that is remembered for each.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to search for lamps if none is named.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "SECONDS")]
    pub search: f64,
    /// Stop after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub duration: Option<f64>,
}

/// `k1 doctor`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DoctorArgs {
    /// Measure sound to light with clicks through the whole program, for so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "20")]
    pub latency: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Names of the patterns for messages.
fn pattern(s: &str) -> Result<usize, String> {
    pattern_by_id(s).ok_or_else(|| {
        let ids: Vec<_> = PATTERNS.iter().map(|p| p.id).collect();
        format!("there is no pattern “{s}”; there are {}", ids.join(", "))
    })
}

fn palette(s: &str) -> Result<usize, String> {
    use k1_engine::light::{PALETTES, palette_by_name};
    palette_by_name(s).or_else(|| s.parse().ok().filter(|i| *i < PALETTES.len())).ok_or_else(|| {
        let names: Vec<_> = PALETTES.iter().map(|p| p.name).collect();
        format!("there is no palette “{s}”; there are 0 … {} or {}", PALETTES.len() - 1, names.join(", "))
    })
}

/// `PARAM=VALUE`, within the parameter's range.
pub fn assignment(s: &str) -> Result<(Param, f32), String> {
    let (id, value) = s.split_once('=').ok_or("write PARAM=VALUE, for example brightness=0.5")?;
    let param = Param::from_id(id).ok_or_else(|| {
        let ids: Vec<_> = Param::ALL.iter().map(|p| p.spec().id).collect();
        format!("there is no parameter “{id}”; there are {}", ids.join(", "))
    })?;
    let spec = param.spec();
    let number: f32 = value.parse().map_err(|_| format!("“{value}” is not a number"))?;
    if !(spec.min..=spec.max).contains(&number) {
        return Err(format!("{id} takes {} … {}, not {value}", spec.min, spec.max));
    }
    Ok((param, number))
}

fn leds(s: &str) -> Result<usize, String> {
    s.parse()
        .ok()
        .filter(|n| (1..=crate::MAX_LEDS).contains(n))
        .ok_or_else(|| format!("a strip has 1 … {} LEDs", crate::MAX_LEDS))
}

fn gain(s: &str) -> Result<f32, String> {
    let range = k1_engine::audio::GAIN_RANGE;
    s.parse()
        .ok()
        .filter(|g| range.contains(g))
        .ok_or_else(|| format!("gain is {} … {}", range.start(), range.end()))
}

fn seconds(s: &str) -> Result<f64, String> {
    s.parse()
        .ok()
        .filter(|t: &f64| (0.0..=1e7).contains(t))
        .ok_or_else(|| "a number of seconds is expected".into())
}

/// A time as people write it: 90, 10m, 1h, 24h. In seconds.
fn length(s: &str) -> Result<f64, String> {
    let (number, unit) = match s.strip_suffix(['s', 'm', 'h']) {
        Some(number) if s.ends_with('h') => (number, 3600.0),
        Some(number) if s.ends_with('m') => (number, 60.0),
        Some(number) => (number, 1.0),
        None => (s, 1.0),
    };
    let time = number.parse().ok().map(|n: f64| n * unit).filter(|t| (1.0..=1e7).contains(t));
    time.ok_or_else(|| "a time is expected, for example 10m, 1h, 24h or 90 (seconds)".into())
}

/// Form of the result of `k1 render`, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Picture: time down, strip across.
    Png,
    /// NumPy array of wire values.
    Npy,
    /// Moving picture of the strip.
    Gif,
}

impl Look {
    /// The parameters that these options ask for.
    pub fn params(&self) -> k1_engine::params::Params {
        let mut params = k1_engine::params::Params::default();
        if let Some(id) = self.palette {
            params.set(Param::PaletteId, id as f32);
        }
        for (param, value) in &self.settings {
            params.set(*param, *value);
        }
        params
    }

    /// The output settings that these options ask for.
    pub fn output(&self) -> k1_engine::light::OutputSettings {
        k1_engine::light::OutputSettings { limit_ma: (self.max_ma > 0).then_some(self.max_ma as f32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_values_are_answered_with_what_would_be_right() {
        let answer = |args: &[&str]| {
            let e = Cli::try_parse_from(std::iter::once("k1").chain(args.iter().copied())).unwrap_err();
            assert_eq!(e.exit_code(), 2);
            e.to_string()
        };
        assert!(answer(&["run", "--pattern", "rainbow"]).contains("beat_tunnel"));
        assert!(answer(&["run", "--palette", "rainbow"]).contains("sunset_drive"));
        assert!(answer(&["run", "--set", "brightness=3"]).contains("0 … 1"));
        assert!(answer(&["run", "--set", "shine=1"]).contains("softness"));
        assert!(answer(&["run", "--set", "warmth=NaN"]).contains("0 … 1"));
        assert!(answer(&["run", "--leds", "0"]).contains("4096"));
        assert!(answer(&["run", "--to", "gopher://x"]).contains("ddp://"));
        assert!(answer(&["run", "--duration", "-1"]).contains("seconds"));
        assert!(answer(&["devices", "https://x"]).contains("192.168.1.40"));
        for wrong in ["0", "10d", "m", "-5", "h"] {
            assert!(answer(&["validate", &format!("--for={wrong}")]).contains("24h"), "{wrong}");
        }
        assert_eq!((length("90"), length("10m"), length("24h")), (Ok(90.0), Ok(600.0), Ok(86_400.0)));
    }
}
