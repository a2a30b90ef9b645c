//! The commands. An error ends as one sentence on standard error.

mod analyze;
mod doctor;
mod keys;
mod lights;
mod lines;
mod list;
mod palette;
mod render;
mod run;
mod running;
mod scene;
mod service;
mod show;
mod token;
mod virt;

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use k1_device::harmless::harmless;

use crate::cli::{Cli, Command};
use crate::source::{self, Input};
use k1_fleet::commands::{deploy, devices, keys as signing_keys, monitor, mqtt, validate};
use k1_host::progress::progress;
use k1_host::{Failure, console};

impl From<source::Error> for Failure {
    fn from(e: source::Error) -> Self {
        Self::new(e.to_string())
    }
}

/// Parses the command line and does what it says. Exit status: 0 fine, 1 the work failed, 2 wrong usage.
pub fn main() -> ExitCode {
    console::catch_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return refuse(&refusal),
    };
    let command = cli.command.unwrap_or_else(|| {
        // The plain `k1` is `k1 run` with every default of its declaration.
        match Cli::parse_from(["k1", "run"]).command {
            Some(run) => run,
            None => unreachable!("`k1 run` parses to a command"),
        }
    });
    let result = match command {
        Command::Run(args) => run::run(&args),
        Command::Token(args) => token::token(args),
        Command::Render(args) => render::render(&args),
        Command::Analyze(args) => analyze::analyze(&args),
        Command::Patterns(args) => list::patterns(args.json),
        Command::Palettes(args) => list::palettes(args.json),
        Command::Palette { command } => palette::palette(&command),
        Command::Params(args) => list::params(args.json),
        Command::Sources(args) => list::sources(args.json),
        Command::Lights { command } => lights::lights(&command),
        Command::Show { command } => show::show(&command),
        Command::Scene { command } => scene::scene(&command),
        Command::Playlist(args) => scene::playlist(&args),
        Command::On(args) => scene::power(&args.of, Some(true), None, args.fade),
        Command::Off(args) => scene::power(&args.of, Some(false), None, args.fade),
        Command::Brightness(args) => scene::power(&args.power.of, None, Some(args.percent), args.power.fade),
        Command::Service { command } => service::service(&command),
        Command::Devices(args) => devices::devices(&args),
        Command::Monitor(args) => monitor::monitor(&args),
        Command::Validate(args) => validate::validate(&args, validate::TEN_MINUTES),
        Command::Soak(args) => validate::validate(&args, validate::A_DAY),
        Command::Mqtt(args) => mqtt::mqtt(&args),
        Command::Virt(args) => virt::virt(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Keys { command } => signing_keys::keys(&command),
        Command::Deploy(args) => deploy::deploy(&args),
        #[cfg(feature = "usb")]
        Command::Install(args) => k1_fleet::commands::install::install(&args),
        Command::Rollback(args) => deploy::rollback(&args),
        Command::Sign(args) => signing_keys::sign(&args),
        Command::Verify(args) => signing_keys::verify(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "k1", &mut script);
            console::verbatim(&script).map_err(Failure::from)
        }
        Command::Man { folder } => man(folder.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            k1_host::say(format_args!("k1: {failure}"));
            ExitCode::from(failure.status())
        }
    }
}

/// Prints the help, or why the command line is wrong. Escapes terminal controls in quoted arguments, because they may be
/// foreign text.
fn refuse(refusal: &clap::Error) -> ExitCode {
    let shown = std::env::args_os().map(|a| match a.to_str().map(harmless) {
        Some(Cow::Borrowed(_)) => a,
        Some(Cow::Owned(clean)) => clean.into(),
        None => harmless(&a.to_string_lossy()).into_owned().into(),
    });
    let clean = match Cli::try_parse_from(shown) {
        Err(e) if e.kind() == refusal.kind() => e.render(),
        // The error is about one of the escaped characters.
        _ => {
            console::say_text(&reason(refusal));
            return ExitCode::from(2);
        }
    };
    if refusal.use_stderr() {
        console::say_text(&clean.to_string());
        return ExitCode::from(2);
    }
    let printed = match console::is_terminal() {
        true => console::verbatim(clean.ansi().to_string().as_bytes()),
        false => console::text(&clean.to_string()),
    };
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why the command line is wrong, if the reason is an escaped character.
fn reason(refusal: &clap::Error) -> String {
    let args: Vec<_> = std::env::args_os().collect();
    if refusal.kind() == ErrorKind::InvalidUtf8
        && let Some(argument) = not_text(&args)
    {
        return format!("error: {argument:?} is not UTF-8; only file names may contain other bytes");
    }
    let text = refusal.render().to_string();
    args.iter().filter_map(|a| a.to_str()).fold(text, |text, argument| match harmless(argument) {
        Cow::Owned(clean) => text.replace(argument, &clean),
        Cow::Borrowed(_) => text,
    })
}

/// The first argument that must be UTF-8 and is not.
fn not_text(args: &[OsString]) -> Option<&OsString> {
    args.iter().enumerate().find_map(|(suspect, argument)| {
        argument.to_str().is_none().then_some(())?;
        let others = args.iter().enumerate().map(|(i, a)| match a.to_str() {
            None if i != suspect => a.to_string_lossy().into_owned().into(),
            _ => a.clone(),
        });
        let refusal = Cli::try_parse_from(others).err()?;
        (refusal.kind() == ErrorKind::InvalidUtf8).then_some(argument)
    })
}

/// Sample rate of the sound in Hz. Only raw samples need the option.
fn rate(input: &Input, option: Option<u32>) -> Result<u32, Failure> {
    match option {
        Some(_) if *input != Input::Stdin => {
            Err(Failure::usage("--rate is only for raw samples on standard input (-); leave it out".into()))
        }
        option => Ok(option.unwrap_or(k1_engine::SAMPLE_RATE)),
    }
}

/// Prints the manual page of the program, or writes the pages of all commands to a folder.
fn man(folder: Option<&Path>) -> Result<(), Failure> {
    if let Some(folder) = folder {
        return clap_mangen::generate_to(Cli::command(), folder)
            .map_err(|e| Failure::new(format!("the pages cannot be written to {}: {e}", folder.display())));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(console::verbatim(&page)?)
}

/// A number of things: “1 light”, “2 lights”.
fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Prints lines. Text from outside was cleaned on arrival, and the console cleans everything but newlines.
fn print(text: &[u8]) -> Result<(), Failure> {
    Ok(console::text(&String::from_utf8_lossy(text))?)
}

/// Prints a value as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    Ok(console::json(value)?)
}
