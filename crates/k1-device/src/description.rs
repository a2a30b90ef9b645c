//! The machine-readable description of the API, generated from the route table and the types.

use crate::answers::{
    AudioConfig, Backup, BootLog, Deleted, Device, DeviceInfo, FoundLights, InputSet, Inputs, LightTested,
    LinkOptions, LinkOptionsSet, Palettes, ParamTable, ParamValues, Patterns, Performance, Plan, Playlist,
    Power, Recalled, Restored, Scene, Scenes, Selected, SelfTest, Setup, ShowFile, ShowLights, ShowWritten,
    Status, TestConnection, Timers, Zone, Zones,
};
use crate::error::ErrorBody;
use crate::firmware::{Firmware, GoingBack, Installed};
use crate::requests;
use crate::routes::{Action, ROUTES};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// OpenAPI 3.1 description of every route.
pub fn description() -> Value {
    // Schemas of answers as they are written: fields that may be null are required.
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator();
    // Schemas of requests as they are read; inlined, because requests and answers share names.
    let mut asked = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
    let error = generator.subschema_for::<ErrorBody>();
    let mut paths = Map::new();
    for route in &ROUTES {
        let answer = answered(route.action, &mut generator);
        let mut operation = json!({
            "summary": route.summary,
            "operationId": format!("{:?}", route.action),
            "description": format!("At most once every {} ms for each client.", route.interval_ms),
            "responses": {
                "200": {"description": "Done", "content": {route.action.media_type(): {"schema": answer}}},
                "default": {"description": "Refused, with the reason", "content": {"application/json": {"schema": error}}},
            },
        });
        if route.path.contains("{name}") {
            operation["parameters"] = json!([{
                "name": "name", "in": "path", "required": true, "schema": {"type": "string"},
                "description": if route.action == Action::ChangeZone { "Name of the zone." } else { "Name of the scene." },
            }]);
        }
        if route.max_body > 0 {
            let schema = requested(route.action, &mut asked);
            let kind =
                if route.action == Action::Install { "application/octet-stream" } else { "application/json" };
            operation["requestBody"] = json!({
                "required": !is_optional(route.action),
                "description": format!("At most {} bytes.", route.max_body),
                "content": {kind: {"schema": schema}},
            });
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "K1", "version": env!("CARGO_PKG_VERSION"),
            "description": "Music into light. The program and the lamp have the same API. Live frames, sound and settings come over the WebSocket /api/v1/live; /ws is the WebSocket of the lamps in the field.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Needed when K1 is reachable from other machines."}},
        },
        "security": [{"token": []}, {}],
    })
}

/// True for requests that say everything without a body.
fn is_optional(action: Action) -> bool {
    matches!(
        action,
        Action::Reset
            | Action::RollBack
            | Action::Drill
            | Action::FindLights
            | Action::ListenInputs
            | Action::SetScene
            | Action::RecallScene
            | Action::NextScene
    )
}

/// Schema of a request's body.
fn requested(action: Action, g: &mut SchemaGenerator) -> Value {
    let schema = match action {
        Action::SetParams => g.subschema_for::<requests::ParamsPatch>(),
        Action::Select => g.subschema_for::<requests::Select>(),
        Action::SetAudioConfig => g.subschema_for::<requests::AudioConfig>(),
        Action::SetLinkOptions => g.subschema_for::<requests::LinkOptions>(),
        Action::Restore => g.subschema_for::<requests::Restore>(),
        Action::SetSetup => g.subschema_for::<requests::SetupPatch>(),
        Action::AddLight => g.subschema_for::<requests::NewLight>(),
        Action::ChangeLight => g.subschema_for::<requests::LightChange>(),
        Action::TestLight => g.subschema_for::<requests::LightTest>(),
        Action::SetZone => g.subschema_for::<requests::ZonePatch>(),
        Action::SetShowFile => g.subschema_for::<requests::ShowText>(),
        Action::ChangeZone => g.subschema_for::<requests::ZoneChange>(),
        Action::ListenInputs => g.subschema_for::<requests::Listen>(),
        Action::SetInput => g.subschema_for::<requests::NewInput>(),
        Action::SetScene => g.subschema_for::<requests::NewScene>(),
        Action::RecallScene => g.subschema_for::<requests::Recall>(),
        Action::SetPlaylist => g.subschema_for::<requests::PlaylistPatch>(),
        Action::SetTimers => g.subschema_for::<requests::NewTimers>(),
        Action::SetPower => g.subschema_for::<requests::PowerPatch>(),
        Action::SetKeys => g.subschema_for::<requests::SetKeys>(),
        Action::Install => return json!({"type": "string", "format": "binary"}),
        Action::StartSelfTest => g.subschema_for::<requests::SelfTest>(),
        _ => return json!({"type": "object"}),
    };
    schema.to_value()
}

/// Schema of an answer.
fn answered(action: Action, g: &mut SchemaGenerator) -> Value {
    let schema = match action {
        Action::Patterns => g.subschema_for::<Patterns>(),
        Action::Params | Action::SetParams | Action::Reset => g.subschema_for::<ParamValues>(),
        Action::Select => g.subschema_for::<Selected>(),
        Action::Zones => g.subschema_for::<Zones>(),
        Action::SetZone => g.subschema_for::<Zone>(),
        Action::Lights => g.subschema_for::<ShowLights>(),
        Action::TestLight => g.subschema_for::<LightTested>(),
        Action::FoundLights | Action::FindLights => g.subschema_for::<FoundLights>(),
        Action::ShowFile => g.subschema_for::<ShowFile>(),
        Action::Plan => g.subschema_for::<Plan>(),
        Action::SetShowFile | Action::AddLight | Action::ChangeLight | Action::ChangeZone => {
            g.subschema_for::<ShowWritten>()
        }
        Action::Inputs | Action::ListenInputs => g.subschema_for::<Inputs>(),
        Action::SetInput => g.subschema_for::<InputSet>(),
        Action::Scenes => g.subschema_for::<Scenes>(),
        Action::SetScene => g.subschema_for::<Scene>(),
        Action::DeleteScene => g.subschema_for::<Deleted>(),
        Action::RecallScene => g.subschema_for::<Recalled>(),
        Action::Playlist | Action::SetPlaylist | Action::NextScene => g.subschema_for::<Playlist>(),
        Action::Timers | Action::SetTimers => g.subschema_for::<Timers>(),
        Action::Power | Action::SetPower => g.subschema_for::<Power>(),
        Action::AudioConfig | Action::SetAudioConfig => g.subschema_for::<AudioConfig>(),
        Action::Palettes => g.subschema_for::<Palettes>(),
        Action::DeviceInfo => g.subschema_for::<DeviceInfo>(),
        Action::Performance => g.subschema_for::<Performance>(),
        Action::TestConnection => g.subschema_for::<TestConnection>(),
        Action::LinkOptions => g.subschema_for::<LinkOptions>(),
        Action::SetLinkOptions => g.subschema_for::<LinkOptionsSet>(),
        Action::Backup => g.subschema_for::<Backup>(),
        Action::Restore => g.subschema_for::<Restored>(),
        Action::ParamTable => g.subschema_for::<ParamTable>(),
        Action::Status => g.subschema_for::<Status>(),
        Action::Device => g.subschema_for::<Device>(),
        Action::Setup | Action::SetSetup => g.subschema_for::<Setup>(),
        Action::Firmware | Action::SetKeys => g.subschema_for::<Firmware>(),
        Action::Install => g.subschema_for::<Installed>(),
        Action::RollBack | Action::Drill => g.subschema_for::<GoingBack>(),
        Action::BootLog => g.subschema_for::<BootLog>(),
        Action::SelfTest | Action::StartSelfTest => g.subschema_for::<SelfTest>(),
        Action::Metrics => return json!({"type": "string"}),
        Action::OpenApi => return json!({"type": "object"}),
    };
    schema.to_value()
}
