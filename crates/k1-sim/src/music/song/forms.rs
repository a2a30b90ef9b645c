//! Forms: which sections a song has.

use super::super::chance::Chance;
use super::Part::{self, Break, Build, Drop, Section};
use super::bands::Players;
use super::scene::{Harmony, Scene};

/// The form of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A few bars without end.
    Loop,
    /// Verses, choruses and a bridge.
    VerseAndChorus,
    /// The same in three beats.
    Waltz,
    /// A groove that falls away, a riser, and a drop; twice.
    Club,
    /// A groove with a riser over it, and a drop without a break before it.
    Riser,
    /// A beginning without drums, then the whole band, then a part without drums, and the band again.
    LateDrums,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Loop, Self::VerseAndChorus, Self::Waltz, Self::Club, Self::Riser, Self::LateDrums];
}

/// A song before it is played.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) bpm: f64,
    pub(super) beats_per_bar: usize,
    /// Each scene, and what a listener hears begin with it.
    pub(super) scenes: Vec<(Option<Part>, Scene)>,
}

/// Progressions of four bars.
const PROGRESSIONS: [[Harmony; 4]; 4] = [
    [(-12, [12, 15, 19]), (-16, [8, 12, 15]), (-9, [15, 19, 22]), (-14, [10, 14, 17])],
    [(-9, [15, 19, 22]), (-14, [10, 14, 17]), (-12, [12, 15, 19]), (-16, [8, 12, 15])],
    [(-7, [17, 20, 24]), (-7, [17, 20, 24]), (-12, [12, 15, 19]), (-14, [10, 14, 17])],
    [(-12, [12, 16, 19]), (-10, [14, 17, 21]), (-7, [17, 21, 24]), (-5, [19, 23, 26])],
];

fn pick<T: Copy>(chance: &mut Chance, from: &[T]) -> T {
    from[chance.between(0.0, from.len() as f64 - 1e-6) as usize]
}

/// Decides what is played.
pub(super) fn plan(form: Form, players: &Players, chance: &mut Chance) -> Plan {
    let bpm = chance.between(players.bpm[0], players.bpm[1]);
    let key = chance.between(-3.0, 3.99) as i32;
    let first = chance.between(0.0, 3.99) as usize;
    let progression = |which: usize| -> Vec<Harmony> {
        PROGRESSIONS[(first + which) % 4]
            .iter()
            .map(|(root, notes)| (root + key, notes.map(|n| n + key)))
            .collect()
    };
    let beats_per_bar = if form == Form::Waltz { 3 } else { 4 };
    // Sections of about the same duration at any tempo: 8 or 12 s at least, in twos or fours of bars.
    let bar_s = beats_per_bar as f64 * 60.0 / bpm;
    let bars = |seconds: f64| ((seconds / bar_s / 4.0).ceil() * 4.0) as usize;
    let groove = pick(chance, &[0, 1, 2]);
    let (line, lead, comp) = (pick(chance, &[0, 1]), pick(chance, &[0, 1]), pick(chance, &[0, 1]));
    let drums = if form == Form::Waltz { players.waltz } else { players.grooves[groove] };
    let verse = Scene {
        bars: bars(12.0),
        changes: progression(0),
        drums,
        bass: players.lines[line],
        chords: players.comps[comp],
        pad: false,
        lead: &[],
        riser: 0,
        gain: 0.8,
    };
    let chorus = Scene {
        bars: bars(12.0),
        changes: progression(1),
        drums: if form == Form::Waltz { drums } else { players.grooves[(groove + 1) % 3] },
        bass: players.lines[1 - line],
        chords: players.comps[1 - comp],
        pad: true,
        lead: players.leads[lead],
        gain: 1.0,
        ..verse.clone()
    };
    let club = Scene { drums: players.club, bass: players.lines[1], ..verse.clone() };
    let drop = Scene { lead: players.leads[lead], pad: true, gain: 1.0, ..club.clone() };
    let apart = Scene {
        bars: bars(8.0),
        drums: &[],
        bass: &[],
        pad: true,
        lead: players.leads[1 - lead],
        chords: (&[], 0.0),
        ..club.clone()
    };
    let scenes = match form {
        Form::Loop => {
            let whole = if chance.between(0.0, 1.0) < 0.5 { club } else { verse };
            let lead: &[_] = if chance.between(0.0, 1.0) < 0.5 { players.leads[lead] } else { &[] };
            vec![(None, Scene { bars: bars(75.0), lead, pad: chance.between(0.0, 1.0) < 0.4, ..whole })]
        }
        Form::VerseAndChorus | Form::Waltz => {
            let bridge = Scene {
                changes: progression(2),
                drums: if form == Form::Waltz { drums } else { players.grooves[(groove + 2) % 3] },
                chords: players.comps[comp],
                lead: &[],
                pad: true,
                ..chorus.clone()
            };
            vec![
                (None, verse.clone()),
                (Some(Section), chorus.clone()),
                (Some(Section), verse),
                (Some(Section), chorus.clone()),
                (Some(Section), bridge),
                (Some(Section), chorus),
            ]
        }
        Form::Club => {
            let riser = (4.0 / bar_s).ceil() as usize;
            let riser = riser.next_multiple_of(2).max(2);
            let rising = Scene { bars: riser, riser, ..apart.clone() };
            vec![
                (None, club),
                (Some(Break), apart.clone()),
                (Some(Build), rising.clone()),
                (Some(Drop), drop.clone()),
                (Some(Break), apart),
                (Some(Build), rising),
                (Some(Drop), drop),
            ]
        }
        Form::Riser => {
            let riser = (5.0 / bar_s).ceil() as usize;
            let riser = riser.next_multiple_of(2).max(2);
            let rising = Scene { bars: riser, riser, drums: &club.drums[..2], bass: &[], ..club.clone() };
            vec![
                (None, club),
                (Some(Build), rising.clone()),
                (Some(Drop), drop.clone()),
                (Some(Build), Scene { pad: true, ..rising }),
                (Some(Drop), drop),
            ]
        }
        Form::LateDrums => vec![
            (None, Scene { bars: bars(12.0), chords: verse.chords, ..apart.clone() }),
            (Some(Section), chorus.clone()),
            (Some(Break), apart),
            (Some(Drop), chorus.clone()),
            (Some(Section), verse),
        ],
    };
    Plan { bpm, beats_per_bar, scenes }
}
