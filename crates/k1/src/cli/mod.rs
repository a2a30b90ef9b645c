//! The command line, declared once: parser, help, completions and manual come from here.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the help texts, where brackets mean optional"
)]

mod program;
mod scene;
mod service;
mod show;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use k1_fleet::cli::*;
pub use program::*;
pub use scene::*;
pub use service::*;
pub use show::*;
pub use values::assignment;

/// Music into light.
///
/// Without a command, K1 plays its built-in music, opens a page that shows the strip live, and prints its address.
#[derive(Debug, Parser)]
#[command(name = "k1", version, long_version = env!("K1_VERSION"), max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Command; `run demo` if it is missing.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn sound into light, live: on the page, in the terminal, on real lights.
    Run(Box<RunArgs>),
    /// Print the token that opens the page from other machines. K1 makes one if there is none yet.
    Token(TokenArgs),
    /// Render sound as an animation, a picture or an array. The same sound always gives the same frames.
    Render(RenderArgs),
    /// Show what K1 hears in a sound: length, tempo, beats, and on request every event or a picture.
    Analyze(AnalyzeArgs),
    /// List the patterns: what each one shows and what its knobs do.
    Patterns(ListArgs),
    /// List the palettes.
    Palettes(ListArgs),
    /// Add palettes of your own to the show, from gradients of CSS, GIMP and WLED; list and delete them.
    Palette {
        /// What to do with palettes.
        #[command(subcommand)]
        command: PaletteCommand,
    },
    /// List the parameters with their ranges and defaults.
    Params(ListArgs),
    /// List the sound sources of this machine.
    Sources(ListArgs),
    /// Check, copy or replace the file of lights, zones and their looks.
    Show {
        /// What to do with the file.
        #[command(subcommand)]
        command: ShowCommand,
    },
    /// Find, add, test and list lights.
    Lights {
        /// What to do with lights.
        #[command(subcommand)]
        command: LightsCommand,
    },
    /// List, make, recall and delete scenes of a running K1.
    Scene {
        /// What to do with scenes.
        #[command(subcommand)]
        command: SceneCommand,
    },
    /// Start, stop and look at the playlist of a running K1.
    Playlist(PlaylistArgs),
    /// Turn the light of a running K1 on.
    On(PowerArgs),
    /// Turn the light of a running K1 off. It goes on hearing.
    Off(PowerArgs),
    /// Dim the light of a running K1.
    Brightness(BrightnessArgs),
    /// Run K1 in the background, from login or from the start of the computer on (systemd).
    Service {
        /// What to do with the service.
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Find lamps and list what each one reports about itself.
    Devices(DevicesArgs),
    /// Watch lamps: live figures, their limits and the last ten minutes.
    Monitor(MonitorArgs),
    /// Check a lamp against the success criteria, each measured on the lamp itself.
    Validate(ValidateArgs),
    /// Run `validate` for a day, to find drift, leaks, resets and clock overflow (2³² µs, after 71.6 minutes).
    Soak(ValidateArgs),
    /// Connect lamps to an MQTT broker and Home Assistant.
    Mqtt(MqttArgs),
    /// Start the virtual lamp: the lamp's firmware on an emulated machine (needs QEMU).
    Virt(VirtArgs),
    /// Manage the keys that sign firmware.
    Keys {
        /// What to do with the keys.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Sign a firmware image. Lamps that trust the key accept it.
    Sign(SignArgs),
    /// Check downloaded files of a K1 release against the signature of their maker.
    Verify(VerifyArgs),
    /// Send signed firmware to lamps one by one, and wait for the verdict of each.
    Deploy(DeployArgs),
    /// Write K1 to a blank chip by cable: bootloader, partitions and a signed update.
    #[cfg(feature = "usb")]
    Install(InstallArgs),
    /// Return lamps to their previous firmware, within one restart.
    Rollback(RollbackArgs),
    /// Find problems on this machine, and measure the delay from sound to light.
    Doctor(DoctorArgs),
    /// Write a completion script for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual page (roff) to standard output.
    Man {
        /// Write the pages of all commands to a folder instead.
        #[arg(long = "to", value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use k1_fleet::cli::length;

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_the_options_of_the_broker_stand_under_its_heading() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        let under = |heading: Option<&str>| -> Vec<_> {
            let options = run.get_arguments().filter(|a| a.get_help_heading() == heading);
            options.filter_map(|a| a.get_long()).collect()
        };
        let broker = ["user", "password-file", "prefix", "discovery-prefix"];
        assert_eq!(under(Some("Broker (--mqtt)")), broker);
        for option in ["headless", "duration", "loop", "rate", "json", "mqtt", "fps"] {
            assert!(under(None).contains(&option), "{option}");
        }
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
        for (args, limits) in [
            (["run", "--fps", "0"], "write a number from 1 to 500"),
            (["run", "--rate", "3"], "write a number from 4000 to 768000"),
            (["run", "--max-ma", "1e9"], "write a number from 0 to 4294967295"),
            (["virt", "--http", "70000"], "write a number from 0 to 65535"),
            (["monitor", "--baud", "fast"], "write a number from 1 to 4294967295"),
            (["run", "--duration", "inf"], "up to 10000000"),
            (["validate", "--for", "0"], "1 to 10000000 seconds"),
        ] {
            assert!(answer(&args).contains(limits), "{args:?}");
        }
        assert!(answer(&["run", "--to", "gopher://x"]).contains("ddp://"));
        assert!(answer(&["run", "--duration", "-1"]).contains("seconds"));
        assert!(answer(&["devices", "https://x"]).contains("192.168.1.40"));
        for wrong in ["0", "10d", "m", "-5", "h"] {
            assert!(answer(&["validate", &format!("--for={wrong}")]).contains("24h"), "{wrong}");
        }
        assert_eq!((length("90"), length("10m"), length("24h")), (Ok(90.0), Ok(600.0), Ok(86_400.0)));
    }
}
