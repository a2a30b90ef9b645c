//! The access check: `Host` and `Origin` headers and the token.

use std::net::IpAddr;

use k1_http::names::Names;
use k1_http::token::same_secret;

/// Any bytes, split at the first line feed, as `Host` and `Origin`. Admitted headers are compared with a second,
/// slower statement of the rule.
pub fn host_header(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |b| *b == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    assert_eq!(same_secret(first, second.unwrap_or_default()), first == second.unwrap_or_default());
    // A header that is not text does not reach the check.
    let Ok(host) = str::from_utf8(first) else { return };
    if Names::LOCAL.host(Some(host)) {
        assert!(cannot_be_forged(host), "{host:?} was admitted");
    }
    assert!(!Names::LOCAL.host(None));
    assert!(Names::LOCAL.origin(None, Some(host)));
    let Some(Ok(origin)) = second.map(str::from_utf8) else { return };
    assert!(!Names::LOCAL.origin(Some(origin), None));
    if Names::LOCAL.origin(Some(origin), Some(host)) {
        let same = |scheme: &str| origin.eq_ignore_ascii_case(&format!("{scheme}{host}"));
        assert!(same("http://") || same("https://"), "{origin:?} was taken for the page of {host:?}");
    }
}

/// Whether no name server outside the local network can make `authority` resolve to this machine.
fn cannot_be_forged(authority: &str) -> bool {
    let (host, port) = match authority.rfind([':', ']']) {
        Some(i) if authority.as_bytes()[i] == b':' => (&authority[..i], &authority[i + 1..]),
        _ => (authority, ""),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    if let Some(inside) = host.strip_prefix('[') {
        return inside.strip_suffix(']').is_some_and(|a| matches!(a.parse(), Ok(IpAddr::V6(_))));
    }
    if matches!(host.parse(), Ok(IpAddr::V4(_))) {
        return true;
    }
    let lower = host.to_ascii_lowercase();
    let name = lower.strip_suffix('.').unwrap_or(&lower);
    let not_delegated =
        "local lan home home.arpa internal localdomain fritz.box intranet private corp localhost";
    let below = |ending: &str| name.strip_suffix(ending)?.strip_suffix('.');
    let name = not_delegated.split(' ').find_map(below).unwrap_or(name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
