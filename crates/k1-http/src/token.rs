//! The token of a request.

/// Compares two secrets in a time that does not depend on where they differ.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && core::hint::black_box(a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y))) == 0
}

/// The tokens that a request shows: in `Authorization`, or in its query, because a browser cannot send headers with a
/// WebSocket.
pub fn shown_tokens<'a>(bearer: Option<&'a str>, query: Option<&'a str>) -> [Option<&'a str>; 2] {
    [bearer, query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("token=")))]
}

/// True if a request shows the token.
pub fn shows_token(token: &str, bearer: Option<&str>, query: Option<&str>) -> bool {
    shown_tokens(bearer, query).into_iter().flatten().any(|t| same_secret(t.as_bytes(), token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_compare() {
        assert!(same_secret(b"abc", b"abc"));
        assert!(!same_secret(b"abc", b"abd"));
        assert!(!same_secret(b"abc", b"ab"));
    }
}
