//! Who plays.

/// A drum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drum {
    /// The bass drum: its skin rings below 160 Hz but for the first moment, and its beater hisses for 6 ms.
    Kick,
    /// Noise of every pitch over a skin of 190 Hz.
    Snare,
    /// The hi-hat, closed: a short hiss that is the louder the higher.
    Hat,
    /// The same, open: it rings on.
    OpenHat,
    /// The same hiss, and a bell of 3 and 4 kHz.
    Ride,
}

/// Who plays a note that has a beginning; pads have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The drum kit.
    Drum(Drum),
    /// Notes of 40 to 200 Hz and their first overtones.
    Bass,
    /// Chords between 170 and 400 Hz and their first overtones.
    Chord,
    /// Notes of an arpeggio, an octave above the chords.
    Pluck,
}
