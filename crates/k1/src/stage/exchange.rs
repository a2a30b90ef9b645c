//! What crosses between the halves, as words.

use std::sync::Arc;

use k1_engine::audio::{SNAPSHOT_WORDS, Snapshot};
use k1_engine::params::{Param, Params};
use k1_engine::patterns::FIRST_PATTERN;
use k1_handoff::{Mailbox, MailboxOwner, Read, RingReader, RingWriter, SnapshotRing};

/// A snapshot and its checksum.
const SOUND_WORDS: usize = SNAPSHOT_WORDS + 1;
type SoundRing = SnapshotRing<SOUND_WORDS>;

/// Parameters, pattern and gain, each in a slot of its own.
const SLOTS: usize = Param::ALL.len() + 2;
const PATTERN_SLOT: usize = Param::ALL.len();
const GAIN_SLOT: usize = PATTERN_SLOT + 1;
type SettingsRing = SnapshotRing<SLOTS>;

/// A sum that a copy with words of two snapshots does not have (FNV-1a over words).
fn checksum(words: &[u32]) -> u32 {
    words.iter().fold(0x811c_9dc5, |h, w| (h ^ w).wrapping_mul(0x0100_0193).rotate_left(5))
}

/// The ear's end of the snapshot hand-off; there is one.
pub struct SoundWriter(RingWriter<Arc<SoundRing>>);

/// An end of the snapshot hand-off for any thread that shows or reports sound.
#[derive(Clone)]
pub struct SoundReader {
    ring: RingReader<Arc<SoundRing>>,
    words: Box<[u32; SOUND_WORDS]>,
    last: Snapshot,
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole snapshot, after so many retries.
    Read(u8),
    /// Nothing was published yet.
    Empty,
    /// The writer was faster twice; the previous copy stays.
    Contended,
    /// The checksum is wrong: the hand-off is broken. The previous copy stays.
    Torn,
}

/// Makes both ends.
pub fn sound() -> (SoundWriter, SoundReader) {
    let (writer, ring) = SoundRing::channel();
    (SoundWriter(writer), SoundReader { ring, words: Box::new([0; SOUND_WORDS]), last: Snapshot::EMPTY })
}

impl SoundWriter {
    /// Publishes a snapshot; never waits.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        let mut words = [0; SOUND_WORDS];
        words[..SNAPSHOT_WORDS].copy_from_slice(&snapshot.to_words());
        words[SNAPSHOT_WORDS] = checksum(&words[..SNAPSHOT_WORDS]);
        self.0.publish(&words);
    }
}

impl SoundReader {
    /// Reads the newest snapshot; never waits.
    pub fn read(&mut self) -> Outcome {
        match self.ring.read(&mut self.words) {
            Read::Empty => Outcome::Empty,
            Read::Contended => Outcome::Contended,
            Read::Fresh { retries, .. } => {
                let (body, sum) = self.words.split_at(SNAPSHOT_WORDS);
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

    /// The snapshot that the last successful read gave.
    pub fn snapshot(&self) -> &Snapshot {
        &self.last
    }

    /// Reads and answers in one; for callers that do not count.
    pub fn latest(&mut self) -> &Snapshot {
        self.read();
        &self.last
    }
}

/// Everything that a user can set, as one consistent set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Parameters.
    pub params: Params,
    /// Index of the pattern.
    pub pattern: usize,
    /// Microphone gain.
    pub gain: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { params: Params::default(), pattern: FIRST_PATTERN, gain: 1.0 }
    }
}

/// One change; values are valid when they are posted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// A parameter.
    Param(Param, f32),
    /// A pattern by index.
    Pattern(usize),
    /// The microphone gain.
    Gain(f32),
}

impl Change {
    fn slot(self) -> (usize, u32) {
        match self {
            Self::Param(p, v) => (p as usize, v.to_bits()),
            Self::Pattern(index) => (PATTERN_SLOT, index as u32),
            Self::Gain(gain) => (GAIN_SLOT, gain.to_bits()),
        }
    }
}

/// The side of the settings that any thread may hold: posts changes, reads whole sets.
#[derive(Clone)]
pub struct Controls {
    mailbox: Arc<Mailbox<SLOTS>>,
    published: RingReader<Arc<SettingsRing>>,
    last: Settings,
}

/// The owner of the settings: the renderer. Checks what was posted and publishes whole sets.
pub struct Owner {
    mailbox: MailboxOwner<Arc<Mailbox<SLOTS>>>,
    published: RingWriter<Arc<SettingsRing>>,
    settings: Settings,
}

/// Makes both sides.
pub fn settings(initial: Settings) -> (Controls, Owner) {
    let (mailbox, owner) = Mailbox::channel();
    let (writer, published) = SettingsRing::channel();
    let mut owner = Owner { mailbox: owner, published: writer, settings: initial };
    owner.publish();
    (Controls { mailbox, published, last: initial }, owner)
}

impl Controls {
    /// Posts changes as one batch; never waits. The newest value of each setting wins.
    pub fn post(&self, changes: impl IntoIterator<Item = Change>) {
        let mut slots = [(0, 0); SLOTS];
        let mut n = 0;
        for change in changes.into_iter().take(SLOTS) {
            slots[n] = change.slot();
            n += 1;
        }
        // Every slot of `Change` exists.
        let _ = self.mailbox.post(&slots[..n]);
    }

    /// The set in force.
    pub fn settings(&mut self) -> Settings {
        let mut words = [0; SLOTS];
        if let Read::Fresh { .. } = self.published.read(&mut words) {
            let values = std::array::from_fn(|i| f32::from_bits(words[i]));
            self.last = Settings {
                params: Params::from_values(values),
                pattern: words[PATTERN_SLOT] as usize,
                gain: f32::from_bits(words[GAIN_SLOT]),
            };
        }
        self.last
    }
}

impl Owner {
    /// Takes what was posted; `true` if the set has changed.
    pub fn update(&mut self) -> bool {
        let s = &mut self.settings;
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
        let (mut controls, mut owner) = settings(Settings::default());
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
        let (mut writer, mut reader) = sound();
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
