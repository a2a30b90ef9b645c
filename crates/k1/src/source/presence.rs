//! Whether live sound arrives. The listening thread writes it; console, API, page and metrics read it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_device::answers::LiveSound;
use k1_device::harmless::harmless;

use super::Kind;

/// The state of one live source. Clones share the state.
#[derive(Clone, Debug)]
pub struct Presence {
    kind: Option<Kind>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    title: String,
    reason: Option<String>,
    since: Instant,
}

impl Presence {
    /// A source that has not delivered sound yet, with its name and the reason.
    pub fn waiting_for(kind: Option<Kind>, title: &str, reason: &str) -> Self {
        let state = State {
            title: harmless(title).into(),
            reason: Some(harmless(reason).into()),
            since: Instant::now(),
        };
        Self { kind, state: Arc::new(Mutex::new(state)) }
    }

    /// True for a microphone, false for the sound that the computer plays.
    pub fn is_microphone(&self) -> bool {
        self.kind == Some(Kind::Mic)
    }

    /// True for a sound device of this machine.
    pub fn is_device(&self) -> bool {
        self.kind.is_some()
    }

    /// Records that sound arrives from `title`.
    pub fn listens(&self, title: &str) {
        let mut state = self.lock();
        if state.reason.take().is_some() {
            state.since = Instant::now();
        }
        state.title = harmless(title).into();
    }

    /// Records that no sound arrives, with the reason.
    pub fn waits(&self, reason: String) {
        let mut state = self.lock();
        if state.reason.replace(harmless(&reason).into()).is_none() {
            state.since = Instant::now();
        }
    }

    /// Name of the source, for people.
    pub fn title(&self) -> String {
        self.lock().title.clone()
    }

    /// Why no sound arrives; `None` while it does.
    pub fn reason(&self) -> Option<String> {
        self.lock().reason.clone()
    }

    /// Time since the last change between the two.
    pub fn lasts(&self) -> Duration {
        self.lock().since.elapsed()
    }

    /// The state as the API returns it.
    pub fn answer(&self) -> LiveSound<'static> {
        let state = self.lock();
        LiveSound {
            connected: state.reason.is_none(),
            name: state.title.clone().into(),
            reason: state.reason.clone().map(Into::into),
            for_s: state.since.elapsed().as_secs_f64(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_lasts_from_its_change_on_and_a_new_reason_does_not_begin_it_anew() {
        let presence = Presence::waiting_for(Some(Kind::Mic), "microphone", "no server");
        std::thread::sleep(Duration::from_millis(30));
        presence.waits("no microphone".into());
        assert!(presence.lasts() >= Duration::from_millis(30));
        assert_eq!(presence.reason().as_deref(), Some("no microphone"));
        presence.listens("USB microphone");
        assert!(presence.lasts() < Duration::from_secs(5) && presence.reason().is_none());
        let answer = presence.answer();
        assert!(answer.connected && answer.name == "USB microphone" && answer.reason.is_none());
    }
}
