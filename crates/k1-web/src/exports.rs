//! The functions that JavaScript calls.
//!
//! JavaScript keeps a listener or a player as a pointer, writes what a function reads into its room, and reads what a
//! function leaves in `out`. This is the only file of the crate with `unsafe`: a pointer from JavaScript has no type.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use k1_engine::audio::SNAPSHOT_WORDS;
use k1_engine::patterns::FIRST_PATTERN;

use crate::listener::Listener;
use crate::player::Player;

/// A player with the places for bytes in and out.
pub struct Page {
    player: Player,
    room: Vec<u8>,
    out: Vec<u8>,
}

impl Page {
    fn put(&mut self, bytes: Vec<u8>) -> usize {
        self.out = bytes;
        self.out.len()
    }
}

fn boxed<T>(value: Option<T>) -> *mut T {
    value.map_or(core::ptr::null_mut(), |value| Box::into_raw(Box::new(value)))
}

/// A time from JavaScript, whose numbers are exact for 285 years of µs.
fn us(time: f64) -> u64 {
    time.max(0.0) as u64
}

/// Defines functions that JavaScript calls with the pointer from `*_new` first.
macro_rules! exports {
    ($($(#[doc = $says:literal])+ fn $name:ident($self:ident: $kind:ty $(, $arg:ident: $of:ty)*) $(-> $out:ty)? $body:block)+) => {
        $(
            $(#[doc = $says])+
            ///
            /// # Safety
            ///
            /// The pointer comes from the function that makes it, and no other call uses it at the same time: a browser
            /// runs each instance of a module on one thread.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(this: *mut $kind $(, $arg: $of)*) $(-> $out)? {
                // SAFETY: the caller's promise: it points to a live value that nobody else uses during the call.
                let $self: &mut $kind = unsafe { &mut *this };
                $body
            }
        )+
    };
}

/// A listener to sound at `rate` in Hz; null if the rate is out of range.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn listener_new(rate: u32) -> *mut Listener {
    boxed(Listener::new(rate))
}

/// A player of a strip with this number of LEDs and a pattern, by index; null if either is out of range.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn player_new(leds: u32, pattern: u32) -> *mut Page {
    let page = |player| Page { player, room: Vec::new(), out: Vec::new() };
    boxed(Player::new(leds as usize, pattern as usize).map(page))
}

/// The pattern with which K1 begins.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn first_pattern() -> u32 {
    FIRST_PATTERN as u32
}

/// Words of a snapshot.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn snapshot_words() -> usize {
    SNAPSHOT_WORDS
}

exports! {
    /// Where samples for the next call go; the number that fits is [`crate::listener::MOST_SAMPLES`].
    fn listener_room(this: Listener) -> *mut f32 { this.room.as_mut_ptr() }

    /// Hears the first `n` samples in the room; returns the number of snapshots.
    fn listener_push(this: Listener, n: usize) -> usize {
        this.push(n);
        this.heard.len()
    }

    /// Plays `n` samples of the built-in music into the room and hears them; returns the number of snapshots.
    fn listener_demo(this: Listener, n: usize) -> usize {
        this.play_demo(n);
        this.heard.len()
    }

    /// The snapshots of the last call, as words.
    fn listener_heard(this: Listener) -> *const u32 { this.heard.as_ptr().cast() }

    /// The samples of their hops.
    fn listener_sound(this: Listener) -> *const f32 { this.sound.as_ptr().cast() }

    /// Time by which the ear is behind the samples, in µs.
    fn listener_delay(this: Listener) -> f64 { this.delay_us() as f64 }

    /// Sets the gain, a factor; returns 0 if it is out of range.
    fn listener_gain(this: Listener, gain: f32) -> u32 { this.set_gain(gain).into() }

    /// Makes room for `bytes` bytes, and returns where they go.
    fn player_room(this: Page, bytes: usize) -> *mut u8 {
        this.room.clear();
        this.room.resize(bytes, 0);
        this.room.as_mut_ptr()
    }

    /// Where the last call has left its bytes.
    fn player_out(this: Page) -> *const u8 { this.out.as_ptr() }

    /// Hears the snapshot in the room, from an ear whose clock is `shift` µs behind the page's.
    fn player_hear(this: Page, shift: f64) {
        let (bytes, _) = this.room.as_chunks::<4>();
        let mut words = [0; SNAPSHOT_WORDS];
        words.iter_mut().zip(bytes).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
        this.player.hear(&words, shift as i64);
    }

    /// Renders the frame that begins at `now` µs; returns the length of its live message.
    fn player_frame(this: Page, now: f64, has_ended: u32) -> usize {
        let message = this.player.frame(us(now), has_ended != 0);
        this.put(message)
    }

    /// The last frame as bytes for LEDs; returns their number.
    fn player_wire(this: Page) -> usize {
        let bytes = this.player.wire().to_vec();
        this.put(bytes)
    }

    /// Begins again with another number of LEDs; returns 0 if it is out of range.
    fn player_leds(this: Page, leds: usize) -> u32 { this.player.set_leds(leds).into() }

    /// The last frame for a strip on a serial port (Adalight); the name of the order of its colours is in the room. Returns the
    /// number of bytes, 0 if there is no such order.
    fn player_adalight(this: Page) -> usize {
        let order = core::str::from_utf8(&this.room).unwrap_or_default();
        let bytes = this.player.adalight(order).unwrap_or_default();
        this.put(bytes)
    }

    /// Thumbnails of every pattern, as a live message; returns its length.
    fn player_thumbnails(this: Page, now: f64) -> usize {
        let message = this.player.thumbnails(us(now));
        this.put(message)
    }

    /// Answers the request in the room: method, path and body, one after the other. Returns the length of the answer: its
    /// status in two bytes, and its body.
    fn player_ask(this: Page, now: f64, method: usize, path: usize) -> usize {
        let rest = this.room.as_slice();
        let (method, rest) = rest.split_at(method.min(rest.len()));
        let (path, body) = rest.split_at(path.min(rest.len()));
        let [method, path] = [method, path].map(|text| core::str::from_utf8(text).unwrap_or_default());
        let (status, body) = this.player.ask(us(now), method, path, body);
        let mut answer = Vec::with_capacity(2 + body.len());
        answer.extend(status.to_le_bytes());
        answer.extend(body);
        this.put(answer)
    }

    /// Carries out the message in the room; returns the length of the answer, 0 if there is none.
    fn player_obey(this: Page, now: f64) -> usize {
        let answer = this.player.obey(us(now), &this.room);
        this.put(answer)
    }

    /// The first message to a page; returns its length.
    fn player_hello(this: Page, now: f64) -> usize {
        let message = this.player.hello(us(now));
        this.put(message)
    }

    /// The settings, if they have changed; returns the length of the message, 0 if they have not.
    fn player_changes(this: Page) -> usize {
        let message = this.player.changes();
        this.put(message)
    }

    /// The figures of the last second; returns the length of the message.
    fn player_status(this: Page, now: f64) -> usize {
        let message = this.player.status(us(now));
        this.put(message)
    }

    /// The gain in force.
    fn player_gain(this: Page) -> f32 { this.player.gain() }

    /// Notes times in µs, and gaps in the sound.
    fn player_took(this: Page, hear: f64, render: f64, gaps: u32) {
        this.player.took(us(hear) as u32, us(render) as u32);
        (0..gaps).for_each(|_| this.player.gap());
    }

    /// Names the source: its name, and why it is silent, are in the room. `kind` is 1 for live sound.
    fn player_source(this: Page, name: usize, kind: u32) {
        let (name, silence) = this.room.split_at(name.min(this.room.len()));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (this.player.source, this.player.silence) = (text(name), text(silence));
        this.player.is_live = kind == 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What JavaScript does: writes into the room.
    fn write(page: *mut Page, bytes: &[u8]) {
        // SAFETY: `page` is from `player_new`, and the room has as many bytes.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), player_room(page, bytes.len()), bytes.len()) }
    }

    fn read(page: *mut Page, n: usize) -> Vec<u8> {
        // SAFETY: `page` is from `player_new`, and a call has just left `n` bytes.
        unsafe { core::slice::from_raw_parts(player_out(page), n).to_vec() }
    }

    #[test]
    fn a_page_and_a_worklet_work_through_pointers() {
        let (ear, page) = (listener_new(16_000), player_new(30, first_pattern()));
        assert!(!ear.is_null() && !page.is_null());
        // SAFETY: both pointers are from the functions above; this test has one thread.
        unsafe {
            assert_eq!((listener_demo(ear, 256), listener_delay(ear)), (2, 0.0));
            let heard = core::slice::from_raw_parts(listener_heard(ear), 2 * SNAPSHOT_WORDS).to_vec();
            assert_eq!(heard, (*ear).heard.as_flattened());
            let sound = core::slice::from_raw_parts(listener_sound(ear), 256);
            assert_eq!(sound, core::slice::from_raw_parts(listener_room(ear), 256));
            assert_eq!((listener_gain(ear, 1.5), listener_gain(ear, 99.0)), (1, 0));
            assert_eq!(listener_push(ear, 128), 1);

            for words in heard.chunks(snapshot_words()) {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                write(page, &bytes);
                player_hear(page, 0.0);
            }
            let n = player_frame(page, 16_000.0, 0);
            assert_eq!(read(page, n)[..4], [1, read(page, n)[1], 30, 0]);
            assert_eq!(player_wire(page), 90);
            write(page, b"GRB");
            assert_eq!(player_adalight(page), 96);
            write(page, b"XYZ");
            assert_eq!((player_adalight(page), player_leds(page, 0), player_leds(page, 30)), (0, 0, 1));
            assert!(player_hello(page, 0.0) > 100 && player_changes(page) > 100 && player_changes(page) == 0);
            assert_eq!(player_gain(page), 1.0);
            write(page, b"GET/api/v1/setup");
            let n = player_ask(page, 0.0, 3, 13);
            let answer = read(page, n);
            assert_eq!(answer[..2], 200_u16.to_le_bytes());
            assert!(answer.ends_with(b"}"));
            write(page, br#"{"ping":1}"#);
            assert!(player_obey(page, 0.0) > 10);
            write(page, "microphone".as_bytes());
            player_source(page, 10, 1);
            player_took(page, 10.0, 20.0, 1);
            let n = player_status(page, 1e6);
            let status = String::from_utf8(read(page, n)).unwrap();
            assert!(status.contains("\"microphone\"") && status.contains("\"underruns\":1"), "{status}");
            // Lengths that lie about the room are cut.
            write(page, b"GET");
            assert!(player_ask(page, 0.0, 99, 99) > 2);
            assert!(player_thumbnails(page, 0.0) > 3_000);
        }
    }

    #[test]
    fn what_cannot_be_made_is_null() {
        assert!(
            listener_new(0).is_null()
                && player_new(0, 0).is_null()
                && player_new(5_000, 0).is_null()
                && player_new(5, 99).is_null()
        );
    }
}
