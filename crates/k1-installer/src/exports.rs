//! The functions that JavaScript calls.
//!
//! JavaScript keeps a page as a pointer, writes what a function reads into its room, and reads what a function leaves in
//! `out`: JSON, with a member `refused` that holds a sentence if it fails. This is the only file of the crate with
//! `unsafe`: a pointer from JavaScript has no type.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::installer::Installer;
use crate::network::{self, Network};

/// An installer with the places for bytes in and out.
#[derive(Default)]
pub struct Page {
    installer: Installer,
    network: Network,
    room: Vec<u8>,
    out: Vec<u8>,
}

impl Page {
    fn put(&mut self, bytes: Vec<u8>) -> usize {
        self.out = bytes;
        self.out.len()
    }

    fn say(&mut self, said: Result<Value, String>) -> usize {
        let said = said.unwrap_or_else(|refused| json!({ "refused": refused }));
        self.put(serde_json::to_vec(&said).unwrap_or_default())
    }

    /// The first `n` bytes of the room as text, and the rest.
    fn parts(&self, n: usize) -> (String, &[u8]) {
        let (text, rest) = self.room.split_at(n.min(self.room.len()));
        (String::from_utf8_lossy(text).into_owned(), rest)
    }
}

/// A page without a bundle and a key.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub extern "C" fn page_new() -> *mut Page {
    Box::into_raw(Box::default())
}

/// Defines functions that JavaScript calls with the pointer from `page_new` first.
macro_rules! exports {
    ($($(#[doc = $says:literal])+ fn $name:ident($self:ident $(, $arg:ident: $of:ty)*) $(-> $out:ty)? $body:block)+) => {
        $(
            $(#[doc = $says])+
            ///
            /// # Safety
            ///
            /// The pointer comes from [`page_new`], and no other call uses it at the same time: a browser runs each
            /// instance of a module on one thread.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(this: *mut Page $(, $arg: $of)*) $(-> $out)? {
                // SAFETY: the caller's promise: it points to a live value that nobody else uses during the call.
                let $self: &mut Page = unsafe { &mut *this };
                $body
            }
        )+
    };
}

exports! {
    /// Makes room for `bytes` bytes, and returns where they go.
    fn page_room(this, bytes: usize) -> *mut u8 {
        this.room.clear();
        this.room.resize(bytes, 0);
        this.room.as_mut_ptr()
    }

    /// Where the last call has left its bytes.
    fn page_out(this) -> *const u8 { this.out.as_ptr() }

    /// Opens the bundle in the room, after `key` bytes of the maker's public key; returns the length of what it is.
    fn bundle_open(this, key: usize) -> usize {
        let (maker, bundle) = this.parts(key);
        let bundle = bundle.to_vec();
        let said = this.installer.open(&maker, &bundle);
        this.say(said)
    }

    /// Makes the owner's key from the 32 random bytes in the room; returns the length of its texts.
    fn key_new(this) -> usize {
        let said = match this.room.first_chunk() {
            Some(random) => this.installer.make_key(random),
            None => Err("a key needs 32 random bytes".into()),
        };
        this.room.fill(0);
        this.say(said)
    }

    /// Reads the owner's key from the text in the room; returns the length of its texts.
    fn key_read(this) -> usize {
        let (pem, _) = this.parts(usize::MAX);
        let said = this.installer.read_key(&pem);
        this.say(said)
    }

    /// Checks a chip; returns the length of what its loader needs to know.
    fn chip_suits(this, id: u32, revision: u32, flash: u32) -> usize {
        let said = this.installer.suits(id as u16, revision as u16, flash);
        this.say(said)
    }

    /// Checks the chip's settings in the room; returns the length of the answer.
    fn chip_respects(this) -> usize {
        let settings = core::mem::take(&mut this.room);
        let said = this.installer.respects(settings);
        this.say(said)
    }

    /// Lays everything out; returns the length of the list of pieces.
    fn plan(this, erase_settings: u32) -> usize {
        let said = this.installer.plan(erase_settings != 0);
        this.say(said)
    }

    /// The bytes of a piece; returns their number.
    fn plan_piece(this, number: usize) -> usize {
        let piece = this.installer.piece(number).to_vec();
        this.put(piece)
    }

    /// The packet to join the network in the room, whose name has `name` bytes; returns its length, 0 if it is too long.
    fn improv_join(this, name: usize) -> usize {
        let (ssid, password) = this.parts(name);
        let packet = network::join(&ssid, &String::from_utf8_lossy(password));
        this.put(packet)
    }

    /// The packet of a question; returns its length.
    fn improv_ask(this, number: u32) -> usize { this.put(network::ask(number as u8)) }

    /// Hears the bytes in the room; returns the length of what was said.
    fn improv_hear(this) -> usize {
        let heard = this.network.hear(&this.room);
        this.say(Ok(heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_works_through_pointers() {
        let page = page_new();
        let write = |bytes: &[u8]| {
            // SAFETY: `page` is from `page_new`, and the room has as many bytes.
            unsafe {
                core::ptr::copy_nonoverlapping(bytes.as_ptr(), page_room(page, bytes.len()), bytes.len())
            }
        };
        let read = |n: usize| -> Vec<u8> {
            // SAFETY: `page` is from `page_new`, and a call has just left `n` bytes.
            unsafe { core::slice::from_raw_parts(page_out(page), n).to_vec() }
        };
        let said = |n: usize| -> Value { serde_json::from_slice(&read(n)).unwrap() };
        // SAFETY: `page` is from `page_new`; this test has one thread.
        unsafe {
            write(&[7; 32]);
            let made = said(key_new(page));
            write(made["secret"].as_str().unwrap().as_bytes());
            assert_eq!(said(key_read(page)), made);
            write(b"no key");
            assert!(said(key_read(page))["refused"].as_str().unwrap().contains("k1 keys new"));
            write(&[made["public"].as_str().unwrap().as_bytes(), b"no bundle"].concat());
            let length = made["public"].as_str().unwrap().len();
            assert!(said(bundle_open(page, length))["refused"].as_str().unwrap().contains("not a bundle"));
            for n in [chip_suits(page, 9, 0, 0), plan(page, 0)] {
                assert!(n > 0);
                assert!(said(n)["refused"].as_str().unwrap().contains("firmware first"));
            }
            assert_eq!(plan_piece(page, 0), 0);
            write(b"homepw");
            assert!(improv_join(page, 4) > 10);
            let n = improv_ask(page, 2);
            write(&read(n));
            assert_eq!(said(improv_hear(page)), json!([]), "a question is not an answer");
            drop(Box::from_raw(page));
        }
    }
}
