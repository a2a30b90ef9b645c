//! K1 in a browser, from the folder that `cargo xtask site` makes: served as any static host would.
//!
//! Without Chromium or the folder, the tests print that they were skipped and pass; with `browser` and `site` in
//! `K1_REQUIRE` they fail instead.

#[path = "../../../k1/tests/browser/chromium.rs"]
#[allow(dead_code, reason = "used in part")]
mod chromium;
mod equal;
mod figures;
mod host;
mod looks;
#[path = "../../../k1/tests/support/need.rs"]
#[allow(dead_code, reason = "used in part")]
mod need;
mod sound;
mod sounds;

use std::sync::MutexGuard;

use chromium::Browser;
use host::StaticHost;

/// What a test needs: the browser's program, and a host that serves the site.
struct Place {
    program: String,
    host: StaticHost,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    /// `None`, with the reason on the console, if something is missing.
    fn find() -> Option<Self> {
        let (folder, program, turn) = host::site_with("engine.wasm")?;
        Some(Self { program, host: StaticHost::serve(folder), _turn: turn })
    }

    /// An empty browser with options.
    fn browser(&self, options: &[&str]) -> Browser {
        Browser::start_with(&self.program, options)
    }

    /// The same, with the site open and its engine running.
    fn page(&self, options: &[&str]) -> Browser {
        let mut page = self.browser(options);
        page.open(&self.host.url());
        page.wait("the engine", "document.getElementById('link').dataset.state === 'open'");
        page
    }
}

#[test]
fn a_browser_renders_what_k1_render_writes() {
    let Some(place) = Place::find() else { return };
    let mut page = place.page(&[]);
    equal::renders_as_k1_render(&mut page);
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[test]
fn minutes_of_sound_give_the_same_bits() {
    let Some(place) = Place::find() else { return };
    // Noise, clipping, silence and NaN.
    let mut rough: Vec<f32> = sound::demo(40).iter().map(|x| x * 2.5).collect();
    let mut seed = 7_u32;
    for (i, x) in rough.iter_mut().enumerate() {
        seed = seed.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        *x += (seed >> 8) as f32 / 16_777_216.0 * 0.05;
        match i / 16_000 {
            10..13 => *x = 0.0,
            20 if i % 31 == 0 => *x = f32::NAN,
            30..33 => *x = x.clamp(-0.2, 0.2),
            _ => {}
        }
    }
    place.host.add("rough.f32", rough.iter().flat_map(|x| x.to_le_bytes()).collect());
    let mut page = place.page(&[]);
    equal::minutes_are_the_same(&mut page, &rough);
}

#[test]
fn a_stranger_sees_light_and_presses_one_button() {
    let Some(place) = Place::find() else { return };
    figures::from_nothing_to_light(&place);
}

#[test]
fn its_view_fits_every_screen() {
    let Some(place) = Place::find() else { return };
    figures::fits_every_screen(&place);
}

#[test]
fn it_keeps_up_on_a_slow_machine() {
    let Some(place) = Place::find() else { return };
    figures::slowed_down(&place);
}

#[test]
fn light_follows_the_sound_at_once() {
    let Some(place) = Place::find() else { return };
    figures::sound_to_light(&place);
}

#[test]
fn it_starts_without_a_network() {
    let Some(place) = Place::find() else { return };
    figures::offline(place);
}

#[test]
fn a_microphone_moves_the_light() {
    let Some(place) = Place::find() else { return };
    sounds::microphone(&place);
}

#[test]
fn a_song_that_is_dropped_plays() {
    let Some(place) = Place::find() else { return };
    sounds::dropped(&place);
}

#[test]
fn a_strip_on_usb_shows_the_light() {
    let Some(place) = Place::find() else { return };
    sounds::strip_on_usb(&place);
}

#[test]
fn a_look_is_a_link() {
    let Some(place) = Place::find() else { return };
    looks::a_link_gives_the_same_look(&place);
}

#[test]
fn what_a_browser_refuses_is_said_with_a_way_on() {
    let Some(place) = Place::find() else { return };
    sounds::refused(&place);
    sounds::old_browsers(&place);
}
