//! Why a lamp could not be asked.

use std::fmt;

/// Why a lamp could not be asked, with a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The lamp does not answer.
    Away {
        /// Name of the lamp.
        label: String,
        /// Error of the network.
        why: String,
    },
    /// All of the lamp's live connections are taken.
    Busy {
        /// Name of the lamp.
        label: String,
    },
    /// The lamp needs another token.
    Locked {
        /// Name of the lamp.
        label: String,
    },
    /// The lamp refused the request.
    Refused {
        /// Name of the lamp.
        label: String,
        /// HTTP status.
        status: u16,
        /// Code for programs, such as `scene_not_found`; empty if the lamp gave none.
        code: String,
        /// The lamp's message.
        message: String,
    },
    /// The lamp answers, but not like a K1 of this version.
    Strange {
        /// Name of the lamp.
        label: String,
        /// What K1 did not understand.
        what: String,
    },
}

impl Trouble {
    /// The sentence without the lamp's name, for a place that names the lamp itself.
    pub fn without_name(&self) -> String {
        format!("it {}", self.predicate())
    }

    fn label(&self) -> &str {
        let (Self::Away { label, .. }
        | Self::Busy { label }
        | Self::Locked { label }
        | Self::Refused { label, .. }
        | Self::Strange { label, .. }) = self;
        label
    }

    /// The sentence without its subject, the lamp.
    fn predicate(&self) -> String {
        match self {
            Self::Away { why, .. } => {
                format!("does not answer ({why}); is it on, on this network, and is the address right?")
            }
            Self::Busy { .. } => {
                "answers, but its live connections are taken: close its page in a browser, or \
                                  another program that watches it, and try again"
                    .into()
            }
            Self::Locked { .. } => {
                "needs its token: give the whole address that its console or its QR code shows \
                                    (http://…/#token=…) once, or --token TOKEN"
                    .into()
            }
            Self::Refused { status, message, .. } => format!("refused ({status}): {message}"),
            Self::Strange { what, .. } => format!(
                "does not answer as a K1 of this version does ({what}); \
                 is it one, and is its firmware as new as this program?"
            ),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.label(), self.predicate())
    }
}

impl std::error::Error for Trouble {}
