use super::super::lookup::Resolve;
use super::super::protocol::Ddp;
use super::*;
use k1_wire::pixel::Pixel;
use std::sync::Mutex;

const FRAME: Frame = Frame { light: &[], channels: &[1, 2, 3, 4, 5, 6] };

/// A resolver whose answer a test sets.
#[derive(Default)]
struct Book(Mutex<Vec<SocketAddr>>);

impl Book {
    fn says(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Resolve for Book {
    fn system(&self, _: &str, _: u16) -> Result<Vec<SocketAddr>, String> {
        let known = self.0.lock().unwrap().clone();
        if known.is_empty() { Err("Name or service not known".into()) } else { Ok(known) }
    }

    fn multicast(&self, _: &str, _: u16) -> Vec<SocketAddr> {
        Vec::new()
    }
}

/// A receiver on this machine.
struct Receiver(UdpSocket);

impl Receiver {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Frames since the last look.
    fn frames(&self) -> usize {
        std::iter::from_fn(|| self.0.recv(&mut [0; 2_000]).ok()).count()
    }
}

fn closed_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

struct Bench {
    light: Arc<Light>,
    book: Arc<Book>,
    sink: UdpSink,
}

impl Bench {
    fn new(host: &str, port: u16) -> Self {
        let light = Arc::new(Light::new(host.to_owned()));
        let book = Arc::new(Book::default());
        let sink = UdpSink::new(
            Host::new(host, port, book.clone()),
            None,
            Box::new(Ddp::new(Pixel::Rgb)),
            light.clone(),
        );
        Self { light, book, sink }
    }

    /// Shows frames until a condition holds; returns the number of sent frames and of all frames.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&LightStatus) -> bool) -> (usize, usize) {
        let began = Instant::now();
        let (mut sent, mut all) = (0, 0);
        while !is_so(&self.light.status()) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.light.status());
            sent += usize::from(self.sink.show(&FRAME).is_ok());
            self.sink.tend();
            all += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        (sent, all)
    }
}

#[test]
fn a_name_that_is_not_known_yet_is_looked_for_until_it_is() {
    let receiver = Receiver::new();
    let mut bench = Bench::new("lamp.example", 4048);
    let (sent, _) = bench.until("a look", |s| s.state == LightState::Looking && s.reason.is_some());
    assert_eq!(sent, 0);
    bench.book.says(&[receiver.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    assert!(receiver.frames() > 0);
    assert_eq!(bench.light.status().address, Some(receiver.address().to_string()));
}

#[test]
fn a_closed_port_is_unreachable_and_comes_back() {
    let at = closed_port();
    let mut bench = Bench::new("127.0.0.1", at.port());
    bench.until("a refusal", |s| s.state == LightState::Unreachable);
    let why = bench.light.status().reason.unwrap();
    assert!(why.contains("127.0.0.1 is there, but nothing receives light on its port"), "{why}");
    // Attempts alone do not make it shine.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2_500) {
        let _ = bench.sink.show(&FRAME);
        bench.sink.tend();
        assert_eq!(bench.light.status().state, LightState::Unreachable);
        std::thread::sleep(Duration::from_millis(2));
    }
    let receiver = UdpSocket::bind(at).unwrap();
    bench.until("light", |s| s.state == LightState::Shining);
    drop(receiver);
    bench.until("darkness", |s| s.state == LightState::Unreachable);
}

#[test]
fn every_address_of_a_name_is_tried() {
    let receiver = Receiver::new();
    let mut bench = Bench::new("lamp.example", 4048);
    bench.book.says(&[closed_port(), closed_port(), receiver.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    assert_eq!(bench.light.status().address, Some(receiver.address().to_string()));
    assert!(receiver.frames() > 0);
}

#[test]
fn a_light_that_moves_is_followed_at_once_when_its_old_place_refuses() {
    let (old, new) = (Receiver::new(), Receiver::new());
    let mut bench = Bench::new("lamp.example", 4048);
    bench.book.says(&[old.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    bench.book.says(&[new.address()]);
    drop(old);
    bench.until("the new place", |s| s.address == Some(new.address().to_string()));
    assert!(new.frames() > 0);
}

#[test]
fn a_light_that_moves_is_followed_while_its_old_place_is_silent() {
    let (old, new) = (Receiver::new(), Receiver::new());
    let mut bench = Bench::new("lamp.example", 4048);
    bench.book.says(&[old.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    bench.book.says(&[new.address(), closed_port()]);
    // A minute is over.
    bench.sink.refresh_at = Instant::now();
    bench.until("the new place", |s| s.address == Some(new.address().to_string()));
    // A name that cannot be looked up is not a reason to leave.
    bench.book.says(&[]);
    bench.sink.refresh_at = Instant::now();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        bench.sink.show(&FRAME).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(bench.light.status().state, LightState::Shining);
}

#[test]
fn a_light_stays_where_it_is_if_its_new_place_cannot_be_reached() {
    let receiver = Receiver::new();
    let mut bench = Bench::new("lamp.example", 4048);
    bench.book.says(&[receiver.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    // An address to which the system cannot send, because it lacks an interface.
    bench.book.says(&["[fe80::1]:4048".parse().unwrap()]);
    bench.sink.refresh_at = Instant::now();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(800) {
        bench.sink.show(&FRAME).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(receiver.frames() > 10);
    assert_eq!(bench.light.status().state, LightState::Shining);
}

#[test]
fn the_pauses_between_tries_grow_to_half_a_minute() {
    let mut bench = Bench::new("lamp.example", 4048);
    let pauses: Vec<u64> = (0..8).map(|_| bench.sink.back_off().as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn the_end_does_not_wait_for_a_light_that_is_not_there() {
    let mut bench = Bench::new("lamp.example", 4048);
    bench.until("a look", |s| s.reason.is_some());
    let began = Instant::now();
    bench.sink.end(Stop::Dark, &[0; 3_000]).unwrap();
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[test]
fn the_last_three_frames_are_dark() {
    let receiver = Receiver::new();
    let mut bench = Bench::new("127.0.0.1", receiver.address().port());
    bench.until("light", |s| s.state == LightState::Shining);
    receiver.frames();
    bench.sink.end(Stop::Dark, &[0; 12]).unwrap();
    assert_eq!(receiver.frames(), 3);
    for stop in [Stop::Hold, Stop::Release] {
        bench.sink.end(stop, &[9; 12]).unwrap();
        assert_eq!(receiver.frames(), 0, "DDP has no word for {stop:?}");
    }
}

#[test]
fn every_refusal_of_the_system_is_a_sentence() {
    let at = "10.9.0.7:4048".parse().unwrap();
    for (kind, words) in [
        (ErrorKind::InvalidInput, "check its routes for a blackhole"),
        (ErrorKind::PermissionDenied, "check its firewall"),
        (ErrorKind::HostUnreachable, "nobody answers at 10.9.0.7"),
        (ErrorKind::NetworkUnreachable, "no route"),
    ] {
        let why = reason(&kind.into(), at);
        assert!(why.contains(words) && !why.contains("os error"), "{why}");
    }
    let why = reason(&ErrorKind::InvalidInput.into(), "[fe80::1]:4048".parse().unwrap());
    assert!(why.contains("not on any network"), "{why}");
}

#[test]
fn an_answer_that_names_nobody_is_not_taken_for_a_light() {
    let mut bench = Bench::new("lamp.example", 4048);
    bench.book.says(&["224.0.0.1:4048".parse().unwrap()]);
    bench.until("a refusal", |s| s.reason.is_some());
    let status = bench.light.status();
    assert_eq!(status.state, LightState::Looking);
    assert!(status.reason.unwrap().contains("224.0.0.1, which is not the address of one host"));
    let receiver = Receiver::new();
    bench.book.says(&["0.0.0.0:4048".parse().unwrap(), receiver.address()]);
    bench.until("light", |s| s.state == LightState::Shining);
    assert_eq!(bench.light.status().address, Some(receiver.address().to_string()));
}
