//! The hand-offs between the half that hears and the half that shows, as 32-bit words.
//!
//! A lamp keeps a [`Crossing`] in a `static` and takes its ends once; threads of the program share one behind an `Arc`.
//! Both use the same types for the ends: `S` is a pointer to the shared place.

use core::ops::Deref;

use k1_engine::audio::{SNAPSHOT_WORDS, Snapshot};
use k1_engine::params::{Param, Params};
use k1_engine::patterns::FIRST_PATTERN;
pub use k1_engine::show::LONGEST_FADE_S;
use k1_engine::show::Look;
use k1_handoff::{Mailbox, MailboxOwner, Read, RingReader, RingWriter, SnapshotRing};

/// Number of words of a snapshot and its checksum.
pub const SOUND_WORDS: usize = SNAPSHOT_WORDS + 1;
/// The ring of the newest snapshots.
pub type SoundRing = SnapshotRing<SOUND_WORDS>;

/// Number of slots: each parameter, the pattern, the gain and the fade have their own.
pub const SLOTS: usize = Param::ALL.len() + 3;
const PATTERN_SLOT: usize = Param::ALL.len();
const GAIN_SLOT: usize = PATTERN_SLOT + 1;
const FADE_SLOT: usize = GAIN_SLOT + 1;
/// The ring of the settings in force.
pub type SettingsRing = SnapshotRing<SLOTS>;

/// A checksum that detects copies which mix words of two snapshots.
///
/// It resembles FNV-1a and uses its constants, but reads words instead of bytes and rotates the sum after each word,
/// because a product alone never carries a word's high bits down to the low ones.
fn checksum(words: &[u32]) -> u32 {
    words.iter().fold(0x811c_9dc5, |h, w| (h ^ w).wrapping_mul(0x0100_0193).rotate_left(5))
}

/// The ear's end of the snapshot hand-off. There is only one.
pub struct SoundWriter<S>(RingWriter<S>);

/// A reader's end of the snapshot hand-off, for any thread that shows or reports sound.
#[derive(Clone)]
pub struct SoundReader<S> {
    ring: RingReader<S>,
    last: Snapshot,
}

/// Result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole snapshot, with the number of retries.
    Read(u8),
    /// Nothing was published yet.
    Empty,
    /// The writer overtook both tries; the previous copy stays.
    Contended,
    /// The checksum is wrong: the hand-off is broken. The previous copy stays.
    Torn,
}

/// The shared hand-offs of one lamp, for a `static`.
#[derive(Default)]
pub struct Crossing {
    sound: SoundRing,
    wishes: Mailbox<SLOTS>,
    settings: SettingsRing,
}

impl Crossing {
    /// Hand-offs in which nothing was published yet.
    pub const fn new() -> Self {
        Self { sound: SoundRing::new(), wishes: Mailbox::new(), settings: SettingsRing::new() }
    }

    /// The ear's end; `None` after the first call.
    pub fn take_sound(&'static self) -> Option<SoundWriter<&'static SoundRing>> {
        self.sound.take_writer().map(SoundWriter)
    }

    /// A reader's end of the snapshot hand-off.
    pub fn sound(&'static self) -> SoundReader<&'static SoundRing> {
        SoundReader::new(self.sound.reader())
    }

    /// The owner of the settings, which publishes `initial`; `None` after the first call.
    pub fn take_owner(
        &'static self,
        initial: Settings,
    ) -> Option<Owner<&'static Mailbox<SLOTS>, &'static SettingsRing>> {
        Some(Owner::new(self.wishes.take_owner()?, self.settings.take_writer()?, initial))
    }

    /// An end that posts changes and reads whole sets of settings.
    pub fn controls(&'static self) -> Controls<&'static Mailbox<SLOTS>, &'static SettingsRing> {
        Controls::new(&self.wishes, self.settings.reader(), Settings::default())
    }
}

impl<S: Deref<Target = SoundRing>> SoundWriter<S> {
    /// The writer's end of a ring.
    pub const fn new(ring: RingWriter<S>) -> Self {
        Self(ring)
    }

    /// Publishes a snapshot; never waits.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        let mut words = [0; SOUND_WORDS];
        words[..SNAPSHOT_WORDS].copy_from_slice(&snapshot.to_words());
        words[SNAPSHOT_WORDS] = checksum(&words[..SNAPSHOT_WORDS]);
        self.0.publish(&words);
    }
}

impl<S: Deref<Target = SoundRing>> SoundReader<S> {
    /// A reader's end that has read nothing yet.
    pub const fn new(ring: RingReader<S>) -> Self {
        Self { ring, last: Snapshot::EMPTY }
    }

    /// Reads the newest snapshot; never waits.
    pub fn read(&mut self) -> Outcome {
        let mut words = [0; SOUND_WORDS];
        match self.ring.read(&mut words) {
            Read::Empty => Outcome::Empty,
            Read::Contended => Outcome::Contended,
            Read::Fresh { retries, .. } => {
                let (body, sum) = words.split_at(SNAPSHOT_WORDS);
                match body.first_chunk() {
                    Some(body) if checksum(body) == sum[0] => {
                        self.last = Snapshot::from_words(body);
                        Outcome::Read(retries)
                    }
                    _ => Outcome::Torn,
                }
            }
        }
    }

    /// The snapshot from the last successful read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.last
    }

    /// Reads and returns the newest snapshot; for callers that do not count outcomes.
    pub fn latest(&mut self) -> &Snapshot {
        self.read();
        &self.last
    }
}

/// Everything that a user can set, as one consistent set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Values of the parameters.
    pub params: Params,
    /// Index of the pattern.
    pub pattern: usize,
    /// Microphone gain, a factor from 0.5 to 2.
    pub gain: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The default settings.
    pub const fn new() -> Self {
        Self { params: Params::new(), pattern: FIRST_PATTERN, gain: 1.0 }
    }

    /// The look among the settings.
    pub const fn look(&self) -> Look {
        Look { pattern: self.pattern, params: self.params }
    }
}

/// One change of the settings. Its value must be valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// A parameter and its new value.
    Param(Param, f32),
    /// A pattern by index.
    Pattern(usize),
    /// The microphone gain.
    Gain(f32),
    /// Fades to what the batch changes, within this many seconds (0 to [`LONGEST_FADE_S`]). It is not part of the
    /// settings.
    Fade(f32),
}

impl Change {
    /// The batch that fades to a look within `seconds`.
    pub fn fade_to(look: Look, seconds: f32) -> impl Iterator<Item = Self> {
        let params = Param::ALL.iter().map(move |param| Self::Param(*param, look.params.get(*param)));
        params.chain([Self::Pattern(look.pattern), Self::Fade(seconds)])
    }

    fn slot(self) -> (usize, u32) {
        match self {
            Self::Param(p, v) => (p as usize, v.to_bits()),
            Self::Pattern(index) => (PATTERN_SLOT, index as u32),
            Self::Gain(gain) => (GAIN_SLOT, gain.to_bits()),
            Self::Fade(seconds) => (FADE_SLOT, seconds.to_bits()),
        }
    }
}

/// The end of the settings that any thread may hold. It posts changes and reads whole sets.
#[derive(Clone)]
pub struct Controls<M, R> {
    mailbox: M,
    published: RingReader<R>,
    last: Settings,
}

/// The owner of the settings: the renderer. It checks posted changes and publishes whole sets.
pub struct Owner<M, R> {
    mailbox: MailboxOwner<M>,
    published: RingWriter<R>,
    settings: Settings,
    /// Seconds of a fade to the settings that has not begun.
    fade: Option<f32>,
}

impl<M: Deref<Target = Mailbox<SLOTS>>, R: Deref<Target = SettingsRing>> Controls<M, R> {
    /// An end of settings whose owner starts with `initial`.
    pub const fn new(mailbox: M, published: RingReader<R>, initial: Settings) -> Self {
        Self { mailbox, published, last: initial }
    }

    /// Posts changes as one batch; never waits. The newest value of each setting wins.
    pub fn post(&self, changes: impl IntoIterator<Item = Change>) {
        let mut slots = [(0, 0); SLOTS];
        let mut n = 0;
        for change in changes.into_iter().take(SLOTS) {
            slots[n] = change.slot();
            n += 1;
        }
        // Every slot that `Change` names exists.
        let _ = self.mailbox.post(&slots[..n]);
    }

    /// The set in force.
    pub fn settings(&mut self) -> Settings {
        let mut words = [0; SLOTS];
        if let Read::Fresh { .. } = self.published.read(&mut words) {
            let values = core::array::from_fn(|i| f32::from_bits(words[i]));
            self.last = Settings {
                params: Params::from_values(values),
                pattern: words[PATTERN_SLOT] as usize,
                gain: f32::from_bits(words[GAIN_SLOT]),
            };
        }
        self.last
    }
}

impl<M: Deref<Target = Mailbox<SLOTS>>, R: Deref<Target = SettingsRing>> Owner<M, R> {
    /// The owner of settings that start with `initial`; publishes them.
    pub fn new(mailbox: MailboxOwner<M>, published: RingWriter<R>, initial: Settings) -> Self {
        let mut owner = Self { mailbox, published, settings: initial, fade: None };
        owner.publish();
        owner
    }

    /// Applies posted changes; `true` if the set has changed.
    pub fn update(&mut self) -> bool {
        let (s, fade) = (&mut self.settings, &mut self.fade);
        let mut changed = false;
        self.mailbox.drain(|slot, word| {
            changed = true;
            match slot {
                PATTERN_SLOT if (word as usize) < k1_engine::patterns::PATTERNS.len() => {
                    s.pattern = word as usize
                }
                GAIN_SLOT if k1_engine::audio::GAIN_RANGE.contains(&f32::from_bits(word)) => {
                    s.gain = f32::from_bits(word);
                }
                FADE_SLOT if (0.0..=LONGEST_FADE_S).contains(&f32::from_bits(word)) => {
                    *fade = Some(f32::from_bits(word));
                }
                _ => {
                    if let Some(param) = Param::ALL.get(slot) {
                        s.params.set(*param, f32::from_bits(word));
                    }
                }
            }
        });
        if changed {
            self.publish();
        }
        changed
    }

    /// Seconds of the fade to the newest settings; `None` if they are in force at once. Each fade is returned once.
    pub fn take_fade(&mut self) -> Option<f32> {
        self.fade.take()
    }

    /// The set in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn publish(&mut self) {
        let s = &self.settings;
        let mut words = [0; SLOTS];
        for (word, value) in words.iter_mut().zip(s.params.values()) {
            *word = value.to_bits();
        }
        words[PATTERN_SLOT] = s.pattern as u32;
        words[GAIN_SLOT] = s.gain.to_bits();
        self.published.publish(&words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_applied_whole_and_checked() {
        static PLACE: Crossing = Crossing::new();
        let mut owner = PLACE.take_owner(Settings::default()).unwrap();
        assert!(PLACE.take_owner(Settings::default()).is_none(), "there is one owner");
        let mut controls = PLACE.controls();
        assert_eq!(controls.settings(), Settings::default());
        assert!(!owner.update());
        controls.post([Change::Param(Param::Warmth, 0.5), Change::Pattern(7), Change::Gain(1.5)]);
        controls.post([Change::Param(Param::Speed, f32::NAN), Change::Pattern(99), Change::Gain(9.0)]);
        assert!(owner.update());
        let s = controls.settings();
        assert_eq!(s, *owner.settings());
        assert_eq!((s.params.get(Param::Warmth), s.params.get(Param::Speed)), (0.5, 0.5));
        assert_eq!(
            (s.pattern, s.gain),
            (FIRST_PATTERN, 1.0),
            "the last value of a slot was invalid, so it stays"
        );
    }

    #[test]
    fn a_copy_with_a_foreign_word_is_called_torn() {
        static PLACE: Crossing = Crossing::new();
        let mut writer = PLACE.take_sound().unwrap();
        let mut reader = PLACE.sound();
        assert_eq!(reader.read(), Outcome::Empty);
        writer.publish(&Snapshot { sequence: 5, level: 0.5, ..Snapshot::EMPTY });
        assert_eq!(reader.read(), Outcome::Read(0));
        assert_eq!(reader.snapshot().sequence, 5);
        let mut words = Snapshot { sequence: 6, ..Snapshot::EMPTY }.to_words().to_vec();
        words.push(checksum(&words));
        words[3] ^= 1;
        writer.0.publish(&words.try_into().unwrap());
        assert_eq!(reader.read(), Outcome::Torn);
        assert_eq!(reader.snapshot().sequence, 5, "the previous copy stays");
    }
}
