"""Drum patterns of many kinds of music, one bar each, and fills.

A line is one instrument: x a stroke, o a softer one, - a ghost, ? a stroke in some pieces, . nothing. A pattern has as
many columns as the bar has steps.
"""

import numpy as np

STEPS = {"x": 1.0, "o": 0.7, "-": 0.4}
# General MIDI keys.
INSTRUMENTS = dict(
    kick=36,
    snare=38,
    stick=37,
    clap=39,
    hat=42,
    pedal=44,
    open=46,
    low=41,
    mid=45,
    high=48,
    crash=49,
    ride=51,
    china=52,
    bell=53,
    tambourine=54,
    cowbell=56,
    conga=63,
    bongo=60,
    cabasa=69,
    maracas=70,
    claves=75,
    block=76,
    shaker=82,
    triangle=81,
    timbale=65,
    agogo=67,
)
# Metres: columns of a beat.
STRAIGHT, TRIPLET = 4, 3

PATTERNS = {
    "rock": (
        4,
        STRAIGHT,
        [
            "kick x.......x.?.?... snare ....x.......x... hat x.o.x.o.x.o.x.o.",
            "kick x.....x.x....... snare ....x.......x... hat x.o.x.o.x.o.x.o.",
            "kick x..?..x...x..... snare ....x.......x..? ride x.o.x.o.x.o.x.o.",
            "kick x.x.....x.x...?. snare ....x.......x... open x...x...x...x...",
            "kick x.......x....... snare ....x.......x... hat x...x...x...x...",
        ],
    ),
    "played-in rock": (
        4,
        STRAIGHT,
        [
            "kick x.....x.x.?..... snare ....x..-.-..x..- hat x.o.x.o.x.o.x.o.",
            "kick x..x..x...x..x.. snare ....x..-....x... ride x.o.x.o.x.o.x.o.",
            "kick x......xx..x.... snare ....x.......x.-. hat x.o.x.o.x.o.x.x. open ..............?.",
        ],
    ),
    "metal": (
        4,
        STRAIGHT,
        [
            "kick xxxxxxxxxxxxxxxx snare ....x.......x... crash x...x...x...x...",
            "kick x.xxx.xxx.xxx.xx snare ........x....... china x...x...x...x...",
            "kick xx.xx.xxxx.xx.xx snare ....x.......x... ride x.x.x.x.x.x.x.x.",
            "kick xxx.xxx.xxx.xxx. snare ........x....... hat x...x...x...x...",
            "kick x.x.x.x.x.x.x.x. snare ....x.......x... open x...x...x...x...",
            "kick x..x..x...x..x.. snare ........x....... china x...x...x...x... hat ..o...o...o...o.",
        ],
    ),
    "blast": (
        4,
        STRAIGHT,
        [
            "kick x.x.x.x.x.x.x.x. snare .x.x.x.x.x.x.x.x ride x.x.x.x.x.x.x.x.",
            "kick x.x.x.x.x.x.x.x. snare x.x.x.x.x.x.x.x. crash x...x...x...x...",
            "kick xxxxxxxxxxxxxxxx snare x...x...x...x... china x...x...x...x...",
            "kick x...x...x...x... snare ..x...x...x...x. hat x...x...x...x...",
        ],
    ),
    "punk": (
        4,
        STRAIGHT,
        [
            "kick x..x..x.x..x..x. snare ....x.......x... hat x...x...x...x...",
            "kick x.....x...x..... snare ....x.......x... crash x...x...x...x...",
            "kick x...x...x...x... snare ..x...x...x...x. hat x.x.x.x.x.x.x.x.",
            "kick x.x...x.x.x...x. snare ....x.......x... open x...x...x...x...",
        ],
    ),
    "half time": (
        4,
        STRAIGHT,
        [
            "kick x.....x......x.. snare ........x....... hat x.o.x.o.x.o.x.o.",
            "kick x..x......?..x.. snare ........x....... ride x...x...x...x...",
            "kick x.............x. snare ........x....... hat xooxxooxxooxxoox",
        ],
    ),
    "funk": (
        4,
        STRAIGHT,
        [
            "kick x..x..?...x..x.. snare ....x..-.-..x..- hat xoxoxoxoxoxoxoxo",
            "kick x.x...?..x..?... snare ....x..-.x-.x... hat x.o.x.o.x.o.x.o. open ......x.........",
            "kick x.....x..x.x.... snare ....x.-..-..x.-. hat xoooxoooxoooxooo cowbell ....?...........",
            "kick x..-..x.-.x..... snare -..-x..-.-..x..- ride x.o.x.o.x.o.x.o.",
        ],
    ),
    "hip hop": (
        4,
        STRAIGHT,
        [
            "kick x......x..x..... snare ....x.......x... hat x.o.x.o.x.o.x.o.",
            "kick x.x....?..xx.... clap ....x.......x... hat x.o.x.oox.o.x.o.",
            "kick x......-.xx..?.. snare ....x.......x..- shaker x.o.x.o.x.o.x.o.",
        ],
    ),
    "trap": (
        4,
        STRAIGHT,
        [
            "kick x.....x...?..... clap ........x....... hat x.x.x.xxx.x.xoxo",
            "kick x......x..x....x clap ........x....... hat x.x.xxxxx.x.x.x. open ..............?.",
            "kick x..x......x..?.. snare ........x....... hat xxxxxxxxxxxxxxxx",
        ],
    ),
    "four on the floor": (
        4,
        STRAIGHT,
        [
            "kick x...x...x...x... clap ....x.......x... open ..x...x...x...x.",
            "kick x...x...x...x... open ..x...x...x...x. hat xoooxoooxoooxooo",
            "kick x...x...x...x... hat ..x...x...x...x. snare ....?.......?...",
            "kick x...x...x...x... clap ....x.......x..? hat x.x.x.x.x.x.x.x. shaker xoxoxoxoxoxoxoxo",
            "kick x...x...x...x... hat ..x...x...x...x. stick ...x..x....x..x.",
        ],
    ),
    "off-beat hats": (
        4,
        STRAIGHT,
        [
            "kick x.......x....... hat ..x...x...x...x.",
            "open ..x...x...x...x. snare ....x.......x...",
            "kick x..?....x....... clap ....x.......x... open ..x...x...x...x. tambourine ..o...o...o...o.",
            "hat ..x...x...x...x. kick x...x...x...x...",
            "shaker ..x...x...x...x. kick x.............?.",
        ],
    ),
    "breakbeat": (
        4,
        STRAIGHT,
        [
            "kick x.x.......xx.... snare ....x..-.-..x..- hat x.x.x.x.x.x.x.x.",
            "kick x.........x..... snare ....x.......x... hat x.x.x.x.x.x.x.x.",
            "kick x.x.......x..... snare ....x..x.x....x. ride x.x.x.x.x.x.x.x.",
            "kick x.....x...x..... snare ....x..x....x.-. hat xoxoxoxoxoxoxoxo",
        ],
    ),
    "reggae": (
        4,
        STRAIGHT,
        [
            "kick ........x....... stick ........x....... hat ..x...x...x...x.",
            "kick ........x....... snare ........x....... hat x.o.x.o.x.o.x.o.",
            "kick x...x...x...x... stick ........x....... hat ..x...x...x...x.",
            "kick x.......x....... stick ....x..?....x... hat x.o.x.o.x.o.x.o.",
        ],
    ),
    "ska": (
        4,
        STRAIGHT,
        [
            "kick x.......x....... snare ....x.......x... hat ..x...x...x...x.",
            "kick ....x.......x... snare ....x.......x... hat ..x...x...x...x.",
            "kick x...x...x...x... snare ....?.......x... open ..x...x...x...x.",
        ],
    ),
    "polka": (
        2,
        STRAIGHT,
        [
            "kick x...x... snare ..x...x. hat ..o...o.",
            "kick x...x... hat ..x...x.",
            "kick x....... snare ..x...x. crash ....?...",
        ],
    ),
    "march": (
        2,
        STRAIGHT,
        [
            "kick x...x... snare x.ooxoxo",
            "kick x...x... snare ..x...x. crash x...?...",
            "kick x...x... snare x.x.xxx.",
            "snare xoooxo?o kick x.......",
        ],
    ),
    "train": (
        4,
        STRAIGHT,
        [
            "kick x...x...x...x... snare ooxoooxoooxoooxo",
            "kick x.......x....... snare ooxoxoxooox.x.x.",
        ],
    ),
    "bossa": (
        4,
        STRAIGHT,
        [
            "kick x..ox..ox..ox..o stick x..x..x...x..x.. hat x.o.x.o.x.o.x.o.",
            "kick x..ox..ox..ox..o stick ..x..x...x..x... shaker xoxoxoxoxoxoxoxo",
            "kick x..ox..ox..ox..o hat oooooooooooooooo stick x...?.x...x.....",
        ],
    ),
    "clave": (
        4,
        STRAIGHT,
        [
            "claves x..x..x...x.x... conga ..x...xx..x...xx maracas x.o.x.o.x.o.x.o.",
            "claves ..x.x...x..x..x. cowbell x...x.x.x...x.x. conga ...x..xx...x..xx kick ......x.......x.",
            "claves x..x...x..x.x... kick x.....x.x.....x. shaker xoxoxoxoxoxoxoxo",
            "timbale x.x.xx.xx.x.xx.x conga ....x.xx....x.xx kick ..?...x.......x.",
        ],
    ),
    "samba": (
        2,
        STRAIGHT,
        [
            "kick x..xx..x shaker xoxxxoxx stick x.xx.x.x",
            "kick o...x..x tambourine xoxxxoxx snare o-xoo-xo agogo x.x..x..",
        ],
    ),
    "swing": (
        4,
        TRIPLET,
        [
            "ride x..x.ox..x.o pedal ...x.....x..",
            "ride x..x.ox..x.o pedal ...x.....x.. kick o..o..o..o.. snare .....?.....-",
            "hat x..x.ox..x.o kick x.....x..... snare ...x.....x..",
            "ride x..x..x..x.. pedal ...x.....x.. snare .....-.....?",
        ],
    ),
    "shuffle": (
        4,
        TRIPLET,
        [
            "kick x.....x..... snare ...x.....x.. hat x.ox.ox.ox.o",
            "kick x....xx..... snare ...x.....x.. ride x.ox.ox.ox.o",
            "kick x..x..x..x.. snare o.ox.oo.ox.o",
            "kick x....?...... snare ......x..... hat x.ox.ox.ox.o",
        ],
    ),
    "slow twelve": (
        4,
        TRIPLET,
        [
            "kick x.....x..... snare ...x.....x.. hat xooxooxooxoo",
            "kick x....xx.x... snare ...x.....x.. ride x..x..x..x..",
        ],
    ),
    "waltz": (
        3,
        STRAIGHT,
        [
            "kick x........... snare ....o...o...",
            "kick x........... hat ....x...x...",
            "kick x........... stick ....o...o... ride x...x...x...",
            "kick x.....?..... snare ........x... hat x.o.x.o.x.o.",
            "kick x.....x..... snare ....x....... hat x.o.x.o.x.o.",
            "triangle x...o...o...",
        ],
    ),
    "jazz waltz": (
        3,
        TRIPLET,
        [
            "ride x..x.ox.o pedal ...x.....",
            "ride x..x.ox.. pedal ...x..x.. kick x........ snare .....?...",
        ],
    ),
    "six eight": (
        2,
        6,
        [
            "kick x........... snare ......x..... hat x.o.o.x.o.o.",
            "kick x...x....... snare ......x..... ride x.o.o.x.o.o.",
            "kick x.....x..... tambourine x.o.o.x.o.o.",
            "low x.....x.o.o. snare ..?...x.....",
            "kick x.........x. stick ......x..... hat x.x.x.x.x.x.",
        ],
    ),
    "five": (
        5,
        STRAIGHT,
        [
            "kick x.....x.....x....... snare ....x...........x... hat x.o.x.o.x.o.x.o.x.o.",
            "kick x...........x....... snare ........x.......x... ride x...x...x...x...x...",
            "kick x.....x.....x...?... snare ....x...x.......x... hat x.x.x.x.x.x.x.x.x.x.",
        ],
    ),
    "toms": (
        4,
        STRAIGHT,
        [
            "low x..x..x...x.x... mid ....x.......x... kick x...x...x...x...",
            "low x.ox..x.x.ox..x. high ....x.......x.x.",
            "low x...x...x...x... mid ..xx..xx..xx..xx kick x.......x.......",
        ],
    ),
    "sparse": (
        4,
        STRAIGHT,
        [
            "kick x............... clap ........x.......",
            "stick ....x.......x...",
            "block x...........x... shaker ....o.......o...",
            "low x............... triangle ........x.......",
            "kick x.........x..... tambourine ....x.......x...",
        ],
    ),
    "hats": (
        4,
        STRAIGHT,
        [
            "hat x.o.x.o.x.o.x.o.",
            "ride x...o...x...o...",
            "shaker xoxoxoxoxoxoxoxo",
            "tambourine x...x...x...x...",
            "hat xoooxoooxoooxooo open ..............?.",
        ],
    ),
    "two": (
        2,
        STRAIGHT,
        [
            "kick x....... snare ....x... hat x.o.x.o.",
            "kick x..x.... snare ....x..? hat xoxoxoxo",
            "kick x.....x. clap ....x... open ..x...x.",
        ],
    ),
    "clicks": (
        1,
        STRAIGHT,
        ["block x...", "claves x...", "stick x...", "cowbell x...", "hat x...", "kick x...", "clap x...", "triangle x..."],
    ),
    "metronome": (
        4,
        STRAIGHT,
        [
            "block x...o...o...o...",
            "cowbell x............... stick ....x...x...x...",
            "agogo x............... claves x...x...x...x...",
        ],
    ),
    "hand drums": (
        4,
        STRAIGHT,
        [
            "low x.......x....... conga ..xx..x...xx..x. bongo x..o..x.x..o..x.",
            "low x..x..x.x..x..x. high ....x.x.....x.x. shaker x.x.x.x.x.x.x.x.",
            "conga x..oo.x..x.oo.x. low x.......x.....x. bell x.x.x.xx.x.x.x.x",
            "mid x.xx..x.x.xx..x. low x...x...x...x...",
            "bongo x.o.x.oox.o.x.oo conga ......xx......xx low ......x.......x.",
            "timbale x.o.x.o.x.o.x.o. low x.......x..x....",
        ],
    ),
    "hand drums in three": (
        4,
        TRIPLET,
        [
            "low x.....x..... high ..xx.x..xx.x",
            "low x..x..x..x.. conga .xo.xo.xo.xo",
            "bell x.x.xx.x.x.x low x.....x.....",
            "low x.....o..... mid ...x.....x.. high .o..oo.o..oo",
            "conga x.ox.xx.ox.x low x.....x..... shaker x..x..x..x..",
            "agogo x.x.xx.x.xx. low x.....x.x... high ...xx....xx.",
        ],
    ),
    "tresillo": (
        4,
        STRAIGHT,
        [
            "kick x..x..x.x..x..x. hat x.o.x.o.x.o.x.o.",
            "kick x...x...x...x... snare ...x..x....x..x.",
            "kick x...x...x...x... stick ...x..x....x..x. hat x.x.x.x.x.x.x.x.",
            "low x..x..x.x..x..x. clap ....x.......x...",
            "kick x..x..x...x..... snare ....x.......x... block x..x..x.x..x..x.",
        ],
    ),
    "slow trap": (
        4,
        8,
        [
            "kick x.............x.....x........... clap ........x...............x....... hat x.o.x.o.x.o.x.o.x.o.x.o.xxxxx.o.",
            "kick x...........x.......x.......x... snare ........x...............x....... hat xoxoxoxoxoxoxoxoxoxoxoxoxxxxxxxx",
            "kick x.....x.............x.......?... clap ........x...............x....... hat x...x...x...x.xxx...x...x.x.x.x.",
        ],
    ),
    "straight eighths": (
        4,
        STRAIGHT,
        [
            "kick x.......x....... snare ....x.......x... hat x.x.x.x.x.x.x.x.",
            "kick x.....x.x....... snare ....x.......x... hat x.o.x.o.x.o.x.o.",
            "kick x.x.....x.x..... snare ....x.......x... ride x.x.x.x.x.x.x.x.",
            "kick x.......x....... hat x.x.x.x.x.x.x.x.",
            "shaker x.x.x.x.x.x.x.x. kick x.......x....... stick ....x.......x...",
            "low x.x.o.x.x.x.o.x. snare ....x.......x...",
        ],
    ),
    "jig": (
        2,
        6,
        [
            "low x.....x..... tambourine x.o.x.x.o.x.",
            "kick x.....x..... stick ....x.....x.",
            "bongo x.o.x.x.o.x.",
        ],
    ),
    "reel": (
        2,
        STRAIGHT,
        ["low x...x... tambourine x.o.x.o.", "kick x...x... stick ..x...x.", "bongo x.oxx.ox"],
    ),
    "synth pop": (
        4,
        STRAIGHT,
        [
            "kick x.......x.x..... snare ....x.......x... hat xoxoxoxoxoxoxoxo",
            "kick x...x...x...x... snare ....x.......x... hat x.x.x.x.x.x.x.x.",
            "kick x..x..x...x..... clap ....x.......x... cowbell ..?...x...?...x.",
        ],
    ),
}


def pattern(kind, rng):
    """{key: array of loudness per step} of a bar, its beats and its steps a beat."""
    beats, steps, lines = PATTERNS[kind]
    words = str(rng.choice(lines)).split()
    out = {}
    for name, line in zip(words[::2], words[1::2], strict=True):
        assert len(line) == beats * steps, (kind, name, line)
        strokes = [STEPS.get(c, 0.9 if c == "?" and rng.random() < 0.5 else 0.0) for c in line]
        out[INSTRUMENTS[name]] = np.array(strokes)
    if steps == STRAIGHT and rng.random() < 0.3:
        extra = int(rng.choice([INSTRUMENTS["shaker"], INSTRUMENTS["tambourine"], INSTRUMENTS["cabasa"]]))
        every = int(rng.choice([1, 2, 4]))
        layer = np.zeros(beats * steps)
        layer[(every // 2 if rng.random() < 0.3 else 0) :: every] = 0.5
        out.setdefault(extra, layer)
    return out, beats, steps


def varied(bar, rng):
    """The bar with one or two strokes moved or left out, but not those that make its first beat."""
    out = {key: strokes.copy() for key, strokes in bar.items()}
    for _ in range(int(rng.integers(1, 3))):
        strokes = out[sorted(out)[int(rng.integers(len(out)))]]
        at = np.flatnonzero(strokes[1:]) + 1
        if len(at) > 1:
            gone = int(rng.choice(at))
            loud, strokes[gone] = strokes[gone], 0
            if rng.random() < 0.6:
                strokes[int(rng.integers(1, len(strokes)))] = loud
    return out


def fill(rng, steps):
    """Strokes (step, key, loudness) of a fill that lasts `steps` steps."""
    keys = sorted(rng.choice([38, 48, 45, 43, 41, 38], 4).tolist(), reverse=True)
    kind = str(rng.choice(["run", "random", "build", "kicks"]))
    for step in range(steps):
        if kind == "run":
            yield step, keys[min(3, 4 * step // steps)], 0.9
        elif kind == "random" and rng.random() < 0.65:
            yield step, int(rng.choice(keys)), rng.uniform(0.6, 1.0)
        elif kind == "build":
            yield step, 38, 0.4 + 0.6 * step / steps
        elif kind == "kicks" and step % 2 == 0:
            yield step, 36, 1.0
