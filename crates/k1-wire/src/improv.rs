//! Improv over serial, version 1: how a browser or an app next to a lamp provisions its Wi-Fi.
//!
//! A packet is `IMPROV`, version, kind, length, data, a checksum and a line feed, mixed into the other output of a
//! console. [`Decoder`] finds packets in a stream, byte by byte; [`Packet`] encodes them.

/// Largest data of a packet in bytes.
const MOST_DATA: usize = 255;
const HEAD: &[u8; 7] = b"IMPROV\x01";
/// Header, kind, length, data, checksum and line feed.
const MOST: usize = HEAD.len() + 2 + MOST_DATA + 2;

/// Packet kinds.
mod kind {
    pub const STATE: u8 = 1;
    pub const ERROR: u8 = 2;
    pub const COMMAND: u8 = 3;
    pub const RESULT: u8 = 4;
}

/// State of the provisioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Ready to receive credentials.
    Ready = 2,
    /// Connecting to the network.
    Provisioning = 3,
    /// Connected to the network.
    Provisioned = 4,
}

/// Error of the last command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No error.
    None = 0,
    /// Malformed packet or command.
    Malformed = 1,
    /// Unknown command.
    UnknownCommand = 2,
    /// The network could not be joined.
    CannotConnect = 3,
}

/// A command to the lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Join this network.
    Join {
        /// Name of the network.
        ssid: &'a str,
        /// Password; empty for an open network.
        password: &'a str,
    },
    /// Report the state.
    State,
    /// Report the device information.
    Info,
    /// Report the visible networks.
    Scan,
    /// An unknown command.
    Unknown(u8),
}

impl Command<'_> {
    /// The number of the command, which its result repeats.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Join { .. } => 1,
            Self::State => 2,
            Self::Info => 3,
            Self::Scan => 4,
            Self::Unknown(number) => *number,
        }
    }

    /// The packet that sends the command. `None` if the network's name and password do not fit one.
    pub fn packet(&self) -> Option<Packet> {
        let texts: &[&str] = match self {
            Self::Join { ssid, password } => &[ssid, password],
            _ => &[],
        };
        let length: usize = texts.iter().map(|text| 1 + text.len()).sum();
        (length <= MOST_DATA - 2).then(|| {
            let texts = texts.iter().flat_map(|text| core::iter::once(text.len() as u8).chain(text.bytes()));
            Packet::new(kind::COMMAND, [self.number(), length as u8].into_iter().chain(texts))
        })
    }
}

/// What a lamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Its state.
    State(State),
    /// The error of the last command.
    Error(Error),
    /// The result of a command.
    Result {
        /// Number of the command.
        command: u8,
        /// What it found: addresses, facts, or a network.
        texts: Texts<'a>,
    },
}

impl<'a> Said<'a> {
    fn parse(kind: u8, data: &'a [u8]) -> Option<Self> {
        let first = *data.first()?;
        match kind {
            kind::STATE => [State::Ready, State::Provisioning, State::Provisioned]
                .into_iter()
                .find(|state| *state as u8 == first)
                .map(Self::State),
            kind::ERROR => Some(Self::Error(
                [Error::None, Error::Malformed, Error::UnknownCommand]
                    .into_iter()
                    .find(|error| *error as u8 == first)
                    .unwrap_or(Error::CannotConnect),
            )),
            kind::RESULT => {
                let texts = data.get(2..)?;
                (usize::from(data[1]) == texts.len())
                    .then_some(Self::Result { command: first, texts: Texts(texts) })
            }
            _ => None,
        }
    }
}

/// The texts of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts<'a>(&'a [u8]);

/// Ends at a text that is cut off or not UTF-8.
impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        string(&mut self.0).ok()
    }
}

/// Takes a length-prefixed string.
fn string<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Error> {
    let (length, rest) = bytes.split_first().ok_or(Error::Malformed)?;
    let (text, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Error::Malformed)?;
    *bytes = rest;
    core::str::from_utf8(text).map_err(|_| Error::Malformed)
}

impl<'a> Command<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let (number, rest) = data.split_first().ok_or(Error::Malformed)?;
        // The length may be missing if there is no data.
        let (length, mut rest) = rest.split_first().unwrap_or((&0, &[]));
        if usize::from(*length) != rest.len() {
            return Err(Error::Malformed);
        }
        match number {
            1 => {
                let (ssid, password) = (string(&mut rest)?, string(&mut rest)?);
                if ssid.is_empty() || !rest.is_empty() {
                    return Err(Error::Malformed);
                }
                Ok(Self::Join { ssid, password })
            }
            2 => Ok(Self::State),
            3 => Ok(Self::Info),
            4 => Ok(Self::Scan),
            _ => Ok(Self::Unknown(*number)),
        }
    }
}

/// Finds packets in a stream of bytes: a lamp [`hear`](Self::hear)s commands, and the other side [`listen`](Self::listen)s
/// to lamps.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes: [u8; MOST],
    filled: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub const fn new() -> Self {
        Self { bytes: [0; MOST], filled: 0 }
    }

    /// Takes one byte. Returns the command that it completes, if any.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], to be sent back, if the completed packet is malformed.
    pub fn hear(&mut self, byte: u8) -> Result<Option<Command<'_>>, Error> {
        match self.take(byte)? {
            Some((kind::COMMAND, data)) => Command::parse(data).map(Some),
            // Packets that lamps send.
            _ => Ok(None),
        }
    }

    /// Takes one byte of a lamp. Returns what it completes, if anything; damaged packets are left out.
    pub fn listen(&mut self, byte: u8) -> Option<Said<'_>> {
        let (kind, data) = self.take(byte).ok().flatten()?;
        Said::parse(kind, data)
    }

    /// Takes one byte. Returns kind and data of the packet that it completes, if any.
    fn take(&mut self, byte: u8) -> Result<Option<(u8, &[u8])>, Error> {
        const LENGTH: usize = HEAD.len() + 1;
        const DATA: usize = LENGTH + 1;
        if let Some(expected) = HEAD.get(self.filled)
            && byte != *expected
        {
            // No letter of the header occurs twice, so only its first can start another packet.
            self.filled = 0;
            if byte != HEAD[0] {
                return Ok(None);
            }
        }
        self.bytes[self.filled] = byte;
        self.filled += 1;
        let end = DATA + usize::from(self.bytes[LENGTH]);
        if self.filled <= LENGTH || self.filled <= end {
            return Ok(None);
        }
        self.filled = 0;
        if sum(&self.bytes[..end]) != byte {
            return Err(Error::Malformed);
        }
        Ok(Some((self.bytes[HEAD.len()], &self.bytes[DATA..end])))
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// An encoded packet.
#[derive(Clone, Debug)]
pub struct Packet {
    bytes: [u8; MOST],
    length: usize,
}

impl Packet {
    fn new(kind: u8, data: impl Iterator<Item = u8>) -> Self {
        let mut packet = Self { bytes: [0; MOST], length: HEAD.len() + 2 };
        packet.bytes[..HEAD.len()].copy_from_slice(HEAD);
        packet.bytes[HEAD.len()] = kind;
        for byte in data.take(MOST_DATA) {
            packet.bytes[packet.length] = byte;
            packet.length += 1;
        }
        packet.bytes[HEAD.len() + 1] = (packet.length - HEAD.len() - 2) as u8;
        packet.bytes[packet.length] = sum(&packet.bytes[..packet.length]);
        packet.bytes[packet.length + 1] = b'\n';
        packet.length += 2;
        packet
    }

    /// Reports the state.
    pub fn state(state: State) -> Self {
        Self::new(kind::STATE, core::iter::once(state as u8))
    }

    /// Reports an error.
    pub fn error(error: Error) -> Self {
        Self::new(kind::ERROR, core::iter::once(error as u8))
    }

    /// The result of a command: the strings, as long as they fit completely.
    pub fn result(command: u8, strings: &[&str]) -> Self {
        let mut length = 0;
        let fits = strings.iter().take_while(|text| {
            length += 1 + text.len();
            length <= MOST_DATA - 2
        });
        let kept = &strings[..fits.count()];
        let length = kept.iter().map(|text| 1 + text.len()).sum::<usize>() as u8;
        let texts = kept.iter().flat_map(|text| core::iter::once(text.len() as u8).chain(text.bytes()));
        Self::new(kind::RESULT, [command, length].into_iter().chain(texts))
    }

    /// A visible network: its name, signal strength in dBm, and whether it needs a password. One packet per network.
    pub fn network(ssid: &str, rssi_dbm: i8, locked: bool) -> Self {
        // A sign and at most three digits.
        let mut strength = [0; 4];
        let mut at = strength.len();
        let mut rest = rssi_dbm.unsigned_abs();
        loop {
            at -= 1;
            strength[at] = b'0' + rest % 10;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if rssi_dbm < 0 {
            at -= 1;
            strength[at] = b'-';
        }
        let strength = core::str::from_utf8(&strength[at..]).unwrap_or_default();
        Self::result(Command::Scan.number(), &[ssid, strength, if locked { "YES" } else { "NO" }])
    }

    /// The end of the list of networks.
    pub fn no_more_networks() -> Self {
        Self::result(Command::Scan.number(), &[])
    }

    /// The encoded packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// What the decoder found, as text.
    fn heard(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        for byte in bytes {
            match decoder.hear(*byte) {
                Ok(None) => {}
                Ok(Some(Command::Join { ssid, password })) => {
                    all.push(std::format!("join {ssid} with {password}"))
                }
                Ok(Some(command)) => all.push(std::format!("{command:?}")),
                Err(error) => all.push(std::format!("{error:?}")),
            }
        }
        all
    }

    fn command(data: &[u8]) -> Vec<u8> {
        Packet::new(kind::COMMAND, data.iter().copied()).bytes().to_vec()
    }

    #[test]
    fn a_packet_equals_the_golden_bytes() {
        let packet = Packet::new(kind::COMMAND, core::iter::once(1));
        assert_eq!(packet.bytes(), b"IMPROV\x01\x03\x01\x01\xe3\n");
        assert_eq!(Packet::state(State::Ready).bytes(), b"IMPROV\x01\x01\x01\x02\xe2\n");
        assert_eq!(Packet::result(3, &["K1", "x"]).bytes()[7..15], *b"\x04\x07\x03\x05\x02K1\x01");
    }

    #[test]
    fn a_command_is_found_in_the_midst_of_a_console() {
        let mut decoder = Decoder::new();
        let mut stream = b"[FPS] 181.8\r\nIMPIMPROV".to_vec();
        stream.extend(command(b"\x01\x08\x04home\x02pw"));
        stream.extend(command(b"\x02\x00"));
        stream.extend(command(b"\x03"));
        stream.extend(command(b"\x04\x00"));
        stream.extend(command(b"\x09\x00"));
        assert_eq!(
            heard(&mut decoder, &stream),
            ["join home with pw", "State", "Info", "Scan", "Unknown(9)"]
        );
    }

    #[test]
    fn networks_are_listed_one_by_one() {
        let seen = |rssi, locked| Packet::network("home", rssi, locked).bytes()[9..].to_vec();
        assert_eq!(seen(-61, true)[..15], *b"\x04\x0d\x04home\x03-61\x03YES");
        assert_eq!(seen(-128, false)[..15], *b"\x04\x0d\x04home\x04-128\x02NO");
        assert_eq!(seen(0, false)[..12], *b"\x04\x0a\x04home\x010\x02NO");
        assert_eq!(Packet::no_more_networks().bytes()[7..11], *b"\x04\x02\x04\x00");
    }

    #[test]
    fn malformed_packets_are_reported_and_forgotten() {
        let mut decoder = Decoder::new();
        let mut wrong_sum = command(b"\x02\x00");
        let at = wrong_sum.len() - 2;
        wrong_sum[at] ^= 1;
        assert_eq!(heard(&mut decoder, &wrong_sum), ["Malformed"]);
        for data in [
            &b""[..],
            b"\x01\x00",
            b"\x01\x05\x04ho",
            b"\x01\x02\x00\x00",
            b"\x01\x04\x02\xff\xfe\x00",
            b"\x02\x01",
        ] {
            assert_eq!(heard(&mut decoder, &command(data)), ["Malformed"], "{data:?}");
        }
        assert!(heard(&mut decoder, Packet::state(State::Ready).bytes()).is_empty(), "what others say");
        assert_eq!(heard(&mut decoder, &command(b"\x02")), ["State"]);
    }

    #[test]
    fn what_a_lamp_says_is_found_in_its_console() {
        let mut stream = b"[BOOT] K1 IMPROV".to_vec();
        stream.extend(Packet::state(State::Provisioning).bytes());
        stream.extend(Packet::error(Error::CannotConnect).bytes());
        stream.extend(b"[FPS] 180.0\r\n");
        stream.extend(Packet::network("home", -61, true).bytes());
        stream.extend(Packet::no_more_networks().bytes());
        stream.extend(command(b"\x02"));
        let mut decoder = Decoder::new();
        let mut heard = Vec::new();
        for byte in stream {
            heard.extend(decoder.listen(byte).map(|said| match said {
                Said::Result { command, texts } => {
                    std::format!("{command}: {}", texts.collect::<Vec<_>>().join(", "))
                }
                other => std::format!("{other:?}"),
            }));
        }
        assert_eq!(heard, ["State(Provisioning)", "Error(CannotConnect)", "4: home, -61, YES", "4: "]);
        assert!(Command::Join { ssid: "home", password: &"x".repeat(250) }.packet().is_none());
    }

    #[test]
    fn a_result_too_long_keeps_whole_strings() {
        let long = "x".repeat(200);
        let packet = Packet::result(3, &[&long, &long]);
        assert_eq!(packet.bytes().len(), HEAD.len() + 2 + 2 + 201 + 2);
        assert_eq!(packet.bytes()[10], 201);
    }

    proptest! {
        #[test]
        fn any_bytes_are_heard(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            heard(&mut Decoder::new(), &bytes);
            let mut decoder = Decoder::new();
            for byte in bytes {
                if let Some(Said::Result { texts, .. }) = decoder.listen(byte) {
                    texts.for_each(drop);
                }
            }
        }

        #[test]
        fn any_network_comes_through(
            noise in prop::collection::vec(any::<u8>().prop_filter("no head", |b| *b != b'I'), 0..40),
            ssid in "[ -~]{1,32}",
            password in "[ -~]{0,64}",
        ) {
            let mut stream = noise;
            stream.extend(Command::Join { ssid: &ssid, password: &password }.packet().unwrap().bytes());
            prop_assert_eq!(heard(&mut Decoder::new(), &stream), [std::format!("join {ssid} with {password}").to_string()]);
        }
    }
}
