//! Options of the commands that look after the show file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use k1_fleet::cli::seconds;

use super::RunningArgs;
use super::values::{leds, palette, pattern};

/// The file that a command works on.
#[derive(Args, Clone, Debug)]
pub struct ShowFile {
    /// Another file than k1.toml in K1's settings folder.
    #[arg(long, value_name = "FILE")]
    pub show: Option<PathBuf>,
}

/// `k1 show`.
#[derive(Clone, Debug, Subcommand)]
pub enum ShowCommand {
    /// Check a show: every fault with its line and what to do.
    Check {
        /// File to check. Default: k1.toml in K1's settings folder.
        file: Option<PathBuf>,
    },
    /// Write the show to standard output or to a file.
    Export {
        /// File to write.
        #[arg(short, long, value_name = "OUT")]
        output: Option<PathBuf>,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
    /// Replace the show by another file, once that has no fault. The old one is kept beside it as k1.toml.old.
    Import {
        /// File to read.
        file: PathBuf,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
}

/// `k1 palette`.
#[derive(Clone, Debug, Subcommand)]
pub enum PaletteCommand {
    /// Add a gradient to the show as a palette, or replace the palette with its name.
    Import {
        /// A file with linear-gradient(…) of CSS, a gradient of GIMP (.ggr), or a palette of WLED (JSON); or the text
        /// linear-gradient(…) itself.
        #[arg(value_name = "GRADIENT")]
        gradient: String,
        /// Its name. Default: the name in the file, or that of the file.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
    /// List the palettes of the show with their colours.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
    /// Delete a palette that no look has.
    Delete {
        /// Name of the palette.
        name: String,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
}

/// `k1 lights`.
#[derive(Clone, Debug, Subcommand)]
pub enum LightsCommand {
    /// List the lights of the show, their zones, and their state if K1 runs.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The running K1.
        #[command(flatten)]
        running: RunningArgs,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
    /// Find WLED devices, Art-Net nodes and K1 lamps on the network.
    Find {
        /// Search for N seconds.
        #[arg(long = "search", value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "N")]
        search_s: f64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a light to the show, and a zone that shows it.
    Add(AddArgs),
    /// Show on a light which one it is, where its first LED is, and the order of its colours.
    Test {
        /// Lights: names of the show, or targets as for `k1 run --to`. Default: all lights of the show, one after the
        /// other.
        #[arg(value_name = "LIGHT")]
        lights: Vec<String>,
        /// Number of LEDs of a target that the show does not have.
        #[arg(long, default_value_t = 60, value_parser = leds, value_name = "N")]
        leds: usize,
        /// Show each step for N seconds.
        #[arg(long = "step", value_parser = seconds, allow_negative_numbers = true, default_value = "2", value_name = "N")]
        step_s: f64,
        /// The running K1.
        #[command(flatten)]
        running: RunningArgs,
        /// The show.
        #[command(flatten)]
        of: ShowFile,
    },
}

/// `k1 lights add`.
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// The light: the name or address of a WLED device or an Art-Net node (`k1 lights find` lists them), or a target as for
    /// `k1 run --to`.
    #[arg(value_name = "LIGHT")]
    pub light: String,
    /// Its name in the show. Default: the name that the device tells.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Number of LEDs. Default: the number that the device tells; an Art-Net node tells none.
    #[arg(long, value_parser = leds, value_name = "N")]
    pub leds: Option<usize>,
    /// First universe, for Art-Net and sACN. Default: the first one of the node.
    #[arg(long, value_name = "N")]
    pub universe: Option<u16>,
    /// The zone begins at the last LED.
    #[arg(long)]
    pub reversed: bool,
    /// Zone that the light continues. Default: a new one with the name of the light.
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Pattern of the zone; `k1 patterns` lists them.
    #[arg(long, value_parser = pattern, value_name = "ID")]
    pub pattern: Option<usize>,
    /// Palette of the zone by name or number; `k1 palettes` lists them.
    #[arg(long, value_parser = palette, value_name = "NAME")]
    pub palette: Option<usize>,
    /// Search for a name for N seconds.
    #[arg(long = "search", value_parser = seconds, allow_negative_numbers = true, default_value = "3", value_name = "N")]
    pub search_s: f64,
    /// The show.
    #[command(flatten)]
    pub of: ShowFile,
}
