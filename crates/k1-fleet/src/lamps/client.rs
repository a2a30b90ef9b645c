//! Requests to a lamp, and its answers as the types of `k1-device`.

use std::fmt;
use std::time::Duration;

use k1_device::answers::{BootLog, Device, DeviceInfo, SelfTest, Status};
use k1_device::firmware::{Firmware, GoingBack};
use k1_device::harmless::{harmless, harmless_lines};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Body;
use ureq::http::Response;

use super::address::Address;
use super::tokens;
use k1_host::foreign;

/// A lamp that takes longer to connect is not there.
const CONNECT: Duration = Duration::from_secs(4);
/// A lamp that takes longer to answer hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// A whole update has gone after this, on however slow a network.
const UPLOAD: Duration = Duration::from_secs(300);
/// How often a request that came too soon is repeated.
const MOST_TRIES: u32 = 20;

/// How often a connection is tried again that the lamp has refused: it serves a few at once and has no queue.
const MOST_KNOCKS: u32 = 5;
/// Pause before another try.
const KNOCK_AGAIN: Duration = Duration::from_millis(300);
/// A connection that ended after more bytes than this was not refused at its beginning.
const DOORSTEP: usize = 64 * 1024;

/// What became of a request.
type Answered = Result<Response<Body>, ureq::Error>;

/// True if the connection was taken away at once: also a kept one that the lamp gave up just as it was used again (RFC
/// 9112, 9.3.1).
fn was_turned_away(e: &ureq::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(e, ureq::Error::Io(io) if matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}

/// Why a lamp could not be asked; as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not answer.
    Away {
        /// Which lamp.
        label: String,
        /// What the network said.
        why: String,
    },
    /// It wants another token.
    Locked {
        /// Which lamp.
        label: String,
    },
    /// It refused.
    Refused {
        /// Which lamp.
        label: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It answers, but not as a K1 of this version does.
    Strange {
        /// Which lamp.
        label: String,
        /// What was not understood.
        what: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Away { label, why } => write!(
                f,
                "{label} does not answer ({why}); is it on, on this network, and is the address right?"
            ),
            Self::Locked { label } => write!(
                f,
                "{label} wants its token: give the whole address that its console or its QR code shows \
                 (http://…/#token=…) once, or --token TOKEN"
            ),
            Self::Refused { label, status, message } => write!(f, "{label} refused ({status}): {message}"),
            Self::Strange { label, what } => write!(
                f,
                "{label} does not answer as a K1 of this version does ({what}); \
                 is it one, and is its firmware as new as this program?"
            ),
        }
    }
}

impl std::error::Error for Trouble {}

/// A lamp to talk to.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    agent: ureq::Agent,
}

impl Client {
    /// Nothing is said yet.
    pub fn new(address: Address) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .build()
            .into();
        Self { address, agent }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn strange(&self, what: impl fmt::Display) -> Trouble {
        Trouble::Strange { label: self.address.label.clone(), what: harmless(&what.to_string()).into_owned() }
    }

    /// Puts a request, and again while the lamp turns it away at the door; `put` says, too, whether it may be put again.
    fn knock(&self, mut put: impl FnMut() -> (Answered, bool)) -> Result<Response<Body>, Trouble> {
        let mut knocks = 0;
        loop {
            match put() {
                (Err(e), true) if knocks < MOST_KNOCKS && was_turned_away(&e) => {
                    knocks += 1;
                    std::thread::sleep(KNOCK_AGAIN);
                }
                (answered, _) => return answered.map_err(|e| self.away(e)),
            }
        }
    }

    fn away(&self, why: impl fmt::Display) -> Trouble {
        Trouble::Away { label: self.address.label.clone(), why: harmless(&why.to_string()).into_owned() }
    }

    /// The meaning of an answer that is not a success.
    fn refusal(&self, status: u16, said: &Value) -> Trouble {
        let label = self.address.label.clone();
        let message = || harmless(said["message"].as_str().unwrap_or("it did not say why")).into_owned();
        if status == 401 {
            Trouble::Locked { label }
        } else {
            Trouble::Refused { label, status, message: message() }
        }
    }

    /// One request, put again when it came too soon; the body of its answer.
    fn ask(&self, path: &str, body: Option<&Value>) -> Result<Vec<u8>, Trouble> {
        let url = format!("http://{}{path}", self.address.authority);
        let bearer = self.address.token.as_ref().map(|t| format!("Bearer {t}"));
        let mut tries = 0;
        loop {
            let mut answer = self.knock(|| match body {
                None => {
                    let mut request = self.agent.get(&url);
                    if let Some(bearer) = &bearer {
                        request = request.header("Authorization", bearer);
                    }
                    (request.call(), true)
                }
                Some(body) => {
                    let mut request = self.agent.post(&url).header("Content-Type", "application/json");
                    if let Some(bearer) = &bearer {
                        request = request.header("Authorization", bearer);
                    }
                    (request.send(body.to_string()), false)
                }
            })?;
            let status = answer.status().as_u16();
            let wait =
                answer.headers().get("x-ratelimit-nextallowedms").and_then(|v| v.to_str().ok()?.parse().ok());
            let bytes = answer.body_mut().read_to_vec().map_err(|e| self.away(e))?;
            return match status {
                200..=299 => Ok(bytes),
                429 if tries < MOST_TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(wait.unwrap_or(200)));
                    continue;
                }
                _ => Err(self.refusal(status, &serde_json::from_slice(&bytes).unwrap_or_default())),
            };
        }
    }

    /// GET of a path.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.read(path, &self.ask(path, None)?)
    }

    /// An answer as it is to be used: what a lamp says of itself may be anything, and is cleaned here.
    fn read<T: DeserializeOwned>(&self, path: &str, answer: &[u8]) -> Result<T, Trouble> {
        let mut value: Value =
            serde_json::from_slice(answer).map_err(|e| self.strange(format_args!("{path}: {e}")))?;
        foreign::clean(&mut value);
        serde_json::from_value(value).map_err(|e| self.strange(format_args!("{path}: {e}")))
    }

    /// GET of a path whose answer is text.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn text(&self, path: &str) -> Result<String, Trouble> {
        let text = String::from_utf8(self.ask(path, None)?)
            .map_err(|e| self.strange(format_args!("{path}: {e}")))?;
        Ok(harmless_lines(&text).into_owned())
    }

    /// POST to a path.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Trouble> {
        self.read(path, &self.ask(path, Some(body))?)
    }

    /// Who it is. The token that opened it is remembered.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn info(&self) -> Result<DeviceInfo<'static>, Trouble> {
        let info: DeviceInfo = self.get("/api/device/info")?;
        if info.device != k1_device::backend::DEVICE {
            return Err(self.strange(format_args!("it calls itself {}", info.device)));
        }
        // A virtual lamp's note has its token, which is another at each start.
        if let (Some(token), None) = (&self.address.token, self.address.sound) {
            // Where it cannot be kept, the user gives it again.
            let _ = tokens::remember(&[&self.address.label, &self.address.authority], token);
        }
        Ok(info)
    }

    /// Its name.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn name(&self) -> Result<String, Trouble> {
        let setup: Value = self.get("/api/v1/setup")?;
        setup["name"].as_str().map(str::to_owned).ok_or_else(|| self.strange("it has no name"))
    }

    /// What it measures.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn status(&self) -> Result<Status<'static>, Trouble> {
        self.get("/api/v1/status")
    }

    /// State of its hardware.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn device(&self) -> Result<Device<'static>, Trouble> {
        self.get("/api/v1/device")
    }

    /// Its firmware, as values and as it was said.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn firmware(&self) -> Result<(Firmware, Value), Trouble> {
        let raw: Value = self.get("/api/v1/firmware")?;
        let state = serde_json::from_value(raw.clone()).map_err(|e| self.strange(e))?;
        Ok((state, raw))
    }

    /// Sends new firmware, and tells `progress` how many bytes have gone; the lamp's answer.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn install(&self, update: &[u8], mut progress: impl FnMut(usize)) -> Result<Value, Trouble> {
        let url = format!("http://{}/api/v1/firmware", self.address.authority);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(UPLOAD))
            .build()
            .into();
        let mut answer = self.knock(|| {
            let mut request = agent
                .put(&url)
                .header("Content-Type", "application/octet-stream")
                .header("Content-Length", update.len().to_string());
            if let Some(token) = &self.address.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let mut counted = Counted { bytes: update, gone: 0, progress: &mut progress };
            let answered = request.send(ureq::SendBody::from_reader(&mut counted));
            (answered, counted.gone < DOORSTEP)
        })?;
        let status = answer.status().as_u16();
        let mut said: Value = answer.body_mut().read_json().unwrap_or_default();
        foreign::clean(&mut said);
        if status == 200 { Ok(said) } else { Err(self.refusal(status, &said)) }
    }

    /// Sends it back to the firmware before.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn roll_back(&self) -> Result<GoingBack, Trouble> {
        self.post("/api/v1/rollback", &json!({}))
    }

    /// Tells it which keys to trust: a statement in base64.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn set_keys(&self, statement: &str) -> Result<Firmware, Trouble> {
        self.post("/api/v1/keys", &json!({"statement": statement}))
    }

    /// The first lines of its console.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn boot_log(&self) -> Result<BootLog, Trouble> {
        self.get("/api/v1/boot-log")
    }

    /// How its self-test stands.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn self_test(&self) -> Result<SelfTest, Trouble> {
        self.get("/api/v1/self-test")
    }

    /// Starts its self-test.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn start_self_test(&self, reads: u32) -> Result<SelfTest, Trouble> {
        self.post("/api/v1/self-test", &json!({"reads": reads}))
    }
}

/// Bytes that say how many of them have gone.
struct Counted<'a, P> {
    bytes: &'a [u8],
    gone: usize,
    progress: P,
}

impl<P: FnMut(usize)> std::io::Read for Counted<'_, P> {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        let n = place.len().min(self.bytes.len() - self.gone);
        place[..n].copy_from_slice(&self.bytes[self.gone..self.gone + n]);
        self.gone += n;
        (self.progress)(self.gone);
        Ok(n)
    }
}
