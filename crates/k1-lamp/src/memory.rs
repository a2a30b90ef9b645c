//! Settings in flash: loaded first, written after a pause in the changes.

use core::sync::atomic::Ordering::Relaxed;

use embassy_futures::select::{Either3, select3};
use embassy_time::Timer;
use embedded_storage_async::nor_flash::NorFlash;
use k1_device::settings::{Debounce, Group, Memory, Store};

use crate::{Lamp, now_us};

/// Characters of a token, which are easy to read and to type.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Length of a token: sixteen characters are 80 bits.
const TOKEN: usize = 16;

/// Loads the settings into the lamp's state. A lamp without a token makes one from `random` and stores it.
pub async fn load<F: NorFlash>(
    lamp: &'static Lamp,
    store: &mut Store<F>,
    mut random: impl FnMut() -> u32,
) -> Memory {
    let (mut memory, loaded) = store.load().await;
    if memory.hardware.token.is_empty() {
        for _ in 0..TOKEN {
            // There is room, because a token has half the characters that fit.
            let _ = memory.hardware.token.push(char::from(LETTERS[(random() >> 27) as usize]));
        }
        store.save(&memory, Group::Hardware).await;
    }
    lamp.note(|s| {
        s.memory = memory.clone();
        s.loaded = loaded;
        s.settings_writes = store.writes;
        s.settings_errors = store.errors;
    });
    let floor = memory.hardware.floor_db.unwrap_or(f32::NAN);
    lamp.floor_db.store(floor.to_bits(), Relaxed);
    lamp.dim.set(memory.power.level(), 0.0);
    memory
}

/// Writes changed settings after a pause in the changes. Never returns.
pub async fn keep<F: NorFlash>(lamp: &'static Lamp, mut store: Store<F>, mut written: Memory) -> ! {
    let mut controls = lamp.crossing.controls();
    let mut debounce = Debounce::default();
    loop {
        let (told, at_once) =
            match select3(lamp.changed.wait(), lamp.save.wait(), Timer::after_millis(500)).await {
                Either3::First(()) => (true, false),
                Either3::Second(()) => (false, true),
                Either3::Third(()) => (false, false),
            };
        let look = controls.settings();
        let now = lamp.look(|s| Memory { look, ..s.memory.clone() });
        let floor = now.hardware.floor_db.unwrap_or(f32::NAN);
        lamp.floor_db.store(floor.to_bits(), Relaxed);
        // Each announced change restarts the pause; a change without a signal starts it once.
        if now != written && (told || !debounce.is_waiting()) {
            debounce.touch(now_us());
        }
        if !debounce.is_due(now_us()) && !at_once {
            continue;
        }
        let mut all = true;
        for group in Group::ALL.into_iter().filter(|group| group.differs(&now, &written)) {
            all &= store.save(&now, group).await;
        }
        if all {
            written = now;
        }
        lamp.note(|s| {
            s.settings_writes = store.writes;
            s.settings_errors = store.errors;
        });
        if at_once {
            lamp.saved.signal(());
        }
    }
}
