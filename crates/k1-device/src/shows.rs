//! What the API asks of a K1 that runs shows.

use alloc::vec::Vec;

use crate::answers::{FoundLights, LightTested, ShowFile, ShowLights, ShowWritten};
use crate::api::{json, parse};
use crate::error::Refusal;
use crate::requests::{LightChange, LightTest, NewLight, ShowText};
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
}

/// Does what a request asks of the show file or of its lights, and returns the answer as JSON.
///
/// # Errors
///
/// The [`Refusal`] to answer with; in this case nothing was changed.
pub fn answer(shows: &dyn Shows, action: Action, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match action {
        Action::Lights => json(&shows.show_lights()?),
        Action::AddLight => json(&shows.add_light(&parse(body)?)?),
        Action::ChangeLight => json(&shows.change_light(&parse(body)?)?),
        Action::TestLight => json(&shows.test_light(&parse(body)?)?),
        Action::FoundLights => json(&shows.found_lights()),
        Action::FindLights => json(&shows.find_lights()),
        Action::ShowFile => json(&shows.show_file()?),
        Action::SetShowFile => json(&shows.set_show_file(&parse(body)?)?),
        _ => Err(Refusal::NotHere("the show has nothing to do with this")),
    }
}
