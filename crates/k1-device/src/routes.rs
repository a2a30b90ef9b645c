//! The table of every path. Servers, limits and the machine-readable description are made from it.

use k1_http::admission::Site;
pub use k1_http::limits::SMALL_BODY;
use k1_http::rejection::Rejection;
pub use k1_http::route::Method;
use k1_http::route::{self, File};
use k1_update::layout::Layout;

/// The action of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// List patterns.
    Patterns,
    /// Read parameters.
    Params,
    /// Change parameters.
    SetParams,
    /// Select a pattern.
    Select,
    /// Set all parameters to their defaults.
    Reset,
    /// List the zones and their looks.
    Zones,
    /// Change the look of a zone.
    SetZone,
    /// List the lights of the show.
    Lights,
    /// Add a light to the show.
    AddLight,
    /// Change or remove a light of the show.
    ChangeLight,
    /// Show a picture on a light.
    TestLight,
    /// Read what a search for lights has found.
    FoundLights,
    /// Search for lights.
    FindLights,
    /// Read the show file.
    ShowFile,
    /// Replace the text of the show file.
    SetShowFile,
    /// Read what the zones are made of, and where they hang.
    Plan,
    /// Change what a zone is made of, or where it hangs.
    ChangeZone,
    /// List the sources of sound.
    Inputs,
    /// Listen to all live sources.
    ListenInputs,
    /// Hear another source.
    SetInput,
    /// List the scenes.
    Scenes,
    /// Make or replace a scene.
    SetScene,
    /// Delete a scene.
    DeleteScene,
    /// Recall a scene.
    RecallScene,
    /// Read the playlist.
    Playlist,
    /// Change the playlist.
    SetPlaylist,
    /// Show the next scene of the playlist.
    NextScene,
    /// List the timers.
    Timers,
    /// Replace the timers.
    SetTimers,
    /// Read whether the light is on.
    Power,
    /// Turn the light on or off, or dim it.
    SetPower,
    /// Read the microphone gain.
    AudioConfig,
    /// Change the microphone gain.
    SetAudioConfig,
    /// List palettes.
    Palettes,
    /// Read the identity of this K1.
    DeviceInfo,
    /// Read measured speed and memory.
    Performance,
    /// Test whether this K1 answers.
    TestConnection,
    /// Read the Wi-Fi work-arounds.
    LinkOptions,
    /// Change the Wi-Fi work-arounds.
    SetLinkOptions,
    /// Read everything that a user has set, as a backup.
    Backup,
    /// Restore a backup.
    Restore,
    /// List every parameter with range, unit and help.
    ParamTable,
    /// Read all measurements and the newest results of the analysis.
    Status,
    /// Read the state of the hardware.
    Device,
    /// Read how the hardware is set up.
    Setup,
    /// Change how the hardware is set up.
    SetSetup,
    /// Read the first lines of the console.
    BootLog,
    /// Read the state of the self-test.
    SelfTest,
    /// Start the self-test.
    StartSelfTest,
    /// Read every measured figure, for Prometheus.
    Metrics,
    /// Read the machine-readable description.
    OpenApi,
    /// Read the state of the firmware and its update.
    Firmware,
    /// Install new firmware.
    Install,
    /// Roll back to the previous firmware.
    RollBack,
    /// Restart to prove that the bootloader supports trials.
    Drill,
    /// Set the keys whose signatures count.
    SetKeys,
}

impl Action {
    /// Media type of the action's answer.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Metrics => METRICS_TYPE,
            _ => "application/json",
        }
    }
}

/// One path and method.
pub type Route = route::Route<Action>;

/// Media type of the metrics: Prometheus' text format.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const fn get(path: &'static str, action: Action, interval_ms: u32, summary: &'static str) -> Route {
    Route { method: Method::Get, path, action, interval_ms, max_body: 0, summary }
}

const fn post(
    path: &'static str,
    action: Action,
    interval_ms: u32,
    max_body: usize,
    summary: &'static str,
) -> Route {
    Route { method: Method::Post, path, action, interval_ms, max_body, summary }
}

const fn put(path: &'static str, action: Action, max_body: usize, summary: &'static str) -> Route {
    Route { method: Method::Put, path, action, interval_ms: 100, max_body, summary }
}

/// Largest update in bytes: the signed statement and the image together fit into a slot.
pub const MOST_FIRMWARE: usize = Layout::K1.slot_size as usize;

/// Largest text of a show file in a request, with its JSON escapes, in bytes.
pub const MOST_SHOW: usize = 256 * 1024;

/// Largest body of a request that makes a scene: a look for each of 256 zones, in bytes.
pub const MOST_SCENE: usize = 128 * 1024;

/// Every route. The first fifteen exist in the lamps in the field.
pub static ROUTES: [Route; 56] = [
    get("/api/patterns", Action::Patterns, 1000, "List the patterns and the current one"),
    get("/api/params", Action::Params, 150, "Read every parameter"),
    post(
        "/api/params",
        Action::SetParams,
        300,
        SMALL_BODY,
        "Change any parameters; values out of range are brought to the nearest valid one and named in `clamped`",
    ),
    post("/api/select", Action::Select, 200, SMALL_BODY, "Select a pattern by `index` or `id`"),
    post(
        "/api/reset",
        Action::Reset,
        1000,
        SMALL_BODY,
        "Set all parameters to their defaults; a body is not needed",
    ),
    get("/api/audio-config", Action::AudioConfig, 500, "Read the microphone gain"),
    post("/api/audio-config", Action::SetAudioConfig, 300, SMALL_BODY, "Change the microphone gain"),
    get("/api/palettes", Action::Palettes, 2000, "List the palettes with five colours each"),
    get("/api/device/info", Action::DeviceInfo, 1000, "Identity of this K1"),
    get("/api/device/performance", Action::Performance, 500, "Measured frame rate, processor and memory"),
    get("/api/test-connection", Action::TestConnection, 200, "Test whether this K1 answers"),
    get("/api/wifi/link-options", Action::LinkOptions, 500, "Read the Wi-Fi work-arounds"),
    post("/api/wifi/link-options", Action::SetLinkOptions, 300, SMALL_BODY, "Change the Wi-Fi work-arounds"),
    get("/api/config/backup", Action::Backup, 2000, "Everything a user has set, as a file"),
    post("/api/config/restore", Action::Restore, 2000, 2 * SMALL_BODY, "Restore a backup"),
    get("/api/v1/params", Action::ParamTable, 100, "Every parameter with its range, default, unit and help"),
    get("/api/v1/status", Action::Status, 100, "All measurements, and the newest results of the analysis"),
    get(
        "/api/v1/device",
        Action::Device,
        100,
        "State of the hardware: cores, stacks, memory, microphone, strip, storage, reason of the last start, and health",
    ),
    get("/api/v1/zones", Action::Zones, 100, "The zones and their looks"),
    post(
        "/api/v1/zones",
        Action::SetZone,
        100,
        SMALL_BODY,
        "Change the look of the zone with a name: `pattern`, `params` or both; the others keep theirs",
    ),
    get("/api/v1/lights", Action::Lights, 100, "The lights of the show, their zones and states"),
    post(
        "/api/v1/lights",
        Action::AddLight,
        300,
        SMALL_BODY,
        "Add a light to the show file, and a zone that shows it",
    ),
    post(
        "/api/v1/lights/change",
        Action::ChangeLight,
        300,
        SMALL_BODY,
        "Rename a light of the show, set the order of its colours, turn it round, or remove it",
    ),
    post(
        "/api/v1/lights/test",
        Action::TestLight,
        100,
        SMALL_BODY,
        "Show on a light which one it is (`blink`), where its first LED is (`first`), and the order of its colours (`red`, `green`, `blue`)",
    ),
    get("/api/v1/lights/find", Action::FoundLights, 100, "What the last search for lights has found"),
    post(
        "/api/v1/lights/find",
        Action::FindLights,
        1000,
        SMALL_BODY,
        "Search for WLED devices and lamps for 2 seconds; a body is not needed",
    ),
    get("/api/v1/show", Action::ShowFile, 100, "The show file: lights, zones and their looks"),
    post(
        "/api/v1/show",
        Action::SetShowFile,
        300,
        MOST_SHOW,
        "Replace the text of the show file, unless the new text has a fault. `mark` is that of the text that was read; if the file has changed since, nothing is written",
    ),
    get(
        "/api/v1/plan",
        Action::Plan,
        100,
        "The lights and the zones of the show: the pieces that each zone is made of, and where it hangs",
    ),
    put(
        "/api/v1/zones/{name}",
        Action::ChangeZone,
        8 * SMALL_BODY,
        "Change a zone of the show file: any of `pieces`, `place` and `remove`. With `pieces`, a new name makes a new zone",
    ),
    get(
        "/api/v1/inputs",
        Action::Inputs,
        100,
        "The sources of sound that this K1 may hear, which one it hears, and how loud they are",
    ),
    post(
        "/api/v1/inputs/listen",
        Action::ListenInputs,
        1000,
        SMALL_BODY,
        "Listen to all live sources for `seconds`, besides the one that K1 hears, so that their levels are known; a body is not needed",
    ),
    put(
        "/api/v1/input",
        Action::SetInput,
        SMALL_BODY,
        "Hear another source without a pause of the light. If it cannot be opened, the one before goes on. The show file remembers it",
    ),
    get("/api/v1/scenes", Action::Scenes, 100, "The scenes, and which of them is shown"),
    put(
        "/api/v1/scenes/{name}",
        Action::SetScene,
        MOST_SCENE,
        "Make or replace a scene. Without a body, what all zones show now becomes the scene",
    ),
    Route {
        method: Method::Delete,
        path: "/api/v1/scenes/{name}",
        action: Action::DeleteScene,
        interval_ms: 100,
        max_body: 0,
        summary: "Delete a scene, also from the playlist",
    },
    post(
        "/api/v1/scenes/{name}/recall",
        Action::RecallScene,
        100,
        SMALL_BODY,
        "Fade to a scene; a body is not needed. Zones that do not exist any more are left out and named",
    ),
    get(
        "/api/v1/playlist",
        Action::Playlist,
        100,
        "The playlist, what is left until its next scene, and that scene",
    ),
    put(
        "/api/v1/playlist",
        Action::SetPlaylist,
        2 * SMALL_BODY,
        "Change the playlist: any of `on`, `scenes`, `every` and `shuffle`",
    ),
    post(
        "/api/v1/playlist/next",
        Action::NextScene,
        100,
        SMALL_BODY,
        "Show the next scene of the playlist now; a body is not needed",
    ),
    get("/api/v1/timers", Action::Timers, 100, "The timers, the local time, and the timer that comes next"),
    put("/api/v1/timers", Action::SetTimers, 4 * SMALL_BODY, "Replace the timers"),
    get("/api/v1/power", Action::Power, 100, "Whether the light is on, and its brightness"),
    put(
        "/api/v1/power",
        Action::SetPower,
        SMALL_BODY,
        "Turn the light on or off, or dim everything, within `fade_s` seconds. K1 goes on hearing",
    ),
    get("/api/v1/setup", Action::Setup, 100, "How the hardware is set up"),
    post("/api/v1/setup", Action::SetSetup, 300, SMALL_BODY, "Change how the hardware of a lamp is set up"),
    get(
        "/api/v1/boot-log",
        Action::BootLog,
        100,
        "The first lines of the console with their times, and the errors since then",
    ),
    get("/api/v1/self-test", Action::SelfTest, 100, "State of the self-test of the hand-off"),
    post(
        "/api/v1/self-test",
        Action::StartSelfTest,
        1000,
        SMALL_BODY,
        "Read the newest snapshot `reads` times on one core while the other writes; light and sound go on",
    ),
    get("/metrics", Action::Metrics, 250, "Every measured figure in Prometheus' text format"),
    get("/api/v1/openapi.json", Action::OpenApi, 500, "This description"),
    get("/api/v1/firmware", Action::Firmware, 100, "The firmware, its trial, and an update that is arriving"),
    Route {
        method: Method::Put,
        path: "/api/v1/firmware",
        action: Action::Install,
        interval_ms: 1000,
        max_body: MOST_FIRMWARE,
        summary: "Install new firmware: a signed update as `k1 sign` makes it. Its trial begins after a restart, and it stays if the trial ends well",
    },
    post(
        "/api/v1/rollback",
        Action::RollBack,
        1000,
        SMALL_BODY,
        "Roll back to the previous firmware; restarts once",
    ),
    post(
        "/api/v1/drill",
        Action::Drill,
        1000,
        SMALL_BODY,
        "Prove that the bootloader can roll back a bad image; restarts once",
    ),
    post(
        "/api/v1/keys",
        Action::SetKeys,
        1000,
        SMALL_BODY,
        "Set the keys whose signatures count: a statement as `k1 keys` makes it. The first statement needs only the token, each later one the signature of a key in force",
    ),
];

/// Path of the WebSocket that clients of the lamps in the field use.
pub const LEGACY: &str = "/ws";
/// Path of the WebSocket that the page uses.
pub const LIVE: &str = "/api/v1/live";

/// Everything that requests can reach: the API and the files of the page.
pub const fn site(files: &'static [File]) -> Site<Action> {
    Site { routes: &ROUTES, websockets: &[LEGACY, LIVE], files, guarded: "/api/" }
}

/// True for a request whose body is processed while it arrives, after the request was admitted.
pub fn is_streamed(method: Option<Method>, path: &str) -> bool {
    ROUTES.iter().any(|r| r.action == Action::Install && Some(r.method) == method && r.path == path)
}

/// The route for a request, and its index in the table.
///
/// # Errors
///
/// [`Rejection::NotFound`] or [`Rejection::MethodNotAllowed`].
pub fn find(method: Method, path: &str) -> Result<(usize, &'static Route), Rejection> {
    route::find(&ROUTES, Some(method), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_in_the_field_are_there_with_their_intervals() {
        for (method, path, ms) in [
            (Method::Get, "/api/patterns", 1000),
            (Method::Get, "/api/params", 150),
            (Method::Post, "/api/params", 300),
            (Method::Post, "/api/select", 200),
            (Method::Post, "/api/reset", 1000),
            (Method::Get, "/api/audio-config", 500),
            (Method::Post, "/api/audio-config", 300),
            (Method::Get, "/api/palettes", 2000),
            (Method::Get, "/api/device/info", 1000),
            (Method::Get, "/api/device/performance", 500),
            (Method::Get, "/api/test-connection", 200),
            (Method::Get, "/api/wifi/link-options", 500),
            (Method::Post, "/api/wifi/link-options", 300),
            (Method::Get, "/api/config/backup", 2000),
            (Method::Post, "/api/config/restore", 2000),
        ] {
            assert_eq!(find(method, path).unwrap().1.interval_ms, ms, "{path}");
        }
        assert_eq!(find(Method::Get, "/api/nothing").unwrap_err(), Rejection::NotFound);
        assert_eq!(
            find(Method::Post, "/api/patterns").unwrap_err(),
            Rejection::MethodNotAllowed { allow: "GET, OPTIONS" }
        );
    }
}
