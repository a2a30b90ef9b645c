//! Requests for streams: HTTP without TLS, and SHOUTcast, whose answers begin with `ICY`. Each read has a time limit,
//! so that a server that falls silent is noticed.

use std::fmt;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result as Outcome, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use base64::Engine;

use crate::source::entries::{NotAList, entries};

/// Time without data after which a server counts as silent.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Time limit of a connection to one address.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest head of an answer, and largest playlist, in bytes.
const MOST_HEAD: u64 = 16 << 10;
const MOST_LIST: u64 = 64 << 10;
/// Largest number of redirections one after the other.
const MOST_STEPS: usize = 6;

/// Why a server does not give a stream.
#[derive(Debug)]
pub enum Refusal {
    /// The address is not one.
    Address(String),
    /// The address, or that of a redirection, needs TLS.
    Tls,
    /// The server cannot be reached, or falls silent.
    Io(Error),
    /// Another status than 200, with the server's words.
    Status(String),
    /// The answer is not one of HTTP.
    Answer,
    /// Too many redirections.
    Circle,
    /// A playlist without a stream, or one of parts (HLS).
    List(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "{text} is not an address; write http://HOST/PATH"),
            Self::Tls => write!(
                f,
                "it needs https, which K1 does not have; decode it outside: ffmpeg -i URL -f f32le -ac 1 -ar 16000 - | k1 run -"
            ),
            Self::Io(e) => f.write_str(&silence(e)),
            Self::Status(words) => write!(f, "the server answers “{words}”"),
            Self::Answer => write!(f, "the server does not answer in HTTP"),
            Self::Circle => write!(f, "the server redirects again and again"),
            Self::List(why) => write!(f, "it is a playlist {why}"),
        }
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Io(e)
    }
}

/// An error of a connection in words.
pub fn silence(e: &Error) -> String {
    match e.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("no data has come for {} s", PATIENCE.as_secs())
        }
        ErrorKind::ConnectionRefused => "the server does not accept the connection".into(),
        ErrorKind::UnexpectedEof => "the server has closed the connection".into(),
        _ => e.to_string(),
    }
}

/// An address of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    /// Path and query.
    path: String,
    /// Name and password.
    login: Option<String>,
}

impl Address {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::Address(text.to_owned());
        if has_scheme(text, "https://") {
            return Err(Refusal::Tls);
        }
        let rest = if has_scheme(text, "http://") { &text[7..] } else { return Err(wrong()) };
        if rest.bytes().any(|b| b.is_ascii_control()) {
            return Err(wrong());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (place, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { host, port, path: path.replace(' ', "%20"), login })
    }

    /// The address that a server names in a redirection.
    fn join(&self, to: &str) -> Result<Self, Refusal> {
        if to.starts_with('/') && !to.starts_with("//") {
            return Ok(Self { path: to.to_owned(), ..self.clone() });
        }
        Self::parse(to)
    }

    fn connect(&self) -> Outcome<TcpStream> {
        let mut last = Error::new(ErrorKind::NotFound, "the name of the server is unknown");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

fn has_scheme(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// True for an address of a stream, with or without TLS.
pub fn is_address(text: &str) -> bool {
    has_scheme(text, "http://") || has_scheme(text, "https://")
}

/// The beginning of a stream.
pub struct Answer {
    /// Name of the station.
    pub name: Option<String>,
    /// Number of bytes of sound between two pieces of metadata; `None` if there is only sound.
    pub every: Option<usize>,
    /// The bytes.
    pub body: Box<dyn Read + Send + Sync>,
}

/// Checks an address without asking its server.
pub fn check(address: &str) -> Result<(), Refusal> {
    Address::parse(address).map(drop)
}

/// Asks for a stream, and follows redirections and playlists. Reading its body fails after `patience` without data.
pub fn open(address: &str, patience: Duration) -> Result<Answer, Refusal> {
    let mut address = Address::parse(address)?;
    for _ in 0..MOST_STEPS {
        match ask(&address, patience)? {
            Step::Stream(answer) => return Ok(answer),
            Step::To(next) => address = address.join(&next)?,
        }
    }
    Err(Refusal::Circle)
}

enum Step {
    Stream(Answer),
    /// The stream is elsewhere.
    To(String),
}

fn ask(address: &Address, patience: Duration) -> Result<Step, Refusal> {
    let mut stream = address.connect()?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let Address { host, port, path, login } = address;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let login = login.as_ref().map_or(String::new(), |login| {
        let code = base64::engine::general_purpose::STANDARD.encode(login);
        format!("Authorization: Basic {code}\r\n")
    });
    // HTTP/1.0, because its answers have no chunks, which some old players' servers mix up with metadata.
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nUser-Agent: k1/{}\r\nAccept: */*\r\nIcy-MetaData: 1\r\n\
         Connection: close\r\n{login}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(request.as_bytes())?;
    let mut stream = BufReader::new(stream);
    let head = Head::read(&mut stream)?;
    match head.code {
        200 => {}
        301 | 302 | 303 | 307 | 308 => {
            return head.field("location").map(|to| Step::To(to.to_owned())).ok_or(Refusal::Answer);
        }
        _ => return Err(Refusal::Status(head.words)),
    }
    let kind = head.field("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_chunked = head.field("transfer-encoding").is_some_and(|e| e.eq_ignore_ascii_case("chunked"));
    let body: Box<dyn Read + Send + Sync> = match is_chunked {
        true => Box::new(Chunked { from: stream, left: 0 }),
        false => Box::new(stream),
    };
    if kind.contains("mpegurl") || kind.contains("scpls") {
        let mut bytes = Vec::new();
        body.take(MOST_LIST).read_to_end(&mut bytes)?;
        return listed(&bytes).map(Step::To);
    }
    let every = head.field("icy-metaint").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
    let name = head.field("icy-name").map(str::to_owned).filter(|name| !name.is_empty());
    Ok(Step::Stream(Answer { name, every, body }))
}

/// The first stream of a playlist.
fn listed(bytes: &[u8]) -> Result<String, Refusal> {
    let entries = entries(bytes).map_err(|why| match why {
        NotAList::Parts => Refusal::List("of parts (HLS), which K1 does not load"),
        NotAList::NotText => Refusal::List("without a stream"),
    })?;
    let address = |entry: &[u8]| std::str::from_utf8(entry).ok().filter(|e| is_address(e)).map(str::to_owned);
    entries.into_iter().find_map(address).ok_or(Refusal::List("without a stream"))
}

/// The head of an answer.
struct Head {
    code: u16,
    words: String,
    fields: Vec<(String, String)>,
}

impl Head {
    fn read(stream: &mut impl BufRead) -> Result<Self, Refusal> {
        let mut lines = Vec::new();
        let mut head = stream.take(MOST_HEAD);
        loop {
            let mut line = Vec::new();
            if head.read_until(b'\n', &mut line)? == 0 {
                return Err(if lines.is_empty() {
                    Error::from(ErrorKind::UnexpectedEof).into()
                } else {
                    Refusal::Answer
                });
            }
            let line = text(line.trim_ascii());
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let first = lines.first().ok_or(Refusal::Answer)?;
        let (version, words) = first.split_once(' ').ok_or(Refusal::Answer)?;
        if version != "ICY" && !version.starts_with("HTTP/") {
            return Err(Refusal::Answer);
        }
        let code = words.split(' ').next().and_then(|code| code.parse().ok()).ok_or(Refusal::Answer)?;
        let field = |line: &String| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self { code, words: words.to_owned(), fields: lines[1..].iter().filter_map(field).collect() })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Text of a server: UTF-8, or else Latin-1.
pub fn text(bytes: &[u8]) -> String {
    let latin = || bytes.iter().map(|b| char::from(*b)).collect();
    std::str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

/// A body in chunks.
struct Chunked<R> {
    from: R,
    /// Bytes left of the present chunk.
    left: u64,
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, out: &mut [u8]) -> Outcome<usize> {
        while self.left == 0 {
            let mut line = Vec::new();
            (&mut self.from).take(256).read_until(b'\n', &mut line)?;
            let line = text(line.trim_ascii());
            if line.is_empty() {
                // The end of the chunk before, or of the stream.
                if self.from.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                continue;
            }
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let n = self.from.read(&mut out[..most])?;
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_browsers_do() {
        let parse = |text: &str| Address::parse(text).map(|a| (a.host, a.port, a.path, a.login));
        let of = |host: &str, port, path: &str, login: Option<&str>| {
            (host.to_owned(), port, path.to_owned(), login.map(str::to_owned))
        };
        assert_eq!(parse("http://a.example").unwrap(), of("a.example", 80, "/", None));
        assert_eq!(parse("HTTP://a:8000/x y?z#w").unwrap(), of("a", 8000, "/x%20y?z", None));
        assert_eq!(parse("http://me:pw@[::1]:81?q").unwrap(), of("::1", 81, "/?q", Some("me:pw")));
        assert!(matches!(parse("https://a/"), Err(Refusal::Tls)));
        for wrong in ["http://", "http:///x", "http://a:port/", "ftp://a", "http://a/\r\nX: y"] {
            assert!(matches!(parse(wrong), Err(Refusal::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn a_playlist_leads_to_its_first_stream() {
        assert_eq!(listed(b"#EXTM3U\n#EXTINF:-1,A\nhttp://a/1\nhttp://b/2").unwrap(), "http://a/1");
        assert_eq!(listed(b"[playlist]\nFile1= http://a/1 \nTitle1=x").unwrap(), "http://a/1");
        assert!(listed(b"#EXTM3U\n#EXT-X-VERSION:3\nhttp://a/1").unwrap_err().to_string().contains("HLS"));
        assert!(listed(b"nothing").unwrap_err().to_string().contains("without a stream"));
    }

    #[test]
    fn chunks_become_one_body() {
        let from = &b"4\r\nwiki\r\n6;x=y\r\npedia \r\n0\r\n\r\n"[..];
        let mut out = String::new();
        Chunked { from, left: 0 }.read_to_string(&mut out).unwrap();
        assert_eq!(out, "wikipedia ");
        let from = &b"zz\r\nwiki"[..];
        assert!(Chunked { from, left: 0 }.read_to_string(&mut out).is_err());
    }

    #[test]
    fn heads_of_both_kinds_of_servers_are_read() {
        let head =
            Head::read(&mut &b"ICY 200 OK\r\nicy-name:Radio \xe9\r\nIcy-MetaInt: 16\r\n\r\nx"[..]).unwrap();
        assert_eq!(
            (head.code, head.field("icy-name"), head.field("icy-metaint")),
            (200, Some("Radio é"), Some("16"))
        );
        let head = Head::read(&mut &b"HTTP/1.1 404 Not Found\n\n"[..]).unwrap();
        assert_eq!((head.code, head.words.as_str()), (404, "404 Not Found"));
        assert!(matches!(Head::read(&mut &b"SSH-2.0-x\r\n\r\n"[..]), Err(Refusal::Answer)));
        assert!(matches!(Head::read(&mut &b""[..]), Err(Refusal::Io(_))));
        let endless = vec![b'a'; 100_000];
        assert!(Head::read(&mut &endless[..]).is_err());
    }
}
