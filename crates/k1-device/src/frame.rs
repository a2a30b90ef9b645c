//! One frame, the same for the program and the lamp: renders the settings and the newest snapshot, and counts. The
//! caller decides when a frame begins and passes it to its lights. This module has no clock, no thread and no
//! allocation.

use core::ops::{Deref, DerefMut};

use k1_engine::audio::Snapshot;
use k1_engine::light::{OutputSettings, OutputStage, Palette, Rgb, Shape};
use k1_engine::params::Param;
use k1_engine::show::Show;
use k1_handoff::Mailbox;

use crate::exchange::{Outcome, Owner, SLOTS, SettingsRing, SoundReader, SoundRing};
use crate::meter::{Count, Meters};

/// The half that shows: `Z` is its zone or its zones, `S` the hand-off of the sound.
pub struct Showing<Z, S> {
    zones: Z,
    sound: SoundReader<S>,
    period_us: u64,
    before_us: Option<u64>,
}

/// A part of the light with a look of its own: `D` points to its renderer, `M` and `R` to the hand-offs of its settings.
pub struct Zone<D, M, R> {
    show: D,
    shape: Shape<'static>,
    owner: Owner<M, R>,
}

/// One zone or several, which hear the same sound.
pub trait Zones {
    /// Applies posted changes; true if settings have changed.
    fn update(&mut self) -> bool;
    /// Renders the frame that begins at `began_us`.
    fn render(&mut self, began_us: u64, sound: &Snapshot);
}

/// A finished frame, from which the caller takes what its lights and pages need.
pub struct Picture<'a, const N: usize> {
    output: &'a OutputStage<N>,
    is_dithered: bool,
}

impl<const N: usize> Picture<'_, N> {
    /// Bytes for LEDs, linear in light, R, G, B, dithered if the settings ask for it.
    pub fn wire(&self, out: &mut [[u8; 3]]) {
        self.output.wire(self.is_dithered, out);
    }

    /// The same for LEDs with white, R, G, B, W.
    pub fn wire_with_white(&self, out: &mut [[u8; 4]]) {
        self.output.wire_with_white(self.is_dithered, out);
    }

    /// Linear light of the first LEDs, as many as fit, and whether a wire is to be dithered.
    pub fn light(&self, out: &mut [Rgb]) -> bool {
        for (out, light) in out.iter_mut().zip(self.output.light(N)) {
            *out = *light;
        }
        self.is_dithered
    }

    /// Bytes for a screen, sRGB, R, G, B.
    pub fn screen(&self, out: &mut [[u8; 3]]) {
        self.output.screen(out);
    }
}

impl<D, M, R> Zone<D, M, R> {
    /// The zone with another renderer, which has to be [restarted](Self::restart), and the renderer that it had.
    pub fn with_show<E>(self, show: E) -> (Zone<E, M, R>, D) {
        let Self { show: before, shape, owner } = self;
        (Zone { show, shape, owner }, before)
    }
}

impl<const N: usize, D, M, R> Zone<D, M, R>
where
    D: DerefMut<Target = Show<N>>,
    M: Deref<Target = Mailbox<SLOTS>>,
    R: Deref<Target = SettingsRing>,
{
    /// A zone with the owner's settings, without a fade, on a mirrored line.
    pub fn new(mut show: D, owner: Owner<M, R>) -> Self {
        let settings = owner.settings();
        show.set_params(settings.params);
        show.cut_to(settings.pattern);
        Self { show, shape: Shape::Mirrored, owner }
    }

    /// Arranges the LEDs in a shape.
    pub fn on(self, shape: Shape<'static>) -> Self {
        Self { shape, ..self }
    }

    /// Begins again with another number of LEDs, another shape or other output settings, without a fade.
    pub fn restart(&mut self, leds: usize, shape: Shape<'static>, output: OutputSettings) {
        self.shape = shape;
        let settings = self.owner.settings();
        self.show.start(leds, output);
        self.show.set_params(settings.params);
        self.show.cut_to(settings.pattern);
    }

    /// Replaces the user's own palettes.
    pub fn set_own_palettes(&mut self, own: &'static [Palette]) {
        self.show.set_own_palettes(own);
    }

    /// Multiplies the light of the frame that was rendered last by a dimmer's factor, 0 to 1.
    pub fn dim(&mut self, factor: f32) {
        if factor < 1.0 {
            self.show.dim(factor);
        }
    }

    /// The frame that was rendered last.
    pub fn picture(&self) -> Picture<'_, N> {
        let is_dithered = self.show.params().get(Param::Dithering) >= 0.5;
        Picture { output: &self.show.output, is_dithered }
    }
}

impl<const N: usize, D, M, R> Zones for Zone<D, M, R>
where
    D: DerefMut<Target = Show<N>>,
    M: Deref<Target = Mailbox<SLOTS>>,
    R: Deref<Target = SettingsRing>,
{
    fn update(&mut self) -> bool {
        let has_changed = self.owner.update();
        if has_changed {
            let fade = self.owner.take_fade();
            let settings = self.owner.settings();
            match fade {
                Some(seconds) => _ = self.show.fade_to(settings.pattern, settings.params, seconds),
                None => {
                    self.show.set_params(settings.params);
                    self.show.select(settings.pattern);
                }
            }
        }
        has_changed
    }

    fn render(&mut self, began_us: u64, sound: &Snapshot) {
        self.show.render_on(&self.shape, began_us, sound);
    }
}

impl<Z: Zones, S: Deref<Target = SoundRing>> Showing<Z, S> {
    /// Shows `zones`. A frame is due every `period_us`.
    pub const fn new(zones: Z, sound: SoundReader<S>, period_us: u64) -> Self {
        Self { zones, sound, period_us, before_us: None }
    }

    /// The zones.
    pub fn zones(&mut self) -> &mut Z {
        &mut self.zones
    }

    /// Shows the frame that begins at `began_us`. True if the settings changed with this frame.
    ///
    /// `has_ended` is true if no more sound will come, so that its age is no longer counted; `now_us` reads the
    /// caller's clock; `deliver` passes the frame to the lights and returns how many of them had not taken the previous
    /// frame.
    pub fn frame<const B: usize>(
        &mut self,
        began_us: u64,
        has_ended: bool,
        meters: &Meters<B>,
        now_us: impl Fn() -> u64,
        deliver: impl FnOnce(&mut Z) -> u32,
    ) -> bool {
        if let Some(before) = self.before_us.replace(began_us) {
            meters.frame_began(began_us.saturating_sub(before), self.period_us);
        }
        let has_changed = self.zones.update();
        count_read(self.sound.read(), meters);
        let sound = self.sound.snapshot();
        if sound.sequence > 0 && !has_ended {
            meters.age.add(began_us.saturating_sub(sound.captured_us));
        }
        self.zones.render(began_us, sound);
        let dropped = deliver(&mut self.zones);
        meters.count(Count::Dropped, dropped);
        meters.count(Count::RenderUs, now_us().saturating_sub(began_us) as u32);
        meters.count(Count::Frames, 1);
        has_changed
    }
}

fn count_read<const B: usize>(outcome: Outcome, meters: &Meters<B>) {
    match outcome {
        Outcome::Read(retries) => meters.count(Count::Retries, retries.into()),
        Outcome::Contended => meters.count(Count::Contended, 1),
        Outcome::Torn => meters.count(Count::Torn, 1),
        Outcome::Empty => {}
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use k1_engine::patterns::pattern_by_id;

    use super::*;
    use crate::exchange::{Change, Controls, Crossing, Settings, SoundWriter};
    use crate::meter::Ledger;

    const BINS: usize = 64;
    const LEDS: usize = 12;
    type Lamp =
        Showing<Zone<Box<Show<LEDS>>, &'static Mailbox<SLOTS>, &'static SettingsRing>, &'static SoundRing>;

    /// A half that shows, and the ends of the other half.
    struct Room {
        showing: Lamp,
        meters: Meters<BINS>,
        ears: SoundWriter<&'static SoundRing>,
        controls: Controls<&'static Mailbox<SLOTS>, &'static SettingsRing>,
        ticks: Cell<u64>,
    }

    impl Room {
        fn new() -> Self {
            let crossing: &'static Crossing = Box::leak(Box::default());
            let show = Box::new(Show::new(LEDS, OutputSettings { limit_ma: None }));
            let owner = crossing.take_owner(Settings::default()).unwrap();
            Self {
                showing: Showing::new(Zone::new(show, owner), crossing.sound(), 1_000),
                meters: Meters::new(),
                ears: crossing.take_sound().unwrap(),
                controls: crossing.controls(),
                ticks: Cell::new(0),
            }
        }

        /// A frame that takes 37 µs, while `dropped` lights had not taken the previous frame.
        fn frame(&mut self, at: u64, dropped: u32) -> bool {
            let now = || self.ticks.replace(self.ticks.get() + 1) + at + 37;
            self.ticks.set(0);
            let changed = self.showing.frame(at, false, &self.meters, now, |_| dropped);
            assert_eq!(self.ticks.get(), 1, "the clock is read once");
            changed
        }

        fn counts(&self) -> [u32; 7] {
            use Count::*;
            [Frames, RenderUs, Late, Dropped, Torn, Hops, Underruns].map(|c| self.meters.get(c))
        }
    }

    #[test]
    fn each_counter_counts_its_own() {
        let mut room = Room::new();
        room.frame(10_000, 0);
        assert_eq!(room.counts(), [1, 37, 0, 0, 0, 0, 0], "the first is never late");
        room.frame(11_000, 0);
        room.frame(13_000, 0);
        assert_eq!(room.counts(), [3, 111, 0, 0, 0, 0, 0], "two periods are not late");
        room.frame(15_001, 0);
        assert_eq!(room.counts(), [4, 148, 1, 0, 0, 0, 0]);
        room.frame(16_001, 2);
        room.frame(17_001, 1);
        assert_eq!(room.counts(), [6, 222, 1, 3, 0, 0, 0], "each light that was passed over");
        let longest = Ledger::new().vitals(&room.meters, 20_000, 1.0).longest_gap_ms;
        assert_eq!(longest, 2.001);
    }

    #[test]
    fn each_outcome_of_a_read_has_its_counter() {
        for (outcome, want) in [
            (Outcome::Empty, [0, 0, 0]),
            (Outcome::Read(0), [0, 0, 0]),
            (Outcome::Read(1), [1, 0, 0]),
            (Outcome::Contended, [0, 1, 0]),
            (Outcome::Torn, [0, 0, 1]),
        ] {
            let meters = Meters::<BINS>::new();
            count_read(outcome, &meters);
            let got = [Count::Retries, Count::Contended, Count::Torn].map(|c| meters.get(c));
            assert_eq!(got, want, "{outcome:?}");
        }
    }

    #[test]
    fn a_torn_snapshot_is_counted_by_the_frame_that_found_it() {
        let sound: &'static SoundRing = Box::leak(Box::default());
        let crossing: &'static Crossing = Box::leak(Box::default());
        let mut ring = sound.take_writer().unwrap();
        let show = Box::new(Show::<LEDS>::new(LEDS, OutputSettings { limit_ma: None }));
        let owner = crossing.take_owner(Settings::default()).unwrap();
        let mut showing = Showing::new(Zone::new(show, owner), SoundReader::new(sound.reader()), 1_000);
        let meters = Meters::<BINS>::new();
        for _ in 0..3 {
            ring.publish(&[7; crate::exchange::SOUND_WORDS]);
            showing.frame(0, false, &meters, || 0, |_| 0);
        }
        assert_eq!(meters.get(Count::Torn), 3);
    }

    #[test]
    fn the_age_of_sound_is_counted_while_there_is_sound() {
        let age = |room: &Room| Ledger::new().vitals(&room.meters, 1_000_000, 1.0).age_ms;
        let mut room = Room::new();
        room.frame(900, 0);
        assert_eq!(age(&room), 0.0, "nothing was heard yet");
        room.ears.publish(&Snapshot { sequence: 1, captured_us: 98_000, ..Snapshot::EMPTY });
        room.showing.frame(100_000, true, &room.meters, || 100_000, |_| 0);
        assert_eq!(age(&room), 0.0, "the sound has ended");
        room.frame(100_000, 0);
        assert!((age(&room) - 2.05).abs() < 0.01, "{}", age(&room));
    }

    #[test]
    fn settings_are_in_force_from_the_next_frame_on() {
        let mut room = Room::new();
        assert!(!room.frame(0, 0));
        room.controls
            .post([Change::Param(Param::Warmth, 0.75), Change::Pattern(pattern_by_id("lava").unwrap())]);
        assert!(room.frame(1_000, 0), "the home is told");
        assert!(!room.frame(2_000, 0), "once");
        let show = &room.showing.zones().show;
        assert_eq!(
            (show.params().get(Param::Warmth), show.pattern()),
            (0.75, pattern_by_id("lava").unwrap())
        );
    }

    #[test]
    fn lights_get_what_the_settings_say() {
        let mut room = Room::new();
        for (from, dithering) in [(0, 0.0), (600, 1.0)] {
            room.controls
                .post([Change::Param(Param::Dithering, dithering), Change::Param(Param::Background, 1.0)]);
            let mut differs = false;
            for n in 0..600 {
                let at_us = (from + n) * 8_000;
                room.showing.frame(
                    at_us,
                    false,
                    &room.meters,
                    || at_us,
                    |zone| {
                        let picture = zone.picture();
                        let [mut wire, mut screen, mut rounded, mut dithered, mut shown] =
                            [[[9; 3]; LEDS]; 5];
                        picture.wire(&mut wire);
                        picture.screen(&mut screen);
                        picture.output.wire(false, &mut rounded);
                        picture.output.wire(true, &mut dithered);
                        picture.output.screen(&mut shown);
                        assert_eq!((wire, screen), (if dithering > 0.5 { dithered } else { rounded }, shown));
                        differs |= rounded != dithered;
                        0
                    },
                );
            }
            assert!(differs, "the light glows");
        }
    }
}
