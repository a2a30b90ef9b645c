//! A small client of the PulseAudio protocol. Its calls block, but always with a time limit, and continue after a signal.
//!
//! It uses only the codec of the library. The library's own client takes an interrupted poll (a stop and continue, a tracer, a
//! suspend) for the end of the connection.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use pulseaudio::protocol::{
    AuthParams, AuthReply, Command, CommandReply, DESCRIPTOR_SIZE, Prop, Props, ProtocolError, PulseError,
    SetClientNameReply, TagStructReader, read_descriptor, write_command_message,
};

use super::socket::{self, Absent, Socket};
use crate::source::Error;

/// Longest time for an answer of a working server.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Longest time from the search for a server to a running recording, however many messages arrive.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Largest number of messages without an answer before the recording runs; a server sends a few events.
const STRAYS: u32 = 10_000;
/// Protocol version of this client. From version 34 on, servers describe ports with fields that the codec does not know.
const VERSION: u16 = 33;
/// Length of the cookie in bytes. A client without a cookie sends zeros.
const COOKIE: usize = 256;
/// Longest message in bytes.
const LONGEST: usize = 16 << 20;
/// Size of a read in bytes: a second of sound.
const BLOCK: usize = 64 << 10;
/// Channel of commands.
const CONTROL: u32 = u32::MAX;

/// Why a server cannot be used.
#[derive(Debug)]
pub enum Trouble {
    /// The connection was closed or broke.
    Closed,
    /// It accepts the connection but does not answer.
    Silent,
    /// It refused a request.
    Refused(PulseError),
    /// It does not speak the protocol.
    Nonsense(ProtocolError),
    /// There is no server, with the reason.
    Nobody(String),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::NoServer(match trouble {
            Trouble::Silent => return Self::Hangs,
            Trouble::Closed => "it has closed the connection".into(),
            Trouble::Refused(PulseError::AccessDenied | PulseError::AuthKey) => "it denies access".into(),
            Trouble::Refused(e) => e.to_string(),
            Trouble::Nonsense(e) => e.to_string(),
            Trouble::Nobody(why) => why,
        })
    }
}

/// A message from the server.
#[derive(Debug)]
pub enum Message {
    /// Sound of a stream.
    Sound {
        /// The stream's channel.
        channel: u32,
        /// Samples as bytes.
        bytes: Vec<u8>,
    },
    /// An answer to a request, not yet decoded.
    Answer {
        /// Number of the request.
        to: u32,
        /// Its body, or the server's error.
        body: Result<Vec<u8>, PulseError>,
    },
    /// An event of the server.
    Event(Box<Command>),
    /// Any other message, which this client does not need.
    Unknown,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    version: u16,
    last: u32,
    /// Deadline of the handshake.
    deadline: Instant,
    /// Number of messages without an answer during the handshake.
    strays: u32,
    /// Buffer for one read.
    block: Vec<u8>,
    inbox: Vec<u8>,
    /// Number of decoded bytes of the inbox.
    taken: usize,
}

impl Client {
    /// Finds a server and performs the handshake. Looks up the name of another machine for at most `naming`.
    pub fn connect(naming: Duration) -> Result<Self, Trouble> {
        let deadline = Instant::now() + HANDSHAKE;
        let socket = socket::connect(PATIENCE, naming, deadline).map_err(|absent| match absent {
            Absent::Nobody(why) => Trouble::Nobody(why),
            Absent::Busy => Trouble::Silent,
        })?;
        Self::greet(socket, deadline)
    }

    fn greet(socket: Socket, deadline: Instant) -> Result<Self, Trouble> {
        socket.set_write_timeout(PATIENCE).map_err(|_| Trouble::Closed)?;
        let (block, inbox) = (vec![0; BLOCK], Vec::new());
        let mut client =
            Self { socket, version: VERSION, last: 0, deadline, strays: 0, block, inbox, taken: 0 };
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| cookie(&path));
        let mut cookie = cookie.unwrap_or_default();
        cookie.resize(COOKIE, 0);
        let hello = AuthParams { version: VERSION, supports_shm: false, supports_memfd: false, cookie };
        let welcome: AuthReply = client.ask(&Command::Auth(hello))?;
        if welcome.version < pulseaudio::protocol::MIN_VERSION {
            return Err(Trouble::Nonsense(ProtocolError::UnsupportedVersion(welcome.version)));
        }
        client.version = VERSION.min(welcome.version);
        let mut name = Props::new();
        name.set(Prop::ApplicationName, c"k1");
        let _: SetClientNameReply = client.ask(&Command::SetClientName(name))?;
        Ok(client)
    }

    /// Sends a request and returns its number.
    pub fn send(&mut self, command: &Command) -> Result<u32, Trouble> {
        self.last = self.last.wrapping_add(1);
        let mut message = Vec::new();
        write_command_message(&mut message, self.last, command, self.version).map_err(Trouble::Nonsense)?;
        self.socket.write_all(&message).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble::Silent,
            _ => Trouble::Closed,
        })?;
        Ok(self.last)
    }

    /// Sends a request of the handshake and waits for its answer. Ignores other messages, because no recording runs yet.
    pub fn ask<T: CommandReply>(&mut self, command: &Command) -> Result<T, Trouble> {
        let body = self.answer_to(command)?;
        self.read(&body)
    }

    /// Sends a request whose answer is empty, and waits for it.
    pub fn tell(&mut self, command: &Command) -> Result<(), Trouble> {
        self.answer_to(command).map(drop)
    }

    fn answer_to(&mut self, command: &Command) -> Result<Vec<u8>, Trouble> {
        let number = self.send(command)?;
        let until = self.deadline.min(Instant::now() + PATIENCE);
        loop {
            match self.next(until)? {
                None => return Err(Trouble::Silent),
                Some(Message::Answer { to, body }) if to == number => return body.map_err(Trouble::Refused),
                Some(_) => self.strays += 1,
            }
            if self.strays > STRAYS {
                let what = "it talks without end and answers nothing".to_owned();
                return Err(Trouble::Nonsense(ProtocolError::Invalid(what)));
            }
            // A server that sends other messages gets no more time than a silent one.
            if Instant::now() > until {
                return Err(Trouble::Silent);
            }
        }
    }

    /// Decodes an answer.
    pub fn read<T: CommandReply>(&self, body: &[u8]) -> Result<T, Trouble> {
        let mut body = body;
        TagStructReader::new(&mut body, self.version).read().map_err(Trouble::Nonsense)
    }

    /// The next message; waits for it until `until`.
    pub fn next(&mut self, until: Instant) -> Result<Option<Message>, Trouble> {
        loop {
            if let Some(message) = self.ready()? {
                return Ok(Some(message));
            }
            // A message may arrive in small pieces for ever.
            if !self.fill(until)? || (Instant::now() > until && !self.is_ready()) {
                return Ok(None);
            }
        }
    }

    fn is_ready(&self) -> bool {
        let have = &self.inbox[self.taken..];
        let length = have.first_chunk().map(|b| u32::from_be_bytes(*b) as usize);
        length.is_some_and(|l| l > LONGEST || have.len() >= DESCRIPTOR_SIZE + l)
    }

    /// The next message that has already arrived.
    pub fn ready(&mut self) -> Result<Option<Message>, Trouble> {
        let have = &self.inbox[self.taken..];
        if have.len() < DESCRIPTOR_SIZE {
            return Ok(None);
        }
        let head = read_descriptor(&mut &have[..DESCRIPTOR_SIZE]).map_err(Trouble::Nonsense)?;
        let length = head.length as usize;
        if length > LONGEST {
            let what = format!("a message of {length} bytes");
            return Err(Trouble::Nonsense(ProtocolError::Invalid(what)));
        }
        let Some(body) = have[DESCRIPTOR_SIZE..].get(..length) else { return Ok(None) };
        let message = if head.channel == CONTROL {
            command(body, self.version)
        } else {
            Message::Sound { channel: head.channel, bytes: body.to_vec() }
        };
        self.taken += DESCRIPTOR_SIZE + length;
        Ok(Some(message))
    }

    /// Reads once; `false` if nothing arrived in time.
    fn fill(&mut self, until: Instant) -> Result<bool, Trouble> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        match self.socket.read_until(&mut self.block, until) {
            Ok(0) => Err(Trouble::Closed),
            Ok(n) => {
                self.inbox.extend_from_slice(&self.block[..n]);
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(_) => Err(Trouble::Closed),
        }
    }
}

/// The content of a cookie file. Only regular files are read, because a pipe may block and a device has no end.
fn cookie(path: &Path) -> Option<Vec<u8>> {
    let file = k1_host::private::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(COOKIE as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn command(body: &[u8], version: u16) -> Message {
    let mut rest = body;
    match Command::read_tag_prefixed(&mut rest, version) {
        Ok((to, Command::Reply)) => Message::Answer { to, body: Ok(rest.to_vec()) },
        Ok((to, Command::Error(e))) => Message::Answer { to, body: Err(e) },
        Ok((_, event)) => Message::Event(event.into()),
        // Newer servers send unknown messages. Of those, only a refusal can be the awaited answer.
        Err(_) => match body {
            [b'L', 0, 0, 0, 0, b'L', a, b, c, d, ..] => {
                let to = u32::from_be_bytes([*a, *b, *c, *d]);
                Message::Answer { to, body: Err(PulseError::Unknown) }
            }
            _ => Message::Unknown,
        },
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use pulseaudio::protocol::{ServerInfo, SourceInfoList, read_command_message, write_reply_message};
    use std::io::{BufReader, Write};
    use std::os::unix::net::UnixStream;

    /// A client that was welcomed, and the server's end of its connection.
    pub fn welcomed() -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || {
            let mut reader = BufReader::new(theirs.try_clone().unwrap());
            let (seq, hello) = read_command_message(&mut reader, VERSION).unwrap();
            assert!(matches!(hello, Command::Auth(a) if a.cookie.len() == COOKIE && !a.supports_shm));
            let welcome = AuthReply { version: 35, use_memfd: false, use_shm: false };
            write_reply_message(&mut &theirs, seq, &welcome, VERSION).unwrap();
            let (seq, _) = read_command_message(&mut reader, VERSION).unwrap();
            write_reply_message(&mut &theirs, seq, &SetClientNameReply { client_id: 1 }, VERSION).unwrap();
            theirs
        });
        let client = Client::greet(Socket::Unix(ours), Instant::now() + HANDSHAKE).unwrap();
        (client, server.join().unwrap())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let (mut client, mut server) = welcomed();
        let number = client.send(&Command::GetServerInfo).unwrap();
        let mut bytes = Vec::new();
        pulseaudio::protocol::write_memblock(&mut bytes, 7, &[1, 2, 3, 4], 0).unwrap();
        // A message of a kind that this client does not know.
        bytes.extend([0, 0, 0, 10, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([b'L', 0, 0, 0, 200, b'L', 255, 255, 255, 255]);
        let info = ServerInfo { default_sink_name: Some(c"one".into()), ..Default::default() };
        write_reply_message(&mut bytes, number, &info, VERSION).unwrap();
        // A refusal with a code that nobody knows.
        bytes.extend([0, 0, 0, 15, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([b'L', 0, 0, 0, 0, b'L', 0, 0, 0, 9, b'L', 0, 0, 1, 0]);
        let mut heard = Vec::new();
        for piece in bytes.chunks(3) {
            server.write_all(piece).unwrap();
            heard.extend(client.next(Instant::now()).unwrap());
        }
        while let Some(message) = client.next(soon()).unwrap() {
            heard.push(message);
        }
        let [Message::Sound { channel: 7, bytes }, Message::Unknown, Message::Answer { to, body }, refused] =
            &heard[..]
        else {
            panic!("{heard:?}")
        };
        assert!(bytes == &[1, 2, 3, 4] && *to == number);
        let read: ServerInfo = client.read(body.as_ref().unwrap()).unwrap();
        assert_eq!(read.default_sink_name.as_deref(), Some(c"one"));
        assert!(matches!(refused, Message::Answer { to: 9, body: Err(PulseError::Unknown) }), "{refused:?}");
        drop(server);
        assert!(matches!(client.next(soon()), Err(Trouble::Closed)));
    }

    #[test]
    fn whatever_a_server_sends_is_an_answer_or_a_trouble_and_takes_no_longer() {
        let mut seed = 1_u64;
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        for round in 0..300 {
            let (mut client, mut server) = welcomed();
            let mut body: Vec<u8> = (0..round).map(|_| byte()).collect();
            // A head that is true, so that the body is looked at; every third is garbage, too.
            if round % 3 > 0 {
                let tags = b"LtaxmvPfBN10";
                body.iter_mut().step_by(5).for_each(|b| *b = tags[usize::from(*b) % tags.len()]);
                let mut whole = (body.len() as u32).to_be_bytes().to_vec();
                whole.extend([255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                whole.extend(&body);
                body = whole;
            }
            server.write_all(&body).unwrap();
            drop(server);
            let began = Instant::now();
            for _ in 0..400 {
                match client.next(soon()) {
                    Ok(Some(Message::Answer { body: Ok(body), .. })) => {
                        let _ = client.read::<ServerInfo>(&body);
                        let _ = client.read::<SourceInfoList>(&body);
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            assert!(began.elapsed() < Duration::from_secs(10), "round {round}");
        }
    }

    #[test]
    fn a_server_that_is_silent_is_not_waited_for_without_an_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let began = Instant::now();
        assert!(matches!(Client::greet(Socket::Unix(ours), began + HANDSHAKE), Err(Trouble::Silent)));
        assert!((PATIENCE..5 * PATIENCE).contains(&began.elapsed()));
    }

    /// Packets of a kind that nobody knows, without a body: channel of commands, or of sound.
    fn packets(channel: u32, body: &[u8]) -> Vec<u8> {
        let mut one = (body.len() as u32).to_be_bytes().to_vec();
        one.extend(channel.to_be_bytes());
        one.extend([0; 12]);
        one.extend(body);
        one.repeat(50)
    }

    #[test]
    fn a_server_that_talks_without_an_end_is_not_listened_to_without_an_end() {
        let mut endless = (LONGEST as u32).to_be_bytes().to_vec();
        endless.extend([255, 255, 255, 255]);
        let kinds = [
            (vec![0; 4096], vec![0; 4096]),
            (Vec::new(), packets(CONTROL, &[])),
            (Vec::new(), packets(CONTROL, &[b'L', 0, 0, 0, 200, b'L', 255, 255, 255, 255])),
            (Vec::new(), packets(5, &[7; 16])),
            // One message that never is complete.
            (endless, vec![0; 7]),
        ];
        for (n, (first, then)) in kinds.into_iter().enumerate() {
            for pause in [Duration::ZERO, Duration::from_millis(20)] {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let (first, then) = (first.clone(), then.clone());
                let talks = std::thread::spawn(move || {
                    let mut sent = theirs.write_all(&first);
                    while sent.is_ok() {
                        std::thread::sleep(pause);
                        sent = theirs.write_all(&then);
                    }
                });
                let began = Instant::now();
                let greeted = Client::greet(Socket::Unix(ours), began + Duration::from_millis(700));
                assert!(matches!(greeted, Err(Trouble::Silent | Trouble::Nonsense(_))), "{n}: {greeted:?}");
                assert!(began.elapsed() < Duration::from_secs(5), "{n}: {:?}", began.elapsed());
                talks.join().unwrap();
            }
        }
    }

    #[test]
    fn a_cookie_is_read_from_a_file_and_from_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("cookie");
        for (length, read) in [(0, 0), (3, 3), (256, 256), (100_000, 256)] {
            std::fs::write(&place, vec![7; length]).unwrap();
            assert_eq!(cookie(&place), Some(vec![7; read]));
        }
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for other in [pipe.as_path(), dir.path(), Path::new("/dev/zero"), &dir.path().join("none")] {
            assert_eq!(cookie(other), None, "{}", other.display());
        }
    }
}
