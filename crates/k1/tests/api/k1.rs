//! The K1 under test, and a patient client.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

/// Time in which a new value of a setting is usually visible.
pub const SETTLED: Duration = Duration::from_millis(200);

/// Time limit for anything that an emulated lamp on a busy machine must do in the end.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// True once a test has put the shared K1 into its default state and left it so.
static IS_CLEAN: AtomicBool = AtomicBool::new(false);

/// The program, without the token of the user who runs the test.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1"));
    command.env_remove("K1_TOKEN").env_remove("CREDENTIALS_DIRECTORY");
    command
}

/// A K1 and its address.
pub struct K1 {
    /// Host and port, in the form of the header `Host`.
    pub host: String,
    /// The token, if one is needed.
    pub token: Option<String>,
    child: Option<Child>,
    /// The home of a program that was started here, so that it leaves the user's own show alone.
    _home: Option<tempfile::TempDir>,
    said: Arc<Mutex<String>>,
    agent: ureq::Agent,
    // Tests take turns with a K1 that they did not start.
    _turn: Option<MutexGuard<'static, ()>>,
}

/// The status and the body of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The body of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Asserts that a refusal has this status and code, and the fields that every refusal has.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        let body = &self.body;
        assert_eq!((self.status, body["error"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(body["timestamp"].is_u64(), "{body}");
        assert!(body["message"].as_str().is_some_and(|m| m.len() > 10), "{body}");
    }
}

/// The waits for a request that K1 refuses with 429. The clock of an emulated lamp can be behind this machine's, so a
/// request may be too early although the test has waited for longer than the limit.
pub struct Waits(Instant);

impl Waits {
    /// Begins with the first attempt.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Waits for as long as a refusal says, in the value of its header `X-RateLimit-NextAllowedMs`.
    ///
    /// # Panics
    ///
    /// If the refusal does not say how long, or if K1 still refuses the request after [`PATIENCE`].
    #[track_caller]
    pub fn wait(&self, next_allowed_ms: Option<&str>) {
        let ms = next_allowed_ms.and_then(|ms| ms.parse().ok()).expect("a 429 says how long to wait");
        assert!(self.0.elapsed() < PATIENCE, "K1 still says that it is too early, for {ms} ms more");
        std::thread::sleep(Duration::from_millis(ms));
    }
}

impl K1 {
    /// The K1 of `K1_API_BASE`, or a program of its own.
    pub fn get_one() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let Ok(url) = std::env::var("K1_API_BASE") else { return Self::start(&[]) };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let k1 = Self::at(&url, None, Some(turn));
        if !IS_CLEAN.swap(false, SeqCst) {
            k1.post("/api/reset", json!({})).ok();
        }
        // Wait until the paths that the previous test used may be requested again.
        std::thread::sleep(Duration::from_secs(2));
        k1
    }

    /// A new program with more arguments; `None` if the tests run against another K1.
    pub fn start_here(options: &[&str]) -> Option<Self> {
        if std::env::var_os("K1_API_BASE").is_some() {
            println!("this is about the options of the program, and K1_API_BASE names a K1 that runs");
            return None;
        }
        Some(Self::start(options))
    }

    /// The same, with a low limit of open files.
    #[cfg(unix)]
    pub fn start_with_files(files: u32, options: &[&str]) -> Option<Self> {
        if std::env::var_os("K1_API_BASE").is_some() {
            return None;
        }
        let mut shell = Command::new("sh");
        shell.env_remove("K1_TOKEN").env_remove("CREDENTIALS_DIRECTORY");
        shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_k1")]);
        Some(Self::start_as(shell, options))
    }

    fn start(options: &[&str]) -> Self {
        Self::start_as(program(), options)
    }

    fn start_as(mut program: Command, options: &[&str]) -> Self {
        let mut arguments = vec!["run", "demo"];
        arguments.extend(options);
        if !options.contains(&"--listen") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let home = tempfile::tempdir().unwrap();
        program.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
        let mut child =
            program.args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|l| Some(l.ok()?.trim().strip_prefix("Light is on: ")?.to_owned()));
        let url = url.expect("k1 has not printed its address");
        // Read its output until it ends; otherwise it would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let said = Arc::new(Mutex::new(String::new()));
        let (into, errors) = (said.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                eprintln!("{line}");
                *into.lock().unwrap() += &format!("{line}\n");
            }
        });
        // Use the loopback address, even if the program listens on others, too.
        let port = url.trim_end_matches('/').rsplit_once(':').expect("a port").1;
        let mut k1 = Self::at(&format!("http://127.0.0.1:{port}/"), Some(child), None);
        k1.said = said;
        k1._home = Some(home);
        k1.token = options.iter().position(|o| *o == "--token").map(|i| options[i + 1].to_owned());
        k1
    }

    /// Its standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("it was started here").id()
    }

    fn at(url: &str, child: Option<Child>, turn: Option<MutexGuard<'static, ()>>) -> Self {
        let (base, token) = match url.split_once("#token=") {
            Some((base, token)) => (base, Some(token.to_owned())),
            None => (url, None),
        };
        let host =
            base.strip_prefix("http://").expect("an address http://…").trim_end_matches('/').to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        Self { host, token, child, _home: None, said: Arc::default(), agent, _turn: turn }
    }

    /// True if this is a program that the test started on this machine.
    pub fn is_program(&self) -> bool {
        self.child.is_some()
    }

    /// Asserts that the program has not ended.
    #[track_caller]
    pub fn lives(&mut self) {
        if let Some(child) = &mut self.child {
            assert_eq!(child.try_wait().unwrap(), None, "k1 has ended");
        }
    }

    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        let with_port = if self.host.contains(':') { self.host.clone() } else { format!("{}:80", self.host) };
        with_port.to_socket_addrs().unwrap().next().unwrap()
    }

    /// A TCP connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        // A lamp drops a connection that comes too early. The client's TCP tries again, in an emulated network after 6
        // s.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends a GET, and repeats it after the wait that a 429 asks for.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    /// Sends a POST of JSON, and repeats it after the wait that a 429 asks for.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    /// Sends a POST of any text, and repeats it after the wait that a 429 asks for.
    pub fn post_text(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, Some(body))
    }

    /// Waits until the answer to a GET is as wanted, and returns it.
    #[track_caller]
    pub fn becomes(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let now = self.get(path).ok();
            if is_so(&now) {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "{path} stays {now}");
        }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let (mut refused, waits) = (0, Waits::begin());
        loop {
            let mut request =
                ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.host));
            if let Some(token) = &self.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let response = match body {
                Some(body) => {
                    let request = request.header("Content-Type", "application/json");
                    self.agent.run(request.body(body.to_owned()).unwrap())
                }
                None => self.agent.run(request.body(()).unwrap()),
            };
            let mut response = match response {
                Ok(response) => response,
                // A lamp has few places; a client that finds none free must try again.
                Err(_) if !self.is_program() && refused < 40 => {
                    refused += 1;
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
                Err(e) => panic!("{e}"),
            };
            let status = response.status().as_u16();
            if status == 429 {
                let next = response.headers().get("X-RateLimit-NextAllowedMs");
                waits.wait(next.and_then(|ms| ms.to_str().ok()));
                continue;
            }
            return Answer { status, body: response.body_mut().read_json().unwrap() };
        }
    }

    /// Opens a WebSocket.
    pub fn socket(&self, path: &str) -> Socket {
        let query = self.token.as_ref().map(|t| format!("?token={t}")).unwrap_or_default();
        self.try_socket(&format!("{path}{query}")).unwrap()
    }

    /// Opens a WebSocket; an error is the status of the refusal.
    pub fn try_socket(&self, path_and_query: &str) -> Result<Socket, u16> {
        let request = format!("ws://{}{path_and_query}", self.host).into_client_request().unwrap();
        match tungstenite::client(request, self.connect()) {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(r))) => {
                Err(r.status().as_u16())
            }
            Err(e) => panic!("{e}"),
        }
    }
}

impl Drop for K1 {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        } else if !std::thread::panicking() {
            self.post("/api/reset", json!({})).ok();
            IS_CLEAN.store(true, SeqCst);
        }
    }
}

/// A WebSocket that speaks JSON.
pub struct Socket(pub WebSocket<TcpStream>);

impl Socket {
    /// Sends a JSON message.
    pub fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    /// Reads what has come, which also answers pings: K1 closes a WebSocket that leaves them unanswered.
    pub fn keep_up(&mut self) {
        let before = self.0.get_ref().read_timeout().unwrap();
        self.0.get_ref().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let until = Instant::now() + Duration::from_millis(100);
        while Instant::now() < until && self.0.read().is_ok() {}
        self.0.get_ref().set_read_timeout(before).unwrap();
    }

    /// The next JSON message that matches; skips others.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        // A client that has not read for a while has many messages to skip.
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Message::Text(t) = self.0.read().unwrap() {
                let value: Value = serde_json::from_str(&t).unwrap();
                if fits(&value) {
                    return value;
                }
            }
        }
        panic!("{what} has not come");
    }

    /// The next binary message of a kind; skips others.
    #[track_caller]
    pub fn wait_for_kind(&mut self, kind: u8) -> Vec<u8> {
        for _ in 0..1000 {
            if let Message::Binary(b) = self.0.read().unwrap()
                && b[0] == kind
            {
                return b.into();
            }
        }
        panic!("no message of kind {kind} has come");
    }
}
