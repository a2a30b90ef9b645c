//! What each command does. Errors end as one sentence on standard error.

mod analyze;
mod deploy;
mod devices;
mod doctor;
mod keys;
mod list;
mod monitor;
mod mqtt;
mod render;
mod run;
#[cfg(feature = "usb")]
mod usb;
mod validate;
mod virt;

use std::fmt;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::source;

/// Why a command failed, as a sentence; exit status 1.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<source::Error> for Failure {
    fn from(e: source::Error) -> Self {
        Self(e.to_string())
    }
}

impl From<String> for Failure {
    fn from(e: String) -> Self {
        Self(e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self(e.to_string())
    }
}

/// Parses the command line and does what it says. Exit status: 0 fine, 1 the work failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or_else(|| {
        // The plain `k1` is `k1 run` with every default of its declaration.
        match Cli::parse_from(["k1", "run"]).command {
            Some(run) => run,
            None => unreachable!("`k1 run` parses to a command"),
        }
    });
    let result = match command {
        Command::Run(args) => run::run(&args),
        Command::Render(args) => render::render(&args),
        Command::Analyze(args) => analyze::analyze(&args),
        Command::Patterns(args) => list::patterns(args.json),
        Command::Palettes(args) => list::palettes(args.json),
        Command::Params(args) => list::params(args.json),
        Command::Sources(args) => list::sources(args.json),
        Command::Devices(args) => devices::devices(&args),
        Command::Monitor(args) => monitor::monitor(&args),
        Command::Validate(args) => validate::validate(&args, validate::TEN_MINUTES),
        Command::Soak(args) => validate::validate(&args, validate::A_DAY),
        Command::Mqtt(args) => mqtt::mqtt(&args),
        Command::Virt(args) => virt::virt(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Keys { command } => keys::keys(&command),
        Command::Deploy(args) => deploy::deploy(&args),
        #[cfg(feature = "usb")]
        Command::Install(args) => usb::install(&args),
        Command::Rollback(args) => deploy::rollback(&args),
        Command::Sign(args) => keys::sign(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "k1", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(Failure::from)
                .and_then(|()| print(&page))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            crate::say(format_args!("k1: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output; a reader that has closed the pipe has heard enough and is no error.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout();
    match crate::strip_line::above(|| out.write_all(bytes).and_then(|()| out.flush())) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|e| Failure(format!("standard output cannot be written: {e}"))),
    }
}

/// Prints a value as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Failure(e.to_string()))?;
    text.push(b'\n');
    print(&text)
}

/// A progress bar on standard error; invisible where that is no terminal.
fn progress(seconds: Option<f64>, what: &str) -> indicatif::ProgressBar {
    let bar = match seconds {
        Some(s) => indicatif::ProgressBar::new((s * 1000.0) as u64),
        None => indicatif::ProgressBar::new_spinner(),
    };
    if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// A progress bar for bytes that go to a lamp, on standard error; invisible where that is no terminal.
fn sending(label: &str, bytes: usize) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(bytes as u64);
    let template = "{prefix} {bar:30} {bytes} of {total_bytes}, {eta} left";
    if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    bar
}
