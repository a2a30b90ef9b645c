//! Palettes of the user's own: taken from other programs, shown, listed by the API, and deleted.
#![cfg(unix)]

mod support;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Running, Said, eventually, folder, run, start};

/// A show with one zone on a light of this machine.
struct Room {
    folder: tempfile::TempDir,
    light: UdpSocket,
}

impl Room {
    fn new() -> Self {
        let (folder, light) = (folder(), UdpSocket::bind("127.0.0.1:0").unwrap());
        light.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let text = format!(
            "# Mine.\nversion = 1\ninput = \"demo\"\n\n[[light]]\nname = \"A\"\nto = \"ddp://{}\"\nleds = 6\n\n[[zone]]\nname = \
             \"Z\"\npieces = [{{ light = \"A\" }}]\nlook = {{ pattern = \"perlin\", background = 1.0, saturation = 0.75 }}\n",
            light.local_addr().unwrap()
        );
        std::fs::write(folder.path().join("show.toml"), text).unwrap();
        Self { folder, light }
    }

    fn show(&self) -> PathBuf {
        self.folder.path().join("show.toml")
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.show()).unwrap()
    }

    fn palette(&self, args: &[&str]) -> Said {
        let show = self.show().display().to_string();
        run([&["palette"], args, &["--show", &show]].concat())
    }

    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let said = self.palette(args);
        assert_eq!(said.code(), Some(0), "{said:?}");
        said.out
    }

    fn start(&self) -> (Running, String) {
        let show = self.show().display().to_string();
        let mut running = start(&mut support::k1(["run", "--show", &show, "--listen", "127.0.0.1:0"]));
        let page = running.page();
        (running, page)
    }

    /// Sums of red, green and blue in 20 frames from now on.
    fn colours(&self) -> [u32; 3] {
        let mut packet = [0; 1_500];
        self.light.set_nonblocking(true).unwrap();
        while self.light.recv(&mut packet).is_ok() {}
        self.light.set_nonblocking(false).unwrap();
        let mut sums = [0; 3];
        for _ in 0..20 {
            let n = self.light.recv(&mut packet).expect("frames come");
            // A DDP packet has a head of ten bytes.
            for pixel in packet[10.min(n)..n].chunks_exact(3) {
                sums.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += u32::from(*byte));
            }
        }
        sums
    }
}

fn get(page: &str, path: &str) -> Value {
    let mut answer = Value::Null;
    eventually("it answers", || {
        let asked = ureq::get(format!("{page}{path}")).call();
        answer = asked.ok().and_then(|mut a| a.body_mut().read_json().ok()).unwrap_or_default();
        !answer.is_null()
    });
    answer
}

#[test]
fn gradients_of_other_programs_are_taken_listed_and_deleted() {
    let room = Room::new();
    assert!(room.says(&["list"]).contains("has no palettes of its own"));
    let css =
        room.says(&["import", "linear-gradient(90deg, #102040, #ff8800 30%)", "--name", "Harbour lights"]);
    assert_eq!(
        css,
        "the palette Harbour lights is in the show, with 2 colours; a look takes it by its name\n"
    );
    let file = |name: &str, text: &str| {
        let path = room.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    room.says(&["import", &file("sea.json", r#"{"palette":[0,"000040",255,"00FFC0"]}"#)]);
    let ggr = "GIMP Gradient\nName: Late dusk\n1\n0 0.5 1 1 0 0 1 0 0 1 1 0 0 0 0\n";
    room.says(&["import", &file("x.ggr", ggr)]);
    let text = room.file();
    assert!(text.starts_with("# Mine.\nversion = 1\n"), "{text}");
    assert!(
        text.contains(
            "[[palette]]\nname = \"Harbour lights\"\nstops = [[0, \"#102040\"], [0.3, \"#ff8800\"]]\n"
        ),
        "{text}"
    );
    let listed = room.says(&["list"]);
    assert!(
        listed.starts_with("Harbour lights: #102040 at 0 %, #ff8800 at 30 %\nsea: #000040 at 0 %"),
        "{listed}"
    );
    assert_eq!(room.palette(&["list", "--json"]).json()[2]["name"], "Late dusk");
    let again = room.says(&["import", "linear-gradient(red, blue, lime)", "--name", "sea"]);
    assert!(again.starts_with("the palette sea has now 3 colours"), "{again}");
    room.palette(&["delete", "Sea"]).failed_saying(&["no palette “Sea”", "Harbour lights, sea, Late dusk"]);
    room.says(&["delete", "Late dusk"]);
    for (args, sentence) in [
        (&["import", "linear-gradient(red, lava)", "--name", "x"][..], "“lava” is not a colour"),
        (&["import", "linear-gradient(red, blue)", "--name", "lava"], "K1 has a palette lava itself"),
        (&["import", "no-such-file.ggr"], "no-such-file.ggr"),
        (&["import", &file("y.json", "{}")], "a palette of WLED is"),
    ] {
        room.palette(args).failed_saying(&[sentence]);
    }
    let unnamed = room.palette(&["import", "linear-gradient(red, blue)"]);
    assert!(unnamed.code() == Some(2) && unnamed.err.contains("--name"), "{unnamed:?}");
    assert_eq!(room.file().matches("[[palette]]").count(), 2);
}

#[test]
fn an_own_palette_is_shown_told_and_remembered_by_its_name() {
    let room = Room::new();
    let (running, page) = room.start();
    let built_in = k1_engine::light::PALETTES.len();
    assert_eq!(get(&page, "api/palettes")["count"], built_in);
    // Taken over while K1 runs.
    room.says(&["import", "linear-gradient(red, red)", "--name", "Blood"]);
    room.says(&["import", "linear-gradient(blue, blue)", "--name", "Deep"]);
    eventually("both are known", || get(&page, "api/palettes")["count"] == built_in + 2);
    let own = get(&page, "api/palettes")["palettes"][built_in + 1].clone();
    assert_eq!(
        (&own["name"], &own["colors"][2]),
        (&"Deep".into(), &json!({"r": 0, "g": 0, "b": 255})),
        "{own}"
    );
    // By its number, as the page does.
    let choose = |number: usize| {
        let body = json!({"params": {"palette_id": number}, "zone": "Z"});
        eventually("it is chosen", || ureq::post(format!("{page}api/v1/zones")).send_json(&body).is_ok());
    };
    choose(built_in + 1);
    eventually("blue light", || matches!(room.colours(), [0, 0, b] if b > 100));
    eventually("it is written by its name", || room.file().contains("palette = \"Deep\""));
    room.palette(&["delete", "Deep"]).failed_saying(&["“Deep” is used by the zone Z"]);
    // The first one is deleted, so that the other gets its number.
    room.says(&["delete", "Blood"]);
    eventually("one is known", || get(&page, "api/palettes")["count"] == built_in + 1);
    eventually("still blue", || get(&page, "api/v1/zones")["zones"][0]["params"]["palette_id"] == built_in);
    assert!(matches!(room.colours(), [0, 0, b] if b > 100), "{:?}", room.colours());
    // A number that nobody has is the last one.
    choose(60);
    assert_eq!(get(&page, "api/v1/zones")["zones"][0]["params"]["palette_id"], built_in);
    // In a scene, by its name, and with other colours at once.
    let scene = json!({"fade_s": 0, "looks": {"Z": {"pattern": "perlin", "palette": "Deep", "params": {"background": 1}}}});
    eventually("a scene", || ureq::put(format!("{page}api/v1/scenes/Sea")).send_json(&scene).is_ok());
    assert_eq!(get(&page, "api/v1/scenes")["scenes"][0]["looks"]["Z"]["palette"], "Deep");
    room.palette(&["delete", "Deep"]).failed_saying(&["the scene Sea"]);
    room.says(&["import", "linear-gradient(lime, lime)", "--name", "Deep"]);
    eventually("green light", || matches!(room.colours(), [0, g, 0] if g > 100));
    running.interrupt();
    assert_eq!(running.end().code(), Some(0));
    let (_running, page) = room.start();
    eventually("green light after a restart", || matches!(room.colours(), [0, g, 0] if g > 100));
    let look = get(&page, "api/v1/zones")["zones"][0]["params"]["palette_id"].clone();
    assert_eq!(look, built_in);
}

#[test]
fn faults_of_palettes_are_told() {
    let room = Room::new();
    let text = room.file();
    for (palette, sentence) in [
        ("name = \"x\"", "line 15: `stops` is a list of positions"),
        ("name = \"x\"\nstops = [[0, \"#fff\"]]", "there are 2 to 64"),
        ("name = \"x\"\nstops = [[0.5, \"#fff\"], [0, \"#000\"]]", "in order"),
        ("name = \"x\"\nstops = [[0, \"white\"], [1, \"#000\"]]", "with colours, as in"),
        ("name = \"lava\"\nstops = [[0, \"#fff\"], [1, \"#000\"]]", "another palette has the name “lava”"),
        ("name = \"x\"\ncolour = 1\nstops = [[0, \"#fff\"], [1, \"#000\"]]", "`colour`"),
    ] {
        std::fs::write(room.show(), format!("{text}\n[[palette]]\n{palette}\n")).unwrap();
        let said = run(["show".as_ref(), "check".as_ref(), room.show().as_os_str()]);
        assert!(said.code() == Some(1) && said.err.contains(sentence), "{palette}: {said:?}");
    }
    let one = "\n[[palette]]\nname = \"p0\"\nstops = [[0, \"#fff\"], [1, \"#000\"]]\n";
    let many: String = (0..17).map(|i| one.replace("p0", &format!("p{i}"))).collect();
    std::fs::write(room.show(), format!("{text}{many}")).unwrap();
    let said = run(["show".as_ref(), "check".as_ref(), room.show().as_os_str()]);
    assert!(said.err.contains("at most 16 palettes fit"), "{said:?}");
}
