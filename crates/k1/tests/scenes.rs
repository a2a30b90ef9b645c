//! Scenes, power, the playlist and timers of a running program, as its API and its file have them.
#![cfg(unix)]

mod support;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Running, eventually, folder, k1, start};

/// A running program with a page, and a light on this machine.
struct Program {
    running: Running,
    light: UdpSocket,
    page: String,
    folder: tempfile::TempDir,
}

const LEDS: usize = 6;

fn text(light: &UdpSocket) -> String {
    format!(
        "# A strip.\nversion = 1\ninput = \"demo\"\n\n[[light]]\nname = \"A\"\nto = \"ddp://{}\"\nleds = {LEDS}\n\n\
         [[zone]]\nname = \"Left\"\npieces = [{{ light = \"A\", to = 2 }}]\nlook = {{ pattern = \"spectrum\" }}\n\n\
         [[zone]]\nname = \"Right\"\npieces = [{{ light = \"A\", from = 3 }}]\nlook = {{ pattern = \"lava\" }}\n",
        light.local_addr().unwrap()
    )
}

impl Program {
    fn with(more: &str) -> Self {
        let folder = folder();
        let light = UdpSocket::bind("127.0.0.1:0").unwrap();
        light.set_nonblocking(true).unwrap();
        std::fs::write(folder.path().join("show.toml"), text(&light) + more).unwrap();
        Self::of(folder, light)
    }

    fn of(folder: tempfile::TempDir, light: UdpSocket) -> Self {
        let show = folder.path().join("show.toml");
        let mut running = start(&mut k1([
            "run".as_ref(),
            "--show".as_ref(),
            show.as_os_str(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
        ]));
        let page = running.page();
        Self { running, light, page, folder }
    }

    fn show(&self) -> PathBuf {
        self.folder.path().join("show.toml")
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.show()).unwrap()
    }

    /// Status and answer of a request.
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        std::thread::sleep(Duration::from_millis(120));
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request =
            ureq::http::Request::builder().method(method).uri(format!("{}api/v1/{path}", self.page));
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let mut answer = agent.run(request.body(body).unwrap()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }

    #[track_caller]
    fn done(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    #[track_caller]
    fn refused(&self, method: &str, path: &str, body: Value, status: u16, sentence: &str) {
        let (got, answer) = self.ask(method, path, Some(body));
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(got == status && message.contains(sentence), "{method} {path}: {got} {answer}");
    }

    fn zone(&self, index: usize) -> Value {
        self.done("GET", "zones", None)["zones"][index].clone()
    }

    /// Ends it as Ctrl-C does, and starts it again.
    fn again(self) -> Self {
        let Self { running, light, folder, .. } = self;
        running.interrupt();
        running.end();
        Self::of(folder, light)
    }

    /// The brightest byte of everything that the light gets within 0.3 s; `None` if it gets nothing.
    fn brightest(&self) -> Option<u8> {
        let mut packet = [0; 1_500];
        while self.light.recv(&mut packet).is_ok() {}
        std::thread::sleep(Duration::from_millis(300));
        let mut brightest = None;
        while let Ok(n) = self.light.recv(&mut packet) {
            // A DDP packet has a head of ten bytes.
            brightest = packet[10.min(n)..n].iter().copied().max().max(brightest);
        }
        brightest
    }
}

#[test]
fn a_scene_is_what_is_shown_and_comes_back_after_a_restart() {
    let program = Program::with("");
    assert_eq!(program.done("GET", "scenes", None), json!({"scenes": [], "current": null}));
    let made = program.done("PUT", "scenes/First", None);
    assert_eq!((&made["looks"]["Left"]["pattern"], &made["fade_s"]), (&json!("spectrum"), &json!(1.0)));
    assert_eq!(program.done("GET", "scenes", None)["current"], "First");
    let second = json!({"fade_s": 0.2, "brightness": 0.5, "looks": {"Right": {
        "pattern": "bloom", "palette": "lava", "params": {"speed": 0.7}}}});
    program.done("PUT", "scenes/Late%20dinner", Some(second));
    let file = program.file();
    assert!(file.starts_with("# A strip.\nversion = 1") && file.contains("name = \"Late dinner\""), "{file}");
    let recalled = program.done("POST", "scenes/Late%20dinner/recall", None);
    assert_eq!(recalled, json!({"scene": "Late dinner", "fade_s": 0.2, "missing": [], "message": null}));
    eventually("the look of the scene", || program.zone(1)["pattern"] == "bloom");
    let right = program.zone(1);
    assert_eq!((&right["params"]["speed"], &program.zone(0)["pattern"]), (&json!(0.7), &json!("spectrum")));
    // A look that is changed by hand is no longer the scene; back again, it is.
    program.done("POST", "zones", Some(json!({"zone": "Right", "params": {"speed": 0.1}})));
    eventually("no scene", || program.done("GET", "scenes", None)["current"].is_null());
    program.done("POST", "scenes/Late%20dinner/recall", Some(json!({"fade_s": 0})));
    let program = program.again();
    let scenes = program.done("GET", "scenes", None);
    assert_eq!(scenes["current"], "Late dinner", "{scenes}");
    assert_eq!(scenes["scenes"][1]["brightness"], 0.5);
    assert_eq!(program.zone(1)["pattern"], "bloom");
    program.done("DELETE", "scenes/First", None);
    program.refused("DELETE", "scenes/First", json!({}), 404, "no scene of this name");
    assert_eq!(program.done("GET", "scenes", None)["scenes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_scene_of_a_zone_that_is_gone_is_recalled_without_it() {
    let scene = "\n[[scene]]\nname = \"Old\"\nlooks = { Attic = { pattern = \"lava\" }, Left = { pattern = \"bloom\" } }\n";
    let program = Program::with(scene);
    let recalled = program.done("POST", "scenes/Old/recall", None);
    assert_eq!(recalled["missing"], json!(["Attic"]));
    assert!(recalled["message"].as_str().unwrap().contains("the zone “Attic” does not exist"), "{recalled}");
    eventually("the rest", || program.zone(0)["pattern"] == "bloom");
    for (method, path, body, status, sentence) in [
        ("POST", "scenes/None/recall", json!({}), 404, "GET /api/v1/scenes lists"),
        ("POST", "scenes/Old/recall", json!({"fade_s": -1}), 400, "`fade_s` must be a number of seconds"),
        ("PUT", "scenes/New", json!({"brightness": 3}), 400, "`brightness` must be a number from 0 to 1"),
        ("PUT", "scenes/New", json!({"looks": {"Left": {"pattern": "rainbow"}}}), 404, "no such pattern"),
        ("PUT", "scenes/New", json!({"looks": {"Left": {"palette": "ember"}}}), 400, "GET /api/palettes"),
        ("PUT", "scenes/%0A", json!({}), 400, "`name` must be"),
        ("PUT", "power", json!({"on": 1}), 400, "`on` must be true or false"),
    ] {
        program.refused(method, path, body, status, sentence);
    }
    assert_eq!(program.done("GET", "scenes", None)["scenes"].as_array().unwrap().len(), 1);
    // A file with a fault is not written over.
    let faulty = program.file() + "[[scene]]\nname = \"Old\"\n";
    std::fs::write(program.show(), &faulty).unwrap();
    program.refused("PUT", "scenes/New", json!({}), 409, "GET /api/v1/show lists its faults");
    assert_eq!(program.file(), faulty);
}

#[test]
fn two_clients_that_make_scenes_at_once_lose_nothing() {
    let program = Program::with("");
    std::thread::scope(|scope| {
        for client in 0..2 {
            let program = &program;
            scope.spawn(move || {
                for n in 0..5 {
                    let path = format!("scenes/{client}%20{n}");
                    // Both share an address and thus a limit.
                    while program.ask("PUT", &path, None).0 == 429 {}
                }
            });
        }
    });
    let scenes = program.done("GET", "scenes", None);
    assert_eq!(scenes["scenes"].as_array().unwrap().len(), 10, "{scenes}");
    assert_eq!(program.file().matches("[[scene]]").count(), 10);
}

#[test]
fn off_fades_to_dark_is_remembered_and_k1_goes_on_hearing() {
    let program = Program::with("");
    eventually("light", || program.brightest() > Some(20));
    let off = program.done("PUT", "power", Some(json!({"on": false, "fade_s": 0.5})));
    assert_eq!(off, json!({"on": false, "fade_s": 0.5, "brightness": 1.0}));
    eventually("darkness", || program.brightest() == Some(0));
    let beats = |program: &Program| program.done("GET", "status", None)["heard"]["onsets"].as_u64().unwrap();
    let before = beats(&program);
    eventually("onsets in the dark", || beats(&program) > before);
    assert_eq!(program.zone(0)["params"]["brightness"], 1.0, "the look is the same");
    eventually("a file that says so", || program.file().contains("[now]\non = false\n"));
    let program = program.again();
    assert_eq!(program.done("GET", "power", None)["on"], false);
    program.done("PUT", "power", Some(json!({"on": true, "brightness": 0.4, "fade_s": 0})));
    eventually("light", || program.brightest() > Some(2));
    eventually("a file that says so", || program.file().contains("on = true\nbrightness = 0.4\n"));
}

/// A listener need not want the zones, as a bridge to a broker does not.
#[test]
fn every_listener_is_told_of_scenes_power_and_the_playlist() {
    let program = Program::with("");
    let authority = program.page.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let stream = std::net::TcpStream::connect(&authority).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://{authority}/api/v1/live"), stream).unwrap();
    let mut told = |what: &str| loop {
        let message = socket.read().unwrap();
        let news = message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(news) = news.and_then(|mut news| Some(news.get_mut(what)?.take())) {
            return news;
        }
    };
    assert_eq!(told("scene"), json!({"current": null, "scenes": []}));
    assert_eq!(told("power")["on"], true);
    assert_eq!(told("playlist")["on"], false);
    program.done("PUT", "power", Some(json!({"on": false})));
    assert_eq!(told("power")["on"], false);
    program.done("PUT", "scenes/One", None);
    assert_eq!(told("scene"), json!({"current": "One", "scenes": ["One"]}));
}

/// Two scenes, and more.
fn two_scenes(more: &str) -> String {
    let scene = |name: &str, pattern: &str| {
        format!(
            "\n[[scene]]\nname = \"{name}\"\nfade_s = 0.1\nlooks = {{ Left = {{ pattern = \"{pattern}\" }} }}\n"
        )
    };
    scene("One", "bloom") + &scene("Two", "lava") + more
}

#[test]
fn a_playlist_follows_the_music_is_remembered_and_does_not_write_looks() {
    let program = Program::with(&two_scenes("\n[playlist]\nevery = \"2 beats\"  # lively\n"));
    let playlist = program.done("GET", "playlist", None);
    let rests =
        json!({"on": false, "scenes": [], "every": "2 beats", "shuffle": false, "left": null, "next": "One"});
    assert_eq!(playlist, rests);
    let runs = program.done("PUT", "playlist", Some(json!({"on": true})));
    assert!(runs["on"] == true && runs["left"].as_str().unwrap().ends_with("beats"), "{runs}");
    for pattern in ["bloom", "lava", "bloom"] {
        eventually("the next scene", || program.zone(0)["pattern"] == pattern);
    }
    eventually("a file that says so", || {
        program.file().contains("[playlist]\nevery = \"2 beats\"  # lively\non = true\n")
    });
    program.done("PUT", "playlist", Some(json!({"every": "5 min"})));
    program.done("POST", "playlist/next", None);
    let shown = program.done("GET", "scenes", None)["current"].clone();
    assert_ne!(program.done("GET", "playlist", None)["next"], shown);
    std::thread::sleep(Duration::from_millis(2_500));
    let file = program.file();
    assert!(
        file.contains("look = { pattern = \"spectrum\" }") && file.contains("every = \"5 min\"  # lively"),
        "{file}"
    );
    let program = program.again();
    assert_eq!(program.done("GET", "playlist", None)["on"], true);
    eventually("its first scene", || program.done("GET", "scenes", None)["current"] == "One");
    // Stopped, what it shows counts as set by hand.
    program.done("PUT", "playlist", Some(json!({"on": false})));
    eventually("a look that is remembered", || program.file().contains("look = { pattern = \"bloom\" }"));
    for (body, status, sentence) in [
        (json!({"every": "0 bars"}), 400, "`every` must be \"8 bars\""),
        (json!({"every": 8}), 400, "`every` must be"),
        (json!({"scenes": ["One", "Three"]}), 404, "no scene of this name"),
        (json!({"scenes": "One"}), 400, "`scenes` must be a list"),
        (json!({"shuffle": "yes"}), 400, "`shuffle` must be true or false"),
    ] {
        program.refused("PUT", "playlist", body, status, sentence);
    }
    program.done("PUT", "playlist", Some(json!({"scenes": ["Two"]})));
    program.done("DELETE", "scenes/Two", None);
    assert_eq!(program.done("GET", "playlist", None)["scenes"], json!([]));
    program.done("DELETE", "scenes/One", None);
    program.refused("PUT", "playlist", json!({"on": true}), 409, "there is no scene to show");
}

#[test]
fn timers_are_kept_with_their_comments_and_the_next_one_is_told() {
    let timer = "\n# The evening.\n[[timer]]\nat = \"18:30\"\ndays = [\"mon\", \"tue\"]\ndo = \"scene One\"\nfade_s = 30\n";
    let program = Program::with(&two_scenes(timer));
    let all = program.done("GET", "timers", None);
    let first = json!({"at": "18:30", "days": ["mon", "tue"], "do": "scene One", "fade_s": 30.0});
    assert_eq!(all["timers"], json!([first]));
    assert_eq!(all["next"]["do"], "scene One", "{all}");
    let off = json!({"at": "23:05", "do": "off"});
    let set = program.done("PUT", "timers", Some(json!({"timers": [off, first]})));
    assert_eq!(set["timers"].as_array().unwrap().len(), 2, "{set}");
    let file = program.file();
    assert!(
        file.contains("# The evening.\n[[timer]]\nat = \"18:30\"") && file.contains("at = \"23:05\""),
        "{file}"
    );
    for (timer, status, sentence) in [
        (json!({"at": "25:00", "do": "on"}), 400, "`at` must be a time of day from \"00:00\" to \"23:59\""),
        (json!({"do": "on"}), 400, "the field `at` is missing"),
        (json!({"at": "20:00", "do": "dim"}), 400, "`do` must be \"on\""),
        (json!({"at": "20:00", "do": "scene Three"}), 404, "no scene of this name"),
        (json!({"at": "20:00", "do": "on", "days": ["monday"]}), 400, "`days` must be a list of days"),
        (json!({"at": "20:00", "do": "on", "fade_s": -1}), 400, "`fade_s` must be"),
    ] {
        program.refused("PUT", "timers", json!({"timers": [timer]}), status, sentence);
    }
    program.refused("DELETE", "scenes/One", json!({}), 409, "a timer recalls this scene");
    assert_eq!(program.file(), file, "nothing was lost");
    program.done("PUT", "timers", Some(json!({"timers": []})));
    assert!(program.done("GET", "timers", None)["next"].is_null());
}
