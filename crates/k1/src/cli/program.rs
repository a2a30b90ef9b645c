//! What the program itself does: play, render, analyse, list, examine this machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use k1_device::access::AllowedName;
use k1_engine::params::Param;
use k1_engine::patterns::PATTERNS;

use super::values::{allowed_host, assignment, gain, leds, name, palette, pattern, target};
use crate::sink::Target;
use crate::source::Input;
use crate::web::Listen;
use k1_fleet::cli::seconds;

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
    #[arg(long = "to", value_name = "URL", value_parser = target())]
    pub targets: Vec<Target>,
    /// Where the live page is: HOST or HOST:PORT, where HOST is an address (0.0.0.0 = every one of this machine), a name
    /// or a network interface. Port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:3330", value_name = "HOST[:PORT]")]
    pub listen: Listen,
    /// Token that the page and scripts must show; without one, K1 makes and keeps it where other machines reach the
    /// page (`k1 token` prints it). Every user of this machine sees options: --token-file or K1_TOKEN are better.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub token: Option<String>,
    /// File with the token. Without it, the variable K1_TOKEN counts, then systemd's credential k1-token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Another name that leads to the page, for example through a reverse proxy: home.example.org, or *.example.org. May
    /// be given more than once. Addresses and local names (pi, pi.local, pi.lan) need none where a token is asked for.
    #[arg(long = "allow-host", value_parser = allowed_host, value_name = "NAME")]
    pub allowed_hosts: Vec<AllowedName>,
    /// What this K1 is called: on its page, in lists, in Home Assistant. Each name has an id of its own that lasts.
    #[arg(long, default_value = k1_host::identity::NAME, value_parser = name, value_name = "NAME")]
    pub name: String,
    /// Connect this K1 with an MQTT broker and Home Assistant, as `k1 mqtt` does from outside.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "headless")]
    pub mqtt: Option<String>,
    /// How the broker is spoken with.
    #[command(flatten, next_help_heading = "Broker (--mqtt)")]
    pub with: super::BrokerArgs,
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

/// `k1 token`.
#[derive(Args, Clone, Copy, Debug)]
pub struct TokenArgs {
    /// Make a new one. The one before opens nothing any more as soon as K1 is started again.
    #[arg(long)]
    pub new: bool,
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
    /// Draw, too: OUT.png (a picture) or OUT.html (a page with the same and with tables of all events).
    ///
    /// Rows over time: waveform, onset strength, belief in each tempo with the announced one, confidence; lines are
    /// announced beats. Up to 9.6 minutes a column is 16 ms of sound; a longer sound has longer columns and not more of them.
    #[arg(short, long, value_name = "OUT", conflicts_with = "json")]
    pub output: Option<PathBuf>,
    /// Print every beat, onset and tempo as it would have been reported live; the summary goes to standard error.
    #[arg(long, conflicts_with_all = ["output", "json"])]
    pub events: bool,
    /// One JSON object per line: for each event t and at in seconds, kind, bpm, confidence; at the end the summary.
    #[arg(long)]
    pub json: bool,
    /// Sample rate of standard input in Hz.
    #[arg(long, default_value_t = k1_engine::SAMPLE_RATE, value_name = "HZ")]
    pub rate: u32,
    /// Hear only the first N seconds.
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
