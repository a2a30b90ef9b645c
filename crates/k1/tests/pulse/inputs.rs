//! Which source is the right one is seen by its level, and another one is heard without a restart.

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{eventually, k1, start};

fn ask(url: &str, method: &str, path: &str, body: &Value) -> Value {
    // A client may request the same path only once per interval.
    std::thread::sleep(std::time::Duration::from_millis(160));
    let url = format!("{url}/api/v1/{path}");
    let answer = match method {
        "GET" => ureq::get(&url).call(),
        "PUT" => ureq::put(&url).send_json(body),
        _ => ureq::post(&url).send_json(body),
    };
    answer.unwrap().body_mut().read_json().unwrap()
}

fn input<'a>(inputs: &'a Value, source: &str) -> &'a Value {
    let mut all = inputs["inputs"].as_array().unwrap().iter();
    all.find(|input| input["source"] == source).unwrap_or_else(|| panic!("{source} is not in {inputs}"))
}

#[test]
fn the_right_source_is_seen_by_its_level_and_chosen_while_k1_runs() {
    let modules = ["lights", "quiet"].map(|name| format!("module-null-sink sink_name={name}"));
    let Some(mut server) = Server::with(&modules.each_ref().map(String::as_str)) else { return };
    server.plays("lights");
    let show = server.path("k1.toml");
    std::fs::write(&show, "version = 1 # mine\n").unwrap();
    let run = ["run", "--listen", "127.0.0.1:0", "--show", show.to_str().unwrap()];
    let mut running = start(server.on(&mut k1(run)));
    running.prints("Light is on: ");
    let printed = running.printed();
    let url = printed
        .lines()
        .find_map(|l| l.trim().strip_prefix("Light is on: "))
        .unwrap()
        .trim_end_matches('/')
        .to_owned();

    // Levels of both, while K1 goes on with its own music.
    ask(&url, "POST", "inputs/listen", &json!({"seconds": 4}));
    let loudest =
        |source: &str| input(&ask(&url, "GET", "inputs", &json!({})), source)["loudest_dbfs"].as_f64();
    eventually("the level of the loud one", || {
        loudest("monitor:lights.monitor").is_some_and(|db| (-20.0..-5.0).contains(&db))
    });
    eventually("the level of the quiet one", || {
        loudest("monitor:quiet.monitor").is_some_and(|db| db <= -90.0)
    });
    eventually("the end of listening", || ask(&url, "GET", "inputs", &json!({}))["listening"] == false);
    let inputs = ask(&url, "GET", "inputs", &json!({}));
    assert_eq!(input(&inputs, "demo")["current"], true, "{inputs}");
    assert_eq!(
        input(&inputs, "monitor:lights.monitor")["level_dbfs"],
        Value::Null,
        "nobody listens any more"
    );

    let changed = ask(&url, "PUT", "input", &json!({"source": "monitor:lights.monitor"}));
    let wanted =
        json!({"changed": true, "source": "monitor:lights.monitor", "remembered": true, "trouble": null});
    assert_eq!(changed, wanted);
    eventually("the tone", || {
        ask(&url, "GET", "status", &json!({}))["heard"]["rms_db"].as_f64() > Some(-25.0)
    });
    let status = ask(&url, "GET", "status", &json!({}));
    assert_eq!(status["live_sound"]["connected"], true, "{status}");
    assert_eq!(input(&ask(&url, "GET", "inputs", &json!({})), "monitor:lights.monitor")["current"], true);
    let text = std::fs::read_to_string(&show).unwrap();
    assert_eq!(text, "version = 1 # mine\ninput = \"monitor:lights.monitor\"\n");

    // What is not there is not taken.
    let refused = ask(&url, "PUT", "input", &json!({"source": "mic:studio"}));
    assert_eq!((&refused["changed"], &refused["source"]), (&json!(false), &json!("monitor:lights.monitor")));
    assert!(refused["trouble"].as_str().unwrap().contains("no microphone called “studio”"), "{refused}");

    // A hand that changes the file is heard, too.
    std::fs::write(&show, text.replace("monitor:lights.monitor", "demo")).unwrap();
    eventually("the built-in music", || ask(&url, "GET", "status", &json!({}))["source"] == "built-in music");
    assert_eq!(ask(&url, "GET", "status", &json!({}))["live_sound"], Value::Null);
    running.interrupt();
    let said = running.end();
    assert_eq!(said.code(), Some(0), "{said:?}");
}
