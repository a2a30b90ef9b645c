//! Control of the emulator: its debugger makes a core hang, and its monitor pulls the cable.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// An address after the lamp's memory and before its loader's.
const NOWHERE: u32 = 0x80f0_1000;
/// The RISC-V instruction that jumps to itself.
const CIRCLE: &str = "6f000000";
/// The debugger's register number of the program counter.
const PROGRAM_COUNTER: u32 = 0x20;

/// Time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn knock(path: &Path) -> UnixStream {
    let door = UnixStream::connect(path).expect("the emulator listens");
    door.set_read_timeout(Some(PATIENCE)).unwrap();
    door
}

/// A socket's name in the emulator's arguments.
pub fn socket(path: &Path) -> String {
    format!("unix:{},server=on,wait=off", path.display())
}

/// The debugger (GDB's remote protocol). The machine is stopped while it is attached.
pub struct Debugger(UnixStream);

impl Debugger {
    /// Attaches to the machine.
    pub fn attach(path: &Path) -> Self {
        let mut debugger = Self(knock(path));
        // QEMU 7 reports by itself that the machine has stopped, QEMU 10 only if asked.
        debugger.0.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        if debugger.0.read(&mut [0; 256]).is_ok() {
            debugger.0.write_all(b"+").unwrap();
        }
        debugger.0.set_read_timeout(Some(PATIENCE)).unwrap();
        // Single registers are available only after this request.
        debugger.ask("qXfer:features:read:target.xml:0,ffb");
        debugger
    }

    fn ask(&mut self, command: &str) -> String {
        let sum = command.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.0, "${command}#{sum:02x}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while self.0.read_exact(&mut byte).is_ok() {
            match byte[0] {
                b'+' | b'$' if answer.is_empty() => {}
                b'#' => {
                    self.0.read_exact(&mut [0; 2]).unwrap();
                    self.0.write_all(b"+").unwrap();
                    return String::from_utf8(answer).unwrap();
                }
                other => answer.push(other),
            }
        }
        panic!("the debugger does not answer")
    }

    #[track_caller]
    fn order(&mut self, command: &str) {
        assert_eq!(self.ask(command), "OK", "{command}");
    }

    /// Makes a hart loop for ever, and continues the machine.
    pub fn hang(mut self, hart: u32) {
        self.order(&format!("Hg{}", hart + 1));
        self.order(&format!("M{NOWHERE:x},4:{CIRCLE}"));
        self.order(&format!("P{PROGRAM_COUNTER:x}={:08x}", NOWHERE.swap_bytes()));
        self.order("D");
    }
}

/// The monitor (QMP).
pub struct Monitor(BufReader<UnixStream>);

impl Monitor {
    /// Connects to the monitor.
    pub fn open(path: &Path) -> Self {
        let mut monitor = Self(BufReader::new(knock(path)));
        monitor.order(&json!({"execute": "qmp_capabilities"}));
        monitor
    }

    /// Plugs the cable in or pulls it.
    pub fn set_link(&mut self, up: bool) {
        self.order(&json!({"execute": "set_link", "arguments": {"name": "n0", "up": up}}));
    }

    /// Resets the machine, like its reset button.
    pub fn reset(&mut self) {
        self.order(&json!({"execute": "system_reset"}));
    }

    #[track_caller]
    fn order(&mut self, command: &Value) {
        writeln!(self.0.get_mut(), "{command}").unwrap();
        let mut line = String::new();
        while self.0.read_line(&mut line).unwrap() > 0 {
            assert!(!line.contains("\"error\""), "{line}");
            if line.contains("\"return\"") {
                return;
            }
            line.clear();
        }
        panic!("the monitor does not answer {command}")
    }
}
