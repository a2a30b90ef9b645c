//! What the API asks of a K1 that runs shows.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::answers::{
    Deleted, FoundLights, InputSet, Inputs, LightTested, Plan, Playlist, Power, Recalled, Scene, Scenes,
    ShowFile, ShowLights, ShowWritten, Timers,
};
use crate::api::{json, parse};
use crate::error::Refusal;
use crate::requests::{
    LightChange, LightTest, Listen, NewInput, NewLight, NewScene, NewTimers, PlaylistPatch, PowerPatch,
    Recall, ShowText, ZoneChange,
};
use crate::routes::Action;

/// A K1 that runs shows.
pub trait Shows {
    /// The show file.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] without one.
    fn show_file(&self) -> Result<ShowFile, Refusal>;
    /// Replaces the text of the show file, unless the new text has a fault.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if it has changed in the meantime.
    fn set_show_file(&self, text: &ShowText) -> Result<ShowWritten, Refusal>;
    /// The lights of the show.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] without a show file.
    fn show_lights(&self) -> Result<ShowLights, Refusal>;
    /// Writes a light into the show file, unless the file would get a fault.
    ///
    /// # Errors
    ///
    /// [`Refusal::PatternNotFound`] if its pattern does not exist.
    fn add_light(&self, light: &NewLight) -> Result<ShowWritten, Refusal>;
    /// Writes a change of a light into the show file, unless the file would get a fault.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] without a show file.
    fn change_light(&self, change: &LightChange) -> Result<ShowWritten, Refusal>;
    /// Shows a picture on a light for a while.
    ///
    /// # Errors
    ///
    /// [`Refusal::LightNotFound`] if no light has this name.
    fn test_light(&self, test: &LightTest) -> Result<LightTested, Refusal>;
    /// What the last search for lights has found.
    fn found_lights(&self) -> FoundLights;
    /// Starts a search for lights, if there is none.
    fn find_lights(&self) -> FoundLights;
    /// The lights and the zones of the show.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotHere`] without a show file.
    fn plan(&self) -> Result<Plan, Refusal>;
    /// Writes a change of the zone of this name into the show file, unless the file would get a fault.
    ///
    /// # Errors
    ///
    /// [`Refusal::ZoneNotFound`] if no zone has this name, [`Refusal::LightNotFound`] if a piece names no light.
    fn change_zone(&self, name: &str, change: &ZoneChange) -> Result<ShowWritten, Refusal>;
    /// The sources of sound.
    fn inputs(&self) -> Inputs;
    /// Listens to all live sources for a while.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidValue`] if the time is wrong.
    fn listen_inputs(&self, listen: &Listen) -> Result<Inputs, Refusal>;
    /// Hears another source, unless it cannot be opened.
    fn set_input(&self, input: &NewInput) -> InputSet;
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
    /// The [`Refusal`] of the first wrong value, or if the show file cannot be written.
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
    /// The playlist.
    fn playlist(&self) -> Playlist;
    /// Changes the playlist.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first wrong value.
    fn set_playlist(&self, patch: &PlaylistPatch) -> Result<Playlist, Refusal>;
    /// Shows the next scene of the playlist.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if there is no other scene.
    fn next_scene(&self) -> Result<Playlist, Refusal>;
    /// The timers.
    fn timers(&self) -> Timers;
    /// Replaces the timers.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first wrong value, or if the show file cannot be written.
    fn set_timers(&self, timers: &NewTimers) -> Result<Timers, Refusal>;
    /// Whether the light is on, and its brightness.
    fn power(&self) -> Power;
    /// Turns the light on or off, or dims it.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first wrong value.
    fn set_power(&self, patch: &PowerPatch) -> Result<Power, Refusal>;
}

/// Does what a request asks of the show, and returns the answer as JSON. `name` is the part of the path that names a
/// scene or a zone, as it was sent.
///
/// # Errors
///
/// The [`Refusal`] to answer with; in this case nothing was changed.
pub fn answer(shows: &dyn Shows, action: Action, name: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match action {
        Action::Lights => json(&shows.show_lights()?),
        Action::AddLight => json(&shows.add_light(&parse(body)?)?),
        Action::ChangeLight => json(&shows.change_light(&parse(body)?)?),
        Action::TestLight => json(&shows.test_light(&parse(body)?)?),
        Action::FoundLights => json(&shows.found_lights()),
        Action::FindLights => json(&shows.find_lights()),
        Action::ShowFile => json(&shows.show_file()?),
        Action::SetShowFile => json(&shows.set_show_file(&parse(body)?)?),
        Action::Plan => json(&shows.plan()?),
        Action::ChangeZone => json(&shows.change_zone(&own_name(name)?, &parse(body)?)?),
        Action::Inputs => json(&shows.inputs()),
        Action::ListenInputs => json(&shows.listen_inputs(&parse_or_default(body)?)?),
        Action::SetInput => json(&shows.set_input(&parse(body)?)),
        Action::Scenes => json(&shows.scenes()?),
        Action::SetScene => json(&shows.set_scene(&own_name(name)?, &parse_or_default(body)?)?),
        Action::DeleteScene => json(&shows.delete_scene(&own_name(name)?)?),
        Action::RecallScene => json(&shows.recall_scene(&own_name(name)?, &parse_or_default(body)?)?),
        Action::Playlist => json(&shows.playlist()),
        Action::SetPlaylist => json(&shows.set_playlist(&parse(body)?)?),
        Action::NextScene => json(&shows.next_scene()?),
        Action::Timers => json(&shows.timers()),
        Action::SetTimers => json(&shows.set_timers(&parse(body)?)?),
        Action::Power => json(&shows.power()),
        Action::SetPower => json(&shows.set_power(&parse(body)?)?),
        _ => Err(Refusal::NotHere("the show has nothing to do with this")),
    }
}

/// Parses a body; an empty one says nothing.
fn parse_or_default<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<T, Refusal> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { parse(body) }
}

/// The name of a scene or a zone from a path, where some characters are written as `%` and two digits (RFC 3986, 2.1).
fn own_name(sent: &str) -> Result<String, Refusal> {
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
