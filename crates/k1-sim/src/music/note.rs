//! A note: when it begins, and on which instrument.

/// The onset of a note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Note {
    /// Seconds from the first sample.
    pub at: f64,
    /// The instrument that plays it.
    pub instrument: Instrument,
}

/// A drum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drum {
    /// The bass drum: after the first moment its skin sounds below 160 Hz; its beater hisses for 6 ms.
    Kick,
    /// Broadband noise over a skin of 190 Hz.
    Snare,
    /// The closed hi-hat: a short hiss that rises with frequency.
    Hat,
    /// The open hi-hat: the same hiss, but longer.
    OpenHat,
    /// The same hiss with a bell of 3 and 4 kHz.
    Ride,
}

/// The instrument of a note with an onset. Pads have no onset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A drum.
    Drum(Drum),
    /// Notes of 40 to 200 Hz and their first overtones.
    Bass,
    /// Chords between 170 and 400 Hz and their first overtones.
    Chord,
    /// Notes of an arpeggio, an octave above the chords.
    Pluck,
}
