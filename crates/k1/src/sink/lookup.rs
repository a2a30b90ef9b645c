//! Looks up addresses of names, on separate threads, so that a lookup that hangs delays neither the light nor the end
//! of the program.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::hosts::is_one_host;
use super::multicast;

/// Time after which a lookup without an answer counts as failed.
const PATIENCE: Duration = Duration::from_secs(6);
/// Time during which the system's resolver has precedence over multicast, if both may know a name.
const PRECEDENCE: Duration = Duration::from_millis(800);

/// Asks for the addresses of a host; replaced in tests.
pub trait Resolve: Send + Sync {
    /// Asks the system's resolver. May block for ever.
    fn system(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String>;
    /// Asks the local network.
    fn multicast(&self, name: &str, port: u16) -> Vec<SocketAddr>;
}

/// The resolver of this machine, and multicast DNS.
pub struct Real;

impl Resolve for Real {
    fn system(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        (host, port).to_socket_addrs().map(Iterator::collect).map_err(|e| e.to_string())
    }

    fn multicast(&self, name: &str, port: u16) -> Vec<SocketAddr> {
        multicast::ask(name, port)
    }
}

/// A host that is looked up repeatedly.
pub struct Host {
    name: String,
    port: u16,
    resolve: Arc<dyn Resolve>,
    /// True while the system's resolver has not returned; it is not asked a second time.
    is_hanging: Arc<AtomicBool>,
    question: Option<Question>,
}

struct Question {
    asked: Instant,
    answers: Receiver<Answer>,
    /// Number of resolvers that have not answered yet.
    open: usize,
    /// Addresses from multicast, held back while the system may still answer.
    nearby: Option<Vec<SocketAddr>>,
    why: Option<String>,
}

enum Answer {
    System(Result<Vec<SocketAddr>, String>),
    Multicast(Vec<SocketAddr>),
}

impl Answer {
    /// Removes addresses that cannot belong to one host; also returns one of those.
    fn sifted(self) -> (Self, Option<IpAddr>) {
        let mut refused = None;
        let mut sift = |all: Vec<SocketAddr>| {
            let (hosts, others): (Vec<_>, _) = all.into_iter().partition(|a| is_one_host(a.ip()));
            refused = others.first().map(SocketAddr::ip);
            hosts
        };
        let answer = match self {
            Self::System(found) => Self::System(found.map(&mut sift)),
            Self::Multicast(found) => Self::Multicast(sift(found)),
        };
        (answer, refused)
    }
}

/// Result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Addresses, at least one.
    Addresses(Vec<SocketAddr>),
    /// No address, with the reason.
    Nothing(String),
}

impl Host {
    /// A host by its name or address.
    pub fn new(name: &str, port: u16, resolve: Arc<dyn Resolve>) -> Self {
        Self { name: name.to_owned(), port, resolve, is_hanging: Arc::default(), question: None }
    }

    /// The address, if the host was given as one and needs no lookup.
    pub fn literal(&self) -> Option<SocketAddr> {
        self.name.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, self.port))
    }

    /// True while a lookup is running.
    pub fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// The name to ask multicast DNS for: `x.local` for itself and for `x`.
    fn nearby_name(&self) -> Option<String> {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name);
        let is_local = name.to_ascii_lowercase().ends_with(".local");
        let is_bare = !name.contains(['.', ':', '%']) && !name.eq_ignore_ascii_case("localhost");
        is_local.then(|| name.to_owned()).or_else(|| is_bare.then(|| format!("{name}.local")))
    }

    /// Starts a lookup; [`poll`](Self::poll) returns the result.
    pub fn ask(&mut self) {
        if self.question.is_some() {
            return;
        }
        let (sender, answers) = channel();
        let mut open = 0;
        if !self.is_hanging.swap(true, Relaxed) {
            let (resolve, name, port) = (self.resolve.clone(), self.name.clone(), self.port);
            let is_hanging = self.is_hanging.clone();
            let is_asked = spawn(&sender, move || {
                let found = resolve.system(&name, port);
                is_hanging.store(false, Relaxed);
                Answer::System(found)
            });
            open += usize::from(is_asked);
            if !is_asked {
                self.is_hanging.store(false, Relaxed);
            }
        }
        if let Some(name) = self.nearby_name() {
            let (resolve, port) = (self.resolve.clone(), self.port);
            open += usize::from(spawn(&sender, move || Answer::Multicast(resolve.multicast(&name, port))));
        }
        self.question = Some(Question { asked: Instant::now(), answers, open, nearby: None, why: None });
    }

    /// The result, once it is known.
    pub fn poll(&mut self) -> Option<Found> {
        // The user typed an address with its interface; it needs no sifting.
        let is_typed = self.name.contains('%');
        let question = self.question.as_mut()?;
        loop {
            match question.answers.try_recv() {
                Ok(answer) => {
                    question.open = question.open.saturating_sub(1);
                    let (answer, refused) = if is_typed { (answer, None) } else { answer.sifted() };
                    if let Some(ip) = refused {
                        question.why =
                            Some(format!("its name leads to {ip}, which is not the address of one host"));
                    }
                    match answer {
                        Answer::System(Ok(found)) if !found.is_empty() => {
                            self.question = None;
                            return Some(Found::Addresses(found));
                        }
                        Answer::System(Ok(_)) => {
                            question.why.get_or_insert_with(|| short("the name has no address"));
                        }
                        Answer::System(Err(why)) => {
                            question.why.get_or_insert_with(|| short(&why));
                        }
                        Answer::Multicast(found) => question.nearby = Some(found).filter(|f| !f.is_empty()),
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    question.open = 0;
                    break;
                }
            }
        }
        let waited = question.asked.elapsed();
        let is_local = self.name.trim_end_matches('.').to_ascii_lowercase().ends_with(".local");
        if question.nearby.is_some() && (question.open == 0 || is_local || waited > PRECEDENCE) {
            return self.question.take().and_then(|q| q.nearby).map(Found::Addresses);
        }
        if question.open > 0 && waited < PATIENCE {
            return None;
        }
        let why = match question.why.take() {
            Some(why) => why,
            None => "nobody answers for its name".to_owned(),
        };
        self.question = None;
        Some(Found::Nothing(why))
    }
}

/// Shortens a resolver's error, which begins with words about the resolver itself.
fn short(why: &str) -> String {
    let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(why);
    format!("its name is not known: {why}")
}

/// Asks on a detached thread; false if the system cannot start one.
fn spawn(to: &Sender<Answer>, ask: impl FnOnce() -> Answer + Send + 'static) -> bool {
    let to = to.clone();
    std::thread::Builder::new()
        .name("k1-lookup".into())
        .spawn(move || {
            // The light's own thread may have a high priority; a lookup does not need it.
            crate::runtime::realtime::do_not_hurry();
            // The light may be gone by now.
            let _ = to.send(ask());
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A resolver with given answers after given delays.
    struct Told {
        delay: Duration,
        system: Result<Vec<SocketAddr>, String>,
        multicast: Vec<SocketAddr>,
        asked: Mutex<Vec<String>>,
    }

    impl Resolve for Told {
        fn system(&self, _: &str, _: u16) -> Result<Vec<SocketAddr>, String> {
            std::thread::sleep(self.delay);
            self.system.clone()
        }

        fn multicast(&self, name: &str, _: u16) -> Vec<SocketAddr> {
            self.asked.lock().unwrap().push(name.to_owned());
            self.multicast.clone()
        }
    }

    fn address(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 4048).into()
    }

    fn told(delay: Duration, system: Result<Vec<SocketAddr>, String>, multicast: &[SocketAddr]) -> Arc<Told> {
        Arc::new(Told { delay, system, multicast: multicast.to_vec(), asked: Mutex::default() })
    }

    fn answer(host: &mut Host) -> Found {
        host.ask();
        loop {
            if let Some(found) = host.poll() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_system_knows_best_and_multicast_knows_the_rest() {
        let now = Duration::ZERO;
        let failed = || Err("failed to lookup address information: Name or service not known".to_owned());
        let known = told(now, Ok(vec![address(1)]), &[address(2)]);
        assert_eq!(answer(&mut Host::new("wled", 4048, known)), Found::Addresses(vec![address(1)]));
        let near = told(now, failed(), &[address(2)]);
        for (name, asked) in
            [("wled", "wled.local"), ("wled.local", "wled.local"), ("Wled.LOCAL.", "Wled.LOCAL")]
        {
            assert_eq!(answer(&mut Host::new(name, 4048, near.clone())), Found::Addresses(vec![address(2)]));
            assert_eq!(near.asked.lock().unwrap().pop().unwrap(), asked);
        }
        let Found::Nothing(why) = answer(&mut Host::new("wled.lan", 4048, near.clone())) else { panic!() };
        assert_eq!(why, "its name is not known: Name or service not known");
        assert!(
            near.asked.lock().unwrap().is_empty(),
            "a name with a dot does not belong to the local network"
        );
        let nobody = told(now, failed(), &[]);
        assert!(matches!(answer(&mut Host::new("wled.local", 4048, nobody)), Found::Nothing(_)));
    }

    #[test]
    fn a_resolver_that_hangs_is_not_waited_for_and_not_asked_twice() {
        let hanging = told(Duration::from_secs(3_600), Err(String::new()), &[address(2)]);
        let mut host = Host::new("wled.local", 4048, hanging.clone());
        let began = Instant::now();
        assert_eq!(answer(&mut host), Found::Addresses(vec![address(2)]));
        assert_eq!(answer(&mut host), Found::Addresses(vec![address(2)]), "multicast is asked again alone");
        assert!(began.elapsed() < Duration::from_secs(30));
        let mut host = Host::new("wled.lan", 4048, hanging);
        assert_eq!(answer(&mut host), Found::Nothing("nobody answers for its name".into()));
        assert!(host.is_hanging.load(Relaxed));
        let began = Instant::now();
        assert!(matches!(answer(&mut host), Found::Nothing(_)));
        assert!(began.elapsed() < PATIENCE, "nobody was asked, so nobody is waited for");
    }

    #[test]
    fn an_answer_is_the_address_of_one_host_or_none() {
        for wrong in ["224.0.0.251", "239.1.2.3", "255.255.255.255", "0.0.0.0", "0.1.2.3", "::", "ff02::1"]
            .into_iter()
            .chain(["::ffff:224.0.0.1", "::ffff:0.0.0.0", "::ffff:255.255.255.255"])
        {
            let wrong = SocketAddr::new(wrong.parse().unwrap(), 4048);
            for (system, nearby) in [
                (Ok(vec![wrong]), vec![]),
                (Err("not known".to_owned()), vec![wrong]),
                (Ok(vec![wrong, wrong]), vec![wrong]),
            ] {
                let liar = told(Duration::ZERO, system, &nearby);
                let Found::Nothing(why) = answer(&mut Host::new("wled.local", 4048, liar)) else {
                    panic!("{wrong} was taken for a light")
                };
                assert!(why.contains(&wrong.ip().to_string()), "{why}");
                assert!(why.contains("not the address of one host"), "{why}");
            }
            // K1 takes the correct address.
            let both = told(Duration::ZERO, Ok(vec![wrong, address(1)]), &[]);
            assert_eq!(answer(&mut Host::new("wled", 4048, both)), Found::Addresses(vec![address(1)]));
            let near = told(Duration::ZERO, Ok(vec![wrong]), &[wrong, address(2)]);
            assert_eq!(answer(&mut Host::new("wled.local", 4048, near)), Found::Addresses(vec![address(2)]));
        }
        for right in ["127.0.0.1", "10.0.0.255", "169.254.1.1", "fe80::7", "::1", "fd01::2"] {
            assert!(is_one_host(right.parse().unwrap()), "{right}");
        }
        // K1 uses an address that the user typed as it is, with or without an interface.
        let typed: SocketAddr = "[ff02::1%1]:4048".parse().unwrap();
        let all = told(Duration::ZERO, Ok(vec![typed]), &[]);
        assert_eq!(answer(&mut Host::new("ff02::1%lo", 4048, all)), Found::Addresses(vec![typed]));
    }

    #[test]
    fn an_address_is_its_own_answer() {
        let real: Arc<dyn Resolve> = Arc::new(Real);
        assert_eq!(Host::new("10.0.0.7", 4048, real.clone()).literal(), Some(address(7)));
        assert!(Host::new("fe80::7", 4048, real.clone()).literal().is_some());
        // Only the system knows this interface; it may appear later.
        assert_eq!(Host::new("fe80::7%eth0", 4048, real).literal(), None);
    }
}
