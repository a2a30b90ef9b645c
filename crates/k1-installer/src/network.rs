//! Improv over serial: the lamp's network over the cable.

use alloc::string::String;

use alloc::vec::Vec;

use k1_wire::improv::{Command, Decoder, Error, Said, State};
use serde_json::{Value, json};

/// Longest line of a console that is kept, in bytes.
const LONGEST_LINE: usize = 400;

/// The other side of a cable to a lamp.
#[derive(Default)]
pub struct Network {
    decoder: Decoder,
    /// The begun line of the console.
    line: Vec<u8>,
}

impl Network {
    /// Hears bytes of a lamp; says everything that they complete: packets, and lines of its console.
    pub fn hear(&mut self, bytes: &[u8]) -> Value {
        let mut heard = Vec::new();
        for byte in bytes {
            if let Some(said) = self.decoder.listen(*byte) {
                heard.push(told(said));
            }
            match byte {
                b'\n' => {
                    let text = String::from_utf8_lossy(&self.line);
                    // Lines of a lamp's console begin with their subject in brackets.
                    if text.starts_with('[') {
                        heard.push(json!({ "line": text.trim_end() }));
                    }
                    self.line.clear();
                }
                _ if self.line.len() < LONGEST_LINE => self.line.push(*byte),
                _ => {}
            }
        }
        heard.into()
    }
}

fn told(said: Said) -> Value {
    match said {
        Said::State(state) => json!({ "state": match state {
            State::Ready => "ready",
            State::Provisioning => "joining",
            State::Provisioned => "joined",
        } }),
        Said::Error(error) => json!({ "error": match error {
            Error::None => "",
            Error::Malformed => "the lamp did not understand: the network's name has at most 32 bytes, its password 64",
            Error::UnknownCommand => "the lamp does not know this command: its firmware may be older than this page",
            Error::CannotConnect => "the lamp could not join the network: check name and password, and whether it is a 2.4 GHz network",
        } }),
        Said::Result { command, texts } => json!({ "result": command, "texts": texts.collect::<Vec<_>>() }),
    }
}

/// The packet with the command to join a network; none if name and password do not fit one.
pub fn join(ssid: &str, password: &str) -> Vec<u8> {
    bytes(&Command::Join { ssid, password })
}

/// The packet with the command of this number: 2 asks for the state, 3 for what the lamp is, 4 for networks.
pub fn ask(number: u8) -> Vec<u8> {
    bytes(&Command::Unknown(number))
}

fn bytes(command: &Command) -> Vec<u8> {
    command.packet().map_or_else(Vec::new, |packet| packet.bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use k1_wire::improv::Packet;

    use super::*;

    #[test]
    fn a_console_with_answers_is_told_apart() {
        let mut network = Network::default();
        let mut bytes = b"rubbish\r\n[BOOT] K1 1.2.0 on esp32s3\r\n".to_vec();
        bytes.extend(Packet::state(State::Provisioned).bytes());
        bytes.extend(Packet::result(1, &["http://10.0.0.7"]).bytes());
        bytes.extend(b"[WIFI] joined\r\n");
        let (first, second) = bytes.split_at(60);
        let mut heard = network.hear(first).as_array().unwrap().clone();
        heard.extend(network.hear(second).as_array().unwrap().clone());
        assert_eq!(
            Value::from(heard),
            json!([
                { "line": "[BOOT] K1 1.2.0 on esp32s3" },
                { "state": "joined" },
                { "result": 1, "texts": ["http://10.0.0.7"] },
                { "line": "[WIFI] joined" },
            ])
        );
    }

    #[test]
    fn a_lamp_hears_what_the_page_says() {
        let mut lamp = Decoder::new();
        let mut heard = Vec::new();
        for byte in [join("home", "secret"), ask(2), ask(3), ask(4)].concat() {
            if let Some(command) = lamp.hear(byte).unwrap() {
                heard.push(std::format!("{command:?}"));
            }
        }
        assert_eq!(heard, ["Join { ssid: \"home\", password: \"secret\" }", "State", "Info", "Scan"]);
        assert!(join("home", &"x".repeat(300)).is_empty());
    }
}
