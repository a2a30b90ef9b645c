//! `k1 mqtt`, and the bridge of a running program (`k1 run --mqtt`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k1_host::{Failure, private};

use crate::bridge::{Bridge, Broker, Offer};
use crate::cli::{BrokerArgs, MqttArgs};
use crate::lamps::Address;
use crate::signing::package;

/// Pause between two looks of a program at itself.
const EVERY: Duration = Duration::from_secs(10);
/// Shortest pause between two looks at a lamp, in seconds.
const LEAST_PAUSE_S: f64 = 0.5;

fn broker(name: &str, args: &BrokerArgs) -> Result<Broker, Failure> {
    let password = |path: &std::path::PathBuf| {
        let text = private::read(path).map_err(|e| {
            Failure::new(format!("the broker's password cannot be read from {}: {e}", path.display()))
        });
        text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
    };
    let login = match &args.user {
        Some(user) => {
            let password = args.password_file.as_ref().map(password).transpose()?.unwrap_or_default();
            Some((user.clone(), password))
        }
        None => None,
    };
    let (prefix, discovery) = (args.prefix.clone(), args.discovery_prefix.clone());
    Ok(Broker { name: name.to_owned(), login, prefix, discovery })
}

/// Connects lamps to a broker until the end.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn mqtt(args: &MqttArgs) -> Result<(), Failure> {
    let lamps = args.reach.find_some(&args.lamps)?;
    let offer = args.update.as_ref().map(|file| package::read(file).map(Offer::from)).transpose()?;
    let every = Duration::from_secs_f64(args.every.max(LEAST_PAUSE_S));
    let bridge = Bridge::new(&broker(&args.broker, &args.with)?, lamps, offer, every)?;
    let end = bridge.end();
    ctrlc::set_handler(move || end.store(true, SeqCst))
        .map_err(|e| Failure::new(format!("signals cannot be handled: {e}")))?;
    bridge.run(args.duration.map(|s| Instant::now() + Duration::from_secs_f64(s)))
}

/// The bridge of one program, on a thread of its own.
pub struct Beside {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Connects the K1 at an address to a broker. Later errors are printed.
    ///
    /// # Errors
    ///
    /// A sentence if the broker's name or its password cannot be used.
    pub fn start(name: &str, args: &BrokerArgs, own: Address) -> Result<Self, Failure> {
        let bridge = Bridge::new(&broker(name, args)?, vec![own], None, EVERY)?;
        let end = bridge.end();
        let run = move || {
            if let Err(failure) = bridge.run(None) {
                k1_host::say(format_args!("k1: {failure}"));
            }
        };
        let thread = std::thread::Builder::new().name("k1-mqtt".into()).spawn(run)?;
        Ok(Self { end, thread: Some(thread) })
    }
}

impl Drop for Beside {
    /// Says goodbye to the broker; waits until that is done.
    fn drop(&mut self) {
        self.end.store(true, SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}
