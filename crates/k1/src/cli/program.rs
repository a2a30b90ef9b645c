//! Options of the program's own commands: play, render, analyse, list, examine this machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use k1_engine::light::Shape;
use k1_engine::params::Param;
use k1_engine::patterns::PATTERNS;
use k1_http::names::AllowedName;

use super::values::{allowed_host, assignment, gain, leds, name, palette, pattern, target};
use crate::sink::LightConfig;
use crate::source::{Input, RATES};
use crate::web::Listen;
use k1_fleet::cli::{number, seconds};

/// `k1 run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// What to hear: demo | FILE | http://STREAM | mic[:NAME] | monitor[:NAME] | - (raw f32 mono samples on standard input).
    /// Several files, a folder, and a playlist (.m3u, .m3u8, .pls) play without gaps. Default: what the show says, or demo.
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<Input>,
    /// File with lights, zones and their looks, which K1 reads, watches, and writes when a look has changed. Default: k1.toml
    /// in K1's settings folder, if it exists and no option asks for another look.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pattern", "palette", "settings", "leds", "shape"])]
    pub show: Option<PathBuf>,
    /// Pattern, palette, parameters and strip.
    #[command(flatten)]
    pub look: Look,
    /// Frames per second. Default: what the show says, or 120.
    #[arg(long, value_parser = number(1..=500_u32), value_name = "N")]
    pub fps: Option<u32>,
    /// Also send light to URL: ddp://HOST[:PORT] | artnet://HOST[:PORT] | sacn://[HOST[:PORT]] | wled://HOST[:PORT] |
    /// adalight:PORT | tpm2:PORT | spi:DEVICE | file:PATH | terminal. May be given more than once. A light has settings behind a
    /// question mark, such as artnet://HOST?universe=3&leds=170&order=grb; docs/lights.md lists them.
    #[arg(long = "to", value_name = "URL", value_parser = target())]
    pub targets: Vec<LightConfig>,
    /// Address of the live page. HOST is an address (0.0.0.0 = all addresses of this machine), a name or a network
    /// interface. PORT 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:3330", value_name = "HOST[:PORT]")]
    pub listen: Listen,
    /// Token that the page and scripts must present. Without this option, K1 makes a token and keeps it if other machines
    /// can reach the page (`k1 token` prints it). All users of this machine can see options, so prefer --token-file or
    /// K1_TOKEN.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub token: Option<String>,
    /// File with the token. Without this option, K1 uses the variable K1_TOKEN, then systemd's credential k1-token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Another name for the page, for example behind a reverse proxy: home.example.org or *.example.org. May be given
    /// more than once. Addresses and local names (pi, pi.local, pi.lan) always work if the page asks for a token.
    #[arg(long = "allow-host", value_parser = allowed_host, value_name = "NAME")]
    pub allowed_hosts: Vec<AllowedName>,
    /// Name of this K1 on its page, in lists and in Home Assistant. K1 keeps a separate, lasting id for each name.
    #[arg(long, default_value = k1_host::identity::NAME, value_parser = name, value_name = "NAME")]
    pub name: String,
    /// Connect this K1 to an MQTT broker and Home Assistant, as `k1 mqtt` does from another process.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "headless")]
    pub mqtt: Option<String>,
    /// Run without the page and the terminal: hear, send light to --to, and report.
    #[arg(long)]
    pub headless: bool,
    /// Stop after N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
    pub duration: Option<f64>,
    /// Start the file or the list again when it ends.
    #[arg(long = "loop")]
    pub repeat: bool,
    /// Sample rate of standard input in Hz. Default: 16,000.
    #[arg(long, value_parser = number(RATES), value_name = "HZ")]
    pub rate: Option<u32>,
    /// Report as JSON: one line per second and a summary at the end.
    #[arg(long)]
    pub json: bool,
    // Last, because the heading applies to every option that follows it.
    /// Access to the broker, and its topics.
    #[command(flatten, next_help_heading = "Broker (--mqtt)")]
    pub with: super::BrokerArgs,
}

/// `k1 token`.
#[derive(Args, Clone, Copy, Debug)]
pub struct TokenArgs {
    /// Make a new token. The old one stops working as soon as K1 restarts.
    #[arg(long)]
    pub new: bool,
}

/// Pattern, palette, parameters and strip; shared by `run` and `render`.
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
    /// Number of LEDs. Default: 180, or those of the matrix.
    #[arg(long, value_parser = leds, value_name = "N")]
    pub leds: Option<usize>,
    /// How the LEDs are arranged: mirrored (a line, from the centre to both ends) | line | line-reversed | both-ends |
    /// ring | matrix:COLUMNSxROWS. A matrix may have ,serpentine ,columns (the wire runs along columns) ,flip and
    /// ,rotate=90 | 180 | 270 (clockwise) behind its size.
    #[arg(long, default_value = "mirrored", value_name = "SHAPE")]
    pub shape: Shape<'static>,
    /// Limit of the current that the strip draws, in mA; 0 = unlimited.
    #[arg(long, default_value_t = 5_000, value_parser = number(0..=u32::MAX), value_name = "MA")]
    pub max_ma: u32,
    /// Microphone gain, 0.5 … 2.
    #[arg(long, default_value_t = 1.0, value_parser = gain, value_name = "FACTOR")]
    pub gain: f32,
}

impl Look {
    /// Number of LEDs.
    ///
    /// # Errors
    ///
    /// A sentence if the shape has another number, or too many.
    pub fn leds(&self) -> Result<usize, String> {
        let (most, shape) = (crate::MAX_LEDS, self.shape);
        match (self.leds, shape.leds()) {
            (_, Some(n)) if n > most => Err(format!("{shape} has {n} LEDs; a light has at most {most}")),
            (Some(asked), Some(n)) if asked != n => {
                Err(format!("{shape} has {n} LEDs and not {asked}; leave --leds out"))
            }
            (asked, has) => Ok(has.or(asked).unwrap_or(180)),
        }
    }

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

    /// True if no option asks for a pattern, a palette, parameters, a number of LEDs or a shape.
    pub fn is_default(&self) -> bool {
        self.pattern == k1_engine::patterns::FIRST_PATTERN
            && self.palette.is_none()
            && self.settings.is_empty()
            && self.leds.is_none()
            && self.shape == Shape::Mirrored
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
    /// Pattern, palette, parameters and strip.
    #[command(flatten)]
    pub look: Look,
    /// Pattern to change to after the first; all patterns get the same time. May be given more than once.
    #[arg(long, value_parser = pattern, value_name = "ID")]
    pub then: Vec<usize>,
    /// Frames per second.
    #[arg(long, default_value_t = 120, value_parser = number(1..=500_u32), value_name = "N")]
    pub fps: u32,
    /// File to write: OUT.gif (the strip in motion), OUT.png (one picture: time runs down, the strip across; of a ring or
    /// a matrix, a sheet of pictures, four a second) or OUT.npy (frames × LEDs × 3, u8, the values on the wire).
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Render N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
    pub duration: Option<f64>,
    /// Begin N seconds into the sound. K1 still hears what comes before, but does not draw it.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "0", value_name = "N")]
    pub start: f64,
    /// Sample rate of standard input in Hz. Default: 16,000.
    #[arg(long, value_parser = number(RATES), value_name = "HZ")]
    pub rate: Option<u32>,
    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `k1 analyze`.
#[derive(Args, Clone, Debug)]
pub struct AnalyzeArgs {
    /// What to hear: demo | FILE | - (raw f32 mono samples on standard input).
    pub input: Input,
    /// Also draw the analysis: OUT.png (a picture) or OUT.html (a page with the same picture and tables of all events).
    ///
    /// Rows over time: waveform, onset strength, belief in each tempo and the announced tempo, confidence. Vertical lines
    /// are announced beats. Each column is 16 ms of sound; columns are longer for sounds of more than 9.6 minutes.
    #[arg(short, long, value_name = "OUT", conflicts_with = "json")]
    pub output: Option<PathBuf>,
    /// Print every beat, onset and tempo as K1 would have reported it live. The summary goes to standard error.
    #[arg(long, conflicts_with_all = ["output", "json"])]
    pub events: bool,
    /// Print one JSON object per line: each event with t and at (seconds), kind, bpm and confidence, then the summary.
    #[arg(long)]
    pub json: bool,
    /// Sample rate of standard input in Hz. Default: 16,000.
    #[arg(long, value_parser = number(RATES), value_name = "HZ")]
    pub rate: Option<u32>,
    /// Hear only the first N seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N")]
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

/// Format of the result of `k1 render`, chosen by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One picture: time runs down, the strip across.
    Png,
    /// NumPy array of the values on the wire.
    Npy,
    /// Animation of the strip.
    Gif,
}

/// `k1 doctor`.
#[derive(Args, Clone, Copy, Debug)]
pub struct DoctorArgs {
    /// Send clicks through the whole program for N seconds and measure the time from sound to light.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, value_name = "N", num_args = 0..=1, default_missing_value = "20")]
    pub latency: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Look;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        look: Look,
    }

    #[test]
    fn a_matrix_decides_the_number_of_leds() {
        let leds =
            |options: &[&str]| Options::try_parse_from([&["k1"], options].concat()).unwrap().look.leds();
        assert_eq!(leds(&[]), Ok(180));
        assert_eq!(leds(&["--shape", "ring", "--leds", "24"]), Ok(24));
        assert_eq!(leds(&["--shape", "matrix:16x8,serpentine"]), Ok(128));
        assert_eq!(leds(&["--shape", "matrix:16x8", "--leds", "128"]), Ok(128));
        let differs = leds(&["--shape", "matrix:16x8", "--leds", "60"]).unwrap_err();
        assert_eq!(differs, "matrix:16x8 has 128 LEDs and not 60; leave --leds out");
        assert!(leds(&["--shape", "matrix:100x100"]).unwrap_err().contains("at most 4096"));
    }
}
