//! What the API asks of scenes, and of the light as a whole. A lamp has both without a show.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::answers::{Deleted, Power, Recalled, Scene, Scenes};
use crate::api::{json, parse};
use crate::error::Refusal;
use crate::requests::{NewScene, PowerPatch, Recall};
use crate::routes::Action;

/// A K1 with scenes and a switch for the whole light.
pub trait Scenery {
    /// The scenes.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] without a show file.
    fn scenes(&self) -> Result<Scenes, Refusal>;
    /// Makes or replaces the scene of this name.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first wrong value, or if the scene cannot be kept.
    fn set_scene(&self, name: &str, scene: &NewScene) -> Result<Scene, Refusal>;
    /// Deletes the scene of this name.
    ///
    /// # Errors
    ///
    /// [`Refusal::SceneNotFound`] if no scene has this name, [`Refusal::Busy`] if a timer recalls it.
    fn delete_scene(&self, name: &str) -> Result<Deleted, Refusal>;
    /// Fades to the scene of this name.
    ///
    /// # Errors
    ///
    /// [`Refusal::SceneNotFound`] if no scene has this name.
    fn recall_scene(&self, name: &str, recall: &Recall) -> Result<Recalled, Refusal>;
    /// Whether the light is on, and its brightness.
    fn power(&self) -> Power;
    /// Turns the light on or off, or dims it.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first wrong value.
    fn set_power(&self, patch: &PowerPatch) -> Result<Power, Refusal>;
}

/// Does what a request asks of the scenes, or of the light as a whole, and returns the answer as JSON. `name` is the part
/// of the path that names a scene, as it was sent.
///
/// # Errors
///
/// The [`Refusal`] to answer with; in this case nothing was changed. [`Refusal::NotHere`] for everything else that is asked
/// of a show.
pub fn answer(scenery: &dyn Scenery, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match action {
        Action::Scenes => json(&scenery.scenes()?),
        Action::SetScene => json(&scenery.set_scene(&own_name(name)?, &parse_or_default(body)?)?),
        Action::DeleteScene => json(&scenery.delete_scene(&own_name(name)?)?),
        Action::RecallScene => json(&scenery.recall_scene(&own_name(name)?, &parse_or_default(body)?)?),
        Action::Power => json(&scenery.power()),
        Action::SetPower => json(&scenery.set_power(&parse(body)?)?),
        _ => Err(Refusal::NotHere(
            "a lamp has one strip and no show file, and neither a playlist nor timers; its look and its scenes are kept without one",
        )),
    }
}

/// Parses a body; an empty one says nothing.
pub(crate) fn parse_or_default<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<T, Refusal> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { parse(body) }
}

/// The name of a scene or a zone from a path, where some characters are written as `%` and two digits (RFC 3986, 2.1).
pub(crate) fn own_name(sent: &str) -> Result<String, Refusal> {
    let wrong =
        Refusal::InvalidValue { field: "name", expected: "1 to 64 bytes of text without control characters" };
    let mut bytes = Vec::with_capacity(sent.len());
    let mut rest = sent.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(wrong);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    let name = String::from_utf8(bytes).map_err(|_| wrong)?;
    let fits =
        (1..=64).contains(&name.len()) && !name.chars().any(char::is_control) && !name.trim().is_empty();
    if fits { Ok(name) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::own_name;

    #[test]
    fn a_name_in_a_path_is_any_text() {
        for (sent, name) in
            [("Dinner", "Dinner"), ("Late%20dinner", "Late dinner"), ("%C3%9cber%2f", "Über/")]
        {
            assert_eq!(own_name(sent).unwrap(), name);
        }
        let long = "x".repeat(65);
        for wrong in ["", "%", "%2", "%zz", "%ff", "%00", "%20", "a%0Ab", &long] {
            assert!(own_name(wrong).is_err(), "{wrong}");
        }
    }
}
