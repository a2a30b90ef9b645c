//! The command line, declared once: parser, help, completions and manual come from here.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the help texts, where brackets mean optional"
)]

mod program;
mod values;

use clap::{Parser, Subcommand};

pub use k1_fleet::cli::*;
pub use program::*;
pub use values::assignment;

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
    /// Print the token that opens the page from other machines; it is made if there is none.
    Token(TokenArgs),
    /// Render light from sound to a picture or array, faster than real time and always the same.
    Render(RenderArgs),
    /// Say what K1 hears in a sound: length, tempo, beats; on request every event, or a picture.
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
