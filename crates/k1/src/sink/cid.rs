//! Ids of sACN sources (CID). Each light is a source of its own, whose id stays the same over restarts, because receivers and
//! desks keep priorities and patches by it.

use std::sync::OnceLock;

use k1_host::identity::{self, Role, Who};

/// Id of the source for a light: the same whenever this user runs K1 on this machine with this light. Two programs that run
/// at the same time have different ids.
///
/// # Errors
///
/// A sentence if the system provides no random numbers.
pub fn cid(light: &str) -> Result<[u8; 16], String> {
    // The id is this program's as long as it runs.
    static WHO: OnceLock<Result<Who, String>> = OnceLock::new();
    let who = WHO.get_or_init(|| {
        let (who, trouble) = identity::claim(Role { kind: "sacn", name: identity::NAME, port: 0 })?;
        if let Some(trouble) = trouble {
            k1_host::say(format_args!("k1: {trouble}"));
        }
        Ok(who)
    });
    who.as_ref().map(|who| who.uuid(light)).map_err(Clone::clone)
}
