//! New firmware: taken in from any door, tried, judged, and taken back.
//!
//! All doors end here: whatever carried the bytes, [`Upload`] lets in what a trusted key has signed, and nothing else.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use embassy_embedded_hal::flash::partition::Partition;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::firmware::{self, Image, Journal, Outcome, Receiving, Rollback, Short};
use k1_device::respond::respond;
use k1_engine::{HOP, SAMPLE_RATE};
use k1_http::head::{self, Parsed};
use k1_http::limits::LAMP;
use k1_update::layout::{Layout, Slot};
use k1_update::manifest::{Manifest, PATIENCE_S};
use k1_update::otadata::Pace;
use k1_update::record::{self, Standing};
use k1_update::refusal::Refusal;
use k1_update::session::{Gate, Session};
use k1_update::slot::{self, Whole};
use k1_update::trial::{Evidence, Failing, Trial, Verdict};
use k1_update::trust::Trust;

use crate::console::Print;
use crate::home::LampHome;
use crate::web;
use crate::{Lamp, now_us};

/// The flash as its parts share it, from whichever core.
pub type SharedFlash<F> = Mutex<CriticalSectionRawMutex, F>;
/// A part of the flash.
pub type FlashPart<F> = Partition<'static, CriticalSectionRawMutex, F>;

/// Where the settings are: the table's `nvs`.
pub const SETTINGS: core::ops::Range<u32> = 0x9000..0xe000;
/// So many starts in a row that do not come to rest are one too many.
pub const MOST_CRASHES: u32 = 4;
/// The last words of an image that gives way; its crashes are not those of the one that comes.
pub const GAVE_WAY: &str = "it fell over again and again";
/// A start that has lasted so long has come to rest.
const AT_REST: Duration = Duration::from_secs(60);
/// An answer has gone out after this.
const FAREWELL: Duration = Duration::from_millis(400);

/// What a lamp can be asked to do with its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Start what was activated.
    Restart,
    /// Go back to the image before.
    RollBack,
    /// Ask the bootloader for a proof.
    Drill,
}

/// Starts the lamp again; the words are told by the next start, and none are for a start that was asked for.
pub type Restart = fn(words: Option<&str>) -> !;

/// The slots and who may change them. There is one.
pub struct Updater<F: 'static> {
    flash: &'static SharedFlash<F>,
    layout: Layout,
    running: Slot,
    is_busy: AtomicBool,
}

/// What the slow half of a lamp knows of its firmware.
#[derive(Debug)]
pub struct State {
    /// Chip, as manifests name it.
    pub chip: &'static str,
    /// What runs.
    pub running: Option<Image>,
    /// How it stands.
    pub standing: firmware::Standing,
    /// Whether a bad image goes back by itself.
    pub rollback: Rollback,
    /// What the other slot holds, whole.
    pub other: Option<Image>,
    /// An update on its way in.
    pub receiving: Option<Receiving>,
    /// Why the last update was not let in.
    pub refused: Option<Refusal>,
}

impl State {
    /// Before anything was looked at.
    pub const UNKNOWN: Self = Self {
        chip: "unknown",
        running: None,
        standing: firmware::Standing::NotTried,
        rollback: Rollback::NotArmed,
        other: None,
        receiving: None,
        refused: None,
    };
}

fn image(m: &Manifest) -> Image {
    // A version has at most so many characters.
    let version = heapless::String::try_from(m.version.as_str()).unwrap_or_default();
    Image { version, hash: Short(m.short_hash()), counter: m.counter }
}

fn standing(records: &k1_update::otadata::Records, running: Slot) -> (firmware::Standing, Rollback) {
    let rollback = |armed: bool| if armed { Rollback::Armed } else { Rollback::NotArmed };
    match record::standing(records, running) {
        Standing::Trial { armed, .. } => (firmware::Standing::OnTrial, rollback(armed)),
        Standing::Sure(note) if note.was_asked => (firmware::Standing::Confirmed, rollback(note.is_armed)),
        _ => (firmware::Standing::NotTried, Rollback::NotArmed),
    }
}

impl<F: NorFlash + 'static> Updater<F> {
    /// The slots of a flash in which `running` runs. Where nobody knows that, nothing is ever let in.
    pub const fn new(flash: &'static SharedFlash<F>, layout: Layout, running: Option<Slot>) -> Self {
        let is_busy = AtomicBool::new(running.is_none());
        let running = match running {
            Some(slot) => slot,
            None => Slot::App0,
        };
        Self { flash, layout, running, is_busy }
    }

    /// Looks at what runs and tells the lamp; before anything else.
    pub async fn look(&self, lamp: &'static Lamp) {
        let mut flash = self.flash.lock().await;
        let manifest = slot::labelled(&mut *flash, &self.layout, self.running).await;
        let records = record::read(&mut *flash, &self.layout).await;
        lamp.note(|s| {
            s.firmware.chip = firmware::chip(s.facts.board);
            let manifest = manifest.ok().flatten();
            s.facts.image_bytes = s.facts.image_bytes.or(manifest.as_ref().map(|m| m.size));
            s.firmware.running = manifest.as_ref().map(image);
            if let Some(image) = &s.firmware.running {
                s.facts.firmware_hash = image.hash.0;
            }
            if let Ok(records) = records {
                (s.firmware.standing, s.firmware.rollback) = standing(&records, self.running);
            }
        });
    }

    /// What the other slot holds, whole and not found bad; who has failed a trial is nobody to go back to.
    async fn other(&self, flash: &mut F) -> Result<Option<Whole>, Refusal> {
        let slot = self.running.other();
        let records = record::read(flash, &self.layout).await?;
        match records.of(slot) {
            Some((_, entry)) if !entry.may_boot() => Ok(None),
            _ => slot::find(flash, &self.layout, slot).await,
        }
    }

    /// The second net, under the bootloader's: an image that falls over again and again gives way to the one before,
    /// if there is one. True if the next start is another's.
    pub async fn give_way(&self) -> bool {
        let mut flash = self.flash.lock().await;
        let Ok(Some(other)) = self.other(&mut *flash).await else { return false };
        let Ok(records) = record::read(&mut *flash, &self.layout).await else { return false };
        match record::standing(&records, self.running) {
            Standing::Trial { .. } => record::give_up(&mut *flash, &self.layout, self.running).await.is_ok(),
            _ => {
                let activate =
                    record::activate(&mut *flash, &self.layout, self.running, &other, false, Pace::default());
                activate.await.is_ok()
            }
        }
    }

    /// Opens the door for one update.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`].
    pub fn begin(&'static self, lamp: &'static Lamp) -> Result<Upload<F>, Refusal> {
        if self.is_busy.swap(true, Relaxed) {
            return Err(Refusal::Busy);
        }
        let (trust, board, chip) = lamp.look(|s| (s.memory.trust, s.facts.board, s.firmware.chip));
        let session = Session::new(self.layout, self.running);
        Ok(Upload { lamp, updater: self, session: Some(session), trust, board, chip })
    }
}

/// An update on its way in, through whatever door.
pub struct Upload<F: 'static> {
    lamp: &'static Lamp,
    updater: &'static Updater<F>,
    session: Option<Session>,
    trust: Trust,
    board: &'static str,
    chip: &'static str,
}

impl<F: 'static> Drop for Upload<F> {
    fn drop(&mut self) {
        self.lamp.note(|s| s.firmware.receiving = None);
        self.updater.is_busy.store(false, Relaxed);
    }
}

impl<F: NorFlash + 'static> Upload<F> {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// See [`Session::take`].
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Some(session) = &mut self.session else { return Err(Refusal::Busy) };
        let gate = Gate { trust: &self.trust, board: self.board, chip: self.chip };
        let was_let_in = session.manifest().is_some();
        session.take(&mut *self.updater.flash.lock().await, &gate, bytes).await?;
        let size = session.manifest().map(|m| m.size);
        let received = session.received();
        self.lamp.note(|s| {
            if !was_let_in && size.is_some() {
                // What the other slot held is gone.
                s.firmware.other = None;
            }
            s.firmware.receiving = size.map(|size| Receiving { received, size });
        });
        Ok(())
    }

    /// The last byte has come: checks the whole, lets it be tried, and asks for the restart.
    ///
    /// # Errors
    ///
    /// See [`Session::finish`] and [`record::activate`].
    pub async fn finish(mut self) -> Result<(&'static str, Image), Refusal> {
        let Some(session) = self.session.take() else { return Err(Refusal::Busy) };
        let Updater { flash, layout, running, .. } = self.updater;
        let mut flash = flash.lock().await;
        let whole = session.finish(&mut *flash).await?;
        let had_network = self.lamp.look(|s| !s.ip.is_empty());
        record::activate(&mut *flash, layout, *running, &whole, had_network, pace(self.lamp, LATELY)).await?;
        let image = image(whole.manifest());
        self.lamp.note(|s| s.firmware.other = Some(image.clone()));
        // Before it runs: one that falls over at once could not write it.
        write_journal(self.lamp, Some(whole.manifest()), Outcome::OnTrial, "");
        self.lamp.wish.signal(Wish::Restart);
        Ok((whole.slot().name(), image))
    }
}

/// Judges a new image, remembers what became of the last one, and does what is wished; for ever.
pub async fn judge<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    updater: &'static Updater<F>,
    admission: &'static RefCell<web::Admission>,
    print: Print,
    restart: Restart,
) -> ! {
    let began = now_us();
    let (other, records, own) = {
        let mut flash = updater.flash.lock().await;
        let other = updater.other(&mut *flash).await;
        let records = record::read(&mut *flash, &updater.layout).await;
        let own = slot::labelled(&mut *flash, &updater.layout, updater.running).await;
        (other, records, own)
    };
    let own = own.ok().flatten();
    lamp.note(|s| s.firmware.other = other.ok().flatten().map(|w| image(w.manifest())));
    let on_trial = match records.map(|r| record::standing(&r, updater.running)) {
        Ok(Standing::Trial { note, .. }) => Some(note),
        _ => None,
    };
    match (on_trial, own) {
        (Some(note), own) => {
            let patience = own.map_or(PATIENCE_S, |m| m.patience_s);
            // Who came because another gave way was not sent by anybody: what is told is what became of the other.
            let was_sent = !tell_who_gave_way(lamp);
            if was_sent {
                // Another text than the image before has written, so that there is something to write: a test of the
                // flash.
                write_journal(lamp, own.as_ref(), Outcome::OnTrial, "it has begun");
            }
            print(format_args!("[UPDATE] on trial"));
            let trial = Trial::new(began, note.had_network.then_some(patience));
            match hear_the_case(lamp, admission, trial, note.before).await {
                None => {
                    let mut flash = updater.flash.lock().await;
                    let done = record::confirm(&mut *flash, &updater.layout, updater.running).await;
                    let records = record::read(&mut *flash, &updater.layout).await;
                    drop(flash);
                    lamp.note(|s| {
                        if let Ok(records) = records {
                            (s.firmware.standing, s.firmware.rollback) = standing(&records, updater.running);
                        }
                        if let (Ok(()), Some(m)) = (done, &own) {
                            s.memory.trust.floor = s.memory.trust.floor.max(m.counter);
                        }
                    });
                    if was_sent {
                        write_journal(lamp, own.as_ref(), Outcome::Confirmed, "");
                    }
                    let seconds = (now_us() - began) / 1_000_000;
                    print(format_args!("[UPDATE] confirmed after {seconds} s"));
                }
                Some(failing) => {
                    let mut words = heapless::String::<96>::new();
                    // A reason has fewer characters.
                    let _ = write!(words, "{failing}");
                    let mut flash = updater.flash.lock().await;
                    // If the flash refuses this as well, an armed bootloader still does it.
                    let _ = record::give_up(&mut *flash, &updater.layout, updater.running).await;
                    drop(flash);
                    print(format_args!("[UPDATE] taken back: {words}"));
                    save(lamp).await;
                    restart(Some(&words))
                }
            }
        }
        (None, own) => tell_of_the_last(lamp, own.as_ref(), print),
    }
    loop {
        let wish = lamp.wish.wait().await;
        let mut flash = updater.flash.lock().await;
        let done = match wish {
            Wish::Restart => Ok(()),
            Wish::Drill => record::drill(&mut *flash, &updater.layout, updater.running).await,
            Wish::RollBack => go_back(lamp, &mut *flash, updater).await,
        };
        drop(flash);
        match done {
            Ok(()) => {
                print(format_args!("[UPDATE] restarts: {wish:?}"));
                Timer::after(FAREWELL).await;
                save(lamp).await;
                restart(None)
            }
            Err(why) => {
                print(format_args!("[UPDATE] {wish:?} refused: {why}"));
                lamp.note(|s| s.firmware.refused = Some(why));
            }
        }
    }
}

async fn go_back<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    flash: &mut F,
    updater: &Updater<F>,
) -> Result<(), Refusal> {
    let Updater { layout, running, .. } = updater;
    let other = updater.other(flash).await?.ok_or(Refusal::NothingThere)?;
    write_journal(lamp, Some(other.manifest()), Outcome::OnTrial, "");
    record::activate(flash, layout, *running, &other, false, Pace::default()).await
}

/// Waits until everything that has changed is in flash.
async fn save(lamp: &'static Lamp) {
    lamp.saved.reset();
    lamp.save.signal(());
    // A flash that refuses is no reason to stay.
    let _ = with_timeout(Duration::from_secs(3), lamp.saved.wait()).await;
}

/// Looks at the evidence once a second; `None` if it is good. Wishes wait meanwhile, but for the one to go back.
async fn hear_the_case(
    lamp: &'static Lamp,
    admission: &'static RefCell<web::Admission>,
    mut trial: Trial,
    before: Pace,
) -> Option<Failing> {
    loop {
        Timer::after_secs(1).await;
        let evidence = evidence(lamp, admission, before);
        match trial.look(now_us(), &evidence) {
            Verdict::Undecided => {}
            Verdict::Good => return None,
            Verdict::Bad(failing) => return Some(failing),
        }
        if lamp.wish.signaled() && lamp.wish.wait().await == Wish::RollBack {
            return Some(Failing::Wished);
        }
    }
}

/// Seconds over which an image is measured.
const LATELY: usize = 10;

/// How much of what is due is done, over the last seconds.
fn pace(lamp: &'static Lamp, seconds: usize) -> Pace {
    const HOPS_DUE: f32 = SAMPLE_RATE as f32 / HOP as f32;
    let (n, frames, hops) = lamp.look(|s| {
        let newest = s.history.iter().rev().take(seconds);
        newest.fold((0.0_f32, 0.0, 0.0), |(n, frames, hops), v| {
            (n + 1.0, frames + v.fps / v.fps_target.max(1.0), hops + v.hop_rate / HOPS_DUE)
        })
    });
    // As a cast rounds down, and never below zero or above what fits.
    let fifteenths = |sum: f32| if n > 0.0 { (15.0 * sum / n + 0.5) as u8 } else { 0 };
    Pace { frames: fifteenths(frames).min(15), hops: fifteenths(hops).min(15) }
}

/// What an image has to reach: nearly all of what is due, or nearly what the image before has reached; half, if nobody
/// has measured.
const fn bar(before: u8) -> u8 {
    match before {
        0 => 8,
        n => (n * 4).div_ceil(5),
    }
}

fn evidence(lamp: &'static Lamp, admission: &'static RefCell<web::Admission>, before: Pace) -> Evidence {
    let (errors, writes, has_manifest, network, whole) = lamp.look(|s| {
        let has_manifest = s.firmware.running.is_some();
        let whole = s.history.back().is_none_or(|v| v.torn == 0);
        (s.settings_errors, s.settings_writes, has_manifest, !s.ip.is_empty(), whole)
    });
    let now = pace(lamp, LATELY);
    Evidence {
        frames: now.frames >= bar(before.frames),
        sound: now.hops >= bar(before.hops),
        whole,
        // The trial itself has written its beginning, if there is a manifest to tell of.
        storage: errors == 0 && (writes > 0 || !has_manifest),
        api: api_answers(lamp, admission),
        network,
    }
}

/// Asks the own door as anybody would, but for the wire.
fn api_answers(lamp: &'static Lamp, admission: &'static RefCell<web::Admission>) -> bool {
    /// No client has this address.
    const MYSELF: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let token = lamp.look(|s| s.memory.hardware.token.clone());
    let mut request = Vec::new();
    request.extend_from_slice(b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ");
    request.extend_from_slice(token.as_bytes());
    request.extend_from_slice(b"\r\n\r\n");
    let Parsed::Head(head, _) = head::parse(&request, LAMP.head_bytes) else { return false };
    let judged = admission.borrow_mut().judge(MYSELF, &head, now_us() / 1000);
    let answer = respond(&LampHome::new(lamp), &judged, Ok(&[]));
    lamp.doors.is_open() && answer.head().status == 200
}

/// Remembers a step of a trial.
fn write_journal(lamp: &'static Lamp, own: Option<&Manifest>, outcome: Outcome, reason: &str) {
    let journal = own.map(|m| Journal {
        hash: m.short_hash(),
        version: image(m).version,
        outcome,
        // What does not fit is left out; nothing of ours is so long.
        reason: heapless::String::try_from(reason).unwrap_or_default(),
    });
    lamp.note(|s| s.memory.journal = journal);
    lamp.changed.signal(());
}

/// If another image gave way to this one just now, its journal is closed with the reason; true if so.
fn tell_who_gave_way(lamp: &'static Lamp) -> bool {
    let told = lamp.note(|s| {
        if s.facts.last_panic.as_deref() != Some(GAVE_WAY) {
            return false;
        }
        if let Some(journal) = &mut s.memory.journal {
            journal.outcome = Outcome::RolledBack;
            journal.reason = heapless::String::try_from(GAVE_WAY).unwrap_or_default();
        }
        true
    });
    if told {
        lamp.changed.signal(());
    }
    told
}

/// A trial that was begun and whose image does not run has failed: the words of its last moment say why.
fn tell_of_the_last(lamp: &'static Lamp, own: Option<&Manifest>, print: Print) {
    let told = lamp.note(|s| {
        let words = s.facts.last_panic.clone();
        let journal = s.memory.journal.as_mut()?;
        if journal.outcome != Outcome::OnTrial {
            return None;
        }
        if own.is_some_and(|m| m.short_hash() == journal.hash)
            && s.firmware.standing == firmware::Standing::Confirmed
        {
            // It was confirmed, and the power went before that was written here.
            journal.outcome = Outcome::Confirmed;
            return Some(None);
        }
        journal.outcome = Outcome::RolledBack;
        journal.reason.clear();
        let said = words.as_deref().unwrap_or("it fell silent: it hung, or the power went");
        for c in said.chars() {
            if journal.reason.push(c).is_err() {
                break;
            }
        }
        Some(Some(journal.clone()))
    });
    if told.is_some() {
        lamp.changed.signal(());
    }
    if let Some(Some(j)) = told {
        print(format_args!("[UPDATE] {} was taken back: {}", j.version, j.reason));
    }
}

/// Calls a start good after a while; until then it counts as one that may not come to rest.
pub async fn come_to_rest(forget_crashes: fn()) {
    Timer::after(AT_REST).await;
    forget_crashes();
}
