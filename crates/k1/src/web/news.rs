//! What a live page is told when it changes: settings, zones, scene, power and playlist.

use k1_device::answers::{Playlist, Power};
use k1_device::backend::Backend;
use k1_device::exchange::Settings;
use k1_device::live::{InForce, Say, SceneNow};

use super::app::App;

/// Name, size and settings of each zone, by which a change is noticed.
type Looks = Vec<(String, usize, Settings)>;

/// What one page has been told.
#[derive(Debug, Default)]
pub struct News {
    settings: Option<Settings>,
    looks: Option<Looks>,
    scene: Option<SceneNow>,
    power: Option<Power>,
    playlist: Option<Playlist>,
}

impl News {
    /// The next message that is due, as JSON; `None` if the page knows everything. A page that asked for zones is told of them.
    pub fn next(&mut self, app: &App, has_zones: bool) -> Option<Vec<u8>> {
        if let Some(now) = changed(&mut self.settings, Backend::settings(app)) {
            return Some(Say::Settings(InForce::new(&now)).json());
        }
        if has_zones && changed(&mut self.looks, looks(app)).is_some() {
            return Some(Say::Zones(&app.zones()).json());
        }
        if let Some(now) = changed(&mut self.scene, app.scene_now()) {
            return Some(Say::Scene(now).json());
        }
        if let Some(now) = changed(&mut self.power, app.power_now()) {
            return Some(Say::Power(now).json());
        }
        Some(Say::Playlist(changed(&mut self.playlist, app.playlist_now())?).json())
    }
}

/// The value of now, if the page was told another one or nothing.
fn changed<T: Clone + PartialEq>(told: &mut Option<T>, now: T) -> Option<T> {
    if told.as_ref() == Some(&now) {
        return None;
    }
    *told = Some(now.clone());
    Some(now)
}

fn looks(app: &App) -> Looks {
    app.playing().iter_mut().map(|zone| (zone.name.clone(), zone.leds, zone.controls.settings())).collect()
}
