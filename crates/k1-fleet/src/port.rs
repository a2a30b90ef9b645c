//! Serial ports of this machine, and what a user can do if one cannot be opened.

use std::path::Path;
use std::time::Duration;

use serialport::{SerialPortType, UsbPortInfo};

/// A port as the system has it.
#[cfg(unix)]
pub type Port = serialport::TTYPort;
/// A port as the system has it.
#[cfg(windows)]
pub type Port = serialport::COMPort;

/// Opens a port. Reads and writes wait no longer than `timeout`.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn open(port: &str, baud: u32, timeout: Duration) -> Result<Port, String> {
    use serialport::ErrorKind;
    use std::io::ErrorKind as Io;
    serialport::new(port, baud).timeout(timeout).open_native().map_err(|e| match e.kind() {
        ErrorKind::NoDevice => {
            format!("{port} is in use: end the other program, perhaps `k1 monitor --serial`, and start again")
        }
        ErrorKind::Io(Io::PermissionDenied) => may_not(port),
        ErrorKind::Io(Io::NotFound) => {
            format!("there is no port {port}: is the cable in, and does it carry data?{}", ports())
        }
        _ => format!("{port} cannot be opened: {e}; is it a serial port?"),
    })
}

/// What a user without access to a port can do.
fn may_not(port: &str) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let group = std::fs::metadata(port).map(|m| m.gid()).ok().and_then(|id| {
            let groups = std::fs::read_to_string("/etc/group").ok()?;
            group_name(&groups, id).map(str::to_owned)
        });
        if let Some(group) = group.filter(|g| g != "root") {
            return format!(
                "you may not use {port}, which is for the group “{group}”: run `sudo usermod -aG {group} $USER` and log \
                 in again"
            );
        }
    }
    format!("you may not use {port}: ask the administrator of this machine for permission")
}

/// The name of a group in the text of `/etc/group`.
#[cfg(unix)]
fn group_name(groups: &str, id: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(id)).then_some(name)
    })
}

/// All ports of this machine with a USB device.
pub fn usb_ports() -> Vec<(String, UsbPortInfo)> {
    // The library assumes that Linux lists its ports.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    let all = serialport::available_ports().unwrap_or_default();
    all.into_iter()
        .filter_map(|p| match p.port_type {
            SerialPortType::UsbPort(info) => Some((p.port_name, info)),
            _ => None,
        })
        .collect()
}

/// The ports that may have been meant, as the end of a sentence.
fn ports() -> String {
    let names: Vec<_> = usb_ports().into_iter().map(|(name, _)| name).collect();
    if names.is_empty() { String::new() } else { format!(" There are {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_group_is_found_by_its_number() {
        let groups = "root:x:0:\ndialout:x:20:ada,grace\nplugdev:x:46:\n";
        assert_eq!(group_name(groups, 20), Some("dialout"));
        assert_eq!(group_name(groups, 2), None);
    }

    #[test]
    fn a_port_that_is_none_is_answered_with_what_to_do() {
        assert!(
            open("/dev/no-such-port", 115_200, Duration::ZERO).err().unwrap().contains("is the cable in")
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = open(&file.path().to_string_lossy(), 115_200, Duration::ZERO).err().unwrap();
        assert!(said.contains("is it a serial port?"), "{said}");
    }
}
