//! The trial of a new image: the lamp judges it by its own measurements and confirms it or rolls it back. Afterwards
//! this task carries out commands for the firmware.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr};

use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::firmware::Outcome;
use k1_device::respond::respond;
use k1_http::head::{self, Parsed};
use k1_http::limits::LAMP;
use k1_update::manifest::PATIENCE_S;
use k1_update::otadata::Pace;
use k1_update::record::{self, Standing};
use k1_update::refusal::Refusal;
use k1_update::slot;
use k1_update::trial::{Evidence, Failing, Trial, Verdict};

use crate::board::{Print, Restart};
use crate::home::LampHome;
use crate::journal::{self, image};
use crate::receive::{Updater, standing};
use crate::state::{FirmwareCommand, LATELY};
use crate::web;
use crate::{Lamp, now_us};

/// Number of starts in a row without coming to rest after which an image gives way.
pub const MOST_CRASHES: u32 = 4;
/// A start comes to rest when it has lasted for this time.
const AT_REST: Duration = Duration::from_secs(60);
/// Time after which an answer has been sent.
const FAREWELL: Duration = Duration::from_millis(400);

/// Judges a new image, records the result of the last trial, and carries out commands. Never returns.
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
            // An image that runs because another gave way is not an update. The result to report is that of the other
            // image.
            let was_sent = !journal::tell_who_gave_way(lamp);
            if was_sent {
                // The text differs from the one that the previous image has written, so that something must be written.
                // This tests the flash.
                journal::write(lamp, own.as_ref(), Outcome::OnTrial, "it has begun");
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
                        journal::write(lamp, own.as_ref(), Outcome::Confirmed, "");
                    }
                    let seconds = (now_us() - began) / 1_000_000;
                    print(format_args!("[UPDATE] confirmed after {seconds} s"));
                }
                Some(failing) => {
                    let mut words = heapless::String::<96>::new();
                    // Every reason has fewer characters than the text can hold.
                    let _ = write!(words, "{failing}");
                    let mut flash = updater.flash.lock().await;
                    // If the flash also fails here, an armed bootloader still rolls back.
                    let _ = record::give_up(&mut *flash, &updater.layout, updater.running).await;
                    drop(flash);
                    print(format_args!("[UPDATE] taken back: {words}"));
                    save(lamp).await;
                    restart(Some(&words))
                }
            }
        }
        (None, own) => journal::tell_of_the_last(lamp, own.as_ref(), print),
    }
    loop {
        let command = lamp.command.wait().await;
        let mut flash = updater.flash.lock().await;
        let done = match command {
            FirmwareCommand::Restart => Ok(()),
            FirmwareCommand::Drill => record::drill(&mut *flash, &updater.layout, updater.running).await,
            FirmwareCommand::RollBack => go_back(lamp, &mut *flash, updater).await,
        };
        drop(flash);
        match done {
            Ok(()) => {
                print(format_args!("[UPDATE] restarts: {}", command.name()));
                Timer::after(FAREWELL).await;
                save(lamp).await;
                restart(None)
            }
            Err(why) => {
                print(format_args!("[UPDATE] {} refused: {why}", command.name()));
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
    journal::write(lamp, Some(other.manifest()), Outcome::OnTrial, "");
    record::activate(flash, layout, *running, &other, false, Pace::default()).await
}

/// Waits until all changes are in flash.
async fn save(lamp: &'static Lamp) {
    lamp.saved.reset();
    lamp.save.signal(());
    // A failing flash must not stop the restart.
    let _ = with_timeout(Duration::from_secs(3), lamp.saved.wait()).await;
}

/// Looks at the evidence once a second; `None` if it is good. Until then all commands wait, except a rollback.
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
        if lamp.command.signaled() && lamp.command.wait().await == FirmwareCommand::RollBack {
            return Some(Failing::Wished);
        }
    }
}

/// Pace in fifteenths that an image must reach: four fifths of the pace of the previous image; half of what is due, if
/// that was not measured.
const fn bar(before: u8) -> u8 {
    match before {
        0 => 8,
        n => (n * 4).div_ceil(5),
    }
}

fn evidence(lamp: &'static Lamp, admission: &'static RefCell<web::Admission>, before: Pace) -> Evidence {
    let (errors, writes, has_manifest, network) =
        lamp.look(|s| (s.settings_errors, s.settings_writes, s.firmware.running.is_some(), !s.ip.is_empty()));
    let now = lamp.pace(LATELY);
    Evidence {
        frames: now.frames >= bar(before.frames),
        sound: now.hops >= bar(before.hops),
        whole: lamp.newest().torn == 0,
        // The trial itself has written its beginning, if there is a manifest.
        storage: errors == 0 && (writes > 0 || !has_manifest),
        api: api_answers(lamp, admission),
        network,
    }
}

/// Sends the lamp's own door a request as a client would, but not over the network. True if it is answered.
fn api_answers(lamp: &'static Lamp, admission: &'static RefCell<web::Admission>) -> bool {
    /// An address that no client has.
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

/// Resets the count of crashes when the start has come to rest.
pub async fn come_to_rest(forget_crashes: fn()) {
    Timer::after(AT_REST).await;
    forget_crashes();
}
