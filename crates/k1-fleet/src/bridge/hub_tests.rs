use std::time::Duration;

use super::super::discovery::tests::{card, reading, topics};
use super::*;

fn hub(labels: &[&str]) -> Hub {
    let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
    Hub::new(topics(), &labels, Some("2.0.0".into()))
}

/// Topic and text of the published messages.
fn published(effects: &[Effect]) -> Vec<(&str, String)> {
    let text = |p: &Publish| String::from_utf8(p.payload.clone()).unwrap();
    effects
        .iter()
        .filter_map(|e| if let Effect::Publish(p) = e { Some((&*p.topic, text(p))) } else { None })
        .collect()
}

fn tasks(effects: &[Effect]) -> Vec<(usize, &Task)> {
    effects
        .iter()
        .filter_map(|e| if let Effect::Task(lamp, task) = e { Some((*lamp, task)) } else { None })
        .collect()
}

#[test]
fn a_command_reaches_the_one_that_is_meant_or_all() {
    let mut hub = hub(&["shelf", "desk"]);
    let off = br#"{"state":"OFF"}"#;
    let task = Task::Command(off.to_vec());
    assert_eq!(
        tasks(&hub.receive("k1/desk/set", off)),
        [(1, &task)],
        "by its label until it has said its id"
    );
    hub.met(1, "525400123456");
    assert!(hub.receive("k1/desk/set", off).is_empty());
    assert_eq!(tasks(&hub.receive("k1/525400123456/set", off)), [(1, &task)]);
    assert_eq!(tasks(&hub.receive("k1/all/set", off)), [(0, &task), (1, &task)]);
    assert_eq!(tasks(&hub.receive("k1/525400123456/update/set", b"install")), [(1, &Task::Install)]);
    for (topic, message) in [
        ("k1/525400123456/update/set", &b"erase"[..]),
        ("k2/all/set", off),
        ("k1/nobody/set", off),
        ("k1/525400123456/state", off),
        ("homeassistant/status", b"offline"),
    ] {
        assert!(hub.receive(topic, message).is_empty(), "{topic}");
    }
}

#[test]
fn what_is_too_long_is_answered_each_time_and_told_once() {
    let mut hub = hub(&["shelf"]);
    let long = vec![b'x'; MOST_BYTES + 1];
    for n in 0..3 {
        let effects = hub.receive("k1/shelf/set", &long);
        assert_eq!(published(&effects)[0].0, "k1/shelf/error");
        assert_eq!(effects.iter().filter(|e| matches!(e, Effect::Say(_))).count(), usize::from(n == 0));
        assert!(tasks(&effects).is_empty());
    }
    assert_eq!(tasks(&hub.receive("k1/shelf/set", &long[1..])).len(), 1, "the longest that is taken");
}

#[test]
fn a_new_connection_and_a_new_home_assistant_are_told_everything() {
    let mut hub = hub(&["shelf"]);
    let effects = hub.connected();
    assert_eq!(published(&effects)[1], ("k1/bridge-b1/availability", ONLINE.to_owned()));
    assert!(effects.contains(&Effect::Anew));
    assert_eq!(hub.receive("homeassistant/status", b"online"), [Effect::Anew]);
    let word = hub.farewell();
    assert_eq!((word.payload.as_slice(), word.retain), (OFFLINE.as_bytes(), true));
}

#[test]
fn one_that_was_announced_once_and_is_not_met_is_offline() {
    let mut hub = hub(&["shelf"]);
    let (topic, config) = card("shelf", "525400123456", None).discovery(&topics(), &reading(&[])).remove(0);
    let config = config.to_string();
    let said = hub.receive(&topic, config.as_bytes());
    assert_eq!(published(&said), [("k1/525400123456/availability", OFFLINE.to_owned())]);
    hub.met(0, "525400123456");
    assert!(hub.receive(&topic, config.as_bytes()).is_empty());
    assert!(hub.receive(&topic, b"").is_empty(), "one that was taken back");
}

#[test]
fn another_bridge_that_ends_is_contradicted_and_this_one_is_not() {
    let mut hub = hub(&["shelf", "desk"]);
    hub.met(0, "525400123456");
    let both = [(0, &Task::Contradict), (1, &Task::Contradict)];
    assert_eq!(tasks(&hub.receive("k1/bridge-b2/availability", b"offline")), both);
    assert_eq!(tasks(&hub.receive("k1/525400123456/availability", b"offline")), both[..1]);
    assert!(hub.receive("k1/bridge-b1/availability", b"offline").is_empty());
    assert!(hub.receive("k1/525400123456/availability", b"online").is_empty());
}

#[test]
fn a_rollout_by_orders_is_the_rollout() {
    let mut hub = hub(&["a", "b", "c", "d"]);
    let error = |effects: &[Effect]| {
        published(effects).first().map(|(topic, why)| ((*topic).to_owned(), why.clone()))
    };
    assert!(error(&hub.receive("k1/rollout/set", br#"{"do":"pause"}"#)).unwrap().1.contains("no rollout"));
    assert!(error(&hub.receive("k1/rollout/set", b"x\x1b[2J")).unwrap().1.contains("not understood"));
    let start = br#"{"do":"start","steps":["1","100%"],"watch":10,"at_once":2,"abort_above":50}"#;
    assert!(hub.receive("k1/rollout/set", start).is_empty());
    let again = error(&hub.receive("k1/rollout/set", start)).unwrap();
    assert!(again.0 == "k1/rollout/error" && again.1.contains("in progress"), "{again:?}");

    let mut now = Instant::now();
    let effects = hub.go_on(now);
    assert_eq!(tasks(&effects), [(0, &Task::Install)]);
    assert!(published(&effects)[0].1.contains(r#""state":"trying""#), "{effects:?}");
    assert!(hub.go_on(now).is_empty(), "nothing is new");
    // The broker has lost its memory.
    hub.connected();
    assert_eq!(published(&hub.go_on(now)).len(), 1);
    hub.verdict(0, Ok(()));
    assert!(published(&hub.go_on(now))[0].1.contains(r#""state":"watching""#));
    now += Duration::from_secs(10);
    assert_eq!(tasks(&hub.go_on(now)), [(1, &Task::Install), (2, &Task::Install)]);
    hub.verdict(1, Ok(()));
    hub.verdict(2, Err("late".into()));
    assert_eq!(tasks(&hub.go_on(now)), [(3, &Task::Install)]);
    hub.verdict(3, Ok(()));
    hub.go_on(now);
    // One of three lamps becomes unwell while they are watched; together with the earlier failure that is more than
    // half.
    for _ in 0..3 {
        hub.looked(1, Some(reading(&[])), Err("age_p99_ms beyond its limit".into()));
    }
    let still = hub.go_on(now);
    assert!(published(&still)[0].1.contains("after its verdict"), "{still:?}");
    for _ in 0..3 {
        hub.looked(3, None, Err("it no longer answers".into()));
    }
    let end = published(&hub.go_on(now))[0].1.clone();
    let end: Value = serde_json::from_str(&end).unwrap();
    assert_eq!((&end["state"], &end["updated"]), (&json!("aborted"), &json!(["a", "b", "d"])));
    assert!(hub.receive("k1/rollout/set", start).is_empty(), "the next may begin");
}

#[test]
fn nothing_is_rolled_out_that_is_not_offered() {
    let mut hub = Hub::new(topics(), &["a".to_owned()], None);
    let refused = hub.receive("k1/rollout/set", br#"{"do":"start"}"#);
    assert!(published(&refused)[0].1.contains("--update"), "{refused:?}");
    assert!(hub.go_on(Instant::now()).is_empty());
}

#[test]
fn the_summary_counts_those_that_were_looked_at() {
    let mut hub = hub(&["a", "b", "c"]);
    hub.looked(0, Some(reading(&[("fps", 90.0)])), Ok(()));
    hub.looked(1, None, Err("it no longer answers".into()));
    let summary: Value = serde_json::from_slice(&hub.summary().payload).unwrap();
    let expected = json!({"lamps": 2, "online": 1, "least_fps": 90.0, "beyond_limits": ["a"]});
    assert_eq!(summary, expected);
}
