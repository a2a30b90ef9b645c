//! A file is read with a sentence for each fault, and changed without losing anything that a person has written.

mod support;

use k1_engine::light::Shape;
use k1_engine::params::Param;
use k1_engine::patterns::{PATTERNS, pattern_by_id};
use k1_show::map::map;
use k1_show::{Layout, Light, Look, Piece, Run, Show, Text, Zone, read};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Any, faults};

const GOOD: &str = r#"# Our living room.
version = 1
name = "Living room"
input = "monitor"   # what the computer plays

[limits]
fps = 60

# Above the books.
[[light]]
name = "Shelf"
to = "ddp://10.0.0.1"
leds = 60
order = "GRB"

[[zone]]
name = "Wall"
pieces = [
  { light = "Shelf", from = 0, to = 29, reversed = true },  # mounted the wrong way round
  { gap = 4 },
  # The rest.
  { light = "Window", from = 100 },
]
look = { pattern = "lava", speed = 0.60 }  # calm

[[zone]]
name = "Corner"
shape = "matrix:5x4,serpentine"
layout = "stretch"
[[zone.pieces]]
light = "Shelf"
from = 30
to = 49
[[zone.pieces]]
light = "Shelf"
from = 50
[zone.look]
pattern = "bloom"

[[light]]
name = "Window"
to = "ddp://10.0.0.2"
leds = 300
"#;

#[test]
fn a_file_is_read_as_it_is_meant() {
    let show = read(GOOD, &Any).whole().unwrap();
    assert_eq!((show.name.as_deref(), show.input.as_deref()), (Some("Living room"), Some("monitor")));
    assert_eq!((show.fps, show.max_ma, show.gain), (Some(60), None, None));
    let names: Vec<_> = show.lights.iter().map(|l| (l.name.as_str(), l.leds)).collect();
    assert_eq!(names, [("Shelf", 60), ("Window", 300)]);
    assert_eq!(show.lights[0].settings, [("order".to_owned(), "GRB".to_owned())]);
    assert_eq!(show.zones[0].pixels(), 30 + 4 + 200);
    assert_eq!(show.zones[0].look.params.get(Param::Speed), 0.6);
    assert_eq!(show.zones[0].look.pattern, pattern_by_id("lava").unwrap());
    assert_eq!((show.zones[1].layout, show.zones[1].pixels()), (Layout::Stretch, 20));
    let lights = map(&show);
    assert_eq!(lights[0][0].get(), Some((0, 29)), "reversed");
    assert_eq!(lights[0][29].get(), Some((0, 0)));
    assert_eq!(lights[1][99].get(), None, "no zone has it");
    assert_eq!(lights[1][100].get(), Some((0, 34)), "after the gap");
    assert_eq!((lights[0][30].get(), lights[0][49].get()), (Some((1, 0)), Some((1, 19))));
    assert_eq!((lights[0][50].get(), lights[0][59].get()), (Some((1, 1)), Some((1, 19))), "stretched");
}

#[test]
fn each_fault_is_said_with_its_line_and_the_remedy() {
    for (from, to, line, words) in [
        ("version = 1", "version = 2", 2, "newer than this program"),
        ("version = 1", "version = \"1\"", 2, "write version = 1"),
        ("version = 1\n", "", 1, "begin the file with version = 1"),
        ("fps = 60", "fps = 0", 7, "from 1 to 500"),
        ("fps = 60", "fsp = 60", 7, "[limits] takes fps, max_ma"),
        ("to = \"ddp://10.0.0.1\"", "to = \"lamp\"", 12, "use ddp://HOST"),
        ("leds = 60", "leds = 0", 13, "from 1 to 4096"),
        ("leds = 60", "leds = \"60\"", 13, "whole number"),
        ("leds = 60\n", "", 10, "needs `leds`"),
        ("to = 29", "to = 60", 19, "60 LEDs, which are numbered 0 to 59"),
        ("from = 0, to = 29", "from = 29, to = 0", 19, "write from = 0, to = 29, reversed = true"),
        ("from = 30\n", "from = 29\n", 30, "LED 29 of “Shelf” belongs to the piece of line 19 already"),
        ("light = \"Window\"", "light = \"Windwo\"", 22, "use one of “Shelf”, “Window”"),
        ("gap = 4", "gap = 0", 20, "from 1 to 4096"),
        ("reversed = true", "reversed = 1", 19, "true or false"),
        ("reversed = true", "revers = true", 19, "does not know `revers`"),
        ("reversed = true", "repeat = 31", 19, "cannot repeat 31 times"),
        ("\"lava\"", "\"rainbow\"", 24, "beat_tunnel"),
        ("speed = 0.60", "speed = 60", 24, "from 0 to 1"),
        ("speed = 0.60", "sped = 0.60", 24, "a look takes pattern, palette"),
        ("\"stretch\"", "\"wide\"", 29, "use \"span\" or \"stretch\""),
        ("matrix:5x4", "matrix:5x5", 28, "has 25 pixels, and the pieces of the zone “Corner” have 20"),
        (
            "shape = \"matrix:5x4,serpentine\"",
            "map = \"square.csv\"",
            28,
            "the map has 4 pixels, and the pieces",
        ),
        ("shape = \"matrix:5x4,serpentine\"", "map = \"x.csv\"", 28, "x.csv: it does not exist"),
        ("layout = \"stretch\"", "map = \"square.csv\"", 29, "a shape or a map"),
        ("matrix:5x4,serpentine", "cube", 28, "a shape is mirrored"),
        ("\"Corner\"", "\"Wall\"", 27, "two zones have the name"),
        ("\"Window\"\nto", "\"Shelf\"\nto", 41, "two lights have the name"),
        ("[limits]", "[limits", 6, "not TOML"),
        ("input = \"monitor\"", "input = 3", 4, "a text in quotes"),
        ("input =", "inptu =", 4, "does not know `inptu`"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let said = faults(&GOOD.replacen(from, to, 1));
        let wanted = format!("line {line}: ");
        assert!(said.iter().any(|s| s.starts_with(&wanted) && s.contains(words)), "{from} → {to}: {said:?}");
    }
}

#[test]
fn one_mistake_is_one_fault() {
    for (from, to) in [
        ("leds = 60", "leds = 0"),
        ("ddp://10.0.0.1", "lamp"),
        ("gap = 4", "gap = 0"),
        ("to = 49", "to = 400"),
        ("from = 0, to = 29", "from = 0, to = 31"),
        ("\n  { gap = 4 },", "\n  \"Shelf\","),
    ] {
        let said = faults(&GOOD.replacen(from, to, 1));
        assert_eq!(said.len(), 1, "{from} → {to}: {said:?}");
    }
    let zone = |pieces: &str| {
        let (lights, _) = GOOD.split_once("[[zone]]").unwrap();
        faults(&format!("{lights}[[zone]]\nname = \"Z\"\n{pieces}"))
    };
    for nothing in ["", "pieces = []\n", "pieces = [{ gap = 4 }]\n"] {
        let said = zone(nothing);
        assert!(said.len() == 1 && said[0].contains("needs a piece of a light"), "{nothing}: {said:?}");
    }
    assert_eq!(zone("pieces = [{ light = \"Shelf\" }, { gap = 2 }]\n"), [""; 0]);
}

#[test]
fn the_rest_of_a_faulty_file_is_valid() {
    let show = read(&GOOD.replace("ddp://10.0.0.2", "nowhere"), &Any).show;
    assert_eq!((show.lights.len(), show.zones.len()), (1, 2));
    assert_eq!(show.zones[0].pixels(), 34);
    assert_eq!(read(&GOOD.replace("version = 1", "version = 9"), &Any).show, Show::default());
}

#[test]
fn a_look_is_written_among_the_comments() {
    let mut text = Text::parse(GOOD).unwrap();
    let mut look = text.read(&Any).show.zones[0].look;
    assert!(text.set_look("Wall", &look));
    assert_eq!(text.to_string(), GOOD, "what says the same stays as it is");
    look.pattern = pattern_by_id("hype").unwrap();
    look.params.set(Param::Warmth, 0.3);
    look.params.set(Param::Speed, 0.5);
    look.params.set(Param::PaletteId, 3.0);
    assert!(text.set_look("Wall", &look) && !text.set_look("Nowhere", &look));
    text.set_gain(1.1);
    let after = text.to_string();
    assert_eq!(text.read(&Any).whole().unwrap().zones[0].look, look, "{after}");
    assert!(after.contains("pattern = \"hype\", speed = 0.5") && after.contains("warmth = 0.3"), "{after}");
    assert!(after.contains("  # calm") && after.contains("gain = 1.1\n"), "{after}");
    // Nothing else has changed.
    let others = |text: &str| -> Vec<String> {
        text.lines().filter(|l| !l.contains("look =") && !l.contains("gain")).map(str::to_owned).collect()
    };
    assert_eq!(others(&after), others(GOOD));
}

#[test]
fn a_light_is_added_among_the_comments() {
    let mut text = Text::parse(GOOD).unwrap();
    let light = Light {
        name: "Ring".into(),
        to: "ddp://ring".into(),
        leds: 24,
        settings: vec![("delay_ms".into(), "20".into())],
    };
    text.add_light(&light);
    let run = Run { light: 0, from: 0, to: 23, reversed: false, group: 1, repeat: 1 };
    text.add_pieces("Wall", &[Piece::Gap(2), Piece::Run(run)], &["Ring"]);
    let after = text.to_string();
    let show = text.read(&Any).whole().unwrap_or_else(|e| panic!("{e:?} in\n{after}"));
    assert_eq!(show.lights[2], light);
    assert_eq!(show.zones[0].pixels(), 234 + 2 + 24);
    for line in GOOD.lines() {
        assert!(after.contains(line), "“{line}” is lost:\n{after}");
    }
    text.add_pieces("Lamp", &[Piece::Run(Run { from: 3, ..run })], &["Ring"]);
    assert!(text.read(&Any).faults[0].to_string().contains("belongs to the piece"), "{text}");
    let mut new = Text::default();
    new.add_light(&light);
    new.add_pieces("Lamp", &[Piece::Run(run)], &["Ring"]);
    assert_eq!(
        new.to_string(),
        "# A show of K1: lights, zones and their looks.\nversion = 1\n\n[[light]]\nname = \"Ring\"\nto = \"ddp://ring\"\n\
         leds = 24\ndelay_ms = 20\n\n[[zone]]\nname = \"Lamp\"\npieces = [{ light = \"Ring\", from = 0, to = 23 }]\n\
         look = { pattern = \"analog\" }\n"
            .replace("analog", PATTERNS[Look::default().pattern].id)
    );
    assert!(new.set_shape("Lamp", "matrix:6x4") && !new.set_shape("Nowhere", "ring"));
    let shape = new.read(&Any).whole().unwrap().zones[0].shape;
    assert_eq!(shape.to_string(), "matrix:6x4");
}

/// A show of up to four lights, each cut into runs that are dealt to up to three zones.
fn shows() -> impl Strategy<Value = Show> {
    let run = (1..40_usize, any::<bool>(), 1..4_usize, 1..4_usize, 0..3_usize, 0..3_usize);
    let light = vec(run, 0..5);
    (vec(light, 1..5), vec((any::<bool>(), 0..PATTERNS.len(), 0.0..1.0_f32), 3)).prop_map(
        |(lights, zones)| {
            let all = zones
                .iter()
                .enumerate()
                .map(|(i, (stretch, pattern, warmth))| {
                    let mut look = Look { pattern: *pattern, ..Look::default() };
                    look.params.set(Param::Warmth, *warmth);
                    let layout = if *stretch { Layout::Stretch } else { Layout::Span };
                    Zone {
                        name: format!("zone {i}"),
                        shape: Shape::default(),
                        points: None,
                        layout,
                        pieces: Vec::new(),
                        look,
                        place: None,
                    }
                })
                .collect();
            let mut show = Show { zones: all, ..Show::default() };
            for (i, runs) in lights.iter().enumerate() {
                let mut from = 0;
                for (leds, reversed, group, repeat, zone, gap) in runs {
                    let run = Run {
                        light: i,
                        from,
                        to: from + leds - 1,
                        reversed: *reversed,
                        group: *group,
                        repeat: (*repeat).min(*leds),
                    };
                    from += leds + gap;
                    let zone = &mut show.zones[*zone];
                    if *gap > 0 && zone.layout == Layout::Span {
                        zone.pieces.push(Piece::Gap(*gap));
                    }
                    zone.pieces.push(Piece::Run(run));
                }
                show.lights.push(Light {
                    name: format!("light {i}"),
                    to: format!("ddp://10.0.0.{i}"),
                    leds: from.max(1),
                    settings: Vec::new(),
                });
            }
            show.zones.retain(|zone| zone.pixels() > 0);
            show
        },
    )
}

/// The text of a show, with a comment at the end of each line.
fn written(show: &Show) -> String {
    let mut text = Text::default();
    let names: Vec<_> = show.lights.iter().map(|l| l.name.as_str()).collect();
    show.lights.iter().for_each(|light| text.add_light(light));
    for zone in &show.zones {
        text.add_pieces(&zone.name, &zone.pieces, &names);
        assert!(text.set_look(&zone.name, &zone.look));
    }
    let mut lines = String::new();
    for (n, line) in text.to_string().lines().enumerate() {
        lines.push_str(line);
        if !line.starts_with('#') {
            lines.push_str(&format!(" # comment {n}."));
        }
        lines.push('\n');
        for zone in show.zones.iter().filter(|z| line == format!("name = {:?}", z.name)) {
            if zone.layout == Layout::Stretch {
                lines.push_str("layout = \"stretch\"\n");
            }
        }
    }
    lines
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_keeps_its_comments(show in shows(), warmth in 0.0..1.0_f32) {
        let before = written(&show);
        let read_back = read(&before, &Any);
        prop_assert_eq!(&read_back.show, &show, "{}\n{:?}", before, read_back.faults);
        prop_assert_eq!(read_back.faults, vec![]);
        let mut text = Text::parse(&before).unwrap();
        prop_assert_eq!(text.to_string(), before.clone());
        for zone in &show.zones {
            let mut look = zone.look;
            look.params.set(Param::Warmth, warmth);
            look.params.set(Param::Speed, warmth);
            text.set_look(&zone.name, &look);
        }
        let after = text.to_string();
        let comments = |text: &str| text.matches("# comment ").count();
        prop_assert_eq!(comments(&after), comments(&before), "{}", after);
        let show = text.read(&Any).whole().unwrap();
        prop_assert!(show.zones.iter().all(|z| z.look.params.get(Param::Warmth) == warmth));
    }

    #[test]
    fn every_pixel_that_a_light_shows_exists(show in shows()) {
        let lights = map(&show);
        let mut runs: usize = 0;
        for (light, cells) in show.lights.iter().zip(&lights) {
            prop_assert_eq!(cells.len(), light.leds);
            runs += cells.iter().filter(|cell| cell.get().is_some()).count();
            for (zone, pixel) in cells.iter().filter_map(|cell| cell.get()) {
                prop_assert!(pixel < show.zones[zone].pixels());
            }
        }
        // Each LED of each run is written once: no two runs share one.
        prop_assert_eq!(runs, show.zones.iter().flat_map(Zone::runs).map(Run::leds).sum::<usize>());
    }

    #[test]
    fn reversed_twice_is_the_identity(show in shows()) {
        let turned = |show: &Show| {
            let mut show = show.clone();
            for zone in &mut show.zones {
                for piece in &mut zone.pieces {
                    if let Piece::Run(run) = piece {
                        run.reversed ^= true;
                    }
                }
            }
            show
        };
        let (once, before) = (map(&turned(&show)), map(&show));
        prop_assert_eq!(&map(&turned(&turned(&show))), &before);
        for run in show.zones.iter().flat_map(Zone::runs) {
            let mut mirrored = once[run.light][run.from..=run.to].to_vec();
            mirrored.reverse();
            prop_assert_eq!(&mirrored[..], &before[run.light][run.from..=run.to]);
        }
    }

    #[test]
    fn any_text_is_survived(text in "[a-z\\[\\]{}=\"#\n 0-9.,]{0,200}", cut in 0..GOOD.len()) {
        let _ = read(&text, &Any);
        let _ = read(&format!("version = 1\n{text}"), &Any);
        let whole: String = GOOD.chars().take(cut).collect::<String>() + &text;
        let _ = read(&whole, &Any);
    }
}
