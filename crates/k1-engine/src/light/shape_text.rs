//! Shapes as text, as options and files write them: `ring`, `matrix:16x16,serpentine`.

use core::fmt;
use core::str::FromStr;

use super::shape::{Matrix, Shape};

/// Most columns or rows of a matrix.
const LONGEST_SIDE: u16 = 4_096;

/// Shapes that are a word of their own.
const WORDS: [(&str, Shape); 5] = [
    ("mirrored", Shape::Mirrored),
    ("line", Shape::Line),
    ("line-reversed", Shape::LineReversed),
    ("both-ends", Shape::BothEnds),
    ("ring", Shape::Ring),
];

/// Why a text is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The first word is not that of a shape.
    Unknown,
    /// Columns and rows are missing, 0 or too many.
    Size,
    /// A word behind the size is not known.
    Option,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "a shape is mirrored, line, line-reversed, both-ends, ring or matrix:COLUMNSxROWS, for example matrix:16x16",
            ),
            Self::Size => write!(
                f,
                "a matrix needs columns and rows, each 1 … {LONGEST_SIDE}, for example matrix:16x16"
            ),
            Self::Option => f.write_str(
                "behind the size of a matrix, write any of serpentine, columns, flip, rotate=90, rotate=180 and rotate=270, separated by commas",
            ),
        }
    }
}

impl core::error::Error for ShapeError {}

impl FromStr for Shape<'static> {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        if let Some((_, shape)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*shape);
        }
        let rest = match text.strip_prefix("matrix") {
            Some(rest) => rest.strip_prefix(':').ok_or(ShapeError::Size)?,
            None => return Err(ShapeError::Unknown),
        };
        let mut words = rest.split(',');
        let side = |s: &str| s.parse().ok().filter(|n| (1..=LONGEST_SIDE).contains(n));
        let size = words.next().and_then(|size| size.split_once('x'));
        let size = size.and_then(|(columns, rows)| Some((side(columns)?, side(rows)?)));
        let (columns, rows) = size.ok_or(ShapeError::Size)?;
        let mut matrix = Matrix::new(columns, rows);
        for word in words {
            match word {
                "serpentine" => matrix.serpentine = true,
                "columns" => matrix.by_columns = true,
                "flip" => matrix.flipped = true,
                "rotate=90" => matrix.quarter_turns = 1,
                "rotate=180" => matrix.quarter_turns = 2,
                "rotate=270" => matrix.quarter_turns = 3,
                _ => return Err(ShapeError::Option),
            }
        }
        Ok(Self::Matrix(matrix))
    }
}

/// As [`FromStr`] reads it. Points, which come from a list, are `points`.
impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self::Matrix(matrix) = self else {
            let word = WORDS.iter().find(|(_, shape)| shape == self);
            return f.write_str(word.map_or("points", |(word, _)| word));
        };
        write!(f, "matrix:{}x{}", matrix.columns, matrix.rows)?;
        for (is_so, word) in
            [(matrix.serpentine, ",serpentine"), (matrix.by_columns, ",columns"), (matrix.flipped, ",flip")]
        {
            if is_so {
                f.write_str(word)?;
            }
        }
        match matrix.quarter_turns % 4 {
            0 => Ok(()),
            turns => write!(f, ",rotate={}", 90 * u32::from(turns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn every_shape_is_read_as_it_is_written() {
        for text in [
            "mirrored",
            "line",
            "line-reversed",
            "both-ends",
            "ring",
            "matrix:16x16",
            "matrix:1x4096",
            "matrix:8x32,serpentine,columns,flip,rotate=270",
        ] {
            let shape: Shape = text.parse().unwrap();
            assert_eq!(shape.to_string(), text);
        }
        let free: Shape = "matrix:8x4,rotate=90,serpentine".parse().unwrap();
        assert_eq!((free.to_string().as_str(), free.leds()), ("matrix:8x4,serpentine,rotate=90", Some(32)));
    }

    #[test]
    fn nonsense_says_what_to_write() {
        for (text, error) in [
            ("", ShapeError::Unknown),
            ("Ring", ShapeError::Unknown),
            ("ring,flip", ShapeError::Unknown),
            ("matrix", ShapeError::Size),
            ("matrix:16", ShapeError::Size),
            ("matrix:0x16", ShapeError::Size),
            ("matrix:16x5000", ShapeError::Size),
            ("matrix:-1x4", ShapeError::Size),
            ("matrix:16x16,", ShapeError::Option),
            ("matrix:16x16,rotate=45", ShapeError::Option),
        ] {
            assert_eq!(text.parse::<Shape>(), Err(error), "{text}");
        }
    }
}
