//! Floods: connections that never finish, pages that sleep, endless guesses. In the meantime, the owner's page answers
//! and the light goes on.
//!
//! The small tests always run. The large ones print their measurements:
//! `cargo test -p k1 --test api -- --ignored --nocapture floods`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::access::SECRET;
use crate::k1::K1;
use crate::raw::{exchange, read};

/// Time limit, generous because the machine may be busy with other tests; a client that is shut out waits for ever.
const PATIENCE: Duration = Duration::from_secs(6);

fn guarded() -> Option<K1> {
    K1::start_here(&["--listen", "127.0.0.1:0", "--token", SECRET])
}

/// Opens a connection from one of this machine's own addresses.
fn connect_from(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if !source.is_unspecified() {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    socket.connect_timeout(&to.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Time that a new visitor waits for the page, and the owner for a guarded path, in ms; each over a new connection.
fn visit(k1: &K1) -> f64 {
    let began = Instant::now();
    let host = format!("Host: {}", k1.host);
    let page = exchange(&mut k1.connect(), &["GET / HTTP/1.1", &host], b"");
    assert_eq!(page.status, 200);
    let bearer = format!("Authorization: Bearer {SECRET}");
    let owner = exchange(&mut k1.connect(), &["GET /api/v1/status HTTP/1.1", &host, &bearer], b"");
    assert!(owner.status == 200 || owner.status == 429, "{}", owner.status);
    began.elapsed().as_secs_f64() * 1000.0
}

/// Visits the page for a while, and collects how long the visits took.
struct Visits(Vec<f64>);

impl Visits {
    fn during(k1: &K1, time: Duration, goes_on: impl Fn() -> bool) -> Self {
        let (began, mut all) = (Instant::now(), Vec::new());
        while began.elapsed() < time || goes_on() {
            all.push(visit(k1));
            sleep(Duration::from_millis(30));
        }
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    #[track_caller]
    fn are_answered(&self) {
        assert!(self.worst() < PATIENCE.as_secs_f64() * 1000.0, "{:.0} ms", self.worst());
    }

    fn tell(&self, what: &str, k1: &K1, more: &str) {
        sleep(Duration::from_millis(150));
        let status = k1.get("/api/v1/status").ok();
        let vitals = &status["vitals"];
        println!(
            "{what}: {} visits, {:.1} ms median, {:.1} ms worst; frames {} FPS mean, {} p1; {} MiB resident{more}",
            self.0.len(),
            self.median(),
            self.worst(),
            vitals["fps"],
            vitals["fps_p1"],
            resident_kib(k1) / 1024,
        );
    }
}

/// Memory of the program in KiB; 0 if the system does not report it.
fn resident_kib(k1: &K1) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", k1.process())).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    line.unwrap_or(0)
}

/// The bytes that an unfinished connection has sent.
const UNFINISHED: [&str; 4] = [
    "",
    "G",
    "GET / HTTP/1.1\r\nHost: 127.",
    "POST /api/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
];

fn unfinished(to: SocketAddr, n: usize, source: impl Fn(usize) -> Ipv4Addr) -> Vec<TcpStream> {
    (0..n)
        .filter_map(|i| {
            let mut stream = connect_from(source(i), to).ok()?;
            // Ignore an error, because K1 may have closed the connection in the meantime.
            let _ = stream.write_all(UNFINISHED[i % UNFINISHED.len()].as_bytes());
            Some(stream)
        })
        .collect()
}

#[test]
fn unfinished_connections_shut_nobody_out_and_are_ended() {
    let Some(mut k1) = guarded() else { return };
    let mut kept = k1.connect();
    let host = format!("Host: {}", k1.host);
    let bearer = format!("Authorization: Bearer {SECRET}");
    let mut owner =
        || exchange(&mut kept, &["GET /api/test-connection HTTP/1.1", &host, &bearer], b"").status;
    assert_eq!(owner(), 200);
    // From the owner's own address, and from all loopback addresses that this system has.
    let crowd = unfinished(k1.address(), 600, |i| match i % 3 {
        0 => Ipv4Addr::UNSPECIFIED,
        _ if cfg!(target_os = "linux") => Ipv4Addr::new(127, 0, 1, (i % 200) as u8 + 1),
        _ => Ipv4Addr::UNSPECIFIED,
    });
    assert!(crowd.len() > 500, "{} were taken in", crowd.len());
    Visits::during(&k1, Duration::from_secs(2), || false).are_answered();
    sleep(Duration::from_millis(200));
    assert_eq!(owner(), 200, "the owner's connection was kept");
    // All connections end, the last ones at their time limit.
    let began = Instant::now();
    for mut stream in crowd {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = [0; 4096];
        while matches!(stream.read(&mut rest), Ok(1..)) {}
    }
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    k1.lives();
}

/// Processor time of the program so far, in s.
#[cfg(target_os = "linux")]
fn busy(k1: &K1) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", k1.process())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

#[cfg(target_os = "linux")]
#[test]
fn a_door_without_files_neither_closes_nor_spins() {
    // So few that the process runs out of files before K1 counts its places as taken.
    let options = ["--listen", "127.0.0.1:0", "--token", SECRET];
    let start = |files| K1::start_with_files(files, &options);
    let Some(k1) = start(64) else { return };
    let used = std::fs::read_dir(format!("/proc/{}/fd", k1.process())).unwrap().count() as u32;
    drop(k1);
    let Some(mut k1) = start(used + 4) else { return };
    let before = (Instant::now(), busy(&k1));
    sleep(Duration::from_secs(1));
    let usual = (busy(&k1) - before.1) / before.0.elapsed().as_secs_f64();
    let crowd = unfinished(k1.address(), 60, |_| Ipv4Addr::UNSPECIFIED);
    let before = (Instant::now(), busy(&k1));
    sleep(Duration::from_secs(2));
    let flooded = (busy(&k1) - before.1) / before.0.elapsed().as_secs_f64();
    assert!(flooded < usual + 0.5, "{flooded:.2} s a second, and {usual:.2} before");
    drop(crowd);
    Visits::during(&k1, Duration::from_secs(1), || false).are_answered();
    assert_eq!(k1.said().matches("cannot accept connections").count(), 1, "K1 prints it once: {}", k1.said());
    k1.lives();
}

#[test]
fn who_takes_nothing_is_not_served_for_ever() {
    let Some(k1) = guarded() else { return };
    let mut stream = k1.connect();
    let request = format!("GET /app.js HTTP/1.1\r\nHost: {}\r\n\r\n", k1.host).repeat(400);
    // More than the buffers of both ends hold.
    let began = Instant::now();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    while stream.write_all(request.as_bytes()).is_ok() && began.elapsed() < Duration::from_secs(8) {}
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let ended = loop {
        match stream.write(b"x") {
            Ok(_) if began.elapsed() < Duration::from_secs(40) => sleep(Duration::from_millis(50)),
            Ok(_) => break false,
            Err(e) => break e.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    assert!(ended, "it is still served after {:?}", began.elapsed());
    visit(&k1);
}

/// Pages that open, send one message, and then neither send nor read.
fn sleepers(k1: &K1, n: usize) -> Vec<TcpStream> {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let one = |path: &str| {
        let request = format!("GET {path}?token={SECRET} HTTP/1.1");
        let host = format!("Host: {}", k1.host);
        let mut stream = k1.connect();
        let raw = exchange(
            &mut stream,
            &[&request, &host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key],
            b"",
        );
        assert_eq!(raw.status, 101);
        stream
    };
    (0..n).map(|i| one(if i % 4 == 3 { "/ws" } else { "/api/v1/live" })).collect()
}

/// Time that the owner waits for a live page, in ms; it reconnects in the same way as the page.
fn page_goes_live(k1: &K1) -> f64 {
    let began = Instant::now();
    loop {
        let mut socket = k1.socket("/api/v1/live").0;
        loop {
            match socket.read() {
                Ok(tungstenite::Message::Text(t)) if t.contains("\"hello\"") => {
                    return began.elapsed().as_secs_f64() * 1000.0;
                }
                Ok(tungstenite::Message::Close(_)) | Err(_) => break,
                Ok(_) => {}
            }
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no page goes live");
        sleep(Duration::from_millis(400));
    }
}

#[test]
fn sleeping_pages_give_way_and_are_found_out() {
    let Some(k1) = guarded() else { return };
    let mut awake = k1.socket("/api/v1/live");
    awake.wait_for("a greeting", |m| m["hello"].is_object());
    let asleep = sleepers(&k1, 31);
    awake.say(serde_json::json!({"ping": 1}));
    assert!(page_goes_live(&k1) < 6000.0);
    awake.wait_for("an answer: the page that is awake keeps its place", |m| m["pong"].is_number());
    // K1 detects the others, although the network reports nothing.
    let began = Instant::now();
    loop {
        sleep(Duration::from_millis(150));
        let status = awake.wait_for("its second", |m| m["status"].is_object());
        if status["status"]["sockets"].as_u64().unwrap() <= 2 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "they sleep on: {}", status["status"]["sockets"]);
    }
    drop(asleep);
}

/// Guesses tokens until it is stopped, and counts the guesses.
struct Guessers {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU32>,
    threads: Vec<JoinHandle<()>>,
}

impl Guessers {
    /// Starts `n` guessers, with a new connection for each guess or one for all.
    fn start(k1: &K1, n: usize, anew: bool) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (to, host) = (k1.address(), k1.host.clone());
        let threads = (0..n)
            .map(|thread| {
                let (stop, count, host) = (stop.clone(), count.clone(), host.clone());
                std::thread::spawn(move || {
                    let mut open: Option<TcpStream> = None;
                    for i in 0_u32.. {
                        if stop.load(Relaxed) {
                            break;
                        }
                        let Some(mut stream) = open.take().or_else(|| TcpStream::connect(to).ok()) else {
                            continue;
                        };
                        let _ = stream.set_read_timeout(Some(PATIENCE));
                        let head = format!(
                            "GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer guess-{thread}-{i}\r\n\r\n"
                        );
                        count.fetch_add(1, Relaxed);
                        let sent = stream.write_all(head.as_bytes());
                        // A guesser with a new connection each time does not wait for the answer.
                        if sent.is_ok() && !anew && read(&mut stream).is_some() {
                            open = Some(stream);
                        }
                    }
                })
            })
            .collect();
        Self { stop, count, threads }
    }

    fn end(self) -> u32 {
        self.stop.store(true, Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        self.count.load(Relaxed)
    }
}

#[test]
fn guesses_cost_the_owner_nothing() {
    let Some(mut k1) = guarded() else { return };
    for anew in [false, true] {
        let guessers = Guessers::start(&k1, 4, anew);
        let visits = Visits::during(&k1, Duration::from_secs(2), || false);
        let guesses = guessers.end();
        visits.are_answered();
        assert!(guesses > 20, "{guesses}");
    }
    // K1 prints few lines about it, regardless of the number of guesses.
    assert!(k1.said().lines().count() < 12, "{}", k1.said());
    k1.lives();
}

/// Raises this test's limit of open files as far as possible. The program keeps the limit that most systems set.
#[cfg(unix)]
fn with_few_files<T>(start: impl FnOnce() -> T) -> T {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let mut few = limit;
    few.current = Some(1024);
    setrlimit(Resource::Nofile, few).unwrap();
    let started = start();
    let mut many = limit;
    many.current = limit.maximum;
    setrlimit(Resource::Nofile, many).unwrap();
    started
}

#[cfg(not(unix))]
fn with_few_files<T>(start: impl FnOnce() -> T) -> T {
    start()
}

#[test]
#[ignore = "prints figures; takes two minutes"]
fn floods_big() {
    let Some(k1) = with_few_files(guarded) else { return };
    sleep(Duration::from_secs(2));
    let alone = Visits::during(&k1, Duration::from_secs(3), || false);
    alone.tell("nobody else", &k1, "");
    for n in [1_100, 10_000] {
        let to = k1.address();
        let flood = std::thread::spawn(move || unfinished(to, n, |_| Ipv4Addr::UNSPECIFIED));
        let visits = Visits::during(&k1, Duration::from_secs(10), || !flood.is_finished());
        let open = flood.join().unwrap().len();
        visits.tell(&format!("{n} unfinished connections"), &k1, &format!("; {open} were opened"));
        visits.are_answered();
    }
    let asleep = sleepers(&k1, 31);
    let first = page_goes_live(&k1);
    let second = page_goes_live(&k1);
    let visits = Visits::during(&k1, Duration::from_secs(5), || false);
    visits.tell(
        "31 sleeping pages",
        &k1,
        &format!("; the first page was live after {first:.0} ms, one more after {second:.0} ms"),
    );
    drop(asleep);
    for (anew, n) in [(false, 64), (true, 6)] {
        let (guessers, began) = (Guessers::start(&k1, n, anew), Instant::now());
        let visits = Visits::during(&k1, Duration::from_secs(10), || false);
        let rate = f64::from(guessers.end()) / began.elapsed().as_secs_f64();
        let how = if anew { "new connection each" } else { "connections kept" };
        visits.tell("guesses without end", &k1, &format!("; {rate:.0} guesses a second, {how}"));
        visits.are_answered();
    }
}
