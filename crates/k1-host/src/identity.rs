//! Name and lasting id of this program.
//!
//! K1 makes an id once for each name and keeps it in the user's folder. Programs of the same name that run at the same time
//! have different ids: each one holds a lock on its id while it runs.

use std::fs::{File, TryLockError};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::private;

/// Default name of a program.
pub const NAME: &str = "k1";
/// Longest name in bytes, as for services on the network (RFC 6763).
pub const LONGEST_NAME: usize = 63;
/// Most programs of one name that one user can run at the same time.
const MOST: usize = 64;
/// First letter of an id. A lamp's id is a hardware address, which never contains this letter.
const MARK: char = 'p';

/// A name and an id.
#[derive(Debug)]
pub struct Who {
    /// The name, as chosen by the owner.
    pub name: String,
    /// The unique id: 13 letters and digits.
    pub id: String,
    /// Lock on the id, held while the program runs.
    _lock: Option<File>,
}

impl Default for Who {
    /// An identity for a program that never meets another one.
    fn default() -> Self {
        Self { name: NAME.into(), id: String::new(), _lock: None }
    }
}

impl Who {
    /// An id for a part of this program, in the form of a UUID (version 8, RFC 9562). It lasts as long as the program's id.
    pub fn uuid(&self, part: &str) -> [u8; 16] {
        let hash = Sha256::new().chain_update(&self.id).chain_update([0]).chain_update(part).finalize();
        let mut id = std::array::from_fn(|i| hash[i]);
        (id[6], id[8]) = (id[6] & 0x0f | 0x80, id[8] & 0x3f | 0x80);
        id
    }
}

/// Purpose of an id.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a> {
    /// Kind of program; different kinds with the same name have different ids.
    pub kind: &'a str,
    /// The name.
    pub name: &'a str,
    /// Port of the page, or 0 without a page. It gives each of several programs of one name its previous id.
    pub port: u16,
}

/// The identity of a program. If it cannot be saved, returns one for this run and a sentence with the reason.
///
/// # Errors
///
/// A sentence if the system provides no random numbers.
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
            let said = format!("K1 could not save its id ({why}); it will have another one after a restart");
            Ok((who(new_id()?, None), Some(said)))
        }
    }
}

/// A saved id that no other program holds: the last id of this port, or the first free one. Makes an id if needed.
fn kept(folder: &Path, role: Role) -> Result<(String, File), String> {
    let wrong = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(folder).map_err(|e| wrong(folder, e))?;
    // A name may contain characters that a file name may not.
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
    Err(format!("{MOST} programs of this name are already running"))
}

/// Content of a file: an id, and the port that used it last.
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
    getrandom::fill(&mut bytes)
        .map_err(|e| format!("this system provides no random numbers for an id: {e}"))?;
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
        // They may come back in any order.
        assert_eq!(claim("run", "Kitchen/../💡").id, ids[2]);
        let first = claim("run", "Living room");
        assert_eq!((&first.id, &claim("run", "Living room").id), (&ids[0], &ids[1]));
    }

    #[test]
    fn a_part_has_an_id_of_its_own_that_lasts() {
        let who = |id: &str| Who { id: id.into(), ..Who::default() };
        let shelf = who("p0").uuid("Shelf");
        assert_eq!(shelf, who("p0").uuid("Shelf"));
        assert!(shelf != who("p0").uuid("Desk") && shelf != who("p1").uuid("Shelf"));
        assert_eq!((shelf[6] >> 4, shelf[8] >> 6), (8, 2), "version and variant");
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
        // A program that has moved to another port still gets the first free id.
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
