"""The kinds of music that the grammar knows, by metre: their drums, tempi, basses, chords and instruments."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Tempo: its usual range in beats a minute. Weights are relative within a metre."""

    drums: str
    tempo: tuple
    bass: tuple
    chords: tuple
    weight: float = 1.0
    harmony: str = "pop"
    sounds: tuple = ()
    without_drums: bool = False
    # Nothing but drums.
    alone: bool = False
    # What plays it, if not anything: one of synthesis.PLAYERS.
    player: str = ""


GUITARS, DISTORTED, KEYS, PIANO = (24, 25, 26, 27, 28), (29, 30), (0, 1, 4, 5, 16, 18), (0, 1, 2, 6)
SYNTHS, STRINGS, BRASS, MALLETS = (80, 81, 62, 63, 90), (48, 49, 44, 45, 46, 60, 61), (56, 57, 61), (11, 12, 13, 108)
PADS, BASSES = (48, 49, 50, 52, 88, 89, 91, 94, 95), (32, 33, 34, 35, 36, 38, 39, 43)
FOLK = (21, 22, 24, 25, 40, 105, 109, 110, 73)
TUNES = (0, 11, 13, 22, 40, 56, 65, 66, 68, 71, 73, 75, 80, 81, 82, 104, 29, 30)

KINDS = {
    "4/4": {
        "rock": Kind(
            "rock",
            (85, 170),
            ("root", "eighth", "kick"),
            ("eighth", "quarter", "hits", "bar"),
            2,
            "pop",
            GUITARS + DISTORTED,
        ),
        "played-in rock": Kind(
            "played-in rock", (75, 160), ("kick", "eighth"), ("hits", "bar", "quarter"), 2, "pop", GUITARS + DISTORTED
        ),
        "metal": Kind("metal", (80, 200), ("kick", "eighth"), ("chug", "chug", "bar"), 2, "power", DISTORTED),
        "blast": Kind("blast", (140, 210), ("eighth", "root"), ("tremolo", "chug"), 1, "power", DISTORTED),
        "punk": Kind("punk", (150, 210), ("eighth",), ("eighth", "chug"), 1.5, "power", DISTORTED),
        "half time": Kind("half time", (60, 160), ("kick", "root"), ("bar", "hits", "pad"), 1),
        "funk": Kind("funk", (85, 125), ("hits", "kick"), ("sixteenth", "hits", "off"), 1.5, "seventh", GUITARS + KEYS),
        "hip hop": Kind(
            "hip hop", (70, 110), ("kick", "root"), ("bar", "arpeggio", "hits"), 1, "seventh", KEYS + MALLETS
        ),
        "trap": Kind("trap", (120, 160), ("kick", "root"), ("pad", "arpeggio"), 1, "minor", SYNTHS + MALLETS),
        "house": Kind(
            "four on the floor",
            (112, 135),
            ("off", "octave", "hits"),
            ("off", "hits", "charleston", "pad"),
            2.5,
            "seventh",
            SYNTHS + KEYS,
        ),
        "trance": Kind(
            "four on the floor", (128, 150), ("off", "gallop"), ("arpeggio", "pad", "sixteenth"), 1.5, "minor", SYNTHS
        ),
        "off-beat": Kind(
            "off-beat hats",
            (70, 180),
            ("off", "off", "octave"),
            ("off", "skank", "pad"),
            3,
            "pop",
            GUITARS + KEYS + SYNTHS,
        ),
        "drum and bass": Kind("breakbeat", (158, 182), ("root", "hits"), ("pad", "hits"), 1, "minor", SYNTHS),
        "breaks": Kind("breakbeat", (95, 145), ("kick", "hits"), ("pad", "hits", "off"), 1, "minor", SYNTHS + KEYS),
        "reggae": Kind("reggae", (62, 95), ("reggae", "hits"), ("skank", "off"), 2.5, "pop", GUITARS + KEYS + (16, 18)),
        "ska": Kind("ska", (110, 180), ("walk", "eighth", "fifth"), ("skank", "off"), 2.5, "pop", GUITARS + BRASS),
        "train": Kind("train", (90, 140), ("fifth",), ("stride", "off"), 1, "pop", GUITARS),
        "bossa": Kind("bossa", (100, 170), ("bossa",), ("bossa", "hits"), 1.5, "seventh", GUITARS + KEYS),
        "clave": Kind("clave", (85, 120), ("tumbao",), ("montuno", "hits"), 1.5, "seventh", PIANO + BRASS),
        "swing": Kind("swing", (90, 210), ("walk",), ("charleston", "off", "quarter"), 1.5, "seventh", PIANO + GUITARS),
        "shuffle": Kind(
            "shuffle", (80, 150), ("walk", "eighth"), ("quarter", "bar", "charleston"), 1.5, "seventh", GUITARS + KEYS
        ),
        "slow twelve": Kind(
            "slow twelve", (45, 75), ("root", "fifth"), ("eighth", "broken"), 1, "pop", PIANO + GUITARS
        ),
        "toms": Kind("toms", (70, 150), ("root",), ("pad", "bar"), 0.7),
        "sparse": Kind("sparse", (55, 140), ("root", "fifth"), ("bar", "arpeggio", "pad"), 1.5),
        "hats": Kind("hats", (60, 160), ("eighth", "root"), ("bar", "hits"), 1),
        "synth pop": Kind(
            "synth pop", (100, 160), ("octave", "eighth", "gallop"), ("arpeggio", "sixteenth", "hits"), 1, "pop", SYNTHS
        ),
        "console": Kind(
            "synth pop",
            (100, 190),
            ("octave", "eighth", "gallop"),
            ("chip", "chip", "arpeggio"),
            3,
            "minor",
            player="console",
        ),
        "module rock": Kind(
            "rock", (90, 160), ("eighth", "kick"), ("chip", "hits", "eighth"), 1, "minor", player="module"
        ),
        "module dance": Kind(
            "four on the floor",
            (110, 150),
            ("off", "octave", "gallop"),
            ("chip", "hits", "off", "arpeggio"),
            1.5,
            "minor",
            player="module",
        ),
        "module breaks": Kind(
            "breakbeat", (110, 170), ("kick", "hits"), ("chip", "hits", "pad"), 1, "minor", player="module"
        ),
        "module pop": Kind(
            "synth pop", (90, 170), ("eighth", "octave"), ("chip", "arpeggio"), 1.5, "pop", player="module"
        ),
        "orchestra": Kind(
            "rock",
            (55, 160),
            ("quarter", "root", "eighth"),
            ("quarter", "eighth", "tremolo", "hits"),
            1.5,
            "minor",
            STRINGS,
            True,
        ),
        "piano": Kind(
            "rock",
            (50, 160),
            ("root", "fifth", "eighth"),
            ("stride", "broken", "quarter", "arpeggio"),
            1.5,
            "pop",
            PIANO,
            True,
        ),
        "arpeggios": Kind(
            "rock", (60, 170), ("root",), ("arpeggio", "broken"), 1, "minor", GUITARS + MALLETS + SYNTHS + PIANO, True
        ),
        "pads": Kind("rock", (55, 130), ("root",), ("swell", "swell", "pad"), 2, "pop", PADS, True),
        "metronome": Kind("metronome", (45, 208), (), (), 0.7, alone=True),
        "hand drums": Kind("hand drums", (75, 150), (), (), 2, alone=True),
        "hand drums in three": Kind("hand drums in three", (75, 150), (), (), 2, alone=True),
        "tresillo": Kind(
            "tresillo", (75, 120), ("kick", "hits", "root"), ("hits", "off", "pad", "montuno"), 2.5, "minor", SYNTHS + KEYS
        ),
        "slow trap": Kind("slow trap", (58, 85), ("kick", "root"), ("pad", "arpeggio"), 1.5, "minor", SYNTHS + MALLETS),
        "straight eighths": Kind(
            "straight eighths", (48, 100), ("eighth", "root", "quarter"), ("eighth", "quarter", "bar", "pad"), 3
        ),
    },
    "1/4": {"clicks": Kind("clicks", (45, 208), (), (), 1, alone=True)},
    "3/4": {
        "waltz": Kind("waltz", (80, 200), ("root", "fifth"), ("oom pah", "oom pah", "broken", "quarter"), 3),
        "jazz waltz": Kind(
            "jazz waltz", (90, 190), ("walk", "root"), ("oom pah", "charleston"), 1, "seventh", PIANO + GUITARS
        ),
        "slow three": Kind("waltz", (50, 100), ("root",), ("arpeggio", "broken", "pad"), 1),
        "three without drums": Kind(
            "waltz", (60, 180), ("root", "quarter"), ("oom pah", "broken", "quarter"), 1.5, "pop", PIANO + STRINGS, True
        ),
    },
    "6/8": {
        "six eight": Kind(
            "six eight", (45, 110), ("root", "fifth", "eighth"), ("broken", "eighth", "oom pah pah", "bar"), 2
        ),
        "jig": Kind(
            "jig", (90, 140), ("fifth", "root"), ("oom pah pah", "eighth", "quarter", "broken"), 2.5, "pop", FOLK
        ),
        "six without drums": Kind(
            "six eight",
            (45, 120),
            ("root", "quarter"),
            ("broken", "oom pah pah", "eighth"),
            1,
            "pop",
            PIANO + GUITARS + STRINGS,
            True,
        ),
    },
    "5/4": {"five": Kind("five", (80, 180), ("root", "hits", "eighth"), ("hits", "quarter", "bar", "off"), 1, "minor")},
    "2/4": {
        "polka": Kind("polka", (90, 140), ("fifth",), ("off", "skank"), 2, "pop", (21, 22, 23, 56, 57)),
        "march": Kind("march", (90, 130), ("fifth", "root"), ("off", "quarter"), 1.5, "pop", BRASS),
        "samba": Kind("samba", (80, 125), ("bossa", "root"), ("hits", "off"), 1, "seventh", GUITARS),
        "reel": Kind("reel", (85, 130), ("fifth", "quarter"), ("off", "quarter", "arpeggio"), 2, "pop", FOLK),
        "two": Kind("two", (60, 160), ("eighth", "root"), ("quarter", "hits"), 1),
    },
}
METRES = {"4/4": 0.60, "3/4": 0.15, "6/8": 0.10, "5/4": 0.04, "2/4": 0.08, "1/4": 0.03}
