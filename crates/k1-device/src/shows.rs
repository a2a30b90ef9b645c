//! What the API asks of a K1 that runs shows.

use alloc::vec::Vec;

use crate::answers::{
    FoundLights, InputSet, Inputs, LightTested, Plan, Playlist, ShowFile, ShowLights, ShowWritten, Timers,
};
use crate::api::{json, parse};
use crate::error::Refusal;
use crate::requests::{
    LightChange, LightTest, Listen, NewInput, NewLight, NewTimers, PlaylistPatch, ShowText, ZoneChange,
};
use crate::routes::Action;
use crate::scenery::{self, Scenery, own_name, parse_or_default};

/// A K1 that runs shows.
pub trait Shows: Scenery {
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
        Action::Playlist => json(&shows.playlist()),
        Action::SetPlaylist => json(&shows.set_playlist(&parse(body)?)?),
        Action::NextScene => json(&shows.next_scene()?),
        Action::Timers => json(&shows.timers()),
        Action::SetTimers => json(&shows.set_timers(&parse(body)?)?),
        _ => scenery::answer(shows, action, name, body),
    }
}
