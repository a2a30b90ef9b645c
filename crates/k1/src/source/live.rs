//! Keeps live sound running. A separate thread owns the connection and makes a new one whenever it is lost. The reader
//! gets sound or silence, but never an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::inlet::Inlet;
use super::presence::Presence;
use super::{Error, Kind, Source};

/// Pause before the first retry; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause, so that sound returns soon after the server.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Duration of a good connection, after which the pause is short again.
const GOOD: Duration = Duration::from_secs(2);
/// Time that the start waits for the first answer, so that the first message is true.
const FIRST_ANSWER: Duration = Duration::from_millis(2_500);
/// Time after which a changed reason is reported: a server that has just started has no devices yet.
const LASTING: Duration = Duration::from_secs(4);

/// An open connection to live sound.
pub trait Line {
    /// Name of the sound, for people.
    fn title(&self) -> String;

    /// Waits at most a tenth of a second for sound and appends it to `sound` as mono samples at the engine's rate.
    fn hear(&mut self, sound: &mut Vec<f32>) -> Result<Flow, Error>;
}

/// State of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Working, even if there was no sound.
    Fine,
    /// The other end does not answer at the moment.
    #[cfg_attr(
        feature = "native-audio",
        allow(dead_code, reason = "a system's own interface always answers")
    )]
    Hangs,
    /// Another device is to be heard; reconnect at once.
    Elsewhere,
}

/// Makes a connection. Called for each new one, always on the same thread.
pub type Connect = Box<dyn FnMut() -> Result<Box<dyn Line>, Error> + Send>;

/// Live sound that reconnects by itself.
pub struct LiveSource {
    inlet: Arc<Inlet>,
    presence: Presence,
    ends: Arc<AtomicBool>,
}

impl LiveSource {
    /// Starts to listen, and waits a moment for the first result.
    pub fn start(kind: Kind, name: Option<&str>, connect: Connect) -> Result<Self, Error> {
        let wanted = super::wanted(kind, name);
        let inlet = Arc::new(Inlet::default());
        let presence = Presence::waiting_for(Some(kind), &wanted, "it has not answered yet");
        let ends = Arc::new(AtomicBool::new(false));
        let (said, answered) = std::sync::mpsc::sync_channel(1);
        let keeper = Keeper {
            inlet: inlet.clone(),
            presence: presence.clone(),
            ends: ends.clone(),
            said: Some(said),
            state: State::New,
        };
        std::thread::Builder::new()
            .name("k1-live".into())
            .spawn(move || keeper.run(connect))
            .map_err(|e| Error::NoServer(format!("the system cannot start a thread: {e}")))?;
        // A later answer is reported when it arrives.
        let _ = answered.recv_timeout(FIRST_ANSWER);
        Ok(Self { inlet, presence, ends })
    }
}

impl Source for LiveSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        Ok(self.inlet.read(out))
    }

    fn title(&self) -> String {
        self.presence.title()
    }

    fn is_live(&self) -> bool {
        true
    }

    fn presence(&self) -> Option<Presence> {
        Some(self.presence.clone())
    }

    fn overruns(&self) -> u32 {
        self.inlet.skips()
    }

    fn is_away(&self) -> bool {
        self.inlet.is_silent()
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        // The thread may be waiting for a server; do not wait for it.
        self.ends.store(true, Relaxed);
    }
}

/// The last message on the console.
#[derive(Debug)]
enum State {
    /// No message yet.
    New,
    /// That K1 listens to this.
    Listens(String),
    /// That it waits, for this reason; and a newer reason, with the time it came up.
    Waits { kind: std::mem::Discriminant<Error>, newer: Option<(std::mem::Discriminant<Error>, Instant)> },
}

/// The thread that keeps the connection.
struct Keeper {
    inlet: Arc<Inlet>,
    presence: Presence,
    ends: Arc<AtomicBool>,
    said: Option<std::sync::mpsc::SyncSender<()>>,
    state: State,
}

impl Keeper {
    fn run(mut self, mut connect: Connect) {
        let mut pause = FIRST_PAUSE;
        while !self.ends() {
            let mut connected = None;
            let ended = connect().and_then(|mut line| {
                connected = Some(Instant::now());
                self.listen(line.as_mut())
            });
            self.inlet.lost();
            // An attempt that fails late was not a connection.
            if connected.is_some_and(|at| at.elapsed() > GOOD) {
                pause = FIRST_PAUSE;
            }
            match ended {
                // Not immediately each time, so that a server with contradictory answers is not flooded.
                Ok(()) => self.sleep(Duration::from_millis(50)),
                Err(why) => {
                    self.waits(&why);
                    self.sleep(pause);
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Listens until another device is to be heard.
    fn listen(&mut self, line: &mut dyn Line) -> Result<(), Error> {
        let mut sound = Vec::new();
        self.listens(&line.title());
        while !self.ends() {
            sound.clear();
            match line.hear(&mut sound)? {
                Flow::Elsewhere => return Ok(()),
                Flow::Hangs => self.waits(&Error::Hangs),
                Flow::Fine => {
                    self.inlet.push(&sound);
                    self.listens(&line.title());
                }
            }
        }
        Ok(())
    }

    fn listens(&mut self, title: &str) {
        let again = match &self.state {
            State::Listens(said) if said == title => return,
            // At the start, the line with the source's name reports success.
            State::New => None,
            State::Listens(_) => Some("listening now"),
            State::Waits { .. } => Some("listening again"),
        };
        self.presence.listens(title);
        if let Some(again) = again {
            k1_host::say(format_args!("k1: {again}: {title}"));
        }
        self.state = State::Listens(title.to_owned());
        self.answered();
    }

    fn waits(&mut self, why: &Error) {
        self.presence.waits(why.to_string());
        let kind = std::mem::discriminant(why);
        let again = match &mut self.state {
            State::New => "",
            State::Listens(_) => " again",
            State::Waits { kind: said, newer } => {
                if *said == kind {
                    *newer = None;
                    return;
                }
                match newer {
                    Some((newer, since)) if *newer == kind => {
                        if since.elapsed() < LASTING {
                            return;
                        }
                    }
                    _ => {
                        *newer = Some((kind, Instant::now()));
                        return;
                    }
                }
                ""
            }
        };
        k1_host::say(format_args!("k1: {}", Wait { why, again }));
        self.state = State::Waits { kind, newer: None };
        self.answered();
    }

    fn answered(&mut self) {
        if let Some(said) = self.said.take() {
            // The reader may be gone.
            let _ = said.send(());
        }
    }

    fn ends(&self) -> bool {
        self.ends.load(Relaxed)
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.ends() && Instant::now() < until {
            std::thread::sleep((until - Instant::now().min(until)).min(Duration::from_millis(50)));
        }
    }
}

/// That K1 waits, and until when.
struct Wait<'a> {
    why: &'a Error,
    again: &'a str,
}

impl fmt::Display for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { why, again } = self;
        let until = match why {
            Error::NoServer(_) => "one answers",
            Error::Gone(_) => "it is back",
            Error::Hangs => "it does",
            _ => "it is there",
        };
        write!(f, "{why}; K1 listens{again} as soon as {until}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;

    /// What a connection of a test does, one after the other.
    #[derive(Clone, Copy)]
    enum Does {
        Refuses,
        /// After more time than a good connection lasts.
        RefusesLate,
        Speaks(u32),
        Hangs(u32),
        Moves,
    }

    struct Played {
        does: Does,
        left: u32,
        number: usize,
    }

    impl Line for Played {
        fn title(&self) -> String {
            format!("line {}", self.number)
        }

        fn hear(&mut self, sound: &mut Vec<f32>) -> Result<Flow, Error> {
            std::thread::sleep(Duration::from_millis(10));
            if self.left == 0 {
                return Err(Error::Gone(self.title()));
            }
            self.left -= 1;
            match self.does {
                Does::Hangs(_) => Ok(Flow::Hangs),
                Does::Moves => Ok(Flow::Elsewhere),
                _ => {
                    sound.resize(160, 0.5);
                    Ok(Flow::Fine)
                }
            }
        }
    }

    fn connect(script: Vec<Does>, attempts: Arc<AtomicU32>) -> Connect {
        let script = Mutex::new(script.into_iter());
        Box::new(move || {
            let number = attempts.fetch_add(1, Relaxed) as usize;
            match script.lock().unwrap().next().unwrap_or(Does::Speaks(u32::MAX)) {
                Does::RefusesLate => {
                    std::thread::sleep(GOOD + Duration::from_millis(50));
                    Err(Error::Hangs)
                }
                Does::Refuses => Err(Error::NoServer("it is a test".into())),
                does => {
                    let left = match does {
                        Does::Speaks(n) | Does::Hangs(n) => n,
                        _ => u32::MAX,
                    };
                    Ok(Box::new(Played { does, left, number }))
                }
            }
        })
    }

    /// Reads until `until` says so; returns how many samples of silence and of sound there were.
    fn read(source: &mut LiveSource, mut until: impl FnMut(&LiveSource) -> bool) -> (usize, usize) {
        let (mut silence, mut sound) = (0, 0);
        let mut out = [9.0; 128];
        let began = Instant::now();
        while !until(source) {
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", source.presence);
            let n = source.read(&mut out).unwrap();
            assert!(n > 0, "live sound does not end");
            out[..n].iter().for_each(|x| if *x == 0.0 { silence += 1 } else { sound += 1 });
        }
        (silence, sound)
    }

    #[test]
    fn whatever_its_connections_do_a_live_source_reads_on_and_hears_again() {
        let scripts: [&[Does]; 4] = [
            &[Does::Refuses, Does::Refuses, Does::Speaks(3), Does::Refuses],
            &[Does::Speaks(20), Does::Speaks(0), Does::Speaks(1)],
            &[Does::Moves, Does::Moves, Does::Moves],
            &[Does::Hangs(100), Does::Refuses, Does::Hangs(3)],
        ];
        for (i, script) in scripts.iter().enumerate() {
            let attempts = Arc::new(AtomicU32::new(0));
            let connect = connect(script.to_vec(), attempts.clone());
            let mut source = LiveSource::start(Kind::Mic, None, connect).unwrap();
            let last = format!("line {}", script.len());
            let (silence, sound) = read(&mut source, |s| s.title() == last && s.presence.reason().is_none());
            assert_eq!(attempts.load(Relaxed) as usize, script.len() + 1, "script {i}");
            assert!(i == 2 || silence > 0, "script {i}: {silence} of silence, {sound} of sound");
            let mut rest = [0.0; 128];
            let until = Instant::now() + Duration::from_secs(10);
            while rest[0] == 0.0 && Instant::now() < until {
                source.read(&mut rest).unwrap();
            }
            assert_eq!(rest[0], 0.5, "script {i} ends with sound");
        }
    }

    #[test]
    fn without_any_connection_silence_goes_on_at_the_pace_of_real_time_and_attempts_become_rare() {
        let attempts = Arc::new(AtomicU32::new(0));
        let mut source =
            LiveSource::start(Kind::Monitor, Some("x"), connect(vec![Does::Refuses; 99], attempts.clone()))
                .unwrap();
        assert!(source.presence.reason().unwrap().contains("it is a test"), "{:?}", source.presence);
        let began = Instant::now();
        let (silence, sound) = read(&mut source, |_| began.elapsed() > Duration::from_secs(4));
        let due = 16_000.0 * began.elapsed().as_secs_f64();
        assert_eq!(sound, 0);
        // If a busy machine misses silence, at most a tenth of a second of it is made up for.
        assert!(silence as f64 <= due + 2_000.0 && silence as f64 > 0.5 * due, "{silence} of {due}");
        assert!((2..=6).contains(&attempts.load(Relaxed)), "{} attempts in 4 s", attempts.load(Relaxed));
    }

    #[test]
    fn attempts_become_rare_also_if_each_takes_long() {
        let attempts = Arc::new(AtomicU32::new(0));
        let connect = connect(vec![Does::RefusesLate; 99], attempts.clone());
        let _source = LiveSource::start(Kind::Monitor, None, connect).unwrap();
        std::thread::sleep(Duration::from_millis(9_500));
        assert!((2..=4).contains(&attempts.load(Relaxed)), "{} attempts in 9.5 s", attempts.load(Relaxed));
    }

    #[test]
    fn what_is_said_tells_why_and_until_when() {
        let says = |why: &Error, again| Wait { why, again }.to_string();
        let gone = Error::Gone("the sound server".into());
        assert_eq!(
            says(&gone, " again"),
            "the sound server has gone away; K1 listens again as soon as it is back"
        );
        assert_eq!(
            says(&Error::Hangs, " again"),
            "the sound server does not answer; K1 listens again as soon as it does"
        );
        let none =
            Error::NoDevice { wanted: "microphone called “x”".into(), available: vec!["a".into()] };
        let said = says(&none, "");
        assert!(
            said.contains("microphone called “x”") && said.contains(": a; K1 listens as soon as it is there")
        );
    }
}
