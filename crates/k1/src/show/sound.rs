//! What K1 hears, and another source in its place.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::{NextSource, Reopen, Shared};
use crate::source::{self, Input, Source};

/// Longest time that a new source is waited for after it was opened.
const PATIENCE: Duration = Duration::from_secs(2);

/// The source that K1 hears. The page and the show file may change it.
pub struct Sound {
    shared: Arc<Shared>,
    current: Arc<Mutex<Input>>,
}

impl Sound {
    /// K1 hears `input` already.
    pub fn new(input: Input, shared: Arc<Shared>) -> Self {
        Self { shared, current: Arc::new(Mutex::new(input)) }
    }

    fn lock(&self) -> MutexGuard<'_, Input> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The source that K1 hears.
    pub fn current(&self) -> Input {
        self.lock().clone()
    }

    /// Hears another source, in the form of a show file at `show_file`. Waits until it is open, for seconds if it is live.
    ///
    /// # Errors
    ///
    /// A sentence if it cannot be opened. The source before goes on.
    pub fn change(&self, text: &str, show_file: &Path) -> Result<Input, String> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("a source has a name, such as demo, mic or monitor; `k1 sources` lists them".into());
        }
        let input = Input::from(OsString::from(text)).beside(show_file);
        match &input {
            Input::Stdin => {
                return Err("K1 hears standard input only from its start on: k1 run -".into());
            }
            // Opening a pipe waits for its writer.
            Input::File(path) if std::fs::metadata(path).is_ok_and(|is| !is.is_file() && !is.is_dir()) => {
                return Err(format!("{} is neither a file nor a folder", path.display()));
            }
            _ => {}
        }
        // One change at a time.
        let mut current = self.lock();
        if *current == input {
            return Ok(input);
        }
        let source = source::open_in_time(&input, RATE).map_err(|e| e.to_string())?;
        answers(source.as_ref())?;
        let reopen = input.is_repeatable().then(|| self.again(input.clone()));
        self.shared.change_source(NextSource { source, reopen })?;
        k1_host::say(format_args!("k1: listening now: {input}"));
        current.clone_from(&input);
        Ok(input)
    }

    /// Plays a file again and again, because the light is not to end with it. If the file has gone, the built-in music
    /// takes its place.
    fn again(&self, input: Input) -> Reopen {
        let current = self.current.clone();
        Box::new(move || {
            source::open(&input, RATE).or_else(|why| {
                k1_host::say(format_args!("k1: {why}; K1 goes on with its built-in music"));
                // A change at this very moment has the last word.
                if let Ok(mut current) = current.try_lock() {
                    *current = Input::Demo;
                }
                source::open(&Input::Demo, RATE)
            })
        })
    }
}

/// Waits until sound comes from a source that may lose it.
fn answers(source: &dyn Source) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while let Some(why) = source.presence().and_then(|presence| presence.reason()) {
        if Instant::now() > until {
            return Err(why);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Sample rate of standard input, which is never opened here.
const RATE: u32 = k1_engine::SAMPLE_RATE;
