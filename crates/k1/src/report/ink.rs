//! The colours, for dark and light backgrounds.

/// Role of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Background of the whole drawing.
    Ground,
    /// Background of a row.
    Panel,
    /// Grid lines.
    Grid,
    /// Names and numbers.
    Dim,
    /// Text of titles.
    Text,
    /// The waveform.
    Sound,
    /// Onset strength and onsets.
    Onset,
    /// Announced beats and their tempo.
    Beat,
    /// The row of the confidence.
    Confidence,
}

impl Ink {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ground,
        Self::Panel,
        Self::Grid,
        Self::Dim,
        Self::Text,
        Self::Sound,
        Self::Onset,
        Self::Beat,
        Self::Confidence,
    ];

    /// Its name in a style sheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ground => "ground",
            Self::Panel => "panel",
            Self::Grid => "grid",
            Self::Dim => "dim",
            Self::Text => "text",
            Self::Sound => "sound",
            Self::Onset => "onset",
            Self::Beat => "beat",
            Self::Confidence => "confidence",
        }
    }

    /// sRGB codes on a dark ground.
    pub fn dark(self) -> [u8; 3] {
        match self {
            Self::Ground => [10, 9, 13],
            Self::Panel => [21, 19, 28],
            Self::Grid => [52, 48, 64],
            Self::Dim => [155, 150, 170],
            Self::Text => [236, 233, 243],
            Self::Sound => [142, 134, 176],
            Self::Onset => [70, 200, 216],
            Self::Beat => [255, 184, 77],
            Self::Confidence => [72, 208, 132],
        }
    }

    /// sRGB codes on a light ground.
    pub fn light(self) -> [u8; 3] {
        match self {
            Self::Ground => [250, 249, 252],
            Self::Panel => [240, 238, 245],
            Self::Grid => [212, 208, 222],
            Self::Dim => [98, 92, 114],
            Self::Text => [24, 21, 32],
            Self::Sound => [128, 119, 164],
            Self::Onset => [0, 128, 148],
            Self::Beat => [206, 96, 0],
            Self::Confidence => [16, 140, 74],
        }
    }
}

/// Colour and opacity (0 … 255) for the belief in a tempo, given as in a record's column (0 … 255). It suits both
/// backgrounds.
pub fn heat(belief: f32) -> [u8; 4] {
    // Belief spreads to neighbouring tempi, so that a certain tempo has about a quarter of it.
    let s = (belief / 255.0 / 0.65).clamp(0.0, 1.0);
    let mix = |from: f32, to: f32| (from + (to - from) * s) as u8;
    [mix(76.0, 232.0), mix(70.0, 66.0), mix(210.0, 176.0), (255.0 * s) as u8]
}
