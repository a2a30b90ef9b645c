//! The lamp's tasks: each is a function of `k1-lamp` with what this machine gives it.

use core::cell::RefCell;

use embassy_net::Stack;
use k1_device::exchange::Settings;
use k1_device::live::HeardHop;
use k1_device::meter::Ledger;
use k1_device::settings::{Hardware, Memory, Store, StripSettings};
use k1_engine::audio::Ear;
use k1_lamp::receive::{FlashPart, Updater};
use k1_lamp::rtp;
use k1_lamp::show::Wire;
use k1_lamp::trial;
use k1_lamp::web::{self, Admission, Buffers, WORKERS};
use k1_lamp::{BINS, Show, console, espota, guard, hear, mdns, memory, mirror, self_test, show};

use super::models::{ModelledMicrophone, ModelledStrip};
use super::{Chance, LAMP, LINE, probe, restart};
use crate::faults::{self, Fault};
use crate::flash::Flash;
use crate::last_words;
use crate::machine::{machine, print};

#[embassy_executor::task]
pub async fn hear_task(
    ear: &'static mut Ear,
    microphone: ModelledMicrophone,
    tap: heapless::spsc::Producer<'static, HeardHop>,
) {
    hear::hear(&LAMP, machine().core() as u32, ear, microphone, tap).await
}

#[embassy_executor::task]
pub async fn show_task(
    renderer: &'static mut Show,
    hardware: Hardware,
    settings: StripSettings,
    look: Settings,
) {
    let strip = ModelledStrip(Wire::new(usize::from(hardware.leds) * settings.channels(), hardware.reset_us));
    show::show(&LAMP, machine().core() as u32, renderer, strip, hardware, settings, look).await
}

#[embassy_executor::task(pool_size = WORKERS)]
pub async fn web_task(
    stack: Stack<'static>,
    admission: &'static RefCell<Admission>,
    updater: &'static Updater<Flash>,
    buffers: &'static mut Buffers,
) {
    web::work(&LAMP, stack, admission, updater, buffers).await
}

#[embassy_executor::task]
pub async fn espota_task(stack: Stack<'static>, updater: &'static Updater<Flash>, chance: Chance) {
    let mut chance = chance;
    espota::listen(&LAMP, stack, updater, move || chance.next()).await
}

#[embassy_executor::task]
pub async fn judge_task(updater: &'static Updater<Flash>, admission: &'static RefCell<Admission>) {
    trial::judge(&LAMP, updater, admission, print, restart).await
}

#[embassy_executor::task]
pub async fn rest_task(crashes: u32) {
    if faults::wished() == Fault::Late {
        // The first panic comes after the image was confirmed.
        embassy_time::Timer::after_secs(if crashes == 0 { 25 } else { 6 }).await;
        panic!("told to fall over late");
    }
    if faults::wished() == Fault::Leak {
        loop {
            embassy_time::Timer::after_secs(1).await;
            core::mem::forget(alloc::vec::Vec::<u8>::with_capacity(512));
        }
    }
    trial::come_to_rest(last_words::forget_crashes).await
}

#[embassy_executor::task]
pub async fn rtp_task(stack: Stack<'static>, samples: heapless::spsc::Producer<'static, i16>) {
    rtp::receive(&LAMP, stack, &LINE, samples).await
}

#[embassy_executor::task]
pub async fn mirror_task(stack: Stack<'static>) {
    mirror::mirror(&LAMP, stack).await
}

#[embassy_executor::task]
pub async fn mdns_task(stack: Stack<'static>) {
    mdns::answer(&LAMP, stack).await
}

#[embassy_executor::task]
pub async fn beat_task() {
    guard::beat(&LAMP).await
}

#[embassy_executor::task]
pub async fn memory_task(store: Store<FlashPart<Flash>>, written: Memory) {
    memory::keep(&LAMP, store, written).await
}

#[embassy_executor::task]
pub async fn report_task(ledger: &'static mut Ledger<BINS>) {
    if faults::wished() == Fault::Mute {
        core::future::pending::<()>().await;
    }
    console::report(&LAMP, print, probe, ledger).await
}

#[embassy_executor::task]
pub async fn sound_task(tap: heapless::spsc::Consumer<'static, HeardHop>) {
    console::share_sound(&LAMP, tap).await
}

#[embassy_executor::task]
pub async fn self_test_task() {
    self_test::read(&LAMP).await
}

#[embassy_executor::task]
pub async fn address_task(stack: Stack<'static>) {
    console::address(&LAMP, print, stack).await
}
