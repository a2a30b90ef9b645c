//! Options of `k1 service`.

use std::ffi::OsString;

use clap::{Args, Subcommand};

/// The manager of a service.
#[derive(Args, Clone, Copy, Debug)]
pub struct ServiceScope {
    /// The system's services instead of this user's. They run without anybody logged in, as a user of their own, and do
    /// not hear what a user plays.
    #[arg(long)]
    pub system: bool,
}

/// `k1 service`.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write a unit file for systemd that runs `k1 run` in the background.
    Install {
        /// The manager.
        #[command(flatten)]
        scope: ServiceScope,
        /// Also start the service, now and at each login (with --system: each start of the computer).
        #[arg(long, conflicts_with = "print")]
        now: bool,
        /// Print the unit file and write nothing.
        #[arg(long)]
        print: bool,
        /// Arguments for `k1 run`, as in: k1 service install -- monitor --listen 0.0.0.0
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Remove the unit file.
    Uninstall {
        /// The manager.
        #[command(flatten)]
        scope: ServiceScope,
        /// Also stop the service first.
        #[arg(long)]
        now: bool,
    },
    /// Show which unit files there are, and what systemd says of them.
    Status,
}
