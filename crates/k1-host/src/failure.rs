//! Why a command failed.

use std::fmt;

/// A sentence that says what to do. The program prints it and ends with [`status`](Failure::status).
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    is_usage: bool,
}

impl Failure {
    /// The work failed.
    pub fn new(text: String) -> Self {
        Self { text, is_usage: false }
    }

    /// The command line is wrong in a way that only the command itself can see.
    pub fn usage(text: String) -> Self {
        Self { text, is_usage: true }
    }

    /// Exit status of the program: 2 for wrong usage, otherwise 1.
    pub fn status(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Failure {
    fn from(e: String) -> Self {
        Self::new(e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self::new(e.to_string())
    }
}
