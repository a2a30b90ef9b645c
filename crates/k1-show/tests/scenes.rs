//! Scenes, the playlist and timers are read with a sentence for each fault, and changed without losing anything.

mod support;

use k1_engine::params::{PARAMS, Params};
use k1_engine::patterns::PATTERNS;
use k1_show::{Days, Every, Look, Now, Playlist, Scene, Task, Text, TimeOfDay, Timer, read};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Any, faults};

const GOOD: &str = r#"version = 1

# The table.
[[scene]]
name = "Dinner"   # calm
fade_s = 2
brightness = 0.60
looks = { "Shelf" = { pattern = "lava", speed = 0.60 }, Attic = { pattern = "bloom" } }  # both

[[scene]]
name = "Party"
[scene.looks.Shelf]
pattern = "bloom"

[playlist]
scenes = ["Party", "Dinner"]  # in this order
every = "16 beats"
shuffle = true

# On work days.
[[timer]]
at = "7:05"
days = ["Mon", "fri"]
do = "scene Dinner"

[[timer]]
at = "23:00"
do = "off"
fade_s = 30
"#;

#[test]
fn a_file_is_read_as_it_is_meant() {
    let show = read(GOOD, &Any).whole().unwrap();
    let dinner = &show.scenes[0];
    assert_eq!((dinner.fade_s, dinner.brightness, dinner.looks.len()), (2.0, Some(0.6), 2));
    assert_eq!((show.scenes[1].fade_s, show.scenes[1].brightness), (1.0, None));
    assert!(show.scenes[1].look("Shelf").is_some() && show.scenes[1].look("Attic").is_none());
    let scenes = ["Party", "Dinner"].map(str::to_owned).to_vec();
    assert_eq!(show.playlist, Some(Playlist { scenes, every: Every::Beats(16), shuffle: true, on: false }));
    let days = Days::NONE.with(0).with(4);
    let at = |hour, minute| TimeOfDay { hour, minute };
    assert_eq!(
        show.timers,
        [
            Timer { at: at(7, 5), days, task: Task::Scene("Dinner".into()), fade_s: None },
            Timer { at: at(23, 0), days: Days::ALL, task: Task::Off, fade_s: Some(30.0) },
        ]
    );
    assert_eq!(show.now, Now::default());
}

#[test]
fn each_fault_is_told_with_its_line_and_the_remedy() {
    for (was, wrong, sentence) in [
        ("name = \"Party\"", "name = \"Dinner\"", "line 11: two scenes have the name “Dinner”"),
        ("fade_s = 2", "fade_s = -1", "line 6: `fade_s` is 0 to 3600 seconds"),
        ("brightness = 0.60", "brightness = 2", "line 7: `brightness` is a number from 0 to 1"),
        ("pattern = \"lava\"", "pattern = \"larva\"", "line 8: there is no pattern “larva”"),
        ("speed", "spede", "line 8: K1 does not know `spede` here"),
        (
            "\"Party\", \"Dinner\"",
            "\"Party\", \"Tea\"",
            "line 16: there is no scene “Tea”; use one of “Dinner”, “Party”",
        ),
        ("\"Party\", \"Dinner\"", "1", "line 16: `scenes` is a list of names of scenes"),
        ("16 beats", "0 bars", "line 17: `every` is \"8 bars\", \"16 beats\""),
        ("shuffle = true", "shuffle = 1", "line 18: `shuffle` is true or false"),
        ("7:05", "25:00", "line 22: `at` is a time of day from \"00:00\" to \"23:59\"; not “25:00”"),
        ("\"fri\"", "\"friday\"", "line 23: `days` is a list of days"),
        ("[\"Mon\", \"fri\"]", "[]", "line 23: `days` is a list of days"),
        ("scene Dinner", "scene Tea", "line 24: there is no scene “Tea”"),
        ("\"off\"", "\"dim\"", "line 28: `do` is \"on\", \"off\", \"scene NAME\""),
        ("do = \"off\"\n", "", "line 26: a timer needs `do`"),
        ("[playlist]", "[playlist]\nspeed = 1", "K1 does not know `speed` here; [playlist] takes"),
    ] {
        assert!(GOOD.contains(was), "{was}");
        let all = faults(&GOOD.replacen(was, wrong, 1));
        assert!(all.iter().any(|fault| fault.contains(sentence)), "{wrong}: {all:?}");
    }
    // A zone that does not exist, and a scene that is gone from what was set last, are not faults.
    assert_eq!(faults(&format!("{GOOD}\n[now]\non = false\nscene = \"Tea\"\n")), [""; 0]);
}

#[test]
fn what_is_around_a_change_stays() {
    let mut text = Text::parse(GOOD).unwrap();
    let mut show = text.read(&Any).show;
    text.set_playlist(&show.playlist.clone().unwrap());
    text.set_timers(&show.timers);
    text.set_now(&show.now);
    show.scenes.iter().for_each(|scene| text.set_scene(scene));
    assert_eq!(text.to_string(), GOOD, "nothing has changed");
    show.scenes[0].looks.pop();
    text.set_scene(&show.scenes[0]);
    let after = text.to_string();
    assert!(
        after.contains("looks = { \"Shelf\" = { pattern = \"lava\", speed = 0.60 } }  # both"),
        "{after}"
    );
    assert!(after.contains("# The table.") && after.contains("# calm"), "{after}");
    text.set_timers(&show.timers[..1]);
    assert!(text.remove_scene("Party") && !text.remove_scene("Party"));
    let after = text.to_string();
    assert!(
        after.contains("scenes = [ \"Dinner\"]  # in this order") || after.contains("scenes = [\"Dinner\"]"),
        "{after}"
    );
    assert!(
        after.contains("# On work days.\n[[timer]]\nat = \"7:05\"") && !after.contains("23:00"),
        "{after}"
    );
}

fn look() -> impl Strategy<Value = Look> {
    let values = vec(0.0_f32..1.0, PARAMS.len());
    (0..PATTERNS.len(), values).prop_map(|(pattern, values)| Look {
        pattern,
        params: Params::from_values(std::array::from_fn(|i| values[i] * PARAMS[i].max)),
    })
}

fn scene() -> impl Strategy<Value = Scene> {
    let looks = proptest::collection::btree_map("[a-zA-ZäÜ .\"=#]{0,8}", look(), 0..4);
    ("[a-c]{1,2}", 0.0_f32..100.0, proptest::option::of(0.0_f32..1.0), looks).prop_map(
        |(name, fade_s, brightness, looks)| Scene {
            name,
            fade_s,
            brightness,
            looks: looks.into_iter().collect(),
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        scenes in vec(scene(), 1..6),
        times in vec((0_u8..24, 0_u8..60, 1_u8..128, proptest::option::of(0.0_f32..3_600.0)), 0..5),
        every in prop_oneof![(1_u32..99).prop_map(Every::Bars), (1_u32..9_000).prop_map(Every::Seconds), Just(Every::Section)],
        on: bool,
        brightness in 0.0_f32..1.0,
        from_good: bool,
    ) {
        let mut text = if from_good { Text::parse(GOOD).unwrap() } else { Text::default() };
        scenes.iter().for_each(|scene| text.set_scene(scene));
        let playlist = Playlist { scenes: vec![scenes[0].name.clone()], every, shuffle: on, on };
        text.set_playlist(&playlist);
        let timers: Vec<Timer> = times.iter().map(|(hour, minute, bits, fade_s)| Timer {
            at: TimeOfDay { hour: *hour, minute: *minute },
            days: (0..7).filter(|day| bits >> day & 1 != 0).fold(Days::NONE, Days::with),
            task: Task::Scene(scenes[0].name.clone()),
            fade_s: *fade_s,
        }).collect();
        text.set_timers(&timers);
        let now = Now { on, brightness, scene: Some(scenes[0].name.clone()) };
        text.set_now(&now);
        let reading = read(&text.to_string(), &Any);
        prop_assert!(reading.faults.is_empty(), "{:?}\n{text}", reading.faults);
        for scene in &scenes {
            let last = scenes.iter().rev().find(|other| other.name == scene.name).unwrap();
            let mut there = reading.show.scenes.iter().find(|other| other.name == scene.name).unwrap().clone();
            let mut last = last.clone();
            there.looks.sort_by(|a, b| a.0.cmp(&b.0));
            last.looks.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(there, last);
        }
        prop_assert_eq!(reading.show.playlist, Some(playlist));
        prop_assert_eq!(reading.show.timers, timers);
        prop_assert_eq!(reading.show.now, now);
    }
}
