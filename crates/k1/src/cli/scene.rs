//! Options of the commands that ask a running K1: scenes, the playlist, on and off.

use clap::{Args, Subcommand};
use k1_fleet::cli::number;
use k1_fleet::lamps::Selector;
use k1_show::Every;

use super::values::{every, fade};

/// The running K1 that a command asks.
#[derive(Args, Clone, Debug)]
pub struct RunningArgs {
    /// Address of the running K1's page.
    #[arg(long, default_value = "127.0.0.1:3330", value_name = "HOST:PORT")]
    pub at: Selector,
    /// Token of that K1. Without this option, K1 uses the token of its address or the remembered one, and on this machine
    /// the one that `k1 token` prints.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// `k1 scene`.
#[derive(Clone, Debug, Subcommand)]
pub enum SceneCommand {
    /// List the scenes, and which of them is shown.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Make a scene of what all zones show now, or replace one.
    Save {
        /// Name of the scene.
        name: String,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Fade to a scene.
    Recall {
        /// Name of the scene.
        name: String,
        /// Duration of the fade in seconds. Default: that of the scene.
        #[arg(long, value_parser = fade, allow_negative_numbers = true, value_name = "S")]
        fade: Option<f64>,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Delete a scene, also from the playlist.
    Delete {
        /// Name of the scene.
        name: String,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
}

/// `k1 on` and `k1 off`.
#[derive(Args, Clone, Debug)]
pub struct PowerArgs {
    /// Duration of the fade in seconds. Default: 1.
    #[arg(long, value_parser = fade, allow_negative_numbers = true, value_name = "S")]
    pub fade: Option<f64>,
    /// The K1.
    #[command(flatten)]
    pub of: RunningArgs,
}

/// `k1 brightness`.
#[derive(Args, Clone, Debug)]
pub struct BrightnessArgs {
    /// Brightness in percent.
    #[arg(value_parser = number(0..=100_u32), value_name = "PERCENT")]
    pub percent: u32,
    /// Fade and K1.
    #[command(flatten)]
    pub power: PowerArgs,
}

/// `k1 playlist`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PlaylistArgs {
    /// What to do with the playlist; `status` if it is missing.
    #[command(subcommand)]
    pub command: Option<PlaylistCommand>,
    /// The K1.
    #[command(flatten)]
    pub of: RunningArgs,
}

/// What to do with the playlist.
#[derive(Clone, Debug, Subcommand)]
pub enum PlaylistCommand {
    /// Show whether the playlist runs, and which scene comes when.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Start the playlist.
    Start {
        /// Its scenes, in this order. Default: those that it had last, or all.
        #[arg(value_name = "SCENE")]
        scenes: Vec<String>,
        /// When the next scene comes: "8 bars", "16 beats", "90 s", "5 min", or section (when the music changes).
        #[arg(long, value_parser = every, value_name = "PERIOD")]
        every: Option<Every>,
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Stop the playlist; what it shows stays.
    Stop {
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
    /// Show the next scene now.
    Next {
        /// The K1.
        #[command(flatten)]
        of: RunningArgs,
    },
}
