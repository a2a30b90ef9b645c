//! Several files that play one after the other without a gap. While one plays, another thread opens the next and
//! decodes its first sound.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use k1_host::say;

use super::damage::Teller;
use super::file::FileSource;
use super::stream::is_address;
use super::{Error, Source, playlist};

/// Largest number of sentences about files that were skipped one after the other.
const TOLD: usize = 10;

/// Files that play one after the other.
pub struct ListSource {
    paths: Arc<[PathBuf]>,
    now: FileSource,
    /// The file after it, while another thread opens it; `None` if the last one plays.
    next: Option<Ahead>,
    teller: Teller,
    turn: u32,
    /// Number of damaged pieces in the files before this one.
    skipped: u64,
    is_over: bool,
}

impl ListSource {
    /// Opens the first file that can be played, of all files, folders and playlists.
    pub fn open(inputs: &[PathBuf]) -> Result<Self, Error> {
        let paths: Arc<[PathBuf]> = playlist::files(inputs)?.into();
        if paths.is_empty() {
            return Err(Error::Empty(inputs.first().cloned().unwrap_or_default()));
        }
        let found = Found::from(&paths, 0);
        found.tell();
        let now = found.file.ok_or(Error::NothingPlays(paths.len()))?;
        let next = Some(Ahead::start(&paths, found.after));
        Ok(Self { paths, now, next, teller: Teller::default(), turn: 0, skipped: 0, is_over: false })
    }

    /// Goes on to the next file that can be played; false if there is none.
    fn go_on(&mut self) -> bool {
        let Some(next) = self.next.take() else { return false };
        let found = next.wait(&self.paths);
        found.tell();
        let Some(file) = found.file else {
            // Only now is it known that nothing follows.
            self.now.finish();
            return true;
        };
        self.teller.end(&self.now);
        self.teller = Teller::default();
        self.skipped += self.now.skipped();
        let before = std::mem::replace(&mut self.now, file);
        self.now.follow(before);
        self.turn = self.turn.wrapping_add(1);
        self.next = Some(Ahead::start(&self.paths, found.after));
        true
    }
}

impl Source for ListSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        if self.is_over {
            return Ok(0);
        }
        loop {
            match self.now.read(out) {
                Ok(n @ 1..) => {
                    self.teller.tell(&self.now);
                    return Ok(n);
                }
                Ok(0) => {}
                Err(e) => {
                    say(format_args!("k1: {e}; K1 goes on to the next file"));
                    self.now.finish();
                }
            }
            if !self.go_on() {
                self.is_over = true;
                self.teller.end(&self.now);
                return Ok(0);
            }
        }
    }

    fn title(&self) -> String {
        self.now.title()
    }

    fn turn(&self) -> u32 {
        self.turn
    }

    fn skipped(&self) -> u64 {
        self.skipped + self.now.skipped()
    }
}

/// The next file of a list that can be played.
#[derive(Default)]
struct Found {
    file: Option<FileSource>,
    /// Index after it.
    after: usize,
    /// Why the files before it were skipped.
    reasons: Vec<String>,
}

impl Found {
    fn from(paths: &[PathBuf], first: usize) -> Self {
        let mut reasons = Vec::new();
        for (index, path) in paths.iter().enumerate().skip(first) {
            match open(path) {
                Ok(file) => return Self { file: Some(file), after: index + 1, reasons },
                Err(why) => reasons.push(why),
            }
        }
        Self { file: None, after: paths.len(), reasons }
    }

    /// Says which files were skipped, and why.
    fn tell(&self) {
        self.reasons.iter().take(TOLD).for_each(|why| say(format_args!("k1: {why}; K1 skips it")));
        match self.reasons.len().saturating_sub(TOLD) {
            0 => {}
            1 => say("k1: one more file cannot be played"),
            more => say(format_args!("k1: {more} more files cannot be played")),
        }
    }
}

/// Opens a file of a list.
fn open(path: &Path) -> Result<FileSource, String> {
    if path.to_str().is_some_and(is_address) {
        return Err(format!("{} is a stream, which plays only by itself", path.display()));
    }
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("{} does not exist", path.display()))
        }
        // Opening a pipe waits for its writer, and another file may wait behind it.
        Ok(meta) if !meta.is_file() => Err(format!("{} is not a file", path.display())),
        _ => {
            let mut file = FileSource::open(path).map_err(|e| e.to_string())?;
            file.expect_more();
            Ok(file)
        }
    }
}

/// A search that runs on another thread.
enum Ahead {
    Runs(JoinHandle<Found>),
    /// The system refused a thread, so the search from this index waits until its result is needed.
    Waits(usize),
}

impl Ahead {
    fn start(paths: &Arc<[PathBuf]>, first: usize) -> Self {
        let all = paths.clone();
        let thread = std::thread::Builder::new().name("k1-next".into());
        thread.spawn(move || Found::from(&all, first)).map_or(Self::Waits(first), Self::Runs)
    }

    fn wait(self, paths: &[PathBuf]) -> Found {
        match self {
            Self::Runs(thread) => thread.join().unwrap_or_default(),
            Self::Waits(first) => Found::from(paths, first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 3] = [16_000, 44_100, 48_000];

    /// A 16-bit WAV file with one channel.
    fn wav(path: &Path, rate: u32, samples: &[i16]) {
        let bytes = 2 * samples.len() as u32;
        let mut file = Vec::new();
        file.extend(b"RIFF");
        file.extend((36 + bytes).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        file.extend(rate.to_le_bytes());
        file.extend((2 * rate).to_le_bytes());
        file.extend(b"\x02\0\x10\0data");
        file.extend(bytes.to_le_bytes());
        file.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
        std::fs::write(path, file).unwrap();
    }

    fn sound(n: usize) -> Vec<i16> {
        (0..n).map(|i| ((i * i / 7 + i * 31) % 20_001) as i16 - 10_000).collect()
    }

    fn all(source: &mut dyn Source) -> Vec<f32> {
        let (mut heard, mut out) = (Vec::new(), [0.0; 333]);
        while let n @ 1.. = source.read(&mut out).unwrap() {
            heard.extend_from_slice(&out[..n]);
        }
        assert_eq!(source.read(&mut out).unwrap(), 0, "the end stays the end");
        heard
    }

    #[test]
    fn pieces_of_a_sound_give_the_samples_of_the_whole_at_every_rate_wherever_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for rate in RATES {
            let samples = sound(40_001);
            wav(&path("whole.wav"), rate, &samples);
            let whole = all(&mut FileSource::open(&path("whole.wav")).unwrap());
            for cuts in [[1, 40_000], [12_345, 12_346], [20_000, 31_111]] {
                wav(&path("a.wav"), rate, &samples[..cuts[0]]);
                wav(&path("b.wav"), rate, &samples[cuts[0]..cuts[1]]);
                wav(&path("c.wav"), rate, &samples[cuts[1]..]);
                let mut list = ListSource::open(&["a.wav", "b.wav", "c.wav"].map(path)).unwrap();
                assert!(all(&mut list) == whole, "{rate} Hz, cut at {cuts:?}");
                assert_eq!((list.title().as_str(), list.turn()), ("c.wav", 2));
            }
        }
    }

    #[test]
    fn files_at_different_rates_keep_their_lengths() {
        let dir = tempfile::tempdir().unwrap();
        let paths = RATES.map(|rate| dir.path().join(format!("{rate}.wav")));
        for (path, rate) in paths.iter().zip(RATES) {
            wav(path, rate, &sound(rate as usize));
        }
        assert_eq!(all(&mut ListSource::open(&paths).unwrap()).len(), 3 * 16_000);
    }

    #[test]
    fn files_that_cannot_be_played_are_skipped_wherever_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        wav(&path("good.wav"), 16_000, &sound(1_000));
        std::fs::write(path("broken.wav"), "this is not sound").unwrap();
        std::fs::write(path("empty.mp3"), "").unwrap();
        let order = ["gone.wav", "good.wav", "broken.wav", "empty.mp3", "good.wav", "gone.wav"].map(path);
        let mut list = ListSource::open(&order).unwrap();
        assert_eq!(all(&mut list).len(), 2_000);
        assert_eq!(list.turn(), 1);
        let nothing = ListSource::open(&["gone.wav", "broken.wav"].map(path)).err().unwrap();
        assert!(matches!(nothing, Error::NothingPlays(2)), "{nothing}");
        let folder = path("folder");
        std::fs::create_dir(&folder).unwrap();
        let empty = ListSource::open(&[folder]).err().unwrap().to_string();
        assert!(empty.contains("has no sound files"), "{empty}");
        std::fs::write(path("list.m3u"), "# nothing\n").unwrap();
        let empty = ListSource::open(&[path("list.m3u")]).err().unwrap().to_string();
        assert!(empty.contains("names no files"), "{empty}");
    }
}
