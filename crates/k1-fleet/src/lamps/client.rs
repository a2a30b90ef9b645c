//! Requests to a lamp, with answers as the types of `k1-device`.

use std::fmt::Display;
use std::time::Duration;

use k1_device::answers::{BootLog, Device, DeviceInfo, SelfTest, Status};
use k1_device::firmware::{Firmware, GoingBack};
use k1_device::harmless::{harmless, harmless_lines};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::Body;
use ureq::http::{Method, Request, Response};

use super::address::Address;
use super::tokens;
use super::trouble::Trouble;
use k1_host::foreign;

/// Time to connect; a lamp that takes longer is not there.
const CONNECT: Duration = Duration::from_secs(4);
/// Time to answer; a lamp that takes longer hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// Time to send a whole update, even over a slow network.
const UPLOAD: Duration = Duration::from_secs(300);
/// Most times that a request is sent again because it came too early.
const MOST_TRIES: u32 = 20;

/// Most times that a refused connection is tried again. A lamp serves a few connections at once and has no queue.
const MOST_KNOCKS: u32 = 5;
/// Pause before connecting again.
const KNOCK_AGAIN: Duration = Duration::from_millis(300);
/// A connection that ended after more bytes than this was not refused at its beginning.
const DOORSTEP: usize = 64 * 1024;

/// Result of a request.
type Answered = Result<Response<Body>, ureq::Error>;

/// True if the lamp refused the connection at once. This includes a kept connection that the lamp closed just when it
/// was used again (RFC 9112, 9.3.1).
fn was_turned_away(e: &ureq::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(e, ureq::Error::Io(io) if matches!(io.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}

/// A client for one lamp.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    agent: ureq::Agent,
}

impl Client {
    /// A client; does not send anything yet.
    pub fn new(address: Address) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .build()
            .into();
        Self { address, agent }
    }

    /// Address of the lamp.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn strange(&self, what: impl Display) -> Trouble {
        Trouble::Strange { label: self.address.label.clone(), what: harmless(&what.to_string()).into_owned() }
    }

    /// Sends a request, and sends it again while the lamp refuses the connection. `put` also returns whether the
    /// request may be sent again.
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

    fn away(&self, why: impl Display) -> Trouble {
        Trouble::Away { label: self.address.label.clone(), why: harmless(&why.to_string()).into_owned() }
    }

    /// The meaning of an answer that is not a success.
    fn refusal(&self, status: u16, said: &Value) -> Trouble {
        let label = self.address.label.clone();
        let message = || harmless(said["message"].as_str().unwrap_or("it gave no reason")).into_owned();
        if status == 401 {
            Trouble::Locked { label }
        } else {
            let code = harmless(said["error"].as_str().unwrap_or_default()).into_owned();
            Trouble::Refused { label, status, code, message: message() }
        }
    }

    /// Sends one request, again if it came too early; returns the body of the answer.
    fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Vec<u8>, Trouble> {
        let url = format!("http://{}{path}", self.address.authority);
        let bearer = self.address.token.as_ref().map(|t| format!("Bearer {t}"));
        let body = body.map(Value::to_string);
        // Twice the same, these do what they do once.
        let may_repeat = [Method::GET, Method::PUT].contains(method);
        let mut tries = 0;
        loop {
            let mut answer = self.knock(|| {
                let mut request = Request::builder().method(method).uri(&url);
                if let Some(bearer) = &bearer {
                    request = request.header("Authorization", bearer);
                }
                let answered = match &body {
                    None => request.body(()).map(|request| self.agent.run(request)),
                    Some(body) => request
                        .header("Content-Type", "application/json")
                        .body(body.as_str())
                        .map(|request| self.agent.run(request)),
                };
                (answered.unwrap_or_else(|e| Err(e.into())), may_repeat)
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
    /// [`Trouble`] if the lamp could not be asked.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.read(path, &self.ask(&Method::GET, path, None)?)
    }

    /// Parses an answer. A lamp's text may contain anything, so it is cleaned here.
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
    /// [`Trouble`] if the lamp could not be asked.
    pub fn text(&self, path: &str) -> Result<String, Trouble> {
        let text = String::from_utf8(self.ask(&Method::GET, path, None)?)
            .map_err(|e| self.strange(format_args!("{path}: {e}")))?;
        Ok(harmless_lines(&text).into_owned())
    }

    /// POST to a path.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Trouble> {
        self.send(&Method::POST, path, Some(body))
    }

    /// PUT to a path.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Trouble> {
        self.send(&Method::PUT, path, Some(body))
    }

    /// DELETE of a path.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.send(&Method::DELETE, path, None)
    }

    /// Sends a request and parses its answer.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn send<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Trouble> {
        self.read(path, &self.ask(method, path, body)?)
    }

    /// The lamp's identity. Remembers the token that the lamp accepted.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn info(&self) -> Result<DeviceInfo<'static>, Trouble> {
        let info: DeviceInfo = self.get("/api/device/info")?;
        if info.device != k1_device::backend::DEVICE {
            return Err(self.strange(format_args!("it calls itself {}", info.device)));
        }
        // The token of a virtual lamp is in its file, and is another one at each start.
        if let (Some(token), None) = (&self.address.token, self.address.sound) {
            // If it cannot be saved, the user gives it again.
            let _ = tokens::remember(&[&self.address.label, &self.address.authority], token);
        }
        Ok(info)
    }

    /// Name of the lamp.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn name(&self) -> Result<String, Trouble> {
        let setup: Value = self.get("/api/v1/setup")?;
        setup["name"].as_str().map(str::to_owned).ok_or_else(|| self.strange("it has no name"))
    }

    /// Figures of the lamp.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn status(&self) -> Result<Status<'static>, Trouble> {
        self.get("/api/v1/status")
    }

    /// State of the lamp's hardware.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn device(&self) -> Result<Device<'static>, Trouble> {
        self.get("/api/v1/device")
    }

    /// State of the lamp's firmware, parsed and as received.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn firmware(&self) -> Result<(Firmware, Value), Trouble> {
        let raw: Value = self.get("/api/v1/firmware")?;
        let state = serde_json::from_value(raw.clone()).map_err(|e| self.strange(e))?;
        Ok((state, raw))
    }

    /// Sends new firmware; calls `progress` with the number of bytes sent. Returns the lamp's answer.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses the firmware.
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

    /// Rolls the lamp back to its previous firmware.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn roll_back(&self) -> Result<GoingBack, Trouble> {
        self.post("/api/v1/rollback", &json!({}))
    }

    /// Tells the lamp which keys to trust. `statement` is in base64.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn set_keys(&self, statement: &str) -> Result<Firmware, Trouble> {
        self.post("/api/v1/keys", &json!({"statement": statement}))
    }

    /// The first lines of the lamp's console.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn boot_log(&self) -> Result<BootLog, Trouble> {
        self.get("/api/v1/boot-log")
    }

    /// State of the lamp's self-test.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked.
    pub fn self_test(&self) -> Result<SelfTest, Trouble> {
        self.get("/api/v1/self-test")
    }

    /// Starts the lamp's self-test with `reads` reads.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if the lamp could not be asked, or refuses.
    pub fn start_self_test(&self, reads: u32) -> Result<SelfTest, Trouble> {
        self.post("/api/v1/self-test", &json!({"reads": reads}))
    }
}

/// A reader that reports how many bytes were read.
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
