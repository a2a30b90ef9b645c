//! How loud each live source is, so that a person sees which one is the right one. Each source has a connection of its own,
//! besides the one that K1 hears.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k1_device::harmless::harmless;

use super::{Device, Kind};

/// Largest number of sources that are listened to at the same time.
const MOST: usize = 16;
/// Part of the sound that one level is measured from, in samples: a quarter of a second.
const PART: usize = k1_engine::SAMPLE_RATE as usize / 4;
/// Level of silence in dBFS; nothing lower is told.
const FLOOR_DB: f32 = -100.0;

/// What was heard of one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// Level of the last quarter of a second in dBFS (RMS); `None` if no sound has come.
    pub now_db: Option<f32>,
    /// The loudest of all quarters.
    pub loudest_db: Option<f32>,
    /// Why it cannot be heard.
    pub trouble: Option<String>,
}

/// The levels of all sources that were listened to last. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Levels(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    heard: Vec<(Kind, String, Level)>,
    /// Number of threads that listen.
    listeners: usize,
}

impl Levels {
    /// Listens to these devices for a while, each on a thread of its own; does nothing while others listen.
    pub fn listen(&self, devices: &[Device], lasts: Duration) {
        let mut state = self.lock();
        if state.listeners > 0 {
            return;
        }
        let devices = &devices[..devices.len().min(MOST)];
        state.heard = devices.iter().map(|d| (d.kind, d.name.clone(), Level::default())).collect();
        for (index, device) in devices.iter().cloned().enumerate() {
            let levels = self.clone();
            let listen = move || {
                let trouble = hear(&device, lasts, |db| levels.note(index, db)).err();
                let mut state = levels.lock();
                state.listeners -= 1;
                if let Some((.., level)) = state.heard.get_mut(index) {
                    let silent = level.now_db.is_none().then(|| "no sound comes from it".to_owned());
                    level.trouble = trouble.or(silent).map(|why| harmless(&why).into_owned());
                }
            };
            if std::thread::Builder::new().name("k1-level".into()).spawn(listen).is_ok() {
                state.listeners += 1;
            }
        }
    }

    /// True while K1 listens to them.
    pub fn listens(&self) -> bool {
        self.lock().listeners > 0
    }

    /// What was heard of a device, if K1 has listened to it.
    pub fn of(&self, device: &Device) -> Option<Level> {
        let state = self.lock();
        let mut heard = state.heard.iter();
        heard
            .find(|(kind, name, _)| (*kind, name) == (device.kind, &device.name))
            .map(|(.., level)| level.clone())
    }

    fn note(&self, index: usize, db: f32) {
        if let Some((.., level)) = self.lock().heard.get_mut(index) {
            level.now_db = Some(db);
            level.loudest_db = Some(level.loudest_db.map_or(db, |loudest| loudest.max(db)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears a device for a while, and tells the level of each quarter of a second.
#[cfg(any(unix, feature = "native-audio"))]
fn hear(device: &Device, lasts: Duration, mut tell: impl FnMut(f32)) -> Result<(), String> {
    let until = Instant::now() + lasts;
    let mut line = super::line(device.kind, &device.name).map_err(|e| e.to_string())?;
    let mut sound = Vec::new();
    while Instant::now() < until {
        line.hear(&mut sound).map_err(|e| e.to_string())?;
        while sound.len() >= PART {
            tell(level_db(&sound[..PART]));
            sound.drain(..PART);
        }
    }
    Ok(())
}

#[cfg(not(any(unix, feature = "native-audio")))]
fn hear(_: &Device, _: Duration, _: impl FnMut(f32)) -> Result<(), String> {
    Err(super::NO_LIVE.to_string())
}

/// Level of a sound in dBFS (RMS).
fn level_db(sound: &[f32]) -> f32 {
    let power = sound.iter().map(|x| x * x).sum::<f32>() / sound.len().max(1) as f32;
    (10.0 * power.log10()).max(FLOOR_DB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_power_of_the_sound() {
        assert!((level_db(&[1.0, -1.0, 1.0, -1.0]) - 0.0).abs() < 1e-4);
        assert!((level_db(&[0.1; 400]) + 20.0).abs() < 1e-3);
        assert_eq!(level_db(&[0.0; 400]), FLOOR_DB);
    }

    #[test]
    fn the_loudest_part_stays_and_a_device_that_cannot_be_heard_says_why() {
        let levels = Levels::default();
        let device = Device {
            kind: Kind::Mic,
            name: "no such device".into(),
            description: "Nothing".into(),
            default: false,
        };
        assert_eq!(levels.of(&device), None);
        levels.listen(std::slice::from_ref(&device), Duration::ZERO);
        let until = Instant::now() + Duration::from_secs(30);
        while levels.listens() {
            assert!(Instant::now() < until, "it listens for ever");
            std::thread::sleep(Duration::from_millis(5));
        }
        let heard = levels.of(&device).unwrap();
        assert!(heard.now_db.is_none() && heard.trouble.is_some(), "{heard:?}");
        [-50.0, -20.0, -40.0].into_iter().for_each(|db| levels.note(0, db));
        let heard = levels.of(&device).unwrap();
        assert_eq!((heard.now_db, heard.loudest_db), (Some(-40.0), Some(-20.0)));
    }
}
