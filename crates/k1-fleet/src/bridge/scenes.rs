//! Scenes and the playlist of a K1 at the broker: how they are announced to Home Assistant, and what their commands mean.

use serde_json::{Value, json};

use super::command::Request;
use super::discovery::Card;
use super::topics::Topics;
use crate::lamps::scenes::{PLAYLIST, Playlist, SceneNow, scene_path};

/// Commands to a playlist.
const ON: &str = "ON";
const OFF: &str = "OFF";
const NEXT: &str = "NEXT";

impl Card {
    /// Topics and messages that announce scenes and playlist: a choice of scenes, and a switch and a button for a
    /// playlist. A K1 without scenes has none of them; what was announced before is taken back (`None`).
    pub fn scenes(&self, topics: &Topics, names: &[String]) -> Vec<(String, Option<Value>)> {
        let scene = json!({
            "options": names, "state_topic": topics.of(&self.id, "scene"), "value_template": "{{ value_json.current }}",
            "command_topic": topics.of(&self.id, "scene/set"),
        });
        let playlist = json!({
            "state_topic": topics.of(&self.id, "playlist"),
            "value_template": format!("{{{{ '{ON}' if value_json.on else '{OFF}' }}}}"),
            "command_topic": topics.of(&self.id, "playlist/set"), "payload_on": ON, "payload_off": OFF,
        });
        let next = json!({"command_topic": topics.of(&self.id, "playlist/set"), "payload_press": NEXT});
        let all = [
            ("select", "scene", "Scene", scene),
            ("switch", "playlist", "Playlist", playlist),
            ("button", "next_scene", "Next scene", next),
        ];
        let announced = |(kind, what, name, own): (&str, &str, &str, Value)| {
            let config = (!names.is_empty()).then(|| self.entity(topics, what, name, own));
            (self.config(topics, kind, what), config)
        };
        all.into_iter().take(if self.has_playlist { 3 } else { 1 }).map(announced).collect()
    }
}

/// The scenes as the broker keeps them.
pub fn scene_state(now: &SceneNow) -> Value {
    json!({"current": now.current, "scenes": now.scenes})
}

/// The playlist as the broker keeps it. What is left until the next scene changes all the time and is left out.
pub fn playlist_state(playlist: &Playlist) -> Value {
    let Playlist { on, scenes, every, shuffle, next, .. } = playlist;
    json!({"on": on, "scenes": scenes, "every": every, "shuffle": shuffle, "next": next})
}

/// The request that recalls the scene whose name a message is; `names` are those that exist.
///
/// # Errors
///
/// A sentence if there is no such scene.
pub fn recall(message: &[u8], names: &[String]) -> Result<Request, String> {
    let name = String::from_utf8_lossy(message);
    if names.iter().any(|known| *known == name) {
        return Ok(Request::post(format!("{}/recall", scene_path(&name)), json!({})));
    }
    Err(match names {
        [] => "this K1 has no scenes".into(),
        names => format!("there is no scene “{name}”; there are {}", names.join(", ")),
    })
}

/// The request that a command to the playlist means.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn order(message: &[u8]) -> Result<Request, String> {
    match std::str::from_utf8(message) {
        Ok(ON) => Ok(Request::put(PLAYLIST, json!({"on": true}))),
        Ok(OFF) => Ok(Request::put(PLAYLIST, json!({"on": false}))),
        Ok(NEXT) => Ok(Request::post(format!("{PLAYLIST}/next"), json!({}))),
        _ => Err(format!("a command to the playlist is {ON}, {OFF} or {NEXT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::discovery::tests::{card, topics};
    use super::*;

    #[test]
    fn scenes_are_announced_with_their_names_and_taken_back_with_the_last() {
        let card = card("desk", "p000000000001", None);
        let all = card.scenes(&topics(), &["Dinner".into(), "Party".into()]);
        let kinds: Vec<_> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        let expected = [
            "homeassistant/select/k1_p000000000001_scene/config",
            "homeassistant/switch/k1_p000000000001_playlist/config",
            "homeassistant/button/k1_p000000000001_next_scene/config",
        ];
        assert_eq!(kinds, expected);
        let select = all[0].1.as_ref().unwrap();
        assert_eq!(select["options"], json!(["Dinner", "Party"]));
        assert_eq!(topics().told_a_scene(select["command_topic"].as_str().unwrap()), Some("p000000000001"));
        for (_, config) in &all {
            let config = config.as_ref().unwrap();
            assert_eq!(config["availability"][1]["topic"], "k1/p000000000001/availability");
            assert_eq!(config["device"]["name"], "desk");
        }
        for (_, config) in &all[1..] {
            let command = config.as_ref().unwrap()["command_topic"].as_str().unwrap();
            assert_eq!(topics().told_the_playlist(command), Some("p000000000001"));
        }
        let lamp = Card { has_playlist: false, ..card.clone() }.scenes(&topics(), &["Dinner".into()]);
        assert!(lamp.len() == 1 && lamp[0].0.contains("/select/"), "{lamp:?}");
        let none = card.scenes(&topics(), &[]);
        assert!(none.iter().map(|(topic, _)| topic).eq(&expected) && none.iter().all(|(_, c)| c.is_none()));
    }

    #[test]
    fn commands_become_requests_or_sentences() {
        let names = ["Late dinner".to_owned()];
        let recalled = recall(b"Late dinner", &names).unwrap();
        assert_eq!(recalled, Request::post("/api/v1/scenes/Late%20dinner/recall", json!({})));
        assert_eq!(recall(b"x", &names).unwrap_err(), "there is no scene “x”; there are Late dinner");
        assert_eq!(recall(b"\xff", &[]).unwrap_err(), "this K1 has no scenes");
        assert_eq!(order(b"ON").unwrap(), Request::put("/api/v1/playlist", json!({"on": true})));
        assert_eq!(order(b"NEXT").unwrap(), Request::post("/api/v1/playlist/next", json!({})));
        for wrong in [&b""[..], b"on", b"\xff", b"{}"] {
            assert!(order(wrong).unwrap_err().contains("ON, OFF or NEXT"));
        }
    }
}
