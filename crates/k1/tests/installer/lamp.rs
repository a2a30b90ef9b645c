//! A lamp that answers Improv as `firmware/boards/esp/src/improv.rs` does, in the midst of its console.

use k1_wire::improv::{Command, Decoder, Error, Packet, State};

/// The only password that its networks take.
pub const PASSWORD: &str = "light & sound";
/// Where it is afterwards.
pub const PLACE: &str = "http://192.168.7.9";

/// A lamp that has just started.
#[derive(Default)]
pub struct Lamp {
    decoder: Decoder,
    has_booted: bool,
    /// The network that it has joined.
    pub network: Option<String>,
}

impl Lamp {
    /// What it prints at its start; nothing later.
    pub fn boot(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.has_booted, true) {
            true => Vec::new(),
            false => b"ESP-ROM:esp32s3\r\n[BOOT] K1 1.2.0 on esp32s3, slot app0, reset: pin\r\n".to_vec(),
        }
    }

    /// Its answer to these bytes.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut said = b"[FPS] 180.0 mean of 180.0\r\n".to_vec();
        for byte in bytes {
            let packets = match self.decoder.hear(*byte) {
                Ok(None) => continue,
                Err(error) => vec![Packet::error(error)],
                Ok(Some(command)) => {
                    let number = command.number();
                    match command {
                        Command::State if self.network.is_some() => {
                            vec![Packet::state(State::Provisioned), Packet::result(number, &[PLACE])]
                        }
                        Command::State => vec![Packet::state(State::Ready)],
                        Command::Scan => vec![
                            Packet::network("Küche", -48, true),
                            Packet::network("guests", -71, false),
                            Packet::no_more_networks(),
                        ],
                        Command::Join { ssid, password } => {
                            let mut packets =
                                vec![Packet::error(Error::None), Packet::state(State::Provisioning)];
                            if password == PASSWORD {
                                self.network = Some(ssid.to_owned());
                                packets.extend([
                                    Packet::state(State::Provisioned),
                                    Packet::result(number, &[PLACE]),
                                ]);
                            } else {
                                packets.extend([
                                    Packet::error(Error::CannotConnect),
                                    Packet::state(State::Ready),
                                ]);
                            }
                            packets
                        }
                        Command::Info | Command::Unknown(_) => vec![Packet::error(Error::UnknownCommand)],
                    }
                }
            };
            said.extend(packets.iter().flat_map(|packet| packet.bytes().to_vec()));
        }
        said
    }
}
