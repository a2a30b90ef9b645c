//! Entity tags (RFC 9110, 8.8.3).

use core::fmt;

/// An entity tag, which changes with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u64);

impl Tag {
    /// The tag of some content.
    pub fn of(content: &[u8]) -> Self {
        Self(fnv(content))
    }

    /// True if an `If-None-Match` header names this tag: alone, in a list, as a weak tag (a proxy that compresses makes
    /// it weak), or as `*`.
    pub fn is_known(self, if_none_match: Option<&str>) -> bool {
        if_none_match.is_some_and(|list| {
            list.split(',').map(str::trim).any(|tag| {
                let quoted = tag.strip_prefix("W/").unwrap_or(tag);
                let bare = quoted.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
                tag == "*" || bare.is_some_and(|t| t.len() == 16 && u64::from_str_radix(t, 16) == Ok(self.0))
            })
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

/// The 64-bit FNV-1a hash of some bytes (Fowler, Noll and Vo; draft-eastlake-fnv).
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_is_the_published_hash() {
        // Test vectors from the draft.
        assert_eq!(Tag::of(b"").to_string(), "\"cbf29ce484222325\"");
        assert_eq!(Tag::of(b"a").to_string(), "\"af63dc4c8601ec8c\"");
        assert_eq!(Tag::of(b"foobar").to_string(), "\"85944171f73967e8\"");
    }

    #[test]
    fn a_tag_is_known_in_every_form_that_browsers_and_proxies_send() {
        let tag = Tag::of(b"a");
        for known in [
            "\"af63dc4c8601ec8c\"",
            "W/\"af63dc4c8601ec8c\"",
            "\"0000000000000001\", \"af63dc4c8601ec8c\"",
            "*",
        ] {
            assert!(tag.is_known(Some(known)), "{known}");
        }
        for other in ["", "af63dc4c8601ec8c", "\"af63dc4c8601ec8d\"", "\"\"", "\"+f63dc4c8601ec8c\"", "W/"] {
            assert!(!tag.is_known(Some(other)), "{other}");
        }
        assert!(!tag.is_known(None));
    }
}
