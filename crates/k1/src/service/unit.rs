//! The unit file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// File name of the unit.
pub const NAME: &str = "k1.service";
/// The first line, by which K1 recognises a unit file that it has written.
const MARK: &str = "# Written by `k1 service install`";
/// Groups whose members may use sound devices, serial ports and strips at an SPI interface.
const GROUPS: [&str; 4] = ["audio", "dialout", "uucp", "spi"];
/// Options that work for a user's units as well, because they need no privilege.
const FOR_ALL: &str = "
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
";
/// Options that only the system's own manager can apply.
const FOR_SYSTEM: &str = "
# A user of its own, whose settings folder is /var/lib/k1.
DynamicUser=yes
StateDirectory=k1
StateDirectoryMode=0700
Environment=XDG_CONFIG_HOME=%S

# Real-time priority for the two halves.
LimitRTPRIO=95

# Sound devices, serial ports and SPI interfaces, and no others.
DevicePolicy=closed
DeviceAllow=char-alsa rw
DeviceAllow=char-ttyUSB rw
DeviceAllow=char-ttyACM rw
DeviceAllow=char-ttyAMA rw
DeviceAllow=char-ttyS rw
DeviceAllow=char-spi rw

CapabilityBoundingSet=
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
";

/// The manager that a unit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's, whose units may hear the user's sound server.
    User,
    /// The system's, whose units run without anybody logged in.
    System,
}

impl Scope {
    /// Paths at which a manager finds the unit: that of [`Scope::place`], and that of the package.
    pub fn places(self) -> impl Iterator<Item = PathBuf> {
        let packaged = (self == Self::System).then(|| PathBuf::from("/usr/lib/systemd/system"));
        self.place().into_iter().chain(packaged.map(|folder| folder.join(NAME)))
    }

    /// Path of the unit file; `None` for a user without a home folder.
    pub fn place(self) -> Option<PathBuf> {
        let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let folder = match self {
            Self::System => PathBuf::from("/etc/systemd/system"),
            Self::User => {
                let settings = of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")));
                settings?.join("systemd/user")
            }
        };
        Some(folder.join(NAME))
    }

    /// The command that talks to the manager.
    pub fn systemctl(self) -> &'static [&'static str] {
        match self {
            Self::User => &["systemctl", "--user"],
            Self::System => &["systemctl"],
        }
    }

    fn wanted_by(self) -> &'static str {
        match self {
            Self::User => "default.target",
            Self::System => "multi-user.target",
        }
    }
}

/// Arguments of `k1 run`.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'a> {
    /// Those given to `k1 service install`.
    Given {
        /// The arguments.
        arguments: &'a [OsString],
        /// Folder in which relative paths of the arguments begin; `None` if there are no arguments.
        folder: Option<&'a Path>,
    },
    /// The variable `K1_ARGUMENTS` in a file that the administrator edits: for the unit of a package.
    OfFile(&'a Path),
}

/// A unit that runs `k1 run`. Displayed as its file.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// The manager that it belongs to.
    pub scope: Scope,
    /// The program.
    pub program: &'a Path,
    /// Arguments behind `k1 run`.
    pub arguments: Arguments<'a>,
    /// The groups of this machine, as in `/etc/group`.
    pub groups: &'a str,
}

impl Unit<'_> {
    /// True if K1 has written this unit file.
    pub fn is_ours(text: &str) -> bool {
        text.starts_with(MARK)
    }
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.arguments {
            Arguments::Given { .. } => write!(f, "{MARK}, which also replaces it.")?,
            Arguments::OfFile(path) => {
                write!(f, "# Of the package k1. Arguments of `k1 run` are in {}.", path.display())?;
            }
        }
        writeln!(f, " Own changes belong into an override:")?;
        writeln!(f, "# {} edit {NAME}", self.scope.systemctl().join(" "))?;
        // A limit of starts would leave a room dark for good after a bad minute.
        writeln!(f, "[Unit]\nDescription=K1: music into light\nStartLimitIntervalSec=0")?;
        if self.scope == Scope::System {
            writeln!(f, "Wants=network-online.target\nAfter=network-online.target sound.target")?;
        }
        writeln!(f, "\n[Service]\nType=notify")?;
        let program = quoted(self.program.as_os_str());
        match self.arguments {
            Arguments::Given { arguments, folder } => {
                write!(f, "ExecStart={program} run")?;
                arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))?;
                if let Some(folder) = folder {
                    // This setting takes spaces and quotes as they are.
                    write!(f, "\nWorkingDirectory={}", folder.to_string_lossy().replace('%', "%%"))?;
                }
            }
            Arguments::OfFile(path) => {
                write!(f, "EnvironmentFile=-{}\nExecStart={program} run $K1_ARGUMENTS", path.display())?;
            }
        }
        // Small systems have no /bin/kill, but each shell has its own.
        writeln!(f, "\nExecReload=/bin/sh -c \"kill -HUP $MAINPID\"")?;
        writeln!(f, "Restart=on-failure\nRestartSec=2\nTimeoutStopSec=10")?;
        writeln!(f, "# K1 is restarted if no frame has been rendered for this time.\nWatchdogSec=10")?;
        f.write_str(FOR_ALL)?;
        if self.scope == Scope::System {
            let has = |group: &&str| self.groups.lines().any(|line| line.split(':').next() == Some(*group));
            let groups: Vec<_> = GROUPS.into_iter().filter(has).collect();
            f.write_str(FOR_SYSTEM)?;
            if !groups.is_empty() {
                writeln!(f, "SupplementaryGroups={}", groups.join(" "))?;
            }
        }
        writeln!(f, "\n[Install]\nWantedBy={}", self.scope.wanted_by())
    }
}

/// An argument of a command line in a unit file.
fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Both would be replaced.
            '%' | '$' => quoted.extend([c, c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_arrive_as_they_were_given() {
        for (argument, expected) in [
            ("--to", "--to"),
            ("ddp://wled.local?leds=60&order=grb", "\"ddp://wled.local?leds=60&order=grb\""),
            ("Living room", "\"Living room\""),
            ("100 % \"$HOME\" \\", "\"100 %% \\\"$$HOME\\\" \\\\\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(OsStr::new(argument)), expected);
        }
    }

    #[test]
    fn only_groups_that_exist_are_named() {
        let unit = |scope, groups| {
            let arguments = Arguments::Given { arguments: &[], folder: None };
            Unit { scope, program: Path::new("/usr/bin/k1"), arguments, groups }.to_string()
        };
        let groups = "root:x:0:\naudio:x:29:me\nmydialout:x:30:\n";
        let text = unit(Scope::System, groups);
        assert!(text.contains("\nSupplementaryGroups=audio\n") && Unit::is_ours(&text), "{text}");
        assert!(text.contains("\nExecStart=/usr/bin/k1 run\n"), "{text}");
        assert!(!unit(Scope::System, "").contains("SupplementaryGroups="));
        assert!(!unit(Scope::User, groups).contains("SupplementaryGroups="));
    }

    /// The package's unit is a file of the sources, because packages are made on other machines.
    #[test]
    fn the_unit_of_the_package_is_that_of_this_program() {
        let unit = Unit {
            scope: Scope::System,
            program: Path::new("/usr/bin/k1"),
            arguments: Arguments::OfFile(Path::new("/etc/default/k1")),
            // Debian has these two everywhere.
            groups: "audio:x:29:\ndialout:x:20:\n",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/debian/k1.service");
        if std::env::var_os("K1_BLESS").is_some() {
            std::fs::write(&path, unit.to_string()).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap();
        assert_eq!(file, unit.to_string(), "K1_BLESS=1 writes it anew");
        assert!(!Unit::is_ours(&file), "`k1 service` leaves it alone");
    }
}
