//! Internet radio: sound that comes over HTTP and is decoded while it arrives. A thread keeps the connection and makes
//! a new one whenever it is lost; the reader gets sound or silence, but never an error.

mod http;
mod icy;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use k1_engine::HOP;

use super::file::FileSource;
use super::presence::Presence;
use super::{Error, Source};
pub use http::is_address;
use store::Store;

/// Pause before the first retry; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Duration of a good connection, after which the pause is short again.
const GOOD: Duration = Duration::from_secs(10);
/// Time that the start waits for the first answer, so that the first message is true.
const FIRST_ANSWER: Duration = Duration::from_millis(2_500);

/// A stream that reconnects by itself.
pub struct StreamSource {
    store: Arc<Store>,
    presence: Presence,
}

impl StreamSource {
    /// Starts to listen, and waits a moment for the first result.
    ///
    /// # Errors
    ///
    /// If the address cannot be one of a stream, or the system refuses a thread.
    pub fn start(address: &str) -> Result<Self, Error> {
        Self::with_patience(address, http::PATIENCE)
    }

    fn with_patience(address: &str, patience: Duration) -> Result<Self, Error> {
        http::check(address).map_err(|why| Error::Stream(address.to_owned(), why.to_string()))?;
        let store = Arc::new(Store::new());
        let presence = Presence::waiting_for(None, address, "it has not answered yet");
        let (said, answered) = sync_channel(1);
        let keeper = Keeper {
            address: address.to_owned(),
            patience,
            store: store.clone(),
            presence: presence.clone(),
            said: Some(said),
            has_complained: false,
        };
        std::thread::Builder::new().name("k1-stream".into()).spawn(move || keeper.run()).map_err(|e| {
            Error::Stream(address.to_owned(), format!("the system cannot start a thread: {e}"))
        })?;
        // A later answer is reported when it arrives.
        let _ = answered.recv_timeout(FIRST_ANSWER);
        Ok(Self { store, presence })
    }
}

impl Source for StreamSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        Ok(self.store.read(out))
    }

    fn title(&self) -> String {
        self.presence.title()
    }

    fn is_away(&self) -> bool {
        self.store.is_silent()
    }

    fn presence(&self) -> Option<Presence> {
        Some(self.presence.clone())
    }
}

impl Drop for StreamSource {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// The thread that keeps the connection.
struct Keeper {
    address: String,
    /// Time without data after which the connection counts as lost.
    patience: Duration,
    store: Arc<Store>,
    presence: Presence,
    said: Option<SyncSender<()>>,
    /// True from a complaint on until sound comes again.
    has_complained: bool,
}

impl Keeper {
    fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut began = None;
            let why = match self.listen(&mut began) {
                Ok(()) => return,
                Err(why) => why,
            };
            if began.is_some_and(|at: Instant| at.elapsed() > GOOD) {
                pause = FIRST_PAUSE;
            }
            self.store.end();
            self.waits(why);
            if self.store.sleep(pause) {
                return;
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Listens until the reader is gone. An error says why there is no sound. `began` is when sound began to come.
    fn listen(&mut self, began: &mut Option<Instant>) -> Result<(), String> {
        let answer = http::open(&self.address, self.patience).map_err(|why| why.to_string())?;
        let name = answer.name.unwrap_or_else(|| self.address.clone());
        let (presence, station) = (self.presence.clone(), name.clone());
        let told = move |title: &str| presence.listens(&format!("{station}: {title}"));
        let body = icy::Sound::new(answer.body, answer.every, told);
        // Errors name no file: the reason alone is the sentence.
        let reason = |e: Error| match e {
            Error::ReadFile(_, e) => http::silence(&e),
            Error::NotAudio(_, why) => format!("it is not audio that K1 can read ({why})"),
            Error::Foreign(_, what) => format!("it is {what}, which K1 cannot decode"),
            other => other.to_string(),
        };
        let mut source = FileSource::of_stream(Path::new(&name), Box::new(body)).map_err(reason)?;
        let mut block = [0.0; HOP];
        loop {
            let n = source.read(&mut block).map_err(reason)?;
            if n == 0 {
                return Err("the server has closed the connection".into());
            }
            if began.is_none() {
                *began = Some(Instant::now());
                self.listens(&name);
            }
            self.store.push(&block[..n]);
            if self.store.sleep(Duration::ZERO) {
                return Ok(());
            }
        }
    }

    fn listens(&mut self, name: &str) {
        // The first title may have come before the first sound.
        let is_named = self.presence.reason().is_none();
        if !is_named {
            self.presence.listens(name);
        }
        if std::mem::take(&mut self.has_complained) {
            k1_host::say(format_args!("k1: listening again: {name}"));
        }
        self.answered();
    }

    fn waits(&mut self, why: String) {
        if !std::mem::replace(&mut self.has_complained, true) {
            k1_host::say(format_args!("k1: {}: {why}; the light goes on, and K1 tries again", self.address));
        }
        self.presence.waits(why);
        self.answered();
    }

    fn answered(&mut self) {
        if let Some(said) = self.said.take() {
            // The reader may be gone.
            let _ = said.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(700);

    /// What a server does with one client.
    type Turn = fn(&mut TcpStream);

    /// A server that treats its clients one after the other, each in its own way, and the last way again and again.
    fn server(turns: &'static [Turn]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/radio", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for n in 0.. {
                let (mut client, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|n| n == 1) {
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).unwrap();
                assert!(
                    request.starts_with("GET /radio HTTP/1.0\r\n") && request.contains("Icy-MetaData: 1"),
                    "{request}"
                );
                turns[n.min(turns.len() - 1)](&mut client);
            }
        });
        address
    }

    const MP3: &[u8] = include_bytes!("../../../tests/fixtures/demo.mp3");
    const AAC: &[u8] = include_bytes!("../../../tests/fixtures/demo.aac");

    fn head(client: &mut TcpStream, first: &str, fields: &str) {
        write!(client, "{first}\r\nContent-Type: audio/mpeg\r\nicy-name: Radio\r\n{fields}\r\n").unwrap();
    }

    /// Reads until `done`, and returns the samples.
    fn hear(source: &mut StreamSource, mut done: impl FnMut(&StreamSource, &[f32]) -> bool) -> Vec<f32> {
        let (mut heard, mut out) = (Vec::new(), [0.0; HOP]);
        let began = Instant::now();
        while !done(source, &heard) {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", source.presence.reason());
            let n = source.read(&mut out).unwrap();
            heard.extend_from_slice(&out[..n]);
        }
        heard
    }

    fn loud(heard: &[f32]) -> usize {
        heard.iter().filter(|x| x.abs() > 0.001).count()
    }

    #[test]
    fn a_stream_that_stalls_closes_and_returns_is_heard_again_each_time() {
        let stalls: Turn = |client| {
            head(client, "ICY 200 OK", "");
            client.write_all(&MP3.repeat(3)).unwrap();
            // Silent, until the other end gives up.
            let _ = client.read(&mut [0]);
        };
        let closes: Turn = |client| {
            head(client, "HTTP/1.0 200 OK", "");
            client.write_all(&AAC[..AAC.len() / 2]).unwrap();
        };
        let refuses: Turn = |client| client.write_all(b"HTTP/1.0 503 Busy\r\n\r\n").unwrap();
        let plays: Turn = |client| {
            head(client, "HTTP/1.1 200 OK", "");
            while client.write_all(MP3).is_ok() {}
        };
        const NAMED: &str = "Radio";
        let turns: &'static [Turn] = Box::leak(Box::new([stalls, closes, refuses, plays]));
        let mut source = StreamSource::with_patience(&server(turns), PATIENCE).unwrap();
        assert_eq!(source.title(), NAMED);
        let first = hear(&mut source, |s, _| {
            s.presence.reason().is_some_and(|why| why.starts_with("no data has come"))
        });
        assert!(loud(&first) > 8_000, "{}", loud(&first));
        let gap = hear(&mut source, |s, heard| s.is_away() && heard.len() > 1_000);
        assert!(gap.len() > 1_000, "the light goes on");
        hear(&mut source, |s, _| s.presence.reason().is_some_and(|why| why.contains("503 Busy")));
        let last = hear(&mut source, |s, heard| s.presence.reason().is_none() && loud(heard) > 100_000);
        assert!(loud(&last) > 100_000);
    }

    #[test]
    fn titles_are_told_and_do_not_disturb_the_sound() {
        let plain: Turn = |client| {
            head(client, "HTTP/1.0 200 OK", "");
            client.write_all(MP3).unwrap();
        };
        let with_titles: Turn = |client| {
            head(client, "HTTP/1.0 200 OK", "icy-metaint: 1000\r\n");
            for (n, piece) in MP3.chunks(1000).enumerate() {
                client.write_all(piece).unwrap();
                if n == 1 {
                    client.write_all(b"\x02StreamTitle='A - B';\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
                } else {
                    client.write_all(&[0]).unwrap();
                }
            }
        };
        let all = |turns: &'static [Turn]| {
            let mut source = StreamSource::with_patience(&server(turns), PATIENCE).unwrap();
            let heard = hear(&mut source, |s, _| s.presence.reason().is_some() && s.is_away());
            let is_sound =
                heard.iter().position(|x| *x != 0.0).unwrap()..heard.iter().rposition(|x| *x != 0.0).unwrap();
            (heard[is_sound].to_vec(), source.title())
        };
        let (expected, title) = all(Box::leak(Box::new([plain])));
        assert!(expected.len() > 16_000 && title == "Radio", "{} {title}", expected.len());
        let (heard, title) = all(Box::leak(Box::new([with_titles])));
        assert!(heard == expected, "{} and {}", heard.len(), expected.len());
        assert_eq!(title, "Radio: A - B");
    }

    #[test]
    fn what_cannot_be_a_stream_is_told() {
        let told = |address: &str| StreamSource::start(address).err().unwrap().to_string();
        assert!(told("https://a/").contains("ffmpeg"));
        assert!(told("http://:80/").contains("http://HOST/PATH"));
        let text: Turn =
            |client| client.write_all(b"HTTP/1.0 200 OK\r\n\r\n<html>not a stream</html>").unwrap();
        let source = StreamSource::start(&server(Box::leak(Box::new([text])))).unwrap();
        let why = source.presence.reason().unwrap();
        assert!(why.contains("not audio"), "{why}");
    }
}
