//! Who this program is: the name that its owner gives it, and an id of its own that lasts.
//!
//! The id is made once and kept in the user's folder, one for each name. Programs of the same name that run at the same
//! time have different ones: each holds a lock on its own for as long as it runs.

use std::fs::{File, TryLockError};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::private;

/// Name of a program to which its owner gave none.
pub const NAME: &str = "k1";
/// Longest name in bytes: that of a service on the network (RFC 6763).
pub const LONGEST_NAME: usize = 63;
/// Programs of one name that run at the same time, for one user.
const MOST: usize = 64;
/// What an id begins with; those of lamps are hardware addresses, which have no such letter.
const MARK: char = 'p';

/// A name and an id.
#[derive(Debug)]
pub struct Who {
    /// What its owner calls it.
    pub name: String,
    /// What no other is called: 13 letters and digits.
    pub id: String,
    /// Held for as long as it runs.
    _lock: Option<File>,
}

impl Default for Who {
    /// Nobody in particular, for a program that no other one meets.
    fn default() -> Self {
        Self { name: NAME.into(), id: String::new(), _lock: None }
    }
}

/// What an id is for.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a> {
    /// Programs that do different things under one name have different ids.
    pub kind: &'a str,
    /// The name.
    pub name: &'a str,
    /// Port of the page, 0 where there is none: of several programs of one name, each gets back the id that it had.
    pub port: u16,
}

/// The identity of a program. Where it cannot be kept, one for this run, and a sentence that says why.
///
/// # Errors
///
/// A sentence if the system gives no random numbers.
pub fn claim(role: Role) -> Result<(Who, Option<String>), String> {
    let folder = private::folder().ok_or_else(|| "there is no home folder".to_owned());
    claim_in(folder.map(|f| f.join("ids")).as_deref(), role)
}

fn claim_in(folder: Result<&Path, &String>, role: Role) -> Result<(Who, Option<String>), String> {
    let who = |id, lock| Who { name: role.name.to_owned(), id, _lock: lock };
    let kept = folder.map_err(Clone::clone).and_then(|folder| kept(folder, role));
    match kept {
        Ok((id, lock)) => Ok((who(id, Some(lock)), None)),
        Err(why) => {
            let said =
                format!("its own id could not be kept ({why}); after a restart it will be another one");
            Ok((who(new_id()?, None), Some(said)))
        }
    }
}

/// A kept id that no other program holds: the one that this port had last, or the first that is free. It is made if there
/// is none yet.
fn kept(folder: &Path, role: Role) -> Result<(String, File), String> {
    let wrong = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(folder).map_err(|e| wrong(folder, e))?;
    // A name may be anything, a file's may not.
    let hash: String = Sha256::digest(role.name).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let places: Vec<_> = (0..MOST).map(|n| folder.join(format!("{}-{hash}-{n}.id", role.kind))).collect();
    let (own, others): (Vec<_>, Vec<_>) =
        places.iter().partition(|p| role.port > 0 && read(p).is_some_and(|(_, port)| port == role.port));
    for place in own.into_iter().chain(others) {
        let lock_path = place.with_extension("lock");
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(|e| wrong(&lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(e)) => return Err(wrong(&lock_path, e)),
        }
        let known = read(place);
        let id = known.as_ref().map_or_else(new_id, |(id, _)| Ok(id.clone()))?;
        if known.is_none_or(|(_, port)| port != role.port) {
            private::write(place, format!("{id} {}\n", role.port).as_bytes()).map_err(|e| wrong(place, e))?;
        }
        return Ok((id, lock));
    }
    Err(format!("{MOST} programs of this name run already"))
}

/// What a file holds: an id, and the port that had it last.
fn read(path: &Path) -> Option<(String, u16)> {
    let text = private::read(path).ok()?;
    let mut words = text.split_whitespace();
    let id = words.next().filter(|id| is_id(id))?;
    Some((id.to_owned(), words.next().and_then(|port| port.parse().ok()).unwrap_or(0)))
}

fn is_id(text: &str) -> bool {
    text.len() == 13
        && text.starts_with(MARK)
        && text[1..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn new_id() -> Result<String, String> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|e| format!("this system gives no random numbers for an id: {e}"))?;
    Ok(std::iter::once(MARK.to_string()).chain(bytes.iter().map(|b| format!("{b:02x}"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role<'a>(kind: &'a str, name: &'a str, port: u16) -> Role<'a> {
        Role { kind, name, port }
    }

    #[test]
    fn an_id_lasts_and_no_two_programs_share_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("ids");
        let claim = |kind: &str, name: &str| claim_in(Ok(&place), role(kind, name, 0)).unwrap().0;
        let first = claim("run", "Living room");
        assert!(is_id(&first.id), "{}", first.id);
        let (at_once, other, bridge) =
            (claim("run", "Living room"), claim("run", "Kitchen/../💡"), claim("mqtt", "Living room"));
        let ids = [&first.id, &at_once.id, &other.id, &bridge.id].map(Clone::clone);
        assert!((1..4).all(|i| !ids[..i].contains(&ids[i])), "{ids:?}");
        drop((first, at_once, other));
        // In whatever order they come back.
        assert_eq!(claim("run", "Kitchen/../💡").id, ids[2]);
        let first = claim("run", "Living room");
        assert_eq!((&first.id, &claim("run", "Living room").id), (&ids[0], &ids[1]));
    }

    #[test]
    fn of_two_of_one_name_each_gets_its_own_back() {
        let folder = tempfile::tempdir().unwrap();
        let claim = |port| claim_in(Ok(folder.path()), role("run", "k1", port)).unwrap().0;
        let (one, two) = (claim(3330), claim(3331));
        let ids = [one.id.clone(), two.id.clone()];
        drop((one, two));
        for order in [[3331, 3330], [3330, 3331], [3331, 3330]] {
            let both = order.map(claim);
            for (who, port) in both.iter().zip(order) {
                assert_eq!(who.id, ids[usize::from(port == 3331)], "{order:?}");
            }
        }
        // One that has moved to another port is still the first that is free.
        assert_eq!(claim(8080).id, ids[0]);
        assert_eq!(claim(8080).id, ids[0]);
    }

    #[test]
    fn a_damaged_id_is_made_anew_and_one_that_cannot_be_kept_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let role = role("run", "k1", 0);
        let first = claim_in(Ok(folder.path()), role).unwrap().0.id;
        let kept = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.path());
        let file = kept.into_iter().find(|p| p.extension().is_some_and(|e| e == "id")).unwrap();
        for damaged in ["", "p", "../../etc", "pZZZZZZZZZZZZ", &"p0".repeat(99)] {
            std::fs::write(&file, damaged).unwrap();
            let again = claim_in(Ok(folder.path()), role).unwrap().0.id;
            assert!(is_id(&again) && again != first, "{damaged}: {again}");
        }
        std::fs::write(folder.path().join("file"), "").unwrap();
        let (who, said) = claim_in(Ok(&folder.path().join("file/ids")), role).unwrap();
        assert!(is_id(&who.id) && said.unwrap().contains("after a restart"));
        assert!(claim_in(Err(&"no home".into()), role).unwrap().1.unwrap().contains("no home"));
    }
}
